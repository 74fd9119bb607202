"""MIDI files -> WAV files that loop: exactly as many bars long as the music.

The best player that is installed plays them: the package ``tinysoundfont`` or ``fluidsynth`` with the General MIDI
soundfont that pretty_midi carries, else the tones of this module, a struck tone for notes and noise for drums.

Conventions: sound is float64 ``(samples,)`` at 44,100 samples per second.
"""

from __future__ import annotations

import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pretty_midi

from melodyvae.music.notes import DRUM_CHANNEL
from melodyvae.reading.midi import read_midi

SAMPLES_PER_SECOND = 44_100
LOUDEST = 0.9
FADE_SECONDS = 0.02  # at the end, so that a note that still sounds there does not click
SOUNDFONT = Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")
PARTIALS = ((1, 1.0, 1.2), (2, 0.32, 0.5), (3, 0.12, 0.25), (4, 0.06, 0.12))  # multiple, strength, seconds to decay
ATTACK_SECONDS, RELEASE_SECONDS = 0.006, 0.05
KICKS, HATS = frozenset({35, 36}), frozenset({42, 44, 46})


def write_wav(midi_file: Path, path: Path) -> None:
    """Write what a MIDI file sounds like: 16 bits, one channel, 44,100 samples per second, whole bars.

    Raises:
        OSError: if the place cannot be written to.
    """
    midi = pretty_midi.PrettyMIDI(str(midi_file))
    end = read_midi(midi_file).bars_end_quarters * midi.resolution  # PrettyMIDI does not tell where the tracks end
    samples = samples_of(midi, float(midi.tick_to_time(round(end))))
    peak = np.abs(samples).max(initial=0.0)
    as_integers = np.round(samples * (LOUDEST / peak if peak else 0.0) * (2**15 - 1)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLES_PER_SECOND)
        file.writeframes(as_integers.tobytes())


def samples_of(midi: pretty_midi.PrettyMIDI, seconds: float) -> np.ndarray:
    """The first ``seconds`` of a ``PrettyMIDI`` object as audio samples; the last 0.02 seconds fade out."""
    samples = np.zeros(round(seconds * SAMPLES_PER_SECOND))
    sound = _sound(midi)[: len(samples)]
    samples[: len(sound)] = sound
    fade = min(round(FADE_SECONDS * SAMPLES_PER_SECOND), len(samples))
    samples[len(samples) - fade :] *= np.linspace(1, 0, fade)
    return samples


def player() -> str:
    """Name of the synthesiser: ``tinysoundfont``, ``fluidsynth`` or, if neither is installed, ``plain tones``."""
    for name in ("tinysoundfont", "fluidsynth"):
        if find_spec(name) and SOUNDFONT.is_file():
            return name
    return "plain tones"


def _sound(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    chosen = player()
    try:
        if chosen == "tinysoundfont":
            return _soundfont(midi)
        if chosen == "fluidsynth":
            played: np.ndarray = midi.fluidsynth(fs=SAMPLES_PER_SECOND)
            return played
    except (ImportError, AttributeError, OSError, ValueError):
        pass  # the Python package is there, and the library that it needs is not
    return _plain_tones(midi)


def _soundfont(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    """The file as tinysoundfont plays it, https://nwhitehead.github.io/tinysoundfont-pybind/."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLES_PER_SECOND)
    bank = synth.sfload(str(SOUNDFONT))
    pitched = (channel for channel in range(10_000) if channel % 16 != DRUM_CHANNEL)
    events: list[tuple[int, bool, int, int, int]] = []  # sample, is a start, channel, pitch, velocity
    for instrument in midi.instruments:
        channel = DRUM_CHANNEL if instrument.is_drum else next(pitched) % 16
        synth.program_select(channel, bank, 128 if instrument.is_drum else 0, instrument.program, instrument.is_drum)
        for note in instrument.notes:
            start, end = (round(time * SAMPLES_PER_SECOND) for time in (note.start, note.end))
            events += [(start, True, channel, note.pitch, note.velocity), (end, False, channel, note.pitch, 0)]
    blocks, now = [], 0
    for at, is_start, channel, pitch, velocity in sorted(events):
        if at > now:
            blocks.append(np.frombuffer(synth.generate(at - now), np.float32).reshape(-1, 2).mean(axis=1))
            now = at
        if is_start:
            synth.noteon(channel, pitch, velocity)
        else:
            synth.noteoff(channel, pitch)
    blocks.append(np.frombuffer(synth.generate(SAMPLES_PER_SECOND), np.float32).reshape(-1, 2).mean(axis=1))
    return np.concatenate(blocks).astype(np.float64)


def _plain_tones(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    sound = np.zeros(round((midi.get_end_time() + 1) * SAMPLES_PER_SECOND))
    noise = np.random.default_rng(0)
    for instrument in midi.instruments:
        for note in instrument.notes:
            tone = _drum(note.pitch, noise) if instrument.is_drum else _struck(note.pitch, note.end - note.start)
            start = round(note.start * SAMPLES_PER_SECOND)
            part = sound[start : start + len(tone)]
            part += tone[: len(part)] * (note.velocity / 127) ** 1.5
    return sound


def _struck(pitch: int, seconds: float) -> np.ndarray:
    """A tone whose higher partials die sooner, as of a struck bar, held for ``seconds`` and then released."""
    time = np.arange(round((seconds + 4 * RELEASE_SECONDS) * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    frequency = float(pretty_midi.note_number_to_hz(pitch))
    tone = np.zeros_like(time)
    for multiple, strength, decay in PARTIALS:
        if multiple * frequency < SAMPLES_PER_SECOND / 2:
            level = strength * (0.25 + 0.75 * np.exp(-time / decay))
            tone += level * np.sin(2 * np.pi * multiple * frequency * time)
    attack = np.minimum(time / ATTACK_SECONDS, 1.0)
    release = np.exp(-np.maximum(time - seconds, 0) / RELEASE_SECONDS)
    struck: np.ndarray = tone * attack * release
    return struck


def _drum(pitch: int, noise: np.random.Generator) -> np.ndarray:
    """A falling tone for a kick, short noise for a hat, longer noise for everything else."""
    time = np.arange(round(0.3 * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    if pitch in KICKS:
        kick: np.ndarray = np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-time / 0.03)))) * np.exp(-time / 0.12)
        return kick
    hiss = np.diff(noise.uniform(-0.5, 0.5, len(time) + 1))
    drum: np.ndarray = hiss * np.exp(-time / (0.03 if pitch in HATS else 0.09))
    return drum
