"""One thread for NumPy's matrix products, while a network plays.

Its products are small. OpenBLAS, which NumPy's wheels bring, gives each to all cores, which wait for one another: on
two cores that other programs use, too, decoding takes two to four times the processor time, and is no sooner done.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

Setting = tuple[Callable[[], int], Callable[[int], None]]

_lock = threading.Lock()
_playing = 0  # how many networks play, in all threads
_before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread; where NumPy's library is another than OpenBLAS, as many as it takes."""
    global _playing, _before
    setting = openblas()
    if setting is None:
        yield
        return
    get, put = setting
    with _lock:
        if _playing == 0:
            _before = get()
            put(1)
        _playing += 1
    try:
        yield
    finally:
        with _lock:
            _playing -= 1
            if _playing == 0:
                put(_before)


@cache
def openblas() -> Setting | None:
    """Getter and setter of the thread count of the OpenBLAS in NumPy's wheel; None without one."""
    package = Path(np.__file__).parent
    places = (package.parent / "numpy.libs", package / ".dylibs")  # of Linux and Windows, of macOS
    for path in (found for place in places for found in sorted(place.glob("*openblas*"))):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for start, end in product(("scipy_", ""), ("64_", "")):
            try:
                get = library[f"{start}openblas_get_num_threads{end}"]
                put = library[f"{start}openblas_set_num_threads{end}"]
            except AttributeError:
                continue
            return get, put
    return None
