"""``melodyvae digits train`` and ``melodyvae digits evaluate``."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodyvae.commands.digits_options import data_option, known_digit_errors, open_digits
from melodyvae.commands.options import device_options

if TYPE_CHECKING:
    from melodyvae.trainer import Trainer


@click.command()
@data_option("Folder of the four MNIST files, gzipped or not.  [default: download them]")
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
@click.option("--batch-size", type=int, help="Images an update.  [default: 128]")
@click.option("--learning-rate", type=float, help="Adam's highest rate.")
@click.option("--seed", type=int, help="Seed of everything random.")
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
    from melodyvae.digits_plot import plot_digit_curves
    from melodyvae.digits_training import digits_starting_point, digits_trainer
    from melodyvae.trainer import MODEL_FILE, STATE_FILE, read_metrics

    changes["reconstruct"] = False if kl_only else None
    use_threads(threads)
    with known_digit_errors():
        model, config = digits_starting_point(preset, latent_size, hidden_size, labels, **changes)
        folder = output or Path("runs") / f"digits-{preset}-{model.config.latent_size}d"
        if not resume and (folder / STATE_FILE).exists():
            raise click.ClickException(
                f"{folder} already holds a training; add --resume to go on with it, or choose another -o"
            )
        digits = open_digits(data)
        trainer = digits_trainer(model, config, digits, folder, choose_device(device), precision)
        if resume:
            trainer.resume()
        parameters = sum(weight.numel() for weight in model.parameters())
        click.echo(
            f"{parameters / 1e6:.2f} million parameters on {trainer.device}; {len(digits.train)} digits to train on, "
            f"{len(digits.held_out)} to watch; into {folder}"
        )
        _run_until_interrupted(trainer)
        if trainer.progress.share < 1:
            click.echo(f"Stopped and saved. To go on, give the same command with --resume (run folder {folder}).")
            return
        plot_digit_curves(read_metrics(folder), folder / "curves.png")
    found = trainer.metrics
    if "held_out_loss" in found:
        click.echo(
            f"Held-out digits: negative ELBO {found['held_out_negative_elbo_nats']:.2f} nats = reconstruction "
            f"{found['held_out_reconstruction_nats']:.2f} + KL {found['held_out_kl_nats']:.2f}"
        )
    click.echo(f"Wrote {folder / MODEL_FILE} and {folder / 'curves.png'}. Try: melodyvae digits plot --model {folder}")


def _run_until_interrupted(trainer: Trainer) -> None:
    """Run with a progress bar; the first Ctrl-C ends the run in good order, a second one at once."""
    from tqdm import tqdm

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        trainer.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}") as bar:
            for progress in trainer.run():
                bar.update(100 * progress.share - bar.n)
                shown = {
                    "update": str(progress.update),
                    "rec": f"{progress.metrics['reconstruction']:.1f}",
                    "KL": f"{progress.metrics['kl']:.1f}",
                }
                if "held_out_negative_elbo_nats" in progress.metrics:
                    shown["held-out -ELBO"] = f"{progress.metrics['held_out_negative_elbo_nats']:.2f}"
                bar.set_postfix(shown, refresh=False)
    finally:
        signal.signal(signal.SIGINT, before)
