"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import functools
import math
import os
import re
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from melodyvae.config import PRECISIONS
from melodyvae.options import OptionField, Options, option_fields
from melodyvae.system.errors import UserError
from melodyvae.system.files import short_name
from melodyvae.writing.melody_files import PAGE_FILE, names_written
from melodyvae.writing.output_folder import check_replaceable

if TYPE_CHECKING:
    from melodyvae.reading.repeats import Repeats
    from melodyvae.vae import MelodyVAE
    from melodyvae.verbs.results import Result

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
    """A MIDI file or a score, or a tune of one: ``book.abc#12``, or with ``--tune``.

    The process that reads scores is started while the rest of the command gets ready.
    """

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | os.PathLike[str]:
        """The path, if there is such a file."""
        from melodyvae.reading.tunes import MANY_TUNES_SUFFIXES, split_tune

        file, tune = split_tune(value)
        path: str | os.PathLike[str] = super().convert(str(file), param, ctx)  # type: ignore[assignment]  # not bytes
        suffix = file.suffix.lower()
        if suffix in (".musicxml", ".xml", ".mxl", ".krn"):
            from melodyvae.reading.limited import start_reader

            start_reader()
        tune = tune or (_chosen("tune") if suffix in MANY_TUNES_SUFFIXES else "")
        return type(path)(f"{path}#{tune}") if tune else path  # type: ignore[call-arg]  # a string or a Path


def device_name(text: str) -> str:
    """``auto``, ``cpu``, ``mps``, ``cuda``, or a GPU such as ``cuda:1``; whether it is there is not asked."""
    if not re.fullmatch(r"auto|(cpu|cuda|mps)(:\d+)?", text, re.ASCII):
        raise click.BadParameter(
            f"{text!r} is not a device; choose one of auto, cpu, cuda and mps, or a GPU such as cuda:1"
        )
    return text


SEED = click.IntRange(0, 2**32 - 1)  # what NumPy and torch both take
midi_file = MusicFile(exists=True, dir_okay=False, path_type=Path)


device_option = click.option(
    "--device", type=device_name, default="auto", show_default=True, metavar="TEXT", help="auto, cpu, cuda or mps."
)
model_option = click.option(
    "--model",
    "model_name",
    default="auto",
    show_default=True,
    help="auto (by what is asked), a shipped model, a checkpoint file, or a run folder.",
)


def _parse_feel(feel: str) -> object:
    from melodyvae.music.feel import parse_feel  # only now: it needs NumPy

    return parse_feel(feel)


def _parses(parse: Callable[[Any], object]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that refuses what ``parse`` cannot parse, as a usage error, before other work."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        try:
            if value is not None:
                parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        return value

    return check


GENERATION_OPTIONS = (
    click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the results."),
    model_option,
    click.option(
        "--feel",
        default="keep",
        show_default=True,
        callback=_parses(_parse_feel),
        help="keep: with the tune's swing, timing and loudness; straight: on the grid; or such as swing=0.62.",
    ),
    click.option("--audio", is_flag=True, help="Write a WAV file beside each MIDI file."),
    click.option("--play", is_flag=True, help="Open the page with the results, which plays them."),
    click.option("--force", is_flag=True, help="Replace results that are already there."),
)


@dataclass(frozen=True)
class Generation:
    """Options of all commands that write melodies.

    Attributes:
        output: the folder for the results; None for the command's own.
        model_name: ``auto``, a shipped model, a checkpoint file or a run folder.
        feel: the feel of the melodies: ``keep``, ``straight`` or such as ``swing=0.62``.
        audio: write WAV files, too.
        play: open the page of the results in the browser.
        force: replace results that are there.
    """

    output: Path | None
    model_name: str
    feel: str
    audio: bool
    play: bool
    force: bool

    def open(
        self,
        folder: str | Path,
        names: Sequence[str] = (),
        joined: bool = True,
        tunes: Sequence[Path] = (),
        track: str | int | tuple[str | int, ...] = "auto",
    ) -> tuple[Path, MelodyVAE]:
        """The folder for the results, ``folder`` if none was asked for, and the model, with the ``tunes`` read.

        ``track`` is of all tunes, or of each.

        Raises:
            OutputExistsError: before anything else is done, if one of ``names`` is there, or the files that are written
                beside melodies whose names are known only when they are made.
        """
        place = self.output or Path(short_name(str(folder)))
        check_replaceable(place, names_written(names, joined, self.audio), self.force, input_files())
        tracks = track if isinstance(track, tuple) else (track,) * len(tunes)
        of_tunes = [(path, str(own)) for path, own in zip(tunes, tracks, strict=True)]
        return place, load_model(self.model_name, of_tunes)

    def finish(self, result: Result, folder: Path) -> None:
        """Print what a verb found, write its melodies, and say where."""
        from melodyvae.verbs.sentences import sentences_of

        for sentence in sentences_of(result.facts, by_flag):
            click.echo(sentence)
        rolls = result.sheet.written
        if self.feel == "keep" and any(roll.feel is not None and roll.feel.is_audible for roll in rolls):
            *labels, last = dict.fromkeys(source.label or "the tune" for source in result.sources)
            if len({id(roll.feel) for roll in rolls}) == 1:
                labels, last = [], [*labels, last][0]
            whose = f"{', '.join(labels)} and {last}" if labels else last
            click.echo(f"played with the swing and timing of {whose}; --feel straight writes all on the grid")
        written = result.write(folder, feel=self.feel, audio=self.audio, replace=self.force)
        names = result.names
        first = ", ".join(names) if len(names) < 3 else f"{names[0]} ... {names[-1]}"
        others = [name for name in written if name not in names and not name.endswith(".wav")]
        told = [first, *others[:-1], *(["a WAV file of each"] if self.audio else []), others[-1]]
        where = f"{folder}{'' if str(folder).endswith('/') else '/'}"
        click.echo(f"Wrote {', '.join(told[:-1])} and {told[-1]} to {where}")
        if self.play:
            webbrowser.open((folder / PAGE_FILE).resolve().as_uri())


def is_given(option: str) -> bool:
    """Whether an option of the command that is running was given, and is not at its default."""
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT


def composing(generation: Generation) -> Generation:
    """The same with the model that composes, unless a model is named."""
    from melodyvae.verbs.meters import COMPOSING_MODEL

    return generation if is_given("model_name") else replace(generation, model_name=COMPOSING_MODEL)


def verb_command(
    kind: type[Options], labels: Sequence[str] = (), name: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function that writes what a verb makes: it gets ``generation`` and ``options``.

    Args:
        kind: the verb's options.
        labels: as for :func:`verb_options`.
        name: of the command; by default the function's.
    """

    def decorate(command: Callable[..., Any]) -> click.Command:
        @functools.wraps(command)
        def gathered(*arguments: Any, **options: Any) -> Any:
            own = {entry.name: options.pop(entry.name) for entry in fields(Generation)}
            with known_errors():
                return command(*arguments, generation=Generation(**own), **options)

        return click.command(name)(verb_options(kind, labels)(add_options(gathered, *GENERATION_OPTIONS)))

    return decorate


def reading_options(command: Command) -> Command:
    """Add ``--tune`` and ``--repeats``, of commands that read scores; the command itself gets neither."""

    def keep(ctx: click.Context, param: click.Parameter, value: str) -> None:
        ctx.meta[str(param.name)] = value

    return add_options(
        command,
        click.option(
            "--tune",
            default="",
            metavar="NUMBER|TITLE",
            is_eager=True,  # before the files, which it is a part of
            expose_value=False,
            callback=keep,
            help="Tune of an ABC or kern file of several, as FILE#NUMBER.  [default: the first]",
        ),
        click.option(
            "--repeats",
            type=click.Choice(["written", "play"]),
            default="written",
            show_default=True,
            is_eager=True,
            expose_value=False,
            callback=keep,
            help="For a score: take repeated bars once, or as often as they are played.",
        ),
    )


def chosen_repeats() -> Repeats:
    """Value of ``--repeats`` of the running command."""
    return "play" if _chosen("repeats") == "play" else "written"


def _chosen(option: str) -> str:
    context = click.get_current_context(silent=True)
    return context.meta.get(option, "") if context else ""


def verb_options(kind: type[Options], labels: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a verb, which the command gets as ``options``; and of one that reads tunes, how to read them.

    Args:
        kind: the verb's options.
        labels: of its sources, if each has its own ``--track-a``, ``--track-b`` and so on.
    """
    declared = [
        (field, label) for field in option_fields(kind) for label in (labels if field.is_for_each and labels else ("",))
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gathered(*arguments: Any, **values: Any) -> Any:
            own: dict[str, Any] = {}
            for field, label in declared:
                value = values.pop(f"{field.name}_{label}" if label else field.name)
                own[field.name] = (*own.get(field.name, ()), value) if label else value
            with usage_errors():
                options = kind(**own)
            return command(*arguments, options=options, **values)

        made: Callable[..., Any] = gathered
        if any(field.name == "track" for field, _ in declared):
            made = reading_options(made)
        return add_options(made, *(_click_option(field, label) for field, label in declared))

    return decorate


def _click_option(field: OptionField, label: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option of a command for a field, or for one source of it."""
    option = field.option
    text = option.help.format(of=f" from {label.upper()}" if label else "")
    text += f"  [default: {option.default}]" if option.default else ""
    kinds: dict[type, click.ParamType[Any]] = {
        int: click.IntRange(option.low, option.high),  # type: ignore[arg-type]  # whole numbers
        float: FiniteFloat(option.low, option.high),
        str: click.STRING,
    }
    how: dict[str, Any] = {"type": click.Choice(field.choices) if field.choices else kinds.get(field.kind)}
    if field.kind is bool:
        how = {"is_flag": True}
    elif field.length:
        how["nargs"] = field.length
    elif field.length == 0:
        how["multiple"] = True
    if option.parse is not None:
        how |= {"type": None if field.kind is str else how["type"], "callback": _parses(option.parse)}
    name = f"{field.name}_{label}" if label else field.name
    return click.option(
        *field.flags(label),
        name,
        default=field.default,
        show_default=field.default is not None and field.kind is not bool,
        metavar=option.metavar,
        help=text,
        **how,
    )


def by_flag(option: str, value: object = "", label: str = "") -> str:
    """An option of the command that is running, with its value: ``--scale none``, ``--track-a 2``."""
    flags = {str(param.name): param.opts[0] for param in click.get_current_context().command.params}
    return f"{flags.get(f'{option}_{label.lower()}') or flags.get(option, option)} {value}".strip()


def device_options(command: Command) -> Command:
    """Add ``--device``, ``--precision`` and ``--threads``."""
    return add_options(
        command,
        device_option,
        click.option(
            "--precision",
            type=click.Choice(PRECISIONS),
            default="auto",
            show_default=True,
            help="bf16 where the hardware has it, or as told.",
        ),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the cores it may use]"),
    )


def load_model(
    name: str,
    tunes: Sequence[tuple[Path, str]] = (),
) -> MelodyVAE:
    """The model; with the name ``auto`` melody-2bar. ``tunes`` (files and their tracks) are read, each file once."""
    from melodyvae.system.limits import Limits
    from melodyvae.vae import MelodyVAE
    from melodyvae.verbs.meters import AUTO_MODEL, TWO_BAR_MODEL
    from melodyvae.verbs.sources import read_tunes

    read = read_tunes(tunes, Limits(), chosen_repeats())
    chosen = TWO_BAR_MODEL if name == AUTO_MODEL else name
    vae = MelodyVAE.from_pretrained(chosen, limits=Limits(), repeats=chosen_repeats())
    vae.tunes_read = read
    return vae


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn the errors of values that are given as options alone into usage errors, exit status 2."""
    try:
        yield
    except UserError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def known_errors() -> Iterator[None]:
    """Turn the errors that users can cause into one sentence and exit status 1."""
    try:
        yield
    except UserError as error:
        remedies = " or ".join(map(by_flag, error.options))
        raise click.ClickException(f"{error}{f' ({remedies})' if remedies else ''}") from error
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:
            raise  # what reads the output may have enough: see melodyvae.cli.main
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error


def input_files() -> list[Path]:
    """The files among the arguments and options of the command that is running, but for its output."""
    from melodyvae.reading.tunes import split_tune

    context = click.get_current_context(silent=True)
    found: list[Path] = []
    for name, value in context.params.items() if context else ():
        values = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
        if name != "output":
            paths = [split_tune(one)[0] for one in values if isinstance(one, str | Path)]
            found += [path for path in paths if path.is_file()]
    return found


def add_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """The command with these options, in this order."""
    for option in reversed(options):
        command = option(command)
    return command
