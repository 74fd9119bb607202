"""JSON <-> requests and melodies.

The options of a verb are those of :mod:`melodyvae.verbs`, with their types, ranges and defaults. What is not as it must
be raises :class:`RequestError` with a sentence that names the field, the value and what it must be. Unknown fields are
errors.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import Part
from melodyvae.options import Options, option_fields, options_class
from melodyvae.studio.limits import MAX_NUMBER, StudioLimits
from melodyvae.verbs.complete import complete
from melodyvae.verbs.continue_ import continue_
from melodyvae.verbs.grid import grid
from melodyvae.verbs.interpolate import interpolate
from melodyvae.verbs.morph import morph
from melodyvae.verbs.reconstruct import reconstruct
from melodyvae.verbs.sample import sample
from melodyvae.verbs.score import score
from melodyvae.verbs.sources import sounding_bars
from melodyvae.verbs.vary import vary

Request = TypeVar("Request")
MAX_TEXT = 200  # characters
MAX_TUNES = 64
MAX_BARS = 64  # of one tune
MAX_HIDDEN = 32  # bars at a time


class RequestError(ValueError):
    """A request that is not what its class says."""


def between(low: float, high: float, **more: Any) -> Any:
    """A dataclass field whose number must lie in [low, high]."""
    return field(metadata={"between": (low, high)}, **more)


def sized(low: int, high: int, **more: Any) -> Any:
    """A dataclass field whose sequence or mapping must have between low and high entries."""
    return field(metadata={"sized": (low, high)}, **more)


@dataclass(frozen=True)
class TuneSource:
    """A tune: a ``melody``, or the bars from ``first_bar`` on of a track of a ``file``, given by its reference.

    Without ``first_bar``, a melody gives its first bars and a file a phrase. The key and the scale of a file are those
    of the whole piece, as in the commands.
    """

    melody: Melody | None = None
    file: str | None = None
    track: int | None = between(1, MAX_NUMBER, default=None)
    first_bar: int | None = between(1, MAX_NUMBER, default=None)

    def __post_init__(self) -> None:
        if (self.melody is None) == (self.file is None):
            raise RequestError("a tune is either a melody or a file")


@dataclass(frozen=True)
class StudioVerb:
    """A verb as the page asks for it.

    Attributes:
        function: the verb, of :mod:`melodyvae.verbs`.
        command: its name on the command line.
        tunes: the fields of a request that hold its tunes: ``corners`` holds four, ``melody`` a melody, others
            one tune.
        most: the largest number that an option may have, where it is smaller than the verb's.
        defaults: of options, where they are the page's own.
    """

    function: Callable[..., Any]
    command: str
    tunes: tuple[str, ...]
    most: Mapping[str, float] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> type[Options]:
        """The class of its options."""
        return options_class(self.function)


VERBS = {
    "walk": StudioVerb(interpolate, "interpolate", ("a", "b")),
    "pad": StudioVerb(grid, "grid", ("corners",), {"count": 33}, {"count": 17}),
    "morph": StudioVerb(morph, "morph", ("tune",), {"count": 16, "candidates": 512}, {"count": 2, "candidates": 48}),
    "vary": StudioVerb(vary, "vary", ("tune",)),
    "reconstruct": StudioVerb(reconstruct, "reconstruct", ("melody",)),
    "complete": StudioVerb(complete, "complete", ("melody",), {"count": 8}, {"count": 1}),
    "continue": StudioVerb(continue_, "continue", ("melody",), {"count": 8}, {"count": 2}),
    "sample": StudioVerb(sample, "sample", (), {}, {"seed": 0}),
    "score": StudioVerb(score, "score", ("melody",)),
}
MOST: Mapping[str, float] = {"count": MAX_TUNES, "bars": MAX_BARS, "extend": MAX_BARS, "temperature": 2}
OF_THE_TUNES = ("track", "first_bar")  # options that a request says with its tunes


@dataclass(frozen=True)
class VerbRequest:
    """A verb that is asked for.

    Attributes:
        verb: its name, a key of :data:`VERBS`.
        tunes: in the order of the verb's sources.
        options: all but those that the tunes say.
    """

    verb: str
    tunes: tuple[TuneSource, ...]
    options: Options

    def placed(self, bars: int | None = None) -> Options | None:
        """The options with the first bar of each tune and, for the command line, its track.

        For the command line of a model of ``bars`` bars a melody is a file, whose first bar need not be said where
        there is no other. None if the command takes one bar and one track for all, and these differ.
        """
        places: list[tuple[int | None, str | int]] = []
        taken = getattr(self.options, "bars", None) or bars or 0
        for tune in self.tunes:
            if tune.melody is None:
                places.append((tune.first_bar, "auto" if bars is None or tune.track is None else tune.track))
            else:
                places.append((1 if bars is None or tune.melody.bars > taken else None, "auto"))
        found: dict[str, Any] = {}
        for entry in option_fields(type(self.options)):
            if entry.name in OF_THE_TUNES and places:
                values = tuple(place[entry.name == "track"] for place in places)
                is_of_each = entry.is_for_each and (bars is None or bool(self.labels))
                if not is_of_each and len(set(values)) > 1:
                    return None
                found[entry.name] = values if is_of_each else values[0]
        return replace(self.options, **found)  # type: ignore[type-var]  # a dataclass

    @property
    def labels(self) -> str:
        """Labels that distinguish the tunes in the flags of the command; empty if they share their flags."""
        return "ab" if VERBS[self.verb].tunes == ("a", "b") else ""


@dataclass(frozen=True)
class FileRequest:
    """One MIDI file of ``melodies`` in a row, over what plays with each of them."""

    melodies: tuple[Melody, ...] = sized(1, StudioLimits.melodies)
    backings: tuple[tuple[Part, ...], ...] | None = None


@dataclass(frozen=True)
class ZipRequest:
    """A zip of one MIDI file for each melody, named ``names`` without ``.mid``, and ``all.mid``."""

    melodies: tuple[Melody, ...] = sized(1, StudioLimits.melodies)
    names: tuple[str, ...] = sized(1, StudioLimits.melodies)
    backings: tuple[tuple[Part, ...], ...] | None = None


def parse(kind: type[Request], value: Any, limits: StudioLimits, name: str = "the request") -> Request:
    """The request of that class in a JSON value.

    Raises:
        RequestError: if it is not one.
    """
    if not isinstance(value, dict):
        raise RequestError(f"{name} is {_shown(value)}; it must be an object")
    types_of = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]  # the caller passes a dataclass
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise RequestError(f"{name} has a field {unknown[0]!r:.60}; it may have {', '.join(known)}")
    found: dict[str, Any] = {}
    for entry in known.values():
        if entry.name in value:
            found[entry.name] = _converted(value[entry.name], types_of[entry.name], entry.name, limits)
            _check(found[entry.name], entry.metadata, entry.name)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise RequestError(f"{name} has no {entry.name!r}")
    return kind(**found)


def parse_verb(verb: str, value: Any, limits: StudioLimits) -> VerbRequest:
    """The request of a verb in a JSON value: its tunes and its options, side by side.

    Raises:
        RequestError: if it is not one.
    """
    if not isinstance(value, dict):
        raise RequestError(f"the request is {_shown(value)}; it must be an object")
    asked, kind = dict(value), VERBS[verb]
    tunes: list[TuneSource] = []
    for name in kind.tunes:
        if name not in asked:
            raise RequestError(f"the request has no {name!r}")
        given = asked.pop(name)
        if name == "corners" and not (isinstance(given, list) and len(given) == 4):
            raise RequestError(f"corners is {_shown(given)}; it must be a list of four tunes")
        for one in given if name == "corners" else [given]:
            is_melody = name == "melody"
            tunes.append(
                TuneSource(melody_from_json(one, limits)) if is_melody else parse(TuneSource, one, limits, name)
            )
    if verb == "complete" and "hidden_bars" in asked:
        asked |= _hidden(asked.pop("hidden_bars"), tunes[0])
    known = {entry.name: entry for entry in option_fields(kind.options) if entry.name not in OF_THE_TUNES}
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise RequestError(
            f"the request has a field {unknown[0]!r:.60}; it may have {', '.join((*kind.tunes, *known))}"
        )
    try:
        options = kind.options(**{**kind.defaults, **asked})
    except (ValueError, TypeError, AttributeError) as error:
        raise RequestError(str(error)) from error
    for name, most in {**MOST, **kind.most}.items():
        number = getattr(options, name, None)
        if isinstance(number, int | float) and number > most:
            raise RequestError(f"{name} is {number:g}; it must be at most {most:g} here")
    return VerbRequest(verb, tuple(tunes), options)


def _hidden(value: Any, tune: TuneSource) -> dict[str, Any]:
    """The hidden bars to fill in, and the number to add after the last one with a note."""
    if not (isinstance(value, list) and 1 <= len(value) <= MAX_HIDDEN and all(_is_integer(bar) for bar in value)):
        raise RequestError(f"hidden_bars is {_shown(value)}; it must be a list of 1 to {MAX_HIDDEN} bars")
    assert tune.melody is not None  # for mypy: the field is called melody
    last = sounding_bars(tune.melody)[1]
    beyond = [bar - last for bar in value if bar > last]
    return {"hide": ",".join(str(bar) for bar in value if bar <= last), "extend": max(beyond, default=0)}


def melody_from_json(value: Any, limits: StudioLimits, name: str = "melody") -> Melody:
    """The melody in a JSON value as :func:`melody_to_json` makes them.

    Raises:
        RequestError: if it is none, or larger than the limits.
    """
    plain = _plain_fields(value, name, "melody", _MELODY_FIELDS, limits)
    notes = []
    for note in value["notes"]:
        if not (isinstance(note, list) and len(note) in (3, 4) and all(_is_integer(part) for part in note)):
            raise RequestError(f"{name} has a note {_shown(note)}; it must be [start, end, pitch, velocity]")
        notes.append(MelodyNote(*note))
    if not 1 <= plain.get("length_steps", 0) <= limits.steps:
        raise RequestError(f"{name}.length_steps must be a number from 1 to {limits.steps}")
    meter = plain.pop("meter", (4, 4))
    if len(meter) != 2 or not (1 <= meter[0] <= 64 and meter[1] in (1, 2, 4, 8, 16, 32)):
        raise RequestError(f"{name}.meter is {_shown(list(meter))}; it must be such as [4, 4]")
    try:
        return Melody(tuple(notes), meter=(meter[0], meter[1]), **plain)
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error


def melody_to_json(melody: Melody) -> dict[str, Any]:
    """A melody as plain values; :func:`melody_from_json` is the inverse but for ``start_quarters``."""
    return {
        "notes": [list(note) for note in melody.notes],
        "length_steps": melody.length_steps,
        "steps_per_quarter": melody.steps_per_quarter,
        "meter": list(melody.meter),
        "quarters_per_minute": melody.quarters_per_minute,
        "program": melody.program,
        "name": melody.name[:MAX_TEXT],
    }


def part_to_json(part: Part) -> dict[str, Any]:
    """A part as plain values, times in quarters; :func:`part_from_json` is the inverse."""
    columns = (part.starts.round(6), part.ends.round(6), part.pitches, part.velocities)
    return {
        "name": part.name[:MAX_TEXT],
        "program": part.program,
        "drums": part.is_drum,
        "volume": part.volume,
        "notes": [list(note) for note in zip(*(column.tolist() for column in columns), strict=True)],
    }


def part_from_json(value: Any, limits: StudioLimits, name: str = "part") -> Part:
    """The part in a JSON value as :func:`part_to_json` makes them.

    Raises:
        RequestError: if it is none, or larger than the limits.
    """
    plain = _plain_fields(value, name, "part", _PART_FIELDS, limits)
    if not value["notes"]:
        raise RequestError(f"{name} has no notes")
    for note in value["notes"]:
        if not (
            isinstance(note, list)
            and len(note) == 4
            and all(isinstance(one, int | float) and not isinstance(one, bool) for one in note)
            and 0 <= note[0] < note[1] <= limits.steps
            and all(_is_integer(one) and 0 <= one <= 127 for one in note[2:])
        ):
            raise RequestError(f"{name} has a note {_shown(note)}; it must be [start, end, pitch, velocity]")
    times = np.array([note[:2] for note in value["notes"]], np.float64)
    played = np.array([note[2:] for note in value["notes"]], np.int64)
    return Part(
        name=plain.get("name", ""),
        program=plain.get("program", 0),
        is_drum=plain.get("drums", False),
        starts=times[:, 0],
        ends=times[:, 1],
        pitches=played[:, 0],
        velocities=played[:, 1],
        volume=plain.get("volume"),
    )


_PART_FIELDS: dict[str, Any] = {"name": str, "program": int, "drums": bool, "volume": int | None}
_MELODY_FIELDS: dict[str, Any] = {
    "length_steps": int,
    "steps_per_quarter": int,
    "meter": tuple[int, ...],
    "quarters_per_minute": float,
    "program": int,
    "name": str,
}
_RANGES = {"steps_per_quarter": (1, 96), "quarters_per_minute": (4, 1000), "program": (0, 127), "volume": (0, 127)}


def _plain_fields(value: Any, name: str, what: str, kinds: Mapping[str, Any], limits: StudioLimits) -> dict[str, Any]:
    """The fields but ``notes`` of an object with notes, of these kinds and in their ranges."""
    if not isinstance(value, dict) or not isinstance(value.get("notes"), list):
        raise RequestError(f"{name} is {_shown(value)}; it must be a {what}: an object with notes")
    if len(value["notes"]) > limits.notes:
        raise RequestError(f"{name} has {len(value['notes'])} notes; at most {limits.notes} are taken")
    unknown = sorted(set(value) - {"notes", *kinds})
    if unknown:
        raise RequestError(f"{name} has a field {unknown[0]!r:.60}")
    plain = {key: _converted(value[key], kinds[key], f"{name}.{key}", limits) for key in kinds if key in value}
    for key, (low, high) in _RANGES.items():
        if plain.get(key) is not None and not low <= plain[key] <= high:
            raise RequestError(f"{name}.{key} is {plain[key]:g}; it must lie between {low} and {high}")
    return plain


def _converted(value: Any, kind: Any, name: str, limits: StudioLimits) -> Any:
    """``value`` as ``kind``, or a :class:`RequestError`."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return _converted(value, kind, name, limits)
    if origin is tuple:
        if not isinstance(value, list) or len(value) > limits.melodies:
            raise RequestError(f"{name} is {_shown(value)}; it must be a list of at most {limits.melodies}")
        return tuple(_converted(one, get_args(kind)[0], name, limits) for one in value)
    if kind is Melody:
        return melody_from_json(value, limits, name)
    if kind is Part:
        return part_from_json(value, limits, name)
    if is_dataclass(kind):
        return parse(kind, value, limits, name)  # type: ignore[arg-type]  # a class, not an instance
    return _plain(value, kind, name)


def _plain(value: Any, kind: type, name: str) -> Any:
    """A number, a text, or yes or no."""
    words, fits = _PLAIN[kind]
    if not fits(value):
        raise RequestError(f"{name} is {_shown(value)}; it must be {words}")
    return float(value) if kind is float else value


def _check(value: Any, metadata: Mapping[str, Any], name: str) -> None:
    """Raise :class:`RequestError` if a number or a size is out of range."""
    if value is None:
        return
    if "between" in metadata:
        low, high = metadata["between"]
        if not low <= value <= high:
            raise RequestError(f"{name} is {value:g}; it must lie between {low:g} and {high:g}")
    if "sized" in metadata:
        low, high = metadata["sized"]
        if not low <= len(value) <= high:
            raise RequestError(f"{name} has {len(value)} entries; it must have between {low} and {high}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


_PLAIN: dict[type, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", _is_integer),
    float: ("a number", lambda value: _is_integer(value) or (isinstance(value, float) and math.isfinite(value))),
    str: (
        f"a text of at most {MAX_TEXT} characters",
        lambda value: isinstance(value, str) and len(value) <= MAX_TEXT,
    ),
}


def _shown(value: Any) -> str:
    """A value for a sentence, cut where it is long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
