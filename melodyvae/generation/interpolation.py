"""From one tune to another: the walk between two latent vectors, made for ears.

The two ends are encoded; their latents are refined until the tunes come back exactly
(:mod:`melodyvae.generation.refine`); the great arc between them is decoded on a fine grid, and of what is found there
melodies are taken that are evenly far apart (:mod:`melodyvae.generation.path`). The walk is made in one key and
register, the first tune's, since z also holds the pitch: otherwise a walk between two keys passes through neither. Key
and tempo then glide from the one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from data_prep.melodies.keys import Key, find_key
from data_prep.melodies.regions import ReadMelody
from data_prep.melody import Melody
from melodyvae.generation.codec import (
    check_count,
    decode_tokens,
    exact_latents,
    fields_of,
    matching_steps,
    posterior_means,
    tied_like,
)
from melodyvae.generation.distance import musical_distances
from melodyvae.generation.path import even_places
from melodyvae.generation.sources import Window, pick_window, windows_of
from melodyvae.models.latent import slerp

if TYPE_CHECKING:
    from melodyvae.models.melody import MelodyModel

Ends = Literal["exact", "model", "original"]
Spacing = Literal["even", "latent"]
KeyPlan = Literal["glide", "a", "b", "none"]
TempoPlan = Literal["glide", "a", "b"]
PATH_POINTS = 129
MOST_PATH_POINTS = 1025


@dataclass(frozen=True)
class WalkOptions:
    """How to walk.

    Attributes:
        count: how many melodies, the ends included.
        temperature: of the melodies between the ends; 0 takes the most probable one at each point.
        ends: ``exact`` refines the latents of both ends until the greedy melody is the tune itself; ``model`` takes
            the posterior means as they are; ``original`` puts the tunes themselves at both ends.
        spacing: ``even`` to the ear, or ``latent``: equal steps along the arc.
        key: ``glide`` from the key and register of the first to those of the second; ``a``, ``b``: all in the key of
            the first, or of the second, and in the register of the first; ``none``: pitches are left alone.
        tempo: likewise.
    """

    count: int = 8
    temperature: float = 0.0
    ends: Ends = "exact"
    spacing: Spacing = "even"
    key: KeyPlan = "glide"
    tempo: TempoPlan = "glide"

    def __post_init__(self) -> None:
        check_count(self.count, 2)
        for name, choices in (("ends", Ends), ("spacing", Spacing), ("key", KeyPlan), ("tempo", TempoPlan)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(choices))}")


@dataclass(frozen=True)
class Walk:
    """Melodies from one tune to another.

    Attributes:
        melodies: from the first to the second.
        steps_right: on how many steps the first and the last melody are the tunes they should be.
        distances: from each melody to the next, as walked (before the key glides); see
            :mod:`melodyvae.generation.distance`.
        distinct: how many of the melodies are different from all before them, as walked.
        decisions: what was decided on the way, a sentence each, for the user.
        key_shifts: by how many semitones, -5 to 6, the key of each melody is above the first's.
    """

    melodies: tuple[Melody, ...]
    steps_right: tuple[int, int]
    distances: tuple[float, ...]
    distinct: int
    decisions: tuple[str, ...]
    key_shifts: tuple[int, ...]


def walk(
    model: MelodyModel,
    start: Melody,
    end: Melody,
    options: WalkOptions | None = None,
    generator: torch.Generator | None = None,
    keys: tuple[Key | None, Key | None] | None = None,
) -> Walk:
    """The melodies between two, both included; all have the instrument of ``start``.

    Longer tunes than the model's windows are walked window by window, all at the same places of their paths.

    Args:
        model: the model.
        start: whole bars (see :func:`~melodyvae.generation.sources.pick_window`).
        end: as many.
        options: how to walk.
        generator: the source of the draws when the temperature is above 0.
        keys: of the pieces that the two are from; by default they are found in the two themselves.
    """
    options = options or WalkOptions()
    if start.length_steps != end.length_steps:
        raise ValueError(f"the ends are {start.length_steps} and {end.length_steps} steps long; they must be as long")
    shift, decisions = _plan_keys(model, start, end, options, keys)
    moved_end = end.transpose(shift)
    latents = [_latents(model, melody, options.ends) for melody in (start, moved_end)]
    rows = _walked_tokens(model, latents[0], latents[1], options, generator)
    shares = np.linspace(0, 1, options.count)
    walked = [_melody(model, row, moved_end if share > 0.5 else start) for row, share in zip(rows, shares, strict=True)]
    if options.ends == "original":
        walked[0], walked[-1] = start, moved_end
    tokens = np.stack([model.vocabulary.encode(melody) for melody in walked])
    shifts = [_glide(float(share), shift, options) for share in shares]
    glided = [
        _glided(model, melody, start, end, float(share), glide, options)
        for melody, share, glide in zip(walked, shares, shifts, strict=True)
    ]
    return Walk(
        melodies=tuple(glided),
        steps_right=(matching_steps(model, start, walked[0]), matching_steps(model, moved_end, walked[-1])),
        distances=tuple(np.diagonal(musical_distances(tokens, tokens), offset=1).tolist()),
        distinct=len(np.unique(tokens, axis=0)),
        decisions=tuple(decisions + _plan_tempi(start, end, options)),
        key_shifts=tuple(_within_octave(glide) for glide in shifts),
    )


@dataclass(frozen=True)
class WalkEnds:
    """What is taken from two pieces.

    Attributes:
        windows: of the first and of the second, equally long.
        keys: of the two pieces as a whole; None where keys do not matter or there is none.
        note: what had to be decided for both, in a sentence; empty if nothing.
    """

    windows: tuple[Window, Window]
    keys: tuple[Key | None, Key | None] | None
    note: str = ""


def pick_ends(
    model: MelodyModel,
    sources: tuple[ReadMelody, ReadMelody],
    first_bars: tuple[int | None, int | None] = (None, None),
    bars: int | None = None,
    options: WalkOptions | None = None,
) -> WalkEnds:
    """The bars to walk between: those asked for, or phrases.

    Of two pieces of which one has fewer than ``bars`` bars, as many are taken as that one has (and the model takes at
    least); from the other one, unless told where, those that are most like them in rhythm and contour.

    Args:
        model: the model.
        sources: the pieces.
        first_bars: where to begin in each, from 1; None leaves it open.
        bars: how many to take; the model's by default.
        options: the walk's.

    Raises:
        WindowError: if there is no such bar, or no note in what was taken.
    """
    config = model.config
    wanted = bars or config.bars
    lengths = [found.melody.bars for found in sources]
    taken = max(min(wanted, *lengths), config.bars)
    note = f"{'AB'[int(lengths[1] < lengths[0])]} has {min(lengths)} bars: {taken} are taken of both"
    windows = [
        pick_window(found, config, first_bar, taken) for found, first_bar in zip(sources, first_bars, strict=True)
    ]
    short = int(lengths[1] < lengths[0])
    long = 1 - short
    if lengths[short] < wanted <= lengths[long] and first_bars[long] is None:
        windows[long] = _best_match(model, sources[long], windows[short].melody)
        note += f"; from {'AB'[long]} those that are most like {'AB'[short]}"
    keys = None
    if (options or WalkOptions()).key != "none":
        keys = (_key_of(sources[0].melody), _key_of(sources[1].melody))
    return WalkEnds((windows[0], windows[1]), keys, note if taken < wanted else "")


def _best_match(model: MelodyModel, found: ReadMelody, target: Melody) -> Window:
    """The window of a piece, as long as ``target``, that is nearest to it in any key and octave."""
    bars = target.bars
    candidates = [(bar, window) for bar, window in found.melody.windows(bars) if len(window.notes) >= bars] or [
        (0, found.melody.window(0, bars))
    ]
    rows = np.stack([model.vocabulary.encode(window) for _, window in candidates])
    wanted = model.vocabulary.normalise(model.vocabulary.encode(target)[None])
    nearest = int(musical_distances(model.vocabulary.normalise(rows), wanted)[:, 0].argmin())
    return pick_window(found, model.config, found.layout.piece_bar(candidates[nearest][0]), bars)


def _plan_keys(
    model: MelodyModel,
    start: Melody,
    end: Melody,
    options: WalkOptions,
    keys: tuple[Key | None, Key | None] | None,
) -> tuple[int, list[str]]:
    """By how many semitones the end is moved for the walk, and what to say about it."""
    if options.key == "none" or not start.notes or not end.notes:
        return 0, []
    of_start, of_end = keys or (_key_of(start), _key_of(end))
    in_key = of_end.shift_to(of_start.major_tonic) if of_start and of_end else 0
    octaves = round((_mean_pitch(start) - _mean_pitch(end) - in_key) / 12)
    lowest = min(note.pitch for note in end.notes) + in_key
    highest = max(note.pitch for note in end.notes) + in_key
    while lowest + 12 * octaves < model.vocabulary.lowest_pitch:
        octaves += 1
    while highest + 12 * octaves > model.vocabulary.highest_pitch:
        octaves -= 1
    shift = in_key + 12 * octaves
    if lowest + 12 * octaves < model.vocabulary.lowest_pitch:
        return 0, ["B spans so many octaves that it is not moved to A's key"]
    told = {
        "glide": "key and register glide to B's",
        "a": "all are in A's key and register",
        "b": "all are in B's key and A's register",
    }[options.key]
    named = f"A is in {of_start}, B in {of_end}" if of_start and of_end else "the keys are unknown"
    if shift == 0:
        return 0, [f"{named}: nothing is moved"]
    return shift, [f"{named}: B is moved {_semitones(shift)} for the walk; {told}"]


def _plan_tempi(start: Melody, end: Melody, options: WalkOptions) -> list[str]:
    first, last = start.quarters_per_minute, end.quarters_per_minute
    if options.tempo != "glide" or round(first, 1) == round(last, 1):
        return []
    return [f"the tempo glides from {first:.4g} to {last:.4g} quarters per minute"]


def _latents(model: MelodyModel, melody: Melody, ends: Ends) -> Tensor:
    """A latent vector for each window of a tune, ``(W, Z)``."""
    windows = windows_of(model, melody)
    return exact_latents(model, windows) if ends == "exact" else posterior_means(model, windows)


def _walked_tokens(
    model: MelodyModel, first: Tensor, last: Tensor, options: WalkOptions, generator: torch.Generator | None
) -> np.ndarray:
    """The tokens of the walk, ``(count, W * T)``, from latents ``(W, Z)`` to latents ``(W, Z)``."""
    places, rows = _places(model, first, last, options)
    if options.temperature > 0:
        drawn = _decoded(model, _path(first, last, places), options.temperature, generator)
        between = slice(None) if options.ends == "model" else slice(1, -1)
        rows[between] = drawn[between]
    return rows


def _places(model: MelodyModel, first: Tensor, last: Tensor, options: WalkOptions) -> tuple[Tensor, np.ndarray]:
    """Where on the path the melodies are taken, ``(count,)``, from 0 to 1, and their greedy tokens."""
    if options.spacing == "latent":
        places = torch.linspace(0, 1, options.count, device=first.device)
        return places, _decoded(model, _path(first, last, places), 0.0, None)
    points = PATH_POINTS
    while True:
        grid = torch.linspace(0, 1, points, device=first.device)
        rows = _decoded(model, _path(first, last, grid), 0.0, None)
        is_new = np.append(True, (rows[1:] != rows[:-1]).any(axis=1))
        if is_new.sum() >= options.count or points >= MOST_PATH_POINTS:
            chosen = even_places(musical_distances(rows, rows), options.count)
            return grid[torch.from_numpy(chosen).to(grid.device)], rows[chosen]
        points = 2 * points - 1


def _path(first: Tensor, last: Tensor, places: Tensor) -> Tensor:
    """The great arcs from each of ``(W, Z)`` to its fellow, at ``places`` ``(N,)``: ``(N, W, Z)``."""
    return torch.stack([slerp(a, b, places) for a, b in zip(first, last, strict=True)], dim=1)


def _decoded(model: MelodyModel, path: Tensor, temperature: float, generator: torch.Generator | None) -> np.ndarray:
    count, windows, size = path.shape
    return decode_tokens(model, path.reshape(count * windows, size), temperature, generator).reshape(count, -1)


def _melody(model: MelodyModel, row: np.ndarray, like: Melody) -> Melody:
    """The melody of tokens ``(W * T,)``, window by window, with notes tied over the borders as in ``like``."""
    steps = model.config.steps
    windows = [model.vocabulary.decode(part, **fields_of(like)) for part in row.reshape(-1, steps)]
    return tied_like(Melody.join(windows).window(0, like.bars), like, model.config.bars)


def _glide(share: float, shift: int, options: WalkOptions) -> int:
    """By how many semitones a melody at ``share`` of the way is moved, where the end was moved by ``shift``."""
    return {"glide": round(-shift * share), "b": -_within_octave(shift)}.get(options.key, 0)


def _within_octave(semitones: int) -> int:
    return (semitones + 5) % 12 - 5


def _glided(
    model: MelodyModel,
    melody: Melody,
    start: Melody,
    end: Melody,
    share: float,
    back: int,
    options: WalkOptions,
) -> Melody:
    """A melody of the walk at ``share`` of the way, ``back`` semitones higher, in the tempo that it is to have."""
    pitches = [note.pitch for note in melody.notes] or [60]
    while max(pitches) + back > model.vocabulary.highest_pitch:
        back -= 12
    while min(pitches) + back < model.vocabulary.lowest_pitch:
        back += 12
    lean = {"glide": share, "b": 1.0}.get(options.tempo, 0.0)
    tempo = start.quarters_per_minute ** (1 - lean) * end.quarters_per_minute**lean
    moved = melody.transpose(back).fold_into(model.vocabulary.lowest_pitch, model.vocabulary.highest_pitch)
    return replace(moved, quarters_per_minute=tempo, program=start.program)


def _key_of(melody: Melody) -> Key | None:
    lengths = [note.end_step - note.start_step for note in melody.notes]
    return find_key(np.array([note.pitch for note in melody.notes]), np.array(lengths))


def _mean_pitch(melody: Melody) -> float:
    return float(np.mean([note.pitch for note in melody.notes]))


def _semitones(count: int) -> str:
    return f"{'up' if count > 0 else 'down'} {abs(count)} semitone{'' if abs(count) == 1 else 's'}"
