"""Protocol of the model that a verb needs, with its companions."""

from __future__ import annotations

from functools import cached_property

import torch

from melodyvae.config import MelodyConfig
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.reading.repeats import Repeats
from melodyvae.system.limits import Limits
from melodyvae.verbs.doubts import can_hear
from melodyvae.verbs.meters import COMPOSING_MODEL
from melodyvae.verbs.novelty import NoveltyIndex, find_index
from melodyvae.verbs.sources import TunesRead


class HeldModel:
    """A trained model, with its index of training melodies, the model that judges whole tunes, and its draws.

    Attributes:
        model: the network.
        limits: of time and memory for reading a score, in a process of its own; None reads it in this one.
        repeats: of scores that its verbs read: ``written`` takes every bar once, ``play`` as often as it is played.
        tunes_read: the melodies of files that need not be read again, by file and track; empty unless it is filled.

    Args:
        composer: a model that looks back, held already, to judge notes by; None loads ``melody-compose`` when needed.
    """

    def __init__(
        self,
        model: MelodyModel,
        limits: Limits | None = None,
        *,
        composer: MelodyModel | None = None,
        repeats: Repeats = "written",
    ) -> None:
        self.model = model
        self.limits = limits
        self.repeats = repeats
        self._given_composer = composer
        self.tunes_read: TunesRead = {}

    @property
    def config(self) -> MelodyConfig:
        """The model's hyper-parameters: bars, meter and grid of a window among them."""
        return self.model.config

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """Index of the training windows, to measure how near a melody is; None if the model came without."""
        return find_index(self.model)

    @cached_property
    def composer(self) -> MelodyModel:
        """The model that hears whole tunes: this one if it looks back, else the one given, else ``melody-compose``."""
        if self.config.look_back:
            return self.model
        if self._given_composer is not None:
            return self._given_composer
        return MelodyModel.from_pretrained(COMPOSING_MODEL).to(self.model.device)

    def can_be_heard(self, melody: Melody) -> bool:
        """Whether the composer can hear a melody; ``melody-compose`` is not loaded for bars that it cannot hear."""
        may_hear = self.config.look_back or self._given_composer is not None or self.config.meter == (4, 4)
        return may_hear and can_hear(self.composer, melody)

    def draws(self, seed: int | None) -> torch.Generator:
        """The source of all draws of a call; a seed of None is 0."""
        return torch.Generator(self.model.device).manual_seed(seed or 0)
