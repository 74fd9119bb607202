"""Walks over the other tracks of the first tune: how many notes lie outside the scale of what plays under them.

    python -m tests.benchmarks.over_accompaniment FOLDER [--pairs 10] [--seed 0] [--bars 4] [--model melody-2bar]

FOLDER is searched for MIDI files, of which pairs are drawn by the seed; pairs of which one has no melody, or the first
one no pitched track beside it, are drawn again. The scale of what plays in these bars is the major or harmonic minor
one that holds most of its notes by duration; where several hold as much (to one in a hundred), the one that suits the
tune best counts. Per row of the table, over the tunes: the mean and the largest share of notes outside it, and the
share that is neither in the scale nor sounds in another track at that step.

Rows: the first tune, which is its own; the tunes between; the last one, which is B fitted to the accompaniment; and the
tunes between and the last one without a scale.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from melodyvae.music.harmony import Harmony
from melodyvae.music.melody import Melody
from melodyvae.music.scales import CANDIDATES, IN_SCALE, share_outside, weights_of
from melodyvae.music.voice import MelodyError
from melodyvae.reading.midi import MidiError
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.sources import WindowError

COUNT = 8
AS_MUCH = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--model", default="melody-2bar")
    arguments = parser.parse_args()
    vae = MelodyVAE.from_pretrained(arguments.model)
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    if len(files) < 2:
        parser.error(f"there are {len(files)} MIDI files in {arguments.folder}; a pair takes two")
    generator = np.random.default_rng(arguments.seed)
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    found = refused = 0
    while found < arguments.pairs and refused < 10 * arguments.pairs:
        first, second = generator.choice(len(files), 2, replace=False)
        is_over = False
        for suffix, scale in (("", "auto"), (", no scale", "none")):
            try:
                walk = vae.interpolate(
                    files[first], files[second], COUNT, bars=arguments.bars, keep_accompaniment=True, scale=scale
                )
            except (MidiError, MelodyError, WindowError):
                break
            tunes = walk.melodies
            harmony = Harmony.of((walk.backings or [()])[0], tunes[0].length_steps, tunes[0].steps_per_quarter)
            if harmony is None:
                break
            is_over = True
            measured = [_measured(tune, harmony) for tune in tunes]
            rows["the first"] += measured[:1] * (scale == "auto")
            rows[f"between{suffix}"] += measured[1:-1]
            rows[f"the last{suffix}"] += measured[-1:]
        found += is_over
        refused += not is_over
    print(f"{found} pairs of {len(files)} files, {arguments.bars} bars, seed {arguments.seed}; {refused} left out")
    print(f"{'':<20}{'mean':>8}{'worst':>8}{'and not sounding':>18}")
    for name, values in rows.items():
        outside, alone = np.array(values).T
        print(f"{name:<20}{outside.mean():8.1%}{outside.max():8.1%}{alone.mean():18.1%}")


def _measured(tune: Melody, harmony: Harmony) -> tuple[float, float]:
    """The share of notes outside the scale of a harmony, and the share that does not sound in it either."""
    held = IN_SCALE @ harmony.weights / harmony.weights.sum()
    scales = [scale for scale, share in zip(CANDIDATES, held, strict=True) if share >= held.max() - AS_MUCH]
    scale = min(scales, key=lambda scale: share_outside(weights_of(tune), scale))
    alone = [note.pitch not in scale and not harmony.sounding[note.start_step, note.pitch % 12] for note in tune.notes]
    return share_outside(weights_of(tune), scale), float(np.mean(alone or [False]))


if __name__ == "__main__":
    main()
