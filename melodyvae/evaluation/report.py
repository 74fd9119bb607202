"""All metrics of a model on one dataset: what ``melodyvae evaluate`` prints.

Conventions: as in :mod:`melodyvae.evaluation.reconstruction`. Intervals are 95% confidence intervals that
resample files: windows of one file are alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from melodyvae.datasets.held_out import held_out_windows, splits_of
from melodyvae.datasets.windows import DatasetError, WindowDataset
from melodyvae.evaluation.interpolation import interpolation_curves
from melodyvae.evaluation.iwae import importance_weighted_bound
from melodyvae.evaluation.ngram import NgramModel
from melodyvae.evaluation.reconstruction import Ratio, note_f1, window_ratios
from melodyvae.evaluation.repetition import self_similarity
from melodyvae.evaluation.samples import (
    Origin,
    fewest_differences,
    halves_by_file,
    histograms,
    jensen_shannon_bits,
    sample_metrics,
)
from melodyvae.evaluation.structure import (
    OPENING_BARS,
    distances,
    known_phrases,
    opening_distances,
    ranges_of_files,
    tune_metrics,
)
from melodyvae.evaluation.two_sample import MIN_WINDOWS, two_sample_accuracy
from melodyvae.models.latent import active_units
from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import random_places, random_rows
from melodyvae.verbs.codec import decode_tokens
from melodyvae.verbs.composing import compose
from melodyvae.verbs.prior import Prior, draw_latents, has_fitted_prior

METRICS = ("reconstruction", "bound", "samples", "structure", "interpolations")
NEAREST_WINDOWS = 1000  # whose nearest training window is searched
DISTANCES = {"up to 1": 1, "2 or 3": 3, "4 or more": None}  # the highest number of steps unlike the nearest window
BOUND_SAMPLES = {"negative_elbo_nats_per_step": 1, "importance_weighted_nats_per_step": 100}  # of z


@dataclass(frozen=True)
class Report:
    """The metrics of a model on windows that it was not trained on; None where they were not asked for.

    Attributes:
        dataset_sha256: the hash of each split's file.
        split: ``train``, ``valid``, ``test`` or ``all``.
        windows: how many windows were measured.
        files: of how many files.
        seed: of all draws.
        nearest_among: what windows the baseline ``nearest`` chooses from, in words.
        reconstruction: ``active_units``, and by name ``value``, ``interval``, ``mean_of_files`` and ``baselines`` (see
            :func:`evaluate`); ``by_distance`` has the same for windows by the number of steps in which they differ from
            the nearest training window.
        bound: by name ``value``, ``interval`` and ``mean_of_files``; ``windows`` says of how many.
        samples: by prior the metrics of samples against the windows; ``floor`` is the same between two halves of the
            windows that share no file, ``count`` the number of samples.
        structure: of the windows and of samples, the shares of bars that repeat an earlier one, and which bars are
            alike.
        sources: the files of the windows that were measured, each with ``name``, ``sha256`` and its ``windows``.
        interpolations: the curves of :class:`~melodyvae.evaluation.interpolation.InterpolationCurves`.
    """

    dataset_sha256: dict[str, str]
    split: str
    windows: int
    files: int
    seed: int
    nearest_among: str = ""
    sources: tuple[dict[str, Any], ...] = ()
    reconstruction: dict[str, Any] | None = None
    bound: dict[str, Any] | None = None
    samples: dict[str, Any] | None = None
    structure: dict[str, Any] | None = None
    interpolations: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, without what was not asked for."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def evaluate(
    model: MelodyModel,
    dataset: WindowDataset,
    split: str = "test",
    metrics: Collection[str] = METRICS,
    *,
    max_windows: int | None = None,
    bound_windows: int = 256,
    samples: int = 2000,
    pairs: int = 1024,
    seed: int = 0,
    on_part: Callable[[str, Report], None] | None = None,
) -> Report:
    """The metrics of ``model`` on a split of ``dataset``, or on ``all`` of it.

    Each metric of the reconstruction stands beside three baselines: ``nothing``, always "no event"; ``nearest``, the
    nearest training window of the dataset, in any key, from another file; and ``no z``, the same decoder given the z of
    another window.

    Args:
        model: the model.
        dataset: its windows must fit the model.
        split: ``test``, ``valid`` or ``all``.
        metrics: some of :data:`METRICS`.
        max_windows: measure so many, drawn by ``seed``; None measures all.
        bound_windows: windows that the importance-weighted bound is estimated on.
        samples: how many samples are drawn.
        pairs: how many pairs of windows are interpolated.
        seed: of all draws.
        on_part: called with the name of each part and the report so far, first with ``windows``.

    Raises:
        TrainedOnError: if the model was trained on some of the windows' files.
        DatasetError: if the dataset does not fit the model, or has too few windows.
    """
    dataset.check_fits(model.config)
    data, network = _Data.of(model, dataset, split).some(max_windows, seed), model.network()
    sources = tuple(
        {key: dataset.meta["sources"][place][key] for key in ("name", "sha256")} | {"windows": int(count)}
        for place, count in zip(*np.unique(data.sources, return_counts=True), strict=True)
    )
    report = Report(dataset.fingerprint, split, len(data.windows), len(sources), seed, data.nearest_among, sources)

    @functools.cache  # two parts measure the same samples
    def draw(prior: Prior) -> np.ndarray:
        return _drawn(network, samples, prior, seed)

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "reconstruction": lambda: _reconstruction(model, data, seed),
        "bound": lambda: _bound(model, data, bound_windows, seed),
        "samples": lambda: _samples(network, data, draw, samples, seed),
        "structure": lambda: _structure(network, data, draw, samples, seed),
        "interpolations": lambda: _interpolations(network, data, pairs, seed),
    }
    unknown = set(metrics) - set(parts)
    if unknown:
        raise ValueError(f"there are no metrics {sorted(unknown)[0]!r}; choose from {', '.join(parts)}")
    tell = on_part or (lambda name, report: None)
    tell("windows", report)
    for name, part in parts.items():
        if name in metrics:
            report = replace(report, **{name: part()})  # type: ignore[arg-type]  # the name of a part
            tell(name, report)
    return report


@dataclass(frozen=True)
class _Data:
    """The windows that are measured and the dataset's training windows, with the file that each is from.

    ``overlap``: some windows are training windows of the dataset (which the model has not seen).
    """

    windows: np.ndarray
    sources: np.ndarray
    train: np.ndarray
    train_sources: np.ndarray
    overlap: bool
    nearest_among: str

    @classmethod
    def of(cls, model: MelodyModel, dataset: WindowDataset, split: str) -> _Data:
        windows = held_out_windows(model.provenance, dataset, split)
        splits = splits_of(dataset, split)
        overlap = "train" in splits
        train = np.asarray(dataset.splits["train"])
        return cls(
            windows=windows,
            sources=np.concatenate([dataset.sources_of(name) for name in splits]),
            train=train,
            train_sources=dataset.sources_of("train"),
            overlap=overlap,
            nearest_among=f"{len(train)} training windows of {dataset.folder}{', from other files' * overlap}",
        )

    def some(self, count: int | None, seed: int) -> _Data:
        """As many of the windows, or all."""
        places = random_places(len(self.windows), len(self.windows) if count is None else count, seed)
        return replace(self, windows=self.windows[places], sources=self.sources[places])

    def origin(self, places: np.ndarray | slice = slice(None)) -> Origin | None:
        """Origins of windows and training windows, if a window could meet itself among the latter."""
        return Origin(self.sources[places], self.train_sources) if self.overlap else None


def _reconstruction(model: MelodyModel, data: _Data, seed: int) -> dict[str, Any]:
    ratios, means = window_ratios(model, data.windows, seed)
    without_z, _ = window_ratios(model, data.windows, seed, shuffle_z=True)
    nearest = _nearest_training_windows(model, data, seed)
    copied = nearest.metrics()
    metrics: dict[str, Any] = {"active_units": active_units(means)}
    for name, ratio in ratios.items():
        nothing = ratios["no_event_accuracy"].value if name.endswith("_accuracy") else None
        if name.endswith("_f1") or name == "exact_windows":
            nothing = 0.0
        baselines = {
            "nothing": nothing,
            "nearest": copied.get(name),
            "no z": None if name in ("no_event_accuracy", "kl_bits") else without_z[name].value,
        }
        metrics[name] = _measured(ratio, data.sources, seed) | {"baselines": baselines}
    metrics["by_distance"] = {}
    least = 0
    for label, most in DISTANCES.items():
        is_so_far = (nearest.differing >= least) & (nearest.differing <= (most or data.windows.shape[1]))
        places = nearest.places[is_so_far]
        if len(places):
            sources = data.sources[places]
            metrics["by_distance"][label] = {"windows": len(places), "files": len(np.unique(sources))} | {
                name: _measured(ratio.of(places), sources, seed) for name, ratio in ratios.items()
            }
        least = (most or 0) + 1
    return metrics


def _measured(ratio: Ratio, sources: np.ndarray, seed: int) -> dict[str, Any]:
    of_files = ratio.by_file(sources)
    return {"value": ratio.value, "interval": list(of_files.interval(seed)), "mean_of_files": of_files.mean}


@dataclass(frozen=True)
class _Nearest:
    """Some of the windows, ``(M, T)``, beside the training windows that are nearest to them, both moved to one key.

    ``places`` ``(M,)`` are theirs among all windows; ``differing`` ``(M,)`` is the number of steps that are not alike.
    Windows are left out to which there is no training window from another file.
    """

    places: np.ndarray
    differing: np.ndarray
    windows: np.ndarray
    nearest: np.ndarray

    def metrics(self) -> dict[str, float]:
        """Similarity of the windows to the nearest ones; empty without any."""
        if not len(self.places):
            return {}
        nearest, own = (torch.from_numpy(rows.astype(np.int64)) for rows in (self.nearest, self.windows))
        return {
            "greedy_accuracy": 1 - float(self.differing.mean()) / self.windows.shape[1],
            "exact_windows": float((self.differing == 0).mean()),
            "note_f1": note_f1(nearest, own),
        }


def _nearest_training_windows(model: MelodyModel, data: _Data, seed: int) -> _Nearest:
    """Up to 1,000 of the windows, drawn, with the nearest training window of another file, in any key."""
    places = random_places(len(data.windows), NEAREST_WINDOWS if len(data.train) else 0, seed)
    windows, train = model.vocabulary.normalise(data.windows[places]), model.vocabulary.normalise(data.train)
    if not len(places):
        return _Nearest(places, np.empty(0, np.int64), windows, windows)
    origin = data.origin(places)
    if origin is None:
        train = np.unique(train, axis=0)
    differing, nearest = fewest_differences(windows, train, origin)
    has_one = differing <= windows.shape[1]
    return _Nearest(places[has_one], differing[has_one], windows[has_one], train[nearest[has_one]])


def _bound(model: MelodyModel, data: _Data, count: int, seed: int) -> dict[str, Any]:
    places = random_places(len(data.windows), count, seed)
    some = data.windows[places]
    bounds: dict[str, Any] = {"windows": len(some)}
    for name, samples in BOUND_SAMPLES.items():
        ratio = Ratio(importance_weighted_bound(model, some, samples, seed), np.full(len(some), some.shape[1]))
        bounds[name] = _measured(ratio, data.sources[places], seed)
    return bounds


def _priors(model: MelodyNetwork) -> tuple[Prior, ...]:
    """Those that samples can be drawn from, the one that `sample` draws from first."""
    return ("fitted", "normal") if has_fitted_prior(model) else ("normal",)


def _samples(
    model: MelodyNetwork, data: _Data, draw: Callable[[Prior], np.ndarray], count: int, seed: int
) -> dict[str, Any]:
    table, bar = model.vocabulary, model.config.steps_per_bar
    metrics: dict[str, Any] = {"count": count}
    for prior in _priors(model):
        metrics[prior] = sample_metrics(draw(prior), data.windows, data.train, table, bar, data.origin())
    halves = halves_by_file(data.sources, seed)
    counts = [histograms(data.windows[half], table, bar) for half in halves if len(halves[1])]
    names = counts[0] if counts else ()
    metrics["floor"] = {f"js_{name}": jensen_shannon_bits(*(of[name] for of in counts)) for name in names}
    return metrics


def _structure(
    model: MelodyNetwork, data: _Data, draw: Callable[[Prior], np.ndarray], count: int, seed: int
) -> dict[str, Any]:
    """Structure of windows and samples, and the distance between them.

    The distance of two halves of the windows, of different files, is the floor. ``training`` compares as many training
    windows: a perfect model of the training files would be as far from windows of other files. Its ``ranges`` are
    those of :func:`ranges_of_files`, for as many ``files`` as the windows are from. A model of more than two bars is
    compared with two-bar samples joined, which are independent of each other; ``opening_*`` are the distances of the
    first two bars alone.
    """
    config = model.config
    compared = {"windows": random_rows(data.windows, count, seed), "samples": draw(_priors(model)[0])}
    short = MelodyNetwork.read()
    chained, rest = divmod(config.steps, short.config.steps)
    if chained > 1 and not rest and short.config.steps_per_bar == config.steps_per_bar:
        compared["chained"] = _drawn(short, count * chained, None, seed).reshape(count, config.steps)
    if len(data.train) and not data.overlap:
        compared["training"] = random_rows(data.train, count, seed)
    table, bar = model.vocabulary, config.steps_per_bar
    apart = compared["windows"], data.train  # of different files
    if data.overlap:
        apart = data.windows[data.sources % 2 == 0], data.train[data.train_sources % 2 == 1]
    metrics_by_name: dict[str, Any] = {}
    for name, rows in compared.items():
        like = tune_metrics(rows, table, bar)
        known = apart if name == "windows" else (rows, data.train)
        metrics_by_name[name] = {
            **like.shares,
            **({} if name == "training" else {"known_phrases": known_phrases(*known, table, bar)}),
            "repeats_by_lag": like.spectrum.tolist(),
            "similarity_by_lag": like.similarity.tolist(),
            "self_similarity": self_similarity(rows, bar).tolist(),
        }
    windows, halves = data.windows, halves_by_file(data.sources, seed)
    against = {name: (rows, windows) for name, rows in compared.items()}
    if len(halves[1]):
        against["windows"] = windows[halves[0]], windows[halves[1]]
    for name, (ours, theirs) in against.items():
        metrics_by_name[name] |= distances(ours, theirs, table, bar)
        if min(len(ours), len(theirs)) >= MIN_WINDOWS:
            metrics_by_name[name]["judged"] = two_sample_accuracy(ours, theirs, table.size, seed=seed)
            if config.bars > OPENING_BARS:
                one, other = (rows[:, : OPENING_BARS * bar] for rows in (ours, theirs))
                metrics_by_name[name]["opening_judged"] = two_sample_accuracy(one, other, table.size, seed=seed)
        metrics_by_name[name] |= opening_distances(ours, theirs, table, bar)
    if "training" in metrics_by_name:
        files = len(np.unique(data.sources))
        metrics_by_name["training"]["files"] = files
        metrics_by_name["training"]["ranges"] = ranges_of_files(
            data.train, data.train_sources, files, count, table, bar, seed
        )
    return metrics_by_name


def _drawn(model: MelodyNetwork, count: int, prior: Prior | None, seed: int) -> np.ndarray:
    """Sampled windows ``(count, T)`` at temperature 1; of a model that composes in the keys that tunes come in."""
    draws = Draws(seed)
    if model.config.look_back and prior != "fitted":
        return np.stack([model.vocabulary.encode(melody) for melody in compose(model, count, draws=draws)])
    return decode_tokens(model, draw_latents(model, count, prior, draws), 1.0, draws)


def _interpolations(model: MelodyNetwork, data: _Data, pairs: int, seed: int) -> dict[str, Any]:
    """Interpolation metrics; if windows are training windows too, the n-gram model has the other half of the files."""
    windows, train = data.windows, data.train
    if data.overlap:
        windows, train = windows[data.sources % 2 == 0], train[data.train_sources % 2 == 1]
    if len(windows) < 2 or not len(train):
        raise DatasetError("there are too few windows to interpolate; leave interpolations out of the metrics")
    language_model = NgramModel(train, model.vocabulary.size)
    return interpolation_curves(model, windows, language_model, pairs, seed).to_dict()
