"""Latent operations on digits: interpolate, add an attribute, fill in hidden pixels; and digits drawn from a shipped
model, for use without a data set.

Conventions: images are float ``(N, 28, 28)``, 0 paper to 1 ink; no model here takes labels, except that of
:func:`drawn_digits`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from melodyvae.digits.config import SIDE
from melodyvae.digits.data import Digits
from melodyvae.digits.metrics import posterior_means
from melodyvae.digits.model import CLASSES, DigitVAE
from melodyvae.models.latent import slerp

CONDITIONAL_MODEL = "digits-labels"
CLIMB_STEPS = 300
LEARNING_RATE = 0.1  # of the first step of a climb
DRAWN_SPREAD = 0.75  # of the prior's standard deviation: fewer digits that nobody would write


def drawn_digits(count: int, generator: torch.Generator | None = None) -> Digits:
    """Digits that nobody wrote, labels 0, 1, ..., 9, 0, ...: the mean images of the shipped conditional model.

    They are drawn closer together than the prior (:data:`DRAWN_SPREAD`), and stand in for MNIST where there is none:
    cleaner than real ones, and without their odd cases.
    """
    model = DigitVAE.from_pretrained(CONDITIONAL_MODEL)
    labels = torch.arange(count) % CLASSES
    with torch.inference_mode():
        images = model.decode(DRAWN_SPREAD * model.prior(count).sample(generator), labels)
    return Digits((255 * images).round().to(torch.uint8), labels.to(torch.uint8))


def walk(model: DigitVAE, start: Tensor, end: Tensor, count: int) -> Tensor:
    """``count`` images on the great arc in z from one image, ``(28, 28)``, to another; the ends are reconstructions."""
    with torch.inference_mode():
        ends = model.encode(torch.stack([start, end]).to(model.device)).mean
        return model.decode(slerp(ends[0], ends[1], torch.linspace(0, 1, count))).cpu()


def slant(images: Tensor) -> Tensor:
    """Slant of the ink to the right, ``(N,)``: pixels to the right per pixel upwards, from its moments."""
    ink = images / images.sum(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    rows = torch.arange(SIDE, dtype=images.dtype, device=images.device).view(1, SIDE, 1)
    columns = rows.view(1, 1, SIDE)
    rows = rows - (ink * rows).sum(dim=(1, 2), keepdim=True)
    columns = columns - (ink * columns).sum(dim=(1, 2), keepdim=True)
    covariance, spread = (ink * rows * columns).sum(dim=(1, 2)), (ink * rows.square()).sum(dim=(1, 2))
    return -covariance / spread.clamp(min=1e-6)  # rows count downwards


def stroke_width(images: Tensor) -> Tensor:
    """The mean width of the strokes in pixels, ``(N,)``: twice the ink over the length of its edge."""
    padded = F.pad(images, (1, 1, 1, 1))
    down = padded[:, 1:, :-1] - padded[:, :-1, :-1]
    right = padded[:, :-1, 1:] - padded[:, :-1, :-1]
    edge = torch.sqrt(down.square() + right.square()).sum(dim=(1, 2))
    return 2 * images.sum(dim=(1, 2)) / edge.clamp(min=1e-6)


def attribute_direction(model: DigitVAE, digits: Digits, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """Direction in z, ``(Z,)``, from digits with little of an attribute to digits with much of it.

    Computed per class, so that the attribute is not confounded with the digit: the mean z of the quarter that has most
    of it, minus the mean z of the quarter that has least; then the mean over the classes.

    "Deep Feature Interpolation for Image Content Changes" (Upchurch et al., 2017): https://arxiv.org/abs/1611.05507

    Args:
        model: one that takes no labels.
        digits: at least four of each class that occurs.
        measure: images ``(N, 28, 28)`` -> ``(N,)``, such as :func:`slant`.
    """
    ways = []
    for label in sorted(set(digits.labels.tolist())):
        of_class = digits.of_class(label)
        means = posterior_means(model, of_class)
        order = measure(of_class.grey()).argsort()
        quarter = max(1, len(order) // 4)
        ways.append(means[order[-quarter:]].mean(dim=0) - means[order[:quarter]].mean(dim=0))
    return torch.stack(ways).mean(dim=0)


def pixels_left(hide: str, generator: torch.Generator | None = None) -> Tensor:
    """The pixels that stay visible, bool ``(28, 28)``.

    Args:
        hide: ``lower``, ``upper``, ``left`` or ``right`` half, or ``pixels``: three quarters of all, drawn.
        generator: of the draw.
    """
    if hide == "pixels":
        return torch.rand(SIDE, SIDE, generator=generator) < 0.25
    first_half = torch.arange(SIDE) < SIDE // 2
    in_it = first_half if hide in ("lower", "right") else ~first_half
    return in_it[:, None].expand(SIDE, SIDE) if hide in ("lower", "upper") else in_it.expand(SIDE, SIDE)


def fill_in(
    model: DigitVAE,
    image: Tensor,
    visible: Tensor,
    count: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Several completions of an image of which only some pixels are seen.

    Each has a z of its own, drawn from the prior, which climbs log p(visible pixels | z), by Adam, its rate falling to
    0 along a cosine, while a spring of the prior's strength holds it to where it was drawn. What the visible pixels
    settle, all completions then share; what they leave open stays as it was drawn. (With linear maps and Gaussian noise
    on the pixels, too, these would be draws from the posterior: "Randomize-Then-Optimize", Bardsley, Solonen, Haario,
    Laine, 2014, https://doi.org/10.1137/140964023.)

    Args:
        model: one that takes no labels.
        image: ``(28, 28)``.
        visible: bool ``(28, 28)``; what is not visible is never looked at.
        count: completions.
        generator: of the draws from the prior.

    Returns:
        The completions ``(count, 28, 28)``, the visible pixels as they were, the most probable first; and how probable
        each is: log p(visible pixels | z) + log p(z) in nats, ``(count,)``.
    """
    images = image.to(model.device).expand(count, -1, -1)
    visible = visible.to(model.device)
    prior = model.prior(count)
    drawn = prior.sample(generator)
    z = drawn.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, CLIMB_STEPS)
    for _ in range(CLIMB_STEPS):
        optimizer.zero_grad()
        spring = 0.5 * (z - drawn).square().sum(dim=1)
        (spring + _visible_nats(model, z, images, visible)).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        log_probability = prior.log_density(z) - _visible_nats(model, z, images, visible)
        scores, order = log_probability.sort(descending=True)
        filled = torch.where(visible, images, model.decode(z))[order]
    return filled.cpu(), scores.cpu()


def _visible_nats(model: DigitVAE, z: Tensor, images: Tensor, visible: Tensor) -> Tensor:
    nats = F.binary_cross_entropy_with_logits(model.logits(z), images, reduction="none")
    return (nats * visible).sum(dim=(1, 2))
