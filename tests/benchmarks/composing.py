"""Continuations beside the real ones, and the share of wishes that are met.

    python -m tests.benchmarks.composing DATASET [--songs FOLDER] [--model melody-compose] [--count 40] [--split test]

DATASET holds windows of 16 bars made by ``melodyvae prep``: the beginnings of its held-out tunes are cut after bar 8,
and ``continue`` writes bars 9 to 16. Of each of ``--count`` MIDI files below FOLDER, spread evenly, it hears 32 bars
from the first note on, and writes 8 more. It writes as many tunes as the command does unasked. Per row, from the bars
that are new (real: those that follow in the tune):

- rhythm, bar: share of the bars with a note whose onsets, and whose onsets and pitches, are those of a bar heard;
- notes: per bar; within 1/3: share of tunes that have as many as the bars heard, within a third;
- range: semitones, and how many less or more than the bars heard have, mean distance;
- silence: share of steps, and mean distance from that of the bars heard;
- outside: share of notes outside the scale that holds most notes heard;
- ends: share of the bars 8 after one that ends a phrase (its last note lasts or rests two quarters) that end one, too;
  else: the same of the other bars.

Then the shares of wishes of ``sample`` that are met.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from melodyvae import Melody, MelodyVAE
from melodyvae.datasets.windows import open_dataset
from melodyvae.music.scales import best_scale, key_named, share_outside, weights_of
from melodyvae.music.statistics import pooled_statistics
from melodyvae.network.draws import Draws
from melodyvae.reading.melodies import read_melody
from melodyvae.system.errors import UserError
from melodyvae.verbs.composing import Wish, awkwardness, compose, distance_from_close

NEW = 8  # bars
HEARD_OF_TUNES, HEARD_OF_SONGS = 8, 32
COLUMNS = "rhythm, bar, notes, within 1/3, range, +-, silence, +-, outside, ends, else"


def tunes_of(dataset: Path, split: str, vae: MelodyVAE) -> Iterator[Melody]:
    """The beginnings of the held-out tunes in 4/4 of a dataset."""
    data = open_dataset(dataset).tunes_in((4, 4))
    for row in np.asarray(data.splits[split])[data.tune_beginnings(split)]:
        yield vae.model.vocabulary.decode(row)


def songs_of(folder: Path) -> Iterator[Melody]:
    """As many bars as are heard and written, from the first bar with a note, of the MIDI files of a folder."""
    for path in sorted(folder.rglob("*.mid")):
        try:
            melody = read_melody(path, meter=(4, 4)).melody
        except UserError:
            continue
        first = int(melody.line[0, 0]) // melody.steps_per_bar
        song = melody.window(first, HEARD_OF_SONGS + NEW)
        if melody.bars - first >= HEARD_OF_SONGS + NEW and all(
            song.window(bar, 4).notes for bar in range(0, HEARD_OF_SONGS + NEW, 4)
        ):
            yield song


def measured(heard: Melody, new: Melody) -> list[float]:
    """The values of the columns."""
    before, after = pooled_statistics([heard]), pooled_statistics([new])
    onsets, bars = ([_bars(melody, pitched) for melody in (heard, new)] for pitched in (False, True))
    known = [float(np.mean([bar in set(of_heard) for bar in of_new if bar])) for of_heard, of_new in (onsets, bars)]
    density, spread, silence = (
        abs(after[name] - before[name]) for name in ("notes_per_bar", "range_semitones", "silence")
    )
    ends = _ends_phrases(Melody.join([heard, new]))
    then, now = ends[heard.bars - NEW : heard.bars], ends[heard.bars :]
    return [
        *known,
        after["notes_per_bar"],
        float(density <= before["notes_per_bar"] / 3),
        after["range_semitones"],
        spread,
        after["silence"],
        silence,
        share_outside(weights_of(new), best_scale(weights_of(heard))),
        float(now[then].mean()) if then.any() else np.nan,
        float(now[~then].mean()) if (~then).any() else np.nan,
    ]


def _bars(melody: Melody, pitched: bool) -> list[tuple[tuple[int, int], ...]]:
    """The onsets of each bar, with their pitches or without."""
    bars: list[list[tuple[int, int]]] = [[] for _ in range(melody.bars)]
    for note in melody.notes:
        bars[note.start_step // melody.steps_per_bar].append(
            (note.start_step % melody.steps_per_bar, note.pitch * pitched)
        )
    return [tuple(bar) for bar in bars]


def _ends_phrases(melody: Melody) -> np.ndarray:
    """Whether after the last note of each bar no other begins for two quarters, booleans; not in an empty bar."""
    starts = melody.line[:, 0]
    bars = starts // melody.steps_per_bar
    is_end = np.append(np.diff(bars) > 0, True) & (
        np.diff(starts, append=melody.length_steps) >= 2 * melody.steps_per_quarter
    )
    return np.isin(np.arange(melody.bars), bars[is_end])


def print_continuations(vae: MelodyVAE, tunes: list[Melody], heard_bars: int, title: str) -> None:
    """Print the means of the columns over tunes, of the real bars and of those that ``continue`` writes."""
    rows: dict[str, list[list[float]]] = {"real": [], "continue": []}
    for tune in tunes:
        heard = tune.window(0, heard_bars)
        rows["real"].append(measured(heard, tune.window(heard_bars, NEW)))
        for longer in vae.continue_(heard, bars=NEW):
            rows["continue"].append(measured(heard, longer.window(heard_bars, NEW)))
    print(f"{title}: {len(tunes)}, {heard_bars} bars heard")
    print(f"{'':<12}" + "".join(f"{name:>12}" for name in COLUMNS.split(", ")))
    for name, values in rows.items():
        print(f"{name:<12}" + "".join(f"{value:12.3f}" for value in np.nanmean(values, axis=0)))


def print_wishes(vae: MelodyVAE) -> None:
    """Print the share of tunes that meet each wish."""
    wishes = {name: Wish(key=key_named(name)) for name in ("G:major", "A:minor")}
    wishes |= {f"{density} notes per bar": Wish(density=density) for density in (3, 6, 9)}
    wishes["60 to 79"] = Wish(lowest_pitch=60, highest_pitch=79)
    for name, wish in wishes.items():
        melodies = compose(vae.model, 32, 16, draws=Draws(1), wish=wish).melodies
        print(name, "met", np.mean([wish.distance(melody) < 4 * np.log(1.25) for melody in melodies]))
    closes = Wish(closes=True)
    for name, bars, wish in [("drafts", 8, None), ("chosen", 8, closes), ("drafts", 16, None), ("chosen", 16, closes)]:
        melodies = compose(vae.model, 32, bars, draws=Draws(1), scale="auto", wish=wish).melodies
        close = np.mean([distance_from_close(melody) == 0 for melody in melodies])
        plain = np.mean([awkwardness(melody) == 0 for melody in melodies])
        print(f"{name}, {bars} bars: close on the tonic, on a beat, a beat long {close}; nothing awkward {plain}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--songs", type=Path)
    parser.add_argument("--model", default="melody-compose")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    arguments = parser.parse_args()
    vae = MelodyVAE.from_pretrained(arguments.model)
    tunes = [
        tune
        for tune in tunes_of(arguments.dataset, arguments.split, vae)
        if tune.window(0, NEW).notes and tune.window(HEARD_OF_TUNES, NEW).notes
    ]
    print_continuations(vae, _some(tunes, arguments.count), HEARD_OF_TUNES, "held-out tunes")
    if arguments.songs is not None:
        songs = _some(list(songs_of(arguments.songs)), arguments.count)
        print_continuations(vae, songs, HEARD_OF_SONGS, f"songs of {arguments.songs.name}")
    print_wishes(vae)


def _some(tunes: list[Melody], count: int) -> list[Melody]:
    """As many of the tunes, spread evenly."""
    return [tunes[place] for place in np.linspace(0, len(tunes) - 1, min(count, len(tunes))).astype(int)]


if __name__ == "__main__":
    main()
