"""Ten samples of each model, seeds 0 to 9, not chosen, beside ten held-out tunes: pictures and MIDI files.

python -m tests.benchmarks.listen DATASET FOLDER

DATASET was made by `melodyvae prep ... --bars 16`; one window is taken of each of ten files of its test split.
"""

import sys
from pathlib import Path

import numpy as np

from melodyvae import MelodyVAE
from melodyvae.datasets.windows import open_dataset
from melodyvae.music.melody import Melody
from melodyvae.writing.piano_rolls import plot_sheet
from melodyvae.writing.sheet import Roll, Sheet

COUNT = 10


def held_out(dataset: Path, vae: MelodyVAE, bars: int) -> list[Melody]:
    """One window of each of ten files of the test split, as far apart in it as can be."""
    data = open_dataset(dataset)
    rows = np.load(dataset / "windows.npy")
    sources = rows["source"][rows["split"] == 2]
    firsts = np.unique(sources, return_index=True)[1]
    chosen = firsts[np.linspace(0, len(firsts) - 1, COUNT).astype(int)]
    return [vae.model.vocabulary.decode(row).window(0, bars) for row in np.asarray(data.splits["test"][chosen])]


def main() -> None:
    """Write everything below the folder."""
    dataset, folder = Path(sys.argv[1]), Path(sys.argv[2])
    composing = MelodyVAE.from_pretrained("melody-compose")
    sets = {}
    for bars, old_name in ((16, "melody-16bar"), (2, "melody-2bar")):
        old = MelodyVAE.from_pretrained(old_name)
        sets[f"{bars}-bars-melody-compose"] = [composing.sample(1, bars=bars, seed=seed)[0] for seed in range(COUNT)]
        sets[f"{bars}-bars-held-out"] = held_out(dataset, composing, bars)
        sets[f"{bars}-bars-{old_name}"] = [old.sample(1, seed=seed)[0] for seed in range(COUNT)]
    for name, melodies in sets.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, melody in enumerate(melodies):
            melody.write(folder / name / f"{number}.mid")
        rolls = tuple(Roll(melody, str(number)) for number, melody in enumerate(melodies))
        plot_sheet(Sheet(name, rolls), folder / f"{name}.png")


if __name__ == "__main__":
    main()
