"""``melodyvae digits train``: a digit model, trained in a few minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from melodyvae.cli.digits.options import MNIST_HELP, data_option, open_digits
from melodyvae.cli.options import SEED, device_options, is_given, known_errors, usage_errors
from melodyvae.cli.progress import check_holds_no_run, run_folder, run_until_interrupted
from melodyvae.system.files import named


@click.command()
@data_option(MNIST_HELP)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder.  [default: runs/digits-PRESET-Zd]")
@click.option(
    "--preset",
    type=click.Choice(["dense", "conv", "plain-autoencoder"]),
    default="dense",
    show_default=True,
    help="Fully connected, convolutional, or without sigma and KL.",
)
@click.option("--latent", "latent_size", type=int, help="Numbers in z.  [default: 20]")
@click.option("--hidden", "hidden_size", type=int, help="Units of a fully connected layer.  [default: the preset's]")
@click.option("--labels", is_flag=True, help="Give the digit to encoder and decoder: a conditional VAE.")
@click.option("--beta", type=float, help="Weight of the KL; 0 is reconstruction alone.  [default: 1]")
@click.option("--kl-only", is_flag=True, help="Minimise the KL alone, to see what it does by itself.")
@click.option("--steps", "max_updates", type=int, help="Stop after that many optimiser updates.  [default: 20000]")
@click.option("--minutes", "max_minutes", type=float, help="Stop after that long.")
@click.option("--batch-size", type=int, help="Images per update.  [default: 128]")
@click.option("--learning-rate", type=float, help="Adam's peak learning rate.")
@click.option("--seed", type=SEED, help="Seed of everything random.")
@click.option("--resume", is_flag=True, help="Go on with the training in the run folder.")
@device_options
def train(
    data: Path | None,
    output: Path | None,
    preset: str,
    latent_size: int | None,
    hidden_size: int | None,
    labels: bool,
    kl_only: bool,
    resume: bool,
    device: str,
    precision: str,
    threads: int | None,
    **changes: Any,
) -> None:
    """Train a digit model: a few minutes.

    \b
    melodyvae digits train --data mnist --latent 2
    melodyvae digits train --preset conv
    melodyvae digits train --preset plain-autoencoder --latent 2
    melodyvae digits train --latent 2 --resume

    The run folder gets model.safetensors, state.safetensors (for --resume), metrics.jsonl and curves.png. Ctrl-C saves,
    too, and --resume goes on from there exactly.
    """
    from melodyvae.device import choose_device, use_threads
    from melodyvae.digits.config import DigitsConfig, DigitsTrainConfig
    from melodyvae.digits.model import DigitVAE
    from melodyvae.digits.plots import plot_digit_curves
    from melodyvae.digits.training import build_digits_model_and_config, digits_trainer
    from melodyvae.training.trainer import MODEL_FILE, STATE_FILE, options_of_run, read_metrics

    changes["reconstruct"] = False if kl_only else None
    use_threads(threads)
    with usage_errors():
        model, config = build_digits_model_and_config(preset, latent_size, hidden_size, labels, **changes)
    folder = output or Path("runs") / f"digits-{preset}-{model.config.latent_size}d"
    with known_errors(), named(folder):
        if resume and not any(map(is_given, ("preset", "latent_size", "hidden_size", "labels"))):
            started = options_of_run(folder, DigitsConfig, DigitsTrainConfig, **changes)
            model, config = (model, config) if started is None else (DigitVAE(started[0]), started[1])
        if not resume:
            check_holds_no_run(folder, [STATE_FILE])
        digits = open_digits(data)
        trainer = digits_trainer(model, config, digits, folder, choose_device(device), precision)
        click.get_current_context().with_resource(run_folder(folder))
        if resume:
            trainer.resume()
        parameters = sum(weight.numel() for weight in model.parameters())
        click.echo(
            f"{parameters / 1e6:.2f} million parameters on {trainer.device}; {len(digits.train)} digits to train on, "
            f"{len(digits.held_out)} to watch; into {folder}"
        )
        shown = {"held-out -ELBO": "held_out_negative_elbo_nats", "held-out rec": "held_out_reconstruction_nats"}
        status = run_until_interrupted(trainer, shown)
        if trainer.progress.share < 1:
            data_option = f" --data {data}" if data else ""
            click.echo(f"Stopped and saved. To go on: melodyvae digits train{data_option} -o {folder} --resume")
            click.get_current_context().exit(status)
        plot_digit_curves(read_metrics(folder), folder / "curves.png")
    metrics = trainer.metrics
    if "held_out_loss" in metrics and not model.config.variational:
        click.echo(
            f"Held-out digits: reconstruction {metrics['held_out_reconstruction_nats']:.2f} nats. A plain autoencoder "
            "has no KL and no negative ELBO."
        )
    elif "held_out_loss" in metrics:
        click.echo(
            f"Held-out digits: negative ELBO {metrics['held_out_negative_elbo_nats']:.2f} nats = reconstruction "
            f"{metrics['held_out_reconstruction_nats']:.2f} + KL {metrics['held_out_kl_nats']:.2f}"
        )
    click.echo(f"Wrote {folder / MODEL_FILE} and {folder / 'curves.png'}. Try: melodyvae digits plot --model {folder}")
