"""Hidden bars of a tune, filled in from what can be seen.

For each hidden bar a window of the model is laid so that the bar stands in it as late as it can, after bars that are
known. Into it go guesses, the known bars near by; their latent vectors, moved at random, are what the decoder writes
the bar from, given the visible steps before it, in the scale and the range of the bars around. The candidate
that is most like its surroundings is taken: as likely as they are under the model, as dense, in a rhythm of
theirs, with intervals as wide, and joined to its neighbours without a leap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.scales import Scale, ScaleChoice, best_scale, pitch_class_weights
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.system.errors import UserError
from melodyvae.verbs.codec import fields_of, posterior_means, tied_like
from melodyvae.verbs.in_scale import rules_within
from melodyvae.verbs.scoring import negative_elbo

MAX_CANDIDATES = 32  # per bar and tune
MIN_CANDIDATES = 8
MAX_ROWS = 400  # candidates in all: a few seconds of one core
NEAR_BARS = 8  # on either side, whose scale, range, density and rhythm count
AMOUNTS = (0.2, 0.8)  # how far the latent vectors of the guesses are moved: the least and the most
USUAL_NATS = 8.0  # how much less usual a window may be for one unit of cost
WIDE_JOIN = 7  # semitones over a bar line that cost nothing


class InpaintingError(UserError, ValueError):
    """There is nothing to fill in, or nothing to go by."""


def complete(
    model: MelodyNetwork,
    melody: Melody,
    hidden_bars: Collection[int],
    count: int = 1,
    temperature: float = 0.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Melody]:
    """``count`` melodies that are ``melody`` in its visible bars, with its hidden bars filled in.

    Notes that reach from a visible bar into a hidden one end there, and those that reach out of one begin there.

    Args:
        model: the model.
        melody: whole bars, at least as many as a window has, hidden ones included.
        hidden_bars: from 0; those after the melody's end make it longer.
        count: how many.
        temperature: of the tokens' draw; the completions differ at 0 too, since z is drawn.
        draws: the source of all draws.
        scale: of the new bars: ``auto`` takes that of the bars near by; ``none`` allows all notes.
        progress: called with how many of the hidden bars are done, and how many there are.

    Raises:
        InpaintingError: if no bar is hidden, or none with a note is visible.
    """
    hidden, whole, visible = without_bars(melody, hidden_bars, model.config.bars)
    bars, melodies = whole.bars, [visible] * count
    known = [bar not in hidden for bar in range(bars)]
    candidates = min(max(MAX_ROWS // (count * len(hidden)), MIN_CANDIDATES), MAX_CANDIDATES)
    around = [melodies[0].window(bar, 1) for bar in range(bars) if known[bar]]
    usual = _usual_nats(model, whole, known)
    for number, bar in enumerate(hidden, start=1):
        near = [melodies[0].window(other, 1) for other in near_bars(bar, known)] or around
        melodies = _fill(model, melodies, whole, bar, known, near, usual, candidates, temperature, draws, scale)
        known[bar] = True
        if progress is not None:
            progress(number, len(hidden))
    return [replace(found, start_quarters=melody.start_quarters, name=melody.name) for found in melodies]


def without_bars(melody: Melody, hidden_bars: Collection[int], least_bars: int = 1) -> tuple[list[int], Melody, Melody]:
    """The bars to hide, in order, the melody as long as they reach, and the same without the notes of these bars.

    Raises:
        InpaintingError: if no bar is hidden, or none with a note is visible.
    """
    hidden = sorted(set(hidden_bars))
    if not hidden or hidden[0] < 0:
        raise InpaintingError("no bar is hidden, so there is nothing to fill in")
    bars = max(melody.bars, hidden[-1] + 1, least_bars)
    whole = melody.pad_to(bars)
    pieces = [silent(whole, bar) if bar in hidden else whole.window(bar, 1) for bar in range(bars)]
    if not any(piece.notes for piece in pieces):
        raise InpaintingError("no visible bar has a note, so there is nothing to go by")
    return hidden, whole, tied_like(Melody.join(pieces), whole, 1)


def near_bars(bar: int, known: list[bool]) -> list[int]:
    """The known bars at most :data:`NEAR_BARS` away, the nearest first, earlier ones before later ones."""
    distances = sorted(range(-NEAR_BARS, NEAR_BARS + 1), key=lambda distance: (abs(distance), distance > 0))
    return [bar + distance for distance in distances if 0 <= bar + distance < len(known) and known[bar + distance]]


def _fill(
    model: MelodyNetwork,
    melodies: list[Melody],
    whole: Melody,
    bar: int,
    known: list[bool],
    near: list[Melody],
    usual: float | None,
    count: int,
    temperature: float,
    draws: Draws | None,
    scale: Scale | ScaleChoice,
) -> list[Melody]:
    """The melodies with one more bar in them, each the best of ``count`` candidates."""
    size, steps = model.config.bars, whole.steps_per_bar
    first = min(max(bar - size + 1, 0), len(known) - size)
    visible = np.repeat(known[first : first + size], steps)
    tokens = np.stack([model.vocabulary.encode(melody.window(first, size)) for melody in melodies])
    rows = np.repeat(tokens, count, axis=0).astype(np.int64)
    guesses = np.stack([model.vocabulary.encode(guess) for guess in near if guess.notes] or [tokens[0, :steps]])
    guessed = rows.copy()
    place = (bar - first) * steps
    guessed[:, place : place + steps] = guesses[np.arange(len(rows)) % len(guesses)]
    amounts = np.tile(np.linspace(*AMOUNTS, count, dtype=np.float32), len(melodies))[:, None]
    means = posterior_means(model, guessed)
    z = np.sqrt(1 - amounts**2) * means + amounts * model.prior(len(rows)).sample(draws)
    rules = rules_around(model, near, scale)
    filled = model.fill_in(z, rows, visible, temperature, draws, rules).astype(np.uint8)
    # Only what is near is put together for each candidate: a song may have a hundred bars.
    low, high = max(bar - size, 0), min(bar + size + 1, len(known))
    parts = [melody.window(low, high - low) for melody in melodies]
    part_of_whole = whole.window(low, high - low)
    candidates = [
        _with_bar(model, parts[index // count], part_of_whole, row, bar - low, first - low)
        for index, row in enumerate(filled)
    ]
    starts = [
        start
        for start in range(max(bar - size + 1, 0), min(bar, len(known) - size) + 1)
        if all(known[other] or other == bar for other in range(start, start + size))
    ] or [first]
    nats = np.zeros(len(candidates))
    for start in starts:
        windows = np.stack([model.vocabulary.encode(melody.window(start - low, size)) for melody in candidates])
        nats += negative_elbo(model, windows) / len(starts)
    costs = (nats if usual is None else np.abs(nats - usual)) / USUAL_NATS
    costs += np.array([_strangeness(melody, bar - low, near) for melody in candidates])
    bars = [melody.window(bar - low, 1).notes for melody in candidates]
    best = _best_of_each(bars, costs.reshape(len(melodies), count))
    return [
        _with_bar(model, melody, whole, filled[choice], bar, first)
        for melody, choice in zip(melodies, best, strict=True)
    ]


def _best_of_each(bars: list[tuple[MelodyNote, ...]], costs: np.ndarray) -> list[int]:
    """The cheapest candidate for each row of costs ``(melodies, count)`` that no row has chosen yet, if there is one.

    ``bars`` are the notes of all candidates, one row after the other.
    """
    chosen: list[int] = []
    written: set[tuple[MelodyNote, ...]] = set()
    for index, row in enumerate(costs):
        order = (index * len(row) + np.argsort(row, kind="stable")).tolist()
        new = [choice for choice in order if bars[choice] not in written]
        chosen.append((new or order)[0])
        written.add(bars[chosen[-1]])
    return chosen


def rules_around(model: MelodyNetwork, near: list[Melody], scale: Scale | ScaleChoice) -> TokenRules | None:
    """Rules that keep a bar in the scale and the range of those near by."""
    pitches = np.array([note.pitch for melody in near for note in melody.notes], np.int64)
    if scale == "none" or not len(pitches):
        return None
    chosen = scale if isinstance(scale, Scale) else best_scale(pitch_class_weights(pitches))
    return rules_within(chosen, int(pitches.min()), int(pitches.max()))


def _strangeness(melody: Melody, bar: int, near: list[Melody]) -> float:
    """Dissimilarity of a bar from the bars near by: in density, rhythm and intervals, and at its borders."""
    new = melody.window(bar, 1)
    counts = [len(other.notes) for other in near]
    usual_count = float(np.mean(counts)) if counts else len(new.notes)
    density = abs(math.log((len(new.notes) + 1) / (usual_count + 1)))
    onsets = {note.start_step for note in new.notes}
    rhythms = [_overlap(onsets, {note.start_step for note in other.notes}) for other in near]
    rhythm = 1 - max(rhythms, default=1.0)
    interval = abs(_mean_interval([new]) - _mean_interval(near)) / 4
    start, end = bar * melody.steps_per_bar, (bar + 1) * melody.steps_per_bar
    joins = [
        abs(one.pitch - other.pitch)
        for one, other in pairwise(melody.notes)
        if one.start_step < start <= other.start_step or one.start_step < end <= other.start_step
    ]
    join = sum(max(distance - WIDE_JOIN, 0) for distance in joins) / 4
    return density + rhythm + interval + join


def _overlap(one: set[int], other: set[int]) -> float:
    """The share of what is in either that is in both; 1 of nothing."""
    return len(one & other) / len(one | other) if one | other else 1.0


def _mean_interval(melodies: Sequence[Melody]) -> float:
    """The mean absolute interval between notes in a row, in semitones; 0 if there is none."""
    found = [abs(one.pitch - other.pitch) for melody in melodies for one, other in pairwise(melody.notes)]
    return float(np.mean(found)) if found else 0.0


def _usual_nats(model: MelodyNetwork, whole: Melody, known: list[bool]) -> float | None:
    """The mean negative ELBO of the windows in which all is known; None if there is none with a note."""
    size = model.config.bars
    windows = [whole.window(start, size) for start in range(len(known) - size + 1) if all(known[start : start + size])]
    rows = [model.vocabulary.encode(window) for window in windows if window.notes]
    return float(negative_elbo(model, np.stack(rows)).mean()) if rows else None


def _with_bar(model: MelodyNetwork, melody: Melody, whole: Melody, row: np.ndarray, bar: int, first: int) -> Melody:
    """A melody with one of its bars taken from a window that begins at bar ``first``."""
    written = model.vocabulary.decode(row, **fields_of(whole)).window(bar - first, 1)
    pieces = [written if index == bar else melody.window(index, 1) for index in range(melody.bars)]
    joined = Melody.join(pieces)
    # What the melody held over bar lines, and what the whole one did, is held again.
    return tied_like(tied_like(joined, melody, 1), whole, 1)


def silent(melody: Melody, bar: int) -> Melody:
    """A bar of silence, otherwise like that of a melody."""
    return replace(melody.window(bar, 1), notes=())
