"""Any source of a melody -> the windows of it that a model takes.

Conventions: a *window* is a melody of exactly the number of bars of the model, on its grid. Bars are counted from 1, as
in a score.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from melodyvae.config import MelodyConfig
from melodyvae.music.feel import Feel
from melodyvae.music.melody import Melody
from melodyvae.music.phrases import Phrase, choose_phrase
from melodyvae.music.regions import ReadMelody, melody_of
from melodyvae.music.tokens import folded
from melodyvae.reading.melodies import read_melody
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.sources import PieceSource
from melodyvae.system.errors import UserError
from melodyvae.system.limits import Limits
from melodyvae.verbs.meters import common_meter

if TYPE_CHECKING:
    from melodyvae.music.notes import Song
    from melodyvae.network.network import MelodyNetwork

MelodySource: TypeAlias = "PieceSource | Melody | ReadMelody"


@dataclass(frozen=True)
class Window:
    """A stretch of somebody's melody that a model can take.

    Attributes:
        melody: as many bars as were asked for, the model's by default.
        first_bar: the bar of the piece that it starts in, from 1.
        last_bar: the bar of the piece that it ends in.
        grid_bar: the bar of the melody, from 0, that it starts at.
        note: what had to be decided, in a sentence for the user; empty if nothing.
        reason: why these bars were chosen; empty if they were asked for, or there are no others.
        lost_bars: the bar of the piece of each note that the grid could not hold.
        moved: how many of the notes began further than a quarter of a step from the grid.
    """

    melody: Melody
    first_bar: int
    last_bar: int
    grid_bar: int
    note: str = ""
    reason: str = ""
    lost_bars: tuple[int, ...] = ()
    moved: int = 0


class WindowError(UserError, ValueError):
    """A melody has no window that the model can take."""


@dataclass(frozen=True)
class Taken:
    """Bars taken from one source of a verb.

    Attributes:
        label: what the sentences call it, such as ``A``.
        path: of its file; None if it is no file.
        found: the melody of the whole piece.
        window: the bars that were taken; None if all were.
    """

    label: str
    path: Path | None
    found: ReadMelody
    window: Window | None = None

    @property
    def melody(self) -> Melody:
        """The bars that were taken."""
        return self.found.melody if self.window is None else self.window.melody

    @cached_property
    def lost_bars(self) -> tuple[int, ...]:
        """The bar of the piece, from 1, of each note that the grid could not hold."""
        return _lost_bars(self.found, 0, self.found.melody.bars) if self.window is None else self.window.lost_bars

    @property
    def moved(self) -> int:
        """Number of notes that began further than a quarter of a step from the grid."""
        return len(self.found.moved_steps) if self.window is None else self.window.moved

    @cached_property
    def feel(self) -> Feel:
        """Feel of the bars that were taken."""
        first_bar = 0 if self.window is None else self.window.grid_bar
        return Feel.of(self.found, first_bar, self.melody.bars)

    @property
    def name(self) -> str:
        """The name of the file, fit to be printed; empty if it is no file."""
        return "".join(sign if sign.isprintable() else "?" for sign in self.path.name) if self.path else ""

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.path.stem if self.path else self.found.melody.name or "melody"


TunesRead: TypeAlias = "dict[tuple[MelodySource, str], ReadMelody]"  # by source and track


def read_tunes(
    tunes: Sequence[tuple[Path, str]], limits: Limits | None = None, repeats: Repeats = "written"
) -> TunesRead:
    """The melodies of files, each given with its track, by file and track; a file is read once, whatever its tracks.

    Raises:
        MidiError, MelodyError: as :func:`melodyvae.reading.melodies.read_melody`.
    """
    found: TunesRead = {}
    songs: dict[Path, Song | None] = {}
    for path, track in dict.fromkeys(tunes):
        found[path, track] = read_melody(songs.get(path) or path, track, limits=limits, repeats=repeats)
        songs[path] = found[path, track].song
    return found


def read_source(
    source: MelodySource,
    config: MelodyConfig,
    track: str = "auto",
    limits: Limits | None = None,
    repeats: Repeats = "written",
    meter: tuple[int, int] | None = None,
) -> ReadMelody:
    """The melody of any source, on the model's grid and in its pitch range; what was read before is taken as it is.

    A piece keeps its meter if the model's bars have room for it; else it gets the model's bars laid over it. With
    ``meter`` it gets bars of that laid over it, beat on beat, unless its own are as long. Notes out of range are moved
    by octaves.
    With ``limits``, a score is read in a process of its own that may not take more time and memory; ``repeats`` are
    those of a score.

    Raises:
        MidiError, MelodyError: as :func:`melodyvae.reading.melodies.read_melody`.
        WindowError: if a ``Melody``, or a ``ReadMelody`` without its piece, lies on another grid than the model's.
    """
    if isinstance(source, ReadMelody):
        found = source
        if found.song is not None and found.melody.steps_per_quarter != config.steps_per_quarter:
            found = melody_of(found.song, found.part_index, None, config.steps_per_quarter)
    elif isinstance(source, Melody):
        if source.steps_per_quarter != config.steps_per_quarter:
            raise WindowError(
                f"the melody has {source.steps_per_quarter} steps per quarter, the model {config.steps_per_quarter}; "
                "write it to a file and give that, or read it on the model's grid"
            )
        found = ReadMelody.of(source)
    else:
        found = read_melody(source, track, None, config.steps_per_quarter, limits, repeats)
    own = found.melody.meter
    wanted = meter or (own if config.room_for(own) else config.meter)
    if Fraction(*wanted) != Fraction(*own):
        if isinstance(source, Melody):
            found = ReadMelody.of(source, wanted)
        elif found.song is not None:
            refitted = melody_of(found.song, found.part_index, wanted, config.steps_per_quarter)
            found = replace(refitted, close_call=found.close_call)
        else:
            raise WindowError("the piece was read with other bars than the model's; read it again with them")
    if found.melody.steps_per_quarter != config.steps_per_quarter:
        raise WindowError("the piece was read on another grid than the model's")
    return replace(found, melody=folded(found.melody))


def take(
    source: MelodySource,
    config: MelodyConfig,
    label: str = "",
    track: str = "auto",
    limits: Limits | None = None,
    repeats: Repeats = "written",
    read: TunesRead | None = None,
) -> Taken:
    """The melody of a source, with all its bars; see :func:`read_source`. What is in ``read`` is not read again."""
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    known = None if path is None or not read else read.get((path, track))
    return Taken(label, path, read_source(known or source, config, track, limits, repeats))


def in_one_meter(taken: Sequence[Taken], sources: Sequence[MelodySource], config: MelodyConfig) -> list[Taken]:
    """Several tunes, from these sources, in the meter that :func:`~melodyvae.verbs.meters.common_meter` gives them."""
    meter = common_meter([one.melody.meter for one in taken])
    return [
        replace(one, found=read_source(source if isinstance(source, Melody) else one.found, config, meter=meter))
        for one, source in zip(taken, sources, strict=True)
    ]


def with_window(taken: Taken, config: MelodyConfig, first_bar: int | None = None, bars: int | None = None) -> Taken:
    """Some bars of a tune; see :func:`pick_window`.

    Raises:
        WindowError: as that, with the name of the tune.
    """
    try:
        return replace(taken, window=pick_window(taken.found, config, first_bar, bars))
    except WindowError as error:
        raise WindowError(f"{taken.name or taken.label or 'the melody'}: {error}") from error


def pick_window(
    found: ReadMelody, config: MelodyConfig, first_bar: int | None = None, bars: int | None = None
) -> Window:
    """The window at bar ``first_bar`` of the piece (from 1), or a phrase: see :mod:`melodyvae.music.phrases`.

    It has ``bars`` bars, those of the model by default. Its tempo is the one in force where it begins. A melody that
    ends before the window does is padded with silence.

    Raises:
        WindowError: if there is no such bar, or no note in the window.
    """
    melody, layout = found.melody, found.layout
    piece_bars = len(layout.bar_starts)
    if first_bar is not None and not 1 <= first_bar <= piece_bars:
        raise WindowError(f"there is no bar {first_bar}: the melody has bars 1 to {piece_bars}")
    bars = bars or config.in_meter(melody.meter).bars
    phrase = Phrase(layout.grid_bar(first_bar), bars) if first_bar is not None else choose_phrase(melody, bars)
    start = phrase.first_bar
    missing = start + bars - melody.bars
    note = ""
    if melody.bars < bars:
        note = f"it has {_bars(melody.bars)}, {bars} are taken: padded with silence"
    elif missing > 0:
        note = f"it ends {_bars(missing)} before the window does: padded with silence"
    window = found.window(start, bars)
    first = layout.piece_bar(start)
    last = max(layout.piece_bar(start + bars) - 1 if missing < 0 else piece_bars, first)
    if not window.notes:
        raise WindowError(f"there is no note in bars {first} to {last}; choose another bar")
    first_step, end_step = start * melody.steps_per_bar, (start + bars) * melody.steps_per_bar
    moved = sum(first_step <= step < end_step for step in found.moved_steps)
    return Window(window, first, last, start, note, phrase.reason, _lost_bars(found, start, bars), moved)


def sounding_bars(melody: Melody) -> tuple[int, int]:
    """The bars, from 0, from the first note on until just after the last one's end; all bars if there is no note."""
    if not melody.notes:
        return 0, melody.bars
    return melody.notes[0].start_step // melody.steps_per_bar, -(-melody.notes[-1].end_step // melody.steps_per_bar)


def windows_of(model: MelodyNetwork, melody: Melody) -> list[Melody]:
    """``melody`` as windows of the model one after the other, the last one padded with silence."""
    bars = model.config.bars
    count = max(-(-melody.bars // bars), 1)
    padded = melody.pad_to(count * bars)
    return [padded.window(index * bars, bars) for index in range(count)]


def _lost_bars(found: ReadMelody, first_bar: int, bars: int) -> tuple[int, ...]:
    """The bar of the piece of each note lost in some bars of the melody (from 0)."""
    of_grid = (step // found.melody.steps_per_bar for step in found.lost_steps)
    return tuple(found.layout.piece_bar(bar) for bar in of_grid if first_bar <= bar < first_bar + bars)


def _bars(count: int) -> str:
    return "1 bar" if count == 1 else f"{count} bars"
