"""Effect of each slider of ``melodyvae morph`` on each attribute of held-out windows: markdown tables and a picture.

    python -m tests.benchmarks.attribute_effects DATASET --model MODEL [-o effects.png]
    python -m tests.benchmarks.attribute_effects DATASET --only straight --amounts 1

The second prints the table of docs/results.md. As the figure of attribute vectors in the MusicVAE paper
(https://arxiv.org/abs/1803.05428): rows are the sliders, columns what changed on average, in standard deviations of the
training windows. Measured are the bare directions (``straight``: ``--candidates 1`` of ``morph``), the search around
them, which is what ``morph`` does and takes four seconds of a core per window, and, if asked for, the paper's own kind
of direction (``quartiles``). A model without directions has them fitted here, and is not saved.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.attribute_vectors import (
    MAX_WINDOWS,
    AttributeVectors,
    AttributeVectorsError,
    fit_attribute_vectors,
)
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.codec import posterior_means
from melodyvae.verbs.morph_search import CANDIDATES
from tests.benchmarks.effects import effect_matrix, plot_effects, quartile_directions


def as_markdown(effects: np.ndarray, corner: str) -> str:
    """The matrix as a table."""
    lines = [f"| {corner} | " + " | ".join(ATTRIBUTES) + " |", "|---" * (len(ATTRIBUTES) + 1) + "|"]
    for name, row in zip(ATTRIBUTES, effects, strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{effect:+.2f}" for effect in row) + " |")
    return "\n".join(lines)


def paper_directions(model: MelodyNetwork, windows: np.ndarray, fitted: AttributeVectors) -> AttributeVectors:
    """The quartile differences, each as long as the fitted direction, so that the two can be compared."""
    chosen = windows[np.random.default_rng(0).permutation(len(windows))[:MAX_WINDOWS]]
    standardised = (measure(chosen, model.config) - fitted.means) / fitted.deviations
    vectors = quartile_directions(posterior_means(model, chosen).astype(np.float64), standardised)
    return replace(fitted, vectors=(vectors * np.linalg.norm(fitted.vectors, axis=1, keepdims=True)).astype(np.float32))


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--split", choices=["valid", "test"], default="valid")
    parser.add_argument(
        "--only", nargs="+", choices=["quartiles", "straight", "search"], default=["straight", "search"]
    )
    parser.add_argument("--amounts", nargs="+", type=float, default=[1.0, -1.0])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    model = MelodyNetwork.read(options.model)
    dataset = open_dataset(options.dataset)
    dataset.check_fits(model.config)
    try:
        directions = AttributeVectors.from_extras(model.extras, model.config.latent_size)
    except AttributeVectorsError:
        began = time.perf_counter()
        model.extras |= fit_attribute_vectors(model, dataset.splits["train"]).to_extras()
        print(f"Directions fitted in {time.perf_counter() - began:.0f} s.\n", flush=True)
        directions = AttributeVectors.from_extras(model.extras, model.config.latent_size)
    held_out = dataset.splits[options.split]
    order = np.random.default_rng(0).permutation(len(held_out))[: options.windows]
    windows = np.asarray(held_out[np.sort(order)])
    runs = []
    if "quartiles" in options.only:
        paper = paper_directions(model, np.asarray(dataset.splits["train"]), directions)
        runs.append(("quartiles, straight", paper, 1))
    if "straight" in options.only:
        runs.append(("straight", directions, 1))
    if "search" in options.only:
        runs.append((f"best of {options.candidates}", directions, options.candidates))
    drawn = {}
    for name, chosen, candidates in runs:
        for amount in options.amounts:
            began = time.process_time()
            effects = effect_matrix(model, windows, amount, candidates, directions=chosen)
            print(as_markdown(effects, f"{amount:+g}, {name}"))
            print(f"\n{len(windows)} windows, {time.process_time() - began:.0f} s of the processor\n", flush=True)
            if not name.startswith("quartiles"):
                drawn[f"{name}: slider at {amount:+g}".replace("-", "\N{MINUS SIGN}")] = effects
    if options.output is not None:
        plot_effects(drawn, list(ATTRIBUTES), options.output)


if __name__ == "__main__":
    main()
