"""Find the doubtful notes of a tune with a model that hears the tune: it knows keys, and that bars repeat.

A note's doubt is by how many nats the whole tune would be likelier with the note at another pitch near, all that comes
later included: a theme that comes back gives away a wrong note where it stood first. :data:`NATS_A_SEMITONE` less for
each semitone beyond the first, as small slips are the most common, and :data:`OUTSIDE_NATS` more where the note leaves
the major scale that holds most of the tune's notes, and the other pitch does not. The latent vector is the mean of the
learned prior at every segment, so nothing of a wrong note is remembered. A bar that recurs exactly anywhere in the tune
clears its notes: what is written twice is meant.

These numbers were chosen on the valid split of the tunes that melody-compose was trained on (80 windows of sixteen
bars, one note moved by a semitone in each): the ROC AUC of that note was .95 without the scale and .96 with it; with
fourteen pitches up to an octave away in place of the four near ones it was .92 and .94.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.tokens import FIRST_NOTE_ON, VOCABULARY_SIZE
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import in_parts

NEAR = (-2, -1, 1, 2)  # semitones; tried for every note
FURTHER = (-4, -3, 3, 4)  # tried for the notes that one of the near ones makes likelier
NATS_A_SEMITONE = 1.0
OUTSIDE_NATS = 2.0
DOUBTFUL_NATS = 4.0  # three of four notes moved by a semitone have more, and 3% of the others
CONTEXT_BARS = 16  # heard around a note; the model looks back eight
ROWS_AT_ONCE = 64


def can_hear(composer: MelodyNetwork, tune: Melody) -> bool:
    """Whether a model that looks back takes a tune as it is: of its grid, in bars that it has room for."""
    config = composer.room
    on_grid = tune.steps_per_quarter == config.steps_per_quarter
    return config.look_back and on_grid and config.room_for(tune.meter) is not None


def note_doubts(composer: MelodyNetwork, tune: Melody, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Doubt of each note of ``tune`` in nats, ``(N,)``, and its shift in semitones to the likelier pitch, ``(N,)``.

    Those of :func:`recurring_notes` are not judged: they have minus infinity.

    Args:
        composer: a model that looks back; see :func:`can_hear`.
        tune: within the model's pitch range.
        scale: of each pitch class ``(12,)``, whether it belongs.
    """
    doubts, shifts = np.full(len(tune.notes), -np.inf), np.zeros(len(tune.notes), np.int64)
    pitches = np.array([note.pitch for note in tune.notes])
    recurs = recurring_notes(tune)
    for tried in (NEAR, FURTHER):
        asked = np.flatnonzero(~recurs if tried is NEAR else doubts > 0).tolist()
        for number, shift, gain in _gains(composer, tune, asked, tried):
            here, there = scale[pitches[number] % 12], scale[(pitches[number] + shift) % 12]
            doubt = gain - NATS_A_SEMITONE * (abs(shift) - 1) + OUTSIDE_NATS * (int(there) - int(here))
            if doubt > doubts[number]:
                doubts[number], shifts[number] = doubt, shift
    return doubts, shifts


def recurring_notes(tune: Melody) -> np.ndarray:
    """Whether each note of a tune begins in a bar that comes again exactly, loudness aside: booleans ``(N,)``."""
    bars = [tuple(note[:3] for note in tune.window(number, 1).notes) for number in range(tune.bars)]
    counts = Counter(bars)
    return np.array([counts[bars[note.start_step // tune.steps_per_bar]] > 1 for note in tune.notes], bool)


def _gains(
    composer: MelodyNetwork, tune: Melody, numbers: Sequence[int], shifts: Sequence[int]
) -> Iterator[tuple[int, int, float]]:
    """By how many nats the tune is likelier with each of these notes moved by each of the shifts."""
    segment = composer.config.segment_bars or composer.config.bars
    padded = tune.pad_to(max(-(-tune.bars // segment) * segment, segment))
    bar_of = [note.start_step // tune.steps_per_bar for note in tune.notes]
    first_bar = [_first_bar(bar, padded.bars, segment) for bar in bar_of]
    for start, group in groupby(numbers, key=first_bar.__getitem__):
        window = composer.vocabulary.encode(padded.window(start, min(CONTEXT_BARS, padded.bars - start)))
        in_window = list(group)
        steps = [tune.notes[number].start_step - start * tune.steps_per_bar for number in in_window]
        rows, moved = at_other_pitches(window, steps, shifts)
        nats = _nats(composer, rows)
        for (index, shift), cost in zip(moved, nats[1:], strict=True):
            yield in_window[index], shift, float(nats[0] - cost)


def at_other_pitches(
    window: np.ndarray, steps: Sequence[int] | np.ndarray, shifts: Sequence[int]
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A token window ``(T,)``, then it with one of its notes moved, ``(N + 1, T)``; and which note of each, how far.

    The notes are told by the ``steps`` of their onsets, and named by their place among these. A shift is left out that
    leads to no note of the vocabulary.
    """
    rows, moved = [window], []
    for index, step in enumerate(steps):
        for shift in shifts:
            token = int(window[step]) + shift
            if FIRST_NOTE_ON <= token < VOCABULARY_SIZE:
                row = window.copy()
                row[step] = token
                rows.append(row)
                moved.append((index, shift))
    return np.stack(rows), moved


def _first_bar(bar: int, bars: int, segment: int) -> int:
    """First bar of the window of :data:`CONTEXT_BARS` that holds a bar: half of them before it, if there are."""
    half = CONTEXT_BARS // 2 // segment * segment
    start = (bar - half // 2) // half * half
    return max(min(start, -(-(bars - CONTEXT_BARS) // segment) * segment), 0)


def _nats(composer: MelodyNetwork, rows: np.ndarray) -> np.ndarray:
    """-log p of windows ``(N, T)`` at the mean of the learned prior, in nats: ``(N,)``."""
    segment_steps = composer.config.steps // composer.config.segments
    latent = composer.config.latent_size // composer.config.segments * (rows.shape[1] // segment_steps)
    found = []
    for tokens in in_parts(rows, ROWS_AT_ONCE):
        z = np.zeros((len(tokens), latent), np.float32)
        found.append(composer.nats(z, tokens).sum(axis=1))
    return np.concatenate(found).astype(np.float64)
