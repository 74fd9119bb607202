"""A trained flat model as one with another output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from melodyvae.config import ConfigError
from melodyvae.models.decoder import MelodyDecoder
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT


def with_event_then_pitch(model: MelodyModel, windows: np.ndarray) -> MelodyModel:
    """``model`` with the output ``event-then-pitch``, which says the same pitches of a note on, exactly.

    Whether a note comes was the sum over all pitches, of which a linear output can only be the nearest one: the one
    with the least squared error of the logarithm on token windows ``(N, T)``, a few hundred.

    Raises:
        ConfigError: if the model is not a flat one with the output ``tokens``.
    """
    flat = model.decoder
    if not isinstance(flat, MelodyDecoder) or model.config.output != "tokens":
        raise ConfigError("only a model of one level with the output tokens can be given the output event-then-pitch")
    made = MelodyModel(replace(model.config, output="event-then-pitch")).to(flat.output.weight)
    weights = model.state_dict()
    with torch.inference_mode():
        tokens = torch.from_numpy(windows).to(model.device).long()
        context = flat.context(model.encode(tokens).mean)
        previous = F.pad(tokens, (1, -1), value=NO_EVENT)
        inputs = torch.cat([flat.token_inputs[previous.T], context.features], dim=-1)
        outputs = flat.lstm(inputs, context.state)[0].flatten(0, 1)
        note_on = flat.output(outputs)[:, FIRST_NOTE_ON:].logsumexp(dim=-1, keepdim=True)
        with_one = torch.cat([outputs, torch.ones_like(note_on)], dim=-1)
        nearest = torch.linalg.lstsq(with_one.double(), note_on.double()).solution.T.to(outputs)
        for name, row in (("weight", nearest[:, :-1]), ("bias", nearest[:, -1])):
            events, pitches = weights[f"decoder.output.{name}"].split([FIRST_NOTE_ON, model.vocabulary.size - 2])
            weights[f"decoder.output.{name}"] = torch.cat([events, row, pitches])
    made.load_state_dict(weights)
    made.provenance, made.metrics = model.provenance, model.metrics
    return made.train(model.training)
