"""Results of the verbs of :class:`~melodyvae.vae.MelodyVAE`: melodies, and how they came about.

Conventions: a result is a sequence of its melodies; ``decisions`` are sentences for the user, ``sentences`` are these
and what was measured; bars are counted from 1; ``seed`` is None where a generator was given instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from melodyvae.music.feel import KEEP, NO_SWING, Feel, parse_feel
from melodyvae.music.frame import Frame
from melodyvae.music.keys import Key, key_of
from melodyvae.music.melody import Melody, pitch_name
from melodyvae.music.tokens import Vocabulary
from melodyvae.writing.melody_files import described_names, grid_names, write_melodies

if TYPE_CHECKING:
    from melodyvae.music.notes import Part
    from melodyvae.verbs.novelty import NoveltyIndex
    from melodyvae.verbs.scoring import NoteScore, WindowScore
    from melodyvae.verbs.sources import Taken

MAX_SCORES = 16  # bars, and notes, that are told one by one of a tune
MAX_UNUSUAL = 5  # bars that are told of a tune with more
MAX_NAMED = 16  # melodies whose novelty is told one by one


@dataclass(frozen=True, kw_only=True, repr=False)
class Result(Sequence[Melody]):
    """Melodies that a verb made.

    Attributes:
        melodies: in order.
        sources: what was taken of each source.
        decisions: what was decided on the way, a sentence each.
        seed: with which the same call gives the same melodies.
        key: of all melodies; None leaves it to each melody's notes.
    """

    melodies: tuple[Melody, ...]
    sources: tuple[Taken, ...] = field(default=(), compare=False, repr=False)
    decisions: tuple[str, ...] = ()
    seed: int | None = None
    key: Key | None = None

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
        from melodyvae.writing.notebook import melodies_html

        return melodies_html(self.rolls, self.sentences)

    @property
    def title(self) -> str:
        """Title: the results and their sources."""
        stems = ", ".join(source.stem for source in self.sources)
        return f"{type(self).__name__}: {stems}" if stems else type(self).__name__

    @property
    def measured(self) -> tuple[str, ...]:
        """Measurements, a sentence each."""
        return ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Facts read, decisions and measurements, a sentence each, as a command prints them."""
        read = [sentence for source in self.sources for sentence in source.sentences]
        return (*read, *self.decisions, *self.measured)

    @property
    def names(self) -> list[str]:
        """The names of the melodies' MIDI files."""
        return described_names(self.melodies, self.keys)

    @property
    def keys(self) -> list[Key | None]:
        """The key of each melody; None if it is unknown."""
        return [self.key or key_of(melody) for melody in self.melodies]

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """Titles and melodies of the piano rolls."""
        return [(str(index), melody) for index, melody in enumerate(self.melodies, start=1)]

    @property
    def set_apart(self) -> tuple[int, ...]:
        """Indices of the rolls that are drawn in another colour."""
        return ()

    @property
    def row(self) -> Sequence[Melody]:
        """Melodies that are joined into one file; empty if none are."""
        return self.melodies

    @property
    def columns(self) -> int | None:
        """In how many columns the rolls are drawn; None draws one above the other."""
        return None

    @property
    def accompaniment(self) -> tuple[tuple[Part, ...], ...] | None:
        """Accompaniment of each melody; None if they are alone."""
        return None

    @property
    def frames(self) -> tuple[Frame | None, ...]:
        """The place of each melody in the piece whose bars it keeps; none of new melodies."""
        return ()

    @property
    def own_feels(self) -> tuple[Feel, ...]:
        """Feel of each melody's source bars; none for melodies without a source."""
        return (self.sources[0].feel,) * len(self) if self.sources else ()

    @property
    def roll_feels(self) -> tuple[Feel, ...]:
        """The same of what is drawn: the sources first, and then the melodies."""
        return (*[source.feel for source in self.sources][: len(self.rolls) - len(self)], *self.own_feels)

    def feels(self, feel: str = KEEP, *, rolls: bool = False) -> tuple[Feel, ...]:
        """Feel of each melody, or of each of the ``rolls``.

        With ``keep``, as the bars are that it is made of; with ``straight`` on the grid, with their loudness; and with
        a swing, such as ``swing=0.62``. There is none of melodies without a source, unless a swing is asked for.

        Raises:
            FeelError: if there is no such feel.
        """
        swing = parse_feel(feel)
        if not self.sources:
            count = len(self.rolls) if rolls else len(self)
            return () if swing is None or swing == NO_SWING else (Feel.straight(swing=swing),) * count
        own = self.roll_feels if rolls else self.own_feels
        return tuple(template if swing is None else template.on_the_grid(swing) for template in own)

    def write(self, folder: str | Path, *, feel: str = KEEP, audio: bool = False, replace: bool = False) -> list[str]:
        """The names of what was written into ``folder``: MIDI files, a picture and, with ``audio``, WAV files.

        ``feel`` is as in :meth:`feels`.

        Raises:
            FeelError: if there is no such feel.
            OutputExistsError: if a file of one of these names is there already and may not be replaced.
            OSError: if the place cannot be written to.
        """
        return write_melodies(
            Path(folder),
            self.melodies,
            self.names,
            self.rolls,
            set_apart=self.set_apart,
            row=self.row,
            columns=self.columns,
            title=self.title,
            sentences=self.sentences,
            backings=self.accompaniment,
            feels=self.feels(feel),
            roll_feels=self.feels(feel, rolls=True),
            keys=self.keys,
            frames=self.frames,
            audio=audio,
            replace=replace,
            inputs=[source.path for source in self.sources if source.path is not None],
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class _Drawn(Result):
    """Melodies that may be near-copies of training melodies.

    Attributes:
        known: the index of the training windows; None of a model that came without.
    """

    known: NoveltyIndex | None = field(default=None, compare=False, repr=False)
    vocabulary: Vocabulary = field(default_factory=Vocabulary, compare=False, repr=False)

    @cached_property
    def beats_known(self) -> tuple[int, ...] | None:
        """Number of beats of each melody shared with the most similar training window, in any key; None if unknown."""
        if self.known is None:
            return None
        tokens = np.stack([self.vocabulary.encode(melody) for melody in self.melodies])
        return tuple(self.known.beats_alike(tokens).tolist())

    @property
    def near_copies(self) -> int | None:
        """Number of melodies that are near-copies of a part of a training window; None if unknown."""
        if self.known is None or self.beats_known is None:
            return None
        return sum(beats >= self.known.copied_beats(self.melodies[0].length_steps) for beats in self.beats_known)

    @property
    def _remedy(self) -> str:
        """By which option there are fewer near-copies."""
        return "--novel draws them again"

    @property
    def novelty_sentences(self) -> tuple[str, ...]:
        """Sentences on the similarity of the melodies to training melodies."""
        if self.known is None or self.beats_known is None:
            return ("similarity to training melodies is unknown: the model came without its index of them",)
        counts = self.beats_known
        told = [f"{number}: {count}" for number, count in enumerate(counts, start=1)]
        if len(told) > MAX_NAMED:
            told = [f"{counts.count(count)} with {count}" for count in sorted(set(counts))]
        beats = self.known.comparable_beats(self.melodies[0].length_steps)
        share = f"beats shared with the most similar training melody (of {beats}, in any key)"
        sentences = [f"{share}: {', '.join(told)}"]
        if self.near_copies:
            sentences.append(f"near-copies of training melodies: {self.near_copies}; {self._remedy}")
        return tuple(sentences)


@dataclass(frozen=True, kw_only=True, repr=False)
class Samples(_Drawn):
    """New melodies."""

    @property
    def measured(self) -> tuple[str, ...]:
        """Similarity to training melodies, in sentences."""
        return self.novelty_sentences


@dataclass(frozen=True, kw_only=True, repr=False)
class Variations(_Drawn):
    """Melodies near a melody.

    Attributes:
        original: the melody.
        steps_changed: on how many steps of the grid each differs from it.
    """

    original: Melody
    steps_changed: tuple[int, ...]

    @property
    def _remedy(self) -> str:
        """Near a near-copy there are hardly any others."""
        assert self.known is not None
        if self.known.is_near_copy(self.vocabulary.encode(self.original)[None])[0]:
            return "the tune is one itself; a larger --amount goes further away"
        return super()._remedy

    @property
    def measured(self) -> tuple[str, ...]:
        """Distances, and similarity to training melodies, in sentences."""
        changed = ", ".join(map(str, self.steps_changed))
        return (
            f"{_unit(self.original)} that differ from the tune (of {self.original.length_steps}): {changed}",
            *self.novelty_sentences,
        )

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """The melody first."""
        return [("the tune", self.original), *super().rolls]

    @property
    def set_apart(self) -> tuple[int, ...]:
        """The melody."""
        return (0,)

    @property
    def row(self) -> Sequence[Melody]:
        """The melody first."""
        return (self.original, *self.melodies)


@dataclass(frozen=True, kw_only=True, repr=False)
class Interpolation(Result):
    """Melodies from one melody to another, both included.

    Attributes:
        distances: from each melody to the next, before the key glides, from 0 (the same) to 1; see
            :mod:`melodyvae.verbs.distance`.
        distinct: how many melodies differ from all before them, before the key glides.
        steps_right: on how many steps the first and the last melody are the ones they should be.
        key_shifts: by how many semitones, -5 to 6, the key of each melody is above the first's.
        walked_keys: the key of each melody: that of the piece that it is nearer to, moved as the walk moves it.
        backings: what plays with each melody; None if they are alone.
    """

    distances: tuple[float, ...]
    distinct: int
    steps_right: tuple[int, int]
    key_shifts: tuple[int, ...]
    walked_keys: tuple[Key | None, ...]
    backings: tuple[tuple[Part, ...], ...] | None = field(default=None, compare=False, repr=False)

    @property
    def exact(self) -> tuple[bool, bool]:
        """Whether the first and the last melody are exactly the ones they should be."""
        steps = self.melodies[0].length_steps
        return self.steps_right[0] == steps, self.steps_right[1] == steps

    @property
    def keys(self) -> list[Key | None]:
        """The key of each melody: that of the whole piece that it is nearer to, moved as the walk moves it."""
        return list(self.walked_keys)

    @property
    def measured(self) -> tuple[str, ...]:
        """Whether the ends came back, and how even the way is."""
        taken = self.sources or (None, None)
        ends = [
            _came_back(label, right, self[0], source)
            for label, right, source in zip("AB", self.steps_right, taken, strict=True)
        ]
        mean = sum(self.distances) / len(self.distances)
        spread = f"{min(self.distances):.0%} to {max(self.distances):.0%}"
        distinct = f"{self.distinct} of {len(self)} tunes are distinct"
        return (*ends, f"{distinct}; neighbours differ by {mean:.0%} on average ({spread})")

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """From A to B."""
        titles = ["A", *(str(index) for index in range(2, len(self))), "B"]
        return list(zip(titles, self.melodies, strict=True))

    @property
    def set_apart(self) -> tuple[int, ...]:
        """The two ends."""
        return (0, -1)

    @property
    def own_feels(self) -> tuple[Feel, ...]:
        """From A's to B's; over A's accompaniment all have A's swing and delay."""
        feels = [source.feel for source in self.sources]
        if self.backings is not None:
            feels = [replace(feel, swing=feels[0].swing, delay_quarters=feels[0].delay_quarters) for feel in feels]
        return tuple(Feel.mixed(feels, np.array([1 - share, share])) for share in np.linspace(0, 1, len(self)))

    @property
    def accompaniment(self) -> tuple[tuple[Part, ...], ...] | None:
        """Accompaniment of each melody; None if they are alone."""
        return self.backings


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
    def measured(self) -> tuple[str, ...]:
        """A table of the attributes."""
        from melodyvae.verbs.attributes import UNITS

        lines = [f"{'':<16}{'the tune':>10}{'the first':>10}{'asked':>10}{'the last':>10}"]
        for name, (tune, before, after, wanted) in self.measures.items():
            asked = "as it is" if wanted is None else f"{wanted:.2f}"
            lines.append(f"{name:<16}{tune:>10.2f}{before:>10.2f}{asked:>10}{after:>10.2f}  {UNITS[name]}")
        return tuple(lines)

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """From the melody as it is to the one that is moved."""
        titles = ["as it is", *(str(index) for index in range(2, len(self))), "moved"]
        return list(zip(titles, self.melodies, strict=True))

    @property
    def set_apart(self) -> tuple[int, ...]:
        """The two ends."""
        return (0, -1)


@dataclass(frozen=True, kw_only=True, repr=False)
class Grid(Result):
    """Rows of melodies between four.

    Attributes:
        corners: the four melodies: top left, top right, bottom left, bottom right.
        steps_right: on how many steps each corner of the grid is the melody it should be.
    """

    corners: tuple[Melody, ...]
    steps_right: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of rows and number of columns."""
        return math.isqrt(len(self.melodies))

    @property
    def rows(self) -> tuple[tuple[Melody, ...], ...]:
        """The melodies, row by row."""
        return tuple(self.melodies[start : start + self.size] for start in range(0, len(self), self.size))

    @property
    def exact(self) -> tuple[bool, ...]:
        """Whether each corner is exactly the melody it should be."""
        return tuple(right == corner.length_steps for right, corner in zip(self.steps_right, self.corners, strict=True))

    @property
    def distinct(self) -> int:
        """Number of melodies that differ from all before them."""
        return len({melody.notes for melody in self.melodies})

    @property
    def measured(self) -> tuple[str, ...]:
        """Whether the corners came back, and how many melodies there are."""
        taken = self.sources or (None,) * len(self.corners)
        pairs = zip("ABCD", self.steps_right, self.corners, taken, strict=True)
        corners = [_came_back(label, right, corner, source) for label, right, corner, source in pairs]
        return (*corners, f"{self.distinct} of {len(self)} tunes are distinct")

    @property
    def own_feels(self) -> tuple[Feel, ...]:
        """Each corner's own feel, and between the corners that of all four."""
        from melodyvae.verbs.variation import grid_shares

        feels = [source.feel for source in self.sources]
        return tuple(Feel.mixed(feels, shares) for shares in grid_shares(self.size))

    @property
    def names(self) -> list[str]:
        """By row and column."""
        return grid_names(self.size)

    @property
    def columns(self) -> int:
        """As many as rows."""
        return self.size


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

    @property
    def names(self) -> list[str]:
        """Name of the one file."""
        return ["result.mid"]

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """The terms and the sum."""
        titles = [f"{'+' if sign > 0 else '-'} {_letter(index)}" for index, sign in enumerate(self.signs)]
        return [*zip(titles, self.terms, strict=True), ("result", self.melody)]

    @property
    def row(self) -> Sequence[Melody]:
        """The terms and the sum."""
        return (*self.terms, self.melody)


@dataclass(frozen=True, kw_only=True, repr=False)
class Completion(Result):
    """A melody with bars of it filled in anew, or added.

    Attributes:
        original: the melody.
        hidden: the bars of the melodies that are new, from 1.
        grid_bar: the bar of the piece's melody, from 0, that the melody begins with.
    """

    original: Melody
    hidden: tuple[int, ...]
    grid_bar: int = 0

    @property
    def frames(self) -> tuple[Frame | None, ...]:
        """The place of the melody and its new bars in the piece, for each."""
        return tuple(Frame.of(source.found, self.grid_bar, self[0].bars) for source in self.sources) * len(self)

    @property
    def own_feels(self) -> tuple[Feel, ...]:
        """That of the bars of the piece that the melody is."""
        return tuple(Feel.of(source.found, self.grid_bar, self.original.bars) for source in self.sources) * len(self)

    @property
    def roll_feels(self) -> tuple[Feel, ...]:
        """The melody's first."""
        return (*self.own_feels[:1], *self.own_feels)

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """The melody first."""
        return [(self.sources[0].stem if self.sources else "the tune", self.original), *super().rolls]

    @property
    def set_apart(self) -> tuple[int, ...]:
        """The melody."""
        return (0,)


@dataclass(frozen=True, kw_only=True, repr=False)
class Reconstruction(Result):
    """Melodies as the model remembers them.

    Attributes:
        originals: the melodies.
        steps_right: on how many steps each came back.
    """

    originals: tuple[Melody, ...]
    steps_right: tuple[int, ...]

    @property
    def melody(self) -> Melody:
        """The first one."""
        return self.melodies[0]

    @property
    def exact(self) -> tuple[bool, ...]:
        """Whether each came back without any fault."""
        return tuple(
            right == melody.length_steps for right, melody in zip(self.steps_right, self.originals, strict=True)
        )

    @property
    def measured(self) -> tuple[str, ...]:
        """Reconstruction of each melody, in sentences."""
        return tuple(
            f"{source.name or 'the melody'} came back: {_how_much(right, melody, source)}"
            for source, melody, right in zip(self.sources, self.originals, self.steps_right, strict=True)
        )

    @property
    def frames(self) -> tuple[Frame | None, ...]:
        """Frame of each melody's own source."""
        return tuple(
            Frame.of(source.found, 0, melody.bars) for source, melody in zip(self.sources, self.melodies, strict=True)
        )

    @property
    def own_feels(self) -> tuple[Feel, ...]:
        """Feel of each melody's own source."""
        return tuple(source.feel for source in self.sources)

    @property
    def roll_feels(self) -> tuple[Feel, ...]:
        """Each feel twice: source and reconstruction."""
        return tuple(feel for feel in self.own_feels for _ in range(2))

    @property
    def keys(self) -> list[Key | None]:
        """Those of the sources."""
        return [source.found.key for source in self.sources]

    @property
    def names(self) -> list[str]:
        """Those of the sources."""
        return [f"{source.stem}.mid" for source in self.sources]

    @property
    def rolls(self) -> list[tuple[str, Melody]]:
        """Each melody above what came back."""
        pairs = zip(self.sources, self.originals, self.melodies, strict=True)
        return [roll for source, melody, back in pairs for roll in ((source.stem, melody), ("came back", back))]

    @property
    def row(self) -> Sequence[Melody]:
        """Nothing: they are of different lengths and tempi."""
        return ()


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
    def sentences(self) -> tuple[str, ...]:
        """Facts read, and every window and every doubtful note, a sentence each."""
        return (*self.source.sentences, *self._of_windows(self.windows), *self._of_notes(self.doubtful))

    @property
    def summary(self) -> tuple[str, ...]:
        """The same of a long tune in a few lines: the middle of its windows, and the most unusual ones and notes."""
        windows, notes = self.windows, self.doubtful
        lines = list(self.source.sentences)
        if len(windows) > MAX_SCORES:
            by_score = sorted(windows, key=lambda window: window.nats_per_step)
            lines.append(
                f"  {len(windows)} passages, from bar {windows[0].first_bar} to {windows[-1].first_bar}; the median is "
                f"{self._how_unusual(by_score[len(windows) // 2], width=0)}; the {MAX_UNUSUAL} most unusual:"
            )
            windows = tuple(window for window in windows if window in by_score[-MAX_UNUSUAL:])
        lines += self._of_windows(windows)
        if len(notes) > MAX_SCORES:
            lines.append(f"  {len(notes)} notes are doubtful; the {MAX_SCORES} most doubtful:")
            most = sorted(notes, key=lambda note: note.nats)[-MAX_SCORES:]
            notes = tuple(note for note in notes if note in most)
        return (*lines, *self._of_notes(notes))

    def _of_windows(self, windows: Sequence[WindowScore]) -> list[str]:
        if not self.windows:
            return ["  there is no note in it"]
        lines = [f"  from bar {window.first_bar:4}: {self._how_unusual(window)}" for window in windows]
        if not self.is_ranked:
            lines.append("  (this model knows no other tunes to compare with: the more surprise, the more unusual)")
        if not self.judge:
            lines.append("  (notes are judged a few bars at a time: the model that hears whole tunes takes 4/4)")
        return lines

    def _of_notes(self, notes: Sequence[NoteScore]) -> list[str]:
        if self.windows and not notes:
            return ["  no doubtful note"]
        return [
            f"  bar {note.bar}, beat {note.beat:g}: {pitch_name(note.note.pitch)} is doubtful; "
            f"{pitch_name(note.better_pitch)} is likelier"
            for note in notes
        ]

    @staticmethod
    def _how_unusual(window: WindowScore, width: int = 3) -> str:
        if window.percentile is None:
            return f"surprise {window.nats_per_step:.2f}"
        return f"more unusual than {window.percentile:{width}.0f} of 100 passages of other tunes"


def _came_back(label: str, right: int, melody: Melody, taken: Taken | None) -> str:
    return f"{label} reconstructed: {_how_much(right, melody, taken)}"


def _how_much(right: int, melody: Melody, taken: Taken | None) -> str:
    """Share of a melody that came back, in words; exact only if no note was lost on the way to the grid."""
    if right < melody.length_steps:
        return f"{right} of {melody.length_steps} {_unit(melody)} are right"
    if taken is None:
        return "exact on the grid"
    lost, moved = len(taken.lost_bars), taken.moved
    if lost:
        return f"as it is on the grid, where {lost} of its {lost + len(taken.melody.notes)} notes are lost"
    if moved:
        return f"exact on the grid, to which {moved} of its {len(taken.melody.notes)} notes are moved"
    return "exact on the grid"


def _unit(melody: Melody) -> str:
    """Name of the steps of a melody's grid."""
    return {2: "eighths", 4: "sixteenths", 8: "thirty-seconds"}.get(melody.steps_per_quarter, "places on the grid")


def _letter(index: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26]
