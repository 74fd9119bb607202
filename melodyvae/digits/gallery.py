"""The picture book: what a VAE is, in pictures of shipped models or of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from melodyvae.digits.data import Digits
from melodyvae.digits.latent import attribute_direction, slant, stroke_width, walk
from melodyvae.digits.metrics import posterior_means
from melodyvae.digits.model import DigitVAE
from melodyvae.digits.plots import manifold, plot_both_terms, plot_grid, plot_latent_map, plot_rows
from melodyvae.models.latent import DiagonalGaussian

TWO_D, FIVE_D, TWENTY_D, CONV = "digits-2d", "digits-5d", "digits-20d", "digits-conv"
BOTH_TERMS = {
    "VAE: reconstruction + KL": TWO_D,
    "reconstruction alone (beta = 0)": "digits-2d-reconstruction",
    "KL alone": "digits-2d-kl",
    "plain autoencoder (no sigma, no KL)": "digits-2d-plain",
}
ELLIPSES = 40  # posteriors that the map shows
WALKS = ((3, 8), (1, 7), (4, 9), (2, 0), (6, 5))
ATTRIBUTE_STEPS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # 1: from the least quarter to the most

# A picture of the book: digits (with labels), generator, path -> the file is written.
Picture = Callable[[Digits, torch.Generator, Path], None]


def draw_pictures(pictures: Mapping[str, Picture], digits: Digits, generator: torch.Generator, folder: Path) -> None:
    """Draw pictures into ``folder``, each under its name.

    Args:
        pictures: file name to picture: :data:`BOOK`, :func:`own_pictures`, or some of them.
        digits: of all ten classes; the maps show all of them, the other pictures some.
        generator: of every draw, on the device of the models.
        folder: where the files go.

    Raises:
        CheckpointError: if a shipped model is missing.
    """
    for name, draw in pictures.items():
        draw(digits, generator, folder / name)


def own_pictures(model: DigitVAE) -> dict[str, Picture]:
    """The pictures of a model that is not shipped, by file name; the manifold and the map only of two dimensions."""
    if model.config.labels:
        return {"samples.png": lambda _, generator, path: _labelled_samples(model, generator, path)}
    own: dict[str, Picture] = {
        "reconstructions.png": lambda digits, _, path: _reconstructions({"this model": model}, digits, path),
        "samples.png": lambda _, generator, path: _samples(model, generator, path),
        "walk.png": lambda digits, _, path: _walks(model, digits, path),
        "arithmetic.png": lambda digits, _, path: _arithmetic(model, digits, path),
    }
    if model.config.latent_size == 2:
        own["manifold.png"] = lambda _, __, path: _manifold(model, path)
        own["latent-map.png"] = lambda digits, _, path: _latent_map(model, digits, path)
    return own


def typical(digits: Digits, label: int) -> Tensor:
    """The image of a class that is nearest to the mean of the class, pixel by pixel; float ``(28, 28)``."""
    images = digits.of_class(label).grey()
    return images[(images - images.mean(dim=0)).square().sum(dim=(1, 2)).argmin()]


def _load(name: str) -> DigitVAE:
    return DigitVAE.from_pretrained(name)


def _reconstructions(models: Mapping[str, DigitVAE], digits: Digits, path: Path) -> None:
    shown = torch.cat([digits.of_class(label)[:2].grey() for label in range(10)])
    rows = {"original": shown}
    with torch.inference_mode():
        rows |= {name: model.reconstruct(shown.to(model.device)).cpu() for name, model in models.items()}
    plot_rows(rows, path, "784 pixels through z and back")


def _samples(model: DigitVAE, generator: torch.Generator, path: Path) -> None:
    with torch.inference_mode():
        images = model.decode(model.prior(100).sample(generator))
    plot_grid(images.cpu(), path, columns=10, title="Decoded draws from N(0, I)")


def _labelled_samples(model: DigitVAE, generator: torch.Generator, path: Path) -> None:
    labels = torch.arange(100, device=model.device) % 10
    with torch.inference_mode():
        images = model.decode(model.prior(100).sample(generator), labels)
    plot_grid(images.cpu(), path, columns=10, title="Decoded draws from N(0, I), each column with its label")


def _manifold(model: DigitVAE, path: Path) -> None:
    plot_grid(
        manifold(model, 20),
        path,
        columns=20,
        gap=0,
        title="Two numbers, every digit: z over a grid of Gaussian quantiles",
    )


def _latent_map(model: DigitVAE, digits: Digits, path: Path) -> None:
    title = (
        f"Where {len(digits):,} digits lie in z (circles: 50, 90, 99% of N(0, I);\n"
        f"ellipses: q(z | x) of {ELLIPSES} of them, two standard deviations)"
    )
    with torch.inference_mode():
        posterior = model.encode(digits[:ELLIPSES].grey().to(model.device))
    some = DiagonalGaussian(posterior.mean.cpu(), posterior.log_variance.cpu())
    plot_latent_map(posterior_means(model, digits), digits.labels, path, title, some)


def _both_terms(digits: Digits, generator: torch.Generator, path: Path) -> None:
    models = {title: _load(name) for title, name in BOTH_TERMS.items()}
    means = {title: posterior_means(model, digits) for title, model in models.items()}
    z = models[next(iter(models))].prior(36).sample(generator)
    with torch.inference_mode():
        draws = {title: model.decode(z) for title, model in models.items()}
    plot_both_terms(models, means, digits.labels, draws, path)


def _walks(model: DigitVAE, digits: Digits, path: Path) -> None:
    rows = {f"{start} to {end}": walk(model, typical(digits, start), typical(digits, end), 12) for start, end in WALKS}
    plot_rows(rows, path, "Walks in z from one digit to another")


def _arithmetic(model: DigitVAE, digits: Digits, path: Path) -> None:
    """Slant and width, each learned from the nine other digits, added to one."""
    rows = {}
    steps = torch.tensor(ATTRIBUTE_STEPS).unsqueeze(1)
    for attribute, measure, targets in (("slant", slant, (1, 4, 7)), ("width", stroke_width, (0, 3, 5))):
        for target in targets:
            direction = attribute_direction(model, digits[digits.labels != target], measure)
            with torch.inference_mode():
                z = model.encode(typical(digits, target).unsqueeze(0).to(model.device)).mean.cpu()
                images = model.decode((z + steps * direction).to(model.device)).cpu()
            rows[f"{target} + a {attribute}"] = images
    columns = [f"a = {step:g}" for step in ATTRIBUTE_STEPS]
    plot_rows(rows, path, "Vector arithmetic: what nine digits teach, added to the tenth", columns)


BOOK: dict[str, Picture] = {
    "reconstructions.png": lambda digits, _, path: _reconstructions(
        {
            "2 numbers": _load(TWO_D),
            "5 numbers": _load(FIVE_D),
            "20 numbers": _load(TWENTY_D),
            "20, conv": _load(CONV),
        },
        digits,
        path,
    ),
    "samples.png": lambda _, generator, path: _samples(_load(CONV), generator, path),
    "manifold.png": lambda _, __, path: _manifold(_load(TWO_D), path),
    "latent-map.png": lambda digits, _, path: _latent_map(_load(TWO_D), digits, path),
    "both-terms.png": _both_terms,
    "walk.png": lambda digits, _, path: _walks(_load(TWENTY_D), digits, path),
    "arithmetic.png": lambda digits, _, path: _arithmetic(_load(TWENTY_D), digits, path),
}
