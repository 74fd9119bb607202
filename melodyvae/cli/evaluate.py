"""``melodyvae evaluate``: how good a model is on windows it was not trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodyvae.cli.options import SEED, device_option, known_errors

if TYPE_CHECKING:
    from melodyvae.evaluation.report import Report

EXPLAINED = {
    "teacher_forced_accuracy": "steps right, given the true past, z ~ q",
    "sampled_accuracy": "steps right, every token drawn (temperature 1), z ~ q",
    "greedy_accuracy": "steps right, most probable tokens, z the mean",
    "no_event_accuracy": "steps right by always guessing 'no event'",
    "note_f1": "notes right (onset and pitch), greedy from the mean",
    "rhythm_f1": "onsets right, any pitch",
    "pitch_f1": "pitches right, wherever they are",
    "exact_windows": "windows without any fault, greedy from the mean",
    "reconstruction_nats": "-log p(x | z) per window, z ~ q",
    "kl_bits": "information of z about a window, in bits",
    "negative_elbo_nats_per_step": "bound on -log p(x), nats per step",
    "active_units": "latent dimensions in use",
    "importance_weighted_nats_per_step": "tighter bound on -log p(x), nats per step",
    "js_pitch_class": "pitch classes",
    "js_interval": "intervals from note to note",
    "js_duration": "durations",
    "js_onset": "onsets in the bar",
    "js_notes": "notes per bar",
    "near_copies": "samples within one step of a training window, any key",
    "near_copies_held_out": "the same of the windows themselves",
    "distinct": "samples unlike all others, any key",
    "phrases_exact": "bars in a phrase of four heard before: three of them alike",
    "phrases_rhythm": "the same, any pitches",
    "with_phrases_exact": "tunes that have one",
    "with_phrases_rhythm": "the same, any pitches",
    "rhythms_per_bar": "distinct rhythms per bar",
    "notes_per_bar": "notes per bar",
    "long_notes": "notes of three quarters or more",
    "repeats_exact": "bars that repeat an earlier one of theirs",
    "repeats_transposed": "the same, in any key",
    "repeats_rhythm": "the same, any pitches",
    "repeats_1_bar": "bars that are the bar before",
    "repeats_2_bars": "bars that are the bar 2 before",
    "repeats_4_bars": "bars that are the bar 4 before",
    "repeats_8_bars": "bars that are the bar 8 before",
    "fourgrams": "distinct runs of four pitch classes",
    "range_semitones": "from the lowest to the highest pitch, mean",
    "narrow": "tunes with a range of less than a fifth",
    "leaps": "tunes with an interval of more than an octave",
    "repeated_notes": "notes at the pitch of the one before",
    "stepwise": "intervals of a second",
    "wide": "intervals of more than a fifth",
    "turns": "pairs of intervals that change direction",
    "silence": "steps at which nothing sounds",
    "empty_bars": "bars without an onset",
    "off_beat": "notes off the beat",
    "odd_steps": "notes on odd sixteenths",
    "downbeats": "bars with an onset on their first step",
    "unevenness": "mean distance of a bar's notes from their mean, as a share of it",
    "phrase_end_beats": "beats that the last note of each four bars lasts",
    "out_of_scale": "notes outside the scale that fits their tune best",
    "starts_on_triad": "tunes whose first note is of their tonic triad",
    "ends_on_triad": "tunes whose last note is of their tonic triad",
    "ends_on_tonic": "tunes whose last note is their tonic",
    "last_note_beats": "beats that the last note lasts",
    "closes": "tunes that end on the tonic, on a beat of the last bar, at least a beat long",
    "known_phrases": "tunes with four bars in a row as in a training window, any key",
    "known_bars": "bars as in a training window, any key",
    "similarity_error": "mean difference of the bars' overlap by lag",
    "judged": "accuracy of a network trained to tell them from the windows, on fresh ones",
}
BASELINES = ("nothing", "nearest", "no z")
BY_DISTANCE = ("sampled_accuracy", "greedy_accuracy", "note_f1", "exact_windows", "kl_bits")
VALUES = f"{'':<34}{'value':>9}{'95% interval':>22}{'by file':>9}"  # the title of three columns


@click.command()
@click.argument("dataset", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--model",
    "model_name",
    default="auto",
    show_default=True,
    help="auto (by the windows' bars and meter), a shipped model, file or run.",
)
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
    type=click.Choice(["reconstruction", "bound", "samples", "structure", "interpolations"]),
    multiple=True,
    help="Only these; may be given several times.  [default: all]",
)
@click.option(
    "--meter", metavar="METER", help="Only tunes in this meter, of a dataset that holds several: 4/4, 6/8, ..."
)
@click.option("--windows", "max_windows", type=click.IntRange(min=1), help="Measure so many, drawn.  [default: all]")
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
@device_option
def evaluate(
    dataset: Path | None,
    model_name: str,
    split: str,
    wanted: tuple[str, ...],
    meter: str | None,
    max_windows: int | None,
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

    Without --model it is the shipped one for such windows, melody-2bar or melody-16bar for sixteen bars of 4/4; the
    first line says which. Windows in other meters are laid into the model's bars.

    Without DATASET, the metrics that were measured at the end of the model's training are printed. In brackets are 95%
    intervals (bootstrap over files: windows of one file are alike); "by file" is the mean of the files' own values.
    The --json file has all of it, and the command, versions, hashes, files and seed by which it can be had again.
    """
    from melodyvae.datasets.windows import open_dataset
    from melodyvae.device import choose_device, use_threads
    from melodyvae.evaluation import report as reports
    from melodyvae.models.melody import MelodyModel
    from melodyvae.network.checkpoint import locate, read_checkpoint
    from melodyvae.system.files import check_writable, sha256_of, whole_file
    from melodyvae.training.provenance import command_and_versions
    from melodyvae.verbs.common import parse_meter
    from melodyvae.verbs.meters import AUTO_MODEL, TWO_BAR_MODEL, model_for_windows
    from melodyvae.writing.curves import plot_interpolations
    from melodyvae.writing.matrices import plot_similarities

    for file in (json_file, plot_file, similarity_file):
        if file is not None and file.exists():
            raise click.ClickException(f"{file} exists; choose another file")
    with known_errors():
        for file in filter(None, (json_file, plot_file, similarity_file)):
            check_writable(file.parent)
        windows = None if dataset is None else open_dataset(dataset)
        if windows is not None and meter is not None:
            windows = windows.tunes_in(parse_meter(meter))
        if model_name == AUTO_MODEL:
            grid = None if windows is None else windows.meta
            model_name = TWO_BAR_MODEL if grid is None else model_for_windows(grid["bars"], tuple(grid["meter"]))
        use_threads()
        model = MelodyModel.from_pretrained(model_name).to(choose_device(device))
        if dataset is None or windows is None:
            _print_recorded(model_name, model.metrics)
            return

        def show(part: str, report: Report) -> None:
            if part == "windows":
                files = f"{report.files} file{'s' * (report.files != 1)}"
                click.echo(f"{report.windows} windows of {files} of {dataset} ({split}), {model_name}")
            else:
                PRINTERS[part](report)

        report = reports.evaluate(
            model,
            windows,
            split,
            wanted or reports.METRICS,
            max_windows=max_windows,
            bound_windows=bound_windows,
            samples=samples,
            pairs=pairs,
            seed=seed,
            on_part=show,
        )
        if report.structure is not None and similarity_file is not None:
            whole = next(iter(report.structure.values()))
            matrices = {name: values["self_similarity"] for name, values in whole.items() if name != "training"}
            with whole_file(similarity_file) as temporary:
                plot_similarities(matrices, temporary)
        if report.interpolations is not None and plot_file is not None:
            with whole_file(plot_file) as temporary:
                plot_interpolations(report.interpolations, temporary)
        if json_file is not None:
            with whole_file(json_file) as temporary:
                path = locate(model_name)
                of_model = {
                    "model": model_name,
                    "model_revision": read_checkpoint(path).revision,
                    "model_sha256": sha256_of(path),
                }
                values = command_and_versions() | of_model | report.to_dict()
                temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _print_recorded(model_name: str, metrics: Mapping[str, Any]) -> None:
    click.echo(f"{model_name}, as measured on the held-out splits of its training data:")
    tables = {name: values for name, values in metrics.items() if isinstance(values, dict)}
    click.echo(f"{'':<34}" + "".join(f"{name:>14}" for name in tables))
    for name in dict.fromkeys(name for values in tables.values() for name in values):
        cells = "".join(f"{values.get(name, float('nan')):14.4f}" for values in tables.values())
        click.echo(f"{name:<34}{cells}  {EXPLAINED.get(name, '')}")


def _print_reconstruction(report: Report) -> None:
    metrics = report.reconstruction or {}
    click.echo(f"{VALUES}" + "".join(f"{name:>10}" for name in BASELINES))
    for name, metric in metrics.items():
        if isinstance(metric, dict) and name in EXPLAINED:
            baselines = [metric["baselines"][baseline] for baseline in BASELINES]
            cells = "".join(f"{'' if value is None else f'{value:.4f}':>10}" for value in baselines)
            click.echo(f"{name:<34}{_value(metric)}{cells}  {EXPLAINED[name]}")
    click.echo(f"{'active_units':<34}{metrics['active_units']:9d}{'':>61}  {EXPLAINED['active_units']}")
    click.echo(
        f"nothing: always 'no event'; nearest: the nearest of {report.nearest_among}, in any key (of up to 1,000 "
        "windows); no z: the same decoder, given another window's z"
    )
    rows = metrics["by_distance"]
    if rows:
        click.echo(f"{'steps unlike the nearest':<34}" + "".join(f"{label:>42}" for label in rows))
        click.echo(f"{'windows, files':<34}" + "".join(f"{of['windows']:>35},{of['files']:>6}" for of in rows.values()))
        for name in BY_DISTANCE:
            click.echo(f"{name:<34}" + "".join(f"  {_value(of[name])}" for of in rows.values()))


def _print_bound(report: Report) -> None:
    from melodyvae.evaluation.report import BOUND_SAMPLES

    bounds = report.bound or {}
    click.echo(VALUES)
    for name, samples in BOUND_SAMPLES.items():
        basis = f"{samples} sample{'s' if samples > 1 else ''} of z, {bounds['windows']} windows"
        click.echo(f"{name:<34}{_value(bounds[name])}  {EXPLAINED[name]} ({basis})")


def _print_samples(report: Report) -> None:
    metrics = report.samples or {}
    priors = [name for name in metrics if name not in ("count", "floor")]
    click.echo(f"{metrics['count']} samples from a prior against the windows: Jensen-Shannon divergence in bits")
    click.echo(f"{'':<34}" + "".join(f"{prior:>9}" for prior in priors))
    for name in metrics["normal"]:
        explanation = EXPLAINED[name]
        if name in metrics["floor"]:
            explanation += f" (two halves of the files: {metrics['floor'][name]:.4f})"
        click.echo(f"{name:<34}" + "".join(f"{metrics[prior][name]:9.4f}" for prior in priors) + f"  {explanation}")


def _print_structure(report: Report) -> None:
    for bars, metrics in (report.structure or {}).items():
        _print_structure_of(bars, metrics)


def _print_structure_of(bars: str, metrics: Mapping[str, Any]) -> None:
    from melodyvae.evaluation.structure import DRAWS

    composes, files = "default" in metrics, metrics["windows"]["files"]
    ranges = metrics.get("training", {}).get("ranges")
    title = f"{bars} bars: {'beginnings of tunes' if composes else 'windows'} of {files} files, beside samples"
    click.echo(f"{title}{' and the default of `sample`' * composes}")
    ratio, of_files = f"{'default / windows':>19}" if composes else "", f"{'range':>19}" if ranges else ""
    click.echo(f"{'':<34}" + "".join(f"{name:>9}" for name in metrics) + of_files + ratio)
    far = [name for name in metrics["samples"] if name in ("similarity_error", "judged") or name.startswith("js_")]
    like = [name for name, value in metrics["windows"].items() if isinstance(value, float) and name not in far]
    for name in (*like, *far):
        if name == far[0]:
            click.echo("distance to the windows (column windows: one half of the files against the other)")
        cells = "".join(f"{f'{values[name]:.4f}' if name in values else '':>9}" for values in metrics.values())
        if ranges:
            cells += f"{'{:.3f} to {:.3f}'.format(*ranges[name]) if name in ranges else '':>19}"
        if composes:
            usual = metrics["windows"][name] if name in like else 0
            cells += f"{metrics['default'][name] / usual:19.2f}" if usual else f"{'':>19}"
        click.echo(f"{name:<34}{cells}  {EXPLAINED[name]}")
    if ranges:
        click.echo(f"range: lowest and highest of {DRAWS} draws of {files} training files, from windows of the others")
    for name, values in metrics.items():
        lags = " ".join(f"{share:.3f}" for share in values["repeats_by_lag"])
        click.echo(f"bars that are the bar 1, 2, 3 ... before, {name}: {lags}")


def _print_interpolations(report: Report) -> None:
    click.echo("interpolations: share of steps unlike A, and n-gram cost relative to the ends")
    for name, values in (report.interpolations or {}).items():
        click.echo(f"{name:<16}" + "".join(f"{value:6.2f}" for value in values))


def _value(metric: Mapping[str, Any]) -> str:
    low, high = metric["interval"]
    return f"{metric['value']:9.4f}{f'[{low:.4f}, {high:.4f}]':>22}{metric['mean_of_files']:>9.4f}"


PRINTERS = {
    "reconstruction": _print_reconstruction,
    "bound": _print_bound,
    "samples": _print_samples,
    "structure": _print_structure,
    "interpolations": _print_interpolations,
}
