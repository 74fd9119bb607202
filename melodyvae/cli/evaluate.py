"""``melodyvae evaluate``: how good a model is on windows it was not trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodyvae.cli.options import SEED, known_errors

if TYPE_CHECKING:
    import numpy as np

    from melodyvae.datasets.windows import WindowDataset
    from melodyvae.models.melody import MelodyModel

METRICS = ("reconstruction", "bound", "samples", "structure", "interpolations")
EXPLAINED = {
    "teacher_forced_accuracy": "steps right, given the true past, z ~ q",
    "sampled_accuracy": "steps right, every token drawn (temperature 1), z ~ q",
    "greedy_accuracy": "steps right, most probable tokens, z the mean",
    "no_event_accuracy": "steps right by always guessing 'no event'",
    "note_f1": "notes right (onset and pitch), greedy from the mean",
    "rhythm_f1": "onsets right, whatever the pitch",
    "pitch_f1": "pitches right, wherever they are",
    "exact_windows": "windows without any fault, greedy from the mean",
    "reconstruction_nats": "-log p(x | z) a window, z ~ q",
    "kl_bits": "what z says about a window, in bits",
    "negative_elbo_nats_per_step": "bound on -log p(x), nats a step",
    "active_units": "latent dimensions in use",
    "importance_weighted_nats_per_step": "tighter bound on -log p(x), nats a step",
    "js_pitch_class": "pitch classes",
    "js_interval": "intervals from note to note",
    "js_duration": "durations",
    "js_onset": "onsets in the bar",
    "js_notes": "notes a bar",
    "near_copies": "samples within one step of a training window, any key",
    "near_copies_held_out": "the same of the windows themselves",
    "distinct": "samples unlike all others, any key",
    "repeats_exact": "bars that repeat an earlier one of theirs",
    "repeats_transposed": "the same, in any key",
    "repeats_rhythm": "the same, whatever the pitches",
}
BASELINES = ("nothing", "nearest", "no z")


@click.command()
@click.argument("dataset", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", "model_name", default="melody-2bar", show_default=True, help="A shipped model, file or run.")
@click.option(
    "--split",
    type=click.Choice(["test", "valid", "all"]),
    default="test",
    show_default=True,
    help="all is refused for files that the model was trained on.",
)
@click.option(
    "--metrics",
    "wanted",
    type=click.Choice(METRICS),
    multiple=True,
    help="Only these; may be given several times.  [default: all]",
)
@click.option("--bound-windows", type=click.IntRange(min=1), default=256, show_default=True, help="For the bound.")
@click.option("--samples", type=click.IntRange(min=2), default=2000, show_default=True, help="For their histograms.")
@click.option("--pairs", type=click.IntRange(min=1), default=1024, show_default=True, help="To interpolate between.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the metrics here.")
@click.option("--plot", "plot_file", type=click.Path(dir_okay=False, path_type=Path), help="Draw the interpolations.")
@click.option(
    "--similarity-plot",
    "similarity_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw which bars are like which.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed, the same metrics.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def evaluate(
    dataset: Path | None,
    model_name: str,
    split: str,
    wanted: tuple[str, ...],
    bound_windows: int,
    samples: int,
    pairs: int,
    json_file: Path | None,
    plot_file: Path | None,
    similarity_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Measure a model on windows of a DATASET folder, made by `melodyvae prep`, that it was not trained on.

    \b
    melodyvae evaluate midi-dataset
    melodyvae evaluate other-tunes-dataset --split all --json metrics.json
    melodyvae evaluate midi-dataset --metrics samples
    melodyvae evaluate --model melody-2bar

    Without DATASET, the metrics that were measured at the end of the model's training are printed. In brackets are 95%
    intervals (bootstrap over windows).
    """
    from data_prep.files import whole_file
    from melodyvae.cli.options import load_model
    from melodyvae.datasets.held_out import held_out_windows
    from melodyvae.datasets.windows import open_dataset
    from melodyvae.rendering.piano_rolls import plot_interpolations, plot_similarities

    for file in (json_file, plot_file, similarity_file):
        if file is not None and file.exists():
            raise click.ClickException(f"{file} exists; choose another file")
    chosen = wanted or METRICS
    with known_errors():
        model = load_model(model_name, device).model
        if dataset is None:
            _print_recorded(model_name, model.metrics)
            return
        data = open_dataset(dataset)
        data.check_fits(model.config)
        windows = held_out_windows(model.provenance, data, split)
        click.echo(f"{len(windows)} windows of {dataset} ({split}), {model_name}")
        found: dict[str, Any] = {
            "model": model_name,
            "dataset_sha256": data.fingerprint,
            "split": split,
            "windows": len(windows),
            "seed": seed,
        }
        if "reconstruction" in chosen:
            found["reconstruction"] = _reconstruction(model, windows, data, seed)
        if "bound" in chosen:
            found["bound"] = _bound(model, windows, bound_windows, seed)
        if "samples" in chosen:
            found["samples"] = _samples(model, windows, data, samples, seed)
        if "structure" in chosen:
            found["structure"] = _structure(model, windows, samples, seed)
            if similarity_file is not None:
                with whole_file(similarity_file) as temporary:
                    matrices = {name: values["self_similarity"] for name, values in found["structure"].items()}
                    plot_similarities(matrices, temporary)
        if "interpolations" in chosen:
            found["interpolations"] = _interpolations(model, windows, data, pairs, seed)
            if plot_file is not None:
                with whole_file(plot_file) as temporary:
                    plot_interpolations(found["interpolations"], temporary)
        if json_file is not None:
            with whole_file(json_file) as temporary:
                temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _print_recorded(model_name: str, metrics: Mapping[str, Any]) -> None:
    click.echo(f"{model_name}, as measured on the held-out splits of its training data:")
    tables = {name: values for name, values in metrics.items() if isinstance(values, dict)}
    click.echo(f"{'':<34}" + "".join(f"{name:>14}" for name in tables))
    for name in dict.fromkeys(name for values in tables.values() for name in values):
        cells = "".join(f"{values.get(name, float('nan')):14.4f}" for values in tables.values())
        click.echo(f"{name:<34}{cells}  {EXPLAINED.get(name, '')}")


def _reconstruction(model: MelodyModel, windows: np.ndarray, data: WindowDataset, seed: int) -> dict[str, Any]:
    """Print and return the metrics of windows that go through z and back, and of the three that know less."""
    import numpy as np

    from melodyvae.evaluation.reconstruction import window_ratios
    from melodyvae.models.latent import active_units

    ratios, means = window_ratios(model, windows, seed)
    without_z, _ = window_ratios(model, windows, seed, shuffle_z=True)
    nearest = _nearest_training_window(model, windows, np.asarray(data.splits["train"]), seed)
    found: dict[str, Any] = {"active_units": active_units(means)}
    click.echo(f"{'':<34}{'value':>9}{'95% interval':>22}" + "".join(f"{name:>10}" for name in BASELINES))
    for name, ratio in ratios.items():
        low, high = ratio.interval(seed)
        nothing = ratios["no_event_accuracy"].value if name.endswith("_accuracy") else None
        if name.endswith("_f1") or name == "exact_windows":
            nothing = 0.0
        baselines = {
            "nothing": nothing,
            "nearest": nearest.get(name),
            "no z": None if name in ("no_event_accuracy", "kl_bits") else without_z[name].value,
        }
        found[name] = {"value": ratio.value, "interval": [low, high], "baselines": baselines}
        cells = "".join(f"{'' if value is None else f'{value:.4f}':>10}" for value in baselines.values())
        click.echo(f"{name:<34}{ratio.value:9.4f}{f'[{low:.4f}, {high:.4f}]':>22}{cells}  {EXPLAINED[name]}")
    click.echo(f"{'active_units':<34}{found['active_units']:9d}{'':>52}  {EXPLAINED['active_units']}")
    click.echo(
        "nothing: always 'no event'; nearest: the nearest of the dataset's training windows, in any key "
        "(of 1,000 windows); no z: the same decoder, given another window's z"
    )
    return found


def _nearest_training_window(
    model: MelodyModel, windows: np.ndarray, train: np.ndarray, seed: int, count: int = 1000
) -> dict[str, float]:
    import numpy as np
    import torch

    from melodyvae.evaluation.reconstruction import note_f1
    from melodyvae.evaluation.samples import fewest_differences

    if not len(train):
        return {}
    some = windows[np.random.default_rng(seed).permutation(len(windows))[:count]]
    normal, normal_train = model.vocabulary.normalise(some), np.unique(model.vocabulary.normalise(train), axis=0)
    differing, nearest = fewest_differences(normal, normal_train)
    found, wanted = (torch.from_numpy(rows.astype(np.int64)) for rows in (normal_train[nearest], normal))
    return {
        "greedy_accuracy": 1 - float(differing.mean()) / windows.shape[1],
        "exact_windows": float((differing == 0).mean()),
        "note_f1": note_f1(found, wanted),
    }


def _bound(model: MelodyModel, windows: np.ndarray, count: int, seed: int) -> dict[str, Any]:
    import numpy as np

    from melodyvae.evaluation.iwae import importance_weighted_bound
    from melodyvae.evaluation.reconstruction import Ratio

    some = windows[np.random.default_rng(seed).permutation(len(windows))[:count]]
    found: dict[str, Any] = {"windows": len(some)}
    for name, samples in (("negative_elbo_nats_per_step", 1), ("importance_weighted_nats_per_step", 100)):
        ratio = Ratio(importance_weighted_bound(model, some, samples, seed), np.full(len(some), some.shape[1]))
        low, high = ratio.interval(seed)
        found[name] = {"value": ratio.value, "interval": [low, high]}
        told = f"{samples} sample{'s' if samples > 1 else ''} of z, {len(some)} windows"
        click.echo(f"{name:<34}{ratio.value:9.4f}{f'[{low:.4f}, {high:.4f}]':>22}  {EXPLAINED[name]} ({told})")
    return found


def _samples(model: MelodyModel, windows: np.ndarray, data: WindowDataset, count: int, seed: int) -> dict[str, Any]:
    """Print and return, by prior, the metrics of samples against the windows."""
    import numpy as np
    import torch

    from melodyvae.evaluation.samples import histograms, jensen_shannon_bits, sample_metrics
    from melodyvae.generation.codec import decode_tokens
    from melodyvae.generation.prior import Prior, draw_latents, has_fitted_prior

    steps_per_bar = model.config.steps_per_bar
    train = np.asarray(data.splits["train"])
    priors: tuple[Prior, ...] = ("fitted", "normal") if has_fitted_prior(model) else ("normal",)
    found: dict[str, Any] = {"count": count}
    for prior in priors:
        generator = torch.Generator(model.device).manual_seed(seed)
        drawn = decode_tokens(model, draw_latents(model, count, prior, generator), 1.0, generator)
        found[prior] = sample_metrics(drawn, windows, train, model.vocabulary, steps_per_bar)
    order = np.random.default_rng(seed).permutation(len(windows))
    halves = [histograms(windows[order[start::2]], model.vocabulary, steps_per_bar) for start in (0, 1)]
    click.echo(f"{count} samples from a prior against the windows: Jensen-Shannon distance in bits")
    click.echo(f"{'':<34}" + "".join(f"{prior:>9}" for prior in priors))
    for name in found["normal"]:
        told = EXPLAINED[name]
        if name.startswith("js_"):
            floor = jensen_shannon_bits(*(half[name.removeprefix("js_")] for half in halves))
            told += f" (two halves of the windows: {floor:.4f})"
        click.echo(f"{name:<34}" + "".join(f"{found[prior][name]:9.4f}" for prior in priors) + f"  {told}")
    return found


def _structure(model: MelodyModel, windows: np.ndarray, count: int, seed: int) -> dict[str, Any]:
    """Print and return how much of the windows, and of samples, comes again.

    A model of more than two bars is compared with two-bar samples in a row: they know nothing of each other.
    """
    import numpy as np
    import torch

    from melodyvae.evaluation.repetition import repetition_metrics, self_similarity
    from melodyvae.generation.codec import decode_tokens
    from melodyvae.generation.prior import draw_latents
    from melodyvae.models.melody import MelodyModel

    config = model.config

    def drawn(by: MelodyModel, number: int) -> np.ndarray:
        generator = torch.Generator(by.device).manual_seed(seed)
        return decode_tokens(by, draw_latents(by, number, None, generator), 1.0, generator)

    some = windows[np.random.default_rng(seed).permutation(len(windows))[:count]]
    compared = {"windows": some, "samples": drawn(model, count)}
    short = MelodyModel.from_pretrained().to(model.device)
    chained, rest = divmod(config.steps, short.config.steps)
    if chained > 1 and not rest and short.config.steps_per_bar == config.steps_per_bar:
        compared["chained"] = drawn(short, count * chained).reshape(count, config.steps)
    found: dict[str, Any] = {}
    for name, rows in compared.items():
        found[name] = repetition_metrics(rows, model.vocabulary, config.steps_per_bar)
        found[name]["self_similarity"] = self_similarity(rows, model.vocabulary, config.steps_per_bar).tolist()
    click.echo(f"{'':<34}" + "".join(f"{name:>9}" for name in found))
    for name in (name for name in found["windows"] if name.startswith("repeats_")):
        cells = "".join(f"{values[name]:9.4f}" for values in found.values())
        click.echo(f"{name:<34}{cells}  {EXPLAINED[name]}")
    return found


def _interpolations(
    model: MelodyModel, windows: np.ndarray, data: WindowDataset, pairs: int, seed: int
) -> dict[str, Any]:
    import numpy as np

    from melodyvae.datasets.windows import DatasetError
    from melodyvae.evaluation.interpolation import interpolation_curves
    from melodyvae.evaluation.ngram import NgramModel

    if len(windows) < 2:
        raise DatasetError("one window is not enough to interpolate; leave it out with --metrics")
    language_model = NgramModel(np.asarray(data.splits["train"]), model.vocabulary.size)
    curves = interpolation_curves(model, windows, language_model, pairs, seed).to_dict()
    click.echo(f"{pairs} interpolations: share of steps unlike A, and n-gram cost relative to the ends")
    for name, values in curves.items():
        click.echo(f"{name:<16}" + "".join(f"{value:6.2f}" for value in values))
    return curves
