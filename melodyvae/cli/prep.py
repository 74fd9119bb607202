"""``melodyvae prep``: folders of music files -> a dataset folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import CancelledError
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.options import known_errors, usage_errors
from melodyvae.cli.signals import status_of
from melodyvae.system.files import named, short_name

if TYPE_CHECKING:
    from data_prep.prepare import PrepReport
    from melodyvae.reading.repeats import Repeats


class MusicInput(click.Path):
    """A path that exists, or a collection that music21 installs: ``music21:NAME``."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """A collection's name as it is; a path as click checks it."""
        return value if str(value).startswith("music21:") else super().convert(value, param, ctx)


def speed_list(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between: ``1,2``."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 1,2")
    return tuple(int(part) for part in parts)


class FolderStyle(click.ParamType[tuple[str, str]]):
    """A folder's name and a style: ``hymns=hymn``."""

    name = "folder=style"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The two."""
        if isinstance(value, tuple):
            return value
        folder, sign, style = value.partition("=")
        if not (folder and sign and style):
            self.fail(f"{value!r} is no FOLDER=STYLE such as hymns=hymn", param, ctx)
        return folder, style


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=MusicInput(exists=True, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Dataset folder.  [default: INPUT-dataset]")
@click.option("--bars", type=click.IntRange(min=1), default=2, show_default=True, help="Bars in a window.")
@click.option(
    "--meter",
    default="4/4",
    show_default=True,
    help="Take bars of this meter (2/2 counts as 4/4), or of several, laid into bars as long as the first: "
    "4/4,2/4,3/4,6/8; any lays bars of 4/4 over every piece.",
)
@click.option(
    "--track",
    default="auto",
    show_default=True,
    help="auto finds the tune; all takes every track but drums; or a track's number (from 1) or name.",
)
@click.option(
    "--notes-a-bar",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Least mean number of notes per bar in a window.",
)
@click.option("--stride", "stride_bars", type=click.IntRange(min=1), default=1, show_default=True, help="In bars.")
@click.option(
    "--steps-per-quarter",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="The grid: 4 is sixteenth notes, 12 has triplets too.",
)
@click.option("--fold", is_flag=True, help="Take two bars of half the meter as one: 2/4 for 4/4, 3/8 for 6/8.")
@click.option("--legato", is_flag=True, help="Hold each note until the next, if that is less than a beat away.")
@click.option(
    "--phases",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of evenly spaced places in a bar where windows begin; 1 is the bar line alone.",
)
@click.option(
    "--speeds",
    type=speed_list,
    default="1",
    show_default=True,
    metavar="N[,N...]",
    help="Read each piece at these speeds: at 2, windows hold twice as many bars of notes half as long.",
)
@click.option(
    "--off-grid",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Move a track's onsets to the grid if no larger share is off it (ornaments); windows with more are left out.",
)
@click.option("--key", default="", metavar="KEY", help="Move each melody to this key: C is C major or A minor.")
@click.option(
    "--repeats",
    type=click.Choice(["written", "play"]),
    default="written",
    show_default=True,
    help="For scores: take repeated bars once, or as often as they are played.",
)
@click.option(
    "--style",
    "styles",
    type=FolderStyle(),
    multiple=True,
    metavar="FOLDER=STYLE",
    help="The tunes below a folder of this name are of this style; otherwise names and ABC's R: say it.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: the cores it may use]")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Work on a Dask cluster instead, by its scheduler's address: tcp://host:8786. Its machines must see the "
    "files under the same paths. Needs the extra scale.",
)
@click.option("--resume", is_flag=True, help="Go on with a run of the same inputs that was stopped.")
@click.option("--force", is_flag=True, help="Replace a dataset that is already there.")
def prep(
    inputs: tuple[str | Path, ...],
    output: Path | None,
    bars: int,
    meter: str,
    track: str,
    stride_bars: int,
    notes_a_bar: float,
    steps_per_quarter: int,
    fold: bool,
    legato: bool,
    phases: int,
    speeds: tuple[int, ...],
    off_grid: float,
    key: str,
    repeats: Repeats,
    styles: tuple[tuple[str, str], ...],
    workers: int | None,
    cluster: str | None,
    resume: bool,
    force: bool,
) -> None:
    """Make a dataset of the music files in INPUTS: files, and folders with all that is below them.

    MIDI, MusicXML (.musicxml, .xml, .mxl), ABC and kern (.krn) are read; each tune in a file of several counts as a
    file. music21:NAME stands for a collection of scores that is installed with music21, such as essenFolksong,
    ryansMammoth, oneills1850, airdsAirs or bach.

    \b
    melodyvae prep ./midi
    melodyvae prep ./midi more/song.mid -o tunes --track all
    melodyvae prep ./waltzes --meter 3/4,6/8
    melodyvae prep ./midi --track all --meter any --speeds 1,2
    melodyvae prep music21:essenFolksong

    The dataset's ledger.jsonl says for each file what was taken, or why nothing was. The same files give the same
    bytes, and a file always falls into the same split (train, valid or test).
    """
    from tqdm import tqdm

    from data_prep.cluster import cluster_executor
    from data_prep.prepare import PrepOptions, prepare

    if cluster and workers:
        raise click.UsageError("--workers counts processes of this machine, --cluster has its own; give one of them")
    with usage_errors():
        options = PrepOptions(
            bars,
            steps_per_quarter,
            meter,
            track,
            stride_bars,
            fold,
            legato,
            key,
            notes_a_bar,
            phases=phases,
            speeds=speeds,
            off_grid=off_grid,
            repeats=repeats,
            styles=styles,
        )
    output = output or default_output(inputs[0])
    with known_errors():
        try:
            _print_licences(inputs)
            at_work = cluster_executor(cluster) if cluster else nullcontext()
            # an error found at once leaves no bar behind
            with named(output), at_work as executor, tqdm(unit=" files", delay=0.2, disable=None) as progress:

                def show(done: int, total: int) -> None:
                    progress.total = total
                    progress.update(done - progress.n)

                report = prepare(
                    inputs,
                    output,
                    options,
                    workers=workers,
                    executor=executor,
                    resume=resume,
                    force=force,
                    on_file=show,
                )
        except KeyboardInterrupt as interrupt:
            click.echo("Error: stopped. To go on, give the same command with --resume", err=True)
            click.get_current_context().exit(status_of(interrupt))
        except CancelledError:
            raise click.ClickException(
                f"the cluster at {cluster} is gone. To go on, give the same command with --resume"
            ) from None
    _print(report)


def default_output(first_input: str | Path) -> Path:
    """The dataset folder beside an input that is named after it, told as the input is: ``midi`` -> ``midi-dataset``.

    That of a collection is in the current folder: ``music21:bach`` -> ``bach-dataset``.
    """
    from melodyvae.reading.collection import collection_of

    given = Path(collection_of(first_input) or first_input)
    whole = given.resolve()
    folder = whole.parent if given.is_absolute() else Path(os.path.relpath(whole.parent))
    return folder / short_name(f"{whole.stem if whole.is_file() else whole.name}-dataset")


def _print_licences(inputs: Iterable[str | Path]) -> None:
    from melodyvae.reading.collection import collection_files, collection_of, licence_words

    for name in filter(None, map(collection_of, inputs)):
        collection_files(name)  # an unknown name is refused before anything is printed
        click.echo(f"{licence_words(name)}\n")


def _print(report: PrepReport) -> None:
    windows = ", ".join(f"{count} {split}" for split, count in report.counts.items())
    click.echo(f"{report.files:9} files or tunes read")
    click.echo(f"{report.melodies:9} melodies, one for each track with windows")
    click.echo(f"{sum(report.counts.values()):9} windows: {windows}")
    _print_counts("left out, files", report.left_out_files)
    _print_counts("left out, windows", report.left_out_windows)
    _print_counts("fixed on reading, files", report.notices)
    if report.moved_to_grid:
        click.echo(f"{report.moved_to_grid:9} onsets moved to the grid, in tracks that have few off it (--off-grid)")
    if report.laid_straight:
        click.echo(f"{report.laid_straight:9} melodies whose swing is laid straight")
    if report.taken_on_the_beat:
        click.echo(
            f"{report.taken_on_the_beat:9} melodies that were late or early as a whole, and are taken on the beat"
        )
    if report.advice:
        click.echo(f"To keep more: {report.advice}.")
    click.echo(f"Wrote {report.output}. Next: melodyvae train {report.output}")


def _print_counts(title: str, counts: dict[str, int]) -> None:
    from data_prep.ledger import explain

    if counts:
        click.echo(f"{title}:")
    for reason, count in counts.items():
        click.echo(f"{count:9} {reason:<17} {explain(reason)}")
