"""All benchmarks of speed, in one table of ratios; with --quick, only what can be counted.

    python -m tests.benchmarks [--threads 1]      about ten minutes on two cores
    python -m tests.benchmarks --quick            seconds; fails if a count is not what it should be

Left out, since they train or need other software: ``learning_speed``, ``prep_speed``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import torch

from melodyvae.device import choose_device, use_threads
from tests.benchmarks import loader_share, sampling_speed, start_up, training_cost, training_speed
from tests.benchmarks.counts import counts
from tests.benchmarks.side_by_side import Row, print_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if arguments.quick:
        found = list(counts())
        print(*found, sep="\n")
        sys.exit(not all(count.holds for count in found))
    use_threads(arguments.threads)
    device = choose_device(arguments.device)
    print_table(_all_rows(device))
    print(f"\n{training_cost.table(device)}")


def _all_rows(device: torch.device) -> Iterator[Row]:
    for preset in ("melody-2bar", "musicvae-small"):
        yield from training_speed.rows(preset, 512, device)
    yield from training_speed.rows("melody-16bar", 128, device)
    yield from loader_share.rows(1_000_000, 128, device)
    for name in sampling_speed.MODELS:
        for batch in sampling_speed.BATCHES:
            if batch <= 512 or name != "melody-16bar":
                yield from sampling_speed.rows(name, batch)
    yield from start_up.rows()


if __name__ == "__main__":
    main()
