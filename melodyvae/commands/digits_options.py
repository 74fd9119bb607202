"""What the digit commands share: the data set, the known errors, the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from melodyvae.digits_data import DigitSplits

Command = TypeVar("Command", bound=Callable[..., Any])


def data_option(text: str) -> Callable[[Command], Command]:
    """Add ``--data``, with this help."""
    return click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help=text)


def open_digits(data: Path | None) -> DigitSplits:
    """The digits of a folder, or of the download."""
    from melodyvae.digits_data import download_digits, read_digits

    return read_digits(data if data is not None else download_digits())


@contextmanager
def known_digit_errors() -> Iterator[None]:
    """Turn the errors that users can cause into one sentence and exit status 1."""
    from melodyvae.checkpoint import CheckpointError
    from melodyvae.config import ConfigError
    from melodyvae.device import DeviceError
    from melodyvae.digits_data import DigitDataError
    from melodyvae.output import OutputExistsError
    from melodyvae.trainer import TrainingDiverged

    try:
        yield
    except (CheckpointError, ConfigError, DeviceError, DigitDataError, OutputExistsError, TrainingDiverged) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error
