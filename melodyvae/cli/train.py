"""``melodyvae train``: a dataset folder -> a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodyvae.cli.options import SEED, device_options, is_given, known_errors, usage_errors
from melodyvae.cli.progress import check_holds_no_run, run_folder, run_until_interrupted
from melodyvae.cli.signals import ignore_endings
from melodyvae.config import ANNEALINGS, KEPT
from melodyvae.system.files import named, short_name

if TYPE_CHECKING:
    from melodyvae.training.trainer import Trainer


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder.  [default: runs/DATASET-PRESET]")
@click.option(
    "--preset", default="melody-2bar", show_default=True, help="melody-2bar, melody-16bar, musicvae-small, ..."
)
@click.option("--bars", type=click.IntRange(min=1), help="Bars of a new model.  [default: the preset's]")
@click.option("--minutes", "max_minutes", type=float, help="Stop after that long.  [default: the preset's]")
@click.option("--steps", "max_updates", type=int, help="Stop after that many optimiser updates.")
@click.option("--batch-size", type=int, help="Windows per update.")
@click.option("--learning-rate", type=float, help="Adam's peak learning rate.")
@click.option("--beta", type=float, help="Final weight of the KL: lower is more exact, higher samples better.")
@click.option(
    "--annealing",
    type=click.Choice(ANNEALINGS),
    help="How beta grows.",
)
@click.option("--anneal-after", "anneal_after_updates", type=int, help="Updates before beta begins to grow from 0.")
@click.option("--anneal-steps", "anneal_updates", type=int, help="Updates until beta is reached, or of a cycle.")
@click.option("--anneal-rate", type=float, help="Exponential annealing: beta * (1 - RATE ** update).")
@click.option("--free-nats", type=float, help="KL per window that costs nothing.")
@click.option("--target-bits", type=float, help="Steer beta towards this KL, in bits per window (58: MusicVAE's).")
@click.option(
    "--scheduled-sampling",
    "scheduled_sampling_rate",
    type=float,
    help="k of the inverse sigmoid, in updates; 0 is teacher forcing throughout.",
)
@click.option("--transpose", type=int, help="Largest random shift up and down, in semitones.")
@click.option(
    "--changed-windows", type=float, help="Share of the windows whose rhythm is changed at a visit: see the next two."
)
@click.option("--anticipation", type=float, help="The highest share of their notes that come 1 or 2 steps early.")
@click.option("--rests", type=float, help="The highest share of their notes that end early.")
@click.option("--seed", type=SEED, help="Seed of everything random.")
@click.option("--evaluate-every", type=int, help="Updates between two evaluations on held-out windows.")
@click.option(
    "--keep",
    type=click.Choice(KEPT),
    help="The weights that do best on held-out windows, or the last ones, where these are few.  [default: best]",
)
@click.option("--init-from", metavar="MODEL", help="Fine-tune this shipped or own model.")
@click.option(
    "--segments-from",
    metavar="MODEL",
    help="Start the lower level of a new melody-16bar with this 2-bar model, or with none.  [default: melody-2bar]",
)
@click.option("--resume", is_flag=True, help="Go on with the training in the run folder.")
@device_options
def train(
    dataset: Path,
    output: Path | None,
    preset: str,
    init_from: str | None,
    segments_from: str | None,
    resume: bool,
    device: str,
    precision: str,
    threads: int | None,
    transpose: int | None,
    bars: int | None,
    **changes: Any,
) -> None:
    """Train a melody VAE on a DATASET folder made by `melodyvae prep`.

    \b
    melodyvae train midi-dataset --minutes 60
    melodyvae train my-tunes-dataset --init-from melody-2bar --minutes 5
    melodyvae train midi-dataset --resume
    torchrun --nproc-per-node 8 -m melodyvae train midi-dataset --batch-size 1024

    A new model takes the dataset's meter and grid; its bars are the preset's, or --bars.

    The run folder gets model.safetensors (ready for every other command), state.safetensors (for --resume),
    metrics.jsonl and curves.png. Ctrl-C saves, and so do SIGTERM and SIGHUP; --resume goes on from there with the
    options that the run was started with: with --steps on a CPU, to exactly the weights of an uninterrupted run; with
    --minutes the learning rate follows the clock. A second Ctrl-C ends at once.

    Under torchrun, each process takes its part of every batch, the first one writes, and if one dies the job ends;
    --resume goes on from the last state, with another number of processes too.
    """
    from melodyvae.config import MelodyConfig, MelodyTrainConfig, override
    from melodyvae.datasets.windows import open_dataset
    from melodyvae.device import choose_device, use_threads
    from melodyvae.models.melody import MelodyModel
    from melodyvae.presets import preset_named
    from melodyvae.ranks import join_ranks
    from melodyvae.training.finishing import finish_melody_run
    from melodyvae.training.melody import build_model_and_config, collapse_warning, learned_nothing, melody_trainer
    from melodyvae.training.trainer import METRICS_FILE, MODEL_FILE, STATE_FILE, options_of_run, read_metrics
    from melodyvae.verbs.meters import model_for_windows
    from melodyvae.writing.curves import plot_curves

    changes |= {"transpose_down": transpose, "transpose_up": transpose}
    with usage_errors():
        preset_named(preset)
        override(MelodyTrainConfig(), **changes)
    ranks = click.get_current_context().with_resource(join_ranks())
    name = f"from-{Path(init_from).stem}" if init_from else preset
    folder = output or Path("runs") / short_name(f"{dataset.resolve().name}-{name}")
    files = (MODEL_FILE, STATE_FILE, METRICS_FILE)
    if ranks.is_first and not resume:
        check_holds_no_run(folder, files)
    use_threads(threads, ranks.local_count)
    with known_errors(), named(folder):
        place = choose_device(device, ranks.local_rank if ranks.count > 1 else None)
        windows = open_dataset(dataset)
        started = None
        if resume and not any(map(is_given, ("preset", "init_from", "segments_from", "bars"))):
            started = options_of_run(folder, MelodyConfig, MelodyTrainConfig, **changes)
        if started is None:
            model, config = build_model_and_config(
                preset, init_from, dataset=windows, bars=bars, segments_from=segments_from, run=folder, **changes
            )
        else:
            model, config = MelodyModel(started[0]), started[1]
        trainer = melody_trainer(model, config, windows, folder, place, precision, ranks)
        if ranks.is_first:
            click.get_current_context().with_resource(run_folder(folder))
            if not resume:
                check_holds_no_run(folder, files)  # again, now that nobody else can make one
        if resume:
            trainer.resume()
        if not ranks.is_first:
            ignore_endings()  # the first one saves, and tells the others to stop
            for _ in trainer.run():
                pass
            return
        shipped = model_for_windows(windows.meta["bars"], tuple(windows.meta["meter"]))
        _announce(trainer, {name: len(rows) for name, rows in windows.splits.items()}, shipped)
        shown = {"held-out F1": "held_out_note_f1", "greedy": "held_out_greedy_accuracy"}
        looks_back = model.config.look_back
        status = run_until_interrupted(
            trainer, shown, lambda metrics: collapse_warning(metrics, config.beta, looks_back)
        )
        if trainer.progress.share < 1:
            click.echo(f"Stopped and saved. To go on: melodyvae train {dataset} -o {folder} --resume")
            click.get_current_context().exit(status)
        click.echo("Measuring the best weights on all held-out windows, and fitting attribute directions to them ...")
        metrics = finish_melody_run(folder, windows, place)
        plot_curves(read_metrics(folder), folder / "curves.png")
    for split, found in metrics.items():
        click.echo(
            f"{split}: note F1 {found['note_f1']:.4f}, exact windows {found['exact_windows']:.3f}, steps right "
            f"{found['greedy_accuracy']:.4f} greedy and {found['sampled_accuracy']:.4f} sampled "
            f"(always 'no event': {found['no_event_accuracy']:.4f}), KL {found['kl_bits']:.1f} bits"
        )
    if nothing := learned_nothing(metrics.get("valid", {}), trainer.update, config):
        click.echo(nothing)
    click.echo(f"Wrote {folder / MODEL_FILE} and {folder / 'curves.png'}. Try: melodyvae sample --model {folder}")


def _announce(trainer: Trainer, windows: dict[str, int], shipped: str) -> None:
    config, progress = trainer.config, trainer.progress
    parameters = sum(weight.numel() for weight in trainer.model.parameters())
    limits = {"updates": config.max_updates, "minutes": config.max_minutes}
    budget = " or ".join(f"{limit:g} {unit}" for unit, limit in limits.items() if limit is not None)
    click.echo(
        f"{parameters / 1e6:.2f} million parameters on {trainer.device}; {windows['train']} windows to train on, "
        f"{windows['valid']} to watch; {budget}; into {trainer.folder}"
    )
    if progress.update:
        click.echo(f"Going on after update {progress.update} ({progress.minutes:.1f} minutes).")
    if trainer.ranks.count > 1:
        share = config.batch_size // trainer.ranks.count
        click.echo(f"{trainer.ranks.count} ranks, each with {share} of the {config.batch_size} windows of a batch.")
    if windows["train"] < config.batch_size:
        click.echo(
            f"There are fewer windows than the {config.batch_size} of a batch: each comes more than once in a "
            f"batch, in different keys. Consider --init-from {shipped}."
        )
    if not windows["valid"]:
        click.echo("No window is held out, so over-fitting will not be seen; the last weights are kept.")
