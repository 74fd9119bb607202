"""MIDI files -> WAV files: with fluidsynth and pretty_midi's soundfont where that is installed, else in plain tones.

Contents: :func:`write_wav`.
"""

from __future__ import annotations

import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pretty_midi

SAMPLES_PER_SECOND = 44_100
TAIL_SECONDS = 0.25
LOUDEST = 0.9
OVERTONES = (1.0, 0.4, 0.2, 0.1)  # strengths of the tone and its harmonics


def write_wav(midi_file: Path, path: Path) -> None:
    """Write what a MIDI file sounds like: 16 bits, one channel, 44,100 samples a second.

    Raises:
        OSError: if the place cannot be written to.
    """
    samples = _sound(pretty_midi.PrettyMIDI(str(midi_file)))
    samples = np.concatenate([samples, np.zeros(int(TAIL_SECONDS * SAMPLES_PER_SECOND))])
    peak = np.abs(samples).max()
    as_integers = np.round(samples * (LOUDEST / peak if peak else 0.0) * (2**15 - 1)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLES_PER_SECOND)
        file.writeframes(as_integers.tobytes())


def _sound(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    if find_spec("fluidsynth"):
        try:
            played: np.ndarray = midi.fluidsynth(fs=SAMPLES_PER_SECOND)
            return played
        except (ImportError, AttributeError, OSError, ValueError):
            pass  # the Python package is there, and the library or the soundfont is not
    toned: np.ndarray = midi.synthesize(fs=SAMPLES_PER_SECOND, wave=_tone)
    return toned


def _tone(phase: np.ndarray) -> np.ndarray:
    """A tone with a few harmonics at phases in radians."""
    toned: np.ndarray = np.sum([strength * np.sin(phase * n) for n, strength in enumerate(OVERTONES, start=1)], axis=0)
    return toned
