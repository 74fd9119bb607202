"""Detect images that are not digits by their negative ELBO: a model of digits gives them a low probability.

Conventions: as in :mod:`melodyvae.digits.data`. A higher score is stranger.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from melodyvae.digits.config import SIDE
from melodyvae.digits.data import Digits

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which are also digits
TURNABLE = (2, 3, 4, 5, 7)  # upside down, the others are digits still, or nearly
NO_DIGIT = 255
BOX = 20  # pixels: a digit of MNIST fits in 20 x 20, its centre of mass in the middle of 28 x 28
ENLARGED = 4


def letters(count: int, generator: torch.Generator | None = None) -> Digits:
    """Capital letters A to Z without I and O, set like MNIST's digits: DejaVu in several faces, sizes and slants."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    choice = torch.rand(count, 6, generator=generator, dtype=torch.float64).numpy()
    images = []
    for row in choice:
        letter = LETTERS[int(row[0] * len(LETTERS))]
        family = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")[int(row[1] * 3)]
        weight = ("normal", "bold")[int(row[2] * 2)]
        outline = TextPath((0, 0), letter, size=10, prop=FontProperties(family=family, weight=weight))
        shear, angle, size = 0.4 * row[3], np.radians(24 * row[4] - 12), BOX * (0.8 + 0.2 * row[5])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        polygons = [corners @ (turn @ [[1, shear], [0, 1]]).T for corners in outline.to_polygons()]
        images.append(_inked(polygons, size))
    return _no_digits(torch.stack(images))


def noise(count: int, like: Digits, generator: torch.Generator | None = None) -> Digits:
    """Digits of ``like`` whose pixels were shuffled: as much ink, and no shape."""
    order = torch.argsort(torch.rand(count, SIDE * SIDE, generator=generator), dim=1)
    repeats = torch.arange(count) % len(like)
    return _no_digits(like.images[repeats].flatten(1).gather(1, order).view(-1, SIDE, SIDE))


def upside_down(digits: Digits) -> Digits:
    """The digits turned by half a turn. Many a 0, 1 and 8 stays what it was, and a 6 becomes a 9."""
    return Digits(digits.images.flip(1, 2), torch.full_like(digits.labels, NO_DIGIT))


def roc_auc(ordinary: Tensor, strange: Tensor) -> float:
    """The area under the ROC curve: the probability that a strange score ``(N,)`` exceeds an ordinary one ``(M,)``.

    0.5 is guessing, 1 is perfect; equal scores count half. It is the Mann-Whitney U statistic over N * M.
    """
    ordinary_sorted = ordinary.sort().values
    below = torch.searchsorted(ordinary_sorted, strange, right=False)
    not_above = torch.searchsorted(ordinary_sorted, strange, right=True)
    return float((below + not_above).double().mean()) / (2 * len(ordinary))


def _inked(polygons: list[np.ndarray], size: float) -> Tensor:
    """Outlines (x to the right, y upwards) as an image; the longer side of their box is ``size`` pixels."""
    from matplotlib.path import Path

    corners = np.concatenate(polygons)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = size * ENLARGED / (high - low).max()
    fine_side = SIDE * ENLARGED
    places = np.stack(np.meshgrid(np.arange(fine_side), np.arange(fine_side)), axis=-1).reshape(-1, 2) + 0.5
    middle = (low + high) / 2
    ink = np.zeros(fine_side * fine_side, dtype=bool)
    for polygon in polygons:  # what is inside two outlines is a hole
        ink ^= Path((polygon - middle) * scale + fine_side / 2).contains_points(places)
    fine = torch.from_numpy(ink.reshape(fine_side, fine_side)[::-1].copy()).float()
    image = F.avg_pool2d(fine[None, None], ENLARGED)[0, 0]
    return _centred(image)


def _centred(image: Tensor) -> Tensor:
    total, at = image.sum(), torch.arange(SIDE).float()
    row, column = (image.sum(dim=1) * at).sum() / total, (image.sum(dim=0) * at).sum() / total
    shift = (round(float((SIDE - 1) / 2 - row)), round(float((SIDE - 1) / 2 - column)))
    return torch.roll(image, shift, dims=(0, 1))


def _no_digits(images: Tensor) -> Digits:
    if images.is_floating_point():
        images = (255 * images).round().to(torch.uint8)
    return Digits(images, torch.full((len(images),), NO_DIGIT, dtype=torch.uint8))
