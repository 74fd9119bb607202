"""``melodyvae digits sample``: new digits."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import DIGIT, load_digit_model, picture_options
from melodyvae.cli.options import input_files, known_errors


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Digits.")
@click.option("--digit", type=DIGIT, help="Only this one; needs a model trained with --labels, such as digits-labels.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="What draws of z are multiplied by: below 1 they are more alike, above 1 odder.",
)
@picture_options("digits-conv", "digit-samples")
def sample(
    count: int,
    digit: int | None,
    temperature: float,
    output: Path,
    model_name: str,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Draw new digits, into samples.png.

    \b
    melodyvae digits sample
    melodyvae digits sample --model digits-labels --digit 7 -n 20 -o sevens
    melodyvae digits sample --temperature 0.7 -o typical
    """
    import torch

    from melodyvae.digits.plots import plot_grid
    from melodyvae.writing.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device)
        if digit is not None and not model.config.labels:
            raise click.UsageError(f"{model_name} knows no labels; --digit needs a model such as digits-labels")
        labels = None
        if model.config.labels:
            labels = torch.arange(count) % 10 if digit is None else torch.full((count,), digit)
            labels = labels.to(model.device)
        generator = torch.Generator(model.device).manual_seed(seed)
        with torch.inference_mode():
            images = model.decode(temperature * model.prior(count).sample(generator), labels).cpu()
        with output_folder(output, ["samples.png"], force, input_files()) as staging:
            columns = min(count, max(10, round(count**0.5)))
            plot_grid(images, staging / "samples.png", columns)
    click.echo(f"Wrote {output / 'samples.png'}")
