"""An LSTM in NumPy: whole sequences, one step at a time, and the gradient of what it reads.

Sigmoid is ``1/2 + tanh(x / 2) / 2``, and the halves are in the weights, so that the four gates of a step are one
``tanh``: NumPy's is several times as fast as ``exp`` and a division. The gates are in the order input, forget, output,
cell (PyTorch's has the last two the other way round: https://docs.pytorch.org/docs/stable/nn.html#lstm), so that
those that are sigmoids lie side by side.

Conventions: sequences are ``(T, B, ...)``; I inputs, H units; a layer's gates are ``(B, 4H)``, or
``(4, B, H)`` while they are worked on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from melodyvae.network.weights import Weights

# Columns of a block, and the most multiplications in one: so small a product goes without the repacking that makes
# OpenBLAS two to four times slower for few rows (measured with 256 to 512 inputs on AVX-512).
BLOCKS = ((64, 600_000), (32, 800_000))
GATES = 4

State = tuple[np.ndarray, np.ndarray]  # hidden and cell, each (B, H)


class Matrix:
    """The weights ``(K, 4H)`` of an LSTM's gates, which rows ``(B, K)`` are multiplied by many times, few or many.

    The product is ``(4, B, H)``, each gate in one piece, as what follows goes through memory in order then.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.ascontiguousarray(values)
        self._blocks: dict[int, np.ndarray] = {}

    def times(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Write the product into ``out`` ``(4, B, H)``."""
        (count, inputs), size = rows.shape, out.shape[2]
        fitting = (width for width, most in BLOCKS if 1 < count <= most // (width * inputs) and size % width == 0)
        width = next(fitting, size)
        if width not in self._blocks:
            cut = self.values.reshape(inputs, GATES, size // width, width).transpose(1, 2, 0, 3)
            self._blocks[width] = np.ascontiguousarray(cut)  # (4, H / width, K, width)
        np.matmul(rows, self._blocks[width], out=out.reshape(GATES, count, -1, width).transpose(0, 2, 1, 3))


@dataclass(frozen=True)
class Tape:
    """Values of a layer's pass over a sequence that its gradient needs.

    Attributes:
        gates: after their functions, ``(T, 4, B, H)``.
        cells: the states after each step, and before the first: ``(T + 1, B, H)``.
        tanh_cells: of those after each step, ``(T, B, H)``.
    """

    gates: np.ndarray
    cells: np.ndarray
    tanh_cells: np.ndarray


def turn(gates: np.ndarray, cell: np.ndarray, hidden: np.ndarray, scratch: np.ndarray) -> None:
    """Write the next states over ``cell`` and ``hidden`` ``(B, H)``.

    ``gates`` ``(4, B, H)`` come without their functions, and go with them; ``scratch`` ends as the tanh of the cell.
    """
    np.tanh(gates, out=gates)
    sigmoids = gates[:3]
    sigmoids *= 0.5
    sigmoids += 0.5
    into, forget, out, new = gates
    cell *= forget
    np.multiply(into, new, out=scratch)
    cell += scratch
    np.tanh(cell, out=scratch)
    np.multiply(out, scratch, out=hidden)


def by_gate(gates: np.ndarray) -> np.ndarray:
    """Gates ``(B, 4H)`` as ``(4, B, H)``; a view."""
    return gates.reshape(len(gates), GATES, -1).transpose(1, 0, 2)


def ordered(array: np.ndarray) -> np.ndarray:
    """PyTorch's weights ``(4H, ...)`` of the gates, in this module's order, halved for the sigmoids."""
    into, forget, new, out = np.split(array, 4)
    return np.concatenate([0.5 * into, 0.5 * forget, 0.5 * out, new]).astype(array.dtype, copy=False)


class Layer:
    """One layer in one direction.

    Attributes:
        of_input: ``(I, 4H)``.
        of_hidden: ``(H, 4H)``.
        bias: ``(4H,)``.
    """

    def __init__(self, weights: Weights, suffix: str, inputs: int, size: int) -> None:
        self.size = size
        self.of_input = np.ascontiguousarray(ordered(weights.take(f"weight_ih_{suffix}", 4 * size, inputs)).T)
        self.of_hidden = Matrix(ordered(weights.take(f"weight_hh_{suffix}", 4 * size, size)).T)
        biases = weights.take(f"bias_ih_{suffix}", 4 * size) + weights.take(f"bias_hh_{suffix}", 4 * size)
        self.bias = ordered(biases)

    def gates(self, inputs: np.ndarray) -> np.ndarray:
        """Contribution of inputs ``(..., I)`` and the bias to the gates, ``(..., 4H)``."""
        found: np.ndarray = inputs.reshape(-1, inputs.shape[-1]) @ self.of_input
        found += self.bias
        return found.reshape(*inputs.shape[:-1], len(self.bias))

    def table(self, token_inputs: np.ndarray) -> np.ndarray:
        """Contribution of each token to the gates, ``(V, 4H)``; the first inputs are ``token_inputs`` ``(V, I)``."""
        return np.asarray(token_inputs.astype(self.bias.dtype) @ self.of_input[: token_inputs.shape[1]] + self.bias)

    def run(
        self,
        gates_at: Callable[[int], np.ndarray],
        steps: int,
        state: State,
        reverse: bool = False,
        tape: bool = False,
    ) -> tuple[np.ndarray, State, Tape | None]:
        """The outputs ``(T, B, H)``, the last hidden and cell state, and a tape if it is wanted.

        Args:
            gates_at: what the input of a step adds to the gates, ``(B, 4H)``.
            steps: T.
            state: hidden and cell before the first step, ``(B, H)``.
            reverse: from the last step to the first.
            tape: whether a gradient is to come.
        """
        hidden, cell = state[0], state[1].copy()
        batch, size = hidden.shape
        outputs = np.empty((steps, batch, size), hidden.dtype)
        gates, scratch = np.empty((GATES, batch, size), hidden.dtype), np.empty_like(cell)
        kept = None
        if tape:
            shape = (steps, batch, size)
            kept = Tape(
                np.empty((steps, GATES, batch, size), cell.dtype),
                np.empty((steps + 1, *shape[1:]), cell.dtype),
                np.empty(shape, cell.dtype),
            )
            kept.cells[-1 if reverse else 0] = cell
        for step in reversed(range(steps)) if reverse else range(steps):
            if kept is not None:
                gates = kept.gates[step]
            self.of_hidden.times(hidden, gates)
            gates += by_gate(gates_at(step))
            turn(gates, cell, outputs[step], scratch)
            hidden = outputs[step]
            if kept is not None:
                kept.cells[step + (not reverse)] = cell
                kept.tanh_cells[step] = scratch
        return outputs, (hidden, cell), kept

    def back(self, gradient: np.ndarray, tape: Tape, later: State | None = None) -> tuple[np.ndarray, State]:
        """The gradient of the gates ``(T, B, 4H)`` without functions, and that of the first hidden and cell state.

        ``gradient`` is that of the outputs, ``(T, B, H)``, of a pass forwards; ``later`` that of the last states.
        """
        steps, _, size = gradient.shape
        found = np.empty((*gradient.shape[:2], GATES * size), gradient.dtype)
        zeros = np.zeros_like(gradient[0])
        of_hidden, of_cell = (zeros, zeros) if later is None else later
        back = np.ascontiguousarray(self.of_hidden.values.T)
        for step in reversed(range(steps)):
            into, forget, out, new = tape.gates[step]
            tanh_cell, here = tape.tanh_cells[step], found[step]
            of_hidden = of_hidden + gradient[step]
            of_cell = of_cell + of_hidden * out * (1 - np.square(tanh_cell))
            # A sigmoid s of x is 1/2 + tanh(x / 2) / 2; for x / 2 its slope is 2 s (1 - s).
            here[:, :size] = of_cell * new * 2 * into * (1 - into)
            here[:, size : 2 * size] = of_cell * tape.cells[step] * 2 * forget * (1 - forget)
            here[:, 2 * size : 3 * size] = of_hidden * tanh_cell * 2 * out * (1 - out)
            here[:, 3 * size :] = of_cell * into * (1 - np.square(new))
            of_cell = of_cell * forget
            of_hidden = here @ back
        return found, (of_hidden, of_cell)


class LSTM:
    """An LSTM of some layers; a bidirectional one has twice H outputs, those of the way forwards first.

    Attributes:
        layers: of the way forwards, from the lowest.
        backwards: of the way backwards; empty where there is none.
    """

    def __init__(self, weights: Weights, inputs: int, size: int, layers: int = 1, bidirectional: bool = False) -> None:
        self.size, self.bidirectional = size, bidirectional
        width = 2 * size if bidirectional else size
        widths = [inputs, *[width] * (layers - 1)]
        self.layers = [Layer(weights, f"l{number}", width, size) for number, width in enumerate(widths)]
        self.backwards = [
            Layer(weights, f"l{number}_reverse", width, size)
            for number, width in enumerate(widths if bidirectional else [])
        ]

    def zeros(self, batch: int) -> list[State]:
        """The state of silence, hidden and cell ``(B, H)`` of each layer."""
        kind = self.layers[0].bias.dtype
        return [(np.zeros((batch, self.size), kind), np.zeros((batch, self.size), kind)) for _ in self.layers]

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs ``(T, B, H)`` or ``(T, B, 2H)`` of ``(T, B, I)``, and the last states; see :meth:`read`."""
        forwards = self.layers[0].gates(inputs)
        back = self.backwards[0].gates(inputs) if self.bidirectional else None
        return self.read(forwards.__getitem__, None if back is None else back.__getitem__, *inputs.shape[:2])

    def read(
        self,
        forwards: Callable[[int], np.ndarray],
        backwards: Callable[[int], np.ndarray] | None,
        steps: int,
        batch: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of a sequence of which is given what it adds to the first layer's gates, from silence.

        The second array, ``(B, H)`` or ``(B, 2H)``, is the top layer's last state: of the way forwards after the last
        step, of that backwards after the first one.
        """
        outputs = last = np.empty(0)
        for number, layer in enumerate(self.layers):
            if number:
                forwards = layer.gates(outputs).__getitem__
                backwards = self.backwards[number].gates(outputs).__getitem__ if self.bidirectional else None
            zero = self.zeros(batch)[0]
            found, (last, _), _ = layer.run(forwards, steps, zero)
            if backwards is not None:
                other, (first, _), _ = self.backwards[number].run(backwards, steps, zero, reverse=True)
                found, last = np.concatenate([found, other], axis=-1), np.concatenate([last, first], axis=-1)
            outputs = found
        return outputs, last

    def run(
        self, gates: np.ndarray, state: list[State], tape: bool = False
    ) -> tuple[np.ndarray, list[State], list[Tape]]:
        """Forwards from a state: the outputs ``(T, B, H)``, the last states, and the tapes if they are wanted.

        ``gates`` ``(T, B, 4H)`` is what the inputs add to the first layer's gates.
        """
        tapes, last = [], []
        outputs = gates
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            if number:
                gates = layer.gates(outputs)
            outputs, after, kept = layer.run(gates.__getitem__, len(gates), before, tape=tape)
            last.append(after)
            if kept is not None:
                tapes.append(kept)
        return outputs, last, tapes

    def back(
        self, gradient: np.ndarray, tapes: list[Tape], later: list[State] | None = None
    ) -> tuple[np.ndarray, list[State]]:
        """The gradient of the first layer's gates, and of the first states, from that of the outputs ``(T, B, H)``.

        ``later`` is the gradient of the last states, beyond what the outputs tell.
        """
        states: list[State] = []
        for number, (layer, tape) in reversed(list(enumerate(zip(self.layers, tapes, strict=True)))):
            gates, state = layer.back(gradient, tape, None if later is None else later[number])
            states.insert(0, state)
            if number:
                gradient = (gates.reshape(-1, gates.shape[-1]) @ layer.of_input.T).reshape(*gates.shape[:2], -1)
        return gates, states


class Steps:
    """An LSTM taken one step at a time, with all that the steps have in common computed once.

    Each layer's product is one, of what it reads and of its own state, which lie side by side in one array.

    Args:
        lstm: the LSTM.
        table: what each token adds to the first layer's gates, ``(V, 4H)``, the bias included.
        features: what else each step reads, ``(T, B, F)``, by the last F inputs of the first layer.
        state: before the first step.
        joint: see :func:`joint_matrices`, for F features.
        always: what is added to the first layer's gates at every step, ``(B, 4H)``.
    """

    def __init__(
        self,
        lstm: LSTM,
        table: np.ndarray,
        features: np.ndarray,
        state: list[State],
        joint: list[Matrix],
        always: np.ndarray | None = None,
    ) -> None:
        self.always = always
        self.lstm, self.table, self.features, self.joint = lstm, table, iter(features), joint
        width, size, batch = features.shape[2], lstm.size, features.shape[1]
        self.read = np.empty((batch, width + size * len(lstm.layers)), table.dtype)
        places = [width + number * size for number in range(len(lstm.layers))]
        self.hidden = [self.read[:, place : place + size] for place in places]
        self.reads = [
            self.read[:, : width + size],
            *(self.read[:, place - size : place + size] for place in places[1:]),
        ]
        for view, (hidden, _) in zip(self.hidden, state, strict=True):
            view[:] = hidden
        self.cells = [cell.copy() for _, cell in state]
        self.width = width
        self.gates, self.scratch = np.empty((GATES, batch, size), table.dtype), np.empty((batch, size), table.dtype)

    def take(self, previous: np.ndarray) -> np.ndarray:
        """The top layer's output ``(B, H)`` at the next step, after the tokens ``previous``.

        The next call writes over it.
        """
        self.read[:, : self.width] = next(self.features)
        for number, (layer, matrix) in enumerate(zip(self.lstm.layers, self.joint, strict=True)):
            matrix.times(self.reads[number], self.gates)
            self.gates += by_gate(self.table[previous] if number == 0 else layer.bias[None])
            if number == 0 and self.always is not None:
                self.gates += by_gate(self.always)
            turn(self.gates, self.cells[number], self.hidden[number], self.scratch)
        return self.hidden[-1]


def joint_matrices(lstm: LSTM, features: int) -> list[Matrix]:
    """For :class:`Steps`: each layer's weights of what it reads beside the token, and of its own state, in one."""
    first, *above = lstm.layers
    of_features = first.of_input[len(first.of_input) - features :]
    return [
        Matrix(np.concatenate([part, layer.of_hidden.values]))
        for layer, part in [(first, of_features), *((layer, layer.of_input) for layer in above)]
    ]
