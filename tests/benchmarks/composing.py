"""Continuations beside the real ones, and the share of wishes that are met.

python -m tests.benchmarks.composing DATASET

Of 200 windows of the test split, spread evenly, melody-compose hears bars 1 to 8 and writes bars 9 to 16.
"""

import sys
from pathlib import Path

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.evaluation.structure import tune_metrics
from melodyvae.music.scales import key_named
from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.composing import Wish, compose, distance_from_close, distance_from_song, key_of

COUNT = 200
HEARD = 8  # bars of 16


def repeats(windows: np.ndarray) -> list[float]:
    """The share of bars 9 to 16 that repeat an earlier one exactly, and in rhythm."""
    bars = windows.reshape(len(windows), 16, -1)
    has_onset = (bars >= FIRST_NOTE_ON).any(axis=2)
    found = []
    for kind in (bars, np.minimum(bars, FIRST_NOTE_ON)):
        alike = (kind[:, :, None] == kind[:, None]).all(axis=3) & has_onset[:, None]
        again = [(alike[:, bar, :bar].any(axis=1) & has_onset[:, bar]).sum() for bar in range(HEARD, 16)]
        found.append(float(sum(again) / has_onset[:, HEARD:].sum()))
    return found


def main() -> None:
    """Print everything."""
    model = MelodyNetwork.read("melody-compose")
    table, bar = model.vocabulary, model.config.steps_per_bar
    windows = np.asarray(open_dataset(Path(sys.argv[1])).splits["test"])
    windows = windows[np.linspace(0, len(windows) - 1, COUNT).astype(int)]
    draws = Draws(0)
    z = model.prior(COUNT).sample(draws)
    said = model.encode(windows[:, : HEARD * bar]).mean
    z[:, : said.shape[1]] = said
    written = model.fill_in(z, windows, np.arange(16 * bar) < HEARD * bar, 1.0, draws).astype(np.uint8)
    for name, rows in (("real", windows), ("continued", written)):
        halves = [[table.decode(row).window(first, HEARD) for row in rows] for first in (0, HEARD)]
        pairs = [(a, b) for a, b in zip(*halves, strict=True) if a.notes and b.notes]
        same_key = np.mean([key_of(a).major_tonic == key_of(b).major_tonic for a, b in pairs])
        density = np.mean([abs(np.log(len(b.notes) / len(a.notes))) for a, b in pairs])
        outside = tune_metrics(rows, table, bar).shares["out_of_scale"]
        print(name, "repeats", repeats(rows), "same key", same_key, "density", density, "outside", outside)
    wishes = {name: Wish(key=key_named(name)) for name in ("G:major", "A:minor")}
    wishes |= {f"{density} notes per bar": Wish(density=density) for density in (3, 6, 9)}
    wishes["60 to 79"] = Wish(lowest_pitch=60, highest_pitch=79)
    for name, wish in wishes.items():
        melodies = compose(model, 32, 16, draws=Draws(1), wish=wish)
        print(name, "met", np.mean([wish.distance(melody) < 4 * np.log(1.25) for melody in melodies]))
    song = Wish(is_song=True)
    for name, bars, wish in [("any", 8, None), ("song", 8, song), ("any", 16, None), ("song", 16, song)]:
        melodies = compose(model, 32, bars, draws=Draws(1), scale="auto", wish=wish)
        close = np.mean([distance_from_close(melody) == 0 for melody in melodies])
        form = np.mean([distance_from_song(melody) == distance_from_close(melody) for melody in melodies])
        print(f"form {name}, {bars} bars: close on the tonic, on a beat, a beat long {close}; song otherwise {form}")


if __name__ == "__main__":
    main()
