"""Small idx files made in code: digits that are drawn, not written, so that no test needs MNIST."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

from melodyvae.digits.data import MD5

SIDE = 28


def blobs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 ``(count, 28, 28)``, of a soft bar whose angle tells the label, and the labels 0, 1, ..., 9, 0."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    labels = (np.arange(count) % 10).astype(np.uint8)
    angles = labels * np.pi / 10 + generator.normal(0, 0.05, count)
    across = np.cos(angles)[:, None, None] * rows - np.sin(angles)[:, None, None] * columns
    along = np.sin(angles)[:, None, None] * rows + np.cos(angles)[:, None, None] * columns
    width = generator.uniform(1.5, 3, count)[:, None, None]
    images = np.exp(-((across / width) ** 2) - (along / 8) ** 4)
    return (255 * images).astype(np.uint8), labels


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as an idx file."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def idx_files(train: int = 120, test: int = 40) -> dict[str, bytes]:
    """The four files, uncompressed, by name."""
    found = {}
    for split, count, seed in (("train", train, 0), ("t10k", test, 1)):
        images, labels = blobs(count, seed)
        found[f"{split}-images-idx3-ubyte"] = idx_bytes(images)
        found[f"{split}-labels-idx1-ubyte"] = idx_bytes(labels)
    assert set(found) == set(MD5)
    return found


def checksums(files: dict[str, bytes]) -> dict[str, str]:
    """The MD5 of each file."""
    return {name: hashlib.md5(data, usedforsecurity=False).hexdigest() for name, data in files.items()}


def write_files(folder: Path, files: dict[str, bytes], zipped: bool = False) -> Path:
    """Write the files, gzipped or not, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder
