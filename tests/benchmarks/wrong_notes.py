"""ROC AUC of ``melodyvae score`` on wrong notes, in held-out windows with planted errors.

    python -m tests.benchmarks.wrong_notes DATASET [--split all] [--windows 100] [--notes 5] [--seed 0]

In each window one note, drawn at random, is
moved by one semitone, up or down. Printed are the ROC AUC of telling the wrong notes from others of their windows (as
many as ``--notes`` says, drawn; 0 takes all):

- as ``melodyvae score`` does: melodyvae.verbs.doubts.note_doubts, with all bars of the window heard;
- by whether the note is outside the major scale that fits the window best.

Intervals are 95% (bootstrap over windows).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from melodyvae.datasets.held_out import held_out_windows
from melodyvae.datasets.windows import open_dataset
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.doubts import note_doubts
from melodyvae.verbs.scoring import best_scale

WAYS = ("score", "the scale alone")


def main() -> None:
    """Plant, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--split", choices=["test", "valid", "all"], default="test")
    parser.add_argument("--composer", default="melody-compose")
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--notes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.dataset)
    meter = dataset.meta["meter"][0], dataset.meta["meter"][1]
    composer = MelodyNetwork.read(arguments.composer).in_meter(meter)
    rows = held_out_windows(composer.provenance, dataset, arguments.split)
    generator = np.random.default_rng(arguments.seed)
    began = time.process_time()
    found = []  # of each window: the scores of each note in each way, and whether it is the wrong one
    for row in rows[generator.permutation(len(rows))[: arguments.windows]]:
        tune, wrong = planted(row.copy(), composer, generator)
        others = generator.permutation([number for number in range(len(tune.notes)) if number != wrong])
        asked = sorted([wrong, *others[: arguments.notes - 1 if arguments.notes else None].tolist()])
        found.append((judged(tune, asked, composer), np.array(asked) == wrong))
    seconds = (time.process_time() - began) / len(found)
    print(f"{len(found)} windows of {dataset.meta['bars']} bars of {arguments.dataset} ({arguments.split})")
    for way, name in enumerate(WAYS):
        low, high = interval([(scores[way], marks) for scores, marks in found], arguments.seed)
        value = auc(*(np.concatenate(parts) for parts in zip(*[(s[way], m) for s, m in found], strict=True)))
        print(f"{name:<26}{value:6.3f}  [{low:.3f}, {high:.3f}]")
    print(f"{seconds:.1f} s of the processor per window")


def planted(row: np.ndarray, model: MelodyNetwork, generator: np.random.Generator) -> tuple[Melody, int]:
    """A window as a tune with one note moved by a semitone, and the number of this note."""
    steps = np.flatnonzero(row >= FIRST_NOTE_ON)
    wrong = int(generator.integers(len(steps)))
    moved = int(row[steps[wrong]]) + generator.choice((-1, 1))
    row[steps[wrong]] = np.clip(moved, FIRST_NOTE_ON, model.vocabulary.size - 1)
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    return model.vocabulary.decode(row, **grid), wrong


def judged(tune: Melody, asked: list[int], composer: MelodyNetwork) -> np.ndarray:
    """The scores of the notes asked for, in each of :data:`WAYS`: ``(2, N)``."""
    scale = best_scale([note.pitch for note in tune.notes])
    outside = [1.0 - scale[tune.notes[number].pitch % 12] for number in asked]
    return np.array([note_doubts(composer, tune, scale)[0][asked], outside])


def interval(found: list[tuple[np.ndarray, np.ndarray]], seed: int, draws: int = 500) -> tuple[float, float]:
    """The 95% interval of the AUC over windows drawn anew."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        some = [found[place] for place in generator.integers(len(found), size=len(found))]
        values.append(auc(*(np.concatenate(parts) for parts in zip(*some, strict=True))))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def auc(scores: np.ndarray, marks: np.ndarray) -> float:
    """The chance that a marked one scores above an unmarked one; ties count half."""
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    marked = int(marks.sum())
    return float((ranks[marks].sum() - marked * (marked + 1) / 2) / (marked * (len(marks) - marked)))


if __name__ == "__main__":
    main()
