"""Bars filled in by ``complete``, beside the real ones, the bar before copied, and chance.

    python -m tests.benchmarks.completions FOLDER [--songs 30] [--seed 0] [--model melody-2bar]

FOLDER is searched for MIDI files; from each of the songs drawn, eight bars are taken, and the fifth and sixth of them
are hidden and filled in anew. The clip's scale (the best of 12 major and 12 harmonic minor ones) and range are those of
its visible bars. Per row:

- out of scale, out of range: the shares of the notes in the hidden bars;
- notes per bar;
- rhythm: the overlap (Jaccard) of the onsets with those of the real bars;
- copies: the share of hidden bars that are exactly the bar before;
- seconds of one core per clip.

Chance has the onsets of the real bars, with pitches drawn evenly from the octave above and the octave below the clip's
mean pitch.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data_prep.melodies.voice import MelodyError
from data_prep.melody import Melody
from data_prep.reading.midi import MidiError
from melodyvae.device import use_threads
from melodyvae.generation.inpainting import complete
from melodyvae.generation.scales import best_scale, weights_of
from melodyvae.generation.sources import WindowError, pick_window, read_source
from melodyvae.models.melody import MelodyModel

BARS, HIDDEN = 8, (4, 5)
COLUMNS = ("out of scale", "out of range", "notes per bar", "rhythm", "copies", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="melody-2bar")
    arguments = parser.parse_args()
    use_threads(1)
    model = MelodyModel.from_pretrained(arguments.model)
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    generator = np.random.default_rng(arguments.seed)
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for path in (files[index] for index in generator.permutation(len(files))):
        if len(rows["complete"]) == arguments.songs:
            break
        try:
            clip = pick_window(read_source(path, model.config), model.config, bars=BARS).melody
        except (MidiError, MelodyError, WindowError):
            continue
        if not all(clip.window(bar, 1).notes for bar in HIDDEN) or len(_visible(clip).notes) < BARS:
            continue
        started = time.process_time()
        (found,) = complete(model, clip, HIDDEN, 1, generator=torch.Generator().manual_seed(arguments.seed))
        seconds = time.process_time() - started
        rows["real"].append(_measured(clip, clip, 0.0))
        rows["complete"].append(_measured(found, clip, seconds))
        rows["bar before"].append(_measured(_copied(clip), clip, 0.0))
        rows["chance"].append(_measured(_at_random(clip, generator), clip, 0.0))
    print(f"{len(rows['complete'])} clips of {len(files)} files in {arguments.folder}, seed {arguments.seed}")
    print(f"{'':<12}" + "".join(f"{name:>15}" for name in COLUMNS))
    for name, found_rows in rows.items():
        print(f"{name:<12}" + "".join(f"{value:15.3f}" for value in np.nanmean(found_rows, axis=0)))


def _visible(clip: Melody) -> Melody:
    return Melody.join([clip.window(bar, 1) for bar in range(BARS) if bar not in HIDDEN])


def _measured(melody: Melody, clip: Melody, seconds: float) -> tuple[float, ...]:
    visible = [note.pitch for note in _visible(clip).notes]
    scale = best_scale(weights_of(_visible(clip)))
    written = [melody.window(bar, 1) for bar in HIDDEN]
    pitches = np.array([note.pitch for bar in written for note in bar.notes])
    outside = np.mean([pitch not in scale for pitch in pitches]) if len(pitches) else np.nan
    beyond = np.mean((pitches < min(visible)) | (pitches > max(visible))) if len(pitches) else np.nan
    overlaps = []
    for bar in HIDDEN:
        ours, theirs = ({note.start_step for note in other.window(bar, 1).notes} for other in (melody, clip))
        overlaps.append(len(ours & theirs) / len(ours | theirs))
    copies = np.mean([_events(melody, bar) == _events(melody, bar - 1) for bar in HIDDEN])
    return float(outside), float(beyond), len(pitches) / len(HIDDEN), float(np.mean(overlaps)), float(copies), seconds


def _events(melody: Melody, bar: int) -> list[tuple[int, ...]]:
    return [note[:3] for note in melody.window(bar, 1).notes]


def _copied(clip: Melody) -> Melody:
    """The clip with the bar before the hidden ones in each of them."""
    before = clip.window(HIDDEN[0] - 1, 1)
    return Melody.join([before if bar in HIDDEN else clip.window(bar, 1) for bar in range(BARS)])


def _at_random(clip: Melody, generator: np.random.Generator) -> Melody:
    middle = round(float(np.mean([note.pitch for note in clip.notes])))
    notes = tuple(note._replace(pitch=middle + int(generator.integers(-12, 13))) for note in clip.notes)
    return replace(clip, notes=notes)


if __name__ == "__main__":
    main()
