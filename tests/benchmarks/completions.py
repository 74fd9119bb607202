"""Bars filled in by ``complete``, beside the real ones, the bar before copied, another tune's bars, and chance.

    python -m tests.benchmarks.completions FOLDER [--songs 30] [--seed 0] [--models melody-compose]
        [--split test] [--clip 8] [--hide 5-6]

FOLDER holds windows of any meter made by ``melodyvae prep``, of which those of a split are taken, each its first
``--clip`` bars; or it is searched for MIDI files, and of each a phrase is taken, in 4/4. Bars ``--hide`` of
it are filled in anew. The clip's scale (the best of 12 major and 12 harmonic minor ones) and range are those of its
visible bars. Per row:

- out of scale, out of range: the shares of the notes in the hidden bars;
- notes per bar;
- rhythm: the overlap (Jaccard) of a hidden bar's onsets with those of the real one;
- pitches: the overlap of its pitch classes with those of the real one (sum of the smaller shares);
- rhythm*, pitches*: the same overlaps with the visible bars: with the most similar one, and with all of them;
- copies: the share of hidden bars that are exactly the bar before; repeats: that are exactly any other bar of the clip;
- seconds of one core per clip.

Chance has the onsets of the real bars, with pitches drawn evenly from the octave above and the octave below the clip's
mean pitch.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.music.melody import Melody
from melodyvae.music.scales import best_scale, weights_of
from melodyvae.music.voice import MelodyError
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.reading.midi import MidiError
from melodyvae.verbs.both_sides import complete_from_both_sides
from melodyvae.verbs.sources import WindowError, pick_window, read_source

COLUMNS = "out of scale, out of range, notes per bar, rhythm, pitches, rhythm*, pitches*, copies, repeats, seconds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=["melody-compose"])
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--clip", type=int, default=8)
    parser.add_argument("--hide", default="5-6")
    arguments = parser.parse_args()
    is_dataset = (arguments.folder / "meta.json").exists()
    meter = open_dataset(arguments.folder).meta["meter"] if is_dataset else (4, 4)
    models = {name: MelodyNetwork.read(name).in_meter((meter[0], meter[1])) for name in arguments.models}
    generator = np.random.default_rng(arguments.seed)
    first, _, last = arguments.hide.partition("-")
    hidden = range(int(first) - 1, int(last or first))
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    found = _dataset_clips if is_dataset else _file_clips
    before: Melody | None = None
    for clip in found(arguments, next(iter(models.values())), generator):
        if len(rows["real"]) == arguments.songs:
            break
        if not all(clip.window(bar, 1).notes for bar in hidden) or len(_visible(clip, hidden).notes) < clip.bars:
            continue
        rows["real"].append(_measured(clip, clip, hidden))
        for name, model in models.items():
            draws = Draws(arguments.seed)
            started = time.process_time()
            (written,) = complete_from_both_sides(model, clip, hidden, 1, draws=draws)
            rows[name].append(_measured(written, clip, hidden, time.process_time() - started))
        rows["bar before"].append(_measured(_with_bars(clip, hidden, clip, hidden[0] - 1), clip, hidden))
        if before is not None:
            rows["another tune"].append(_measured(_with_bars(clip, hidden, before), clip, hidden))
        rows["chance"].append(_measured(_at_random(clip, generator), clip, hidden))
        before = clip
    print(f"{len(rows['real'])} clips of {arguments.clip} bars of {arguments.folder}, bars {arguments.hide} hidden")
    print(f"{'':<16}" + "".join(f"{name:>14}" for name in COLUMNS.split(", ")))
    for name, found_rows in rows.items():
        print(f"{name:<16}" + "".join(f"{value:14.3f}" for value in np.nanmean(found_rows, axis=0)))


def _file_clips(
    arguments: argparse.Namespace, model: MelodyNetwork, generator: np.random.Generator
) -> Iterator[Melody]:
    """A phrase of each of the MIDI files of a folder, in an order that is drawn."""
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    for index in generator.permutation(len(files)):
        try:
            read = read_source(files[index], model.config, meter=model.config.meter)
            yield pick_window(read, model.config, bars=arguments.clip).melody
        except (MidiError, MelodyError, WindowError):
            continue


def _dataset_clips(
    arguments: argparse.Namespace, model: MelodyNetwork, generator: np.random.Generator
) -> Iterator[Melody]:
    """The first bars of a window of each file of a split, in an order that is drawn; a file's next one after all."""
    dataset = open_dataset(arguments.folder)
    windows, sources = np.asarray(dataset.splits[arguments.split]), dataset.sources_of(arguments.split)
    order = generator.permutation(len(windows))
    ranks = np.zeros(len(order), np.int64)
    seen: dict[int, int] = defaultdict(int)
    for place, index in enumerate(order):
        ranks[place] = seen[int(sources[index])]
        seen[int(sources[index])] += 1
    steps = arguments.clip * model.config.steps_per_bar
    for index in order[np.argsort(ranks, kind="stable")]:
        yield model.vocabulary.decode(windows[index][:steps], meter=model.config.meter)


def _visible(clip: Melody, hidden: range) -> Melody:
    return Melody.join([clip.window(bar, 1) for bar in range(clip.bars) if bar not in hidden])


def _measured(melody: Melody, clip: Melody, hidden: range, seconds: float = 0.0) -> tuple[float, ...]:
    visible = _visible(clip, hidden)
    places = [note.pitch for note in visible.notes]
    scale = best_scale(weights_of(visible))
    written, real = ([one.window(bar, 1) for bar in hidden] for one in (melody, clip))
    pitches = np.array([note.pitch for bar in written for note in bar.notes])
    outside = np.mean([pitch not in scale for pitch in pitches]) if len(pitches) else np.nan
    beyond = np.mean((pitches < min(places)) | (pitches > max(places))) if len(pitches) else np.nan
    shown = [visible.window(bar, 1) for bar in range(visible.bars)]
    others = [_events(clip, bar) for bar in range(clip.bars) if bar not in hidden]
    return (
        float(outside),
        float(beyond),
        len(pitches) / len(hidden),
        float(np.mean([_rhythm(*pair) for pair in zip(written, real, strict=True)])),
        float(np.mean([_pitches(*pair) for pair in zip(written, real, strict=True)])),
        float(np.mean([max(_rhythm(bar, other) for other in shown) for bar in written])),
        float(np.mean([_pitches(bar, visible) for bar in written])),
        float(np.mean([_events(melody, bar) == _events(melody, bar - 1) for bar in hidden])),
        float(np.mean([_events(melody, bar) in others for bar in hidden])),
        seconds,
    )


def _rhythm(one: Melody, other: Melody) -> float:
    ours, theirs = ({note.start_step for note in bar.notes} for bar in (one, other))
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


def _pitches(one: Melody, other: Melody) -> float:
    ours, theirs = (np.bincount([note.pitch % 12 for note in bar.notes], minlength=12) for bar in (one, other))
    return float(np.minimum(ours / max(ours.sum(), 1), theirs / max(theirs.sum(), 1)).sum())


def _events(melody: Melody, bar: int) -> list[tuple[int, ...]]:
    return [note[:3] for note in melody.window(bar, 1).notes]


def _with_bars(clip: Melody, hidden: range, of: Melody, only: int | None = None) -> Melody:
    """The clip with bars of a tune in the place of the hidden ones: the same ones, or ``only`` one again and again."""
    taken = {bar: of.window(bar if only is None else only, 1) for bar in hidden}
    return Melody.join([taken.get(bar) or clip.window(bar, 1) for bar in range(clip.bars)])


def _at_random(clip: Melody, generator: np.random.Generator) -> Melody:
    middle = round(float(np.mean([note.pitch for note in clip.notes])))
    notes = tuple(note._replace(pitch=middle + int(generator.integers(-12, 13))) for note in clip.notes)
    return replace(clip, notes=notes)


if __name__ == "__main__":
    main()
