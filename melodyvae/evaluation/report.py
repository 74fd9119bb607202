"""All metrics of a model on one dataset: what ``melodyvae evaluate`` prints.

Conventions: as in :mod:`melodyvae.evaluation.reconstruction`. Intervals are 95% confidence intervals that
resample files: windows of one file are alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
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
from melodyvae.evaluation.samples import (
    Origin,
    fewest_differences,
    halves_by_file,
    histograms,
    jensen_shannon_bits,
    sample_metrics,
)
from melodyvae.evaluation.structure import (
    distances,
    known_stretches,
    ranges_of_files,
    self_similarity,
    similarity_by_lag,
)
from melodyvae.evaluation.two_sample import MIN_WINDOWS, two_sample_accuracy
from melodyvae.models.latent import active_units
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.music.statistics import pooled_statistics, repeats_by_lag
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import random_places, random_rows
from melodyvae.verbs.codec import decode_tokens
from melodyvae.verbs.composing import compose
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.prior import Prior, draw_latents, has_fitted_prior
from melodyvae.verbs.sample import SampleOptions, sample

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
        structure: by the number of bars, of the windows and of samples: statistics of tunes, which bars are alike, and
            how far the samples are from the windows.
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
    meter = dataset.meta["meter"][0], dataset.meta["meter"][1]
    model = model.in_meter(meter, dataset.meta["steps_per_quarter"]) if model.config.room_for(meter) else model
    dataset.check_fits(model.config)
    of_tunes = model.config.look_back and "structure" in metrics
    data, network = _Data.of(model, dataset, split, of_tunes).some(max_windows, seed), model.network()
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

    ``overlap``: some windows are training windows of the dataset (which the model has not seen). ``begins`` and
    ``train_begins``: which windows are beginnings of tunes, booleans; none where that is not asked for.
    """

    windows: np.ndarray
    sources: np.ndarray
    train: np.ndarray
    train_sources: np.ndarray
    overlap: bool
    nearest_among: str
    begins: np.ndarray
    train_begins: np.ndarray

    @classmethod
    def of(cls, model: MelodyModel, dataset: WindowDataset, split: str, of_tunes: bool) -> _Data:
        windows = held_out_windows(model.provenance, dataset, split)
        splits = splits_of(dataset, split)
        overlap = "train" in splits
        train = np.asarray(dataset.splits["train"])
        begins = {name: _begins(dataset, name, of_tunes) for name in {*splits, "train"}}
        return cls(
            windows=windows,
            sources=np.concatenate([dataset.sources_of(name) for name in splits]),
            train=train,
            train_sources=dataset.sources_of("train"),
            overlap=overlap,
            nearest_among=f"{len(train)} training windows of {dataset.folder}{', from other files' * overlap}",
            begins=np.concatenate([begins[name] for name in splits]),
            train_begins=begins["train"],
        )

    def some(self, count: int | None, seed: int) -> _Data:
        """As many of the windows, or all."""
        places = random_places(len(self.windows), len(self.windows) if count is None else count, seed)
        return replace(self, windows=self.windows[places], sources=self.sources[places], begins=self.begins[places])

    def beginnings(self) -> _Data:
        """The windows with which tunes begin; all that are measured if there is none among them."""
        chosen, of_train = self.begins if self.begins.any() else np.full_like(self.begins, True), self.train_begins
        return replace(
            self,
            windows=self.windows[chosen],
            sources=self.sources[chosen],
            begins=self.begins[chosen],
            train=self.train[of_train],
            train_sources=self.train_sources[of_train],
            train_begins=self.train_begins[of_train],
        )

    def origin(self, places: np.ndarray | slice = slice(None)) -> Origin | None:
        """Origins of windows and training windows, if a window could meet itself among the latter."""
        return Origin(self.sources[places], self.train_sources) if self.overlap else None


def _begins(dataset: WindowDataset, split: str, is_asked: bool) -> np.ndarray:
    """Whether each window of a split is the first of its tune, ``(N,)``, if that is asked."""
    begins = np.zeros(len(dataset.splits[split]), bool)
    if is_asked:
        begins[dataset.tune_beginnings(split)] = True
    return begins


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
    """Structure of windows and samples, and the distance between them, by the number of bars.

    New tunes of a model that composes are compared with beginnings of tunes, and beside raw draws (``samples``) stands
    the ``default``, the tunes that ``sample`` writes unasked, of as many bars as the model's windows and of half.
    """
    bars, drawn = model.config.bars, draw(_priors(model)[0])
    if not model.config.look_back:
        return {str(bars): _structure_of(model, data, data, drawn, bars, count, seed)}
    lengths = (bars, bars // 2) if bars > 1 else (bars,)
    return {
        str(length): _structure_of(model, data, data.beginnings(), drawn, length, count, seed) for length in lengths
    }


def _structure_of(
    model: MelodyNetwork, data: _Data, compared_data: _Data, drawn: np.ndarray, bars: int, count: int, seed: int
) -> dict[str, Any]:
    """Metrics of tunes of some bars, by what they are.

    The distance of two halves of the windows, of different files, is the floor; there is none if they are of one file.
    ``training`` compares as many training windows: a perfect model of the training files would be as far from windows
    of other files. Its ``ranges`` are those of :func:`ranges_of_files`, for as many ``files`` as the windows are from.
    The judge learns from training windows, of which there are more, and is asked about the windows.
    """
    table, bar = model.vocabulary, model.config.steps_per_bar
    steps = bars * bar
    windows, train = compared_data.windows[:, :steps], compared_data.train[:, :steps]
    compared = {"windows": random_rows(windows, count, seed), "samples": drawn[:, :steps]}
    if model.config.look_back:
        compared["default"] = _encoded(model, default_tunes(model, count, bars, seed))
    if len(train) and not data.overlap:
        compared["training"] = random_rows(train, count, seed)
    apart = compared["windows"], data.train  # of different files
    if data.overlap:
        is_even = compared_data.sources % 2 == 0
        apart = windows[is_even], data.train[data.train_sources % 2 == 1]
    halves = _halves(windows, compared_data.sources, seed)
    train_halves = _halves(train, compared_data.train_sources, seed)
    metrics_by_name: dict[str, Any] = {}
    for name, rows in compared.items():
        metrics = metrics_by_name[name] = pooled_statistics(_decoded(model, rows))
        near = halves if name == "windows" else (rows, windows)
        if all(map(len, near)):
            metrics |= distances(*near, table, bar)
        if name != "training":
            known = apart if name == "windows" else (rows, data.train)
            metrics["known_phrases"], _ = known_stretches(*known, table, bar)
            _, metrics["known_bars"] = known_stretches(*known, table, bar, bars=1)
        judged, others = (rows, windows), None if data.overlap or not len(train) else train
        if name == "windows":
            judged, others = halves, None
        elif name == "training":
            judged, others = (train_halves[0], windows), train_halves[1]
        if min(map(len, judged)) >= MIN_WINDOWS and (others is None or len(others)):
            metrics["judged"] = two_sample_accuracy(*judged, table.size, seed=seed, others=others)
        metrics |= {
            "repeats_by_lag": repeats_by_lag(rows, bar).tolist(),
            "similarity_by_lag": similarity_by_lag(rows, bar).tolist(),
            "self_similarity": self_similarity(rows, bar).tolist(),
        }
    files = len(np.unique(compared_data.sources))
    metrics_by_name["windows"]["files"] = files
    if "training" in metrics_by_name:
        metrics_by_name["training"]["ranges"] = ranges_of_files(
            train, _decoded(model, train), compared_data.train_sources, files, count, table, bar, seed
        )
    return metrics_by_name


def _halves(windows: np.ndarray, sources: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Halves of windows ``(N, T)`` that share no file; the second is empty if there is one file."""
    first, second = halves_by_file(sources, seed)
    return windows[first], windows[second]


def default_tunes(model: MelodyNetwork, count: int, bars: int, seed: int = 0) -> list[Melody]:
    """``count`` tunes of ``bars`` bars as ``sample`` writes them unasked, by calls of its default count."""
    held, tunes = HeldModel(model), list[Melody]()
    while len(tunes) < count:
        tunes += sample(held, SampleOptions(bars=bars, seed=seed + len(tunes))).melodies
    return tunes[:count]


def _encoded(model: MelodyNetwork, melodies: Sequence[Melody]) -> np.ndarray:
    """The windows ``(N, T)`` of melodies of equal length."""
    return np.stack([model.vocabulary.encode(melody) for melody in melodies])


def _decoded(model: MelodyNetwork, windows: np.ndarray) -> list[Melody]:
    """The melodies of windows ``(N, T)``, on the model's grid and in its meter."""
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    return [model.vocabulary.decode(row, **grid) for row in windows]


def _drawn(model: MelodyNetwork, count: int, prior: Prior | None, seed: int) -> np.ndarray:
    """Sampled windows ``(count, T)`` at temperature 1; of a model that composes in the keys that tunes come in."""
    draws = Draws(seed)
    if model.config.look_back and prior != "fitted":
        return _encoded(model, compose(model, count, draws=draws, form="any").melodies)
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
