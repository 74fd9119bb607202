"""An LSTM taken one step at a time, in the two ways that are fast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

LSTMState = tuple[Tensor, Tensor]  # hidden and cell, each (layers, B, H)


@dataclass(frozen=True)
class DecoderContext:
    """All that the steps need of z, computed once per window.

    Attributes:
        features: what each step reads of z, ``(T, B, F)``.
        state: the LSTM's state before the first step.
    """

    features: Tensor
    state: LSTMState


class LSTMCalls:
    """An LSTM taken step by step, each a call of it; a token is read as its row of ``token_inputs`` ``(V, I)``."""

    def __init__(self, lstm: nn.LSTM, token_inputs: Tensor, context: DecoderContext) -> None:
        self.lstm, self.token_inputs = lstm, token_inputs
        self.features, self.state = iter(context.features), context.state

    def take(self, previous: Tensor) -> Tensor:
        """The top layer's output ``(B, H)`` at the next step, after the tokens ``previous`` ``(B,)``."""
        inputs = torch.cat([self.token_inputs[previous], next(self.features)], dim=-1)
        outputs: Tensor
        outputs, self.state = self.lstm(inputs.unsqueeze(0), self.state)
        return outputs[0]


class LSTMSteps:
    """The same, with all that the steps have in common computed once; for small batches.

    What a token adds to the first layer's gates is a row of a table; what z adds, for all steps, is one product. The
    gates are in PyTorch's order: input, forget, cell, output (https://docs.pytorch.org/docs/stable/nn.html#lstm).
    """

    def __init__(self, lstm: nn.LSTM, token_inputs: Tensor, context: DecoderContext) -> None:
        (of_input, of_hidden, *biases), *above = lstm.all_weights
        features = context.features
        if features.stride(0) == 0:  # the same at every step
            features = features[:1]
        vocabulary_size, input_size = token_inputs.shape
        gates_of_features = features @ of_input[:, input_size:].T
        self.gates_of_features = iter(gates_of_features.expand(len(context.features), -1, -1))  # T times (B, 4H)
        gates_of_token = of_input[:, :vocabulary_size].T + sum(biases)  # the first V inputs say which token it is
        if input_size > vocabulary_size:
            more = token_inputs[:, vocabulary_size:] @ of_input[:, vocabulary_size:input_size].T
            gates_of_token = gates_of_token + more
        self.gates_of_token = gates_of_token  # (V, 4H)
        self.weights = [of_hidden.T, *(torch.cat([w, h], dim=1).T for w, h, _, _ in above)]  # (H, 4H), (2H, 4H)...
        self.biases = [b + c for _, _, b, c in above]
        self.hidden, self.cell = (list(state) for state in context.state)  # of each layer, (B, H)

    def take(self, previous: Tensor) -> Tensor:
        """See :meth:`LSTMCalls.take`."""
        from_below = self.gates_of_token[previous] + next(self.gates_of_features)
        self._turn(0, torch.addmm(from_below, self.hidden[0], self.weights[0]))
        for layer, bias in enumerate(self.biases, start=1):
            below_and_before = torch.cat([self.hidden[layer - 1], self.hidden[layer]], dim=-1)
            self._turn(layer, torch.addmm(bias, below_and_before, self.weights[layer]))
        top: Tensor = self.hidden[-1]
        return top

    def _turn(self, layer: int, gates: Tensor) -> None:
        into, forget, _, out = gates.sigmoid().chunk(4, dim=-1)
        new = gates.chunk(4, dim=-1)[2].tanh()
        self.cell[layer] = torch.addcmul(into * new, forget, self.cell[layer])
        self.hidden[layer] = out * self.cell[layer].tanh()
