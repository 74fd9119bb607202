"""A piece -> the token windows of its tracks, by stated rules.

A window is left out if an onset in it lies off the grid, if it has fewer notes than bars, or if more than a bar of it
in a row is silent. In a track that has few onsets off the grid (ornaments) these are moved to it instead. A shuffle is
laid straight, and a track that is late as a whole is taken on the beat, as for generation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import get_args

import numpy as np

from data_prep.ledger import meter_reason
from melodyvae.music.bars import bar_within, lay
from melodyvae.music.feel import NO_SWING
from melodyvae.music.keys import key_of_piece, parse_tonic
from melodyvae.music.layout import alike
from melodyvae.music.melody import legato_line
from melodyvae.music.notes import Part, Song
from melodyvae.music.regions import Region, find_regions, lay_out_part, usual_meter
from melodyvae.music.styles import OPEN, style_code
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary, fold_line, held
from melodyvae.music.voice import AUTO, DrumsOnlyError, NoNotesError, choose_part
from melodyvae.reading.repeats import Repeats
from melodyvae.system.errors import UserError

ALL_TRACKS = "all"
ANY_METER = "any"
TRIPLET_STEPS_PER_QUARTER = 12


class PrepError(UserError, ValueError):
    """A dataset cannot be made; the message gives the reasons."""


@dataclass(frozen=True)
class PrepOptions:
    """Options that define a window.

    Attributes:
        bars: in a window.
        steps_per_quarter: the grid.
        meter: such as ``"4/4"`` (2/2 counts as it), or ``"any"``: bars of 4/4 laid over every piece. Several, such as
            ``"4/4,3/4,6/8,12/8"``, take pieces of each, whose bars are laid into the first places of the first one's,
            as :func:`~melodyvae.music.bars.bar_within` says.
        track: ``auto``, ``all``, a number (from 1) or a name.
        stride_bars: from one window's start to the next one's.
        fold: two bars of half the meter, such as 2/4, are taken as one.
        legato: a note that ends less than a quarter before the next one begins is held until then.
        key: each track is moved, by at most six semitones, to this major key or to its relative minor: ``"C"`` is C
            major or A minor. Empty leaves all in their keys.
        notes_a_bar: the least mean number of notes per bar in a window.
        phases: how many evenly spaced places of a bar a window may begin at; 1 is the bar line alone.
        speeds: each piece is read at each of them: at 2 all notes are half as long, and a window holds twice as many
            bars of the piece.
        off_grid: the share of a track's onsets that may lie off the grid: if it has no more, they are moved to the
            nearest step. The windows with such notes in a track with more are left out.
        repeats: for scores: ``written`` takes every bar once, ``play`` as often as it is played.
        styles: pairs of a folder's name and the style of the tunes below it, which otherwise their names say.
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
    phases: int = 1
    speeds: tuple[int, ...] = (1,)
    off_grid: float = 0.05
    repeats: Repeats = "written"
    styles: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.key:
            try:
                parse_tonic(self.key)
            except ValueError as error:
                raise PrepError(f"key: {error}") from error
        if self.repeats not in get_args(Repeats):
            raise PrepError(f"repeats is {self.repeats!r}; it must be one of {', '.join(get_args(Repeats))}")
        for name in ("bars", "steps_per_quarter", "stride_bars", "phases"):
            if getattr(self, name) < 1:
                raise PrepError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.notes_a_bar >= 0:
            raise PrepError(f"notes_a_bar is {self.notes_a_bar}; it must be at least 0")
        if not 0 <= self.off_grid <= 1:
            raise PrepError(f"off_grid is {self.off_grid}; it must lie between 0 and 1")
        if not self.speeds or min(self.speeds) < 1 or len(set(self.speeds)) < len(self.speeds):
            raise PrepError(f"speeds are {self.speeds}; they must be different whole numbers of at least 1")
        for speed in self.speeds:
            if self.steps_per_quarter % speed:
                raise PrepError(
                    f"at {speed} times the speed a quarter has no whole number of the grid's "
                    f"{self.steps_per_quarter} steps; speeds must divide them"
                )
            steps_per_bar = self._steps_of_bar(*self.bar_meter, speed)
            if steps_per_bar % self.phases:
                raise PrepError(
                    f"a bar of {steps_per_bar} steps has no {self.phases} evenly spaced places; phases must divide it"
                )
        first, *_ = self.meter.split(",")
        for meter in self.meters or ():
            if bar_within(meter, self.steps_per_quarter, self.steps_per_bar) is None:
                raise PrepError(f"a bar of {meter[0]}/{meter[1]} does not fit a bar of {first}; name the longest first")
            if self.speeds != (1,) and self._steps_of_bar(*meter) % self.steps_per_bar:
                raise PrepError("speeds other than 1 need bars of one length; name one meter")
        for _, style in self.styles:
            style_code(style)

    @cached_property
    def meters(self) -> tuple[tuple[int, int], ...] | None:
        """The meters of the pieces that are taken; None is any."""
        if self.meter == ANY_METER:
            return None
        return tuple(_parse_meter(name, self.meter) for name in self.meter.split(","))

    @cached_property
    def bar_meter(self) -> tuple[int, int]:
        """The meter of a window's bars."""
        return self.meters[0] if self.meters else (4, 4)

    def bar_of(self, meter: tuple[int, int]) -> tuple[tuple[int, int], int]:
        """The meter and the grid of a window's bars, of pieces in ``meter``."""
        return bar_within(meter, self.steps_per_quarter, self.steps_per_bar) or (self.bar_meter, self.steps_per_quarter)

    def at_speed(self, speed: int) -> PrepOptions:
        """The options that read a piece at one of the speeds; the windows have as many steps."""
        steps_per_quarter = self.steps_per_quarter // speed
        return replace(self, steps_per_quarter=steps_per_quarter, bars=self.bars * speed, speeds=(1,))

    def _steps_of_bar(self, numerator: int, denominator: int, speed: int = 1) -> int:
        steps = 4 * numerator * self.steps_per_quarter // speed
        if steps % denominator:
            at = "" if speed == 1 else f" at {speed} times the speed"
            raise PrepError(
                f"a bar of {numerator}/{denominator} is not a whole number of steps "
                f"at {self.steps_per_quarter} per quarter{at}"
            )
        return steps // denominator

    @cached_property
    def steps_per_bar(self) -> int:
        """Grid steps in one bar."""
        return self._steps_of_bar(*self.bar_meter)

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
        first_bars: uint32 ``(N,)``, the bar of the piece that each begins in, from 0.
        phases: uint16 ``(N,)``, how many steps after that bar's beginning each begins.
        meters: uint8 ``(N, 2)``, of the bars of each: one laid into a longer bar is 3/4, or 12/8 as two of 6/8.
        reason: empty if there are windows.
        number: what decided: the bars in a row for ``too_short``, the share of onsets for ``off_grid``.
        left_out: windows by reason.
        key: that it was in, if it was asked for.
        shift: by how many semitones it was moved.
        speed: at which it was read.
        moved_to_grid: number of onsets that were moved to the grid.
        swing: position within a quarter of the second eighths that were laid straight; 0.5 if none were.
        delay: delay of all its notes, in quarters, that was removed.
        style: its code; see :mod:`melodyvae.music.styles`.
    """

    track: int
    name: str
    tokens: np.ndarray
    first_bars: np.ndarray
    phases: np.ndarray
    meters: np.ndarray
    reason: str = ""
    number: float | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    key: str = ""
    shift: int = 0
    speed: int = 1
    moved_to_grid: int = 0
    swing: float = NO_SWING
    delay: float = 0.0
    style: int = OPEN


def cut_windows(song: Song, options: PrepOptions, style: int = OPEN) -> list[TrackWindows]:
    """The windows of each track that was asked for, once for each speed.

    The style, a code, is that of the tune: of all tracks, the others are parts of a score.

    Raises:
        MelodyError: if there is nothing to choose from, or no such track.
    """
    indices = _part_indices(song, options.track)
    tune = choose_part(song, AUTO) if style and options.track == ALL_TRACKS else None
    at_speeds = [(speed, options.at_speed(speed)) for speed in options.speeds]
    return [
        replace(
            _track_windows(song, index, reading),
            speed=speed,
            style=style if tune in (None, index) else style_code("part"),
        )
        for index in indices
        for speed, reading in at_speeds
    ]


def _parse_meter(name: str, of: str) -> tuple[int, int]:
    numerator, slash, denominator = name.strip().partition("/")
    if not (slash and numerator.isdecimal() and denominator.isdecimal() and int(numerator) and int(denominator)):
        raise PrepError(f"meter is {of!r}; it must be such as 4/4, 3/4 or 6/8, several of them, or any")
    return int(numerator), int(denominator)


def _part_indices(song: Song, track: str) -> list[int]:
    if track != ALL_TRACKS:
        return [choose_part(song, track)]
    if not song.parts:
        raise NoNotesError("there is no note in it")
    pitched = [index for index, part in enumerate(song.parts) if not part.is_drum]
    if not pitched:
        raise DrumsOnlyError("it has only drums")
    return pitched


def _track_windows(song: Song, index: int, options: PrepOptions) -> TrackWindows:
    part = song.parts[index]
    if options.meters is None:
        regions = find_regions(song, index, options.steps_per_quarter, None, options.fold)
    else:
        regions = [
            region
            for meter in options.meters
            for region in find_regions(song, index, options.bar_of(meter)[1], meter, options.fold)
        ]
    key, shift = _key_and_shift(song, index, options) if regions else ("", 0)
    if shift:
        regions = [replace(region, line=region.line + np.array([0, 0, shift, 0])) for region in regions]
    left_out: Counter[str] = Counter()
    onsets = sum(len(region.line) for region in regions)
    off_grid = sum(len(region.off_grid_steps) for region in regions)
    ornamented = 0
    if off_grid <= options.off_grid * onsets:
        ornamented = off_grid
        regions = [replace(region, off_grid_steps=frozenset()) for region in regions]
    region_windows = [_windows_of(region, options, left_out) for region in regions]
    tokens = np.concatenate([np.empty((0, options.steps), np.uint8), *(rows for rows, *_ in region_windows)])
    first_bars = np.concatenate([np.empty(0, np.uint32), *(bars for _, bars, *_ in region_windows)])
    phases = np.concatenate([np.empty(0, np.uint16), *(steps for _, _, steps, _ in region_windows)])
    meters = np.concatenate([np.empty((0, 2), np.uint8), *(meters for *_, meters in region_windows)])
    reason, number = ("", None) if len(tokens) else _why_none(song, part, regions, options, left_out)
    counts = {name: count for name, count in left_out.items() if count}
    return TrackWindows(
        index,
        part.name,
        tokens,
        first_bars,
        phases,
        meters,
        reason,
        number,
        counts,
        key,
        shift,
        moved_to_grid=ornamented,
        swing=max((region.swing for region in regions), default=NO_SWING),
        delay=next((region.delay_quarters for region in regions), 0.0),
    )


def _key_and_shift(song: Song, index: int, options: PrepOptions) -> tuple[str, int]:
    """The key of a track's piece, and the semitones that bring it to the one that is asked for."""
    key = key_of_piece(song, index) if options.key else None
    return (str(key), key.shift_to(parse_tonic(options.key))) if key else ("", 0)


def _why_none(
    song: Song, part: Part, regions: Sequence[Region], options: PrepOptions, left_out: Counter[str]
) -> tuple[str, float | None]:
    if not regions:
        meter = usual_meter(part, song.bars())
        if options.meter == ANY_METER or alike(meter) in map(alike, options.meters or ()):
            return "too_short", 0  # its notes are in bars that signatures cut short
        return meter_reason(*meter), None
    longest = max(region.frame.length_steps // options.steps_per_bar for region in regions)
    if longest < options.bars:
        meter = usual_meter(part, song.bars())  # a waltz with a stray bar of 4/4 is a waltz
        is_stray = options.meters is not None and alike(meter) not in map(alike, options.meters) and not options.fold
        return (meter_reason(*meter), None) if is_stray else ("too_short", longest)
    if left_out["off_grid"] > left_out["sparse"] + left_out["silence"]:
        off = lay_out_part(song, part, options.bar_meter, options.steps_per_quarter).place_notes(part).is_off_grid
        twelfths = part.starts[off] * TRIPLET_STEPS_PER_QUARTER
        has_triplets = len(twelfths) > 0 and float((np.abs(twelfths - np.round(twelfths)) < 0.1).mean()) > 0.8
        return ("triplets" if has_triplets else "off_grid"), round(float(off.mean()), 3)
    return "no_window", None


def _windows_of(
    region: Region, options: PrepOptions, left_out: Counter[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The windows of a region that pass the rules, ``(N, T)``; the bar of the piece that each begins in, ``(N,)``; how
    many steps after that bar's beginning, ``(N,)``; and the meter of each one's bars, ``(N, 2)``.
    """
    vocabulary = Vocabulary()
    meter = region.frame.meter if options.meters else options.bar_meter
    (numerator, denominator), grid = options.bar_of(meter)
    places = 4 * numerator * grid // denominator
    halves = meter[0] // numerator  # two where a bar of the piece is two of the window
    steps = options.bars * places
    line = fold_line(region.line)
    if options.legato:
        line = legato_line(line, grid)
    tokens = vocabulary.encode_line(line, region.frame.length_steps)
    bar_starts = np.arange(0, len(tokens) - steps + 1, options.stride_bars * halves * places)
    first_steps = (bar_starts[:, None] + np.arange(0, places, max(places // options.phases, 1))).ravel()
    first_steps = first_steps[first_steps <= len(tokens) - steps]
    of_piece = np.searchsorted(region.bar_steps, first_steps, "right") - 1
    bars = (region.first_bar + of_piece).astype(np.uint32)
    phases = (first_steps - region.bar_steps[of_piece]).astype(np.uint16)
    meters = np.full((len(first_steps), 2), (numerator, denominator), np.uint8)
    if not len(first_steps):
        return np.empty((0, options.steps), np.uint8), bars, phases, meters
    rows = vocabulary.windows(tokens, first_steps, steps)
    is_silent_step = held(tokens) == NO_EVENT
    begins_silence = np.zeros(len(tokens), dtype=bool)  # of more than a bar
    begins_silence[: len(tokens) - places] = _sums(is_silent_step, places + 1) == places + 1
    is_silent = _sums(begins_silence, max(steps - places, 0))[first_steps] > 0
    is_sparse = (rows >= FIRST_NOTE_ON).sum(axis=1) < options.notes_a_bar * options.bars
    is_off_grid = np.zeros(len(first_steps), dtype=bool)
    if region.off_grid_steps:
        off_grid = np.zeros(len(tokens), dtype=bool)
        off_grid[[step for step in region.off_grid_steps if step < len(tokens)]] = True
        is_off_grid = _sums(off_grid, steps)[first_steps] > 0
    left_out["off_grid"] += int(is_off_grid.sum())
    left_out["sparse"] += int((is_sparse & ~is_off_grid).sum())
    left_out["silence"] += int((is_silent & ~is_sparse & ~is_off_grid).sum())
    keep = ~(is_off_grid | is_sparse | is_silent)
    return lay(rows[keep], places, options.steps_per_bar), bars[keep], phases[keep], meters[keep]


def _sums(of: np.ndarray, steps: int) -> np.ndarray:
    """The number of true values in each run of ``steps`` booleans of ``(T,)``: ``(T - steps + 1,)``."""
    before = np.zeros(len(of) + 1, dtype=np.int32)
    np.cumsum(of, out=before[1:])
    return np.asarray(before[steps:] - before[: len(before) - steps])
