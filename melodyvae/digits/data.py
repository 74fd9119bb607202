"""MNIST: four idx files -> images and labels; the download; the batches of a training.

An idx file is a big-endian magic number (two zero bytes, the type 8 for uint8, the number of dimensions), one 32-bit
length per dimension, then the bytes. "The MNIST database of handwritten digits" (LeCun, Cortes, Burges, 1998):
http://yann.lecun.com/exdb/mnist/ . The images may be passed on under CC BY-SA 3.0.

Conventions: images are kept as uint8 ``(N, 28, 28)``, 0 paper to 255 ink, labels as uint8 ``(N,)``; what a model gets
is float, 0 to 1. The last 5,000 training images are held out for choices; the test images are for the final metrics.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from melodyvae.digits.config import SIDE
from melodyvae.system.errors import UserError

HELD_OUT = 5_000
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
# MD5 of the uncompressed files: the mirrors compress them each in its own way.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"  # the fingerprint of the four files


class DigitDataError(UserError, ValueError):
    """The digits are missing, or one of their files is damaged."""


class DownloadError(DigitDataError):
    """No mirror gave a file."""


@dataclass(frozen=True)
class Digits:
    """Images, uint8 ``(N, 28, 28)``, and their labels, uint8 ``(N,)``."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice | Tensor) -> Digits:
        return Digits(self.images[rows], self.labels[rows])

    def grey(self) -> Tensor:
        """The images as float, ``(N, 28, 28)``, 0 to 1."""
        return self.images.float() / 255

    def of_class(self, digit: int) -> Digits:
        """Those whose label is ``digit``."""
        return self[self.labels == digit]


@dataclass(frozen=True)
class DigitSplits:
    """A data set. ``fingerprint`` is the SHA-256 of the uncompressed files, in the order of :data:`MD5`."""

    train: Digits
    held_out: Digits
    test: Digits
    fingerprint: str


def read_digits(folder: str | Path) -> DigitSplits:
    """The digits of the four idx files in ``folder``, each gzipped (``.gz``) or not.

    With fewer than 60,000 training images, a twelfth of them is held out.

    Raises:
        DigitDataError: if a file is missing or not a whole idx file, or images and labels do not belong together.
    """
    paths = {name: _find(Path(folder), name) for name in MD5}
    arrays = {name: read_idx(path) for name, path in paths.items()}
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(array.tobytes())
    train = _pair(arrays, paths, "train")
    test = _pair(arrays, paths, "t10k")
    held_out = min(HELD_OUT, len(train) // 12)
    cut = len(train) - held_out
    return DigitSplits(train[:cut], train[cut:], test, digest.hexdigest())


def read_idx(path: str | Path) -> np.ndarray:
    """The uint8 array of an idx file, gzipped or not.

    Raises:
        DigitDataError: if it is not an idx file of bytes, truncated, or longer than its header says.
    """
    path = Path(path)
    data = _uncompressed(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DigitDataError(
            f"{path} is not an idx file: it starts with {data[:4].hex(' ') or 'nothing'}, not with 00 00"
        )
    kind, dimensions = data[2], data[3]
    if kind != 8 or not 1 <= dimensions <= 3:
        raise DigitDataError(
            f"{path} is an idx file of type {kind} with {dimensions} dimensions; digits are bytes (type 8) in 1 "
            "dimension (labels) or 3 (images)"
        )
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DigitDataError(f"{path} is truncated: it ends within its header; copy or download it again")
    shape = tuple(int(length) for length in np.frombuffer(data, ">u4", dimensions, offset=4))
    promised, size = int(np.prod(shape, dtype=np.int64)), len(data) - start
    if size != promised:
        what = "truncated" if size < promised else "longer than it should be"
        sizes = " x ".join(map(str, shape))
        raise DigitDataError(
            f"{path} is {what}: its header promises {sizes} = {promised} bytes, and {size} follow; "
            "copy or download it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def download_digits() -> Path:
    """Download the four files from the first mirror with the right bytes into pooch's cache; existing files stay.

    Returns their folder.

    Raises:
        DownloadError: if no mirror gave a file, or only one with other bytes.
    """
    import pooch

    folder = Path(pooch.os_cache("melodyvae")) / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for name, checksum in MD5.items():
        kept = folder / f"{name}.gz"
        if not _is_right(kept, checksum):
            _fetch(kept, checksum)
    return folder


def batched(digits: Digits, size: int) -> Iterator[Digits]:
    """The digits in their order, ``size`` at a time."""
    for start in range(0, len(digits), size):
        yield digits[start : start + size]


def binarise(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Black and white images, each pixel ink with the probability of its grey value: 0. or 1., shape as given.

    Repeated at each visit, this is the dynamic binarisation of "On the Quantitative Analysis of Deep Belief Networks"
    (Salakhutdinov, Murray, 2008): https://doi.org/10.1145/1390156.1390266
    """
    noise = torch.rand(images.shape, generator=generator, dtype=images.dtype, device=images.device)
    return (noise < images).to(images.dtype)


def black_and_white(digits: Digits, generator: torch.Generator | None = None) -> Digits:
    """The digits, binarised once (see :func:`binarise`): every pixel 0 or 255."""
    return Digits((255 * binarise(digits.grey(), generator)).to(torch.uint8), digits.labels)


class DigitBatches:
    """Endless batches: each epoch is a new shuffle. The batch of an update depends on (seed, update) alone."""

    def __init__(self, digits: Digits, batch_size: int, seed: int = 0) -> None:
        if len(digits) == 0:
            raise DigitDataError("there are no digits to train on")
        self.digits = digits
        self.batch_size = batch_size
        self.seed = seed
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    def __call__(self, update: int) -> Digits:
        """The batch of an update; it may span two epochs."""
        positions = np.arange(update * self.batch_size, (update + 1) * self.batch_size)
        epochs, places = np.divmod(positions, len(self.digits))
        rows = np.empty(self.batch_size, dtype=np.int64)
        for epoch in np.unique(epochs):
            rows[epochs == epoch] = self._shuffled(int(epoch))[places[epochs == epoch]]
        return self.digits[torch.from_numpy(rows)]

    def _shuffled(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._order = np.random.default_rng((self.seed, epoch)).permutation(len(self.digits))
            self._epoch = epoch
        return self._order


def _find(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DigitDataError(
        f"{folder} holds neither {name} nor {name}.gz; the four files of MNIST belong there: {', '.join(MD5)}"
    )


def _uncompressed(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DigitDataError(f"cannot read {path}: {error.strerror}") from error
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DigitDataError(
            f"{path} is a damaged or truncated gzip file ({error}); copy or download it again"
        ) from error


def _pair(arrays: Mapping[str, np.ndarray], paths: Mapping[str, Path], split: str) -> Digits:
    images, labels = arrays[f"{split}-images-idx3-ubyte"], arrays[f"{split}-labels-idx1-ubyte"]
    image_path, label_path = paths[f"{split}-images-idx3-ubyte"], paths[f"{split}-labels-idx1-ubyte"]
    if images.shape[1:] != (SIDE, SIDE):
        raise DigitDataError(f"{image_path} holds an array of {images.shape}; images of {SIDE} x {SIDE} are needed")
    if labels.ndim != 1 or len(labels) != len(images):
        raise DigitDataError(f"{image_path} holds {len(images)} images, but {label_path} labels of {labels.shape}")
    if len(images) == 0:
        raise DigitDataError(f"{image_path} holds no image")
    if labels.max() > 9:
        raise DigitDataError(f"{label_path} holds the label {labels.max()}; digits are 0 to 9")
    return Digits(torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))


def _is_right(path: Path, checksum: str) -> bool:
    if not path.is_file():
        return False
    try:
        return hashlib.md5(_uncompressed(path), usedforsecurity=False).hexdigest() == checksum
    except DigitDataError:
        return False


def _fetch(kept: Path, checksum: str) -> None:
    import pooch

    arriving = kept.with_name(f"{kept.name}.part")
    reasons = []
    for mirror in MIRRORS:
        address = f"{mirror.rstrip('/')}/{kept.name}"
        try:
            pooch.HTTPDownloader(progressbar=True, timeout=30)(address, str(arriving), None)
            if _is_right(arriving, checksum):
                arriving.replace(kept)
                return
            reasons.append(f"{address}: other bytes than expected")
        except (OSError, ValueError) as error:  # what requests raises is an OSError
            reasons.append(f"{address}: {_what_happened(error)}")
        finally:
            arriving.unlink(missing_ok=True)
    raise DownloadError(
        f"could not download {kept.name} ({'; '.join(reasons)}). Without a connection, download the four files "
        f"{', '.join(f'{name}.gz' for name in MD5)} elsewhere, from {MIRRORS[0]}, and put them into {kept.parent}, or "
        "name the folder they are in"
    )


def _what_happened(error: Exception) -> str:
    response = getattr(error, "response", None)
    return f"status {response.status_code}" if response is not None else type(error).__name__
