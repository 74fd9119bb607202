"""One self-sufficient ``.safetensors`` file: weights, configuration, vocabulary, metrics, provenance.

The weights are tensors, stored in float16 unless told otherwise; everything else is JSON in the file's header under
the key ``melodyvae``. Reading one runs no code from it.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from data_prep.errors import UserError
from data_prep.files import whole_file
from melodyvae.config import ConfigError, from_dict, to_dict

FORMAT_VERSION = 1
HEADER_KEY = "melodyvae"
SUFFIX = ".safetensors"
EXTRA_PREFIX = "extra."
MAX_GENERATIONS = 100  # of models, each fine-tuned from the one before


class CheckpointError(UserError, ValueError):
    """A checkpoint is missing, unreadable, or not one that this program can use."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained model as plain data.

    Attributes:
        kind: which model the weights belong to, such as ``melody``.
        config: the model's configuration as plain values.
        weights: name to tensor.
        vocabulary: the meaning of the token ids; empty for models without tokens.
        metrics: held-out metrics by name.
        provenance: what made it: command, data with its hash, updates, versions.
        extras: what was fitted to the trained network afterwards, name to tensor, such as a prior.
    """

    kind: str
    config: dict[str, Any]
    weights: dict[str, Tensor]
    extras: dict[str, Tensor] = field(default_factory=dict)
    vocabulary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


class CheckpointedModel(nn.Module):
    """A network that a checkpoint can hold; what :class:`Checkpoint` says of its attributes holds here.

    A subclass sets :attr:`KIND`, :attr:`CONFIG` and :attr:`DEFAULT`, and is made from its configuration alone.
    """

    KIND: ClassVar[str]
    CONFIG: ClassVar[type[Any]]
    DEFAULT: ClassVar[str]  # the shipped checkpoint that is meant when none is named

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
        """
        chosen = cls.DEFAULT if name_or_path is None else name_or_path
        model = cls.from_checkpoint(load_checkpoint(chosen), str(chosen))
        model.path = locate(chosen)
        return model

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, name: str = "the checkpoint") -> Self:
        """The model of a checkpoint that was read; ``name`` is what errors call it.

        Raises:
            CheckpointError: if the checkpoint is not one of this kind of model, or of this version's.
        """
        if checkpoint.kind != cls.KIND:
            raise CheckpointError(f"{name} is a {checkpoint.kind} model; a {cls.KIND} model is needed here")
        try:
            config = from_dict(cls.CONFIG, checkpoint.config)
        except ConfigError as error:
            raise CheckpointError(f"{name} has a configuration that is not this version's: {error}") from error
        cls._check_weights(config, checkpoint.weights, name)
        model = cls(config)
        if checkpoint.vocabulary != model.token_table():
            raise CheckpointError(
                f"{name} was trained on another vocabulary ({checkpoint.vocabulary}) than this version's "
                f"({model.token_table()}); its token ids would be misread"
            )
        try:
            model.load_state_dict(checkpoint.weights)
        except RuntimeError as error:
            raise CheckpointError(f"{name} has weights that do not fit its own configuration: {error}") from error
        for key, tensor in checkpoint.extras.items():
            _check_finite(tensor, key, name)
        model.metrics, model.provenance, model.extras = checkpoint.metrics, checkpoint.provenance, checkpoint.extras
        return model.eval()

    @classmethod
    def _check_weights(cls, config: Any, weights: Mapping[str, Tensor], name: str) -> None:
        """Raise unless weights are those of a model of ``config``, which is not made: it may be of any size."""
        with torch.device("meta"):
            wanted = {key: tensor.shape for key, tensor in cls(config).state_dict().items()}
        if wanted.keys() != weights.keys():
            other = sorted(wanted.keys() ^ weights.keys())[0]
            what = "lacks" if other in wanted else "has"
            raise CheckpointError(f"{name} has weights that do not fit its own configuration: it {what} {other!r}")
        for key, tensor in weights.items():
            if tensor.shape != wanted[key]:
                raise CheckpointError(
                    f"{name} has weights that do not fit its own configuration: {key} is {tuple(tensor.shape)}, not "
                    f"{tuple(wanted[key])}"
                )
            _check_finite(tensor, key, name)

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
        )
        save_checkpoint(checkpoint, path, dtype)


def save_checkpoint(checkpoint: Checkpoint, path: str | Path, dtype: torch.dtype = torch.float16) -> None:
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
    }
    stored = {
        name: tensor.detach().cpu().to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in checkpoint.weights.items()
    }
    stored |= {EXTRA_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.extras.items()}
    write_tensors(stored, header, path)


def load_checkpoint(name_or_path: str | Path) -> Checkpoint:
    """The checkpoint of a shipped name (see :func:`shipped_names`) or in a file, its weights in float32.

    Raises:
        CheckpointError: if there is no such checkpoint, or the file is truncated, of another program, or newer.
    """
    path = locate(name_or_path)
    tensors, header = read_tensors(path)
    if "training" in header:
        raise CheckpointError(f"{path} is the state of a training, for `train --resume`; its model is model{SUFFIX}")
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {version}; this melodyvae reads format {FORMAT_VERSION}. "
            "Install the version of melodyvae that wrote it, or train the model again."
        )
    tables = ("config", "vocabulary", "metrics", "provenance")
    broken = [name for name in tables if not isinstance(header.get(name), dict)]
    if broken or not isinstance(header.get("kind"), str):
        raise CheckpointError(f"{path} has no {(broken or ['kind'])[0]!r} in its header; it is not a model")
    _check_provenance(header["provenance"], path)
    return Checkpoint(
        kind=header["kind"],
        config=header["config"],
        weights={k: _in_float32(v) for k, v in tensors.items() if not k.startswith(EXTRA_PREFIX)},
        extras={k.removeprefix(EXTRA_PREFIX): v for k, v in tensors.items() if k.startswith(EXTRA_PREFIX)},
        vocabulary=header["vocabulary"],
        metrics=header["metrics"],
        provenance=header["provenance"],
    )


def check_extras(extras: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`CheckpointError` unless ``extras`` have these tensors, of these shapes."""
    for name, shape in shapes.items():
        if name not in extras:
            raise CheckpointError(f"the model is damaged: it lacks {name!r}; train it again")
        if extras[name].shape != shape:
            found = tuple(extras[name].shape)
            raise CheckpointError(
                f"the model is damaged: its {name!r} is of shape {found}, not {shape}; train it again"
            )


def shipped_names() -> list[str]:
    """The names of the checkpoints that ship with the package, sorted."""
    return sorted(
        entry.name.removesuffix(SUFFIX) for entry in _shipped_folder().iterdir() if entry.name.endswith(SUFFIX)
    )


def list_models(kind: str = "melody") -> list[str]:
    """The names of the shipped models that ``from_pretrained`` takes, sorted.

    >>> "melody-2bar" in list_models()
    True

    Args:
        kind: ``melody`` for :class:`~melodyvae.vae.MelodyVAE`, ``digits`` for the sanity models.
    """
    return [name for name in shipped_names() if name.startswith(f"{kind}-")]


def locate(name_or_path: str | Path, run: Path | None = None) -> Path:
    """The file of a path or of a shipped name.

    A folder that is called like a shipped model is taken before it, unless it is ``run``: what a run is started from
    is not what it has written since.

    Raises:
        CheckpointError: if there is neither.
    """
    shipped = Path(str(_shipped_folder())) / f"{name_or_path}{SUFFIX}"
    path = Path(name_or_path)
    if path.is_file():
        return path
    is_run = run is not None and path.resolve() == run.resolve()
    if path.is_dir() and not is_run and (path / f"model{SUFFIX}").is_file():
        return path / f"model{SUFFIX}"
    if os.sep not in str(name_or_path) and shipped.is_file():
        return shipped
    names = ", ".join(shipped_names()) or "none"
    raise CheckpointError(f"no model {str(name_or_path)!r}: it is no file, and the shipped models are: {names}")


def beside(checkpoint: Path, suffix: str) -> Path:
    """A file that goes with a checkpoint: of ``m.safetensors`` and ``novelty.npy``, ``m.novelty.npy``."""
    return checkpoint.with_name(checkpoint.name.removesuffix(SUFFIX) + "." + suffix)


def write_tensors(tensors: dict[str, Tensor], header: dict[str, Any], path: str | Path) -> None:
    """Write tensors and a JSON header to a ``.safetensors`` file, whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})
        except SafetensorError as error:  # such as of a full disk, whose number it tells in words
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON header of a file from :func:`write_tensors`.

    Raises:
        CheckpointError: if the file is truncated or was written by another program.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if HEADER_KEY not in metadata:
                raise CheckpointError(
                    f"{path} is a safetensors file, but not from melodyvae (no {HEADER_KEY!r} in its header)"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open has keys(), and cannot be iterated
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_why_unreadable(Path(path), error)) from error
    try:
        header = json.loads(metadata[HEADER_KEY])
    except RecursionError as error:
        raise CheckpointError(f"{path} has a header that is nested too deep; it is not from melodyvae") from error
    except ValueError as error:
        raise CheckpointError(f"{path} has a damaged header ({error}); copy or train it again") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a header that is not a table of values; it is not from melodyvae")
    return tensors, header


def _check_finite(tensor: Tensor, key: str, name: str) -> None:
    if tensor.is_complex() or not torch.isfinite(tensor).all():
        raise CheckpointError(f"{name} is damaged: {key} holds numbers that are not finite; train it again")


def _check_provenance(provenance: Any, path: Path) -> None:
    """Raise :class:`CheckpointError` unless what is told of a training, and of those before it, has the known form."""
    made_by, generations = provenance, 0
    while made_by is not None:
        marks = made_by.get("trained_on", "") if isinstance(made_by, dict) else None
        if isinstance(marks, dict):
            is_length = isinstance(marks.get("bytes"), int) and 0 < marks["bytes"] <= 32
            marks = marks.get("marks") if is_length else None
        tables = (
            [made_by.get(name, {}) for name in ("training", "versions", "fitted_to")]
            if isinstance(made_by, dict)
            else [None]
        )
        if (
            not _is_base64(marks)
            or not all(isinstance(table, dict) for table in tables)
            or generations > MAX_GENERATIONS
        ):
            raise CheckpointError(f"{path} is damaged: what it says of its training is not as melodyvae writes it")
        made_by, generations = made_by.get("fine_tuned_from"), generations + 1


def _is_base64(text: Any) -> bool:
    try:
        return isinstance(text, str) and base64.b64decode(text) is not None
    except ValueError:
        return False


def _in_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _why_unreadable(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as read_error:
        return f"cannot read {path}: {read_error.strerror}"
    if start.startswith((b"PK", b"\x80")):
        return (
            f"{path} is a pickled PyTorch file. Those can run code when opened and are not read here; "
            "melodyvae reads the .safetensors files that it writes."
        )
    why = str(error).removeprefix("Error while deserializing header: ")
    return f"{path} is not a whole .safetensors file ({why}); it may be truncated: copy or train it again"


def _shipped_folder() -> Any:
    return resources.files("melodyvae") / "checkpoints"
