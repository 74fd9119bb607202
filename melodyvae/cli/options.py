"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import torch

    from melodyvae.models.melody import MelodyModel

Command = TypeVar("Command", bound=Callable[..., Any])


class FiniteFloat(click.FloatRange):
    """A number in a range, neither ``nan`` nor ``inf``."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that ``value`` spells."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class MusicFile(click.Path):
    """A MIDI file or a score; the process that reads scores is started while the rest of the command gets ready."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | os.PathLike[str]:
        """The path, if there is such a file."""
        path: str | os.PathLike[str] = super().convert(value, param, ctx)  # type: ignore[assignment]  # not as bytes
        if os.path.splitext(value)[1].lower() in (".musicxml", ".xml", ".mxl", ".abc", ".krn"):
            from data_prep.reading.limited import start_reader

            start_reader()
        return path


scale_option = click.option("--scale", help="Notes of this scale only, such as G:major, A:minor or F#:dorian.")
SEED = click.IntRange(0, 2**32 - 1)  # what NumPy and torch both take
midi_file = MusicFile(exists=True, dir_okay=False, path_type=Path)


def device_options(command: Command) -> Command:
    """Add ``--device``, ``--precision`` and ``--threads``."""
    return _add(
        command,
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "bf16", "fp32"]),
            default="auto",
            show_default=True,
            help="bf16 where the hardware has it, or as told.",
        ),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the cores it may use]"),
    )


def generation_options(temperature: float | None) -> Callable[[Command], Command]:
    """Add what all commands that write melodies have; ``--temperature`` with this default, unless that is None."""

    def add(command: Command) -> Command:
        return _add(
            command,
            click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the results."),
            click.option(
                "--model",
                "model_name",
                default="melody-2bar",
                show_default=True,
                help="A shipped model, a checkpoint file, or a run folder.",
            ),
            *([] if temperature is None else [_temperature_option(temperature)]),
            click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed, the same files."),
            click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
            click.option("--audio", is_flag=True, help="Write a WAV file beside each MIDI file."),
            click.option("--force", is_flag=True, help="Replace results that are already there."),
        )

    return add


def _temperature_option(default: float) -> Callable[[Command], Command]:
    return click.option(
        "--temperature",
        type=FiniteFloat(min=0),
        default=default,
        show_default=True,
        help="0 takes the most probable notes; 1 draws them.",
    )


def load_model(name: str, device: str, seed: int) -> tuple[MelodyModel, torch.Generator]:
    """The model on its device, and the generator of everything random."""
    import torch

    from melodyvae.device import choose_device, use_threads
    from melodyvae.models.melody import MelodyModel

    use_threads()
    place = choose_device(device)
    model = MelodyModel.from_pretrained(name).to(place)
    return model, torch.Generator(place).manual_seed(seed)


@contextmanager
def known_errors(*others: type[Exception]) -> Iterator[None]:
    """Turn the errors that users can cause, and ``others``, into one sentence and exit status 1."""
    from data_prep.melodies.voice import MelodyError
    from data_prep.reading.midi import MidiError
    from melodyvae.config import ConfigError
    from melodyvae.datasets.windows import DatasetError
    from melodyvae.device import DeviceError
    from melodyvae.generation.attribute_vectors import DirectionsError
    from melodyvae.generation.novelty import NoveltyError
    from melodyvae.generation.prior import PriorError
    from melodyvae.generation.scales import ScaleError
    from melodyvae.generation.sources import WindowError
    from melodyvae.models.checkpoint import CheckpointError

    known: tuple[type[Exception], ...] = (CheckpointError, ConfigError, DatasetError, DeviceError)
    known += (DirectionsError, MelodyError, MidiError, PriorError, ScaleError, NoveltyError, WindowError, *others)
    try:
        yield
    except known as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error


def _add(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
