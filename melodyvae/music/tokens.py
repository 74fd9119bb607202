"""Melody <-> token ids, MusicVAE's 90: one id a step.

    0       no event: what sounds goes on, silence goes on
    1       note off
    2..89   note on at pitch 21..108; what sounded before ends there

A sequence is *legal* if no note off comes while nothing sounds. Decoding and encoding are inverse over all legal
sequences, so any sequence that a model draws can be written to a file, read again, and encoded to the same ids. (In
Magenta's code they are not: https://github.com/magenta/magenta/issues/1944.)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from melodyvae.music.melody import Melody, MelodyNote, notes_of
from melodyvae.music.notes import OCTAVE
from melodyvae.system.errors import UserError

NO_EVENT = 0
NOTE_OFF = 1
FIRST_NOTE_ON = 2
LOWEST_PITCH = 21
HIGHEST_PITCH = 108
VOCABULARY_SIZE = FIRST_NOTE_ON + HIGHEST_PITCH - LOWEST_PITCH + 1


class TokenError(UserError, ValueError):
    """Tokens or notes that the vocabulary cannot express."""


@dataclass(frozen=True)
class Vocabulary:
    """The table of token ids; arrays of tokens are ``(..., T)``, uint8. Models know no other than the default one."""

    lowest_pitch: int = LOWEST_PITCH
    highest_pitch: int = HIGHEST_PITCH

    @property
    def size(self) -> int:
        """Number of token ids."""
        return FIRST_NOTE_ON + self.highest_pitch - self.lowest_pitch + 1

    def to_dict(self) -> dict[str, Any]:
        """The table as plain values."""
        return asdict(self) | {"no_event": NO_EVENT, "note_off": NOTE_OFF, "first_note_on": FIRST_NOTE_ON}

    def note_on(self, pitch: int) -> int:
        """The id of a note on.

        Raises:
            TokenError: if the pitch lies outside the vocabulary.
        """
        if not self.lowest_pitch <= pitch <= self.highest_pitch:
            raise TokenError(
                f"pitch {pitch} lies outside the vocabulary's {self.lowest_pitch}..{self.highest_pitch}; "
                "transpose the melody by octaves"
            )
        return pitch - self.lowest_pitch + FIRST_NOTE_ON

    def encode(self, melody: Melody) -> np.ndarray:
        """The ids of a melody, ``(T,)`` with T its length in steps. :meth:`decode` is the inverse.

        A note that lasts until the next one begins, or until the end, has no note off.

        Raises:
            TokenError: if a pitch lies outside the vocabulary.
        """
        return self.encode_line(melody.line, melody.length_steps)

    def encode_line(self, line: np.ndarray, length_steps: int) -> np.ndarray:
        """:meth:`encode` of a melody's notes in an array ``(notes, 4)``."""
        tokens = np.full(length_steps + 1, NO_EVENT, dtype=np.uint8)
        pitches = line[:, 2]
        if len(line) and not self.lowest_pitch <= pitches.min() <= pitches.max() <= self.highest_pitch:
            for pitch in pitches.tolist():
                self.note_on(pitch)
        tokens[line[:, 1]] = NOTE_OFF
        tokens[line[:, 0]] = pitches - self.lowest_pitch + FIRST_NOTE_ON  # an onset on a note off takes its place
        return tokens[:-1]  # without the note off of what sounds until the end

    def decode(self, tokens: np.ndarray, **fields: Any) -> Melody:
        """The melody of ids ``(T,)``; ``fields`` are the melody's tempo, meter, program and so on.

        Raises:
            TokenError: if an id is unknown or a note off comes while nothing sounds.
        """
        self._check(tokens)
        events = [(step, int(token)) for step, token in enumerate(tokens) if token != NO_EVENT]
        ends = [*(step for step, _ in events), len(tokens)][1:]
        notes = tuple(
            MelodyNote(step, end, token - FIRST_NOTE_ON + self.lowest_pitch)
            for (step, token), end in zip(events, ends, strict=False)
            if token != NOTE_OFF
        )
        return Melody(notes, len(tokens), **fields)

    def windows(self, tokens: np.ndarray, first_steps: np.ndarray, steps: int) -> np.ndarray:
        """The windows of a sequence ``(T,)`` at ``first_steps`` ``(N,)``: ``(N, steps)``, each legal by itself.

        The same as encoding the windows of the melody: a note that sounds across a window's start starts anew there.
        """
        rows = tokens[first_steps[:, None] + np.arange(steps)]
        rows[:, 0] = held(tokens)[first_steps]
        return rows

    def is_legal(self, tokens: np.ndarray) -> np.ndarray:
        """Whether each sequence of ``(..., T)`` has known ids only and no note off in silence: booleans ``(...)``."""
        known = (tokens >= 0) & (tokens < self.size)
        return np.asarray((known & ~((tokens == NOTE_OFF) & ~sounding_before(tokens))).all(axis=-1))

    def transpose(self, tokens: np.ndarray, semitones: int) -> np.ndarray:
        """The same rhythm, every note on shifted.

        Raises:
            TokenError: if a note would leave the vocabulary.
        """
        is_note = tokens >= FIRST_NOTE_ON
        shifted = np.where(is_note, tokens.astype(np.int64) + semitones, tokens)
        if (is_note & ((shifted < FIRST_NOTE_ON) | (shifted >= self.size))).any():
            raise TokenError(f"a shift by {semitones} semitones leaves the vocabulary's pitches")
        return shifted.astype(tokens.dtype)

    def normalise(self, tokens: np.ndarray) -> np.ndarray:
        """Each sequence moved so that its lowest note is the vocabulary's lowest: equal for all transpositions."""
        is_note = tokens >= FIRST_NOTE_ON
        lowest = np.where(is_note, tokens, np.iinfo(tokens.dtype).max).min(axis=-1, keepdims=True)
        return np.where(is_note, tokens - lowest + FIRST_NOTE_ON, tokens).astype(tokens.dtype)

    def _check(self, tokens: np.ndarray) -> None:
        if tokens.ndim != 1:
            raise TokenError(f"one sequence (T,) is decoded at a time; this has shape {tokens.shape}")
        if not self.is_legal(tokens):
            unknown = [int(token) for token in tokens if not 0 <= token < self.size]
            if unknown:
                raise TokenError(f"token {unknown[0]} is not one of the ids 0..{self.size - 1}")
            step = int(np.flatnonzero((tokens == NOTE_OFF) & ~sounding_before(tokens))[0])
            raise TokenError(f"the note off at step {step} comes while nothing sounds")


def folded(melody: Melody) -> Melody:
    """The melody with every note outside the vocabulary's pitches moved by octaves to the nearest place inside."""
    return replace(melody, notes=notes_of(fold_line(melody.line)))


def fold_line(line: np.ndarray) -> np.ndarray:
    """:func:`folded` of a :attr:`~melodyvae.music.melody.Melody.line`."""
    pitches = line[:, 2]
    if not len(line) or LOWEST_PITCH <= pitches.min() <= pitches.max() <= HIGHEST_PITCH:
        return line
    line = line.copy()
    below, above = np.maximum(LOWEST_PITCH - pitches, 0), np.maximum(pitches - HIGHEST_PITCH, 0)
    line[:, 2] += OCTAVE * (-(-below // OCTAVE) - -(-above // OCTAVE))
    return line


def pitches_of(tokens: np.ndarray) -> np.ndarray:
    """The MIDI pitches of note ons, int64, of the shape of ``tokens``; of other tokens a number below the lowest."""
    return tokens.astype(np.int64) - FIRST_NOTE_ON + LOWEST_PITCH


def held(tokens: np.ndarray) -> np.ndarray:
    """The note on that sounds during each step, or no event in silence: integers ``(..., T)``, int32 for uint8."""
    steps = np.arange(1, tokens.shape[-1] + 1, dtype=np.int32)
    events = np.where(tokens != NO_EVENT, 256 * steps + tokens, 0)
    latest = np.maximum.accumulate(events, axis=-1) & 255
    return np.where(latest >= FIRST_NOTE_ON, latest, NO_EVENT)


def sounding_before(tokens: np.ndarray) -> np.ndarray:
    """Whether a note sounds just before each step: booleans ``(..., T)``."""
    before = np.zeros(tokens.shape, dtype=bool)
    before[..., 1:] = held(tokens)[..., :-1] != NO_EVENT
    return before
