"""Read one self-sufficient ``.safetensors`` file as NumPy arrays: weights, configuration, metrics, provenance.

The weights are arrays, stored in float16 unless told otherwise; everything else is JSON in the file's header under
the key ``melodyvae``. Under the key ``sha256`` the header has the SHA-256 of all of it, which is checked on reading.
Reading one runs no code from it, and needs no torch.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from melodyvae.config import Config, ConfigError, from_dict
from melodyvae.system.errors import UserError

FORMAT_VERSION = 1
HEADER_KEY = "melodyvae"
HASH_KEY = "sha256"
REVISION_CHARACTERS = 8
SUFFIX = ".safetensors"
EXTRA_PREFIX = "extra."
MAX_GENERATIONS = 100  # of models, each fine-tuned from the one before

Numbers = TypeVar("Numbers")  # arrays, or torch's tensors


class CheckpointError(UserError, ValueError):
    """A checkpoint is missing, unreadable, or not one that this program can use."""


@dataclass(frozen=True)
class Checkpoint(Generic[Numbers]):
    """A trained model as plain data.

    Attributes:
        kind: which model the weights belong to, such as ``melody``.
        config: the model's configuration as plain values.
        weights: name to array.
        extras: what was fitted to the trained network afterwards, name to array, such as a prior.
        vocabulary: the meaning of the token ids; empty for models without tokens.
        metrics: held-out metrics by name.
        provenance: what made it: command, data with its hash, updates, versions.
        architecture: the registered name of networks that are not melodyvae's own; empty for those that are.
        sha256: of all that it holds (:func:`content_sha256`); empty for one that was not read from a file.
    """

    kind: str
    config: dict[str, Any]
    weights: dict[str, Numbers]
    extras: dict[str, Numbers] = field(default_factory=dict)
    vocabulary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    architecture: str = ""
    sha256: str = ""

    @property
    def revision(self) -> str:
        """The first eight characters of the hash: two trainings of one name differ in it."""
        return self.sha256[:REVISION_CHARACTERS]

    def config_as(self, kind: str, config: type[Config], name: str) -> Config:
        """The configuration of a model of ``kind``; ``name`` is what errors call the checkpoint.

        Raises:
            CheckpointError: if the checkpoint is of another kind, or its configuration of another version.
        """
        if self.kind != kind:
            raise CheckpointError(f"{name} is a {self.kind} model; a {kind} model is needed here")
        try:
            return from_dict(config, self.config)
        except ConfigError as error:
            raise CheckpointError(f"{name} has a configuration that is not this version's: {error}") from error

    def check_vocabulary(self, table: dict[str, Any], name: str) -> None:
        """Raise :class:`CheckpointError` unless the token ids mean what they mean in ``table``."""
        if self.vocabulary != table:
            raise CheckpointError(
                f"{name} was trained on another vocabulary ({self.vocabulary}) than this version's "
                f"({table}); its token ids would be misread"
            )


def read_checkpoint(name_or_path: str | Path) -> Checkpoint[np.ndarray]:
    """The checkpoint of a shipped name (see :func:`shipped_names`) or in a file, its weights in float32.

    Raises:
        CheckpointError: if there is no such checkpoint, or the file is truncated, of another program, or newer.
    """
    path = locate(name_or_path)
    arrays, header, sha256 = read_arrays(path)
    if "training" in header:
        raise CheckpointError(f"{path} is the state of a training, to resume it from; its model is model{SUFFIX}")
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
    architecture = header.get("architecture", "")
    if not isinstance(architecture, str):
        raise CheckpointError(f"{path} is damaged: its architecture is {architecture!r}, not a name")
    return Checkpoint(
        kind=header["kind"],
        config=header["config"],
        weights={k: _in_float32(v) for k, v in arrays.items() if not k.startswith(EXTRA_PREFIX)},
        extras={k.removeprefix(EXTRA_PREFIX): v for k, v in arrays.items() if k.startswith(EXTRA_PREFIX)},
        vocabulary=header["vocabulary"],
        metrics=header["metrics"],
        provenance=header["provenance"],
        architecture=architecture,
        sha256=sha256,
    )


def check_extras(extras: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`CheckpointError` unless ``extras`` have these arrays, or tensors, of these shapes."""
    for name, shape in shapes.items():
        if name not in extras:
            raise CheckpointError(f"the model is damaged: it lacks {name!r}; train it again")
        if tuple(extras[name].shape) != shape:
            found = tuple(extras[name].shape)
            raise CheckpointError(
                f"the model is damaged: its {name!r} is of shape {found}, not {shape}; train it again"
            )


class Fitted:
    """Base of dataclasses of arrays that were fitted to a trained network; its checkpoint has them among its extras."""

    EXTRA: ClassVar[str]  # what their names in a checkpoint begin with

    def to_extras(self) -> dict[str, np.ndarray]:
        """The arrays as a checkpoint holds them: float16, each under a name of its own."""
        return {self.EXTRA + name: array.astype(np.float16) for name, array in vars(self).items()}

    @classmethod
    def is_in(cls, extras: Mapping[str, Any]) -> bool:
        """Whether a checkpoint came with all the arrays."""
        return all(cls.EXTRA + entry.name in extras for entry in fields(cls))  # type: ignore[arg-type]  # a dataclass

    @classmethod
    def read(cls, extras: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> Self:
        """The arrays of a checkpoint, in float32.

        Raises:
            CheckpointError: if they are of other shapes.
        """
        check_extras(extras, {cls.EXTRA + name: shape for name, shape in shapes.items()})
        return cls(**{name: extras[cls.EXTRA + name].astype(np.float32) for name in shapes})


def check_finite(array: np.ndarray, key: str, name: str) -> None:
    """Raise :class:`CheckpointError` unless the weights or extras ``key`` of the checkpoint ``name`` are numbers."""
    if np.iscomplexobj(array) or not np.isfinite(array).all():
        raise CheckpointError(f"{name} is damaged: {key} holds numbers that are not finite; train it again")


def misfit(name: str, what: str) -> CheckpointError:
    """The error of a checkpoint whose weights are not those of its configuration."""
    return CheckpointError(f"{name} has weights that do not fit its own configuration: {what}")


def wrong_shape(name: str, key: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> CheckpointError:
    """The error of a checkpoint with weights ``key`` of another shape than its configuration asks for."""
    return misfit(name, f"{key} is {found}, not {wanted}")


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
    raise CheckpointError(f"no model {str(name_or_path)!r}: it is not a file, and the shipped models are: {names}")


def beside(checkpoint: Path, suffix: str) -> Path:
    """A file that goes with a checkpoint: of ``m.safetensors`` and ``novelty.npy``, ``m.novelty.npy``."""
    return checkpoint.with_name(checkpoint.name.removesuffix(SUFFIX) + "." + suffix)


def content_sha256(arrays: Mapping[str, np.ndarray], header: str) -> str:
    """The SHA-256, in hexadecimal, of a JSON header in UTF-8, and for each array by name of its name and its bytes."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any], str]:
    """The arrays and the JSON header of a file that melodyvae wrote, and their :func:`content_sha256`.

    Raises:
        CheckpointError: if the file is truncated or damaged, was written by another program, or holds numbers that
            NumPy lacks.
    """
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
            if HEADER_KEY not in metadata:
                raise CheckpointError(
                    f"{path} is a safetensors file, but not from melodyvae (no {HEADER_KEY!r} in its header)"
                )
            arrays = {name: _array(file, name, path) for name in file.keys()}  # noqa: SIM118 - safe_open has keys(), and cannot be iterated
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
    sha256 = content_sha256(arrays, metadata[HEADER_KEY])
    if metadata.get(HASH_KEY, sha256) != sha256:  # older files have none
        raise CheckpointError(
            f"{path} is damaged: its content has the SHA-256 {sha256[:12]}..., and was written with "
            f"{metadata[HASH_KEY][:12]}...; copy it again"
        )
    return arrays, header, sha256


def _array(file: Any, name: str, path: str | Path) -> np.ndarray:
    reason: Exception | None = None
    try:
        array = np.asarray(file.get_tensor(name))
        if array.dtype.isbuiltin == 1:
            return array
    except (TypeError, AttributeError) as error:  # bfloat16 and the kinds of float8, unless ml_dtypes is imported
        reason = error
    kind = file.get_slice(name).get_dtype()
    raise CheckpointError(
        f"{path} holds {name} as {kind}, which is not read here; save the model in float16 or float32"
    ) from reason


def _check_provenance(provenance: Any, path: Path) -> None:
    """Raise :class:`CheckpointError` unless the provenance, with that of earlier trainings, has the known form."""
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


def _in_float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


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
