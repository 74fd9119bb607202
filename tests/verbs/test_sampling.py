"""Generation on models that need no training: a uniform one, and one that remembers everything."""

import numpy as np
import pretty_midi
import pytest

from melodyvae.config import MelodyConfig
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import ReadMelody
from melodyvae.music.tokens import NOTE_OFF, Vocabulary
from melodyvae.network.decoder import draw
from melodyvae.network.draws import Draws
from melodyvae.network.latent import Gaussian
from melodyvae.verbs.codec import matching_steps
from melodyvae.verbs.sampling import reconstruct, sample
from melodyvae.verbs.sources import WindowError, pick_window, read_source


class UniformModel:
    """Every legal token is as probable as any other, whatever z says."""

    config = MelodyConfig(latent_size=32)
    vocabulary = Vocabulary()

    def __init__(self) -> None:
        self.extras: dict[str, np.ndarray] = {}

    def prior(self, count: int) -> Gaussian:
        return Gaussian.standard(count, 32)

    def encode(self, tokens: np.ndarray) -> Gaussian:
        return Gaussian(tokens.astype(np.float32), np.zeros(tokens.shape, np.float32))

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((*tokens.shape, self.vocabulary.size), np.float32), np.zeros_like(z)

    def decode(self, z: np.ndarray, temperature: float, draws: Draws | None, rules=None) -> np.ndarray:
        sounding = np.zeros(len(z), bool)
        steps = []
        for _ in range(self.config.steps):
            logits = np.zeros((len(z), self.vocabulary.size))
            logits[~sounding, NOTE_OFF] = -np.inf
            steps.append(draw(logits, temperature, draws))
            sounding = np.where(steps[-1] == 0, sounding, steps[-1] >= 2)
        return np.stack(steps, axis=1)


class RememberingModel(UniformModel):
    """z is the tokens themselves: decoding rounds it to the nearest legal sequence."""

    def decode(self, z: np.ndarray, temperature: float, draws: Draws | None, rules=None) -> np.ndarray:
        tokens = z.round().astype(np.int64).clip(0, self.vocabulary.size - 1)
        return np.where(tokens == 1, 0, tokens)


def seeded(seed: int = 0) -> Draws:
    return Draws(seed)


def legato(bars: int = 2, pitch: int = 60) -> Melody:
    """Quarter notes without a gap, so that no note off is needed."""
    return Melody(tuple(MelodyNote(4 * i, 4 * i + 4, pitch + i % 5) for i in range(4 * bars)), 16 * bars)


@pytest.mark.parametrize("count", [1, 3, 1500])
def test_samples_are_as_many_as_asked_and_as_long_as_a_window(count):
    melodies = sample(UniformModel(), count, draws=seeded())
    assert len(melodies) == count
    assert {melody.length_steps for melody in melodies} == {32}
    assert {melody.bars for melody in melodies} == {2}


def test_the_same_seed_gives_the_same_melodies_and_another_seed_others():
    first, again, other = (sample(UniformModel(), 4, draws=seeded(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_samples_of_a_uniform_model_use_the_whole_vocabulary_evenly():
    melodies = sample(UniformModel(), 400, draws=seeded())
    tokens = np.concatenate([Vocabulary().encode(melody) for melody in melodies])
    notes = np.bincount(tokens, minlength=90)[2:]
    assert notes.min() > 0.6 * notes.mean()
    assert notes.max() < 1.5 * notes.mean()


def test_samples_carry_the_tempo_and_the_program_they_are_given():
    (melody,) = sample(UniformModel(), 1, draws=seeded(), quarters_per_minute=77.0, program=73)
    assert (melody.quarters_per_minute, melody.program) == (77.0, 73)


def test_a_negative_temperature_is_refused():
    with pytest.raises(ValueError, match="temperature is -1"):
        sample(UniformModel(), 1, temperature=-1.0)


@pytest.mark.parametrize("bars", [1, 2, 3, 7])
def test_a_reconstruction_has_the_length_of_its_melody(bars):
    melody = legato(bars)
    back = reconstruct(RememberingModel(), melody, 0.0, Draws())
    assert back.length_steps == 16 * bars
    assert back.notes == melody.notes


def test_a_note_held_over_the_border_of_two_windows_is_held_again():
    melody = Melody((MelodyNote(0, 24, 60), MelodyNote(24, 40, 64), MelodyNote(40, 64, 60)), 64)
    assert reconstruct(RememberingModel(), melody, 0.0, Draws()).notes == melody.notes
    struck_again = Melody((MelodyNote(0, 32, 60), MelodyNote(32, 64, 60)), 64)
    assert reconstruct(RememberingModel(), struck_again, 0.0, Draws()).notes == struck_again.notes


def test_matching_steps_are_counted():
    model = UniformModel()
    other = Melody(legato().notes[:-1], 32)
    assert matching_steps(model, legato(), legato()) == 32
    assert matching_steps(model, legato(), other) == 31  # the last onset became a note off


def test_the_first_window_with_a_note_in_every_bar_is_picked():
    silent_start = Melody(tuple(note._replace(start_step=s, end_step=s + 4) for note, s in [
        (MelodyNote(0, 1, 60), 20), (MelodyNote(0, 1, 62), 36), (MelodyNote(0, 1, 64), 52),
    ]), 80)  # fmt: skip
    window = pick_window(ReadMelody.of(silent_start), UniformModel.config)
    assert window.first_bar == 2
    assert [note.pitch for note in window.melody.notes] == [60, 62]
    assert window.note == ""


def test_a_pickup_is_not_taken_for_a_first_bar():
    with_pickup = Melody((MelodyNote(12, 16, 55), *legato(4).window(0, 4).notes[4:]), 64)
    assert pick_window(ReadMelody.of(with_pickup), UniformModel.config).first_bar == 2


def test_a_bar_can_be_chosen():
    window = pick_window(ReadMelody.of(legato(4)), UniformModel.config, first_bar=3)
    assert window.melody.notes == legato(4).window(2, 2).notes


@pytest.mark.parametrize(("bar", "message"), [(0, "no bar 0"), (5, "no bar 5: the melody has bars 1 to 4")])
def test_a_bar_that_is_not_there_is_refused(bar, message):
    with pytest.raises(WindowError, match=message):
        pick_window(ReadMelody.of(legato(4)), UniformModel.config, first_bar=bar)


def test_a_short_melody_is_padded_and_it_is_said():
    window = pick_window(ReadMelody.of(legato(1)), UniformModel.config)
    assert window.melody.length_steps == 32
    assert window.note == "it has 1 bar, 2 are taken: padded with silence"


def test_a_window_at_the_end_is_padded_and_it_is_said():
    window = pick_window(ReadMelody.of(legato(4)), UniformModel.config, first_bar=4)
    assert window.melody.length_steps == 32
    assert window.note == "it ends 1 bar before the window does: padded with silence"


def test_a_silent_window_is_refused():
    melody = Melody(legato(1).notes, 64)
    with pytest.raises(WindowError, match="no note in bars 3 to 4"):
        pick_window(ReadMelody.of(melody), UniformModel.config, first_bar=3)


def test_files_objects_and_melodies_are_all_sources(tmp_path):
    melody = legato()
    melody.write(tmp_path / "tune.mid")
    sources = [
        tmp_path / "tune.mid",
        str(tmp_path / "tune.mid"),
        pretty_midi.PrettyMIDI(str(tmp_path / "tune.mid")),
        melody,
    ]
    assert [read_source(source, UniformModel.config).melody.notes for source in sources] == [melody.notes] * 4


def test_a_melody_on_another_grid_is_refused():
    with pytest.raises(WindowError, match="has 8 steps per quarter, the model 4"):
        read_source(Melody((), 64, steps_per_quarter=8), UniformModel.config)


def test_a_waltz_gets_bars_of_four_laid_over_it_where_that_is_asked(tmp_path):
    waltz = Melody(tuple(MelodyNote(4 * i, 4 * i + 4, 60 + i) for i in range(12)), 48, meter=(3, 4))
    waltz.write(tmp_path / "waltz.mid")
    assert read_source(tmp_path / "waltz.mid", UniformModel.config).melody.meter == (3, 4)
    found = read_source(tmp_path / "waltz.mid", UniformModel.config, meter=(4, 4))
    assert "in 3/4: bars of 4/4 are laid over it" in found.description
    assert found.melody.notes == waltz.notes
    assert found.melody.meter == (4, 4)
    assert read_source(waltz, UniformModel.config, meter=(4, 4)).melody.notes == waltz.notes
    second = pick_window(found, UniformModel.config, first_bar=3)  # of the waltz; its bar 3 begins in the second of 4/4
    assert (second.first_bar, second.last_bar) == (2, 4)
    assert [note.pitch for note in second.melody.notes] == list(range(64, 72))


def test_a_jig_keeps_its_meter_in_a_model_of_bars_as_long(tmp_path):
    config = MelodyConfig(latent_size=24, meter=(3, 4))
    jig = Melody(tuple(MelodyNote(2 * i, 2 * i + 2, 60 + i) for i in range(24)), 48, meter=(6, 8))
    jig.write(tmp_path / "jig.mid")
    for source in (tmp_path / "jig.mid", jig):
        found = read_source(source, config)
        assert (found.melody.meter, found.melody.notes) == ((6, 8), jig.notes)
        assert "laid over" not in found.description


def test_notes_beyond_the_piano_are_moved_by_octaves():
    melody = Melody((MelodyNote(0, 4, 12), MelodyNote(4, 8, 120)), 32)
    found = read_source(melody, UniformModel.config).melody
    assert [note.pitch for note in found.notes] == [24, 108]
