"""The line for a terminal that does what the page shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from melodyvae.studio.requests import VERBS, VerbRequest
from melodyvae.verbs.complete import CompleteOptions
from melodyvae.verbs.meters import AUTO_MODEL


def shell_command(request: VerbRequest, files: Sequence[str], model: str, bars: int = 2) -> str | None:
    """The command line of a request; None where the command line has no such thing.

    Args:
        request: one of the page's.
        files: the names of the tunes in it, in their order.
        model: the model's name; ``auto`` is the commands' own choice.
        bars: how many the model has.
    """
    options = request.placed(bars)
    if options is None or (isinstance(options, CompleteOptions) and options.hidden_bars and options.extend):
        return None  # the command takes one bar and one track for all; it fills in or goes on
    words = [VERBS[request.verb].command, *files, *options.shell_words(request.labels)]
    words += [] if model == AUTO_MODEL else ["--model", model]
    return "melodyvae " + shlex.join(words)
