"""WAV files are as long, in whole bars, and sound at the pitch, as the MIDI files that they are made from."""

import dataclasses
import wave

import numpy as np
import pretty_midi
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import Tempo
from melodyvae.writing import audio
from melodyvae.writing.midi import write_midi


def sound_of(path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


@pytest.fixture
def plain(monkeypatch):
    """As on a machine with neither tinysoundfont nor fluidsynth."""
    monkeypatch.setattr(audio, "find_spec", lambda name: None)
    assert audio.player() == "plain tones"


@pytest.fixture(params=["plain tones", "tinysoundfont"])
def any_player(request, monkeypatch):
    if request.param == "plain tones":
        monkeypatch.setattr(audio, "find_spec", lambda name: None)
    elif audio.player() != request.param:
        pytest.skip("tinysoundfont is not installed")


@pytest.mark.usefixtures("any_player")
def test_a_note_sounds_at_its_pitch_for_its_length(tmp_path):
    Melody((MelodyNote(0, 8, 69),), 16).write(tmp_path / "a.mid")  # one second of A above middle C
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    samples = sound_of(tmp_path / "a.wav")
    first, later = samples[:44_100], samples[66_000:]
    assert np.abs(first).max() == pytest.approx(0.9 * 32_767, rel=0.01)
    assert np.abs(later).max() < 0.05 * np.abs(first).max()
    spectrum = np.abs(np.fft.rfft(first[4_000:40_000]))
    partial = spectrum.argmax() * 44_100 / 36_000 / 440
    assert partial == pytest.approx(round(partial), abs=0.01)


@pytest.mark.usefixtures("any_player")
@pytest.mark.parametrize(("meter", "bars", "tempo"), [((4, 4), 2, 120.0), ((3, 4), 3, 97.0), ((6, 8), 1, 60.0)])
def test_a_file_is_whole_bars_long_so_that_it_loops(tmp_path, meter, bars, tempo):
    steps = bars * 16 * meter[0] // meter[1]
    # the last note sounds on across the last bar line, and the tune begins late
    melody = Melody((MelodyNote(2, steps, 60),), steps, meter=meter, quarters_per_minute=tempo)
    melody.write(tmp_path / "a.mid")
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    seconds = bars * 4 * meter[0] / meter[1] * 60 / tempo
    assert len(sound_of(tmp_path / "a.wav")) == pytest.approx(seconds * 44_100, abs=2)


@pytest.mark.usefixtures("plain")
def test_silence_is_silent_and_as_long(tmp_path):
    Melody((), 16).write(tmp_path / "silence.mid")
    audio.write_wav(tmp_path / "silence.mid", tmp_path / "silence.wav")
    samples = sound_of(tmp_path / "silence.wav")
    assert len(samples) == 2 * 44_100
    assert not samples.any()


@pytest.mark.usefixtures("any_player")
def test_drums_are_heard(tmp_path):
    midi = pretty_midi.PrettyMIDI()
    drums = pretty_midi.Instrument(0, is_drum=True)
    drums.notes = [
        pretty_midi.Note(100, pitch, 0.5 * beat, 0.5 * beat + 0.1) for beat, pitch in enumerate((36, 38, 42))
    ]
    midi.instruments.append(drums)
    midi.write(str(tmp_path / "drums.mid"))
    audio.write_wav(tmp_path / "drums.mid", tmp_path / "drums.wav")
    samples = sound_of(tmp_path / "drums.wav")
    assert len(samples) == 2 * 44_100
    loud = [np.abs(samples[int(44_100 * at) : int(44_100 * (at + 0.1))]).max() for at in (0, 0.5, 1.0)]
    assert min(loud) > 1_000


@pytest.mark.usefixtures("any_player")
def test_a_note_that_sounds_at_the_end_fades_out_within_20_milliseconds(tmp_path):
    Melody((MelodyNote(8, 16, 84),), 16).write(tmp_path / "a.mid")
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    samples = np.abs(sound_of(tmp_path / "a.wav"))
    fade, before = samples[-882:], samples[-2 * 882 : -882]
    assert len(samples) == 2 * 44_100
    assert before.max() > 100
    assert fade[:441].max() > 0.4 * before.max()
    assert fade[-441:].max() < 0.6 * before.max()
    assert fade[-1] == 0


@pytest.mark.usefixtures("plain")
def test_the_silent_end_of_a_file_with_many_tempi_is_as_long_as_its_bars(tmp_path):
    lead = Melody((MelodyNote(0, 4, 60),), 32).to_song()
    tempi = (Tempo(0.0, 120.0), Tempo(4.0, 60.0))
    write_midi(dataclasses.replace(lead, tempi=tempi), tmp_path / "a.mid")
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    assert len(sound_of(tmp_path / "a.wav")) == pytest.approx(6 * 44_100, abs=2)
