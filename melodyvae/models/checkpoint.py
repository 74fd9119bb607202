"""Networks that a checkpoint can hold, and writing one: see :mod:`melodyvae.network.checkpoint` for the format."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from melodyvae.config import to_dict
from melodyvae.network.architectures import architecture_named
from melodyvae.network.checkpoint import (
    EXTRA_PREFIX,
    FORMAT_VERSION,
    HASH_KEY,
    HEADER_KEY,
    Checkpoint,
    check_finite,
    content_sha256,
    locate,
    misfit,
    read_arrays,
    read_checkpoint,
    wrong_shape,
)
from melodyvae.system.files import whole_file


class CheckpointedModel(nn.Module):
    """A network that a checkpoint can hold; what :class:`Checkpoint` says of its attributes holds here.

    A subclass sets :attr:`KIND`, :attr:`CONFIG` and :attr:`DEFAULT`, and is made from its configuration alone.
    """

    KIND: ClassVar[str]
    CONFIG: ClassVar[type[Any]]
    DEFAULT: ClassVar[str]  # the shipped checkpoint that is meant when none is named
    ARCHITECTURE: ClassVar[str] = ""  # set by melodyvae.network.architectures.architecture

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.metrics: dict[str, Any] = {}
        self.provenance: dict[str, Any] = {}
        self.extras: dict[str, Tensor] = {}
        self.path: Path | None = None  # of the checkpoint that it is from

    def token_table(self) -> dict[str, Any]:
        """The meaning of the token ids; empty for models without tokens."""
        return {}

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None) -> Self:
        """The model of a shipped name, a checkpoint file or a run folder, ready to use, on the CPU.

        Raises:
            CheckpointError: if there is no such checkpoint or it is not one of this kind of model.
            ArchitectureError: if it is one of an architecture that is not known here.
        """
        chosen = cls.DEFAULT if name_or_path is None else name_or_path
        checkpoint = load_checkpoint(chosen)
        kind = architecture_named(checkpoint.architecture) if checkpoint.architecture else cls
        model: Self = kind.from_checkpoint(checkpoint, str(chosen))
        model.path = locate(chosen)
        return model

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint[Tensor], name: str = "the checkpoint") -> Self:
        """The model of a checkpoint that was read; ``name`` is what errors call it.

        Raises:
            CheckpointError: if the checkpoint is not one of this kind of model, or of this version's.
        """
        config = checkpoint.config_as(cls.KIND, cls.CONFIG, name)
        cls._check_weights(config, checkpoint.weights, name)
        model = cls(config)
        checkpoint.check_vocabulary(model.token_table(), name)
        try:
            model.load_state_dict(checkpoint.weights)
        except RuntimeError as error:
            raise misfit(name, str(error)) from error
        for key, tensor in checkpoint.extras.items():
            check_finite(tensor.numpy(), key, name)
        model.metrics, model.provenance, model.extras = checkpoint.metrics, checkpoint.provenance, checkpoint.extras
        return model.eval()

    @classmethod
    def _check_weights(cls, config: Any, weights: Mapping[str, Tensor], name: str) -> None:
        """Raise unless weights are those of a model of ``config``, which is not made: it may be of any size."""
        with torch.device("meta"):
            shapes = {key: tensor.shape for key, tensor in cls(config).state_dict().items()}
        if shapes.keys() != weights.keys():
            other = sorted(shapes.keys() ^ weights.keys())[0]
            raise misfit(name, f"it {'lacks' if other in shapes else 'has'} {other!r}")
        for key, tensor in weights.items():
            if tensor.shape != shapes[key]:
                raise wrong_shape(name, key, tuple(tensor.shape), tuple(shapes[key]))
            check_finite(tensor.numpy(), key, name)

    def save(self, path: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the model with its metrics to one ``.safetensors`` file, whole or not at all."""
        checkpoint = Checkpoint(
            kind=self.KIND,
            config=to_dict(self.config),
            weights=self.state_dict(),
            extras=self.extras,
            vocabulary=self.token_table(),
            metrics=self.metrics,
            provenance=self.provenance,
            architecture=self.ARCHITECTURE,
        )
        save_checkpoint(checkpoint, path, dtype)


def save_checkpoint(checkpoint: Checkpoint[Tensor], path: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write ``checkpoint`` to ``path``, whole or not at all.

    Floating-point weights are stored as ``dtype``, the extras as they are.
    """
    header = {
        "format_version": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "config": checkpoint.config,
        "vocabulary": checkpoint.vocabulary,
        "metrics": checkpoint.metrics,
        "provenance": checkpoint.provenance,
        **({"architecture": checkpoint.architecture} if checkpoint.architecture else {}),
    }
    stored = {
        name: tensor.detach().cpu().to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in checkpoint.weights.items()
    }
    stored |= {EXTRA_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.extras.items()}
    write_tensors(stored, header, path)


def load_checkpoint(name_or_path: str | Path) -> Checkpoint[Tensor]:
    """As :func:`~melodyvae.network.checkpoint.read_checkpoint`, with tensors."""
    read = read_checkpoint(name_or_path)
    return replace(read, weights=_tensors(read.weights), extras=_tensors(read.extras))  # type: ignore[arg-type, return-value]


def write_tensors(tensors: dict[str, Tensor], header: dict[str, Any], path: str | Path) -> None:
    """Write tensors and a JSON header to a ``.safetensors`` file, whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(header, sort_keys=True)
    sha256 = content_sha256({name: tensor.numpy() for name, tensor in tensors.items()}, text)
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={HEADER_KEY: text, HASH_KEY: sha256})
        except SafetensorError as error:  # such as of a full disk, whose number it tells in words
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """As :func:`~melodyvae.network.checkpoint.read_arrays`, with tensors."""
    arrays, header, _ = read_arrays(path)
    return _tensors(arrays), header


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
