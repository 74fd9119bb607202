"""``melodyvae digits impute``: the hidden half of a digit, filled in."""

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
@click.argument("digit", type=DIGIT, required=False)
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Fillings of each digit.")
@click.option(
    "--hide",
    type=click.Choice(["lower", "upper", "left", "right", "pixels"]),
    default="lower",
    show_default=True,
    help="The half that is hidden; or three quarters of all pixels, drawn.",
)
@data_option(STAND_IN_HELP)
@picture_options("digits-20d", "digit-fillings")
def impute(
    digit: int | None,
    count: int,
    hide: str,
    data: Path | None,
    output: Path,
    model_name: str,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Fill in the hidden half of a digit, or hidden pixels.

    \b
    melodyvae digits impute
    melodyvae digits impute 7 -n 10 -o sevens
    melodyvae digits impute --hide pixels -o dotted

    The lower half of a random DIGIT, of one of each by default, is hidden and filled in several times, into
    fillings.png. Each filling is found by gradient from a z of its own, on the visible pixels alone; the most probable
    comes first.
    """
    import torch

    from melodyvae.digits.latent import fill_in, pixels_left
    from melodyvae.digits.plots import plot_rows
    from melodyvae.writing.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device, unlabelled=True)
        digits = digits_at_hand(data, 200, seed)
        pick = torch.Generator().manual_seed(seed)
        starts = torch.Generator(model.device).manual_seed(seed)
        visible = pixels_left(hide, pick)
        rows = {}
        for label in range(10) if digit is None else [digit]:
            image = image_of(digits, label, pick)
            filled, _ = fill_in(model, image, visible, count, starts)
            rows[str(label)] = torch.cat([torch.stack([image, image * visible]), filled])
        with output_folder(output, ["fillings.png"], force, input_files()) as staging:
            columns = ["digit", "seen", *(str(index + 1) for index in range(count))]
            plot_rows(rows, staging / "fillings.png", columns=columns)
    click.echo(f"Wrote {output / 'fillings.png'}")
