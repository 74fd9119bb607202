"""Networks of one's own: the classes that read checkpoints whose header names an ``architecture``.

A class is registered by its module (:func:`architecture`), or found by the entry point of an installed package, in the
group ``melodyvae.architectures``, when a checkpoint of that name is read. A checkpoint itself never runs code.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from melodyvae.system.errors import UserError

GROUP = "melodyvae.architectures"
Kind = TypeVar("Kind", bound=type)
_REGISTERED: dict[str, Any] = {}


class ArchitectureError(UserError, LookupError):
    """A checkpoint's architecture is not known here."""


def architecture(name: str) -> Callable[[Kind], Kind]:
    """Decorate a subclass of :class:`~melodyvae.models.melody.MelodyModel`: its checkpoints are read by it.

    Args:
        name: what the header of its checkpoints says; of a class that is registered again the last one counts.
    """

    def register(kind: Kind) -> Kind:
        kind.ARCHITECTURE = name  # type: ignore[attr-defined]  # such a subclass has it
        _REGISTERED[name] = kind
        return kind

    return register


def architecture_named(name: str) -> Any:
    """The class that was registered under a name, or that an installed package has for it.

    Raises:
        ArchitectureError: if there is none.
    """
    for entry in () if name in _REGISTERED else entry_points(group=GROUP, name=name):
        _REGISTERED[name] = entry.load()
    if name not in _REGISTERED:
        raise ArchitectureError(
            f"the model has the architecture {name!r}, which is not part of melodyvae; install the package that has "
            "it, or import the module that registers it"
        )
    return _REGISTERED[name]
