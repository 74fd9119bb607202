"""Does a walk start at A, end at B, and go evenly in between? Exact ends and spacing, over held-out windows.

    python -m tests.benchmarks.walk_quality DATASET [--split all] [--model melody-2bar] [--pairs 500] [--seed 0]

DATASET is one that the model was not trained on, or its own with ``--split test``. Printed are

- the share of windows that come back exactly, from the posterior mean and after refinement, and the seconds that two
  ends take together, refinement included;
- over pairs of windows, walks of eight tunes in even steps and in equal steps of z, and the baseline in data space that
  takes each step from A or from B, at random, B with a probability that grows from 0 to 1 (Roberts et al., 2018,
  section 5.2, https://arxiv.org/abs/1803.05428): how many of the eight are distinct, how far it is from each to the
  next (mean, standard deviation within a walk, largest; see melodyvae.verbs.distance), and how many are illegal:
  with a note off while nothing sounds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.refine import refine_latents
from melodyvae.verbs.codec import decode_tokens, posterior_means
from melodyvae.verbs.distance import musical_distances
from melodyvae.verbs.interpolate import InterpolateOptions
from melodyvae.verbs.walk import walk

COUNT = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--split", choices=["test", "valid", "all"], default="test")
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = MelodyNetwork.read(arguments.model)
    splits = open_dataset(arguments.dataset).splits
    rows = np.concatenate(list(splits.values())) if arguments.split == "all" else np.array(splits[arguments.split])
    chosen = np.random.default_rng(arguments.seed).permutation(len(rows))[: 2 * arguments.pairs]
    pairs = rows[chosen[: len(chosen) // 2 * 2]].reshape(-1, 2, rows.shape[1])
    print(f"{len(pairs)} pairs of {len(rows)} windows of {arguments.dataset} ({arguments.split}), {arguments.model}")
    _measure_ends(model, pairs)
    _measure_walks(model, pairs, arguments.seed)


def _measure_ends(model: MelodyNetwork, pairs: np.ndarray) -> None:
    vocabulary = model.vocabulary
    plain, refined, seconds = [], [], []
    for pair in pairs:
        melodies = [vocabulary.decode(row) for row in pair]
        started = time.perf_counter()
        means = posterior_means(model, melodies)
        plain.append((decode_tokens(model, means) == pair).all(axis=1))
        latents = refine_latents(model.gradient, pair, means)
        back = decode_tokens(model, latents)
        seconds.append(time.perf_counter() - started)
        refined.append((back == pair).all(axis=1))
    print(f"exact from the mean {np.mean(plain):.4f}, refined {np.mean(refined):.4f} of {2 * len(pairs)} windows")
    print(
        f"seconds for two ends: mean {np.mean(seconds):.3f}, 99 of 100 under {np.quantile(seconds, 0.99):.3f}, "
        f"longest {max(seconds):.3f}"
    )


def _measure_walks(model: MelodyNetwork, pairs: np.ndarray, seed: int) -> None:
    vocabulary = model.vocabulary
    generator = np.random.default_rng(seed)
    metrics: dict[str, list[tuple[float, ...]]] = {"even": [], "latent": [], "data space": []}
    for pair in pairs:
        start, end = (vocabulary.decode(row) for row in pair)
        for spacing in ("even", "latent"):
            found = walk(model, start, end, InterpolateOptions(count=COUNT, spacing=spacing, key="none"))  # type: ignore[arg-type]
            metrics[spacing].append(_metrics(np.array(found.distances), found.distinct, 0))
        shares = np.linspace(0, 1, COUNT)[:, None]
        mixed = np.where(generator.random((COUNT, pair.shape[1])) < shares, pair[1], pair[0])
        distances = np.diagonal(musical_distances(mixed, mixed), offset=1)
        illegal = int((~vocabulary.is_legal(mixed)).sum())
        metrics["data space"].append(_metrics(distances, len(np.unique(mixed, axis=0)), illegal))
    print(f"{'spacing':<12}{'distinct of 8':>14}{'mean step':>11}{'std of steps':>14}{'largest':>9}{'illegal':>9}")
    for name, rows in metrics.items():
        distinct, mean, std, largest, illegal = np.mean(rows, axis=0)
        print(f"{name:<12}{distinct:14.2f}{mean:11.3f}{std:14.3f}{largest:9.3f}{illegal:9.2f}")


def _metrics(distances: np.ndarray, distinct: int, illegal: int) -> tuple[float, ...]:
    return distinct, float(distances.mean()), float(distances.std()), float(distances.max()), illegal


if __name__ == "__main__":
    main()
