"""An option of a verb, stated once: a field of a frozen dataclass.

``count: Annotated[int, Option("Tunes.", low=1, flags=("n",))] = 8`` says all there is to know of an option: its type,
its range, its words and its default. The checks of Python calls (:class:`Options`), the methods of ``MelodyVAE``
(:func:`verb`), the options of commands, the requests of the studio and the shell line under its page follow from it.

A field may be a ``bool``, ``int``, ``float``, ``str``, a ``Literal`` of texts, a ``tuple`` of one of these, any of them
``| None``, and any type with :attr:`Option.parse`. ``str | tuple[str, ...]`` is one value for all sources of a
verb, or a tuple with one for each.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from numbers import Integral, Real
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from melodyvae.system.errors import UserError

Outcome = TypeVar("Outcome")
MAX_SHOWN = 60  # characters of a wrong value


class OptionError(UserError, ValueError):
    """An option has a value outside its range or choices."""


@dataclass(frozen=True)
class Option:
    """The words and the range of an option.

    Attributes:
        help: a sentence for the user.
        low: the smallest number, or of each number in a tuple.
        high: the largest.
        flags: what the command calls it, without dashes, if not by its name; one letter has one dash.
        parse: raises ValueError for a value that there is not; with it the type is not checked.
        default: what None does, in a few words.
        metavar: what help calls the value.
    """

    help: str
    low: float | None = None
    high: float | None = None
    flags: tuple[str, ...] = ()
    parse: Callable[[Any], object] | None = None
    default: str = ""
    metavar: str | None = None


@dataclass(frozen=True)
class OptionField:
    """A field of an :class:`Options` class, resolved.

    Attributes:
        name: of the field.
        option: its words and range.
        kind: ``bool``, ``int``, ``float`` or ``str``.
        choices: the texts of a ``Literal``; empty if any value of its kind will do.
        default: of the field.
        is_optional: whether it may be None.
        is_for_each: whether it may be a tuple with a value for each source.
        length: of a tuple; 0 of a tuple of any length, None if it is no tuple.
    """

    name: str
    option: Option
    kind: type
    choices: tuple[str, ...]
    default: Any
    is_optional: bool
    is_for_each: bool
    length: int | None

    def checked(self, value: Any) -> Any:
        """The value, with NumPy's numbers as Python's.

        Raises:
            OptionError: naming the option, the value and what it takes; or what :attr:`Option.parse` raises.
        """
        if self.is_for_each and isinstance(value, list | tuple):
            return tuple(self._one(one) for one in value)
        if self.length is None or value is None:
            return self._one(value)
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise self._wrong(value)
        values = tuple(self._one(one) for one in value)
        if self.length and len(values) != self.length:
            raise self._wrong(value)
        return values

    def _one(self, value: Any) -> Any:
        option = self.option
        if value is None and self.is_optional:
            return None
        if option.parse is not None:
            try:
                option.parse(value)
            except UserError:
                raise
            except ValueError as error:
                raise OptionError(str(error)) from error
            return value
        if self.choices:
            if value not in self.choices:
                raise self._wrong(value)
        elif self.kind in (int, float):
            is_number = isinstance(value, Integral if self.kind is int else Real)
            if isinstance(value, bool) or not is_number or not _is_finite(value):
                raise self._wrong(value)
            if not (option.low is None or option.low <= value) or not (option.high is None or value <= option.high):
                raise self._wrong(value)
            value = int(value) if self.kind is int else float(value)
        elif not isinstance(value, self.kind):
            raise self._wrong(value)
        return value

    def flags(self, label: str = "") -> tuple[str, ...]:
        """The flags of a command; with a label, such as ``a``, those for one source."""
        names = self.option.flags or (self.name.replace("_", "-"),)
        end = f"-{label}" if label else ""
        return tuple(f"{'-' if len(name) == 1 else '--'}{name}{end}" for name in names)

    @property
    def wanted(self) -> str:
        """The values that it takes, in words."""
        low, high = self.option.low, self.option.high
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}[self.kind]
        if low is not None:
            words += f" from {low:g} to {high:g}" if high is not None else f" from {low:g} up"
        if self.length is None:
            return words
        return f"{self.length} values, each {words}" if self.length else f"a list, each {words}"

    def _wrong(self, value: Any) -> OptionError:
        shown = repr(value)
        return OptionError(
            f"{self.name} is {shown if len(shown) < 60 else shown[:60] + '...'}; it must be {self.wanted}"
        )


class Options:
    """The base of the option classes: frozen dataclasses with keywords only, whose values are checked when made."""

    _resolved: ClassVar[tuple[OptionField, ...]]

    def __post_init__(self) -> None:
        for field in option_fields(type(self)):
            object.__setattr__(self, field.name, field.checked(getattr(self, field.name)))
        self.check_together()

    def check_together(self) -> None:
        """Raise :class:`OptionError` for values that are right alone and wrong together."""

    def shell_words(self, labels: Sequence[str] = ()) -> list[str]:
        """The flags and values of a command for the options that are not at their defaults.

        ``labels`` are those of the sources of a command that has an option for each.
        """
        words: list[str] = []
        for field in option_fields(type(self)):
            value = getattr(self, field.name)
            if field.is_for_each and labels:
                values = value if isinstance(value, tuple) else (value,) * len(labels)
                for label, one in zip(labels, values, strict=True):
                    words += [] if one == field.default else [field.flags(label)[0], str(one)]
            elif value is True:
                words.append(field.flags()[0])
            elif value != field.default:
                values = value if isinstance(value, tuple) else (value,)
                texts = [f"{one:g}" if isinstance(one, float) else str(one) for one in values]
                words += [field.flags()[0], *texts]
        return words


def option_fields(kind: type[Options]) -> tuple[OptionField, ...]:
    """The fields of an option class, in its order."""
    if "_resolved" not in vars(kind):
        hints = get_type_hints(kind, include_extras=True)
        entries = fields(kind)  # type: ignore[arg-type]  # a dataclass
        kind._resolved = tuple(_resolved(entry.name, hints[entry.name], entry.default) for entry in entries)
    return kind._resolved


def _resolved(name: str, hint: Any, default: Any) -> OptionField:
    if default is MISSING or get_origin(hint) is not Annotated:
        raise TypeError(f"{name} needs a default and an Option")
    inner, option = get_args(hint)
    members = list(get_args(inner)) if get_origin(inner) in (Union, types.UnionType) else [inner]
    is_optional = type(None) in members
    tuples = [member for member in members if get_origin(member) is tuple]
    plain = [member for member in members if member not in (*tuples, type(None))]
    length = None
    if tuples and not plain:
        entries = get_args(tuples[0])
        length = 0 if Ellipsis in entries else len(entries)
        plain = [entries[0]]
    literal = next((member for member in plain if get_origin(member) is Literal), None)
    kind = str if literal is not None else next((member for member in plain if member in (bool, int, float, str)), str)
    return OptionField(
        name=name,
        option=option,
        kind=kind,
        choices=get_args(literal) if literal is not None else (),
        default=default,
        is_optional=is_optional,
        is_for_each=bool(tuples) and length is None,
        length=length,
    )


def options_class(function: Callable[..., Any]) -> type[Options]:
    """The class of a verb's ``options``."""
    kind = function.__annotations__["options"]
    options_type: type[Options] = inspect.unwrap(function).__globals__[kind] if isinstance(kind, str) else kind
    return options_type


def verb(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Make a method of ``function(vae, *sources, options)`` that takes each option by keyword, and ``count`` by place.

    Its signature and its docstring name the options; parameters that are keywords only are passed on.
    """
    parameters = inspect.signature(function).parameters
    kind = options_class(function)
    names = [field.name for field in option_fields(kind)]
    by_place = [one for name, one in parameters.items() if name != "options" and one.kind is one.POSITIONAL_OR_KEYWORD]
    own = [one for one in parameters.values() if one.kind is one.KEYWORD_ONLY]
    of_options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD if field.name == "count" else inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=field.kind.__name__,
        )
        for field in sorted(option_fields(kind), key=lambda field: field.name != "count")
    ]
    signature = inspect.Signature([by_place[0].replace(name="self"), *by_place[1:], *of_options, *own])

    @functools.wraps(function)
    def method(*arguments: Any, **keywords: Any) -> Outcome:
        given = signature.bind(*arguments, **keywords).arguments
        options = kind(**{name: given.pop(name) for name in names if name in given})
        of_own = {one.name: given.pop(one.name) for one in own if one.name in given}
        return function(*given.values(), options, **of_own)

    method.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect.signature
    words = "\n".join(f"        {field.name}: {_described(field)}" for field in option_fields(kind))
    method.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{inspect.cleandoc(words)}\n"
    return method


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False


def _described(field: OptionField) -> str:
    """The words of an option for a docstring."""
    default = field.option.default or ("" if field.default is None else repr(field.default))
    return f"{field.option.help} {f'Default: {default}.' if default else ''}".strip()
