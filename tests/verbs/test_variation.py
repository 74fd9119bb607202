"""Near neighbours, grids, sums, filled-in bars and scores: in the library and as commands."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.models.melody import MelodyModel
from melodyvae.music.layout import lay_out
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import Meter, Section
from melodyvae.music.regions import ReadMelody
from melodyvae.music.scales import Scale
from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.both_sides import complete_from_both_sides as complete
from melodyvae.verbs.facts import BarsAdded
from melodyvae.verbs.hidden_bars import InpaintingError
from melodyvae.verbs.novelty import NoveltyError, NoveltyIndex
from melodyvae.verbs.sampling import reconstruct
from melodyvae.verbs.scoring import QUANTILES, fit_quantiles, negative_elbo, score
from melodyvae.verbs.variation import arithmetic, grid, steps_changed, vary
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll
from tests.cli.test_cli import run
from tests.conftest import tune
from tests.verbs.test_sampling import RememberingModel, legato, seeded
from tests.windows import random_windows


@pytest.fixture(scope="module")
def shipped():
    return MelodyNetwork.read("melody-2bar")


@pytest.fixture(scope="module")
def hears():
    return MelodyNetwork.read("melody-compose")


def window(seed: int) -> Melody:
    return tune(seed).window(0, 2)


class TestVary:
    def test_neighbours_are_different_and_further_away_with_the_amount(self, shipped):
        changed = []
        for amount in (0.15, 0.5, 1.0):
            found = vary(shipped, window(1), 8, amount, draws=seeded())
            assert len({melody.notes for melody in found}) == 8
            changed.append(np.mean([steps_changed(shipped, melody, window(1)) for melody in found]))
        assert changed == sorted(changed)
        assert changed[0] < 0.5 * changed[-1]

    def test_amount_0_is_the_reconstruction(self, shipped):
        assert [m.notes for m in vary(shipped, window(1), 2, 0.0)] == [
            reconstruct(shipped, window(1), 0.0, Draws()).notes
        ]

    def test_tempo_and_instrument_stay_and_seeds_repeat(self, shipped):
        melody = Melody(window(1).notes, 32, quarters_per_minute=70.0, program=11)
        found = vary(shipped, melody, 3, draws=seeded(4))
        assert {(m.quarters_per_minute, m.program) for m in found} == {(70.0, 11)}
        assert found == vary(shipped, melody, 3, draws=seeded(4))

    def test_what_is_refused_is_drawn_again_and_not_replaced_by_the_window(self, shipped):
        seen = []

        def is_refused(rows):
            seen.extend(rows)
            return rows.sum(axis=1) % 2 == 0

        found = vary(shipped, window(1), 4, 0.5, draws=seeded(), is_refused=is_refused)
        assert len({melody.notes for melody in found}) == 4
        assert len(seen) > 4
        assert vary(shipped, window(1), 2, 0.0, is_refused=lambda rows: np.ones(len(rows), bool)) == []

    def test_novel_neighbours_are_as_many_as_there_are_and_all_different(self, monkeypatch):
        vae = MelodyVAE.from_pretrained("melody-2bar")
        index = NoveltyIndex.of(np.stack([vae.model.vocabulary.encode(window(1))]), 4)
        monkeypatch.setattr("melodyvae.verbs.vary.index_of", lambda _: index)
        vae.__dict__["novelty"] = index
        near = vae.vary(window(1), 8, amount=0.05, seed=1)
        assert any("a larger amount goes further away" in sentence for sentence in near.sentences)
        found = vae.vary(window(1), 8, amount=0.4, novel=True, seed=1)
        rows = np.stack([vae.model.vocabulary.encode(melody) for melody in found])
        assert not index.is_near_copy(rows).any()
        assert len(np.unique(rows, axis=0)) == len(rows) == 8
        with pytest.raises(NoveltyError, match=r"at amount 0 only near-copies .* larger amount"):
            vae.vary(window(1), 8, amount=0.0, novel=True)

    def test_by_default_eight_tunes_are_heard_as_eight(self, shipped):
        changed = []
        for seed in range(6):
            found = vary(shipped, window(seed), 8, draws=seeded(seed))
            assert len({melody.notes for melody in found}) == 8
            changed += [steps_changed(shipped, melody, window(seed)) for melody in found]
        assert np.median(changed) >= 6

    @pytest.mark.parametrize(("count", "amount", "message"), [(0, 0.3, "count is 0"), (2, 1.1, "amount is 1.1")])
    def test_numbers_out_of_range_are_refused(self, shipped, count, amount, message):
        with pytest.raises(ValueError, match=message):
            MelodyVAE(shipped).vary(legato(), count, amount=amount)


class TestGrid:
    def test_the_corners_are_the_four_tunes(self):
        corners = [legato(pitch=pitch) for pitch in (55, 60, 65, 70)]
        rows = grid(RememberingModel(), corners, 4)
        assert [len(row) for row in rows] == [4] * 4
        found = [rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]]
        assert [melody.notes for melody in found] == [corner.notes for corner in corners]

    def test_edges_are_walks_between_their_corners(self):
        corners = [legato(pitch=pitch) for pitch in (50, 60, 70, 80)]
        rows = grid(RememberingModel(), corners, 5)
        firsts = [[melody.notes[0].pitch for melody in row] for row in rows]
        assert all(row == sorted(row) for row in firsts)
        assert [row[0] for row in firsts] == sorted(row[0] for row in firsts)

    def test_four_corners_are_needed(self, shipped):
        with pytest.raises(ValueError, match="a grid has 4 corners: give it 4 sources, not 3"):
            MelodyVAE(shipped).grid([legato()] * 3)


class TestArithmetic:
    def test_a_minus_b_plus_b_is_a(self):
        a, b = legato(pitch=60), legato(pitch=70)
        assert arithmetic(RememberingModel(), [a, b, b], [1, -1, 1]).notes == a.notes

    def test_signs_and_sources_must_be_as_many(self, shipped):
        with pytest.raises(ValueError, match="it must be 1 or -1 for each of the 2 sources"):
            MelodyVAE(shipped).arithmetic([legato()] * 2, [1])


class TestComplete:
    @pytest.mark.parametrize("hidden", [[0], [1], [2, 3], [1, 5], [8, 9]])
    def test_visible_bars_are_untouched_and_hidden_ones_are_written(self, hears, hidden):
        melody = Melody.join([tune(3, bars=4), tune(3, bars=4)])
        found = complete(hears, melody, hidden, 2, draws=seeded())
        bars = max(8, hidden[-1] + 1)
        assert [m.bars for m in found] == [bars, bars]
        for completed in found:
            for bar in set(range(8)) - set(hidden):
                assert completed.window(bar, 1).notes == melody.window(bar, 1).notes
            assert any(completed.window(bar, 1).notes for bar in hidden)

    def test_notes_held_over_visible_bar_lines_stay_held(self, hears):
        melody = Melody((MelodyNote(0, 24, 60), MelodyNote(24, 32, 62), MelodyNote(32, 64, 64)), 64)
        (found,) = complete(hears, melody, [2], draws=seeded())
        assert found.notes[:2] == melody.notes[:2]

    def test_a_hidden_bar_of_a_tune_that_repeats_is_guessed_better_than_by_silence_or_by_a_note_on_every_step(
        self, hears
    ):
        first, last = (
            Melody(tuple(MelodyNote(4 * i, 4 * i + 4, p) for i, p in enumerate(pitches)), 16)
            for pitches in ((60, 62, 64, 60), (64, 65, 67, 67))
        )
        melody = Melody.join([first, first, last, last])
        found = complete(hears, melody, [1], 8, draws=seeded())
        *guesses, wanted = (hears.vocabulary.encode(m.window(1, 1)) >= FIRST_NOTE_ON for m in (*found, melody))

        def f1(onsets):
            return 2 * (onsets & wanted).sum() / (onsets.sum() + wanted.sum())

        assert np.mean([f1(guess) for guess in guesses]) > max(f1(np.zeros(16, bool)), f1(np.ones(16, bool)))

    @pytest.mark.parametrize(
        ("melody", "hidden", "message"),
        [
            (legato(4), [], "no bar is hidden"),
            (legato(2), [0, 1], "no visible bar has a note"),
            (legato(2), [-1], "no bar is hidden"),
        ],
    )
    def test_nothing_to_do_or_to_go_by_is_refused(self, melody, hidden, message):
        with pytest.raises(InpaintingError, match=message):
            complete(MelodyModel().network(), melody, hidden)


class TestScore:
    def test_a_planted_wrong_note_is_the_most_doubtful(self, shipped, hears):
        notes = [MelodyNote(4 * i, 4 * i + 4, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 65, 64, 62))]
        clean = score(shipped, Melody(tuple(notes), 32), hears)[0].notes[0]
        notes[4] = notes[4]._replace(pitch=66)
        (found,) = score(shipped, Melody(tuple(notes), 32), hears)
        assert (found.notes[0].bar, found.notes[0].beat, found.notes[0].note.pitch) == (2, 1.0, 66)
        assert found.notes[0].nats > max(clean.nats, found.notes[1].nats)

    def test_windows_a_bar_apart_and_those_without_notes_left_out(self, shipped):
        melody = Melody(tune(1, bars=3).notes, 16 * 8)
        assert [found.first_bar for found in score(shipped, melody)] == [1, 2, 3]
        assert score(shipped, Melody((), 64)) == []

    def test_percentiles_are_those_among_the_held_out_windows(self):
        model = MelodyNetwork.read("melody-2bar")
        held_out = random_windows(300)
        model.extras = fit_quantiles(model, held_out)
        per_step = negative_elbo(model, held_out) / 32
        rows = random_windows(12, seed=77)
        for row, nats in zip(rows, negative_elbo(model, rows) / 32, strict=True):
            melody = model.vocabulary.decode(row)
            (found,) = score(model, melody)
            assert found.nats_per_step == pytest.approx(nats, rel=1e-4)
            assert found.percentile == pytest.approx(100 * (per_step < nats).mean(), abs=2.5)
        model.extras = {}
        assert score(model, model.vocabulary.decode(rows[0]))[0].percentile is None

    def test_a_training_keeps_the_quantiles_of_its_held_out_windows(self, run_folder):
        quantiles = MelodyNetwork.read(run_folder).extras[QUANTILES]
        assert quantiles.shape == (101,)
        assert (np.diff(quantiles) >= 0).all()


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 1.0]))
def test_whatever_a_latent_decodes_to_is_read_again_with_the_same_tokens(tmp_path_factory, seed, temperature):
    model = MelodyNetwork.read("melody-2bar")
    folder = tmp_path_factory.mktemp("closed")
    melodies = MelodyVAE(model).sample(3, temperature=temperature, seed=seed)
    melodies = [melody for melody in melodies if melody.notes]
    if not melodies:
        return
    for melody in melodies:
        melody.write(folder / "one.mid")
        again = Melody.from_midi(folder / "one.mid")
        assert (model.vocabulary.encode(again) == model.vocabulary.encode(melody)).all()
    write_in_a_row([Roll(melody) for melody in melodies], folder / "row.mid")
    row = model.vocabulary.encode(Melody.from_midi(folder / "row.mid"))
    assert (row == model.vocabulary.encode(Melody.join(melodies))).all()


class TestCommands:
    @pytest.fixture
    def tunes(self, tmp_path):
        paths = []
        for seed in range(4):
            paths.append(str(tmp_path / f"tune-{seed}.mid"))
            tune(seed, bars=4).write(paths[-1])
        return paths

    def test_vary(self, tunes, run_folder, tmp_path):
        out = tmp_path / "v"
        output = run("vary", tunes[0], "-n", "3", "-o", out, "--model", run_folder, "--temperature", "1")
        assert "sixteenths that differ from the tune (of 32): " in output
        assert "most similar training melody" in output
        assert Melody.from_midi(out / "all.mid").bars == 8  # the tune and three more
        assert "not in the range" in run("vary", tunes[0], "--amount", "2", status=2)

    def test_grid(self, tunes, tmp_path):
        out = tmp_path / "g"
        output = run("grid", *tunes, "-n", "2", "-o", out)
        assert sorted(path.name for path in out.glob("row*")) == [
            f"row-{row}-column-{column}.mid" for row in (1, 2) for column in (1, 2)
        ]
        assert "D reconstructed: " in output
        assert "tunes are distinct" in output
        assert "and not 3 files" in " ".join(run("grid", *tunes[:3], status=2).split())

    def test_arithmetic(self, tunes, tmp_path):
        out = tmp_path / "a"
        run("arithmetic", tunes[0], "-", tunes[1], "+", tunes[2], "-o", out)
        assert Melody.from_midi(out / "result.mid").bars == 2
        assert Melody.from_midi(out / "all.mid").bars == 8
        for terms in ([tunes[0]], [tunes[0], "+"], [tunes[0], "*", tunes[1]], tunes[:3]):
            assert "give files with + or - between them" in run("arithmetic", *terms, status=2)
        assert "does not exist" in run("arithmetic", tunes[0], "+", "nowhere.mid", status=2)

    def test_complete(self, tunes, tmp_path):
        out = tmp_path / "c"
        run("complete", tunes[0], "--hide", "2,4", "-n", "2", "-o", out)
        completed, original = Melody.from_midi(sorted(out.glob("02-*"))[0]), Melody.from_midi(tunes[0])
        assert completed.bars == 4
        for bar in (0, 2):
            assert [n[:3] for n in completed.window(bar, 1).notes] == [n[:3] for n in original.window(bar, 1).notes]
        output = run("complete", tunes[0], "--bars", "1", "-n", "1", "-o", tmp_path / "longer")
        assert "1 bar is added after bar 4" in output
        assert Melody.from_midi(tmp_path / "longer" / "all.mid").bars == 5

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], "give either --hide"),
            (["--hide", "1", "--bars", "1"], "give either --hide"),
            (["--hide", "two"], "give bars such as 3"),
            (["--hide", "3-2"], "give them from the lower to the higher"),
            (["--hide", "1-3000000000"], "at most 10000 at a time"),
        ],
    )
    def test_complete_refuses_what_it_cannot_read(self, tunes, options, message):
        assert message in run("complete", tunes[0], *options, status=2)

    def test_all_bars_hidden_is_said(self, tunes, tmp_path):
        assert "there is no bar 5: the piece has bars 1 to 4" in run("complete", tunes[0], "--hide", "3-9", status=1)
        assert "nothing to go by" in run("complete", tunes[0], "--hide", "1-4", "-o", tmp_path / "o", status=1)

    def test_score(self, tunes, run_folder):
        output = run("score", *tunes[:2], "--model", run_folder)
        assert re.search(r"from bar +1: more unusual than +\d+ of 100 passages", output)
        assert output.count("from bar") == 6

    def test_score_of_a_long_tune_is_a_summary_unless_all_is_asked_for(self, run_folder, tmp_path):
        tune(0, bars=20).write(tmp_path / "long.mid")
        output = run("score", tmp_path / "long.mid", "--model", run_folder)
        assert "19 passages, from bar 1 to 19; the median is more unusual than" in output
        assert output.count("  from bar") == 5
        assert run("score", tmp_path / "long.mid", "--model", run_folder, "--all").count("  from bar") == 19


class TestCompleteInKey:
    def test_new_bars_keep_to_the_scale_and_the_range_of_those_around(self, hears):
        pitches = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60, 60] * 2
        notes = tuple(MelodyNote(4 * index, 4 * index + 4, pitch) for index, pitch in enumerate(pitches))
        melody = Melody(notes, 128)
        told = []
        found = complete(hears, melody, [3, 4], 4, draws=seeded(), progress=lambda *done: told.append(done))
        new = [note.pitch for tune in found for bar in (3, 4) for note in tune.window(bar, 1).notes]
        assert len(new) > 8
        assert {pitch % 12 for pitch in new} <= {0, 2, 4, 5, 7, 9, 11}
        assert 60 <= min(new) <= max(new) <= 72
        assert told == [(2, 2)]
        assert len({tune.window(3, 2).notes for tune in found}) == 4
        moved = complete(hears, melody, [3], 1, draws=seeded(), scale=Scale.parse("C:minor-pentatonic"))
        assert {note.pitch % 12 for note in moved[0].window(3, 1).notes} <= {0, 3, 5, 7, 10}

    def test_it_works_from_the_first_note_to_the_last(self, shipped):
        notes = tuple(MelodyNote(64 + 4 * index, 68 + 4 * index, 60 + index % 3) for index in range(16))
        source = Melody(notes, 64 + 64 + 160)
        found = MelodyVAE(shipped).complete(source, hide=[6], extend=2)
        assert found.original.bars == 8
        assert found[0].bars == 10
        assert found.hidden == (6, 9, 10)  # bars are counted as in the piece
        assert found[0].window(4, 1).notes == source.window(4, 1).notes
        assert found[0].window(5, 1).notes != source.window(5, 1).notes
        assert found.decisions == (BarsAdded(2, after_bar=8),)
        with pytest.raises(InpaintingError, match="there is no bar 19: the piece has bars 1 to 18"):
            MelodyVAE(shipped).complete(source, hide=[19])

    def test_bars_are_those_of_the_file_where_its_bars_are_made_up(self, shipped):
        """A pickup is bar 1, and bars of 2/4 are those of the file."""
        short = [Section(Meter(0.0, 1, 4), 1, 0.0), Section(Meter(1.0, 4, 4), 3, 0.0)]
        melody = tune(3, bars=4)
        read = replace(ReadMelody.of(melody), layout=lay_out(short, (4, 4), 4))
        found = MelodyVAE(shipped).complete(read, hide=[2], extend=1, seed=1)
        assert found.hidden == (2, 5)
        assert found.decisions == (BarsAdded(1, after_bar=4),)
        halves = replace(melody, meter=(2, 4))
        found = MelodyVAE(shipped).complete(halves, hide=[3], seed=1)
        assert found.hidden == (3,)
        with pytest.raises(InpaintingError, match="the piece has bars 1 to 8"):
            MelodyVAE(shipped).complete(halves, hide=[9])
