"""Sampling speed: melodies per second, beside the same LSTM called step by step through ``nn.LSTM``.

    python -m tests.benchmarks.sampling_speed [--models melody-2bar ...] [--batches 1 64 512 4096] [--threads 1]

Both draw the same tokens from the same seed. In bf16, the draws are of a slightly rounded distribution. A preset that
is no shipped model is measured with random weights, which take as long.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from unittest import mock

import torch
from torch import Tensor

from melodyvae.device import autocast, use_threads
from melodyvae.models import decoder
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS
from tests.benchmarks.side_by_side import Row, fastest_seconds, print_table

MODELS = ("melody-2bar", "musicvae-small", "melody-16bar")
BATCHES = (1, 64, 512, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    print_table(row for name in arguments.models for batch in arguments.batches for row in rows(name, batch))


def rows(name: str, batch: int) -> Iterator[Row]:
    """The lines of a model at a batch size."""
    model = MelodyModel(PRESETS[name].model) if name == "musicvae-small" else MelodyModel.from_pretrained(name)
    model.eval()
    z = torch.randn(batch, model.config.latent_size, generator=torch.Generator().manual_seed(0))

    def drawn(small_batch: int, precision: str) -> Tensor:
        with (
            mock.patch.object(decoder, "SMALL_BATCH", small_batch),
            torch.inference_mode(),
            autocast(z.device, precision),
        ):
            return model.decode(z, 1.0, torch.Generator().manual_seed(1))

    ways = [
        lambda: drawn(decoder.SMALL_BATCH, "fp32"),
        lambda: drawn(0, "fp32"),
        lambda: drawn(decoder.SMALL_BATCH, "bf16"),
    ]
    if (ways[0]() != ways[1]()).float().mean() > 0.001:
        raise AssertionError("the two ways do not draw the same")
    ours, plain, reduced = fastest_seconds(ways, repeats=max(3, 20 // batch))
    for precision, seconds in (("fp32", ours), ("bf16", reduced)):
        if (precision == "fp32") == (batch <= decoder.SMALL_BATCH):  # the other way is the same, or slower
            yield Row(
                f"drawing from {name}, batch {batch}, {precision}",
                f"{1000 * seconds:.3g} ms, {batch / seconds:,.0f} melodies/s",
                f"{1000 * plain:.3g} ms, {batch / plain:,.0f} melodies/s by nn.LSTM, step by step, fp32",
                plain / seconds,
            )


if __name__ == "__main__":
    main()
