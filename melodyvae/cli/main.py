"""The ``melodyvae`` command: reads arguments, calls the library, prints.

Each command lives in a module of its own beside this one and imports what it needs when it runs, so that ``--help``
is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from melodyvae import __version__
from melodyvae.cli.signals import ENDED_BY_SIGPIPE, ending_in_good_order, has_no_reader, status_of
from melodyvae.system.errors import MissingTorchError

COMMANDS = {  # in the order of a first session
    "prep": "Turn a folder of music files into a dataset.",
    "train": "Train a model on a dataset.",
    "fit": "Fit the prior and the attribute vectors of a model to a dataset.",
    "interpolate": "Write the tunes on the way from one tune to another.",
    "sample": "Write new tunes.",
    "vary": "Write tunes that are near a tune.",
    "morph": "Write a tune with its character moved.",
    "grid": "Write rows of tunes between four.",
    "arithmetic": "Write the sum or the difference of tunes.",
    "complete": "Write a tune with bars of it filled in anew.",
    "continue": "Write a tune that goes on.",
    "score": "Say how unusual the bars and notes of tunes are.",
    "reconstruct": "Write tunes as the model remembers them.",
    "studio": "Open a page in the browser to play with tunes.",
    "inspect": "Say what is in a file, a dataset or a model.",
    "evaluate": "Measure a model on a dataset.",
    "export": "Write a model for other programs.",
    "digits": "Train and use the sanity models of digits.",
}
MODULES = {"continue": "continue_"}  # where a command cannot be called like its module


class LazyGroup(click.Group):
    """A group whose commands are imported by name when they are asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end quietly when what reads its output has enough, and in words without torch."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise click.ClickException(str(MissingTorchError())) from error
        except KeyboardInterrupt as interrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(status_of(interrupt))
        except BrokenPipeError:
            if not has_no_reader():
                raise
            ctx.exit(ENDED_BY_SIGPIPE)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a first session."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name)
        module = importlib.import_module(f"melodyvae.cli.{name}")
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="melodyvae")
def main() -> None:
    """Walk between melodies: a variational autoencoder for MIDI tunes.

    \b
    melodyvae interpolate a.mid b.mid -n 8     eight tunes from a to b
    melodyvae morph a.mid --density +1         a, and a with more and more notes
    melodyvae sample -n 8                      eight new tunes
    melodyvae studio a.mid b.mid               a page in the browser to play with them
    melodyvae prep ./midi                      a folder of files -> a dataset
    melodyvae train midi-dataset               a dataset -> your own model
    """
    click.get_current_context().with_resource(ending_in_good_order())


if __name__ == "__main__":
    main()
