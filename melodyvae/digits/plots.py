"""Pictures of digits and of what a model makes of them. matplotlib is imported only when a picture is drawn.

Conventions: images are float ``(N, 28, 28)``, 0 paper to 1 ink; each function writes one PNG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from melodyvae.digits.config import SIDE
from melodyvae.digits.model import CLASSES, DigitVAE
from melodyvae.models.latent import DiagonalGaussian

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES_AN_IMAGE = 0.55
GAP = 2  # pixels between images
RECONSTRUCTION = "#3b6fb6"
KL = "#c8553d"
BOUND = "#1a1a2e"


def plot_rows(rows: Mapping[str, Tensor], path: Path, title: str = "", columns: Sequence[str] = ()) -> None:
    """Rows of images of one length, each with its name to the left, and names above the columns where given."""
    width = max(len(images) for images in rows.values())
    names = max(len(name) for name in rows)
    size = (INCHES_AN_IMAGE * width + 0.085 * names + 0.2, INCHES_AN_IMAGE * len(rows) + 0.3 * bool(title) + 0.2)
    figure = _figure(size)
    for axis, (name, images) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        _show(axis, tile(images, width))
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    first = figure.axes[0]
    step = SIDE + GAP
    first.set_xticks([index * step + SIDE / 2 for index in range(len(columns))], columns, fontsize=9)
    first.xaxis.tick_top()
    if title:
        figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=130)


def plot_grid(images: Tensor, path: Path, columns: int, title: str = "", gap: int = GAP) -> None:
    """Images in rows of ``columns``."""
    rows = -(-len(images) // columns)
    figure = _figure((INCHES_AN_IMAGE * columns, INCHES_AN_IMAGE * rows + 0.3 * bool(title)))
    axis = figure.subplots()
    _show(axis, tile(images, columns, gap))
    if title:
        axis.set_title(title, fontsize=10)
    figure.savefig(path, dpi=130)


def manifold(model: DigitVAE, side: int = 20) -> Tensor:
    """The images ``(side * side, 28, 28)`` of a two-dimensional z on a grid, row by row from the top.

    The grid is even in probability, not in z: its lines are Gaussian quantiles, so that every image stands for an equal
    share of the prior ("Auto-Encoding Variational Bayes", Kingma, Welling, 2013, figure 4:
    https://arxiv.org/abs/1312.6114).
    """
    if model.config.latent_size != 2:
        raise ValueError(f"z has {model.config.latent_size} dimensions; a manifold is drawn of 2")
    quantiles = torch.special.ndtri((torch.arange(side) + 0.5) / side)
    up, right = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")
    with torch.inference_mode():
        return model.decode(torch.stack([right, up], dim=-1).view(-1, 2).to(model.device)).cpu()


def plot_latent_map(means: Tensor, labels: Tensor, path: Path, title: str, posteriors: DiagonalGaussian) -> None:
    """Posterior means ``(N, 2)`` coloured by digit, with the circles that hold 50%, 90% and 99% of N(0, I).

    Ellipses show two standard deviations of ``posteriors`` q(z | x) of some digits, parameters ``(M, 2)``.
    """
    from matplotlib.patches import Ellipse

    figure = _figure((6.2, 5.6))
    axis = figure.subplots()
    _scatter(axis, means, labels, point_size=4)
    widths = 4 * torch.exp(0.5 * posteriors.log_variance)  # two standard deviations to either side
    for (x, y), (width, height) in zip(posteriors.mean.tolist(), widths.tolist(), strict=True):
        axis.add_patch(Ellipse((x, y), width, height, fill=False, color=BOUND, linewidth=0.8))
    _circles(axis)
    axis.set_xlabel("$z_1$")
    axis.set_ylabel("$z_2$")
    axis.set_title(title, fontsize=10)
    _legend(figure)
    figure.savefig(path, dpi=110)


def plot_both_terms(
    models: Mapping[str, DigitVAE], means: Mapping[str, Tensor], labels: Tensor, draws: Mapping[str, Tensor], path: Path
) -> None:
    """Why a VAE needs both terms: for each model the map of its z, and below what it makes of draws from N(0, I).

    Args:
        models: title to model, two-dimensional each.
        means: the posterior means of the same digits under each model, ``(N, 2)``.
        labels: of these digits, ``(N,)``.
        draws: 36 images a model, ``(36, 28, 28)``.
        path: the file to write.
    """
    figure = _figure((3.1 * len(models) + 0.7, 6.1))
    axes = figure.subplots(2, len(models), squeeze=False)
    for column, title in enumerate(models):
        above, below = axes[:, column]
        _scatter(above, means[title], labels, point_size=1.5)
        if float(means[title].abs().max()) < 0.01:
            above.annotate("every digit at 0", (0, 0), (0, 0.35), ha="center", fontsize=8)
        _circles(above)
        above.set_title(title, fontsize=10)
        above.tick_params(labelsize=7)
        _show(below, tile(draws[title], 6))
    axes[0, 0].set_ylabel("posterior means of digits\n(circles: 50, 90, 99% of N(0, I))", fontsize=9)
    axes[1, 0].set_ylabel("decoded draws from N(0, I)", fontsize=9)
    _legend(figure)
    figure.savefig(path, dpi=110)


def plot_digit_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """The curves of a training: negative ELBO, reconstruction and KL in nats against images seen.

    A plain autoencoder, whose lines have no bound, has the curve of its reconstruction alone.

    Args:
        lines: what :func:`melodyvae.training.trainer.read_metrics` gives; at least one.
        path: the file to write.
    """
    figure = _figure((7, 4))
    axis = figure.subplots()
    seen = [line["examples"] / 1000 for line in lines]
    reconstruction, kl = ([line[key] for line in lines] for key in ("reconstruction", "kl"))
    curves = [("reconstruction", RECONSTRUCTION, reconstruction, "held_out_reconstruction_nats")]
    if any(kl):
        bound = [sum(halves) for halves in zip(reconstruction, kl, strict=True)]
        curves.insert(0, ("negative ELBO", BOUND, bound, "held_out_negative_elbo_nats"))
        curves.append(("KL", KL, kl, "held_out_kl_nats"))
    for name, colour, trained, held_out_key in curves:
        axis.plot(seen, trained, color=colour, label=f"{name}, train", linewidth=1.2)
        if held_out_key in lines[-1]:
            held_out = [line[held_out_key] for line in lines]
            axis.plot(seen, held_out, color=colour, label=f"{name}, held out", linestyle="--", linewidth=1.2)
    axis.set_xlabel("thousand images seen")
    axis.set_ylabel("nats per image")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def plot_scores(scores: Mapping[str, Tensor], examples: Mapping[str, Tensor], path: Path) -> None:
    """Histograms of the negative ELBO of several kinds of images, the first kind ordinary, with examples of each.

    A line marks what 95% of the ordinary images stay below.
    """
    figure = _figure((8.5, 0.85 * len(scores) + 0.6))
    axes = figure.subplots(len(scores), 2, width_ratios=(1.7, 1), squeeze=False)
    everything = torch.cat(list(scores.values())).clamp(min=1)
    edges = np.geomspace(float(everything.min()), float(everything.max()), 90)
    ordinary = next(iter(scores))
    threshold = float(scores[ordinary].quantile(0.95))
    for (histogram, pictures), (kind, values) in zip(axes, scores.items(), strict=True):
        histogram.hist(values.clamp(min=1).numpy(), bins=edges, color=RECONSTRUCTION if kind == ordinary else KL)
        histogram.axvline(threshold, color=BOUND, linewidth=0.8, linestyle="--")
        histogram.set_xscale("log")
        histogram.set_ylabel(kind, rotation=0, ha="right", va="center")
        histogram.set_yticks([])
        histogram.set_xticks([30, 100, 300, 1000], ["30", "100", "300", "1000"])
        histogram.minorticks_off()
        histogram.set_xlim(edges[0], edges[-1])
        for side in ("top", "right", "left"):
            histogram.spines[side].set_visible(False)
        if histogram is not axes[-1, 0]:
            histogram.tick_params(labelbottom=False)
        _show(pictures, tile(examples[kind][:8], 8, gap=2 * GAP))
    axes[-1, 0].set_xlabel("negative ELBO, nats per image (dashed: 95% of the digits lie to the left)", fontsize=9)
    figure.savefig(path, dpi=120)


def tile(images: Tensor, columns: int, gap: int = GAP) -> np.ndarray:
    """One array of the images ``(N, 28, 28)`` in rows of ``columns``, with ``gap`` pixels of NaN between them."""
    rows, step = -(-len(images) // columns), SIDE + gap
    sheet = np.full((rows * step - gap, columns * step - gap), np.nan, dtype=np.float32)
    for index, image in enumerate(images.cpu().numpy()):
        top, left = step * (index // columns), step * (index % columns)
        sheet[top : top + SIDE, left : left + SIDE] = image
    return sheet


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _show(axis: Axes, sheet: np.ndarray) -> None:
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _scatter(axis: Axes, means: Tensor, labels: Tensor, point_size: float) -> None:
    points = means.numpy()
    axis.scatter(
        points[:, 0], points[:, 1], c=labels.numpy(), cmap="tab10", vmin=-0.5, vmax=9.5, s=point_size, linewidths=0
    )
    reach = max(3.3, 1.05 * float(np.quantile(np.abs(points), 0.999)))
    axis.set_xlim(-reach, reach)
    axis.set_ylim(-reach, reach)
    axis.set_aspect("equal")


def _circles(axis: Axes) -> None:
    from matplotlib.patches import Circle

    for share in (0.5, 0.9, 0.99):
        radius = float(np.sqrt(-2 * np.log(1 - share)))
        axis.add_patch(Circle((0, 0), radius, fill=False, color=BOUND, linewidth=0.7, alpha=0.6))


def _legend(figure: Figure) -> None:
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    colours = colormaps["tab10"]
    marks = [
        Line2D([], [], marker="o", linestyle="", color=colours(digit), label=str(digit)) for digit in range(CLASSES)
    ]
    figure.legend(handles=marks, loc="outside right center", frameon=False, title="digit", fontsize=8)
