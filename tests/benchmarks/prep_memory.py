"""Memory of the process that gathers a dataset of many files, and its seconds at the end.

    python -m tests.benchmarks.prep_memory 100000

The files are made up, 25 windows each, and given to the journal as workers would give them; run it with two numbers,
one after the other, to see what grows. Memory is the whole process's, in MiB.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from data_prep.journal import Journal
from data_prep.prepare import _write
from data_prep.sources import SourceResult
from data_prep.windows import PrepOptions, TrackWindows

WINDOWS = 25
BYTES_A_MIB = 2**20


def made_up(number: int, draw: np.random.Generator) -> SourceResult:
    """A source of one track of random windows."""
    tokens = draw.integers(2, 90, (WINDOWS, PrepOptions().steps)).astype(np.uint8)
    phases, meters = np.zeros(WINDOWS, np.uint16), np.full((WINDOWS, 2), 4, np.uint8)
    track = TrackWindows(0, "a track", tokens, np.arange(WINDOWS, dtype=np.uint32), phases, meters)
    return SourceResult(f"folder/another folder/{number:07}.mid", draw.bytes(32).hex(), tracks=(track,))


def peak_mib() -> float:
    """The most that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / BYTES_A_MIB


def main() -> None:
    """Print the peak before, after reading, and after writing."""
    files = int(sys.argv[1])
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        options = PrepOptions()
        with Journal(Path(folder, "journal"), options, [], resume=False) as journal:
            before = peak_mib()
            for number in range(files):
                journal.add(made_up(number, draw))
            read = peak_mib()
            start = time.perf_counter()
            _write(Path(folder, "dataset"), journal, options)
            seconds = time.perf_counter() - start
    reading, ending = (1024 * (mib - before) / files for mib in (read, peak_mib()))
    print(
        f"{files} files: {before:.0f} MiB before; a file: {reading:.2f} KiB when all are read, {ending:.2f} at the end"
    )
    print(f"the end takes {seconds:.1f} s")


if __name__ == "__main__":
    main()
