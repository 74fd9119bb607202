"""Cost of an epoch of MusicVAE's own data: 28 million windows of two bars, from the rate measured here.

    python -m tests.benchmarks.training_cost [--threads 2]

The rate of this machine's device is measured. That of a GPU which is not there is computed: FLOPs of a window over the
peak of the GPU in dense bf16, times the share of the peak that is assumed to be reached. Of several GPUs, each is
assumed to add the same share.
"""

from __future__ import annotations

import argparse

import torch

from melodyvae.device import choose_device, use_threads
from melodyvae.presets import PRESETS
from tests.benchmarks.gemm_flops import training_flops
from tests.benchmarks.side_by_side import fastest_seconds, machine
from tests.benchmarks.training_speed import update_of

WINDOWS = 28_000_000  # "28 million" 2-bar melodies: Roberts et al., 2018, section 5.1, https://arxiv.org/abs/1803.05428
H200_PEAK = 989e12  # FLOP/s, dense bf16: https://www.nvidia.com/en-us/data-center/h200/ (1,979 with sparsity)
ASSUMED_SHARES = (0.02, 0.10)  # of the peak: small LSTMs leave most of a GPU idle
EFFICIENCY_OF_EIGHT = 0.8  # assumed
BATCH = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    print(f"{machine()}\n\n{table(choose_device(arguments.device))}")


def table(device: torch.device) -> str:
    """The table, in Markdown."""
    lines = [f"| an epoch of {WINDOWS:,} windows | rate | hours |", "|---|---|---|"]
    slow, fast = ASSUMED_SHARES
    for name in ("melody-2bar", "musicvae-small"):
        (seconds,) = fastest_seconds([update_of(name, BATCH, "auto", device)])
        where = f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
        rates = [BATCH / seconds]
        lines.append(_line(f"{name}, measured here ({where})", rates))
        if device.type != "cuda":
            rates = [share * H200_PEAK / training_flops(PRESETS[name].model) for share in ASSUMED_SHARES]
            lines.append(_line(f"{name}, computed for one H200 at {slow:.0%} to {fast:.0%} of its peak", rates))
        of_eight = [8 * EFFICIENCY_OF_EIGHT * rate for rate in rates]
        lines.append(_line(f"{name}, computed for eight at {EFFICIENCY_OF_EIGHT:.0%} of eight times that", of_eight))
    return "\n".join(lines)


def _line(what: str, rates: list[float]) -> str:
    a_second = " to ".join(f"{rate:,.0f}" for rate in rates)
    hours = " to ".join(f"{WINDOWS / rate / 3600:.3g}" for rate in rates)
    return f"| {what} | {a_second} windows/s | {hours} |"


if __name__ == "__main__":
    main()
