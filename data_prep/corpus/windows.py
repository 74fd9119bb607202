"""A piece -> the token windows of its tracks: which windows are taken, by stated rules.

A window is left out if an onset in it lies off the grid, if it has fewer notes than bars, or if more than a bar of it
in a row is silent.

Contents: :class:`PrepOptions`, :class:`PrepError`; :func:`cut_windows`, :class:`TrackWindows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from data_prep.corpus.ledger import meter_reason
from data_prep.melodies.keys import find_key, parse_tonic
from data_prep.melodies.layout import alike
from data_prep.melodies.regions import Region, find_regions, usual_meter
from data_prep.melodies.voice import AUTO, DrumsOnlyError, NoNotesError, choose_part
from data_prep.melody import fold_line, legato_line
from data_prep.reading.notes import Part, Song
from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary

ALL_TRACKS = "all"
ANY_METER = "any"
TRIPLET_STEPS_PER_QUARTER = 12


class PrepError(ValueError):
    """A dataset cannot be made; the message gives the reasons."""


@dataclass(frozen=True)
class PrepOptions:
    """What a window is.

    Attributes:
        bars: in a window.
        steps_per_quarter: the grid.
        meter: such as ``"4/4"`` (2/2 counts as it), or ``"any"``: bars of 4/4 laid over every piece.
        track: ``auto``, ``all``, a number (from 1) or a name.
        stride_bars: from one window's start to the next one's.
        fold: two bars of half the meter, such as 2/4, are taken as one.
        legato: a note that ends less than a quarter before the next one begins is held until then.
        key: each track is moved, by at most six semitones, to this major key or to its relative minor: ``"C"`` is C
            major or A minor. Empty leaves all in their keys.
        notes_a_bar: a window has at least so many on the mean.
    """

    bars: int = 2
    steps_per_quarter: int = 4
    meter: str = "4/4"
    track: str = AUTO
    stride_bars: int = 1
    fold: bool = False
    legato: bool = False
    key: str = ""
    notes_a_bar: float = 1.0

    def __post_init__(self) -> None:
        if self.key:
            try:
                parse_tonic(self.key)
            except ValueError as error:
                raise PrepError(f"key: {error}") from error
        for name in ("bars", "steps_per_quarter", "stride_bars"):
            if getattr(self, name) < 1:
                raise PrepError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.notes_a_bar >= 0:
            raise PrepError(f"notes_a_bar is {self.notes_a_bar}; it must be at least 0")
        numerator, denominator = self.bar_meter
        if 4 * numerator * self.steps_per_quarter % denominator:
            raise PrepError(f"a bar of {self.meter} is no whole number of steps at {self.steps_per_quarter} a quarter")

    @cached_property
    def bar_meter(self) -> tuple[int, int]:
        """The meter of a window's bars."""
        if self.meter == ANY_METER:
            return (4, 4)
        numerator, slash, denominator = self.meter.partition("/")
        if not (slash and numerator.isdecimal() and denominator.isdecimal() and int(numerator) and int(denominator)):
            raise PrepError(f"meter is {self.meter!r}; it must be such as 4/4, 3/4 or 6/8, or any")
        return int(numerator), int(denominator)

    @cached_property
    def steps_per_bar(self) -> int:
        """Grid steps in one bar."""
        numerator, denominator = self.bar_meter
        return 4 * numerator * self.steps_per_quarter // denominator

    @property
    def steps(self) -> int:
        """Grid steps in one window (T)."""
        return self.bars * self.steps_per_bar


@dataclass(frozen=True)
class TrackWindows:
    """The windows of one track, or the reason why it has none.

    Attributes:
        track: from 0.
        name: the track's.
        tokens: uint8 ``(N, T)``.
        first_bars: uint32 ``(N,)``, the bar of the piece that each begins at, from 0.
        reason: empty if there are windows.
        number: what decided: the bars in a row for ``too_short``, the share of onsets for ``off_grid``.
        left_out: windows by reason.
        key: that it was in, if it was asked for.
        shift: by how many semitones it was moved.
    """

    track: int
    name: str
    tokens: np.ndarray
    first_bars: np.ndarray
    reason: str = ""
    number: float | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    key: str = ""
    shift: int = 0


def cut_windows(song: Song, options: PrepOptions) -> list[TrackWindows]:
    """The windows of each track that was asked for.

    Raises:
        MelodyError: if there is nothing to choose from, or no such track.
    """
    return [_track_windows(song, index, options) for index in _part_indices(song, options.track)]


def _part_indices(song: Song, track: str) -> list[int]:
    if track != ALL_TRACKS:
        return [choose_part(song, track)]
    if not song.parts:
        raise NoNotesError("there is no note in it")
    pitched = [index for index, part in enumerate(song.parts) if not part.is_drum]
    if not pitched:
        raise DrumsOnlyError("all its notes are drums")
    return pitched


def _track_windows(song: Song, index: int, options: PrepOptions) -> TrackWindows:
    part = song.parts[index]
    meter = None if options.meter == ANY_METER else options.bar_meter
    regions = find_regions(song, index, options.steps_per_quarter, meter, options.fold)
    key, shift = _key_and_shift(regions, options)
    if shift:
        regions = [replace(region, line=region.line + np.array([0, 0, shift, 0])) for region in regions]
    left_out: Counter[str] = Counter()
    pairs = [_windows_of(region, options, left_out) for region in regions]
    tokens = np.concatenate([np.empty((0, options.steps), np.uint8), *(rows for rows, _ in pairs)])
    first_bars = np.concatenate([np.empty(0, np.uint32), *(bars for _, bars in pairs)])
    reason, number = ("", None) if len(tokens) else _why_none(song, part, regions, options, left_out)
    counts = {name: count for name, count in left_out.items() if count}
    return TrackWindows(index, part.name, tokens, first_bars, reason, number, counts, key, shift)


def _key_and_shift(regions: Sequence[Region], options: PrepOptions) -> tuple[str, int]:
    """The key of a track, and the semitones that bring it to the one that is asked for."""
    if not options.key or not regions:
        return "", 0
    line = np.concatenate([region.line for region in regions])
    key = find_key(line[:, 2], line[:, 1] - line[:, 0])
    return (str(key), key.shift_to(parse_tonic(options.key))) if key else ("", 0)


def _why_none(
    song: Song, part: Part, regions: Sequence[Region], options: PrepOptions, left_out: Counter[str]
) -> tuple[str, float | None]:
    if not regions:
        meter = usual_meter(part, song.bars())
        if options.meter == ANY_METER or alike(meter) == alike(options.bar_meter):
            return "too_short", 0  # its notes are in bars that signatures cut short
        return meter_reason(*meter), None
    longest = max(region.frame.length_steps // options.steps_per_bar for region in regions)
    if longest < options.bars:
        return "too_short", longest
    if left_out["off_grid"] > left_out["sparse"] + left_out["silence"]:
        steps = part.starts * options.steps_per_quarter
        off = np.abs(steps - np.round(steps)) > 0.25
        twelfths = part.starts[off] * TRIPLET_STEPS_PER_QUARTER
        has_triplets = len(twelfths) > 0 and float((np.abs(twelfths - np.round(twelfths)) < 0.1).mean()) > 0.8
        return ("triplets" if has_triplets else "off_grid"), round(float(off.mean()), 3)
    return "no_window", None


def _windows_of(region: Region, options: PrepOptions, left_out: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """The windows of a region that pass the rules, ``(N, T)``, and the bar of the piece each begins at, ``(N,)``."""
    vocabulary = Vocabulary()
    steps_per_bar, steps = options.steps_per_bar, options.steps
    line = fold_line(region.line, vocabulary.lowest_pitch, vocabulary.highest_pitch)
    if options.legato:
        line = legato_line(line, options.steps_per_quarter)
    tokens = vocabulary.encode_line(line, region.frame.length_steps)
    bars = np.arange(0, len(tokens) // steps_per_bar - options.bars + 1, options.stride_bars)
    if not len(bars):
        return np.empty((0, steps), np.uint8), bars.astype(np.uint32)
    first_steps = bars * steps_per_bar
    rows = vocabulary.windows(tokens, first_steps, steps)
    is_silent_step = vocabulary.held(tokens) == NO_EVENT
    begins_silence = np.zeros(len(tokens), dtype=bool)  # of more than a bar
    begins_silence[: len(tokens) - steps_per_bar] = _sums(is_silent_step, steps_per_bar + 1) == steps_per_bar + 1
    is_silent = _sums(begins_silence, max(steps - steps_per_bar, 0))[first_steps] > 0
    is_sparse = (rows >= FIRST_NOTE_ON).sum(axis=1) < options.notes_a_bar * options.bars
    is_off_grid = np.zeros(len(bars), dtype=bool)
    if region.off_grid_steps:
        off_grid = np.zeros(len(tokens), dtype=bool)
        off_grid[[step for step in region.off_grid_steps if step < len(tokens)]] = True
        is_off_grid = _sums(off_grid, steps)[first_steps] > 0
    left_out["off_grid"] += int(is_off_grid.sum())
    left_out["sparse"] += int((is_sparse & ~is_off_grid).sum())
    left_out["silence"] += int((is_silent & ~is_sparse & ~is_off_grid).sum())
    keep = ~(is_off_grid | is_sparse | is_silent)
    return rows[keep], (region.first_bar + bars[keep] * region.folded_bars).astype(np.uint32)


def _sums(of: np.ndarray, steps: int) -> np.ndarray:
    """How many of each so many booleans in a row are true: of ``(T,)``, ``(T - steps + 1,)``."""
    before = np.zeros(len(of) + 1, dtype=np.int32)
    np.cumsum(of, out=before[1:])
    return np.asarray(before[steps:] - before[: len(before) - steps])
