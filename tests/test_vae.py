"""The verbs of MelodyVAE as methods: what they take, what they return, and what the results say."""

import base64
import io
import itertools
import json
import re
import wave
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import get_overloads, get_type_hints

import numpy as np
import pretty_midi
import pytest
import torch

import melodyvae
from melodyvae import vae as vae_module
from melodyvae.models.melody import MelodyModel
from melodyvae.music.keys import key_of
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import TokenError
from melodyvae.options import OptionError
from melodyvae.presets import PRESETS
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.facts import NewSeed
from melodyvae.verbs.hidden_bars import InpaintingError
from melodyvae.verbs.results import Result
from melodyvae.verbs.sources import WindowError
from melodyvae.writing.notebook import audio_uri, sheet_html
from melodyvae.writing.sheet import Roll, Sheet
from tests.conftest import tune

TUNES = Path(__file__).parent.parent / "examples" / "tunes"


@pytest.fixture(scope="module")
def vae():
    return MelodyVAE.from_pretrained("melody-2bar")


def window(seed: int) -> Melody:
    return tune(seed).window(0, 2)


class TestEncodeAndDecode:
    def test_all_kinds_of_one_window_have_one_vector(self, vae, tmp_path):
        melody = window(1)
        melody.write(tmp_path / "one.mid")
        tokens = vae.model.vocabulary.encode(melody)
        sources = [
            *(tmp_path / "one.mid", str(tmp_path / "one.mid"), pretty_midi.PrettyMIDI(str(tmp_path / "one.mid"))),
            *(melody, tokens, torch.from_numpy(tokens).long()),
        ]
        vectors = [vae.encode(source) for source in sources]
        assert [vector.shape for vector in vectors] == [(vae.config.latent_size,)] * 6
        for vector in vectors:
            np.testing.assert_allclose(vector, vectors[0], atol=1e-5)
        np.testing.assert_allclose(vae.encode(sources), np.stack(vectors), atol=1e-5)

    def test_several_windows_are_a_matrix_in_their_order(self, vae):
        a, b = window(1), window(2)
        tokens = np.stack([vae.model.vocabulary.encode(melody) for melody in (a, b)])
        np.testing.assert_allclose(vae.encode(tokens), np.stack([vae.encode(a), vae.encode(b)]), atol=1e-5)
        assert vae.encode([a]).shape == (1, vae.config.latent_size)

    def test_exact_vectors_come_back(self, vae):
        melodies = [window(seed) for seed in range(6)]
        back = vae.decode(vae.encode(melodies, exact=True))
        assert sum(b.notes == a.notes for a, b in zip(melodies, back, strict=True)) >= 5

    def test_one_vector_is_one_melody_and_several_are_several(self, vae):
        z = vae.encode([window(1), window(2)])
        one = vae.decode(z[0], tempo=90.0, program=11)
        assert isinstance(one, Melody)
        assert (one.quarters_per_minute, one.program) == (90.0, 11)
        for several in (z, torch.from_numpy(z), list(z), [torch.from_numpy(row) for row in z]):
            assert vae.decode(several)[0].notes == one.notes
            assert len(vae.decode(several)) == 2

    @pytest.mark.parametrize(
        ("tokens", "message"),
        [
            (np.zeros(31, np.uint8), "a window has 32 steps"),
            (np.full(32, 200, np.uint8), "200"),
            (np.ones((2, 32), np.uint8), "note off"),
            (np.zeros((1, 1, 32), np.uint8), "a window has 32 steps"),
        ],
    )
    def test_token_ids_that_are_no_window_are_refused(self, vae, tokens, message):
        with pytest.raises(TokenError, match=message):
            vae.encode(tokens)

    def test_vectors_of_another_size_are_refused(self, vae):
        with pytest.raises(ValueError, match=r"z has shape \(3,\)"):
            vae.decode(np.zeros(3))


class TestSeeds:
    def test_a_seed_repeats(self, vae):
        assert vae.sample(2, seed=5) == vae.sample(2, seed=5)
        assert vae.vary(window(1), 2, seed=3) != vae.vary(window(1), 2, seed=4)

    def test_without_a_seed_samples_are_new_and_their_seed_is_told(self, vae):
        first, second = vae.sample(2), vae.sample(2)
        assert first.seed != second.seed
        assert list(vae.sample(2, seed=first.seed)) == list(first)
        assert first.decisions[0] == NewSeed(first.seed)


def write_shuffle(path):
    """Four bars of a shuffle with loud beats and soft second eighths."""
    shuffle = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=480)
    lead = pretty_midi.Instrument(0, name="lead")
    times = [beat + swung for beat in range(16) for swung in (0, 2 / 3)] + [16]
    for index, (start, end) in enumerate(itertools.pairwise(times)):
        lead.notes.append(pretty_midi.Note(110 if start % 1 == 0 else 50, 60 + 2 * (index % 5), start / 2, end / 2))
    shuffle.instruments.append(lead)
    shuffle.write(str(path))


class TestVerbs:
    def test_interpolate_says_what_the_command_says(self, vae):
        a, b = tune(1, name="first"), tune(2)
        found = vae.interpolate(a, b, 3, first_bar=(3, 1), key="none")
        assert len(found) == len(found.melodies) == 3
        assert found.exact == (True, True)
        assert [note[:3] for note in found[0].notes] == [note[:3] for note in a.window(2, 2).notes]
        assert "A is taken from bars 3 to 4" in found.sentences
        assert "A reconstructed: exact on the grid" in found.sentences
        assert len(found.distances) == 2
        assert found.key_shifts == (0, 0, 0)
        assert list(found[1:]) == [found[1], found[2]]

    def test_files_are_named_after_the_key_of_the_piece_and_not_of_two_bars(self, vae):
        found = vae.interpolate(TUNES / "twinkle.mid", TUNES / "ode-to-joy.mid", 2, key="D")
        assert found.names == ["01-of-2_D_100bpm.mid", "02-of-2_D_100bpm.mid"]
        alone = vae.interpolate(TUNES / "twinkle.mid", tune(2).transpose(1), 2, key="none", tempo=92.5)
        assert [name.split("_")[2] for name in alone.names] == ["92.5bpm.mid"] * 2
        assert alone.names[0].split("_")[1] == "C"
        assert alone.names[1].split("_")[1] == key_of(tune(2).transpose(1)).short
        varied = vae.vary(TUNES / "twinkle.mid", 2, scale="Eb:major")
        assert varied.names == ["01-of-2_Eb_100bpm.mid", "02-of-2_Eb_100bpm.mid"]

    def test_one_value_is_for_all_sources_and_a_tuple_has_one_for_each(self, vae):
        both = vae.interpolate(tune(1), tune(2), 2, first_bar=3)
        assert [source.window.first_bar for source in both.sources] == [3, 3]
        with pytest.raises(ValueError, match="first_bar has 3 values for 2 sources"):
            vae.interpolate(tune(1), tune(2), 2, first_bar=(1, 2, 3))

    def test_an_unknown_keyword_is_an_error(self, vae):
        with pytest.raises(TypeError, match="spacings"):
            vae.interpolate(tune(1), tune(2), spacings="even")

    def test_keep_accompaniment_gives_each_melody_the_other_tracks(self, vae, tmp_path):
        band = tune(1).to_pretty_midi()
        bass = pretty_midi.Instrument(33, name="bass")
        bass.notes = [pretty_midi.Note(80, 40, start / 2, start / 2 + 0.4) for start in range(20)]
        band.instruments.append(bass)
        band.write(str(tmp_path / "band.mid"))
        found = vae.interpolate(tmp_path / "band.mid", tune(2), 2, keep_accompaniment=True)
        assert [len(backing) for backing in found.backings] == [1, 1]
        found.write(tmp_path / "out")
        assert len(pretty_midi.PrettyMIDI(str(tmp_path / "out" / found.names[0])).instruments) == 2

    def test_what_is_written_has_the_swing_and_loudness_of_its_source_or_what_is_asked_for(self, vae, tmp_path):
        write_shuffle(tmp_path / "shuffle.mid")
        found = vae.interpolate(tmp_path / "shuffle.mid", tune(2), 2, first_bar=(1, None))
        assert "its swing of 0.67 is laid straight" in found.sentences[0]

        def eighths(feel):
            found.write(tmp_path / feel, feel=feel)
            notes = pretty_midi.PrettyMIDI(str(tmp_path / feel / found.names[0])).instruments[0].notes
            return [round(2 * note.start % 1, 2) for note in notes[:4]], [note.velocity for note in notes[:4]]

        assert eighths("keep") == ([0, 0.67, 0, 0.67], [110, 50, 110, 50])
        assert eighths("straight") == ([0, 0.5, 0, 0.5], [110, 50, 110, 50])
        assert eighths("swing=0.6") == ([0, 0.6, 0, 0.6], [110, 50, 110, 50])
        assert vae.sample(1, seed=0).sheet.played("swing=0.6").rolls[0].feel.swing == 0.6

    def test_the_last_tune_of_a_walk_has_the_feel_of_b_and_the_page_plays_what_the_files_do(self, vae, tmp_path):
        write_shuffle(tmp_path / "shuffle.mid")
        tune(2).write(tmp_path / "straight.mid")
        found = vae.interpolate(tmp_path / "straight.mid", tmp_path / "shuffle.mid", 3, first_bar=(None, 1))
        found.write(tmp_path / "out")
        files = [
            pretty_midi.PrettyMIDI(str(tmp_path / "out" / name)).instruments[0].notes
            for name in [*found.names, "all.mid"]
        ]
        beat = 60 / found[2].quarters_per_minute
        assert [round(note.start / beat % 1, 2) for note in files[2][:4]] == [0, 0.67, 0, 0.67]
        assert [note.velocity for note in files[2][:4]] == [110, 50, 110, 50]
        assert {note.velocity for note in files[0]} == {80}
        assert [roll.feel.swing for roll in found.sheet.written] == pytest.approx([0.5, 0.583, 0.667], abs=0.001)
        text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
        tunes = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
        lengths = [0, *itertools.accumulate(one["seconds"] for one in tunes)]
        in_a_row = []
        for one, notes, length in zip(tunes, files[:3], lengths, strict=False):
            wanted = [[note.start, note.end, note.pitch, note.velocity] for note in notes]
            assert np.allclose(one["notes"], wanted, atol=0.002)
            in_a_row += [[start + length, end + length, *rest] for start, end, *rest in one["notes"]]
        joined = [[note.start, note.end, note.pitch, note.velocity] for note in files[3]]
        assert np.allclose(in_a_row, joined, atol=0.003)

    def test_vary(self, vae):
        found = vae.vary(tune(1), 3, amount=0.3, first_bar=2)
        assert found.original.notes == tune(1).window(1, 2).notes
        assert len(found.steps_changed) == 3
        assert 0 < min(found.steps_changed) <= max(found.steps_changed) < 32
        assert all(0 <= beats <= 8 for beats in found.beats_known)

    def test_vary_draws_near_copies_again(self, vae):
        found = vae.vary(tune(1), 2, amount=1.0, novel=True)
        assert found.near_copies == 0

    def test_morph(self, vae):
        found = vae.morph(TUNES / "ode-to-joy.mid", 3, density=1.0, candidates=24)
        tune_has, before, after, asked = found.measures["density"]
        assert tune_has == pytest.approx(len(found.original) / 2)
        assert before < after
        assert asked > before
        assert found.measures["range"][3] is None

    def test_grid(self, vae):
        found = vae.grid([tune(seed) for seed in range(4)], 3, first_bar=(1, 2, 3, 4))
        assert len(found) == 9
        assert [found.rows[0][0], found.rows[-1][-1]] == [found[0], found[-1]]
        assert found.names[5] == "row-2-column-3.mid"
        assert [source.window.first_bar for source in found.sources] == [1, 2, 3, 4]
        assert sum(found.exact) >= 3

    def test_arithmetic(self, vae):
        found = vae.arithmetic([window(1), window(2), window(2)], [1, -1, 1])
        assert found.melody.notes == vae.reconstruct(window(1)).melody.notes

    def test_complete_counts_bars_from_one(self, vae):
        melody = tune(3, bars=4)
        (found,) = filled = vae.complete(melody, 1, hide=[2], seed=1)
        assert filled.hidden == (2,)
        for bar in (0, 2, 3):
            assert found.window(bar, 1).notes == melody.window(bar, 1).notes
        assert found.window(1, 1).notes != melody.window(1, 1).notes
        with pytest.raises(InpaintingError, match="no bar 5: the piece has bars 1 to 4"):
            vae.complete(melody, hide=[5])
        with pytest.raises(OptionError, match=r"hide is \[0\]; it must be bars from 1"):
            vae.complete(melody, hide=[0])

    def test_complete_adds_bars(self, vae):
        found = vae.complete(tune(3, bars=3), extend=2)
        assert (found[0].bars, found.hidden) == (5, (4, 5))
        assert "2 bars are added after bar 3, the last with a note" in found.sentences

    def test_reconstruct_takes_one_or_many(self, vae):
        one, many = vae.reconstruct(tune(1)), vae.reconstruct([tune(1), tune(2, bars=3)])
        assert one.melody == many[0]
        assert [melody.bars for melody in many] == [8, 3]
        assert len(many.exact) == len(many.steps_right) == 2

    def test_score_counts_the_bars_of_the_piece(self, vae):
        found = vae.score(tune(1, bars=4))
        assert [scored.first_bar for scored in found] == [1, 2, 3]
        assert {note.bar for scored in found for note in scored.notes} <= {1, 2, 3, 4}
        assert any("more unusual than" in sentence for sentence in found.sentences)

    def test_errors_name_the_source(self, vae, tmp_path):
        tune(1).write(tmp_path / "mine.mid")
        with pytest.raises(WindowError, match=r"mine\.mid: there is no bar 99"):
            vae.vary(tmp_path / "mine.mid", first_bar=99)


class TestNotebook:
    def test_a_melody_is_a_roll_and_a_player_without_scripts(self):
        melody = tune(1, name="<b>&")
        html = melody._repr_html_()
        root = ElementTree.fromstring(html)  # well-formed
        kinds = [element.tag.split("}")[-1] for element in root.iter()]
        assert kinds.count("svg") == kinds.count("audio") == 1
        assert "script" not in kinds
        assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
        (notes,) = [element for element in root.iter() if element.get("class") == "note"]
        assert notes.get("d", "").count("M") == len(melody.notes)

    def test_the_sound_is_as_long_as_the_bars_and_is_heard(self):
        melody = Melody(window(1).notes, 32, quarters_per_minute=120.0)
        content = base64.b64decode(audio_uri(melody).removeprefix("data:audio/wav;base64,"))
        with wave.open(io.BytesIO(content)) as file:
            assert file.getnframes() / file.getframerate() == pytest.approx(4.0, abs=0.01)
            samples = np.frombuffer(file.readframes(file.getnframes()), np.uint8)
        assert samples.max() > 200
        assert abs(samples.mean() - 128) < 3

    def test_a_result_shows_each_of_its_melodies_and_says_what_was_decided(self, vae):
        found = vae.interpolate(tune(1), tune(2), 3)
        html = found._repr_html_()
        assert html.count("<svg") == html.count("<audio") == 3
        assert "A reconstructed: exact" in html
        assert len(html) < 500_000
        assert repr(found) == "<Interpolation of 3 melodies, seed 0>"

    def test_of_many_melodies_some_are_shown_and_the_rest_counted(self):
        html = sheet_html(Sheet("forty", tuple(Roll(Melody((), 16), str(index)) for index in range(40))))
        assert html.count("<svg") == 32
        assert "and 8 more" in html


def test_a_result_is_written_whole_and_never_over_its_source(vae, tmp_path):
    tune(1).write(tmp_path / "all.mid")
    found = vae.vary(tmp_path / "all.mid", 2)
    written = found.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(written)
    assert {*found.names, "all.mid", "piano-rolls.png"} <= set(written)
    assert len(set(found.names)) == 2
    with pytest.raises(FileExistsError, match="already holds "):
        found.write(tmp_path / "out")
    found.write(tmp_path / "out", replace=True)
    with pytest.raises(FileExistsError, match="an input, which is not replaced"):
        found.write(tmp_path, replace=True)


def test_the_package_shows_what_there_is():
    assert {"Melody", "MelodyVAE", "list_models"} <= set(dir(melodyvae))
    assert "melody-2bar" in melodyvae.list_models()
    for name in melodyvae.list_models():
        assert MelodyVAE.from_pretrained(name).config.bars >= 1


def test_what_a_model_is_can_be_read():
    vae = MelodyVAE.from_pretrained("melody-2bar")
    assert repr(vae) == f"MelodyVAE(melody-2bar, revision {vae.model.revision}: 2 bars of 4/4, z of 256 numbers)"
    waltz = MelodyVAE(MelodyModel(replace(PRESETS["tiny"].model, meter=(3, 4))))
    assert repr(waltz) == f"MelodyVAE(an unsaved model: 2 bars of 3/4, z of {waltz.config.latent_size} numbers)"


def test_types_tell_one_vector_from_several():
    one, several = (get_type_hints(way, vars(vae_module)) for way in get_overloads(MelodyVAE.decode))
    assert (one["return"], several["return"]) == (Melody, Result)
