"""Reconstruction metrics of the MusicVAE paper, on windows the model was not trained on.

Conventions: windows are integers ``(N, T)``; accuracies, rates and F1 are shares, 0 to 1; KL is in bits per window;
reconstruction and negative ELBO in nats. The value of a trivial guess stands beside, where there is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from melodyvae.datasets.batches import token_batches
from melodyvae.models.latent import active_units
from melodyvae.models.loss import token_nats
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT
from melodyvae.network.draws import Draws

RESAMPLES = 1000
RESAMPLES_AT_ONCE = 50
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Ratio:
    """A metric that is a sum over windows, or over files, divided by another: a mean, a share, or an F1.

    Attributes:
        numerator, denominator: of each window or file, ``(N,)``.
    """

    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def value(self) -> float:
        """The metric over all of them; 1 if there is nothing to divide by."""
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total else 1.0

    @property
    def mean(self) -> float:
        """The mean of the metrics of each, over those that have something to divide by; 1 if none has."""
        is_counted = self.denominator > 0
        each = self.numerator[is_counted] / self.denominator[is_counted]
        return float(each.mean()) if len(each) else 1.0

    def by_file(self, sources: np.ndarray) -> Ratio:
        """The same metric as sums over the windows of each file, where ``sources`` ``(N,)`` has each window's file."""
        _, of_file = np.unique(sources, return_inverse=True)
        return Ratio(np.bincount(of_file, self.numerator), np.bincount(of_file, self.denominator))

    def of(self, rows: np.ndarray) -> Ratio:
        """The metric of some of the windows, by their places or by booleans."""
        return Ratio(self.numerator[rows], self.denominator[rows])

    def interval(self, seed: int) -> tuple[float, float]:
        """The 95% confidence interval: the 2.5th and 97.5th percentiles of 1,000 bootstrap samples.

        Windows of one file are alike, so windows as the units give too narrow an interval: resample files
        (:meth:`by_file`), as "Bootstrapping clustered data" (Field, Welsh, 2007) does with its randomised clusters,
        https://doi.org/10.1111/j.1467-9868.2007.00593.x

        "Bootstrap Methods: Another Look at the Jackknife" (Efron, 1979), https://doi.org/10.1214/aos/1176344552
        """
        generator = np.random.default_rng(seed)
        count = len(self.numerator)
        values = []
        for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
            times = generator.multinomial(count, np.full(count, 1 / count), RESAMPLES_AT_ONCE)
            totals = times @ self.denominator
            values.append(np.where(totals > 0, times @ self.numerator / np.where(totals > 0, totals, 1), 1.0))
        low, high = np.percentile(np.concatenate(values), (2.5, 97.5))
        return float(low), float(high)


def reconstruction_metrics(
    model: MelodyModel, windows: np.ndarray, seed: int = 0, conditions: np.ndarray | None = None
) -> dict[str, float]:
    """Reconstruction of windows through z: the values of :func:`window_ratios`, and ``active_units``.

    The posterior and every draw depend on ``seed`` alone.
    """
    ratios, means = window_ratios(model, windows, seed, conditions=conditions)
    metrics = {name: ratio.value for name, ratio in ratios.items()}
    return metrics | {"active_units": active_units(means)}


def window_ratios(
    model: MelodyModel,
    windows: np.ndarray,
    seed: int = 0,
    *,
    shuffle_z: bool = False,
    conditions: np.ndarray | None = None,
) -> tuple[dict[str, Ratio], Tensor]:
    """The metrics of ``windows`` ``(N, T)``, window by window, and the posterior means ``(N, Z)``.

    - ``teacher_forced_accuracy``: steps whose most probable token is right, given the true tokens before it and one z
      drawn from q(z | x).
    - ``sampled_accuracy``: steps right when every token is drawn at temperature 1 from the model's own past, z from
      q(z | x): the paper's "sampling" column.
    - ``greedy_accuracy``, ``exact_windows``: of the most probable continuation, z the posterior mean; so are
    - ``note_f1`` (onset and pitch right), ``rhythm_f1`` (onset right, any pitch) and ``pitch_f1`` (pitch
      right, wherever in the window; a pitch that occurs twice must come back twice).
    - ``no_event_accuracy``: steps right when one always guesses "no event".
    - ``reconstruction_nats``, ``kl_bits``, ``negative_elbo_nats_per_step``: the halves of the bound, and the bound.

    With ``shuffle_z`` each window is decoded from the z of another one: the accuracy of the decoder without z.
    """
    if len(windows) == 0:
        raise ValueError("there are no windows to evaluate on")
    draws, network = Draws(seed), model.network()
    columns: dict[str, list[np.ndarray]] = {}
    means: list[Tensor] = []

    def add(name: str, values: Tensor) -> None:
        columns.setdefault(name, []).append(values.double().cpu().numpy())

    with torch.inference_mode():
        rows = np.zeros((len(windows), 0), np.int64) if conditions is None else conditions
        for tokens, told in zip(
            *(token_batches(part, ROWS_AT_ONCE, model.device) for part in (windows, rows)), strict=True
        ):
            known = told if conditions is not None else None
            posterior = model.encode(tokens, known)
            z, mean = posterior.sample(draws), posterior.mean
            if shuffle_z:
                z, mean = z.roll(1, dims=0), mean.roll(1, dims=0)
            greedy = torch.from_numpy(network.decode(_array(mean))).to(tokens)
            drawn = torch.from_numpy(network.decode(_array(z), 1.0, draws)).to(tokens)
            logits = model.logits(z, tokens, known)
            add("teacher_forced_accuracy", (logits.argmax(-1) == tokens).sum(1))
            add("sampled_accuracy", (drawn == tokens).sum(1))
            add("greedy_accuracy", (greedy == tokens).sum(1))
            add("no_event_accuracy", (tokens == NO_EVENT).sum(1))
            add("exact_windows", (greedy == tokens).all(dim=1))
            for name, values in notes_right(greedy, tokens).items():
                add(name, values)
            add("reconstruction_nats", token_nats(logits, tokens).sum(1))
            add("kl_nats", posterior.kl_to_standard_normal())
            means.append(posterior.mean)
    values_by_name = {name: np.concatenate(values) for name, values in columns.items()}
    ones = np.ones(len(windows))
    steps = ones * windows.shape[1]
    ratios = {name: Ratio(values_by_name[name], steps) for name in values_by_name if name.endswith("_accuracy")}
    notes = values_by_name["decoded"] + values_by_name["true"]
    ratios |= {f"{name}_f1": Ratio(2 * values_by_name[name], notes) for name in ("note", "pitch", "rhythm")}
    ratios["exact_windows"] = Ratio(values_by_name["exact_windows"], ones)
    ratios["reconstruction_nats"] = Ratio(values_by_name["reconstruction_nats"], ones)
    ratios["kl_bits"] = Ratio(values_by_name["kl_nats"] / math.log(2), ones)
    ratios["negative_elbo_nats_per_step"] = Ratio(
        values_by_name["reconstruction_nats"] + values_by_name["kl_nats"], steps
    )
    return ratios, torch.cat(means)


def notes_right(decoded: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Counts ``(N,)`` by name for each window of ``decoded`` against ``tokens``, both ``(N, T)``.

    ``note``, ``rhythm`` and ``pitch`` count correct ones, as defined at :func:`window_ratios`; ``decoded`` and ``true``
    count all.
    """
    decoded_onsets, true_onsets = decoded >= FIRST_NOTE_ON, tokens >= FIRST_NOTE_ON
    size = int(max(decoded.max(), tokens.max())) + 1
    common = torch.minimum(*(_histograms(part, size) for part in (decoded, tokens)))
    return {
        "note": (true_onsets & (decoded == tokens)).sum(1),
        "rhythm": (true_onsets & decoded_onsets).sum(1),
        "pitch": common[:, FIRST_NOTE_ON:].sum(1),
        "decoded": decoded_onsets.sum(1),
        "true": true_onsets.sum(1),
    }


def note_f1(decoded: Tensor, tokens: Tensor) -> float:
    """F1 of the notes of ``decoded`` against ``tokens``, both ``(N, T)``: right means onset step and pitch are right.

    1 where neither holds a note.
    """
    counts = {name: int(values.sum()) for name, values in notes_right(decoded, tokens).items()}
    notes = counts["decoded"] + counts["true"]
    return 2 * counts["note"] / notes if notes else 1.0


def _array(z: Tensor) -> np.ndarray:
    return np.asarray(z.float().cpu().numpy())


def _histograms(tokens: Tensor, size: int) -> Tensor:
    """Count of each token in each window of ``(N, T)``: ``(N, size)``."""
    counts = torch.zeros(len(tokens), size, dtype=torch.long, device=tokens.device)
    return counts.scatter_add_(1, tokens.long(), torch.ones_like(tokens, dtype=torch.long))
