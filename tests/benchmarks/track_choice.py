"""Share of songs in which ``--track auto`` finds the tune, on two sets with known answers.

    python -m tests.benchmarks.track_choice ../shared/data [POP909]

- lieder: OpenScore Lieder, a voice part against the piano. The answer is the part whose name says that it is sung;
  files in which not exactly one part says so are skipped and counted.
- pop: POP909's melodies, mixed here with chords, a bass, an arpeggio above, a counter-voice and a double of the melody
  an octave below made in code, in an order drawn by file. The answer is the melody. Programs are drawn from those that
  such parts have in General MIDI files.

- bands, where the folder POP909 of that dataset is given: see :mod:`tests.benchmarks.bands`. With names hidden, on the
  songs with even numbers, and the share of right choices by margin; then the weights as fitted to the odd ones.

Names, and in pop programs too, are hidden and shown; in pop also names that mislead: the title on every track, and
"backing vocals", "backup lead" and "melody doubled" on what goes with the melody, which is called by its instrument.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.music.notes import Part, Song
from melodyvae.music.voice import WEIGHTS, score_parts
from melodyvae.reading.midi import MidiError, read_midi
from tests.benchmarks.bands import bands

PROGRAMS = {
    "MELODY": (0, 22, 40, 52, 53, 54, 56, 65, 66, 68, 71, 73, 75, 80, 81, 85),
    "CHORDS": (0, 1, 4, 16, 24, 25, 26, 27, 29, 48, 88, 89),
    "BASS": (32, 33, 34, 35, 38, 39),
    "BRIDGE": (0, 8, 11, 24, 25, 27, 45, 46),
    "STRINGS": (44, 48, 49, 50, 61, 91),
}
MISLEADING = {"MELODY": "Alto Sax", "STRINGS": "Backing Vocals", "BRIDGE": "Backup Lead", "DOUBLE": "Melody Doubled"}
SUNG = re.compile(r"voice|vocal|voix|gesang|singstimme|sopran|mezzo|alt\b|alto|tenor|barit|bass\b|canto|chant", re.I)


def lieder(data: Path) -> Iterator[tuple[str, Song, int]]:
    """(file, piece, the voice's index)."""
    for path in sorted((data / "train" / "openscore-lieder").rglob("*.mid")):
        song = read_midi(path)
        sung = [index for index, part in enumerate(song.parts) if SUNG.search(part.name)]
        if len(sung) == 1 and len(song.parts) > 1:
            yield path.name, song, sung[0]


def pop(data: Path) -> Iterator[tuple[str, Song, int]]:
    """(file, mixed piece, the melody's index)."""
    for path in sorted((data / "benchmark" / "pop909-melody").rglob("*.mid")):
        try:
            song = read_midi(path)
        except MidiError:
            continue
        draw = random.Random(path.name)
        melody = replace(song.parts[0], name="MELODY", program=draw.choice(PROGRAMS["MELODY"]))
        parts = [melody, *accompaniment(melody, draw)]
        draw.shuffle(parts)
        yield path.name, replace(song, parts=tuple(parts)), parts.index(melody)


def accompaniment(melody: Part, draw: random.Random) -> list[Part]:
    """Chords, bass, arpeggio and a sparse counter-voice that fit the melody's pitches bar by bar."""
    chords, bass, arpeggio, counter = [], [], [], []
    for bar in range(int(melody.ends.max() // 4) + 1):
        start = 4.0 * bar
        inside = melody.pitches[(melody.starts >= start) & (melody.starts < start + 4)]
        root = int(inside[0]) % 12 if len(inside) else draw.randrange(12)
        triad = [root, root + draw.choice((3, 4)), root + 7]
        chords += [(start + beat, start + beat + 2, 48 + tone) for beat in (0, 2) for tone in triad]
        bass += [(start + beat, start + beat + 1, 36 + root + 7 * (beat % 2)) for beat in range(4)]
        arpeggio += [(start + i / 2, start + i / 2 + 0.5, 60 + triad[i % 3] + 12 * (i % 4 == 3)) for i in range(8)]
        if bar % 4 == 3:
            counter += [(start + i / 2, start + i / 2 + 0.5, 72 + triad[i % 3]) for i in range(4)]
    made = {"CHORDS": chords, "BASS": bass, "BRIDGE": arpeggio, "STRINGS": counter}
    parts = [_part(name, draw.choice(PROGRAMS[name]), notes) for name, notes in made.items() if notes]
    return [*parts, replace(melody, name="DOUBLE", pitches=melody.pitches - 12)]


def _part(name: str, program: int, notes: list[tuple[float, float, int]]) -> Part:
    ordered = sorted(notes, key=lambda note: (note[0], note[2]))
    starts, ends, pitches = (np.array(column) for column in zip(*ordered, strict=True))
    return Part(name, program, False, starts, ends, pitches.astype(np.int16), np.full(len(notes), 80, np.int16))


def without_names(song: Song) -> Song:
    """The piece with every part's name removed."""
    return replace(song, parts=tuple(replace(part, name="") for part in song.parts))


def without_programs(song: Song) -> Song:
    """The piece with every part played by a piano."""
    return replace(song, parts=tuple(replace(part, program=0) for part in song.parts))


def with_misleading_names(song: Song) -> Song:
    """The piece with names that speak of melodies on other parts than the melody."""
    parts = [replace(part, name=f"Song of Voices {MISLEADING.get(part.name, part.name)}") for part in song.parts]
    return replace(song, parts=tuple(parts))


def accuracy(pieces: list[tuple[str, Song, int]]) -> float:
    """The share of pieces whose melody is found."""
    return sum(score_parts(song)[0].index == answer for _, song, answer in pieces) / len(pieces)


def margins(pieces: list[tuple[str, Song, int]]) -> Iterator[tuple[float, bool]]:
    """How far the likeliest part of each piece is before the next, and whether it is the melody."""
    for _, song, answer in pieces:
        scores = score_parts(song)
        yield scores[0].total - scores[1].total, scores[0].index == answer


def fit(pieces: list[tuple[str, Song, int]], pull: float = 1.0) -> dict[str, float]:
    """The weights that make the melodies likeliest: a conditional logit, drawn to the present ones."""
    terms = [name for name in WEIGHTS if name not in ("name", "lyrics")]
    choices = []
    for _, song, answer in pieces:
        scores = score_parts(song)
        rows = np.array([[score.terms[name] for name in terms] for score in scores])
        choices.append((rows, rows[[score.index for score in scores].index(answer)]))
    start = np.array([WEIGHTS[name] for name in terms])
    weights = start.copy()
    for _ in range(50):
        gradient, curvature = pull * (weights - start), pull * np.eye(len(terms))
        for rows, chosen in choices:
            shares = np.exp(rows @ weights - (rows @ weights).max())
            shares /= shares.sum()
            mean = shares @ rows
            gradient += mean - chosen
            curvature += (rows - mean).T @ ((rows - mean) * shares[:, None])
        weights -= np.linalg.solve(curvature, gradient)
    return dict(zip(terms, weights.round(2).tolist(), strict=True))


def report_bands(folder: Path) -> None:
    """Print the share of right choices, by margin too, and the fitted weights."""
    held_out, fitted = ([*bands(folder, range(first, 910, 2))] for first in (2, 1))
    held_out, fitted = (
        [(name, without_names(song), answer) for name, song, answer in pieces] for pieces in (held_out, fitted)
    )
    found = np.array([*margins(held_out)])
    print(f"bands, names hidden: {found[:, 1].mean():.4f} of {len(found)}")
    for low, high in ((0, 0.25), (0.25, 1), (1, 2), (2, np.inf)):
        right = found[(found[:, 0] >= low) & (found[:, 0] < high), 1]
        print(f"  margin {low} to {high}: {right.mean():.2f} of {len(right)}")
    print("fitted:", fit(fitted))


def main() -> None:
    """Print the share of right choices for each set, and what was chosen instead."""
    data = Path(sys.argv[1])
    for name, pieces in (("lieder", list(lieder(data))), ("pop", list(pop(data)))):
        if not pieces:
            print(f"{name}: no files below {data}")
            continue
        kinds: dict[str, Callable[[Song], Song]] = {
            "names hidden, programs hidden": lambda song: without_programs(without_names(song)),
            "names hidden, programs shown": without_names,
            "names shown, programs hidden": without_programs,
            "names shown, programs shown": lambda song: song,
            "misleading names, programs hidden": lambda song: without_programs(with_misleading_names(song)),
            "misleading names, programs shown": with_misleading_names,
        }
        for kind, seen in kinds.items():
            if name == "lieder" and kind not in ("names hidden, programs shown", "names shown, programs shown"):
                continue  # all its programs are pianos
            wrong: Counter[str] = Counter()
            for file, song, answer in pieces:
                found = score_parts(seen(song))[0].index
                if found != answer:
                    wrong[song.parts[found].name] += 1
                    if "-v" in sys.argv:
                        print(f"  {file}: {song.parts[found].name!r} for {song.parts[answer].name!r}")
            right = len(pieces) - wrong.total()
            print(f"{name}, {kind}: {right / len(pieces):.4f} of {len(pieces)}; instead: {dict(wrong.most_common(6))}")
    if len(sys.argv) > 2 and Path(sys.argv[2]).is_dir():
        report_bands(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
