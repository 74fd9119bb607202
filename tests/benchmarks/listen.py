"""Tunes to listen to: drawn ones, not chosen, beside held-out ones; MIDI files, pictures, and a page without labels.

    python -m tests.benchmarks.listen DATASET FOLDER

``DATASET`` was made by ``melodyvae prep --bars 16`` in the meters of :data:`KINDS`. Of 16 and of 8 bars, ten tunes are
drawn in five styles, with seeds 0 to 9, beside held-out tunes of the same styles. ``blind.html`` plays the twenty of 16
bars in a mixed order and tells at its end which are which. Of two bars, ten tunes of each model are drawn.

Conventions: a held-out tune is the first window of a file of the test split, drawn by seed, and is shown once. Tunes
read from ABC files are left out: these are music21's to distribute. All tunes are played at one tempo and loudness.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from melodyvae import MelodyVAE
from melodyvae.datasets.windows import WindowDataset, open_dataset
from melodyvae.music.melody import Melody
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import Vocabulary
from melodyvae.writing.piano_rolls import plot_sheet
from melodyvae.writing.sheet import Roll, Sheet
from melodyvae.writing.web_page import page

KINDS: dict[str, tuple[tuple[int, int], tuple[str | None, ...]]] = {
    "reel": ((4, 4), ("reel",)),
    "jig": ((6, 8), ("jig", None)),
    "hornpipe": ((4, 4), ("hornpipe",)),
    "waltz": ((3, 4), ("waltz", "song", "hymn")),
    "song": ((4, 4), ("song",)),
}  # meter of a style, and the styles of its held-out tunes: the next one where the one before has too few
STYLES = [style for style in KINDS for _ in range(2)]  # by seed
COLOURS = 8
Tunes = dict[str, Melody]  # by what is told of them


def drawn(vae: MelodyVAE, bars: int) -> Tunes:
    """The tunes that ``melodyvae sample -n 1 --style STYLE --bars BARS --seed SEED`` writes."""
    return {f"{seed}-{style}": vae.sample(1, style=style, bars=bars, seed=seed)[0] for seed, style in enumerate(STYLES)}


def held_out(dataset: WindowDataset, random: np.random.Generator) -> list[Tunes]:
    """Two sets of tunes as those that are drawn: of 16 bars, and the first 8 of others."""
    sets: list[Tunes] = [{}, {}]
    names = [source["name"] for source in dataset.meta["sources"]]
    shown: set[int] = set()
    for style, (meter, kin) in KINDS.items():
        data = dataset.tunes_in(meter)
        firsts = data.tune_beginnings("test")
        sources = data.sources_of("test")
        codes = data.conditions_of("test")[:, 1]
        rows: list[int] = []
        for name in kin:
            of_kin = [row for row in firsts if codes[row] == style_code(name) and names[sources[row]].endswith(".mid")]
            for row in random.permutation(of_kin).astype(int):
                if sources[row] not in shown and len(rows) < 2 * STYLES.count(style):
                    rows.append(row)
                    shown.add(sources[row])
        if len(rows) < 2 * STYLES.count(style):
            raise ValueError(f"{dataset.folder} has {len(rows)} held-out tunes for {style}; it takes 4")
        for place, row in enumerate(rows):
            melody = _decoded(data, row)
            number = 2 * list(KINDS).index(style) + place // 2
            sets[place % 2][f"{number}-{style}"] = melody.window(0, 8) if place % 2 else melody
            print(f"{16 - 8 * (place % 2):>2} bars, {number}-{style}: {names[sources[row]]}")
    return sets


def held_out_windows(dataset: WindowDataset, random: np.random.Generator) -> Tunes:
    """The first two bars of ten held-out tunes in 4/4."""
    data = dataset.tunes_in((4, 4))
    rows = random.choice(data.tune_beginnings("test"), len(STYLES), replace=False)
    return {str(number): _decoded(data, row).window(0, 2) for number, row in enumerate(rows)}


def _decoded(dataset: WindowDataset, row: int) -> Melody:
    fields = {"meter": tuple(dataset.meta["meter"]), "steps_per_quarter": dataset.meta["steps_per_quarter"]}
    return Vocabulary().decode(np.asarray(dataset.splits["test"][row]), **fields)


def blind_page(model_tunes: Tunes, others: Tunes, random: np.random.Generator) -> str:
    """A page of both sets in a mixed order, with the answers folded at its end."""
    mixed = [("drawn by the model", *tune) for tune in model_tunes.items()]
    mixed += [("held out", *tune) for tune in others.items()]
    mixed = [mixed[place] for place in random.permutation(len(mixed))]
    rolls = tuple(Roll(melody, f"tune {number}") for number, (_, _, melody) in enumerate(mixed, 1))
    sentence = (
        f"{len(model_tunes)} of these tunes were drawn by melody-compose, {len(others)} are held-out tunes that people "
        "made. Say which is which, then unfold the answers below."
    )
    answers = "".join(f"<li>{origin}: {told}</li>" for origin, told, _ in mixed)
    text = page(Sheet("Drawn, or held out?", rolls), [sentence])
    return text.replace("</main>", f"<details><summary>Answers</summary><ol>{answers}</ol></details>\n</main>")


def write_set(folder: Path, name: str, tunes: Tunes) -> None:
    """Write a folder of MIDI files and a picture of them, of half the size and few colours."""
    (folder / name).mkdir(parents=True)
    for told, melody in tunes.items():
        melody.write(folder / name / f"{told}.mid")
    picture = folder / f"{name}.png"
    plot_sheet(Sheet(name, tuple(Roll(melody, told) for told, melody in tunes.items())), picture)
    image = Image.open(picture).convert("RGB").reduce(2)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


def main() -> None:
    """Write everything below the folder, which must not be there yet."""
    dataset, folder = open_dataset(sys.argv[1]), Path(sys.argv[2])
    random = np.random.default_rng(0)
    composing, remembering = (MelodyVAE.from_pretrained(name) for name in ("melody-compose", "melody-2bar"))
    long, short = (drawn(composing, bars) for bars in (16, 8))
    held_long, held_short = held_out(dataset, random)
    sets = {
        "16-bars-melody-compose": long,
        "16-bars-held-out": held_long,
        "8-bars-melody-compose": short,
        "8-bars-held-out": held_short,
        "2-bars-melody-compose": {str(seed): composing.sample(1, bars=2, seed=seed)[0] for seed in range(10)},
        "2-bars-held-out": held_out_windows(dataset, random),
        "2-bars-melody-2bar": {str(seed): remembering.sample(1, seed=seed)[0] for seed in range(10)},
    }
    for name, tunes in sets.items():
        write_set(folder, name, tunes)
    (folder / "blind.html").write_text(blind_page(long, held_long, random), encoding="utf-8")


if __name__ == "__main__":
    main()
