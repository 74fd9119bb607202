"""From one tune to another: the walk between two latent vectors, made for ears.

The two ends are encoded; their latents are refined until the tunes come back exactly
(:mod:`melodyvae.network.refine`); the great arc between them is decoded on a fine grid, and of what is found there
melodies are taken that are evenly far apart (:mod:`melodyvae.verbs.path`). The walk is made in one key and
register, the first tune's, since z also holds the pitch: otherwise a walk between two keys passes through neither. It
keeps to the scale of the two tunes (:mod:`melodyvae.verbs.in_scale`). Longer tunes than the model's are walked
window by window, and bars repeat where those of the ends do (:mod:`melodyvae.verbs.ties`). Key and tempo stay the
first tune's, or glide to the second's, or are any others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from melodyvae.music.harmony import Harmony
from melodyvae.music.keys import Key, key_of
from melodyvae.music.melody import Melody
from melodyvae.music.regions import ReadMelody
from melodyvae.music.scales import (
    Scale,
    ScaleChoice,
    parse_choice,
    parse_key,
    parse_tempo,
    weights_of,
)
from melodyvae.music.tokens import folded
from melodyvae.network.draws import Draws
from melodyvae.network.latent import slerp
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.alignment import KeyAndTempo, shift_to, tunes_in_scale, within_octave
from melodyvae.verbs.codec import (
    exact_latents,
    matching_steps,
    posterior_means,
    whole_melody,
)
from melodyvae.verbs.distance import musical_distances
from melodyvae.verbs.facts import (
    Fact,
    FewerFound,
    FittedToHarmony,
    KeyPlan,
    SameTune,
    TakenOfBoth,
    TempoPlan,
)
from melodyvae.verbs.in_scale import Surroundings, scales_kept
from melodyvae.verbs.path import even_places
from melodyvae.verbs.sources import Window, WindowError, pick_window, windows_of
from melodyvae.verbs.ties import Ties

if TYPE_CHECKING:
    from melodyvae.network.network import MelodyNetwork
    from melodyvae.verbs.interpolate import InterpolateOptions

Weights: TypeAlias = np.ndarray  # how many notes each pitch class has, (12,)
PATH_POINTS = 129
MAX_PATH_POINTS = 1025


@dataclass(frozen=True)
class Walk:
    """Melodies from one tune to another.

    Attributes:
        melodies: from the first to the second, fewer than were asked for if no more are distinct.
        ends: what the first and the last melody should be, as walked.
        steps_right: on how many steps the first and the last melody are the tunes they should be.
        distances: from each melody to the next, as walked (before the key glides); see
            :mod:`melodyvae.verbs.distance`.
        distinct: how many of the melodies are different from all before them, as walked.
        decisions: what was decided on the way.
        key_shifts: by how many semitones, -5 to 6, the key of each melody is above the first's.
        keys: of each melody, as it is written: that of the piece that it is nearer to, moved as it was moved; None if
            it is unknown.
    """

    melodies: tuple[Melody, ...]
    ends: tuple[Melody, Melody]
    steps_right: tuple[int, int]
    distances: tuple[float, ...]
    distinct: int
    decisions: tuple[Fact, ...]
    key_shifts: tuple[int, ...]
    keys: tuple[Key | None, ...]


def walk(
    model: MelodyNetwork,
    start: Melody,
    end: Melody,
    options: InterpolateOptions,
    draws: Draws | None = None,
    keys: tuple[Key | None, Key | None] | None = None,
    pieces: tuple[Weights, Weights] | None = None,
    harmony: Harmony | None = None,
) -> Walk:
    """The melodies between two, both included; all have the instrument of ``start``.

    Longer tunes than the model's windows are walked window by window, all at the same places of their paths.

    Args:
        model: the model.
        start: whole bars (see :func:`~melodyvae.verbs.sources.pick_window`).
        end: as many.
        options: how to walk.
        draws: the source of the draws when the temperature is above 0.
        keys: of the pieces that the two are from; by default they are found in the two themselves.
        pieces: how many notes each pitch class has in these pieces.
        harmony: what plays under all melodies, in the key of ``start``, moved to the scale if there is one.
    """
    if start.length_steps != end.length_steps:
        raise ValueError(f"the ends are {start.length_steps} and {end.length_steps} steps long; they must be as long")
    keys = keys or (key_of(start), key_of(end))
    scale = parse_choice(options.scale)
    (start, end), (key_of_start, key_of_end), said = tunes_in_scale((start, end), keys, scale, ("A", "B"))
    keys, pieces = (key_of_start, key_of_end), None if said else pieces
    key_plan = _plan_keys(start, end, options, keys, harmony)
    shift = (key_plan and key_plan.semitones) or 0
    is_told = key_plan is not None and not (said and key_plan.semitones == 0)  # in a scale they are in one key
    decisions: list[Fact] = [key_plan] if key_plan and is_told else []
    moved_end = end.transpose(shift)
    key_of_end = keys[1] and keys[1].transposed(shift)
    if harmony is not None and scale == "auto" and parse_key(options.key) != "none":
        moved_end, moved = harmony.fitted(moved_end, key_of_end)
        moved_end = folded(moved_end)
        if moved:
            key_of_end = harmony.scale.key
            decisions.append(FittedToHarmony(moved, len(end.notes), harmony.scale))
    around = _surroundings(model, start, moved_end, scale, pieces, shift, harmony)
    latents = [_latents(model, melody, options.ends) for melody in (start, moved_end)]
    places, rows = _walked_tokens(model, latents[0], latents[1], options, draws, around)
    tempi = start.quarters_per_minute, end.quarters_per_minute
    plan = KeyAndTempo(options.key, options.tempo, (0, shift), keys[0], tempi)
    shares = _shares(options.count)
    walked = [
        whole_melody(model, row, moved_end if far > 0.5 else start) for row, (_, far) in zip(rows, shares, strict=True)
    ]
    if options.ends == "original":
        walked[0], walked[-1] = start, moved_end
    kept = _distinct(walked, [plan.shift(share) for share in shares])
    walked, places, shares = [walked[index] for index in kept], places[kept], _shares(len(kept))
    shifts = [plan.shift(share) for share in shares]
    tokens = np.stack([model.vocabulary.encode(melody) for melody in walked])
    glided = [
        replace(plan.placed(melody, share), program=start.program) for melody, share in zip(walked, shares, strict=True)
    ]
    if len(kept) == 2 < options.count and walked[0].notes == walked[1].notes and shifts[0] == shifts[1]:
        said.append(SameTune())
    elif len(kept) < options.count:
        said.append(FewerFound(options.count, len(kept)))
    said += decisions
    return Walk(
        melodies=tuple(glided),
        ends=(start, moved_end),
        steps_right=(matching_steps(model, start, walked[0]), matching_steps(model, moved_end, walked[-1])),
        distances=tuple(np.diagonal(musical_distances(tokens, tokens), offset=1).tolist()),
        distinct=len(np.unique(tokens, axis=0)),
        decisions=(*said, *scales_kept(around, places, shifts), *_plan_tempi(start, end, options)),
        key_shifts=tuple(within_octave(glide) for glide in shifts),
        keys=_keys(around, places, shifts, (keys[0], key_of_end), parse_key(options.key) == "none"),
    )


@dataclass(frozen=True)
class WalkEnds:
    """The ends of a walk, from two pieces.

    Attributes:
        windows: of the first and of the second, equally long.
        keys: of the two pieces as a whole; None of one without notes.
        pieces: how many notes each pitch class has in the two pieces as a whole.
        decisions: how many, if one of them has fewer than were asked for.
    """

    windows: tuple[Window, Window]
    keys: tuple[Key | None, Key | None]
    pieces: tuple[Weights, Weights]
    decisions: tuple[TakenOfBoth, ...] = ()


def pick_ends(
    model: MelodyNetwork,
    sources: tuple[ReadMelody, ReadMelody],
    first_bars: tuple[int | None, int | None] = (None, None),
    bars: int | None = None,
) -> WalkEnds:
    """The bars to walk between: those asked for, or phrases.

    If one of the two pieces has fewer than ``bars`` bars, both give as many as it has (at least the model's); the other
    one, unless its first bar is given, gives those that are most like them in rhythm and contour.

    Args:
        model: the model.
        sources: the pieces.
        first_bars: where to begin in each, from 1; None leaves it open.
        bars: how many to take; the model's by default.

    Raises:
        WindowError: if there is no such bar, or no note in what was taken.
    """
    config = model.config
    wanted = bars or config.bars
    lengths = [found.melody.bars for found in sources]
    taken = max(min(wanted, *lengths), config.bars)
    windows = []
    for label, found, first_bar in zip("AB", sources, first_bars, strict=True):
        try:
            windows.append(pick_window(found, config, first_bar, taken))
        except WindowError as error:
            raise WindowError(f"{label}: {error}") from error
    short = int(lengths[1] < lengths[0])
    long = 1 - short
    decided = TakenOfBoth("AB"[short], lengths[short], taken)
    if lengths[short] < wanted <= lengths[long] and first_bars[long] is None:
        windows[long] = _best_match(model, sources[long], windows[short].melody)
        decided = replace(decided, matched="AB"[long])
    keys = (sources[0].key, sources[1].key)
    pieces = (weights_of(sources[0].melody), weights_of(sources[1].melody))
    return WalkEnds((windows[0], windows[1]), keys, pieces, (decided,) if taken < wanted else ())


def _best_match(model: MelodyNetwork, found: ReadMelody, target: Melody) -> Window:
    """The window of a piece, as long as ``target``, that is nearest to it in any key and octave."""
    bars = target.bars
    candidates = [(bar, window) for bar, window in found.melody.windows(bars) if len(window.notes) >= bars] or [
        (0, found.melody.window(0, bars))
    ]
    rows = np.stack([model.vocabulary.encode(window) for _, window in candidates])
    wanted = model.vocabulary.normalise(model.vocabulary.encode(target)[None])
    nearest = int(musical_distances(model.vocabulary.normalise(rows), wanted)[:, 0].argmin())
    return pick_window(found, model.config, found.layout.piece_bar(candidates[nearest][0]), bars)


def _surroundings(
    model: MelodyNetwork,
    start: Melody,
    end: Melody,
    scale: Scale | ScaleChoice,
    pieces: tuple[Weights, Weights] | None,
    shift: int,
    harmony: Harmony | None,
) -> Surroundings:
    """Surroundings of the walk; ``end`` has been moved by ``shift``, its piece has not."""
    tunes = [windows_of(model, melody) for melody in (start, end)]
    in_key = None if pieces is None else (pieces[0], np.roll(pieces[1], shift))
    return Surroundings.of(tunes, scale, in_key, harmony)


def _plan_keys(
    start: Melody,
    end: Melody,
    options: InterpolateOptions,
    keys: tuple[Key | None, Key | None],
    harmony: Harmony | None,
) -> KeyPlan | None:
    """By how many semitones the end is moved for the walk."""
    plan = parse_key(options.key)
    if plan == "none" or not start.notes or not end.notes:
        return None
    return KeyPlan(keys, shift_to(start, end, *keys, harmony), plan)


def _plan_tempi(start: Melody, end: Melody, options: InterpolateOptions) -> list[TempoPlan]:
    tempi, plan = (start.quarters_per_minute, end.quarters_per_minute), parse_tempo(options.tempo)
    is_one = isinstance(plan, str) and round(tempi[0], 1) == round(tempi[1], 1)
    return [] if is_one else [TempoPlan(tempi, plan)]


def _latents(model: MelodyNetwork, melody: Melody, ends: str) -> np.ndarray:
    """A latent vector for each window of a tune, ``(W, Z)``."""
    windows = windows_of(model, melody)
    return exact_latents(model, windows) if ends == "exact" else posterior_means(model, windows)


def _walked_tokens(
    model: MelodyNetwork,
    first: np.ndarray,
    last: np.ndarray,
    options: InterpolateOptions,
    draws: Draws | None,
    around: Surroundings,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the melodies on the path, 0 to 1, ``(count,)``, and their tokens, ``(count, W * T)``."""
    ties = None
    if len(first) > 1:
        ends = _decoded(model, first, last, np.array([0.0, 1.0]), around, None)
        ties = Ties.of(ends[0], ends[1], model.config.steps_per_bar, model.config.steps)
    places, rows = _places(model, first, last, options, around, ties)
    if options.temperature > 0:
        drawn = _decoded(model, first, last, places, around, ties, options.temperature, draws)
        between = slice(None) if options.ends == "model" else slice(1, -1)
        rows[between] = drawn[between]
    return places, rows


def _places(
    model: MelodyNetwork,
    first: np.ndarray,
    last: np.ndarray,
    options: InterpolateOptions,
    around: Surroundings,
    ties: Ties | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions on the path at which melodies are taken, 0 to 1, ``(count,)``, and their greedy tokens."""
    if options.spacing == "latent":
        places = np.linspace(0, 1, options.count)
        return places, _decoded(model, first, last, places, around, ties)
    points = PATH_POINTS
    while True:
        grid = np.linspace(0, 1, points)
        rows = _decoded(model, first, last, grid, around, ties)
        is_new = np.append(True, (rows[1:] != rows[:-1]).any(axis=1))
        if is_new.sum() >= options.count or points >= MAX_PATH_POINTS:
            chosen = even_places(musical_distances(rows, rows), options.count)
            return grid[chosen], rows[chosen]
        points = 2 * points - 1


def _decoded(
    model: MelodyNetwork,
    first: np.ndarray,
    last: np.ndarray,
    places: np.ndarray,
    around: Surroundings,
    ties: Ties | None,
    temperature: float = 0.0,
    draws: Draws | None = None,
) -> np.ndarray:
    """The tokens ``(N, W * T)`` at places ``(N,)`` of the great arcs from each of ``(W, Z)`` to its fellow, tied."""
    path = np.stack([slerp(a, b, places) for a, b in zip(first, last, strict=True)], axis=1)  # (N, W, Z)
    rows = around.decode(model, path, np.stack([1 - places, places], axis=1), temperature, draws)
    return rows if ties is None else ties.tied(rows, places)


def _keys(
    around: Surroundings,
    places: np.ndarray,
    shifts: Sequence[int],
    keys: tuple[Key | None, Key | None],
    is_between_keys: bool,
) -> tuple[Key | None, ...]:
    """The key of each melody at ``places``, moved by ``shifts``, where the tunes as walked are in ``keys``.

    Between two keys (``is_between_keys``) the scale of the place tells, unless it is that of one of the two.
    """
    found = []
    for index, (share, shift) in enumerate(zip(np.linspace(0, 1, len(shifts)), shifts, strict=True)):
        near, far = keys if share <= 0.5 else keys[::-1]
        key = near
        if is_between_keys and 0 < share < 1 and around.scale != "none":
            own = around.scale_at(np.array([1 - places[index], places[index]])).key
            same = [end for end in (near, far) if end is not None and end.major_tonic == own.major_tonic]
            key = same[0] if same else own
        found.append(key and key.transposed(shift))
    return tuple(found)


def _shares(count: int) -> np.ndarray:
    """Shares of the first and of the last tune in each of ``count`` melodies, ``(count, 2)``."""
    far = np.linspace(0, 1, count)
    return np.stack([1 - far, far], axis=1)


def _distinct(walked: list[Melody], shifts: list[int]) -> list[int]:
    """Indices of the melodies that, moved by ``shifts``, differ from those before; always the first and the last."""
    heard: set[object] = set()
    kept = []
    keys = [(melody.notes, shift) for melody, shift in zip(walked, shifts, strict=True)]
    for index, key in enumerate(keys):
        if index in (0, len(keys) - 1) or (key not in heard and key != keys[-1]):
            kept.append(index)
        heard.add(key)
    return kept
