"""``melodyvae evaluate``: how good a model is on windows it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import click

from melodyvae.commands.options import SEED, known_errors

EXPLAINED = {
    "windows": "windows measured",
    "teacher_forced_accuracy": "steps right, given the true past, z ~ q",
    "sampled_accuracy": "steps right, every token drawn (temperature 1), z ~ q",
    "greedy_accuracy": "steps right, most probable tokens, z the mean",
    "no_event_accuracy": "steps right by always guessing 'no event'",
    "note_f1": "notes right (onset and pitch), greedy from the mean",
    "exact_windows": "windows without any fault, greedy from the mean",
    "reconstruction_nats": "-log p(x | z) a window, z ~ q",
    "kl_bits": "what z says about a window, in bits",
    "negative_elbo_nats_per_step": "bound on -log p(x), nats a step",
    "active_units": "latent dimensions in use",
}


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", "model_name", default="melody-2bar", show_default=True, help="A shipped model, file or run.")
@click.option(
    "--split",
    type=click.Choice(["test", "valid", "all"]),
    default="test",
    show_default=True,
    help="all is honest only for files that the model was not trained on.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed, the same figures.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def evaluate(dataset: Path, model_name: str, split: str, json_file: Path | None, seed: int, device: str) -> None:
    """Measure a model on the held-out windows of a DATASET folder made by `melodyvae prep`.

    \b
    melodyvae evaluate midi-dataset
    melodyvae evaluate other-tunes-dataset --split all --json figures.json
    """
    import numpy as np

    from data_prep.atomic import whole_file
    from melodyvae.commands.options import load_model
    from melodyvae.dataset import DatasetError, open_dataset
    from melodyvae.evaluate import reconstruction_figures

    if json_file is not None and json_file.exists():
        raise click.ClickException(f"{json_file} exists; choose another file")
    with known_errors():
        model, _ = load_model(model_name, device, seed)
        data = open_dataset(dataset)
        data.check_fits(model.config)
        chosen = list(data.splits.values()) if split == "all" else [data.splits[split]]
        windows = np.concatenate(chosen)
        if not len(windows):
            raise DatasetError(
                f"{dataset} has no windows in its {split} split; prepare more files, or try another split"
            )
        figures = {"windows": len(windows), **reconstruction_figures(model, windows, seed)}
        if json_file is not None:
            with whole_file(json_file) as temporary:
                temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for name, value in figures.items():
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        click.echo(f"{name:<28} {shown:>10}  {EXPLAINED[name]}")
