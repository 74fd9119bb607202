"""Memory-map untrusted ``.npy`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["array_on_disk"]


def array_on_disk(path: Path) -> np.ndarray:
    """Memory map of a ``.npy`` file; unlike ``np.load``, it never opens an archive or a pickle.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is not such a file.
    """
    if path.exists() and not path.is_file():  # opening a pipe would block
        raise ValueError(f"{path.name} is not a regular file")
    try:
        array: np.ndarray = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # the header is parsed as Python, which raises many kinds
        raise ValueError(f"{path.name} is not a NumPy array") from error
    return array
