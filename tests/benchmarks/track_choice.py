"""How often ``--track auto`` finds the tune, on two sets with known answers.

    python -m tests.benchmarks.track_choice ../shared/data

- lieder: OpenScore Lieder, a voice part against the piano. The answer is the part whose name says that it is sung;
  files in which not exactly one part says so are skipped and counted.
- pop: POP909's melodies, mixed here with chords, a bass, an arpeggio above and a counter-voice made in code, in an
  order drawn by file. The answer is the melody.

Names are hidden in a second run of each, as many files have none.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.melodies.voice import score_parts
from data_prep.reading.midi import MidiError, read_midi
from data_prep.reading.notes import Part, Song

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
        melody = replace(song.parts[0], name="MELODY")
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
    return [_part(name, notes) for name, notes in made.items() if notes]


def _part(name: str, notes: list[tuple[float, float, int]]) -> Part:
    ordered = sorted(notes, key=lambda note: (note[0], note[2]))
    starts, ends, pitches = (np.array(column) for column in zip(*ordered, strict=True))
    return Part(name, 0, False, starts, ends, pitches.astype(np.int16), np.full(len(notes), 80, np.int16))


def without_names(song: Song) -> Song:
    """The piece with every part's name removed."""
    return replace(song, parts=tuple(replace(part, name="") for part in song.parts))


def accuracy(pieces: list[tuple[str, Song, int]]) -> float:
    """The share of pieces whose melody is found."""
    return sum(score_parts(song)[0].index == answer for _, song, answer in pieces) / len(pieces)


def main() -> None:
    """Print the share of right choices for each set, and what was chosen instead."""
    data = Path(sys.argv[1])
    for name, pieces in (("lieder", list(lieder(data))), ("pop", list(pop(data)))):
        if not pieces:
            print(f"{name}: no files below {data}")
            continue
        for kind, hide in (("with names", False), ("names hidden", True)):
            wrong: Counter[str] = Counter()
            for file, song, answer in pieces:
                found = score_parts(without_names(song) if hide else song)[0].index
                if found != answer:
                    wrong[song.parts[found].name] += 1
                    if "-v" in sys.argv:
                        print(f"  {file}: {song.parts[found].name!r} for {song.parts[answer].name!r}")
            right = len(pieces) - wrong.total()
            print(f"{name}, {kind}: {right / len(pieces):.4f} of {len(pieces)}; instead: {dict(wrong.most_common(6))}")


if __name__ == "__main__":
    main()
