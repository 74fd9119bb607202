"""Walks between random pairs of somebody's MIDI files: in key, without wide leaps, exact at both ends, and how quick.

    python -m tests.benchmarks.wild_walks FOLDER [--pairs 60] [--seed 0] [--bars 2 16] [--model melody-2bar] [--masks]

FOLDER is searched for MIDI files, of which pairs are drawn by the seed; files that cannot be read, or have no melody,
are counted and drawn again. Per row of the table:

- out of scale: the share of a tune's notes outside the best of the 12 major and 12 harmonic minor scales, averaged over
  the tunes between the ends;
- wide leaps: the share of the tunes between with two notes in a row more than an octave apart;
- ends exact: how many of the ends are the tunes that were taken, note for note;
- seconds: of a processor per pair, reading both files included, on one thread.

Rows: the ends themselves; the default; the same without a scale; and a crossfade of the same ends in A's key, each step
taken from B with a probability that grows from 0 to 1 and from A otherwise (Roberts et al., 2018, section 5.2,
https://arxiv.org/abs/1803.05428), silent note offs left out. With ``--masks``, in place of the row without a scale,
what the default is made of: ``plain mask`` only forbids the notes outside the scale and beyond the range; ``moved``
gives their probability to the nearest notes in the scale; the default also folds wide leaps. With ``--only-default``
neither is walked, which takes half the time.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.scales import IN_SCALE
from melodyvae.music.statistics import pooled_statistics
from melodyvae.music.tokens import NO_EVENT, NOTE_OFF, Vocabulary, sounding_before
from melodyvae.music.voice import MelodyError
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.reading.midi import MidiError
from melodyvae.verbs.interpolate import InterpolateOptions
from melodyvae.verbs.sources import WindowError, in_one_meter, take
from melodyvae.verbs.walk import pick_ends, walk

COUNT = 8
CHANCE_DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bars", type=int, nargs="+", default=[2, 16])
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--masks", action="store_true")
    parser.add_argument("--only-default", action="store_true")
    arguments = parser.parse_args()
    names = ["default"] if arguments.only_default else ["default", "no scale"]
    if arguments.masks:
        names = ["plain mask", "moved", "default"]
    model = MelodyNetwork.read(arguments.model)
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    if len(files) < 2:
        parser.error(f"there are {len(files)} MIDI files in {arguments.folder}; a pair takes two")
    for bars in arguments.bars:
        _table(model, files, arguments.pairs, arguments.seed, bars, names)


def _unmoved(*tables: np.ndarray, **options: Any) -> TokenRules:
    """Rules that only forbid."""
    return TokenRules(*tables, reach=0)


def _moved(*tables: np.ndarray, no_wide_leaps: np.ndarray, leaps: np.ndarray) -> TokenRules:
    """Rules that move forbidden notes and leave leaps alone."""
    return TokenRules(*tables)


RULES: dict[str, Callable[..., TokenRules]] = {"plain mask": _unmoved, "moved": _moved}


def _table(model: MelodyNetwork, files: list[Path], pairs: int, seed: int, bars: int, names: list[str]) -> None:
    """Print the table for windows of ``bars`` bars and the walks of these ``names``."""
    generator = np.random.default_rng(seed)
    outside: dict[str, list[float]] = defaultdict(list)
    leaps: dict[str, list[bool]] = defaultdict(list)
    exact: dict[str, list[bool]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    note_counts: list[int] = []
    refused = found = 0
    while found < pairs and refused < 10 * pairs:
        first, second = generator.choice(len(files), 2, replace=False)
        try:
            for name in names:
                started = time.process_time()
                paths = files[first], files[second]
                taken = in_one_meter([take(path, model.config) for path in paths], paths, model.config)
                sources = taken[0].found, taken[1].found
                view = model.in_meter(taken[0].melody.meter)
                options = InterpolateOptions(count=COUNT, scale="none" if name == "no scale" else "auto")
                picked = pick_ends(view, sources, bars=bars)
                start, end = (window.melody for window in picked.windows)
                with patch("melodyvae.verbs.in_scale.TokenRules", RULES.get(name, TokenRules)):
                    walked = walk(view, start, end, options, None, picked.keys, picked.pieces)
                seconds[name].append(time.process_time() - started)
                exact[name] += [right == start.length_steps for right in walked.steps_right]
                _measure(walked.melodies[1:-1], name, outside, leaps)
        except (MidiError, MelodyError, WindowError):
            refused += 1
            continue
        found += 1
        _measure(walked.ends, "the ends", outside, leaps)
        note_counts += [len(melody.notes) for melody in walked.ends]
        _measure(_crossfade(walked.ends, model.vocabulary, generator), "crossfade", outside, leaps)
    print(
        f"\n{bars} bars: {found} pairs of {len(files)} files, seed {seed}; {refused} pairs with a file without melody"
    )
    print(f"{'':<12}{'out of scale':>14}{'wide leaps':>12}{'ends exact':>14}{'seconds':>9}")
    for name in ("the ends", *names, "crossfade"):
        right = f"{sum(exact[name])} of {len(exact[name])}" if name in exact else ""
        took = f"{np.median(seconds[name]):.2f}" if name in seconds else ""
        print(f"{name:<12}{np.nanmean(outside[name]):14.1%}{np.mean(leaps[name]):12.1%}{right:>14}{took:>9}")
    print(f"{'chance':<12}{_chance_outside_scale(np.array(note_counts)):14.1%}")


def _chance_outside_scale(counts: np.ndarray, seed: int = 0) -> float:
    """The expected share outside the best scale of random pitch classes, as many as ``counts`` ``(N,)`` say.

    It is 0.129 for 8 notes and 0.316 for 85: few notes fit some scale by chance.
    """
    drawn = np.random.default_rng(seed).choice(counts, CHANCE_DRAWS)
    weights = np.random.default_rng(seed + 1).multinomial(drawn, [1 / 12] * 12)
    return float((1 - (weights @ IN_SCALE.T).max(axis=1) / weights.sum(axis=1)).mean())


def _measure(
    melodies: tuple[Melody, ...] | list[Melody],
    name: str,
    outside: dict[str, list[float]],
    leaps: dict[str, list[bool]],
) -> None:
    for melody in melodies:
        statistics = pooled_statistics([melody])
        outside[name].append(statistics["out_of_scale"])
        leaps[name].append(bool(statistics["leaps"]))


def _crossfade(ends: tuple[Melody, Melody], vocabulary: Vocabulary, generator: np.random.Generator) -> list[Melody]:
    """The tunes between two of a crossfade in data space."""
    first, last = (vocabulary.encode(melody) for melody in ends)
    mixed = []
    for share in np.linspace(0, 1, COUNT)[1:-1]:
        row = np.where(generator.random(len(first)) < share, last, first)
        while not vocabulary.is_legal(row):
            row = np.where((row == NOTE_OFF) & ~sounding_before(row), NO_EVENT, row)
        mixed.append(vocabulary.decode(row))
    return mixed


if __name__ == "__main__":
    main()
