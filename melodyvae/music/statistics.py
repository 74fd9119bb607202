"""Statistics of tunes: phrases that return, rhythm, intervals, range, silence, scale and close.

Each statistic is a ratio for each tune, so that one array serves a table (all tunes pooled), an interval (tunes drawn
anew) and a classifier (each tune by itself).

Conventions: windows are tokens ``(N, T)`` of whole bars, the same number of bars in each; a bar without an onset is
*empty* and equals no bar; beats are quarters, dotted ones in 6/8, 9/8 and 12/8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from melodyvae.music.beats import is_compound
from melodyvae.music.keys import find_key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import OCTAVE
from melodyvae.music.scales import IN_SCALE
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary, held

PHRASE_BARS = 4
PHRASE_LAGS = range(2, 13)  # bars after which a phrase returns
ALIKE_BARS = 3  # of a phrase's four, at least
LONG_NOTE_QUARTERS = 3
FIFTH = 7  # semitones
SECOND = 2  # semitones
ALL_PITCHES = Vocabulary(0, 127)  # a melody may lie outside the pitches of a model


@dataclass(frozen=True)
class Ratio:
    """A statistic of N tunes: a share, a mean or a count per bar.

    Attributes:
        part, whole: of each tune, ``(N,)``.
    """

    part: np.ndarray
    whole: np.ndarray

    @property
    def pooled(self) -> float:
        """The statistic of all tunes together; 0 if there is nothing to divide by."""
        whole = float(self.whole.sum())
        return float(self.part.sum()) / whole if whole else 0.0

    @property
    def of_each(self) -> np.ndarray:
        """The statistic of each tune, ``(N,)``; 0 where there is nothing to divide by."""
        return np.asarray(self.part / np.where(self.whole, self.whole, 1))


def pooled_statistics(melodies: Sequence[Melody]) -> dict[str, float]:
    """Statistics of melodies of any meters and lengths, all of them together; the names are those of STATISTICS."""
    return {name: ratio.pooled for name, ratio in statistics_of(melodies).items()}


def statistics_of(melodies: Sequence[Melody]) -> dict[str, Ratio]:
    """Statistics of N melodies of any meters and lengths, in their order; the names are those of STATISTICS."""
    values = np.zeros((len(STATISTICS), 2, len(melodies)))
    for places, windows in _alike(melodies):
        first = melodies[places[0]]
        beat = 12 * first.steps_per_quarter // first.meter[1] if is_compound(first.meter) else first.steps_per_quarter
        bars = TuneBars(windows, ALL_PITCHES, first.steps_per_bar, first.steps_per_quarter, beat)
        values[:, :, places] = [statistic(bars) for statistic in STATISTICS.values()]
    return {name: Ratio(part, whole) for name, (part, whole) in zip(STATISTICS, values, strict=True)}


def window_statistics(
    windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int, steps_per_quarter: int = 4
) -> dict[str, Ratio]:
    """As :func:`statistics_of`, from windows ``(N, T)`` with beats of quarters."""
    bars = TuneBars(windows, vocabulary, steps_per_bar, steps_per_quarter, steps_per_quarter)
    return {name: Ratio(*statistic(bars)) for name, statistic in STATISTICS.items()}


def repeats_by_lag(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """For each lag from 1, the share of bars that are exactly the bar so long before, ``(bars - 1,)``."""
    bars = TuneBars(windows, ALL_PITCHES, steps_per_bar)
    counts = [_repeats_at(bars, lag) for lag in range(1, bars.count)]
    return np.array([part.sum() / max(whole.sum(), 1) for part, whole in counts])


def _alike(melodies: Sequence[Melody]) -> list[tuple[list[int], np.ndarray]]:
    """Melodies of the same meter, grid and number of bars: their places, and their tokens ``(M, T)``."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, melody in enumerate(melodies):
        groups.setdefault((melody.bars, melody.meter, melody.steps_per_quarter), []).append(place)
    return [
        (places, np.stack([ALL_PITCHES.encode(melodies[place].pad_to(0)) for place in places]))
        for places in groups.values()
    ]


@dataclass(frozen=True)
class TuneBars:
    """Windows seen as notes and as bars.

    Notes are in the order of the windows and of time; M is their number, S that of the bars of a window.
    """

    windows: np.ndarray
    vocabulary: Vocabulary
    steps_per_bar: int
    steps_per_quarter: int = 4
    steps_per_beat: int = 4

    @property
    def count(self) -> int:
        """Number of bars of a window."""
        return int(self.windows.shape[1] // self.steps_per_bar)

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """The window and the step of each note: two arrays ``(M,)``."""
        rows, steps = np.nonzero(self.windows >= FIRST_NOTE_ON)
        return rows, steps

    @cached_property
    def pitches(self) -> np.ndarray:
        """MIDI pitch of each note, ``(M,)``."""
        tokens = self.windows[self.places].astype(np.int64)
        return np.asarray(tokens - FIRST_NOTE_ON + self.vocabulary.lowest_pitch)

    @cached_property
    def durations(self) -> np.ndarray:
        """Steps from each note to the next event of its window, ``(M,)``."""
        rows, steps = np.nonzero(self.windows != NO_EVENT)
        ends = np.append(np.where(rows[1:] == rows[:-1], steps[1:], self.windows.shape[1]), self.windows.shape[1])
        is_note = self.windows[rows, steps] >= FIRST_NOTE_ON
        return np.asarray((ends[: len(rows)] - steps)[is_note])

    @cached_property
    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """The window and the semitones of each step from a note to the next one of its window."""
        rows, _ = self.places
        is_next = rows[1:] == rows[:-1]
        return rows[1:][is_next], np.diff(self.pitches)[is_next]

    @cached_property
    def notes(self) -> np.ndarray:
        """Number of notes of each window, ``(N,)``."""
        return self.sums(self.places[0])

    @cached_property
    def first(self) -> np.ndarray:
        """The first note of each window that has one, as its place among all."""
        return np.flatnonzero(np.diff(self.places[0], prepend=-1))

    @cached_property
    def last(self) -> np.ndarray:
        """The last note of each window that has one, as its place among all."""
        return np.flatnonzero(np.diff(self.places[0], append=len(self.windows)))

    @cached_property
    def has_notes(self) -> np.ndarray:
        """Whether each window has notes: 1 or 0, ``(N,)``."""
        return (self.notes > 0).astype(np.float64)

    @cached_property
    def bars(self) -> np.ndarray:
        """The tokens of each bar, ``(N, S, steps)``."""
        return self.windows.reshape(len(self.windows), self.count, self.steps_per_bar)

    @cached_property
    def onsets(self) -> np.ndarray:
        """Number of notes that begin in each bar, ``(N, S)``."""
        return np.asarray((self.bars >= FIRST_NOTE_ON).sum(axis=2))

    @cached_property
    def is_full(self) -> np.ndarray:
        """Whether a note begins in each bar, ``(N, S)``."""
        return self.onsets > 0

    @cached_property
    def exact(self) -> np.ndarray:
        """A number of each bar, the same for the same onsets and pitches, ``(N, S)``."""
        return _numbered(np.where(self.bars >= FIRST_NOTE_ON, self.bars, 0))

    @cached_property
    def rhythms(self) -> np.ndarray:
        """A number of each bar, the same for the same onsets, ``(N, S)``."""
        return _numbered(self.bars >= FIRST_NOTE_ON)

    @cached_property
    def events(self) -> np.ndarray:
        """A number of each bar, the same for the same tokens, ``(N, S)``: ends of notes count, too."""
        return _numbered(self.bars)

    @cached_property
    def keys(self) -> np.ndarray:
        """The triad of the key of each window that has notes, from the tonic up, ``(K, 3)``."""
        bounds = zip(self.first, self.last, strict=True)
        keys = [find_key(self.pitches[a : b + 1], self.durations[a : b + 1]) for a, b in bounds]
        return np.array([key.triad for key in keys if key is not None], np.int64).reshape(-1, 3)

    def sums(self, rows: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        """The sum of values, or their number, over the window that each belongs to, ``(N,)``."""
        return np.bincount(rows, values, len(self.windows)).astype(np.float64)

    def of_tunes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean over windows of values ``(K,)`` of those that have notes."""
        rows = self.places[0][self.first]
        return self.sums(rows, np.asarray(values, np.float64)), self.has_notes


Counts = tuple[np.ndarray, np.ndarray]  # part and whole, (N,)


def _numbered(bars: np.ndarray) -> np.ndarray:
    """A number for each bar of ``(N, S, steps)``, the same for equal bars."""
    rows = np.ascontiguousarray(bars, np.uint8).reshape(-1, bars.shape[2])
    _, numbers = np.unique(rows.view(np.dtype((np.void, rows.shape[1]))).ravel(), return_inverse=True)
    return numbers.reshape(bars.shape[:2])


def _returning(bars: TuneBars, numbers: np.ndarray) -> np.ndarray:
    """Whether each bar ``(N, S)`` lies in a phrase heard before.

    Bars i + L to i + L + 3 do if for some L of 2 to 12 at least three of them equal bars i to i + 3.
    """
    returns = np.zeros(numbers.shape, bool)
    for lag in PHRASE_LAGS:
        alike = (numbers[:, lag:] == numbers[:, :-lag]) & bars.is_full[:, lag:]
        for start in range(alike.shape[1] - PHRASE_BARS + 1):
            is_phrase = alike[:, start : start + PHRASE_BARS].sum(axis=1) >= ALIKE_BARS
            returns[:, start + lag : start + lag + PHRASE_BARS] |= is_phrase[:, None]
    return returns


def _in_phrases(bars: TuneBars, numbers: np.ndarray) -> Counts:
    return _returning(bars, numbers).sum(axis=1), np.full(len(numbers), numbers.shape[1])


def _with_phrases(bars: TuneBars, numbers: np.ndarray) -> Counts:
    return np.asarray(_returning(bars, numbers).any(axis=1)), np.ones(len(numbers))


def _repeats(bars: TuneBars, numbers: np.ndarray) -> Counts:
    """Bars from the second on that equal an earlier one, of those that are not empty."""
    part = np.zeros(len(numbers))
    for bar in range(1, bars.count):
        is_known = (numbers[:, :bar] == numbers[:, bar, None]).any(axis=1)
        part += is_known & bars.is_full[:, bar]
    return part, bars.is_full[:, 1:].sum(axis=1)


def _repeats_at(bars: TuneBars, lag: int) -> Counts:
    if lag >= bars.count:
        return np.zeros(len(bars.windows)), np.zeros(len(bars.windows))
    counted = bars.is_full[:, lag:]
    return ((bars.events[:, lag:] == bars.events[:, :-lag]) & counted).sum(axis=1), counted.sum(axis=1)


def _distinct_rhythms(bars: TuneBars) -> Counts:
    ordered = np.sort(np.where(bars.is_full, bars.rhythms, -1), axis=1)
    is_new = np.diff(ordered, axis=1, prepend=-1) > 0
    return is_new.sum(axis=1), bars.is_full.sum(axis=1)


def _fourgrams(bars: TuneBars) -> Counts:
    rows, _ = bars.places
    if len(rows) < PHRASE_BARS:
        return np.zeros(len(bars.windows)), np.zeros(len(bars.windows))
    classes = np.lib.stride_tricks.sliding_window_view(bars.pitches % OCTAVE, 4)
    is_inside = rows[3:] == rows[:-3]
    grams = rows[3:] * OCTAVE**4 + classes @ (OCTAVE ** np.arange(4))
    distinct = np.unique(grams[is_inside])
    return bars.sums(distinct // OCTAVE**4), bars.sums(rows[3:][is_inside])


def _outside(bars: TuneBars) -> Counts:
    rows, _ = bars.places
    weights = np.zeros((len(bars.windows), OCTAVE))
    np.add.at(weights, (rows, bars.pitches % OCTAVE), 1)
    return bars.notes - (weights @ IN_SCALE.T).max(axis=1), bars.notes


def _range(bars: TuneBars) -> np.ndarray:
    """Highest minus lowest pitch of each window that has notes, semitones ``(K,)``."""
    if not len(bars.first):
        return np.zeros(0)
    return np.maximum.reduceat(bars.pitches, bars.first) - np.minimum.reduceat(bars.pitches, bars.first)


def _ends_on(bars: TuneBars, tones: int) -> np.ndarray:
    return np.asarray((bars.pitches[bars.last, None] % OCTAVE == bars.keys[:, :tones]).any(axis=1))


def _closes(bars: TuneBars) -> Counts:
    steps, durations = bars.places[1][bars.last], bars.durations[bars.last]
    in_last_bar = steps >= (bars.count - 1) * bars.steps_per_bar
    is_weighty = (steps % bars.steps_per_bar % bars.steps_per_beat == 0) & (durations >= bars.steps_per_beat)
    return bars.of_tunes(_ends_on(bars, 1) & in_last_bar & is_weighty)


def _of_notes(bars: TuneBars, is_so: np.ndarray) -> Counts:
    return bars.sums(bars.places[0], is_so.astype(np.float64)), bars.notes


def _of_intervals(bars: TuneBars, is_so: Callable[[np.ndarray], np.ndarray]) -> Counts:
    rows, semitones = bars.intervals
    return bars.sums(rows, is_so(np.abs(semitones)).astype(np.float64)), bars.sums(rows)


def _leaps(bars: TuneBars) -> Counts:
    rows, semitones = bars.intervals
    return bars.sums(rows[np.abs(semitones) > OCTAVE]) > 0, bars.has_notes


def _turns(bars: TuneBars) -> Counts:
    rows, semitones = bars.intervals
    is_pair = (rows[1:] == rows[:-1]) & (semitones[1:] != 0) & (semitones[:-1] != 0)
    is_turn = is_pair & (np.sign(semitones[1:]) != np.sign(semitones[:-1]))
    return bars.sums(rows[1:], is_turn.astype(np.float64)), bars.sums(rows[1:], is_pair.astype(np.float64))


def _phrase_ends(bars: TuneBars) -> Counts:
    """Beats that the last note of each four bars lasts, per four bars that have a note."""
    rows, steps = bars.places
    phrases = rows * bars.count + steps // (PHRASE_BARS * bars.steps_per_bar)
    last = np.flatnonzero(np.diff(phrases, append=-1))
    return bars.sums(rows[last], bars.durations[last] / bars.steps_per_beat), bars.sums(rows[last])


def _unevenness(bars: TuneBars) -> Counts:
    mean = bars.onsets.mean(axis=1, keepdims=True)
    return np.abs(bars.onsets - mean).sum(axis=1), bars.onsets.sum(axis=1)


STATISTICS: dict[str, Callable[[TuneBars], Counts]] = {
    "phrases_exact": lambda bars: _in_phrases(bars, bars.exact),
    "phrases_rhythm": lambda bars: _in_phrases(bars, bars.rhythms),
    "with_phrases_exact": lambda bars: _with_phrases(bars, bars.exact),
    "with_phrases_rhythm": lambda bars: _with_phrases(bars, bars.rhythms),
    "rhythms_per_bar": _distinct_rhythms,
    "notes_per_bar": lambda bars: (bars.notes, np.full(len(bars.windows), bars.count)),
    "long_notes": lambda bars: _of_notes(bars, bars.durations >= LONG_NOTE_QUARTERS * bars.steps_per_quarter),
    "repeats_exact": lambda bars: _repeats(bars, bars.events),
    "repeats_transposed": lambda bars: _repeats(bars, _numbered(bars.vocabulary.normalise(bars.bars))),
    "repeats_rhythm": lambda bars: _repeats(bars, _numbered(np.minimum(bars.bars, FIRST_NOTE_ON))),
    "repeats_1_bar": lambda bars: _repeats_at(bars, 1),
    "repeats_2_bars": lambda bars: _repeats_at(bars, 2),
    "repeats_4_bars": lambda bars: _repeats_at(bars, 4),
    "repeats_8_bars": lambda bars: _repeats_at(bars, 8),
    "fourgrams": _fourgrams,
    "range_semitones": lambda bars: bars.of_tunes(_range(bars)),
    "narrow": lambda bars: bars.of_tunes(_range(bars) < FIFTH),
    "leaps": _leaps,
    "repeated_notes": lambda bars: _of_intervals(bars, lambda semitones: semitones == 0),
    "stepwise": lambda bars: _of_intervals(bars, lambda semitones: (semitones > 0) & (semitones <= SECOND)),
    "wide": lambda bars: _of_intervals(bars, lambda semitones: semitones > FIFTH),
    "turns": _turns,
    "silence": lambda bars: (
        (held(bars.windows) == NO_EVENT).sum(axis=1),
        np.full(len(bars.windows), bars.windows.shape[1]),
    ),
    "empty_bars": lambda bars: ((~bars.is_full).sum(axis=1), np.full(len(bars.windows), bars.count)),
    "off_beat": lambda bars: _of_notes(bars, bars.places[1] % bars.steps_per_bar % bars.steps_per_beat > 0),
    "odd_steps": lambda bars: _of_notes(bars, bars.places[1] % 2 > 0),
    "downbeats": lambda bars: (
        (bars.bars[:, :, 0] >= FIRST_NOTE_ON).sum(axis=1),
        np.full(len(bars.windows), bars.count),
    ),
    "unevenness": _unevenness,
    "phrase_end_beats": _phrase_ends,
    "out_of_scale": _outside,
    "starts_on_triad": lambda bars: bars.of_tunes(
        (bars.pitches[bars.first, None] % OCTAVE == bars.keys).any(axis=1),
    ),
    "ends_on_triad": lambda bars: bars.of_tunes(_ends_on(bars, 3)),
    "ends_on_tonic": lambda bars: bars.of_tunes(_ends_on(bars, 1)),
    "last_note_beats": lambda bars: bars.of_tunes(bars.durations[bars.last] / bars.steps_per_beat),
    "closes": _closes,
}
"""By name, the part and the whole of each window.

- ``phrases_*``: share of bars that lie in a phrase of four bars heard before (see ``_returning``), by onsets and
  pitches (``exact``) or by onsets alone (``rhythm``); ``with_phrases_*``: share of tunes that have one.
- ``rhythms_per_bar``: distinct rhythms (onsets) per bar that is not empty.
- ``notes_per_bar``; ``long_notes``: share of notes of three quarters or more.
- ``repeats_*``: share of bars from the second on, not empty, that repeat an earlier one: the same events at the same
  steps (``exact``), the same in some key (``transposed``), onsets and note offs alike (``rhythm``); or that repeat
  the bar 1, 2, 4 or 8 before.
- ``fourgrams``: distinct runs of four pitch classes per run.
- ``range_semitones``: highest minus lowest pitch; ``narrow``: share of tunes with less than a fifth.
- ``leaps``: share of tunes with an interval of more than an octave.
- ``repeated_notes``, ``stepwise``, ``wide``: share of intervals of none, of a second, of more than a fifth; ``turns``:
  share of pairs of intervals that change direction.
- ``silence``: share of steps at which nothing sounds; ``empty_bars``: share of bars without an onset.
- ``off_beat``, ``odd_steps``: share of notes off the beat and on odd steps of the grid; ``downbeats``: share of bars
  with an onset on their first step; ``unevenness``: mean distance of a bar's notes from their mean, as a share of it.
- ``phrase_end_beats``: beats that the last note of each four bars lasts; ``last_note_beats``: the last one.
- ``out_of_scale``: share of notes outside the scale (major or harmonic minor, any tonic) that fits the tune best.
- ``starts_on_triad``, ``ends_on_triad``, ``ends_on_tonic``: share of tunes whose first or last note is one of the tonic
  triad, or the tonic, the key being found by :func:`~melodyvae.music.keys.find_key`.
- ``closes``: share of tunes whose last note is the tonic, on a beat of the last bar, at least a beat long.
"""
