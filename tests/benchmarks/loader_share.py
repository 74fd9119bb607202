"""Share of an update that is spent on getting its batch, at a million windows, and growth of memory.

python -m tests.benchmarks.loader_share [--windows 1000000] [--batch 128]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.device import choose_device, use_threads
from tests.benchmarks.side_by_side import Row, fastest_seconds, print_table
from tests.benchmarks.training_speed import update_of
from tests.windows import random_windows

PRESET = "melody-2bar"
BATCHES_AT_A_TIME = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    print_table(rows(arguments.windows, arguments.batch, choose_device()))


def rows(windows: int, batch: int, device: torch.device) -> Iterator[Row]:
    """Time, then memory."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "train.npy")
        np.save(file, np.tile(random_windows(1000), (windows // 1000, 1)))
        before = private_kib()
        batches = TrainingBatches(np.load(file, mmap_mode="r"), batch, 0, 5, 6)
        updates = count()

        def get_batches() -> None:
            for _ in range(BATCHES_AT_A_TIME):
                batches(next(updates))

        update, gathering = fastest_seconds([update_of(PRESET, batch, "auto", device), get_batches])
        seconds = gathering / BATCHES_AT_A_TIME
        yield Row(
            f"getting a batch of {batch} of {windows:,} windows, as a share of an update",
            f"{1000 * seconds:.2g} ms",
            f"{1000 * update:.3g} ms per update of {PRESET}",
            seconds / update,
        )
        get_batches()
        settled = private_kib()
        for _ in range(windows // batch // BATCHES_AT_A_TIME + 1):
            get_batches()
        grown = private_kib() - settled
        yield Row(
            f"memory that an epoch of {windows:,} windows adds, as a share of their size",
            f"{grown} KiB",
            f"{file.stat().st_size // 1024} KiB on disk ({settled - before} KiB before the epoch, the model in it)",
            grown * 1024 / file.stat().st_size,
        )


def private_kib() -> int:
    """Memory of this process that is no mapped file's; 0 where /proc does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


if __name__ == "__main__":
    main()
