"""``melodyvae digits plot``: pictures of what a VAE is, or of your own model."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import (
    STAND_IN_HELP,
    data_option,
    digits_at_hand,
    load_digit_model,
    picture_options,
)
from melodyvae.cli.options import input_files, known_errors

DRAWN = 10_000


@click.command()
@data_option(STAND_IN_HELP)
@picture_options(None, "digit-pictures")
def plot(data: Path | None, output: Path, model_name: str | None, seed: int, device: str, force: bool) -> None:
    """Draw the picture book, or your own model.

    \b
    melodyvae digits plot
    melodyvae digits plot --data mnist -o pictures
    melodyvae digits plot --model runs/digits-dense-2d

    The folder gets reconstructions.png, samples.png, manifold.png and latent-map.png (z of two numbers), both-terms.png
    (why a VAE needs both terms), walk.png and arithmetic.png; of a run folder, curves.png, too.
    """
    import torch

    from melodyvae.digits.gallery import BOOK, draw_pictures, own_pictures
    from melodyvae.digits.plots import plot_digit_curves
    from melodyvae.training.trainer import METRICS_FILE, read_metrics
    from melodyvae.writing.output_folder import output_folder

    with known_errors():
        pictures, generator = dict(BOOK), torch.Generator().manual_seed(seed)
        if model_name is not None:
            model = load_digit_model(model_name, device)
            pictures, generator = own_pictures(model), torch.Generator(model.device).manual_seed(seed)
            if (Path(model_name) / METRICS_FILE).is_file():
                lines = read_metrics(Path(model_name))
                pictures["curves.png"] = lambda _, __, path: plot_digit_curves(lines, path)
        digits = digits_at_hand(data, DRAWN, seed)
        with output_folder(output, list(pictures), force, input_files()) as staging:
            draw_pictures(pictures, digits, generator, staging)
    click.echo(f"Wrote {', '.join(pictures)} to {output}/")
