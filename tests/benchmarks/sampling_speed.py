"""Sampling speed: melodies per second in NumPy, beside the same LSTM called step by step through ``nn.LSTM``.

    python -m tests.benchmarks.sampling_speed [--models melody-2bar ...] [--batches 1 64 512 4096]

Both on one thread. A preset that is no shipped model is measured with random weights, which take as long.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch

from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws
from melodyvae.presets import PRESETS
from tests.benchmarks.side_by_side import Row, fastest_seconds, print_table

MODELS = ("melody-2bar", "musicvae-small", "melody-16bar")
BATCHES = (1, 64, 512, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_table(row for name in arguments.models for batch in arguments.batches for row in rows(name, batch))


def rows(name: str, batch: int) -> Iterator[Row]:
    """The line of a model at a batch size."""
    model = MelodyModel(PRESETS[name].model) if name == "musicvae-small" else MelodyModel.from_pretrained(name)
    network, z = model.eval().network(), Draws(0).normal(batch, model.config.latent_size).astype("float32")
    nothing = torch.zeros(batch, model.config.steps, dtype=torch.long)

    def by_nn_lstm() -> object:
        with torch.inference_mode():
            return model.decoder.drawn(torch.from_numpy(z), nothing, nothing.bool())

    ways = [lambda: network.decode(z, 1.0, Draws(1)), by_nn_lstm]
    ours, plain = fastest_seconds(ways, repeats=max(3, 20 // batch))
    yield Row(
        f"drawing from {name}, batch {batch}",
        f"{1000 * ours:.3g} ms, {batch / ours:,.0f} melodies/s",
        f"{1000 * plain:.3g} ms, {batch / plain:,.0f} melodies/s by nn.LSTM, step by step",
        plain / ours,
    )


if __name__ == "__main__":
    main()
