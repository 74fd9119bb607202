"""Does playing in NumPy give what torch gives, and how long does it take? On one thread, on held-out windows.

    python -m tests.benchmarks.numpy_beside_torch DATASET [--model melody-2bar] [--windows 2000] [--counts 1 8 129 289]

First the windows: on how many the greedy tokens from the posterior mean and after refining are the same, how far apart
the logits are, and how far each lies from torch's in float64. Then the time of each verb, NumPy's over torch's: below 1
NumPy is faster. Times are those of the processor, as other programs may take turns; the least of some repeats.

The teacher-forced gradient is that of one step of refining; for models that compose, ``compose`` draws whole tunes.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

from melodyvae.datasets.windows import open_dataset
from melodyvae.models.loss import token_nats
from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.refine import refine_latents
from melodyvae.network.rows import random_rows
from tests.benchmarks.side_by_side import machine

COUNTS = (1, 8, 129, 289)
ROWS_AT_ONCE = 250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, at least")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, network = MelodyModel.from_pretrained(arguments.model), MelodyNetwork.read(arguments.model)
    windows = np.concatenate(list(open_dataset(arguments.dataset).splits.values()))
    windows = random_rows(windows, max(arguments.windows, *arguments.counts), 0).astype(np.int64)
    print(f"{arguments.model}, {machine()}\n", flush=True)
    equality(model, network, windows[: arguments.windows])
    print("\n| verb | " + " | ".join(map(str, arguments.counts)) + " |\n|---|" + "---|" * len(arguments.counts))
    rows = [ratios(model, network, windows[:count], arguments.seconds) for count in arguments.counts]
    for verb in rows[0]:
        print(f"| {verb} | " + " | ".join(row[verb] for row in rows) + " |", flush=True)


def equality(model: MelodyModel, network: MelodyNetwork, windows: np.ndarray) -> None:
    """Print how far the two agree."""
    exact = MelodyModel.from_pretrained(model.path).double()
    same, comes_back, refined = [], [], []
    apart: dict[str, float] = dict.fromkeys(("logits", "ours", "torch", "probabilities", "latents"), 0.0)
    for start in range(0, len(windows), ROWS_AT_ONCE):
        tokens = windows[start : start + ROWS_AT_ONCE]
        tensor = torch.from_numpy(tokens)
        with torch.inference_mode():
            mean = model.encode(tensor).mean
            theirs, true = model.logits(mean, tensor).numpy(), exact.logits(mean.double(), tensor).numpy()
        z = network.encode(tokens).mean
        ours = network.logits(mean.numpy(), tokens)
        written = network.decode(z)
        with torch.inference_mode():
            greedy = model.logits(mean, torch.from_numpy(written)).argmax(dim=-1).numpy()
        same.append((greedy == written).all(axis=1))
        comes_back.append((written == tokens).all(axis=1))
        missed = ~comes_back[-1]
        if missed.any():
            z[missed] = refine_latents(network.gradient, tokens[missed], z[missed])
        refined.append((network.decode(z) == tokens).all(axis=1))
        found = {
            "logits": _farthest(ours, theirs),
            "ours": _farthest(ours, true),
            "torch": _farthest(theirs, true),
            "probabilities": float(np.abs(_shares(ours) - _shares(theirs)).max()),
            "latents": float(np.abs(z[~missed] - mean.numpy()[~missed]).max(initial=0)),
        }
        apart = {name: max(apart[name], value) for name, value in found.items()}
    for name, parts in (("greedy as torch's", same), ("exact from the mean", comes_back), ("exact refined", refined)):
        print(f"{name}: {int(np.concatenate(parts).sum())} of {len(windows)} windows")
    print(
        f"largest difference: latents {apart['latents']:.2g}, logits {apart['logits']:.2g} (NumPy from float64 "
        f"{apart['ours']:.2g}, torch from float64 {apart['torch']:.2g}), probabilities {apart['probabilities']:.2g}"
    )


def _farthest(one: np.ndarray, other: np.ndarray) -> float:
    is_legal = np.isfinite(other)
    return float(np.abs(one[is_legal] - other[is_legal]).max())


def _shares(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def ratios(model: MelodyModel, network: MelodyNetwork, windows: np.ndarray, seconds: float) -> dict[str, str]:
    """NumPy's time over torch's, by verb, and NumPy's in milliseconds."""
    tensor, z = torch.from_numpy(windows), network.encode(windows).mean
    latent = torch.from_numpy(z)
    nothing = torch.zeros_like(tensor)

    def gradient() -> object:
        with torch.enable_grad():
            start = latent.clone().requires_grad_(True)
            return torch.autograd.grad(token_nats(model.logits(start, tensor), tensor).sum(), start)

    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "encode": (lambda: network.encode(windows), lambda: model.encode(tensor)),
        "draw": (
            lambda: network.decode(z, 1.0, Draws(1)),
            lambda: model.decoder.drawn(latent, nothing, nothing.bool()),
        ),
        "score": (
            lambda: network.nats(network.encode(windows).mean, windows),
            lambda: token_nats(model.logits(model.encode(tensor).mean, tensor), tensor),
        ),
        "likelihood alone": (
            lambda: network.nats(z, windows),
            lambda: token_nats(model.logits(latent, tensor), tensor),
        ),
        "refine, one update": (lambda: network.gradient(z, windows), gradient),
    }
    found = {}
    for verb, (ours, theirs) in ways.items():
        with torch.no_grad():
            mine, other = least_seconds(ours, theirs, seconds)
        found[verb] = f"{mine / other:.2f} ({1000 * mine:.3g} ms)"
    return found


def least_seconds(ours: Callable[[], object], theirs: Callable[[], object], seconds: float) -> tuple[float, float]:
    """The least processor time of each, called in turn."""
    least, started, calls = [float("inf")] * 2, time.process_time(), 0
    while calls < 3 or time.process_time() - started < seconds:
        for index, way in enumerate((ours, theirs)):
            before = time.process_time()
            way()
            least[index] = min(least[index], time.process_time() - before)
        calls += 1
    return least[0], least[1]


if __name__ == "__main__":
    main()
