"""The feel of a performance: swing, a constant delay, small timing offsets, and the loudness of each note.

A model writes on a grid and knows none of these. The feel of the source bars is a template that is applied to the
written melody. Conventions: times are in quarters from the first bar's start; offsets are in steps, later is positive;
swing is the position of the second eighth within a quarter: 0.5 is straight, 0.67 a shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.notes import DEFAULT_VELOCITY
from melodyvae.system.errors import UserError

if TYPE_CHECKING:
    from melodyvae.music.regions import ReadMelody

KEEP, STRAIGHT = "keep", "straight"
NO_SWING = 0.5
MIN_SWING, MAX_SWING = 0.5, 0.8
SWUNG = (0.54, 0.72)  # where second eighths begin in a shuffle; a dotted eighth ends at 0.75
FIRST_TRIPLET = (0.28, 0.39)
MIN_SWUNG_ONSETS = 4
MIN_SWUNG_SHARE = 0.8  # of the onsets between beats
MAX_SIXTEENTHS_SWING = 0.64  # of sixteenths; above it their places are a triplet's
IN_PLACE_SIXTEENTHS = 0.15
MIN_IN_PLACE_SHARE = 0.9
MAX_BEAT_OFFSET_QUARTERS = 0.04  # of a shuffle's beats; those of a part that is late as a whole are later
SIXTEENTH_QUARTERS = 0.25  # a delay is measured in sixteenths on any grid
EARLIEST_SIXTEENTHS = -0.25  # a delay reaches from a quarter of one early to three quarters late
MIN_DELAY_SIXTEENTHS = 0.08
MIN_DELAYED_ONSETS = 6
MIN_CONCENTRATION = 0.7  # length of the mean of the onsets on a circle of one sixteenth: 1 if all are equally late
FREE_CONCENTRATION = 0.3  # below it on sixteenths and on triplets, a part is played without a beat
MIN_FREE_ONSETS = 16
FINEST_WRITTEN_QUARTERS = 1 / 24  # thirty-seconds and triplets of sixteenths are multiples of it
MAX_GUESSED_OFFSET_STEPS = 0.25  # of notes that the template does not have


AUDIBLE_OFFSET_STEPS = 0.02
MIN_APART_STEPS = 0.25  # two notes, wherever their offsets move them


class FeelError(UserError, ValueError):
    """Unknown feel."""


class PlayedNote(NamedTuple):
    """A note in time."""

    start_quarters: float
    end_quarters: float
    pitch: int
    velocity: int


@dataclass(frozen=True, eq=False)
class Feel:
    """A template of T steps for the notes of melodies that are as long; a longer melody repeats it.

    Attributes:
        swing: position of the second eighth within a quarter.
        steps_per_quarter: the grid.
        offsets: delay of the note that begins on each step, in steps, ``(T,)``; NaN without one.
        end_offsets: delay of the end of the note that ends on each step, in steps, ``(T + 1,)``; NaN without one.
        velocities: velocity of the note that begins on each step, ``(T,)``; NaN without one.
        volume: of the instrument's channel, 0..127; None if it was not set.
        delay_quarters: delay of all notes.
    """

    swing: float
    steps_per_quarter: int
    offsets: np.ndarray
    end_offsets: np.ndarray
    velocities: np.ndarray
    volume: int | None = None
    delay_quarters: float = 0.0

    @classmethod
    def straight(cls, swing: float) -> Feel:
        """No template but swing."""
        return cls(swing, 4, np.full(1, np.nan), np.full(2, np.nan), np.full(1, np.nan))

    @classmethod
    def of(cls, piece: ReadMelody, first_bar: int, bars: int) -> Feel:
        """The feel of some bars of a piece, from ``first_bar`` (of the melody's bars, from 0)."""
        melody = piece.melody
        first, steps = first_bar * melody.steps_per_bar, bars * melody.steps_per_bar
        offsets, end_offsets, velocities = np.full(steps, np.nan), np.full(steps + 1, np.nan), np.full(steps, np.nan)
        if piece.song is None:
            line, of_starts, of_ends = melody.line, np.zeros(len(melody.notes)), np.zeros(len(melody.notes))
        else:
            placed = piece.layout.place_notes(piece.song.parts[piece.part_index])
            order = np.lexsort((placed.line[:, 2], placed.line[:, 0]))  # of notes on one step the highest comes last
            order = order[~placed.is_crowded_out[order]]
            line, of_starts, of_ends = placed.line[order], placed.offsets[order], placed.end_offsets[order]
        for (start, end, _, velocity), offset, end_offset in zip(
            line - [first, first, 0, 0], of_starts, of_ends, strict=True
        ):
            if 0 <= start < steps:
                offsets[start], velocities[start] = offset, velocity
            if 0 < end <= steps:
                end_offsets[end] = end_offset
        volume = None if piece.song is None else piece.song.parts[piece.part_index].volume
        layout = piece.layout
        return cls(
            layout.swing, melody.steps_per_quarter, offsets, end_offsets, velocities, volume, layout.delay_quarters
        )

    @classmethod
    def mixed(cls, feels: Sequence[Feel], shares: np.ndarray) -> Feel:
        """A feel that has ``shares`` of some others, adding up to 1: the mean of what they know of a step.

        The volume is the first one's.
        """
        if shares.max() == 1:
            return replace(feels[int(shares.argmax())], volume=feels[0].volume)

        def mean(tables: Sequence[np.ndarray]) -> np.ndarray:
            values = np.stack(tables)
            weights = np.where(np.isnan(values), 0.0, shares[:, None])
            total = weights.sum(axis=0)
            known = np.where(np.isnan(values), 0.0, values)
            return np.where(total > 0, (weights * known).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)

        return cls(
            float(shares @ [feel.swing for feel in feels]),
            feels[0].steps_per_quarter,
            mean([feel.offsets for feel in feels]),
            mean([feel.end_offsets for feel in feels]),
            mean([feel.velocities for feel in feels]),
            feels[0].volume,
            float(shares @ [feel.delay_quarters for feel in feels]),
        )

    def on_the_grid(self, swing: float = NO_SWING) -> Feel:
        """The loudness of this feel on the grid, or with a swing."""
        return replace(
            self, swing=swing, offsets=0 * self.offsets, end_offsets=0 * self.end_offsets, delay_quarters=0.0
        )

    @property
    def is_audible(self) -> bool:
        """Whether it swings, or a note begins off the grid."""
        offsets = np.append(self.offsets, self.delay_quarters * self.steps_per_quarter)
        return self.swing != NO_SWING or bool((np.abs(offsets) > AUDIBLE_OFFSET_STEPS).any())

    def play(self, melody: Melody) -> list[PlayedNote]:
        """The notes of a melody in time.

        A note takes the timing and loudness of the template at its step; at a step without a template note, it takes
        the average at the same position of the beat. No note overlaps the next.
        """
        per_quarter = melody.steps_per_quarter
        length = len(self.offsets)
        guessed = np.clip(
            _by_place(self.offsets, per_quarter, 0.0), -MAX_GUESSED_OFFSET_STEPS, MAX_GUESSED_OFFSET_STEPS
        )
        loudness = _by_place(self.velocities, per_quarter, DEFAULT_VELOCITY)
        starts: list[float] = []
        ends: list[float] = []
        velocities: list[int] = []
        for note in melody.notes:
            place, beat_place = note.start_step % length, note.start_step % per_quarter
            known = not np.isnan(self.velocities[place])
            offset = self.offsets[place] if known else guessed[beat_place]
            velocity = self.velocities[place] if known else loudness[beat_place]
            end_offset = self.end_offsets[(note.end_step - 1) % length + 1]
            earliest = starts[-1] + MIN_APART_STEPS / per_quarter if starts else 0.0
            starts.append(max((note.start_step + offset) / per_quarter, earliest))
            ends.append((note.end_step + (0.0 if np.isnan(end_offset) else end_offset)) / per_quarter)
            velocities.append(int(np.clip(round(velocity), 1, 127)))
        begins = np.maximum(swung(np.array(starts), self.swing) + self.delay_quarters, 0.0)
        finishes = swung(np.array(ends), self.swing) + self.delay_quarters
        finishes = np.minimum(finishes, np.append(begins[1:], np.inf))
        finishes = np.minimum(finishes, melody.length_steps / per_quarter)
        finishes = np.maximum(finishes, begins + 0.1 / per_quarter)
        return [
            PlayedNote(float(start), float(end), note.pitch, velocity)
            for note, start, end, velocity in zip(melody.notes, begins, finishes, velocities, strict=True)
        ]


def parse_feel(text: str) -> float | None:
    """Parse a feel into a swing: 0.5 for ``straight``, 0.62 for ``swing=0.62``, None for ``keep``.

    Raises:
        FeelError: if it is none of these.
    """
    if text == KEEP:
        return None
    if text == STRAIGHT:
        return NO_SWING
    name, _, number = text.partition("=")
    try:
        swing = float(number)
    except ValueError:
        swing = np.nan
    if name != "swing" or not MIN_SWING <= swing <= MAX_SWING:
        raise FeelError(
            f"there is no feel {text!r}; give keep, straight, or swing= and a number from {MIN_SWING} (straight) "
            f"to {MAX_SWING}, such as swing=0.62"
        )
    return swing


class Timing(NamedTuple):
    """Swing and delay of a part against the beat.

    Attributes:
        swing: position of the second eighths within a quarter.
        delay_quarters: delay of all notes; below 0 they are early.
    """

    swing: float = NO_SWING
    delay_quarters: float = 0.0

    @classmethod
    def of(cls, quarters: np.ndarray) -> Timing:
        """The timing of onsets ``(N,)`` counted from a beat; straight and without delay where neither explains them.

        The beats distinguish swing from delay: in a shuffle they lie in place, in a late part they are late. The
        delay of a late shuffle is that of its beats.
        """
        swing = find_swing(quarters)
        if swing != NO_SWING:
            return cls(swing)
        delay = find_delay(quarters)
        if delay:
            return cls(NO_SWING, delay)
        beats = _beat_offsets(quarters)
        if len(beats) < MIN_DELAYED_ONSETS:
            return cls()
        delay = float(np.median(beats))
        if np.mean(np.abs(beats - delay) < SIXTEENTH_QUARTERS / 4) < MIN_SWUNG_SHARE:
            return cls()
        swing = find_swing(quarters - delay)
        return cls() if swing == NO_SWING else cls(swing, round(delay, 4))


def find_swing(quarters: np.ndarray) -> float:
    """Swing of onsets ``(N,)`` counted from a beat: position of the second eighths within a quarter; 0.5 is none.

    They do if four fifths of the onsets between beats, and four at least, begin where a shuffle's second eighths do,
    hardly any where the first note of a triplet's two others does, and the beats are in place; or if, laid straight,
    nearly all onsets are sixteenths that were none before.
    """
    phases = np.asarray(quarters) % 1.0
    between = phases[(phases > 0.2) & (phases < 0.8)]
    is_swung = (between > SWUNG[0]) & (between < SWUNG[1])
    if is_swung.sum() < MIN_SWUNG_ONSETS:
        return NO_SWING
    swing = round(float(np.median(between[is_swung])), 3)
    is_of_triplet = (between > FIRST_TRIPLET[0]) & (between < FIRST_TRIPLET[1])
    if is_swung.mean() < MIN_SWUNG_SHARE or is_of_triplet.mean() > 0.1:
        return swing if _has_swung_sixteenths(quarters, swing) else NO_SWING
    beats = _beat_offsets(quarters)
    if len(beats) and abs(np.median(beats)) > MAX_BEAT_OFFSET_QUARTERS:
        return NO_SWING
    return swing


def _has_swung_sixteenths(quarters: np.ndarray, swing: float) -> bool:
    """Whether onsets become sixteenths once the swing is removed; a swing of triplets counts as that, too."""

    def share_in_place(times: np.ndarray) -> float:
        sixteenths = times / SIXTEENTH_QUARTERS
        return float((np.abs(sixteenths - np.round(sixteenths)) < IN_PLACE_SIXTEENTHS).mean())

    if swing > MAX_SIXTEENTHS_SWING or share_in_place(quarters) > MIN_SWUNG_SHARE:
        return False
    return share_in_place(straightened(quarters, swing)) > MIN_IN_PLACE_SHARE


def find_delay(quarters: np.ndarray) -> float:
    """Delay in quarters of onsets ``(N,)`` counted from a beat, if nearly all are equally late; 0 otherwise.

    The mean on a circle of one sixteenth shows whether they are, the median is the delay (Mardia and Jupp,
    *Directional Statistics*, 2000): a few ornaments and triplets among notes in place make no delay.
    """
    phases = np.asarray(quarters) / SIXTEENTH_QUARTERS
    if len(phases) < MIN_DELAYED_ONSETS or concentration(quarters, SIXTEENTH_QUARTERS) < MIN_CONCENTRATION:
        return 0.0
    middle = float(np.angle(np.exp(2j * np.pi * phases).mean())) / (2 * np.pi)
    delay = middle + float(np.median((phases - middle + 0.5) % 1.0 - 0.5))
    delay = (delay - EARLIEST_SIXTEENTHS) % 1.0 + EARLIEST_SIXTEENTHS
    return round(delay * SIXTEENTH_QUARTERS, 4) if abs(delay) >= MIN_DELAY_SIXTEENTHS else 0.0


def is_free(quarters: np.ndarray) -> bool:
    """Whether onsets ``(N,)`` lie anywhere against the beat: no sixteenths, triplets or written divisions of them."""
    units = (SIXTEENTH_QUARTERS, 1 / 3, FINEST_WRITTEN_QUARTERS)
    return len(quarters) >= MIN_FREE_ONSETS and all(
        concentration(quarters, unit) < FREE_CONCENTRATION for unit in units
    )


def concentration(quarters: np.ndarray, unit_quarters: float) -> float:
    """Concentration of the phases of times ``(N,)`` within a unit: 1 if equal, near 0 if spread evenly."""
    return float(abs(np.exp(2j * np.pi * np.asarray(quarters) / unit_quarters).mean()))


def _beat_offsets(quarters: np.ndarray) -> np.ndarray:
    """Delays of the onsets that are less than a fifth of a quarter away from a beat."""
    offsets: np.ndarray = (np.asarray(quarters) + 0.5) % 1.0 - 0.5
    return np.asarray(offsets[np.abs(offsets) <= 0.2])


def swung(quarters: np.ndarray, swing: float) -> np.ndarray:
    """Times that are written straight, as they are played with a swing; :func:`straightened` is the inverse."""
    return _warped(quarters, NO_SWING, swing)


def straightened(quarters: np.ndarray, swing: float) -> np.ndarray:
    """Times that are played with a swing, as they are written."""
    return _warped(quarters, swing, NO_SWING)


def _warped(quarters: np.ndarray, middle: float, target: float) -> np.ndarray:
    """Warp each beat so that its position ``middle`` moves to ``target``."""
    if middle == target:
        return quarters
    beats = np.floor(quarters)
    phases = quarters - beats
    first, second = phases * (target / middle), target + (phases - middle) * ((1 - target) / (1 - middle))
    return np.asarray(beats + np.where(phases < middle, first, second))


def _by_place(values: np.ndarray, steps_per_quarter: int, default: float) -> np.ndarray:
    """The mean of known values by place in the beat, or of all of them, or the default: ``(steps_per_quarter,)``."""
    known = ~np.isnan(values)
    overall = float(values[known].mean()) if known.any() else default
    places = np.arange(len(values)) % steps_per_quarter
    chosen = [values[known & (places == place)] for place in range(steps_per_quarter)]
    return np.array([float(of_place.mean()) if len(of_place) else overall for of_place in chosen])
