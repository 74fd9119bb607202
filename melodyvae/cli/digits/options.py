"""Common options of the digit commands: the data set or its stand-in, the models, the known errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.options import SEED, Command, add_options, device_option

if TYPE_CHECKING:
    import torch

    from melodyvae.digits.data import Digits, DigitSplits
    from melodyvae.digits.model import DigitVAE

DIGIT = click.IntRange(0, 9)
STAND_IN_HELP = "Folder of the four MNIST files.  [default: digits drawn from a shipped model]"
MNIST_HELP = "Folder of the four MNIST files, gzipped or not.  [default: download them]"


def data_option(text: str) -> Callable[[Command], Command]:
    """Add ``--data``, with this help."""
    return click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help=text)


def picture_options(default_model: str | None, folder: str) -> Callable[[Command], Command]:
    """Add ``--output``, ``--model``, ``--seed``, ``--device`` and ``--force``."""
    options = (
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            default=Path(folder),
            show_default=True,
            help="Folder for the results.",
        ),
        click.option(
            "--model",
            "model_name",
            default=default_model,
            show_default=default_model is not None,
            help="A shipped model, a checkpoint file, or a run folder.",
        ),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of everything random."),
        device_option,
        click.option("--force", is_flag=True, help="Replace results that are already there."),
    )

    return lambda command: add_options(command, *options)


def open_digits(data: Path | None) -> DigitSplits:
    """The digits of a folder, or of the download."""
    from melodyvae.digits.data import download_digits, read_digits

    return read_digits(data if data is not None else download_digits())


def digits_at_hand(data: Path | None, count: int, seed: int) -> Digits:
    """The test digits of a folder; without one, ``count`` digits drawn from a shipped model, after saying so."""
    import torch

    from melodyvae.digits.data import read_digits
    from melodyvae.digits.latent import CONDITIONAL_MODEL, drawn_digits

    if data is not None:
        return read_digits(data).test
    click.echo(f"Without --data, digits drawn from the model {CONDITIONAL_MODEL} stand in for handwritten ones.")
    return drawn_digits(count, torch.Generator().manual_seed(seed))


def load_digit_model(name: str, device: str, unlabelled: bool = False) -> DigitVAE:
    """The model on its device; with ``unlabelled`` a conditional one is refused."""
    from melodyvae.device import choose_device, use_threads
    from melodyvae.digits.model import DigitVAE
    from melodyvae.network.checkpoint import CheckpointError

    use_threads(1)  # models this small gain nothing from more, and lose much where the cores are shared
    place = choose_device(device)
    model = DigitVAE.from_pretrained(name).to(place)
    if unlabelled and model.config.labels:
        raise CheckpointError(f"{name} needs labels; choose a model trained without --labels, such as digits-20d")
    return model


def image_of(digits: Digits, label: int, generator: torch.Generator) -> torch.Tensor:
    """A random image of a class, float ``(28, 28)``."""
    import torch

    from melodyvae.digits.data import DigitDataError

    of_class = digits.of_class(label)
    if len(of_class) == 0:
        raise DigitDataError(f"there is no {label} among the {len(digits)} digits")
    row = int(torch.randint(len(of_class), (), generator=generator))
    return of_class[row : row + 1].grey()[0]
