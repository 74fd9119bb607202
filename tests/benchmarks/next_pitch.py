"""Prediction of the next pitch of a tune, by a model that composes and by a 5-gram of intervals.

    python -m tests.benchmarks.next_pitch TRAINED OTHERS [--model melody-compose] [--tunes 300] [--draws 16]

TRAINED is the dataset of tunes that the model was trained on, OTHERS one of tunes that it was not:
``melodyvae prep music21:essenFolksong --bars 16 --notes-a-bar 1.5 -o essen``. Of the beginnings of the tunes of all its
splits so many are taken, spread evenly. At each note from the second on the model, given the tune so far and that a
note begins, says how probable each pitch is: its probabilities of tokens, those of notes alone. Per row:

- precision: share of notes whose pitch is the most probable one;
- nats: mean -log p of the pitch;
- the same where the pitch changes: at the notes that are not the pitch before; and there without being told that a note
  begins, among all tokens.

z is either at the mean of the learned prior given the bars before, or marginal: the probabilities given ``--draws``
draws from that prior are averaged, each weighed by how probable it makes the segment so far. The 5-gram (Witten and
Bell) knows the four intervals before and nothing of time; it has learned from the training windows of TRAINED, each
bar once. ``same`` always says the pitch before.

Published, of tunes of The Session, where the pitch changes: CCSTM-512, not told that a note begins, .682 and 1.237
nats; IDyOM, from note to note, .426 and 1.870 nats (table 1 of https://doi.org/10.5334/tismir.123).
"""

import argparse
from pathlib import Path

import numpy as np

from melodyvae.datasets.windows import SPLITS, open_dataset
from melodyvae.evaluation.ngram import NgramModel
from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import in_parts

ORDER = 5
MAX_INTERVAL = 24  # semitones; larger ones are counted with it
START = 2 * MAX_INTERVAL + 1  # stands before the first interval
ROWS_AT_ONCE = 64
COLUMNS = "precision, nats, where the pitch changes: precision, nats, not told that a note begins: precision, nats"


def beginnings(dataset: Path, count: int) -> np.ndarray:
    """The first windows of tunes of all splits, spread evenly, ``(N, T)``."""
    data = open_dataset(dataset)
    rows = np.concatenate([np.asarray(data.splits[split])[data.tune_beginnings(split)] for split in SPLITS])
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def side_by_side(dataset: Path) -> np.ndarray:
    """Training windows that do not overlap, ``(N, T)``."""
    data, places = open_dataset(dataset), np.load(dataset / "windows.npy")
    places = places[places["split"] == SPLITS.index("train")]
    free_from: dict[tuple[int, int], int] = {}
    chosen = []
    for row in np.lexsort((places["first_bar"], places["track"], places["source"])).tolist():
        tune, first_bar = (int(places["source"][row]), int(places["track"][row])), int(places["first_bar"][row])
        if first_bar >= free_from.get(tune, 0):
            chosen.append(row)
            free_from[tune] = first_bar + data.meta["bars"]
    return np.asarray(data.splits["train"][np.sort(chosen)])


def notes_of(windows: np.ndarray) -> list[np.ndarray]:
    """The tokens of the notes of each window."""
    return [row[row >= FIRST_NOTE_ON].astype(np.int64) for row in windows]


def intervals_of(notes: np.ndarray) -> np.ndarray:
    """START four times, then the intervals from note to note, from 0."""
    steps = np.clip(np.diff(notes), -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL
    return np.concatenate([np.full(ORDER - 1, START), steps])


def by_ngram(train: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Probability of each interval at each note from the second on, ``(M, 2 * 24 + 1)``."""
    contexts = [_contexts(intervals_of(notes)) for notes in notes_of(train) if len(notes) > 1]
    model = NgramModel(np.concatenate(contexts), START + 1)
    asked = np.concatenate([_contexts(intervals_of(notes)) for notes in notes_of(windows)])
    choices = np.arange(START)
    found = []
    for part in in_parts(asked, 512):
        rows = np.repeat(part, START, axis=0)
        rows[:, -1] = np.tile(choices, len(part))
        found.append(model.probabilities(rows)[:, -1].reshape(len(part), START))
    probabilities = np.concatenate(found)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def _contexts(intervals: np.ndarray) -> np.ndarray:
    """Each interval after the four before it, ``(notes - 1, 5)``."""
    if len(intervals) < ORDER:
        return np.zeros((0, ORDER), np.int64)
    return np.lib.stride_tricks.sliding_window_view(intervals, ORDER).astype(np.int64)


def by_model(model: MelodyNetwork, windows: np.ndarray, draws: int) -> np.ndarray:
    """Probability of each token at each step, ``(N, T, V)``; 0 draws take the mean of the prior."""
    segment = model.config.steps // model.config.segments
    latent = windows.shape[1] // segment * (model.config.latent_size // model.config.segments)
    source, found = Draws(0), []
    for rows in in_parts(windows, ROWS_AT_ONCE):
        tokens = rows.astype(np.int64)
        total, weight = 0.0, 0.0
        for _ in range(max(draws, 1)):
            z = source.normal(len(rows), latent).astype(np.float32) * (draws > 0)
            logits = model.logits(z, tokens).astype(np.float64)
            chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
            chances /= chances.sum(axis=-1, keepdims=True)
            of_token = np.log(np.take_along_axis(chances, tokens[..., None], axis=-1)[..., 0])
            in_segment = of_token.reshape(len(rows), -1, segment)
            before = np.cumsum(in_segment, axis=-1) - in_segment  # of the segment, until just before each step
            likelihood = np.exp(before).reshape(tokens.shape)[..., None]
            total, weight = total + likelihood * chances, weight + likelihood
        found.append(total / weight)
    return np.concatenate(found)


def print_row(name: str, chances: np.ndarray, right: np.ndarray, changes: np.ndarray, of_tokens: np.ndarray) -> None:
    """Print the columns from the probabilities of choices at notes ``(M, K)``, and of all tokens there."""
    of_right = np.take_along_axis(chances, right[:, None], axis=1)[:, 0]
    is_right = chances.argmax(axis=1) == right
    nats = -np.log(np.maximum(of_right, 1e-12))
    values = [is_right.mean(), nats.mean(), is_right[changes].mean(), nats[changes].mean()]
    if len(of_tokens):
        among_all = np.take_along_axis(of_tokens, right[:, None] + FIRST_NOTE_ON, axis=1)[:, 0][changes]
        best = of_tokens.argmax(axis=1)[changes] == right[changes] + FIRST_NOTE_ON
        values += [best.mean(), -np.log(np.maximum(among_all, 1e-12)).mean()]
    print(f"{name:<28}" + "".join(f"{value:9.3f}" for value in values))


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--model", default="melody-compose")
    parser.add_argument("--tunes", type=int, default=300)
    parser.add_argument("--draws", type=int, default=16)
    arguments = parser.parse_args()
    model, windows = MelodyNetwork.read(arguments.model), beginnings(arguments.others, arguments.tunes)
    rows, steps = np.nonzero(windows >= FIRST_NOTE_ON)
    is_later = np.append(False, rows[1:] == rows[:-1])
    tokens = windows[rows, steps].astype(np.int64)
    intervals = np.clip(np.diff(tokens, prepend=0)[is_later], -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL
    changes = intervals != MAX_INTERVAL
    print(f"{len(windows)} tunes, {len(changes)} notes, {changes.sum()} of another pitch than the one before")
    print(COLUMNS)
    for name, draws in (("mean of the prior", 0), (f"marginal, {arguments.draws} draws", arguments.draws)):
        at_notes = by_model(model, windows, draws)[rows, steps][is_later]
        of_notes = at_notes[:, FIRST_NOTE_ON:] / at_notes[:, FIRST_NOTE_ON:].sum(axis=1, keepdims=True)
        print_row(f"{arguments.model}, {name}", of_notes, tokens[is_later] - FIRST_NOTE_ON, changes, at_notes)
    by_intervals = by_ngram(side_by_side(arguments.trained), windows)
    print_row("5-gram of intervals", by_intervals, intervals, changes, np.zeros((0, 0)))
    print(f"{'same':<28}{1 - changes.mean():9.3f}")


if __name__ == "__main__":
    main()
