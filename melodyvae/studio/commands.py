"""Requests -> the shell command that does the same, to copy; its defaults are left out.

The names of the files are what the page knows: those of the files that were dropped, or those under which its tunes can
be downloaded.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from melodyvae.studio.requests import (
    CompleteRequest,
    MorphRequest,
    PadRequest,
    SampleRequest,
    ScoreRequest,
    VaryRequest,
    WalkRequest,
)


def shell_command(
    request: Any, files: Sequence[str], bars: Sequence[int | None], tracks: Sequence[int | None], model: str
) -> str | None:
    """The command line of a request; None where the command line has no such thing.

    Args:
        request: one of the page's.
        files: the names of the tunes in it, in their order.
        bars: the first bar of each in its file; None where the file begins there.
        tracks: the track of each in its file, from 1; None where it is the only one.
        model: the model's name.
    """
    names = list(files)
    words: list[str] = []
    match request:
        case WalkRequest():
            words = ["interpolate", *names, "-n", str(request.count)]
            for label, bar, track in zip("ab", bars, tracks, strict=False):
                words += [f"--bar-{label}", str(bar)] if bar is not None else []
                words += [f"--track-{label}", str(track)] if track is not None else []
            words += ["--bars", str(request.a.bars)]
            for name, default in (("ends", "exact"), ("spacing", "even"), ("key", "glide"), ("tempo", "glide")):
                value = getattr(request, name)
                words += [] if value == default else [f"--{name}", value]
            words += _draws(request, temperature=0.0)
        case PadRequest():
            words = ["grid", *names, "-n", str(request.size)]
        case MorphRequest():
            words = ["morph", *names, *_place(bars, tracks)]
            for name, amount in request.amounts.items():
                words += [f"--{name}", f"{amount:+g}"] if amount else []
            words += ["--scale", request.scale] if request.scale else []
            words += ["-n", str(request.count), "--candidates", str(request.candidates)]
            words += _draws(request, temperature=0.0)
        case VaryRequest():
            words = ["vary", *names, *_place(bars, tracks), "-n", str(request.count), "--amount", f"{request.amount:g}"]
            words += _draws(request, temperature=0.0)
        case CompleteRequest():
            inside = [bar for bar in request.hidden_bars if bar < request.melody.bars]
            beyond = len(request.hidden_bars) - len(inside)
            if inside and beyond:
                return None
            words = ["complete", *names]
            words += ["--hide", ",".join(str(bar + 1) for bar in inside)] if inside else ["--bars", str(beyond)]
            words += ["-n", str(request.count), *_draws(request, temperature=0.0)]
        case SampleRequest():
            if request.density is not None:
                return None
            words = ["sample", "-n", str(request.count)]
            words += ["--scale", request.scale] if request.scale else []
            words += ["--tempo", f"{request.quarters_per_minute:g}"] if request.quarters_per_minute != 120 else []
            words += _draws(request, temperature=1.0)
        case ScoreRequest():
            words = ["score", *names]
        case _:
            return None
    words += ["--model", model]  # the commands choose by meter and purpose unless one is named
    return "melodyvae " + shlex.join(words)


def _place(bars: Sequence[int | None], tracks: Sequence[int | None]) -> list[str]:
    bar, track = (bars or [None])[0], (tracks or [None])[0]
    return [*(["--bar", str(bar)] if bar is not None else []), *(["--track", str(track)] if track is not None else [])]


def _draws(request: Any, temperature: float) -> list[str]:
    words = [] if request.temperature == temperature else ["--temperature", f"{request.temperature:g}"]
    return [*words, *([] if request.seed == 0 else ["--seed", str(request.seed)])]
