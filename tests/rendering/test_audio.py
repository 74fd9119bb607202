"""WAV files sound as long, and at the pitch, as the MIDI files that they are made from."""

import wave

import numpy as np
import pytest

from data_prep.melody import Melody, MelodyNote
from melodyvae.rendering import audio


def sound_of(path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


@pytest.fixture(autouse=True)
def without_fluidsynth(monkeypatch):
    monkeypatch.setattr(audio, "find_spec", lambda name: None)


def test_a_note_sounds_at_its_pitch_for_its_length(tmp_path):
    Melody((MelodyNote(0, 8, 69),), 16).write(tmp_path / "a.mid")  # one second of A above middle C
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    samples = sound_of(tmp_path / "a.wav")
    first, later = samples[:44_100], samples[48_000:]
    assert np.abs(first).max() == pytest.approx(0.9 * 32_767, rel=0.01)
    assert np.abs(later).max() < 0.05 * np.abs(first).max()
    spectrum = np.abs(np.fft.rfft(first[4_000:40_000]))
    assert spectrum.argmax() * 44_100 / 36_000 == pytest.approx(440, abs=2)


def test_silence_is_silent_and_as_long(tmp_path):
    Melody((), 16).write(tmp_path / "silence.mid")
    audio.write_wav(tmp_path / "silence.mid", tmp_path / "silence.wav")
    assert not sound_of(tmp_path / "silence.wav").any()
