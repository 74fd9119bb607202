"""What a verb needs: a model that is held, and what goes with it."""

from __future__ import annotations

from functools import cached_property

import torch

from data_prep.limits import Limits
from melodyvae.config import MelodyConfig
from melodyvae.generation.meters import COMPOSING_MODEL
from melodyvae.generation.novelty import NoveltyIndex, find_index
from melodyvae.models.melody import MelodyModel


class HeldModel:
    """A trained model, with its index of training melodies, the model that judges whole tunes, and its draws.

    Attributes:
        model: the network.
        limits: of time and memory for reading a score, in a process of its own; None reads it in this one.

    Args:
        composer: a model that looks back, held already, to judge notes by; None loads ``melody-compose`` when needed.
    """

    def __init__(
        self, model: MelodyModel, limits: Limits | None = None, *, composer: MelodyModel | None = None
    ) -> None:
        self.model = model
        self.limits = limits
        self._given_composer = composer

    @property
    def config(self) -> MelodyConfig:
        """The model's hyper-parameters: bars, meter and grid of a window among them."""
        return self.model.config

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """What tells how near a melody is to the training windows; None of a model that came without."""
        return find_index(self.model)

    @cached_property
    def composer(self) -> MelodyModel:
        """The model that hears whole tunes: this one if it looks back, else the one given, else ``melody-compose``."""
        if self.config.look_back:
            return self.model
        if self._given_composer is not None:
            return self._given_composer
        return MelodyModel.from_pretrained(COMPOSING_MODEL).to(self.model.device)

    def draws(self, seed: int | None) -> torch.Generator:
        """The source of all draws of a call; a seed of None is 0."""
        return torch.Generator(self.model.device).manual_seed(seed or 0)
