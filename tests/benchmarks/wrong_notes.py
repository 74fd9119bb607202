"""How well ``melodyvae score`` finds wrong notes, by ROC AUC, on held-out windows with planted errors.

    python -m tests.benchmarks.wrong_notes DATASET [--split all] [--model melody-2bar] [--windows 300] [--seed 0]

In each window one note, drawn at random, is moved by one semitone, up or down. Printed are the ROC AUC of telling

- windows with an error from the same windows without one, by their negative ELBO;
- the wrong notes from all other notes of their windows, by melodyvae.generation.scoring.note_scores, and by the ELBO's
  part of it;

each beside a rule that knows only scales: the share of notes outside the major scale that fits the window best, and
whether the note is outside it.
"""

from __future__ import annotations

import argparse

import numpy as np

from data_prep.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.datasets.windows import open_dataset
from melodyvae.generation.scoring import best_scale, negative_elbo, note_scores
from melodyvae.models.melody import MelodyModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--split", choices=["test", "valid", "all"], default="test")
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--windows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = MelodyModel.from_pretrained(arguments.model)
    splits = open_dataset(arguments.dataset).splits
    rows = np.concatenate(list(splits.values())) if arguments.split == "all" else np.array(splits[arguments.split])
    generator = np.random.default_rng(arguments.seed)
    clean = rows[generator.permutation(len(rows))[: arguments.windows]]
    planted = clean.copy()
    wrong = []
    for row in planted:
        step = int(generator.choice(np.flatnonzero(row >= FIRST_NOTE_ON)))
        row[step] = np.clip(int(row[step]) + generator.choice((-1, 1)), FIRST_NOTE_ON, model.vocabulary.size - 1)
        wrong.append(step)
    labels = np.repeat([0, 1], len(clean))
    both = np.concatenate([clean, planted])
    outside = [_outside(row, model.vocabulary) for row in both]
    by_scale = np.array([notes.mean() for notes in outside])
    print(f"{len(clean)} windows of {arguments.dataset} ({arguments.split}), {arguments.model}")
    print(f"windows: ROC AUC {_auc(negative_elbo(model, both), labels):.3f} (by scales {_auc(by_scale, labels):.3f})")
    scores, by_elbo, is_wrong, is_outside = [], [], [], []
    for row, step, notes in zip(planted, wrong, outside[len(clean) :], strict=True):
        gains, _ = note_scores(model, row)
        scores.append(gains)
        by_elbo.append(note_scores(model, row, np.ones(12, bool))[0])
        is_wrong.append(np.flatnonzero(row >= FIRST_NOTE_ON) == step)
        is_outside.append(notes)
    marks, of_note = np.concatenate(is_wrong).astype(int), np.concatenate(scores)
    print(
        f"notes: ROC AUC {_auc(of_note, marks):.3f} (by the ELBO alone {_auc(np.concatenate(by_elbo), marks):.3f}, "
        f"by scales alone {_auc(np.concatenate(is_outside), marks):.3f})"
    )


def _outside(row: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Whether each note of a window is outside the major scale that holds most of them, as 0 or 1."""
    pitches = row[row >= FIRST_NOTE_ON].astype(np.int64) - FIRST_NOTE_ON + vocabulary.lowest_pitch
    return 1.0 - best_scale(pitches)[pitches % 12]


def _auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a marked one scores above an unmarked one; ties count half."""
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    marked = int(labels.sum())
    return float((ranks[labels == 1].sum() - marked * (marked + 1) / 2) / (marked * (len(labels) - marked)))


if __name__ == "__main__":
    main()
