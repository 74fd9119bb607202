"""Hidden bars of a tune, filled in by a model that looks back, which hears both sides of them.

The bars before are heard; many candidates for the hidden bars are drawn after them, in their scale and range. Each is
then asked how likely it makes the visible bars that follow: p(hidden | before, after) is in proportion to p(hidden |
before) * p(after | before, hidden), so candidates drawn from the first factor are weighed by the second (importance
sampling), for whose logarithm its lower bound stands: at the posterior mean of z, less the KL divergence. The best of
the weighed candidates are taken, of those that are as dense as the bars near by.

Conventions: bars are counted from 0; a run is a number of hidden bars in a row, as (first, end).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import pairwise

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.composing import ComposingDecoder
from melodyvae.network.composing_steps import ComposingSteps
from melodyvae.network.draws import Draws
from melodyvae.network.latent import Gaussian
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.verbs.codec import fields_of, tied_like
from melodyvae.verbs.hidden_bars import near_bars, rules_around, without_bars

CANDIDATES = 96  # for each run, at least so many for each tune as MIN_CANDIDATES_EACH
MIN_CANDIDATES_EACH = 8
MAX_HEARD_BARS = 16  # before a run
MAX_WEIGHED_BARS = 8  # after a run
MAX_RUN_BARS = 8  # filled in at once
OWN_WEIGHT = 0.3  # of a candidate's own log-likelihood: at 1 the likeliest win, which copy too often and say too little
DENSITY_NATS = 6.0  # what a factor of e in density from the bars near by costs


def complete_from_both_sides(
    model: MelodyNetwork,
    melody: Melody,
    hidden_bars: Collection[int],
    count: int = 1,
    temperature: float = 1.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Melody]:
    """``count`` melodies that are ``melody`` in its visible bars, with its hidden bars filled in.

    Notes that reach from a visible bar into a hidden one end there, and those that reach out of one begin there.

    Args:
        model: one that looks back.
        melody: whole bars, hidden ones included.
        hidden_bars: those after the melody's end make it longer.
        count: how many.
        temperature: of the tokens' draw.
        draws: the source of all draws.
        scale: of the new bars: ``auto`` takes that of the bars near by; ``none`` allows all notes.
        progress: called with how many of the hidden bars are done, and how many there are.

    Raises:
        InpaintingError: if no bar is hidden, or none with a note is visible.
    """
    hidden, whole, visible = without_bars(melody, hidden_bars)
    bars = whole.bars
    known = [bar not in hidden for bar in range(bars)]
    tokens = np.repeat(model.laid(model.vocabulary.encode(visible))[None].astype(np.int64), count, axis=0)
    done = 0
    for first, end in _runs(hidden):
        around = [visible.window(bar, 1) for bar in range(bars) if known[bar] and bar not in hidden]
        near = [visible.window(bar, 1) for bar in near_bars(first, known) if bar not in hidden] or around
        rules = rules_around(model, near, scale)
        usual = sum(len(piece.notes) for piece in near) / len(near)
        tokens = _fill(model, tokens, known, (first, end), usual, rules, temperature, draws)
        known[first:end] = [True] * (end - first)
        done += end - first
        if progress is not None:
            progress(done, len(hidden))
    found = [model.vocabulary.decode(row, **fields_of(whole)) for row in model.lifted(tokens).astype(np.uint8)]
    return [_with_visible(one, visible, set(hidden), melody) for one in found]


def _with_visible(filled: Melody, visible: Melody, hidden: set[int], melody: Melody) -> Melody:
    """The filled-in tune with the visible notes as they were, loudness included."""
    pieces = [(filled if bar in hidden else visible).window(bar, 1) for bar in range(filled.bars)]
    joined = tied_like(Melody.join(pieces), filled, 1)
    return replace(joined, start_quarters=melody.start_quarters, name=melody.name)


def _runs(hidden: list[int]) -> list[tuple[int, int]]:
    """The runs of hidden bars, none longer than :data:`MAX_RUN_BARS`."""
    starts = [0, *(place for place, (one, other) in enumerate(pairwise(hidden), 1) if other > one + 1), len(hidden)]
    runs = []
    for start, stop in pairwise(starts):
        first, end = hidden[start], hidden[stop - 1] + 1
        runs += [(bar, min(bar + MAX_RUN_BARS, end)) for bar in range(first, end, MAX_RUN_BARS)]
    return runs


def _fill(
    model: MelodyNetwork,
    tokens: np.ndarray,
    known: list[bool],
    run: tuple[int, int],
    usual: float,
    rules: TokenRules | None,
    temperature: float,
    draws: Draws | None,
) -> np.ndarray:
    """The tunes ``(count, T)`` with one more run in them, ``usual`` notes per bar; steps are the network's own.

    Those that share their bars before the run share its candidates, too.
    """
    bar, found = model.room.steps // model.config.bars, tokens.copy()
    start = max(run[0] - MAX_HEARD_BARS, 0)
    stop = run[1]
    while stop < len(known) and known[stop] and stop < run[1] + MAX_WEIGHED_BARS:
        stop += 1
    part = slice(start * bar, stop * bar)
    alike, groups = np.unique(tokens[:, part], axis=0, return_inverse=True)
    for group, row in enumerate(alike):
        members = np.flatnonzero(groups.ravel() == group)
        candidates = max(CANDIDATES // len(alike), MIN_CANDIDATES_EACH * len(members))
        place = slice((run[0] - start) * bar, (run[1] - start) * bar)
        drawn, own, others = _candidates(model, row, place, candidates, rules, temperature, draws)
        scores = _scores(own, others, drawn[:, place], usual * (run[1] - run[0]))
        best = _best(drawn[:, place], scores, len(members))
        for member, choice in zip(members, best, strict=True):
            found[member, part] = drawn[choice]
    return found


def _best(filled: np.ndarray, scores: np.ndarray, count: int) -> list[int]:
    """The ``count`` best of ``filled`` ``(N, T)``, no two alike as long as there are others; none without a note."""
    order = np.argsort(-scores, kind="stable").tolist()
    has_note = np.asarray((filled >= FIRST_NOTE_ON).any(axis=1))
    chosen: list[int] = []
    seen: set[bytes] = set()
    for choice in [*(place for place in order if has_note[place]), *order]:
        if filled[choice].tobytes() not in seen:
            seen.add(filled[choice].tobytes())
            chosen.append(choice)
    return (chosen * count)[:count]


def _candidates(
    model: MelodyNetwork,
    row: np.ndarray,
    place: slice,
    count: int,
    rules: TokenRules | None,
    temperature: float,
    draws: Draws | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates for the steps ``place`` of a stretch ``(T,)``: ``(count, T)``, and two logarithms ``(count,)``.

    The first is that of each candidate's own probability, the second that of the visible steps given it.
    """
    decoder = model.decoder
    assert isinstance(decoder, ComposingDecoder)
    unit, width = decoder.segment_steps, decoder.segment_latent
    segments = -(-len(row) // unit)
    known = np.full(segments * unit, NO_EVENT)
    known[: len(row)] = row
    z = (draws or Draws()).normal(count, segments * width).astype(np.float32)
    before = place.start // unit  # segments that are heard as they are
    after = -(-place.stop // unit)  # the first one that lies after the run as a whole
    if before:
        z[:, : before * width] = model.encode(model.lifted(known[None, : before * unit])).mean
    writing = decoder.steps(z[:1] if before else z, model.conditions(1 if before else count))
    for step in range(before * unit):
        writing.log_probabilities()
        writing.write(known[step : step + 1])
    if before:
        writing = writing.chosen(np.zeros(count, np.int64), z)
    choice = model.choice(temperature, draws, rules)
    own, others = np.zeros(count), np.zeros(count)
    for step in range(before * unit, len(row)):
        if step == after * unit and step < len(row):
            others -= _read_the_rest(model, writing, known, z, after)
        logits = writing.log_probabilities()
        if not choice.opens(step):
            chosen = np.full(count, NO_EVENT)
        elif place.start <= step < place.stop:
            chosen = choice.choose(logits, step, writing.last_note)
            own += _of(logits, chosen)
        else:
            chosen = np.full(count, known[step])
            if step == place.stop and chosen[0] == NO_EVENT:  # nothing is held on into a silence
                chosen = np.where(writing.sounding, NOTE_OFF, chosen)
            others += _of(logits, chosen)
        writing.write(chosen)
    drawn = writing.tokens.T[:, : len(row)]
    return drawn, own, others


def _scores(own: np.ndarray, others: np.ndarray, filled: np.ndarray, usual: float) -> np.ndarray:
    """Scores of candidates ``filled`` ``(N, T)``, in nats: by :func:`_candidates`, and with ``usual`` many notes."""
    notes = (filled >= FIRST_NOTE_ON).sum(axis=1)
    dense = np.abs(np.log((notes + 1) / (usual + 1)))
    return np.asarray(others + OWN_WEIGHT * own - DENSITY_NATS * dense)


def _of(logits: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The log-probabilities of tokens ``(B,)``, from those of all ``(B, V)``."""
    return np.asarray(np.maximum(np.take_along_axis(logits, chosen[:, None], 1)[:, 0], -50.0))


def _read_the_rest(
    model: MelodyNetwork, writing: ComposingSteps, known: np.ndarray, z: np.ndarray, after: int
) -> np.ndarray:
    """Set z of the segments from ``after`` on to what they say after each candidate; the nats it takes, ``(B,)``."""
    decoder = model.decoder
    assert isinstance(decoder, ComposingDecoder)
    unit, width = decoder.segment_steps, decoder.segment_latent
    tokens = np.tile(known, (len(z), 1))
    tokens[:, : after * unit] = writing.tokens[: after * unit].T
    said = model.encode(model.lifted(tokens))
    rest = Gaussian(said.mean[:, after * width :], said.log_variance[:, after * width :])
    z[:, after * width :] = rest.mean
    return rest.kl_to_standard_normal()
