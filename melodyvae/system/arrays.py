"""Arrays of strangers, opened where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["array_on_disk"]


def array_on_disk(path: Path) -> np.ndarray:
    """A memory map of a ``.npy`` file, never of an archive or a pickle, which ``np.load`` opens, too.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is no such file.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path.name} is no regular file")
    try:
        found: np.ndarray = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError):
        raise
    except Exception as error:  # the parser of the header is Python's, and raises what it likes
        raise ValueError(f"{path.name} has no header of NumPy") from error
    return found
