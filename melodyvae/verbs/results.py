"""Results of the verbs of :class:`~melodyvae.vae.MelodyVAE`: melodies, and how they came about.

Conventions: a result is a sequence of its melodies; ``facts`` are values (see :mod:`melodyvae.verbs.facts`), ``sheet``
is what is written and drawn; bars are counted from 1; ``seed`` is None where a generator was given instead.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar, overload

import numpy as np

import melodyvae
from melodyvae.music.feel import KEEP, Feel
from melodyvae.music.frame import Frame
from melodyvae.music.keys import Key, key_of
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import Vocabulary
from melodyvae.options import Options, option_fields
from melodyvae.verbs.facts import CameBack, Changed, Distinct, Fact, Measured, Novelty, Written
from melodyvae.verbs.form import form_of
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.sentences import scores_told, sentences_of
from melodyvae.writing.melody_files import described_names, grid_names, write_melodies
from melodyvae.writing.sheet import Roll, Sheet

if TYPE_CHECKING:
    from melodyvae.music.notes import Part
    from melodyvae.verbs.novelty import NoveltyIndex
    from melodyvae.verbs.scoring import NoteScore, WindowScore
    from melodyvae.verbs.sources import Taken


Parameters = ParamSpec("Parameters")
Made = TypeVar("Made", bound="Result")


@dataclass(frozen=True, kw_only=True, repr=False)
class Result(Sequence[Melody]):
    """Melodies that a verb made.

    Attributes:
        melodies: in order.
        sources: what was taken of each source.
        decisions: what was decided on the way.
        seed: with which the same call gives the same melodies.
        keys: of each melody; None, or none at all, leaves it to the melody's notes.
        made_by: version, verb, options, seed and model, in a line.
    """

    melodies: tuple[Melody, ...]
    sources: tuple[Taken, ...] = field(default=(), compare=False, repr=False)
    decisions: tuple[Fact, ...] = ()
    seed: int | None = None
    keys: tuple[Key | None, ...] = ()
    made_by: str = field(default="", compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.melodies)

    @overload
    def __getitem__(self, index: int) -> Melody: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Melody, ...]: ...
    def __getitem__(self, index: int | slice) -> Melody | tuple[Melody, ...]:
        return self.melodies[index]

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"<{type(self).__name__} of {len(self)} {'melody' if len(self) == 1 else 'melodies'}{seed}>"

    def _repr_html_(self) -> str:
        """HTML for a notebook: the sentences, and each melody's piano roll and player."""
        from melodyvae.writing.notebook import sheet_html

        return sheet_html(self.sheet, self.sentences)

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Measurements."""
        return ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Sources, decisions and measurements."""
        return (*self.sources, *self.decisions, *self.measured)

    @property
    def sentences(self) -> list[str]:
        """The facts in words."""
        return sentences_of(self.facts)

    @property
    def names(self) -> list[str]:
        """The names of the melodies' MIDI files."""
        return [roll.file for roll in self.sheet.written]

    @cached_property
    def sheet(self) -> Sheet:
        """The sheet to write, draw and join."""
        stems = ", ".join(source.stem for source in self.sources)
        title = f"{type(self).__name__}: {stems}" if stems else type(self).__name__
        return Sheet(title, tuple(self._rolls()), self._columns(), self.made_by)

    def _columns(self) -> int | None:
        return None

    def _rolls(self) -> Iterable[Roll]:
        """A roll of each melody, played as the bars of the first source are."""
        feel = self.sources[0].feel if self.sources else None
        known = self.keys or (None,) * len(self)
        keys = [key or key_of(melody) for melody, key in zip(self.melodies, known, strict=True)]
        named = zip(self.melodies, described_names(self.melodies, keys), keys, strict=True)
        return [Roll(melody, str(number), file, feel, key) for number, (melody, file, key) in enumerate(named, start=1)]

    def write(self, folder: str | Path, *, feel: str = KEEP, audio: bool = False, replace: bool = False) -> list[str]:
        """The names of what was written into ``folder``: MIDI files, a picture and, with ``audio``, WAV files.

        With the feel ``keep`` each melody is played as the bars are that it is made of; with ``straight`` on the grid,
        with their loudness; and with a swing, such as ``swing=0.62``.

        Raises:
            FeelError: if there is no such feel.
            OutputExistsError: if a file of one of these names is there already and may not be replaced.
            OSError: if the place cannot be written to.
        """
        return write_melodies(
            Path(folder),
            self.sheet.played(feel),
            self.sentences,
            audio=audio,
            replace=replace,
            inputs=[source.path for source in self.sources if source.path is not None],
        )


def signed(function: Callable[Parameters, Made]) -> Callable[Parameters, Made]:
    """Decorate a verb, so that its result says what made it.

    Such as ``melodyvae 0.1.0: sample(count=2, seed=1) by melody-2bar, revision 1a2b3c4d``, without options at their
    defaults.
    """

    @functools.wraps(function)
    def made(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Made:
        result = function(*arguments, **keywords)
        vae, *_, options = arguments
        assert isinstance(vae, HeldModel)
        assert isinstance(options, Options)
        defaults = {one.name: one.default for one in option_fields(type(options)) if one.name != "seed"}
        given = {name: getattr(options, name) for name in defaults if getattr(options, name) != defaults[name]}
        call = ", ".join(f"{name}={value!r}" for name, value in (given | {"seed": result.seed}).items())
        what = f"{function.__name__.rstrip('_')}({call})"
        return replace(result, made_by=f"melodyvae {melodyvae.__version__}: {what} by {vae.model.signature}")

    return made


@dataclass(frozen=True, kw_only=True, repr=False)
class Samples(Result):
    """New melodies, which may be near-copies of training melodies.

    Attributes:
        known: the index of the training windows; None of a model that came without.
        styles: of each, a name of :data:`melodyvae.music.styles.STYLES` or empty; none at all if none is known.
    """

    known: NoveltyIndex | None = field(default=None, compare=False, repr=False)
    styles: tuple[str, ...] = ()

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """The form of each in letters, such as AABA; see :func:`melodyvae.verbs.form.form_of`."""
        return tuple(form_of(melody) for melody in self.melodies)

    @cached_property
    def beats_known(self) -> tuple[int, ...] | None:
        """Number of beats of each melody shared with the most similar training window, in any key; None if unknown."""
        if self.known is None:
            return None
        tokens = np.stack([Vocabulary().encode(melody) for melody in self.melodies])
        return tuple(self.known.beats_alike(tokens).tolist())

    @property
    def near_copies(self) -> int | None:
        """Number of melodies that are near-copies of a part of a training window; None if unknown."""
        if self.known is None or self.beats_known is None:
            return None
        return sum(beats >= self.known.copied_beats(self.melodies[0].length_steps) for beats in self.beats_known)

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Styles and forms, and similarity to training melodies."""
        written = (Written(self.styles, self.forms),) if self.styles else ()
        if self.known is None:
            return (*written, Novelty(None))
        beats = self.known.comparable_beats(self.melodies[0].length_steps)
        return (*written, Novelty(self.beats_known, beats, self.near_copies or 0))

    def _rolls(self) -> Iterable[Roll]:
        """A roll of each melody, with its style and its form."""
        rolls = super()._rolls()
        if not self.styles:
            return rolls
        words = zip(rolls, self.styles, self.forms, strict=True)
        return [replace(roll, title=" ".join(filter(None, (roll.title, *more)))) for roll, *more in words]


@dataclass(frozen=True, kw_only=True, repr=False)
class Variations(Samples):
    """Melodies near a melody.

    Attributes:
        original: the melody.
        steps_changed: on how many steps of the grid each differs from it.
    """

    original: Melody
    steps_changed: tuple[int, ...]

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Distance from the melody, and similarity to training melodies."""
        changed = Changed(self.steps_changed, self.original.length_steps, self.original.steps_per_quarter)
        (novelty,) = super().measured
        if self.near_copies and self.known is not None and isinstance(novelty, Novelty):
            window = Vocabulary().encode(self.original)[None]
            novelty = replace(novelty, is_near_one=bool(self.known.is_near_copy(window)[0]))
        return changed, novelty

    def _rolls(self) -> Iterable[Roll]:
        rolls = tuple(super()._rolls())
        first = Roll(self.original, "the tune", "", rolls[0].feel, key_of(self.original), is_highlighted=True)
        return first, *rolls


@dataclass(frozen=True, kw_only=True, repr=False)
class Returned(Result):
    """Melodies some of which should be given ones.

    Attributes:
        originals: the given ones, of each source: both ends of a walk, or the corners of a grid.
        steps_right: on how many steps each came back.
    """

    originals: tuple[Melody, ...]
    steps_right: tuple[int, ...]

    @property
    def exact(self) -> tuple[bool, ...]:
        """Whether each came back without any fault."""
        return tuple(
            right == melody.length_steps for right, melody in zip(self.steps_right, self.originals, strict=True)
        )

    @property
    def came_back(self) -> tuple[CameBack, ...]:
        """Share of each that came back."""
        return tuple(
            CameBack(
                taken.label,
                right,
                melody.length_steps,
                melody.steps_per_quarter,
                len(taken.melody.notes),
                len(taken.lost_bars),
                taken.moved,
            )
            for right, melody, taken in zip(self.steps_right, self.originals, self.sources, strict=True)
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Interpolation(Returned):
    """Melodies from one melody to another, both included.

    Attributes:
        distances: from each melody to the next, before the key glides, from 0 (the same) to 1; see
            :mod:`melodyvae.verbs.distance`.
        distinct: how many melodies differ from all before them, before the key glides.
        key_shifts: by how many semitones, -5 to 6, the key of each melody is above the first's.
        backings: what plays with each melody; None if they are alone.
    """

    distances: tuple[float, ...]
    distinct: int
    key_shifts: tuple[int, ...]
    backings: tuple[tuple[Part, ...], ...] | None = field(default=None, compare=False, repr=False)

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Whether the ends came back, and how even the way is."""
        return (*self.came_back, Distinct(self.distinct, len(self), self.distances))

    def _rolls(self) -> Iterable[Roll]:
        """From A to B, played from A's feel to B's; over A's accompaniment all have A's swing and delay."""
        titles = ["A", *(str(index) for index in range(2, len(self))), "B"]
        feels = [source.feel for source in self.sources]
        if self.backings is not None:
            feels = [replace(feel, swing=feels[0].swing, delay_quarters=feels[0].delay_quarters) for feel in feels]
        shares = np.linspace(0, 1, len(self))
        backings = self.backings or (None,) * len(self)
        rolls = zip(super()._rolls(), titles, shares, backings, strict=True)
        for roll, title, share, backing in rolls:
            feel = Feel.mixed(feels, np.array([1 - share, share]))
            yield replace(roll, title=title, feel=feel, backing=backing, is_highlighted=title in ("A", "B"))


@dataclass(frozen=True, kw_only=True, repr=False)
class Morph(Result):
    """A melody with its character moved, little by little.

    Attributes:
        original: the melody.
        measures: of each attribute, in its own unit: of the melody, of the first and of the last one written, and what
            was asked for (None if it is to stay).
    """

    original: Melody
    measures: dict[str, tuple[float, float, float, float | None]] = field(compare=False)

    @property
    def measured(self) -> tuple[Fact, ...]:
        """The attributes."""
        return (Measured(self.measures),)

    def _rolls(self) -> Iterable[Roll]:
        """From the melody as it is to the one that is moved."""
        first, *between, last = super()._rolls()
        first, last = (
            replace(roll, title=title, is_highlighted=True) for roll, title in ((first, "as it is"), (last, "moved"))
        )
        return first, *between, last


@dataclass(frozen=True, kw_only=True, repr=False)
class Grid(Returned):
    """Rows of melodies between four: top left, top right, bottom left, bottom right."""

    @property
    def size(self) -> int:
        """Number of rows and number of columns."""
        return math.isqrt(len(self.melodies))

    @property
    def rows(self) -> tuple[tuple[Melody, ...], ...]:
        """The melodies, row by row."""
        return tuple(self.melodies[start : start + self.size] for start in range(0, len(self), self.size))

    @property
    def distinct(self) -> int:
        """Number of melodies that differ from all before them."""
        return len({melody.notes for melody in self.melodies})

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Whether the corners came back, and how many melodies there are."""
        return (*self.came_back, Distinct(self.distinct, len(self)))

    def _columns(self) -> int:
        return self.size

    def _rolls(self) -> Iterable[Roll]:
        """The corners are played as their own sources are, and what is between them as all four."""
        from melodyvae.verbs.variation import grid_shares

        feels = [source.feel for source in self.sources]
        for roll, file, shares in zip(super()._rolls(), grid_names(self.size), grid_shares(self.size), strict=True):
            yield replace(roll, file=file, feel=Feel.mixed(feels, shares))


@dataclass(frozen=True, kw_only=True, repr=False)
class Arithmetic(Result):
    """A sum of melodies.

    Attributes:
        terms: the melodies that were added up.
        signs: of each, 1 or -1.
    """

    terms: tuple[Melody, ...]
    signs: tuple[int, ...]

    @property
    def melody(self) -> Melody:
        """The sum."""
        return self.melodies[0]

    def _rolls(self) -> Iterable[Roll]:
        """The terms and the sum."""
        for index, (term, sign, source) in enumerate(zip(self.terms, self.signs, self.sources, strict=True)):
            letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26]
            yield Roll(term, f"{'+' if sign > 0 else '-'} {letter}", "", source.feel, key_of(term))
        (total,) = super()._rolls()
        yield replace(total, title="result", file="result.mid")


@dataclass(frozen=True, kw_only=True, repr=False)
class Completion(Result):
    """A melody with bars of it filled in anew, or added.

    Attributes:
        original: the melody, from the first bar of its piece.
        hidden: the bars of the melodies that are new, from 1.
    """

    original: Melody
    hidden: tuple[int, ...]

    def _rolls(self) -> Iterable[Roll]:
        """The melody, and the same with its new bars, in their places in the piece."""
        (source,) = self.sources
        feel = Feel.of(source.found, 0, self.original.bars)
        frame = Frame.of(source.found, 0, self[0].bars)
        yield Roll(self.original, source.stem, "", feel, is_highlighted=True, is_joined=False)
        for roll in super()._rolls():
            yield replace(roll, feel=feel, frame=frame)


@dataclass(frozen=True, kw_only=True, repr=False)
class Reconstruction(Returned):
    """Melodies as the model remembers them."""

    @property
    def melody(self) -> Melody:
        """The first one."""
        return self.melodies[0]

    @property
    def measured(self) -> tuple[Fact, ...]:
        """Share of each that came back."""
        found = zip(self.came_back, self.sources, strict=True)
        return tuple(replace(fact, label=source.name or "the melody", is_walked=False) for fact, source in found)

    def _rolls(self) -> Iterable[Roll]:
        """Each melody above what came back; nothing is joined, as they are of different lengths and tempi."""
        for source, original, melody in zip(self.sources, self.originals, self.melodies, strict=True):
            frame = Frame.of(source.found, 0, melody.bars)
            yield Roll(original, source.stem, "", source.feel, is_joined=False)
            yield Roll(melody, "came back", f"{source.stem}.mid", source.feel, source.found.key, frame, is_joined=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class Scores(Sequence["WindowScore"]):
    """Scores: how unusual the windows and the notes of a melody are to the model.

    Attributes:
        windows: a bar apart; those without notes are left out. Their bars are those of the piece, from 1.
        source: what was scored.
        is_ranked: whether the model came with the scores of held-out windows to compare with.
        judge: the name of the model that judged the notes by the whole tune; empty if each window was judged alone.
    """

    windows: tuple[WindowScore, ...]
    source: Taken = field(compare=False, repr=False)
    is_ranked: bool
    judge: str = ""

    def __len__(self) -> int:
        return len(self.windows)

    @overload
    def __getitem__(self, index: int) -> WindowScore: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[WindowScore, ...]: ...
    def __getitem__(self, index: int | slice) -> WindowScore | tuple[WindowScore, ...]:
        return self.windows[index]

    def __repr__(self) -> str:
        return f"<Scores of {len(self)} windows, {len(self.doubtful)} doubtful notes>"

    @property
    def doubtful(self) -> tuple[NoteScore, ...]:
        """The notes that have a much likelier pitch near them, or lie outside the melody's scale, in order."""
        found: dict[tuple[int, float], NoteScore] = {}
        for window in self.windows:
            for note in window.notes:
                if note.is_doubtful:
                    found.setdefault((note.bar, note.beat), note)
        return tuple(found[place] for place in sorted(found))

    @property
    def sentences(self) -> list[str]:
        """Sentences about the source, every window and every doubtful note."""
        return scores_told(self, every=True)
