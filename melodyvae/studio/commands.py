"""Requests -> the shell command that does the same, to copy; its defaults are left out.

The names of the files are what the page knows: those of the files that were dropped, or those under which its tunes can
be downloaded. Of a tune that is downloaded the first bars are taken, as :mod:`melodyvae.studio.verbs` does.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from melodyvae.generation.meters import BY_METER, TRIPLE_MODEL, is_triple
from melodyvae.studio.requests import (
    CompleteRequest,
    ContinueRequest,
    MorphRequest,
    PadRequest,
    ReconstructRequest,
    SampleRequest,
    ScoreRequest,
    TuneSource,
    VaryRequest,
    WalkRequest,
)
from melodyvae.studio.verbs import hidden_of, tunes_of


def shell_command(request: Any, files: Sequence[str], model: str, bars: int = 2) -> str | None:
    """The command line of a request; None where the command line has no such thing.

    Args:
        request: one of the page's.
        files: the names of the tunes in it, in their order.
        model: the model's name; ``auto`` is the commands' own choice.
        bars: how many the model has.
    """
    tunes = tunes_of(request)
    names = list(files)
    words: list[str] = []
    match request:
        case WalkRequest():
            words = ["interpolate", *names, "-n", str(request.count)]
            for label, tune in zip("ab", tunes, strict=True):
                words += _place(tune, request.bars or bars, f"-{label}")
            words += ["--bars", str(request.bars)] if request.bars else []
            words += _changed(request, ends="exact", spacing="even", key="a", tempo="a", scale="auto")
            words += ["--keep-accompaniment"] if request.keep_accompaniment else []
            words += _draws(request, temperature=0.0)
        case PadRequest():
            places = {tuple(_place(tune, bars)) for tune in tunes}
            if len(places) > 1:
                return None  # the command takes one bar and one track for all four
            words = ["grid", *names, "-n", str(request.size), *places.pop()]
            words += _changed(request, key="a", tempo="a", scale="auto")
        case MorphRequest():
            words = ["morph", *names, *_place(tunes[0], bars)]
            for name, amount in request.amounts.items():
                words += [f"--{name}", f"{amount:+g}"] if amount else []
            words += _changed(request, scale="auto")
            words += ["-n", str(request.count), "--candidates", str(request.candidates)]
            words += _draws(request, temperature=0.0)
        case VaryRequest():
            words = ["vary", *names, *_place(tunes[0], bars), "-n", str(request.count)]
            words += ["--amount", f"{request.amount:g}", *_changed(request, scale="auto")]
            words += _draws(request, temperature=0.0)
        case ReconstructRequest():
            words = ["reconstruct", *names]
        case CompleteRequest():
            hide, extend = hidden_of(request)
            if hide and extend:
                return None  # the command does one or the other
            how = ["--hide", ",".join(map(str, hide))] if hide else ["--extend", str(extend)]
            words = ["complete", *names, *how, "-n", str(request.count)]
            words += _draws(request, temperature=None)
        case ContinueRequest():
            words = ["continue", *names, "--bars", str(request.bars), "-n", str(request.count)]
            words += _draws(request, temperature=1.0)
        case SampleRequest():
            words = ["sample", "-n", str(request.count)]
            words += ["--bars", str(request.bars)] if request.bars else []
            words += _changed(request, key=None, density=None, scale="auto", tempo=120.0)
            words += _draws(request, temperature=1.0, seed=None)
            if model == BY_METER and is_triple((request.meter[0], request.meter[-1])):
                model = TRIPLE_MODEL  # there is no tune by which the command would choose it
        case ScoreRequest():
            words = ["score", *names]
        case _:
            return None
    words += [] if model == BY_METER else ["--model", model]
    return "melodyvae " + shlex.join(words)


def _place(tune: TuneSource, bars: int, end: str = "") -> list[str]:
    """The options that say which bars are taken, and of which track."""
    if tune.melody is not None:
        return [f"--bar{end}", "1"] if tune.melody.bars > bars else []
    words = [] if tune.first_bar is None else [f"--bar{end}", str(tune.first_bar)]
    return [*words, *([] if tune.track is None else [f"--track{end}", str(tune.track)])]


def _changed(request: Any, **defaults: Any) -> list[str]:
    """The options that are not at their defaults."""
    words: list[str] = []
    for name, default in defaults.items():
        value = getattr(request, name)
        words += [] if value == default else [f"--{name}", f"{value:g}" if isinstance(value, float) else value]
    return words


def _draws(request: Any, temperature: float | None, seed: int | None = 0) -> list[str]:
    words = [] if request.temperature == temperature else ["--temperature", f"{request.temperature:g}"]
    return [*words, *([] if request.seed == seed else ["--seed", str(request.seed)])]
