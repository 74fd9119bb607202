"""A trained model -> melodies: sample, reconstruct, and what every walk through the latent space needs.

Conventions: a *window* is a melody of exactly the model's bars and grid; everything drawn comes from the
``torch.Generator`` that is passed in, so the same seed gives the same melodies. Bars are counted from 1, as in a score.

Contents: :class:`LatentMelodyModel`; :func:`read_source`, :func:`pick_window`, :class:`Window`; :func:`sample`,
:func:`reconstruct`; :func:`posterior_means`, :func:`decode_tokens`, :func:`decode_melodies`, :func:`windows_of`,
:func:`tied_like`, :func:`fields_of`, :func:`matching_steps`.
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

from data_prep.melody import Melody, MelodyNote, ReadMelody, read_melody
from data_prep.tokens import Vocabulary
from melodyvae.config import MelodyConfig
from melodyvae.generation.prior import Prior, draw_latents
from melodyvae.models.latent import DiagonalGaussian

if TYPE_CHECKING:
    import pretty_midi

MelodySource: TypeAlias = "str | Path | pretty_midi.PrettyMIDI | Melody"
DECODING_BATCH = 1024


class LatentMelodyModel(Protocol):
    """What generation asks of a model; :class:`~melodyvae.vae.MelodyVAE` is one."""

    extras: dict[str, Tensor]  # what was fitted to the trained network

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

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Teacher-forced logits ``(B, T, V)`` of windows ``(B, T)`` given ``(B, Z)``, differentiable in z."""

    def prior(self, count: int) -> DiagonalGaussian:
        """N(0, I), parameters ``(count, Z)``."""


@dataclass(frozen=True)
class Window:
    """A stretch of somebody's melody that a model can take.

    Attributes:
        melody: as many bars as were asked for, the model's by default.
        first_bar: the bar of the piece that it starts in, from 1.
        last_bar: the bar of the piece that it ends in.
        grid_bar: the bar of the melody, from 0, that it starts at.
        note: what had to be decided, in a sentence for the user; empty if nothing.
    """

    melody: Melody
    first_bar: int
    last_bar: int
    grid_bar: int
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


def pick_window(
    found: ReadMelody, config: MelodyConfig, first_bar: int | None = None, bars: int | None = None
) -> Window:
    """The window at bar ``first_bar`` of the piece (from 1), or the first good one: with an onset in every bar.

    It has ``bars`` bars, those of the model by default. Its tempo is the one in force where it begins. A melody that
    ends before the window does is padded with silence.

    Raises:
        WindowError: if there is no such bar, or no note in the window.
    """
    melody, layout = found.melody, found.layout
    piece_bars = len(layout.bar_starts)
    if first_bar is not None and not 1 <= first_bar <= piece_bars:
        raise WindowError(f"there is no bar {first_bar}: the melody has bars 1 to {piece_bars}")
    bars = bars or config.bars
    start = _first_good_bar(melody, bars) if first_bar is None else layout.grid_bar(first_bar)
    missing = start + bars - melody.bars
    note = ""
    if melody.bars < bars:
        note = f"it has {_bars(melody.bars)}, {bars} are taken: padded with silence"
    elif missing > 0:
        note = f"it ends {_bars(missing)} before the window does: padded with silence"
    window = found.window(start, bars)
    first = layout.piece_bar(start)
    last = max(layout.piece_bar(start + bars) - 1 if missing < 0 else piece_bars, first)
    if not window.notes:
        raise WindowError(f"there is no note in bars {first} to {last}; choose another bar")
    return Window(window, first, last, start, note)


def sample(
    model: LatentMelodyModel,
    count: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    allowed_tokens: Tensor | None = None,
    prior: Prior | None = None,
    **fields: Any,
) -> list[Melody]:
    """``count`` new melodies: z drawn from a prior, tokens drawn at ``temperature``.

    Args:
        model: the model.
        count: how many, at least 1.
        temperature: of the tokens' draw; 0 takes the most probable token.
        generator: the source of all draws.
        allowed_tokens: booleans ``(V,)``, such as those of a scale; None allows all.
        prior: ``fitted`` to the codes of the training windows or ``normal``; None takes the fitted one if there is one.
        fields: what else the melodies carry, such as ``quarters_per_minute`` or ``program``.

    Raises:
        PriorError: if the fitted prior is asked of a model that has none.
    """
    check_count(count, 1)
    z = draw_latents(model, count, prior, generator, allowed_tokens)
    return decode_melodies(model, z, temperature, generator, allowed_tokens, **fields)


def reconstruct(
    model: LatentMelodyModel,
    melody: Melody,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Melody:
    """``melody`` as the model remembers it: window by window through the posterior means, joined, at its own length.

    A note held across the border of two windows is held there again if the same pitch comes back on both sides. The
    last window is padded for the model and cut again afterwards.
    """
    means = posterior_means(model, windows_of(model, melody))
    remembered = Melody.join(decode_melodies(model, means, temperature, generator, **fields_of(melody)))
    whole = remembered.window(0, melody.bars) if remembered.bars > melody.bars else remembered
    return tied_like(whole, melody, model.config.bars)


def windows_of(model: LatentMelodyModel, melody: Melody) -> list[Melody]:
    """``melody`` as windows of the model one after the other, the last one padded with silence."""
    bars = model.config.bars
    count = max(-(-melody.bars // bars), 1)
    padded = melody.pad_to(count * bars)
    return [padded.window(index * bars, bars) for index in range(count)]


def tied_like(melody: Melody, original: Melody, window_bars: int) -> Melody:
    """``melody`` with notes tied over the borders of windows where ``original`` holds a note and the pitch agrees."""
    window_steps = window_bars * melody.steps_per_bar
    held = {
        border
        for note in original.notes
        for border in range(note.start_step // window_steps * window_steps + window_steps, note.end_step, window_steps)
    }
    notes: list[MelodyNote] = []
    for note in melody.notes:
        before = notes[-1] if notes else None
        if before and note.start_step in held and (before.end_step, before.pitch) == (note.start_step, note.pitch):
            notes[-1] = before._replace(end_step=note.end_step)
        else:
            notes.append(note)
    return replace(melody, notes=tuple(notes))


def matching_steps(model: LatentMelodyModel, melody: Melody, other: Melody) -> int:
    """On how many steps two windows have the same token."""
    return int((model.vocabulary.encode(melody) == model.vocabulary.encode(other)).sum())


def _first_good_bar(melody: Melody, bars: int) -> int:
    """The first bar, from 0, of the first ``bars`` that all have an onset; failing that, of those with the most.

    If the next bar would do as well and has an onset in its first beat, and the first one has not (it is a pickup), the
    next one.
    """
    starts = np.array([note.start_step for note in melody.notes], np.int64)
    onsets = np.bincount(starts // melody.steps_per_bar, minlength=melody.bars)
    if melody.bars <= bars:
        return 0
    in_window = np.lib.stride_tricks.sliding_window_view(onsets, bars)
    is_full: np.ndarray = np.all(in_window > 0, axis=1)
    in_first_beat = np.zeros(melody.bars, bool)
    in_first_beat[starts[starts % melody.steps_per_bar < melody.steps_per_quarter] // melody.steps_per_bar] = True
    if not is_full.any():
        return int(in_window.sum(axis=1).argmax())
    first = int(is_full.argmax())
    is_pickup = not in_first_beat[first] and is_full[first + 1 : first + 2].any() and in_first_beat[first + 1]
    return first + int(is_pickup)


def posterior_means(model: LatentMelodyModel, windows: Sequence[Melody] | np.ndarray) -> Tensor:
    """The mean of q(z | x) of each window, of melodies or of tokens ``(N, T)``: ``(N, Z)``, on the model's device."""
    if not isinstance(windows, np.ndarray):
        windows = np.stack([model.vocabulary.encode(window) for window in windows])
    batches = torch.split(torch.from_numpy(windows.astype(np.int64)), DECODING_BATCH)
    with torch.inference_mode():
        return torch.cat([model.encode(batch.to(model.device)).mean.float() for batch in batches])


def decode_tokens(
    model: LatentMelodyModel,
    z: Tensor,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
    allowed_tokens: Tensor | None = None,
) -> np.ndarray:
    """Token windows, uint8 ``(N, T)``, for latent vectors ``(N, Z)``, of ``allowed_tokens`` ``(V,)`` only.

    Raises:
        ValueError: if the temperature is negative or no number.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be a number from 0 up")
    masked = {} if allowed_tokens is None else {"allowed_tokens": allowed_tokens}
    with torch.inference_mode():
        parts = torch.split(z, DECODING_BATCH)
        tokens = torch.cat([model.decode(part, temperature, generator, **masked) for part in parts])
    return tokens.cpu().numpy().astype(np.uint8)


def decode_melodies(
    model: LatentMelodyModel,
    z: Tensor,
    temperature: float,
    generator: torch.Generator | None,
    allowed_tokens: Tensor | None = None,
    **fields: Any,
) -> list[Melody]:
    """A melody for each latent vector of ``(N, Z)``; ``fields`` are their tempo, program and so on."""
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    rows = decode_tokens(model, z, temperature, generator, allowed_tokens)
    return [model.vocabulary.decode(row, **(grid | fields)) for row in rows]


def fields_of(melody: Melody) -> dict[str, Any]:
    """What a melody made from ``melody`` keeps of it."""
    return {
        "quarters_per_minute": melody.quarters_per_minute,
        "program": melody.program,
        "meter": melody.meter,
    }


def check_count(count: int, least: int) -> None:
    """Raise ``ValueError`` if fewer melodies are asked for than make sense."""
    if count < least:
        raise ValueError(f"count is {count}; it must be at least {least}")


def _bars(count: int) -> str:
    return "1 bar" if count == 1 else f"{count} bars"
