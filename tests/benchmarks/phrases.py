"""Place of the bars taken of a song, by the rule before (an onset in every bar) and by phrases.

    python -m tests.benchmarks.phrases ../shared/data/benchmark/pop909-melody --bars 2 8 16 --songs 20

For each length of window: the share of songs taken 8 or more, and 32 or more, bars after the first note; that begin a
phrase, stand on a line of four bars, come more than once; and the share of the taken steps that are silent. With
``--songs`` so many are listed, to be read by hand: the bars taken by either rule, why, and their notes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.phrases import WEIGHTS, choose_phrase, phrase_terms
from melodyvae.reading.melodies import read_melody
from melodyvae.system.errors import UserError

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def first_with_onset_in_every_bar(melody: Melody, bars: int) -> int:
    """The first bar, from 0, of the first ``bars`` with an onset in each; failing that, of those with the most.

    The bar after it if it holds a pickup only.
    """
    if melody.bars <= bars:
        return 0
    starts = melody.line[:, 0]
    onsets = np.bincount(starts // melody.steps_per_bar, minlength=melody.bars)
    windows = np.lib.stride_tricks.sliding_window_view(onsets, bars)
    is_full = (windows > 0).all(axis=1)
    if not is_full.any():
        return int(windows.sum(axis=1).argmax())
    first = int(is_full.argmax())
    in_first_beat = starts % melody.steps_per_bar < melody.steps_per_quarter
    with_downbeat = set((starts[in_first_beat] // melody.steps_per_bar).tolist())
    is_pickup = first not in with_downbeat and first + 1 in with_downbeat and is_full[first + 1 : first + 2].any()
    return first + int(is_pickup)


def told(melody: Melody) -> str:
    """Pitches with their steps, bar by bar; ``.`` is silence until the first note of a bar."""
    bars = []
    for bar in range(melody.bars):
        notes = melody.window(bar, 1).notes
        bars.append(" ".join(f"{NAMES[n.pitch % 12]}{n.pitch // 12 - 1}@{n.start_step}" for n in notes) or ".")
    return " | ".join(bars)


def rows(melodies: Iterable[Melody], bars: int) -> dict[str, list[float]]:
    """The number of songs and the shares of each rule, by name."""
    kinds: dict[str, list[list[float]]] = {"every bar": [], "phrases": []}
    for melody in melodies:
        first = int(melody.line[0, 0]) // melody.steps_per_bar
        rest = melody.window(first, melody.bars - first)
        if rest.bars <= bars:
            continue
        terms, times = phrase_terms(rest, bars)
        for name, start in (
            ("every bar", first_with_onset_in_every_bar(melody, bars) - first),
            ("phrases", choose_phrase(melody, bars).first_bar - first),
        ):
            start = max(start, 0)
            taken = rest.window(start, bars)
            sounding = sum(note.end_step - note.start_step for note in taken.notes) / taken.length_steps
            is_structural = terms["structure"][start] >= 0.8
            kinds[name].append(
                [start >= 8, start >= 32, terms["phrase"][start], is_structural, times[start] > 1, 1 - sounding]
            )
    return {name: [len(values), *np.mean(values, axis=0)] for name, values in kinds.items() if values}


def main() -> None:
    """Print the table, and songs to read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--bars", nargs="+", type=int, default=[2, 8, 16])
    parser.add_argument("--songs", type=int, default=0)
    parser.add_argument("--max-files", type=int, default=300)
    options = parser.parse_args()
    for folder in options.folders:
        melodies: dict[str, Melody] = {}
        paths = sorted(folder.rglob("*.mid"))
        for path in paths[:: max(len(paths) // options.max_files, 1)]:
            try:
                melodies[path.name] = read_melody(path, meter=(4, 4)).melody
            except UserError:
                continue
        print(f"{folder.name}: {len(melodies)} songs; weights {WEIGHTS}")
        print(f"{'':<22}{'songs':>7}{'8 late':>8}{'32 late':>8}{'phrase':>8}{'on 4':>8}{'recurs':>8}{'silent':>8}")
        for bars in options.bars:
            for name, (count, *shares) in rows(melodies.values(), bars).items():
                print(f"{bars:>3} bars, {name:<12}{count:>7.0f}" + "".join(f"{share:8.2f}" for share in shares))
        for name, melody in list(melodies.items())[: options.songs]:
            for bars in options.bars[:1]:
                found, before = choose_phrase(melody, bars), first_with_onset_in_every_bar(melody, bars)
                first = int(melody.line[0, 0]) // melody.steps_per_bar
                print(f"\n{name}: first note in bar {first + 1}; every bar {before + 1}; phrase {found.first_bar + 1}")
                print(f"  {found.reason}\n  {told(melody.window(found.first_bar, bars))}")


if __name__ == "__main__":
    main()
