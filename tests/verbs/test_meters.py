"""A model takes tunes in every meter that its bars have room for, and tunes of several meters in one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pretty_midi
import pytest

from melodyvae.config import ConfigError, MelodyConfig
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.options import OptionError
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.codec import decode_tokens, exact_latents
from melodyvae.verbs.meters import common_meter, model_for_windows
from melodyvae.verbs.novelty import NoveltyIndex, find_index, index_of
from melodyvae.verbs.scoring import negative_elbo
from melodyvae.verbs.sources import read_source

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def tune(meter: tuple[int, int], bars: int = 4, seed: int = 0, grid: int = 2) -> Melody:
    """A line in C major, in eighths, whose bars are all full."""
    degrees = np.random.default_rng(seed).integers(0, len(SCALE), 16 * bars * meter[0] // meter[1] // grid)
    notes = tuple(MelodyNote(grid * i, grid * i + grid, 60 + SCALE[degree]) for i, degree in enumerate(degrees))
    return Melody(notes, grid * len(notes), meter=meter)


@pytest.fixture(scope="module")
def vae() -> MelodyVAE:
    return MelodyVAE.from_pretrained("melody-2bar")


@pytest.mark.parametrize(
    ("meter", "bars"), [((3, 4), 2), ((6, 8), 2), ((2, 4), 2), ((9, 8), 1), ((12, 8), 1), ((5, 4), 1), ((3, 2), 1)]
)
def test_tunes_of_every_meter_come_back_exactly_in_their_own_bars(vae, meter, bars):
    original = tune(meter, bars=2 * bars)
    found = vae.reconstruct(original)
    assert found.exact == (True,)
    assert (found.melody.meter, found.melody.notes) == (meter, original.notes)
    window = original.window(0, bars)
    assert vae.decode(vae.encode(window, exact=True), meter="{}/{}".format(*meter)) == window


def test_nothing_is_written_where_the_bar_has_no_place(vae):
    model = vae.model.in_meter((3, 4))
    z = model.prior(20).sample(Draws(0))
    rows = decode_tokens(model, z, 1.0, Draws(1))
    assert rows.shape == (20, 24)
    assert Vocabulary().is_legal(rows).all()
    written = model.decoder.roll_out(z, model.choice(1.0, Draws(1)))
    assert not written.reshape(-1, 16)[:, 12:].any()
    assert np.array_equal(written.reshape(20, 2, 16)[..., :12].reshape(20, 24), rows)


def test_rules_of_each_step_are_laid_with_the_steps(vae):
    model = vae.model.in_meter((3, 4))
    allowed = np.zeros((1, 24, model.vocabulary.size), bool)
    allowed[..., 0] = True
    allowed[0, 13] = True  # the second sixteenth of the second bar
    rules = TokenRules(allowed, bonus=np.where(allowed, 50.0, 0.0) * (np.arange(model.vocabulary.size) > 1))
    rows = decode_tokens(model, model.prior(8).sample(Draws(0)), 0.0, rules=rules)
    assert (np.flatnonzero(rows.any(axis=0)) == 13).all()
    assert rows[:, 13].all()


def test_teacher_forced_logits_and_the_refined_latents_are_of_the_places_in_use(vae):
    model = vae.model.in_meter((3, 4))
    rows = np.stack([model.vocabulary.encode(tune((3, 4), 2, seed)) for seed in range(8)]).astype(np.int64)
    z = exact_latents(model, rows)
    assert np.array_equal(decode_tokens(model, z), rows)
    assert model.logits(z, rows).shape == (8, 24, model.vocabulary.size)
    logits, gradient = model.gradient(z, rows)
    assert np.array_equal(logits.argmax(-1), rows)
    assert gradient.shape == z.shape


def test_torch_sees_what_numpy_sees(vae):
    torch = pytest.importorskip("torch")
    view = vae.torch().in_meter((9, 8))
    model = vae.model.in_meter((9, 8))
    rows = np.stack([model.vocabulary.encode(tune((9, 8), 1, seed)) for seed in range(4)]).astype(np.int64)
    with torch.inference_mode():
        posterior = view.encode(torch.from_numpy(rows))
        logits = view.logits(posterior.mean, torch.from_numpy(rows))
    ours = model.encode(rows)
    assert posterior.mean.numpy() == pytest.approx(ours.mean, abs=1e-4)
    assert logits.softmax(-1).numpy() == pytest.approx(_softmax(model.logits(ours.mean, rows)), abs=1e-4)
    assert view.network().config == model.config


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def test_every_verb_keeps_the_meter(vae):
    waltz, other = tune((3, 4)), tune((3, 4), seed=1)
    walk = vae.interpolate(waltz, other, 4)
    assert walk.exact == (True, True)
    square = vae.grid([waltz, other, waltz, other], 2)
    assert square.exact == (True, True, True, True)
    results = [
        walk,
        square,
        vae.arithmetic([waltz, other], [1, 1]),
        vae.vary(waltz, 2, seed=1),
        vae.morph(waltz, 2, density=-1, candidates=6),
        vae.complete(waltz, 2, hide=[2]),
        vae.sample(2, meter="3/4", seed=1),
    ]
    for result in results:
        assert {melody.meter for melody in result} == {(3, 4)}
        assert not any("laid over" in sentence for sentence in result.sentences)
    assert [window.first_bar for window in vae.score(waltz)] == [1, 2, 3]
    assert vae.encode([waltz, tune((4, 4)), tune((9, 8))]).shape == (3, 256)


def test_waltzes_are_not_more_unusual_for_being_in_three(vae):
    """By the steps in use half of Nottingham's waltzes and jigs would be above the 84th percentile."""
    waltz = tune((3, 4), 2)
    model = vae.model.in_meter((3, 4))
    nats = negative_elbo(model, model.vocabulary.encode(waltz)[None])
    (window,) = vae.score(waltz)
    assert window.nats_per_step == pytest.approx(float(nats[0]) / 32)


@pytest.mark.parametrize("meter", [(3, 4), (12, 8)])
def test_the_model_that_composes_writes_and_judges_in_other_meters(meter):
    composer, original = MelodyVAE.from_pretrained("melody-compose"), tune(meter, 8)
    steps = original.steps_per_bar
    for result in (composer.complete(original, 2, hide=[5]), composer.continue_(original, 2, bars=2)):
        for melody in result:
            assert melody.meter == meter
            assert melody.window(0, 4).notes == original.window(0, 4).notes
            assert melody.length_steps % steps == 0
    assert composer.complete(original, 1, hide=[5])[0].window(5, 3).notes == original.window(5, 3).notes
    name = "{}/{}".format(*meter)
    assert [(one.meter, one.bars) for one in composer.sample(2, meter=name, bars=4, seed=1)] == [(meter, 4)] * 2


def test_a_wrong_note_in_a_waltz_is_found_by_the_model_that_hears_the_tune(vae):
    theme = tune((3, 4), 4, seed=3, grid=4)
    whole = replace(Melody.join([theme, theme, theme]), steps_per_quarter=4)
    place = 17  # in the second theme's second bar
    wrong = whole.notes[place]._replace(pitch=whole.notes[place].pitch + 1)
    found = vae.score(replace(whole, notes=(*whole.notes[:place], wrong, *whole.notes[place + 1 :])))
    assert found.judge == "melody-compose"
    assert (6, wrong.pitch) in [(note.bar, note.note.pitch) for note in found.doubtful]


@pytest.mark.parametrize(
    ("meters", "common"),
    [
        ([], (4, 4)),
        ([(3, 4), (4, 4)], (3, 4)),
        ([(4, 4), (3, 4)], (4, 4)),
        ([(12, 8), (4, 4)], (4, 4)),
        ([(4, 4), (6, 8)], (4, 4)),
        ([(6, 8), (2, 4)], (4, 4)),
        ([(6, 8), (3, 4)], (6, 8)),
        ([(12, 8), (6, 8)], (12, 8)),
        ([(12, 8), (3, 4), (4, 4)], (12, 8)),
    ],
)
def test_several_tunes_are_taken_in_the_first_ones_meter_or_where_their_beats_meet(meters, common):
    assert common_meter(meters) == common


def test_a_waltz_walks_to_a_reel_and_back_and_one_sentence_says_how(vae, tmp_path):
    waltz, reel = tune((3, 4)), tune((4, 4), seed=1)
    waltz.write(tmp_path / "waltz.mid")
    reel.write(tmp_path / "reel.mid")
    there = vae.interpolate(tmp_path / "waltz.mid", tmp_path / "reel.mid", 3, first_bar=1, key="none")
    assert there.exact == (True, True)
    assert [melody.meter for melody in there] == [(3, 4)] * 3
    assert [note[:3] for note in there[-1].notes] == [note[:3] for note in reel.notes[:12]]
    said = [sentence for sentence in there.sentences if "laid over" in sentence]
    assert said == ["B is reel.mid: track 1 of 1, in 4/4: bars of 3/4 are laid over it, beat on beat"]
    back = vae.interpolate(reel, waltz, 3)
    assert back.exact == (True, True)
    assert [melody.meter for melody in back] == [(4, 4)] * 3
    assert [sentence for sentence in back.sentences if "laid over" in sentence] == [
        "B is a melody, in 3/4: bars of 4/4 are laid over it, beat on beat"
    ]


def test_beside_a_reel_a_jig_is_a_shuffle_in_either_order(vae):
    jig, reel = tune((6, 8)), tune((4, 4), seed=1)
    for pair in ((jig, reel), (reel, jig)):
        found = vae.interpolate(*pair, 2)
        assert found.exact == (True, True)
        assert {melody.meter for melody in found} == {(4, 4)}
        told = " ".join(found.sentences)
        assert "in 6/8, read as a shuffle: its dotted beats are the beats of 4/4" in told


def test_bars_without_room_get_those_of_the_model_laid_over_them(vae):
    long = tune((9, 4))
    assert read_source(long, vae.config).melody.meter == (4, 4)
    assert "in 9/4: bars of 4/4 are laid over it" in " ".join(vae.reconstruct(long).sentences)
    with pytest.raises(ConfigError, match="the model has no room for bars of 9/4"):
        vae.sample(1, meter="9/4")
    for wrong in ("3:4", "0/4", "4/3", "", (3, 4)):
        with pytest.raises(OptionError, match=re.escape(f"meter is {wrong!r}; it must be such as 4/4")):
            vae.sample(1, meter=wrong)


def test_a_models_own_meter_is_left_as_it_is():
    model = MelodyNetwork.read("melody-2bar")
    rows = np.stack([model.vocabulary.encode(tune((4, 4), 2, seed)) for seed in range(4)]).astype(np.int64)
    for meter in ((4, 4), (2, 2)):
        same = model.in_meter(meter)
        assert same.place is None
        assert np.array_equal(same.encode(rows).mean, model.encode(rows).mean)
    assert replace(model.config.in_meter((2, 2)), meter=(4, 4)) == MelodyConfig()


def test_known_waltzes_are_known_and_new_ones_are_not(vae):
    """The index has the training windows of bars in threes as they are laid: 6 of 8 beats can differ."""
    rows = np.stack([vae.model.vocabulary.encode(tune((3, 4), 2, seed, grid=1)) for seed in range(20)])
    model = vae.model.in_meter((3, 4))
    index = replace(NoveltyIndex.of(model.laid(rows[:10]), 4), place=model.place)
    assert index.comparable_beats(24) == 6
    assert index.copied_beats(24) == 5
    assert index.beats_alike(rows[:10]).tolist() == [6] * 10
    assert index.is_near_copy(rows).tolist() == [True] * 10 + [False] * 10
    longer = np.concatenate([rows[10:], rows[:10]], axis=1)
    assert index.beats_alike(longer).tolist() == [6] * 10
    shipped = index_of(model)
    assert shipped.comparable_beats(24) == 6
    own = find_index(vae.model)
    assert own is not None
    assert own.place is None


def test_windows_are_measured_by_the_shipped_model_that_takes_them():
    assert model_for_windows(2, (3, 4)) == "melody-2bar"
    assert model_for_windows(16, (4, 4)) == "melody-16bar"
    assert model_for_windows(5, (4, 4)) == "melody-2bar"  # which says that it has two bars


def test_lost_notes_are_counted_and_never_called_exact(tmp_path):
    """Thirty-seconds in a row: half of them are between the places of the grid."""
    run = [(i / 8, (i + 1) / 8, 60 + i) for i in range(4)] + [(i / 2, i / 2 + 0.5, 67 - i % 3) for i in range(1, 16)]
    smf = pretty_midi.PrettyMIDI(initial_tempo=60)
    smf.instruments.append(pretty_midi.Instrument(0))
    smf.instruments[0].notes = [pretty_midi.Note(80, pitch, start, end) for start, end, pitch in run]
    smf.write(str(tmp_path / "run.mid"))
    found = MelodyVAE.from_pretrained("melody-2bar").interpolate(tmp_path / "run.mid", tmp_path / "run.mid", 2)
    assert found.exact == (True, True)
    assert [source.lost_bars for source in found.sources] == [(1, 1), (1, 1)]
    said = found.sentences
    assert "2 of 19 notes of A are lost: too short, or between the places of the grid (bar 1)" in said
    assert "B reconstructed: as it is on the grid, where 2 of its 19 notes are lost" in said
    assert "exact" not in " ".join(said)
