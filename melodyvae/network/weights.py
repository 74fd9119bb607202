"""The weights of a checkpoint, each taken once, by its name and the shape that the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from melodyvae.network.checkpoint import check_finite, misfit, wrong_shape


class Weights:
    """The weights of a model, or of a part of it.

    Args:
        arrays: by their names in the checkpoint.
        checkpoint: the name by which errors call it.
        part: what the names of this part's weights begin with.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], checkpoint: str = "the checkpoint", part: str = "") -> None:
        self._arrays, self._checkpoint, self._part = arrays, checkpoint, part
        self._taken: set[str] = set()

    def under(self, part: str) -> Weights:
        """The weights of a part, such as ``decoder``."""
        found = Weights(self._arrays, self._checkpoint, f"{self._part}{part}.")
        found._taken = self._taken
        return found

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The weights ``name``.

        Raises:
            CheckpointError: if there are none, or they are of another shape, or hold numbers that are not finite.
        """
        key = self._part + name
        if key not in self._arrays:
            raise misfit(self._checkpoint, f"it lacks {key!r}")
        array = self._arrays[key]
        if array.shape != shape:
            raise wrong_shape(self._checkpoint, key, array.shape, shape)
        check_finite(array, key, self._checkpoint)
        self._taken.add(key)
        return array

    def linear(self, name: str, inputs: int, outputs: int) -> Linear:
        """The linear layer ``name``."""
        return Linear(self.take(f"{name}.weight", outputs, inputs).T, self.take(f"{name}.bias", outputs))

    def check_all_taken(self) -> None:
        """Raise :class:`~melodyvae.network.checkpoint.CheckpointError` if there are weights that nothing took."""
        left = sorted(self._arrays.keys() - self._taken)
        if left:
            raise misfit(self._checkpoint, f"it has {left[0]!r}")


class Linear:
    """A linear layer: rows ``(..., inputs)`` to ``(..., outputs)``.

    Attributes:
        weight: ``(inputs, outputs)``.
        bias: ``(outputs,)``.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.weight, self.bias = np.ascontiguousarray(weight), bias

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """See the class."""
        outputs: np.ndarray = rows.reshape(-1, rows.shape[-1]) @ self.weight
        outputs += self.bias
        return outputs.reshape(*rows.shape[:-1], len(self.bias))

    def back(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient of the rows, from that of the outputs."""
        found: np.ndarray = gradient.reshape(-1, gradient.shape[-1]) @ self.weight.T
        return found.reshape(*gradient.shape[:-1], len(self.weight))
