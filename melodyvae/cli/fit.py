"""``melodyvae fit``: what goes with a trained network, fitted again to a dataset of choice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.options import device_option, known_errors

if TYPE_CHECKING:
    from melodyvae.datasets.windows import WindowDataset
    from melodyvae.models.melody import MelodyModel


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", "model_name", required=True, help="A run folder, a model file, or with -o a shipped model.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the model here.  [default: to its own file]",
)
@click.option("--windows", "max_windows", type=click.IntRange(min=1), help="Fit each to at most so many, drawn.")
@click.option("--measure", "max_measured", type=click.IntRange(min=1), help="Measure at most so many of each split.")
@click.option("--calibrate", "calibrates", is_flag=True, help="For a model that composes: see above.")
@device_option
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the cores it may use]")
def fit(
    dataset: Path,
    model_name: str,
    output: Path | None,
    max_windows: int | None,
    max_measured: int | None,
    calibrates: bool,
    device: str,
    threads: int | None,
) -> None:
    """Fit to a DATASET folder what goes with a model's network; without --calibrate the network stays as it is.

    \b
    melodyvae fit tunes-dataset --model runs/mixture-melody-2bar
    melodyvae fit tunes-dataset --model melody-2bar -o my-2bar.safetensors

    `train` does the same at its end with the dataset it learned. This is for another one: a model that learned the bars
    of many parts at two speeds can be fitted to tunes as they are written, so that its samples and sliders are theirs.

    Fitted are the prior of `sample` (to 30,000 windows), the directions of `morph` (20,000) and the percentiles of
    `score` (4,096 held-out ones); of a model that composes the judge of its drafts, which tells them from the
    beginnings of training tunes (1,500). The index beside the model, by which near-copies are found, holds all training
    windows. The model's metrics become those of the held-out windows of DATASET.

    With --calibrate a few numbers of the output of a model that composes are changed first, until what it writes
    repeats itself, rests, leaps and keeps its key as often as the training windows of DATASET do (two minutes).
    """
    from melodyvae.datasets.windows import open_dataset
    from melodyvae.device import choose_device, use_threads
    from melodyvae.models.melody import MelodyModel
    from melodyvae.network.checkpoint import locate, shipped_names
    from melodyvae.system.files import check_writable
    from melodyvae.training.finishing import fit_companions, save_with_novelty

    with known_errors():
        windows = open_dataset(dataset)
        own = locate(model_name)
        if output is None and model_name in shipped_names() and not Path(model_name).exists():
            raise click.ClickException(f"{model_name} came with melodyvae and stays; say with -o where the model goes")
        if output is not None and output.exists():
            raise click.ClickException(f"{output} exists; choose another file")
        check_writable((output or own).parent)
        model = MelodyModel.from_pretrained(model_name).to(choose_device(device))
        use_threads(threads)
        marks: dict[str, object] = {"dataset_sha256": windows.fingerprint}
        if calibrates:
            marks["calibrated"] = _calibrate(model, windows)
        fit_companions(model, windows, max_windows, max_measured)
        model.provenance = model.provenance | {"fitted_to": marks}
        path = output or own
        save_with_novelty(model, windows, path)
    for split, found in model.metrics.items():
        click.echo(
            f"{split}: note F1 {found['note_f1']:.4f}, exact windows {found['exact_windows']:.3f}, "
            f"sampled {found['sampled_accuracy']:.4f}, KL {found['kl_bits']:.1f} bits"
        )
    click.echo(f"Wrote {path}. See: melodyvae inspect {path}")


def _calibrate(model: MelodyModel, dataset: WindowDataset) -> dict[str, float]:
    """Calibrate the model, print its statistics before and after, and return the value of each knob."""
    from tqdm import tqdm

    from melodyvae.training.calibration import ROUNDS, calibrate
    from melodyvae.training.finishing import fit_plans, windows_to_calibrate_to

    fit_plans(model, dataset)
    with tqdm(total=ROUNDS, desc="Calibrating", disable=None) as bar:
        calibration = calibrate(model, windows_to_calibrate_to(model, dataset), tell=lambda number: bar.update())
    click.echo(f"{'':20}{'windows':>9}{'before':>9}{'after':>9}")
    for name, share in calibration.windows.items():
        click.echo(f"{name:20}{share:9.3f}{calibration.before[name]:9.3f}{calibration.after[name]:9.3f}")
    return calibration.knobs
