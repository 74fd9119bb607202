"""Protocol of the model that a verb needs, with its companions."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Protocol, Self, get_args

from melodyvae.config import MelodyConfig
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.options import OptionError
from melodyvae.reading.repeats import Repeats
from melodyvae.system.limits import Limits
from melodyvae.verbs.meters import COMPOSING_MODEL
from melodyvae.verbs.novelty import NoveltyIndex, find_index
from melodyvae.verbs.sources import TunesRead


class Trained(Protocol):
    """A model in another form, such as :class:`~melodyvae.models.melody.MelodyModel`, in torch."""

    def network(self) -> MelodyNetwork:
        """The model as it is now, in NumPy."""
        ...


class HeldModel:
    """A trained model, with its index of training melodies, the model that judges whole tunes, and its draws.

    Attributes:
        model: the network, which plays on one thread of the processor.
        limits: of time and memory for reading a score, in a process of its own; None reads it in this one.
        repeats: of scores that its verbs read: ``written`` takes every bar once, ``play`` as often as it is played.
        tunes_read: the melodies of files that need not be read again, by file and track; empty unless it is filled.

    Args:
        model: the network, or what gives it.
        composer: a model that looks back, held already, to judge notes by; None loads ``melody-compose`` when needed.
    """

    def __init__(
        self,
        model: MelodyNetwork | Trained,
        limits: Limits | None = None,
        *,
        composer: MelodyNetwork | None = None,
        repeats: Repeats = "written",
    ) -> None:
        if repeats not in get_args(Repeats):
            raise OptionError(f"repeats is {repeats!r}; it must be one of {', '.join(get_args(Repeats))}")
        self.model: MelodyNetwork = model.network() if hasattr(model, "network") else model
        self.limits = limits
        self.repeats = repeats
        self._given_composer = composer
        self.tunes_read: TunesRead = {}

    @property
    def config(self) -> MelodyConfig:
        """The model's hyper-parameters: bars, meter and grid of a window among them."""
        return self.model.config

    def in_meter(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> Self:
        """The same with windows in another meter; see :meth:`melodyvae.network.network.MelodyNetwork.in_meter`."""
        found = copy.copy(self)
        found.model = self.model.in_meter(meter, steps_per_quarter)
        found.__dict__.pop("novelty", None)
        return found

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """Index of the training windows, to measure how near a melody is; None if the model came without."""
        return find_index(self.model)

    @cached_property
    def composer(self) -> MelodyNetwork:
        """The model that hears whole tunes: this one if it looks back, else the one given, else ``melody-compose``."""
        if self.config.look_back:
            return self.model
        if self._given_composer is not None:
            return self._given_composer
        return MelodyNetwork.read(COMPOSING_MODEL)

    def draws(self, seed: int | None) -> Draws:
        """The source of all draws of a call; a seed of None is 0."""
        return Draws(seed or 0)
