"""Scales, keys and tempi as people write them, and the scale that fits a melody best.

Conventions: pitch classes are 0..11 with C 0; a scale's steps are semitones above its tonic. The weight of a pitch
class is how many notes have it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np

from melodyvae.music.keys import MAJOR_SCALE, PITCH_CLASS_NAMES, Key, parse_tonic
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import FIRST_NOTE_ON, VOCABULARY_SIZE, pitches_of
from melodyvae.system.errors import UserError

SCALES: dict[str, frozenset[int]] = {
    "major": frozenset(MAJOR_SCALE),
    "minor": frozenset({0, 2, 3, 5, 7, 8, 10}),  # natural
    "harmonic-minor": frozenset({0, 2, 3, 5, 7, 8, 11}),
    "dorian": frozenset({0, 2, 3, 5, 7, 9, 10}),
    "phrygian": frozenset({0, 1, 3, 5, 7, 8, 10}),
    "lydian": frozenset({0, 2, 4, 6, 7, 9, 11}),
    "mixolydian": frozenset({0, 2, 4, 5, 7, 9, 10}),
    "pentatonic": frozenset({0, 2, 4, 7, 9}),
    "minor-pentatonic": frozenset({0, 3, 5, 7, 10}),
    "blues": frozenset({0, 3, 5, 6, 7, 10}),
    "whole-tone": frozenset({0, 2, 4, 6, 8, 10}),
}
ALIASES = {
    **{"": "major", "maj": "major", "ionian": "major", "dur": "major", "major-pentatonic": "pentatonic"},
    **{"m": "minor", "min": "minor", "aeolian": "minor", "natural-minor": "minor", "harmonic": "harmonic-minor"},
    **{"pent": "pentatonic", "minor-pent": "minor-pentatonic", "wholetone": "whole-tone", "mixo": "mixolydian"},
}
ScaleChoice = Literal["auto", "none"]
KeyPlan = Literal["glide", "a", "b", "none"]
TempoPlan = Literal["glide", "a", "b"]
MIN_TEMPO, MAX_TEMPO = 10.0, 400.0  # quarters per minute
# The letter; an accidental, where a hyphen before a letter only parts the two words (C-major); the kind.
NAME = re.compile(r"\s*(?P<letter>[A-Za-z])(?P<accidental>#|b|♯|♭|-(?![A-Za-z]))?[\s:_-]*(?P<kind>.*?)\s*")
PIECE_WEIGHT = 0.1  # of all the notes of a piece, against those in the bars that were taken of it
TONIC_WEIGHT = 1e-4  # how much the notes of the tonic triad say where several scales hold as many notes


class ScaleError(UserError, ValueError):
    """Unknown name of a scale or key."""


@dataclass(frozen=True)
class Scale:
    """A tonic (pitch class) and the name of a kind in :data:`SCALES`."""

    tonic: int
    kind: str = "major"

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic]} {self.kind.replace('-', ' ')}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The scale of a name such as ``G:major``, ``Gmaj``, ``g minor``, ``Am`` or ``F# dorian``; ``G`` is major.

        Raises:
            ScaleError: if the tonic or the kind is unknown.
        """
        match = NAME.fullmatch(name)
        if match is None:
            raise ScaleError(f"{name!r} is not a scale; give one such as G:major, Am or F# dorian")
        kind = match["kind"]
        kind = "major" if kind in ("M", "MAJ") else re.sub(r"[\s:_-]+", "-", kind.lower())
        kind = ALIASES.get(kind, kind)
        tonic = match["letter"].upper() + {"♯": "#", "♭": "b", None: ""}.get(match["accidental"], match["accidental"])
        try:
            scale = cls(parse_tonic(tonic), kind)
        except ValueError as error:
            raise ScaleError(f"{name!r} is not a scale; give one such as G:major, Am or F# dorian") from error
        if kind not in SCALES:
            if name.strip().lower() in {*SCALES, *ALIASES}:
                raise ScaleError(f"{name.strip()!r} has no tonic; give one, such as G:{name.strip().lower()}")
            raise ScaleError(f"there is no scale {name.strip()!r}; choose one of {', '.join(SCALES)}, as in G:major")
        return scale

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The notes in it."""
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.kind])

    @property
    def key(self) -> Key:
        """The key that it is nearest to."""
        return Key(self.tonic, is_minor=3 in SCALES[self.kind] and 4 not in SCALES[self.kind])

    def __contains__(self, pitch: int) -> bool:
        """Whether a MIDI pitch lies in it, in any octave."""
        return pitch % 12 in self.pitch_classes

    def allowed_tokens(self) -> np.ndarray:
        """Whether each token may come, booleans ``(V,)``: all but the note ons outside the scale."""
        tokens = np.arange(VOCABULARY_SIZE)
        is_in = np.zeros(12, bool)
        is_in[list(self.pitch_classes)] = True
        return np.asarray((tokens < FIRST_NOTE_ON) | is_in[pitches_of(tokens) % 12])

    def transposed(self, semitones: int) -> Scale:
        """The same on another tonic."""
        return replace(self, tonic=(self.tonic + semitones) % 12)


CANDIDATES = tuple(Scale(tonic, kind) for kind in ("major", "harmonic-minor") for tonic in range(12))
IN_SCALE = np.array([[pitch in scale for pitch in range(12)] for scale in CANDIDATES], dtype=np.float64)  # (24, 12)
TRIADS = np.array([scale.key.triad for scale in CANDIDATES])


def parse_choice(name: str | Scale | None) -> Scale | ScaleChoice:
    """Parse the choice of a scale: ``auto``, ``none`` (also None), or a scale by name.

    Raises:
        ScaleError: if the name is unknown.
    """
    if name is None:
        return "none"
    if isinstance(name, Scale):
        return name
    if not isinstance(name, str):
        raise ScaleError(f"scale is {name!r}; it must be auto, none, or a scale such as G:major")
    choice = name.strip().lower()
    return choice if choice in ("auto", "none") else Scale.parse(name)  # type: ignore[return-value]  # of these two


def parse_key(text: str) -> KeyPlan | Key:
    """Parse ``key``: a plan, or a key such as ``C`` or ``Am``; ``a`` and ``b`` are the tunes'.

    Raises:
        ScaleError: if it is neither.
    """
    plan = str(text).strip().lower()
    if plan in get_args(KeyPlan):
        return plan  # type: ignore[return-value]  # it is one of them
    try:
        return Scale.parse(str(text)).key
    except ScaleError as error:
        raise ScaleError(f"key is {text!r}; choose one of glide, a, b and none, or a key such as C or Am") from error


def key_named(name: str) -> Key:
    """The key of a name such as ``G:major``, ``Gmaj``, ``g minor`` or ``Gm``; ``G`` alone is major.

    Raises:
        ScaleError: if it is none.
    """
    wrong = f"key: {name!r} is not a key; give one such as G:major, A minor or Am"
    try:
        scale = Scale.parse(str(name))
    except ScaleError as error:
        raise ScaleError(wrong) from error
    if scale.kind not in ("major", "minor"):
        raise ScaleError(wrong)
    return scale.key


def parse_tempo(value: str | float) -> TempoPlan | float:
    """Parse ``tempo``: a plan, or quarters per minute.

    Raises:
        ValueError: if it is neither.
    """
    plan = str(value).strip().lower()
    if plan in get_args(TempoPlan):
        return plan  # type: ignore[return-value]  # it is one of them
    try:
        tempo = float(plan)
    except ValueError:
        tempo = 0.0
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(
            f"tempo is {value!r}; choose one of glide, a and b, or a number from {MIN_TEMPO:g} to {MAX_TEMPO:g}"
        )
    return tempo


def pitch_class_weights(pitches: np.ndarray) -> np.ndarray:
    """Count of each pitch class ``(12,)`` among MIDI pitches ``(N,)``."""
    return np.bincount(np.asarray(pitches, np.int64) % 12, minlength=12).astype(np.float64)


def weights_of(melody: Melody) -> np.ndarray:
    """Count of each pitch class ``(12,)`` among the notes of a melody."""
    return pitch_class_weights(melody.line[:, 2])


def best_scale(weights: np.ndarray) -> Scale:
    """The major or harmonic minor scale that holds most of the pitch class weights ``(12,)``.

    Ties go to the scale with most weight on its tonic triad, then to major.
    """
    total = max(float(weights.sum()), 1e-12)
    held = IN_SCALE @ weights / total + TONIC_WEIGHT * (weights[TRIADS].sum(axis=1) + weights[TRIADS[:, 0]]) / total
    return CANDIDATES[int(held.argmax())]


def share_outside(weights: np.ndarray, scale: Scale | None = None) -> float:
    """The share of the weights ``(12,)`` that lies outside a scale, by default the best one; 0 without notes."""
    inside = [pitch in (scale or best_scale(weights)) for pitch in range(12)]
    return 1 - float(weights[inside].sum() / weights.sum()) if weights.sum() else 0.0


def moved_to_scale(melody: Melody, scale: Scale, key: Key | None = None) -> Melody:
    """``melody`` in ``scale``: transposed to where most of its notes lie in it, and the others on the nearest degrees.

    A melody in the key of the scale's own tonic stays where it is: C major in C minor gets a minor third, sixth and
    seventh, degree by degree. Every other one is moved by at most six semitones.

    Args:
        melody: the melody.
        scale: where it goes.
        key: of the piece that it is from; by default that of the scale that fits the melody best.
    """
    if not melody.notes:
        return melody
    shift = shift_to_scale(melody, scale, key)
    own = _own_scale(melody, key).transposed(shift)
    moved = {pitch: nearest_degree(pitch + shift, own, scale) for pitch in {note.pitch for note in melody.notes}}
    return replace(melody, notes=tuple(note._replace(pitch=moved[note.pitch]) for note in melody.notes))


def shift_to_scale(melody: Melody, scale: Scale, key: Key | None = None) -> int:
    """The semitones by which :func:`moved_to_scale` transposes a melody before its notes go to the nearest degrees."""
    own = _own_scale(melody, key)
    if not melody.notes or own.tonic == scale.tonic:
        return 0
    # As many notes as can be on the scale; of equal shifts, the one between the two keys, and then the shortest.
    weights = weights_of(melody)
    between = own.key.shift_to(scale.key.major_tonic)
    shift = min(
        range(-5, 7),
        key=lambda by: (round(share_outside(np.roll(weights, by), scale), 6), by != between, abs(by)),
    )
    lowest, highest = min(note.pitch for note in melody.notes), max(note.pitch for note in melody.notes)
    if lowest + shift < 1 or highest + shift > 126:  # a note moved to a degree may go one further
        shift += 12 if shift < 0 else -12
    return shift


def _own_scale(melody: Melody, key: Key | None) -> Scale:
    return best_scale(weights_of(melody)) if key is None else Scale(key.tonic, "minor" if key.is_minor else "major")


def nearest_degree(pitch: int, own: Scale, scale: Scale) -> int:
    """The pitch of ``scale`` nearest to ``pitch``; among two equally near, the one of the same degree as in ``own``."""
    if pitch in scale:
        return pitch
    near = min(abs(pitch - other) for other in range(pitch - 6, pitch + 7) if other in scale)
    choices = [other for other in (pitch - near, pitch + near) if other in scale]
    degrees = {tone: degree for degree, tone in enumerate(sorted(SCALES[own.kind]))}
    degree = degrees.get((pitch - own.tonic) % 12)
    in_scale = {tone: degree for degree, tone in enumerate(sorted(SCALES[scale.kind]))}
    same = [other for other in choices if in_scale[(other - scale.tonic) % 12] == degree]
    return (same if own.tonic == scale.tonic and same else choices)[0]
