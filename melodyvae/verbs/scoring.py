"""Scores of the windows and the notes of a tune: how unusual they are.

A window's score is its negative ELBO, in nats per step of the model's own bars, also in meters that leave some of them
unused: a window of waltzes has as many nats as one of reels. Beside it stands the percentile among held-out windows of
the model's own training data, whose quantiles are kept with the model. A model that remembers windows exactly remembers
a wrong note nearly as well as a right one, so notes are judged by one that hears the whole tune: see
:mod:`melodyvae.verbs.doubts`. ``tests/benchmarks/wrong_notes.py`` prints how much it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.checkpoint import check_extras
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import in_parts, random_rows
from melodyvae.verbs.attributes import MAJOR_SCALES
from melodyvae.verbs.doubts import DOUBTFUL_NATS, can_hear, note_doubts, recurring_notes

QUANTILES = "score.quantiles"  # among a model's extras
PERCENTILES = 101
ROWS_AT_ONCE = 512
MAX_WINDOWS = 4096


@dataclass(frozen=True)
class NoteScore:
    """A note and how doubtful it is, in nats (see above), with a likelier pitch; ``bar`` and ``beat`` are from 1.

    ``is_doubtful`` is whether that is so much that it should be looked at.
    """

    bar: int
    beat: float
    note: MelodyNote
    nats: float
    better_pitch: int
    is_doubtful: bool


@dataclass(frozen=True)
class WindowScore:
    """A window of a tune.

    Attributes:
        first_bar: from 1.
        nats_per_step: its negative ELBO.
        percentile: the share of held-out windows, in percent, that are less unusual; None of a model that came without.
        notes: its notes, the most doubtful first.
    """

    first_bar: int
    nats_per_step: float
    percentile: float | None
    notes: tuple[NoteScore, ...]


def score(model: MelodyNetwork, melody: Melody, composer: MelodyNetwork | None = None) -> list[WindowScore]:
    """The score of every window of ``melody`` that has a note, a bar apart; a shorter melody is padded with silence.

    The notes are judged by ``composer``, a model that looks back, if there is one that takes the tune; else none is.
    """
    padded = melody.pad_to(model.config.bars)
    found = [(first, window) for first, window in padded.windows(model.config.bars) if window.notes]
    if not found:
        return []
    rows = np.stack([model.vocabulary.encode(window) for _, window in found])
    per_step = negative_elbo(model, rows) / model.room.steps
    quantiles = model.extras.get(QUANTILES)
    if quantiles is not None:
        check_extras(model.extras, {QUANTILES: (PERCENTILES,)})
    scale = best_scale([note.pitch for note in melody.notes])
    doubts, shifts = np.full(len(melody.notes), -np.inf), np.zeros(len(melody.notes), np.int64)
    if composer is not None and can_hear(composer, melody):
        doubts, shifts = note_doubts(composer, melody, scale)
    starts = np.array([note.start_step for note in melody.notes])
    recurs = recurring_notes(melody)
    scores = []
    for (first, window), nats in zip(found, per_step, strict=True):
        percentile = None if quantiles is None else float(np.interp(nats, quantiles, np.linspace(0, 100, PERCENTILES)))
        # The notes of the tune; a window may begin within one.
        steps = np.array([note.start_step for note in window.notes]) + first * window.steps_per_bar
        numbers = np.searchsorted(starts, steps, side="right") - 1
        is_cleared = recurs[numbers] | np.isneginf(doubts[numbers])
        notes = [
            NoteScore(
                bar=first + 1 + note.start_step // window.steps_per_bar,
                beat=1 + note.start_step % window.steps_per_bar / window.steps_per_quarter,
                note=note,
                nats=0.0 if cleared else float(gain),
                better_pitch=note.pitch if cleared else note.pitch + int(shift),
                is_doubtful=bool(gain >= DOUBTFUL_NATS and not cleared),
            )
            for note, gain, shift, cleared in zip(
                window.notes, doubts[numbers], shifts[numbers], is_cleared, strict=True
            )
        ]
        ordered = tuple(sorted(notes, key=lambda doubtful: -doubtful.nats))
        scores.append(WindowScore(first + 1, float(nats), percentile, ordered))
    return scores


def best_scale(pitches: Sequence[int] | np.ndarray) -> np.ndarray:
    """The major scale that holds most of the notes: booleans by pitch class ``(12,)``."""
    counts = np.bincount(np.asarray(pitches, np.int64) % 12, minlength=12)
    return np.asarray(MAJOR_SCALES[int(np.argmax(MAJOR_SCALES @ counts))])


def negative_elbo(model: MelodyNetwork, windows: np.ndarray) -> np.ndarray:
    """-log p(x | z) at the posterior mean, plus the KL, in nats, of token windows ``(N, T)``: ``(N,)``.

    At the mean, and not at a draw, so that windows that hardly differ can be compared.
    """
    found = []
    for tokens in in_parts(windows, ROWS_AT_ONCE):
        posterior = model.encode(tokens)
        reconstruction = model.nats(posterior.mean, tokens).sum(axis=1)
        found.append(reconstruction + posterior.kl_to_standard_normal())
    return np.concatenate(found).astype(np.float64)


def fit_quantiles(model: MelodyNetwork, held_out: np.ndarray) -> dict[str, np.ndarray]:
    """Quantiles ``(101,)`` of held-out windows' nats per step, for a model's extras: :func:`score` ranks with them."""
    if not len(held_out):
        return {}
    some = random_rows(held_out, MAX_WINDOWS, seed=0)
    per_step = negative_elbo(model, some) / some.shape[1]
    return {QUANTILES: np.quantile(per_step, np.linspace(0, 1, PERCENTILES)).astype(np.float32)}
