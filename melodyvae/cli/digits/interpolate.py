"""``melodyvae digits interpolate``: a walk from one digit to another."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import (
    DIGIT,
    STAND_IN_HELP,
    data_option,
    digits_at_hand,
    image_of,
    load_digit_model,
    picture_options,
)
from melodyvae.cli.options import input_files, known_errors


@click.command()
@click.argument("a", type=DIGIT)
@click.argument("b", type=DIGIT)
@click.option("-n", "count", type=click.IntRange(min=2), default=10, show_default=True, help="Images, ends included.")
@data_option(STAND_IN_HELP)
@picture_options("digits-20d", "digit-walk")
def interpolate(
    a: int,
    b: int,
    count: int,
    data: Path | None,
    output: Path,
    model_name: str,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Walk in z from one digit to another.

    \b
    melodyvae digits interpolate 3 8 -n 10
    melodyvae digits interpolate 4 4 --seed 3 -o fours

    The folder gets walk.png: the way from a random A to a random B in z, and pixel by pixel for comparison.
    """
    import torch

    from melodyvae.digits.latent import walk
    from melodyvae.digits.plots import plot_rows
    from melodyvae.writing.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device, unlabelled=True)
        digits = digits_at_hand(data, 200, seed)
        generator = torch.Generator().manual_seed(seed)
        ends = [image_of(digits, label, generator) for label in (a, b)]
        fade = torch.stack([torch.lerp(ends[0], ends[1], float(weight)) for weight in torch.linspace(0, 1, count)])
        with output_folder(output, ["walk.png"], force, input_files()) as staging:
            plot_rows({"in z": walk(model, ends[0], ends[1], count), "in pixels": fade}, staging / "walk.png")
    click.echo(f"Wrote {output / 'walk.png'}")
