"""JSON <-> requests and melodies: frozen dataclasses whose fields say what may come, and one reader for all of them.

A request that is not what its class says raises :class:`RequestError` with a sentence that names the field, the value
and what it must be. Unknown fields are errors.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from data_prep.melody import Melody, MelodyNote
from data_prep.reading.notes import Part
from melodyvae.generation.interpolation import Ends, Spacing
from melodyvae.studio.limits import StudioLimits

Request = TypeVar("Request")
MAX_SEED = 2**32 - 1
MAX_TEXT = 200  # characters
MAX_TUNES = 64
MAX_BARS = 64  # of one tune
MAX_NUMBER = 100_000  # of a bar or a track


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

    Of a melody the first bars are taken, of a file a phrase unless it is said from where. The key and the scale of a
    file are those of the whole piece, as in the commands.
    """

    melody: Melody | None = None
    file: str | None = None
    track: int | None = between(1, MAX_NUMBER, default=None)
    first_bar: int | None = between(1, MAX_NUMBER, default=None)

    def __post_init__(self) -> None:
        if (self.melody is None) == (self.file is None):
            raise RequestError("a tune is either a melody or a file")


@dataclass(frozen=True)
class WalkRequest:
    """From ``a`` to ``b`` in ``count`` tunes; the options and their defaults are those of ``melodyvae interpolate``."""

    a: TuneSource
    b: TuneSource
    count: int = between(2, MAX_TUNES, default=8)
    bars: int | None = between(1, MAX_BARS, default=None)
    ends: Ends = "exact"
    spacing: Spacing = "even"
    key: str = "a"
    tempo: str = "a"
    scale: str = "auto"
    keep_accompaniment: bool = False
    temperature: float = between(0, 2, default=0.0)
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class PadRequest:
    """``size`` rows of ``size`` tunes between four: top left, top right, bottom left, bottom right."""

    corners: tuple[TuneSource, ...] = sized(4, 4)
    size: int = between(2, 33, default=17)
    key: str = "a"
    tempo: str = "a"
    scale: str = "auto"


@dataclass(frozen=True)
class MorphRequest:
    """``tune`` with its attributes moved by ``amounts``, in standard deviations of the training tunes."""

    tune: TuneSource
    amounts: Mapping[str, float] = sized(0, 16)
    count: int = between(2, 16, default=2)
    scale: str = "auto"
    candidates: int = between(1, 512, default=48)
    temperature: float = between(0, 2, default=0.0)
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class VaryRequest:
    """``count`` tunes near ``tune``."""

    tune: TuneSource
    count: int = between(1, MAX_TUNES, default=8)
    amount: float = between(0, 1, default=0.45)
    scale: str = "auto"
    temperature: float = between(0, 2, default=0.0)
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class ReconstructRequest:
    """``melody`` as the model remembers it."""

    melody: Melody


@dataclass(frozen=True)
class CompleteRequest:
    """``melody`` with its hidden bars (from 1; those after its end make it longer) filled in, ``count`` times."""

    melody: Melody
    hidden_bars: tuple[int, ...] = sized(1, 32)
    count: int = between(1, 8, default=1)
    temperature: float | None = between(0, 2, default=None)  # None: what suits the model
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class ContinueRequest:
    """``melody`` with ``bars`` bars more, by the model that composes, ``count`` times."""

    melody: Melody
    bars: int = between(1, MAX_BARS, default=8)
    count: int = between(1, 8, default=2)
    temperature: float = between(0, 2, default=1.0)
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class SampleRequest:
    """``count`` new tunes; ``bars``, ``key`` and ``density`` (notes per bar) are for the model that composes."""

    count: int = between(1, MAX_TUNES, default=8)
    meter: tuple[int, ...] = (4, 4)
    bars: int | None = between(1, MAX_BARS, default=None)
    key: str | None = None
    density: float | None = between(0.1, 16, default=None)
    scale: str = "auto"
    tempo: float = between(10, 400, default=120.0)
    temperature: float = between(0, 2, default=1.0)
    seed: int = between(0, MAX_SEED, default=0)


@dataclass(frozen=True)
class ScoreRequest:
    """How unusual ``melody`` is, and which of its notes are doubtful."""

    melody: Melody


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


def melody_from_json(value: Any, limits: StudioLimits, name: str = "melody") -> Melody:
    """The melody in a JSON value as :func:`melody_to_json` makes them.

    Raises:
        RequestError: if it is none, or larger than the limits.
    """
    if not isinstance(value, dict) or not isinstance(value.get("notes"), list):
        raise RequestError(f"{name} is {_shown(value)}; it must be a melody: an object with notes")
    if len(value["notes"]) > limits.notes:
        raise RequestError(f"{name} has {len(value['notes'])} notes; at most {limits.notes} are taken")
    unknown = sorted(set(value) - {"notes", *_MELODY_FIELDS})
    if unknown:
        raise RequestError(f"{name} has a field {unknown[0]!r:.60}")
    notes = []
    for note in value["notes"]:
        if not (isinstance(note, list) and len(note) in (3, 4) and all(_is_integer(part) for part in note)):
            raise RequestError(f"{name} has a note {_shown(note)}; it must be [start, end, pitch, velocity]")
        notes.append(MelodyNote(*note))
    plain: dict[str, Any] = {
        key: _converted(value[key], kind, f"{name}.{key}", limits)
        for key, kind in _MELODY_FIELDS.items()
        if key in value
    }
    if not 1 <= plain.get("length_steps", 0) <= limits.steps:
        raise RequestError(f"{name}.length_steps must be a number from 1 to {limits.steps}")
    for key, (low, high) in _MELODY_RANGES.items():
        if key in plain and not low <= plain[key] <= high:
            raise RequestError(f"{name}.{key} is {plain[key]:g}; it must lie between {low} and {high}")
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
    if not isinstance(value, dict) or not isinstance(value.get("notes"), list):
        raise RequestError(f"{name} is {_shown(value)}; it must be a part: an object with notes")
    unknown = sorted(set(value) - {"notes", *_PART_FIELDS})
    if unknown:
        raise RequestError(f"{name} has a field {unknown[0]!r:.60}")
    if not 1 <= len(value["notes"]) <= limits.notes:
        raise RequestError(f"{name} has {len(value['notes'])} notes; 1 to {limits.notes} are taken")
    for note in value["notes"]:
        if not (
            isinstance(note, list)
            and len(note) == 4
            and all(isinstance(one, int | float) and not isinstance(one, bool) for one in note)
            and 0 <= note[0] < note[1] <= limits.steps
            and all(_is_integer(one) and 0 <= one <= 127 for one in note[2:])
        ):
            raise RequestError(f"{name} has a note {_shown(note)}; it must be [start, end, pitch, velocity]")
    plain: dict[str, Any] = {
        key: _converted(value[key], kind, f"{name}.{key}", limits) for key, kind in _PART_FIELDS.items() if key in value
    }
    for key in ("program", "volume"):
        if plain.get(key) is not None and not 0 <= plain[key] <= 127:
            raise RequestError(f"{name}.{key} is {plain[key]}; it must lie between 0 and 127")
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
_MELODY_RANGES = {"steps_per_quarter": (1, 96), "quarters_per_minute": (4, 1000), "program": (0, 127)}


def _converted(value: Any, kind: Any, name: str, limits: StudioLimits) -> Any:
    """``value`` as ``kind``, or a :class:`RequestError`."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return _converted(value, kind, name, limits)
    if origin is Literal:
        if value not in get_args(kind):
            raise RequestError(f"{name} is {_shown(value)}; it must be one of {', '.join(get_args(kind))}")
        return value
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


def _plain(value: Any, kind: Any, name: str) -> Any:
    """A number, a text, yes or no, or numbers by name."""
    if kind is bool:
        if not isinstance(value, bool):
            raise RequestError(f"{name} is {_shown(value)}; it must be true or false")
        return value
    if kind is int:
        if not _is_integer(value):
            raise RequestError(f"{name} is {_shown(value)}; it must be a whole number")
        return value
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RequestError(f"{name} is {_shown(value)}; it must be a number")
        return float(value)
    if kind is str:
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise RequestError(f"{name} is {_shown(value)}; it must be a text of at most {MAX_TEXT} characters")
        return value
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict):
            raise RequestError(f"{name} is {_shown(value)}; it must be an object of numbers by name")
        return {_plain(key, str, name): _plain(number, float, f"{name}.{key:.40}") for key, number in value.items()}
    raise TypeError(f"{name}: {kind} is no kind of field that is known here")


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
            wanted = f"{low}" if low == high else f"between {low} and {high}"
            raise RequestError(f"{name} has {len(value)} entries; it must have {wanted}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def _shown(value: Any) -> str:
    """A value for a sentence, cut where it is long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
