"""A trained model -> melodies: sample, reconstruct, interpolate.

Conventions: a *window* is a melody of exactly the model's bars and grid; everything drawn comes from the
``torch.Generator`` that is passed in, so the same seed gives the same melodies. Bars are counted from 1, as in a score.

Contents: :class:`LatentMelodyModel`, :class:`Window`, :func:`read_source`, :func:`pick_window`,
:func:`sample`, :func:`reconstruct`, :func:`interpolate`, :func:`matching_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from data_prep.melody import Melody, ReadMelody, read_melody
from data_prep.tokens import Vocabulary
from melodyvae.config import MelodyConfig
from melodyvae.latent import DiagonalGaussian, slerp

if TYPE_CHECKING:
    import pretty_midi

MelodySource: TypeAlias = "str | Path | pretty_midi.PrettyMIDI | Melody"
DECODING_BATCH = 1024


class LatentMelodyModel(Protocol):
    """What generation asks of a model; :class:`~melodyvae.model.MelodyVAE` is one."""

    @property
    def config(self) -> MelodyConfig:
        """Bars, meter and grid of a window."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The token table."""

    @property
    def device(self) -> torch.device:
        """Where tokens and latent vectors must be."""

    def encode(self, tokens: Tensor) -> DiagonalGaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``."""

    def decode(
        self,
        z: Tensor,
        temperature: float,
        generator: torch.Generator | None,
        allowed_tokens: Tensor | None = None,
    ) -> Tensor:
        """Token windows ``(B, T)`` for latent vectors ``(B, Z)``, of ``allowed_tokens`` ``(V,)`` only."""

    def prior(self, count: int) -> DiagonalGaussian:
        """The distribution that samples come from, parameters ``(count, Z)``."""


@dataclass(frozen=True)
class Window:
    """A stretch of somebody's melody that a model can take.

    Attributes:
        melody: exactly the model's bars.
        first_bar: the bar of the piece that it starts in, from 1.
        last_bar: the bar of the piece that it ends in.
        note: what had to be decided, in a sentence for the user; empty if nothing.
    """

    melody: Melody
    first_bar: int
    last_bar: int
    note: str = ""


class WindowError(ValueError):
    """A melody has no window that the model can take."""


def read_source(source: MelodySource, config: MelodyConfig, track: str = "auto") -> ReadMelody:
    """The melody of a MIDI file, a ``PrettyMIDI`` object or a melody, on the model's grid, meter and pitch range.

    A piece in another meter gets the model's bars laid over it; notes out of range are moved by octaves.

    Raises:
        MidiError, MelodyError: as :func:`data_prep.melody.read_melody`.
        WindowError: if a ``Melody`` lies on another grid than the model's.
    """
    if isinstance(source, Melody):
        if source.steps_per_quarter != config.steps_per_quarter:
            raise WindowError(
                f"the melody has {source.steps_per_quarter} steps a quarter, the model {config.steps_per_quarter}; "
                "write it to a file and give that, or read it on the model's grid"
            )
        found = ReadMelody.of(source, config.meter)
    else:
        found = read_melody(source, track, config.meter, config.steps_per_quarter)
    return replace(found, melody=found.melody.fold_into(config.lowest_pitch, config.highest_pitch))


def pick_window(found: ReadMelody, config: MelodyConfig, first_bar: int | None = None) -> Window:
    """The window at bar ``first_bar`` of the piece (from 1), or the first good one: with an onset in every bar.

    Its tempo is the one in force where it begins. A melody that ends before the window does is padded with silence.

    Raises:
        WindowError: if there is no such bar, or no note in the window.
    """
    melody, layout = found.melody, found.layout
    piece_bars = len(layout.bar_starts)
    if first_bar is not None and not 1 <= first_bar <= piece_bars:
        raise WindowError(f"there is no bar {first_bar}: the melody has bars 1 to {piece_bars}")
    start = _first_good_bar(melody, config.bars) if first_bar is None else layout.grid_bar(first_bar)
    missing = start + config.bars - melody.bars
    note = ""
    if melody.bars < config.bars:
        note = f"it has {_bars(melody.bars)}, the model takes {config.bars}: padded with silence"
    elif missing > 0:
        note = f"it ends {_bars(missing)} before the window does: padded with silence"
    window = found.window(start, config.bars)
    first = layout.piece_bar(start)
    last = max(layout.piece_bar(start + config.bars) - 1 if missing < 0 else piece_bars, first)
    if not window.notes:
        raise WindowError(f"there is no note in bars {first} to {last}; choose another bar")
    return Window(window, first, last, note)


def sample(
    model: LatentMelodyModel,
    count: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    allowed_tokens: Tensor | None = None,
    **fields: Any,
) -> list[Melody]:
    """``count`` new melodies: z drawn from the model's prior, tokens drawn at ``temperature``.

    Args:
        model: the model.
        count: how many, at least 1.
        temperature: of the tokens' draw; 0 takes the most probable token.
        generator: the source of all draws.
        allowed_tokens: booleans ``(V,)``, such as those of a scale; None allows all.
        fields: what else the melodies carry, such as ``quarters_per_minute`` or ``program``.
    """
    _check_count(count, 1)
    z = model.prior(count).sample(generator)
    return _decode(model, z, temperature, generator, allowed_tokens, **fields)


def reconstruct(
    model: LatentMelodyModel,
    melody: Melody,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Melody:
    """``melody`` as the model remembers it: window by window through the posterior means, joined, at its own length.

    A note held across the border of two windows is struck anew there. The last window is padded for the model and cut
    again afterwards.
    """
    config = model.config
    windows_needed = max(-(-melody.bars // config.bars), 1)
    padded = melody.pad_to(windows_needed * config.bars)
    windows = [padded.window(index * config.bars, config.bars) for index in range(windows_needed)]
    means = _posterior_means(model, windows)
    remembered = Melody.join(_decode(model, means, temperature, generator, **_fields_of(melody)))
    return remembered.window(0, melody.bars) if remembered.bars > melody.bars else remembered


def interpolate(
    model: LatentMelodyModel,
    start: Melody,
    end: Melody,
    count: int = 8,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[Melody]:
    """``count`` melodies along the great arc between the posterior means of two windows, the ends included.

    The first is how the model remembers ``start``, the last how it remembers ``end``; all keep the tempo and the
    instrument of ``start``.

    Args:
        model: the model.
        start: a window (see :func:`pick_window`).
        end: another.
        count: how many melodies, at least 2.
        temperature: 0 takes the most probable melody at each point.
        generator: the source of the draws when ``temperature`` is above 0.
    """
    _check_count(count, 2)
    mean_start, mean_end = _posterior_means(model, [start, end])
    path = slerp(mean_start, mean_end, torch.linspace(0, 1, count, device=model.device))
    return _decode(model, path, temperature, generator, **_fields_of(start))


def matching_steps(model: LatentMelodyModel, melody: Melody, other: Melody) -> int:
    """On how many steps two windows have the same token."""
    return int((model.vocabulary.encode(melody) == model.vocabulary.encode(other)).sum())


def _first_good_bar(melody: Melody, bars: int) -> int:
    """The first bar, from 0, of the first ``bars`` that all have an onset; failing that, of those with the most."""
    onsets = np.bincount([note.start_step // melody.steps_per_bar for note in melody.notes], minlength=melody.bars)
    if melody.bars <= bars:
        return 0
    in_window = np.lib.stride_tricks.sliding_window_view(onsets, bars)
    full = np.flatnonzero((in_window > 0).all(axis=1))
    return int(full[0] if len(full) else in_window.sum(axis=1).argmax())


def _posterior_means(model: LatentMelodyModel, windows: Sequence[Melody]) -> Tensor:
    tokens = np.stack([model.vocabulary.encode(window) for window in windows]).astype(np.int64)
    batches = torch.split(torch.from_numpy(tokens).to(model.device), DECODING_BATCH)
    with torch.inference_mode():
        return torch.cat([model.encode(batch).mean for batch in batches])


def _decode(
    model: LatentMelodyModel,
    z: Tensor,
    temperature: float,
    generator: torch.Generator | None,
    allowed_tokens: Tensor | None = None,
    **fields: Any,
) -> list[Melody]:
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be a number from 0 up")
    config = model.config
    grid = {"steps_per_quarter": config.steps_per_quarter, "meter": config.meter}
    masked = {} if allowed_tokens is None else {"allowed_tokens": allowed_tokens}
    with torch.inference_mode():
        parts = torch.split(z, DECODING_BATCH)
        tokens = torch.cat([model.decode(part, temperature, generator, **masked) for part in parts])
    rows = tokens.cpu().numpy().astype(np.uint8)
    return [model.vocabulary.decode(row, **(grid | fields)) for row in rows]


def _fields_of(melody: Melody) -> dict[str, Any]:
    return {
        "quarters_per_minute": melody.quarters_per_minute,
        "program": melody.program,
        "meter": melody.meter,
    }


def _check_count(count: int, least: int) -> None:
    if count < least:
        raise ValueError(f"count is {count}; it must be at least {least}")


def _bars(count: int) -> str:
    return "1 bar" if count == 1 else f"{count} bars"
