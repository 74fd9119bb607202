"""The readers of MusicXML and kern beside others: the same onsets and pitches, or a line that says who is right.

python -m tests.benchmarks.scores_beside_others [--kern 60]

MusicXML: the unofficial test suite (Reinhold Kainhofer), as music21 installs it, beside partitura. kern: music21's
corpus beside music21 itself; of its 1,318 masses a sample. Ties are joined in one way. Without
partitura its half is skipped. Seconds are those of the processor, reader beside reader in one run.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from melodyvae.reading.limited import read_song
from melodyvae.reading.written import WrittenNote, part_of
from tests.benchmarks.side_by_side import machine

Onsets = Counter[tuple[float, int]]
WHO_IS_RIGHT = {
    "01d-Pitches-Microtones.xml": "melodyvae: a pitch altered by one and a half is not the natural one",
    "01f-Pitches-EditorialMicrotoneAccidentals.xml": "melodyvae: partitura refuses quarter-flat",
    "32ab-Notations3.xml": "melodyvae: partitura refuses the file",
    "41c-StaffGroups.xml": "melodyvae: sounding pitches, and a note without a pitch",
    "72a-TransposingInstruments.xml": "melodyvae: sounding pitches; partitura leaves them as written",
    "72b-TransposingInstruments-Full.xml": "melodyvae: sounding pitches; partitura leaves them as written",
    "72c-TransposingInstruments-Change.xml": "melodyvae: sounding pitches; partitura leaves them as written",
    "73a-Percussion.xml": "melodyvae: partitura leaves out notes without a pitch",
}


def main() -> None:
    """Print a table for each format, and a line for each file that differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kern", type=int, default=60, help="masses of the sample; default: 60")
    count = parser.parse_args().kern
    warnings.simplefilter("ignore")
    from music21.common import getCorpusFilePath, getSourceFilePath

    print(machine())
    if find_spec("partitura") is None:
        print("\npartitura is not installed: MusicXML is skipped")
    else:
        suite = sorted((Path(getSourceFilePath()) / "musicxml" / "lilypondTestSuite").glob("*.[xm]*l"))
        _compare("MusicXML suite", suite, "partitura", _of_partitura)
        _compare("MusicXML suite", suite, "music21", _of_music21)
    files = sorted(Path(getCorpusFilePath()).rglob("*.krn"))
    masses = [path for path in files if path.parent.name == "palestrina"]
    others = [path for path in files if path not in set(masses)]
    _compare("kern", others + random.Random(0).sample(masses, min(count, len(masses))), "music21", _of_music21)


def _compare(what: str, files: Sequence[Path], other_name: str, other: Callable[[Path], Onsets]) -> None:
    seconds = [0.0, 0.0]
    unequal = []
    for path in files:
        found: list[Onsets | str] = []
        for place, read in enumerate((_of_melodyvae, other)):
            began = time.process_time()
            try:
                found.append(read(path))
            except Exception as error:  # whatever a reader runs into is its answer
                found.append(f"refused: {type(error).__name__}: {str(error)[:80]}")
            seconds[place] += time.process_time() - began
        if found[0] != found[1]:
            unequal.append((path, found))
    print(
        f"\n| {what} | files | equal | melodyvae, seconds | {other_name}, seconds | ratio |\n|---|---|---|---|---|---|"
    )
    print(
        f"| beside {other_name} | {len(files)} | {len(files) - len(unequal)} | {seconds[0]:.2f} | {seconds[1]:.2f} | "
        f"{seconds[1] / seconds[0]:.1f} |\n"
    )
    for path, (ours, theirs) in unequal:
        print(f"- {path.name}: melodyvae {_described(ours, theirs)}; {other_name} {_described(theirs, ours)}")
        if other_name == "partitura":
            print(f"  right is {WHO_IS_RIGHT.get(path.name, 'unknown')}")


def _described(found: Onsets | str, other: Onsets | str) -> str:
    if isinstance(found, str):
        return found
    only = sorted(found - other) if isinstance(other, Counter) else []
    return f"has {found.total()} notes" + (f", alone {only[:3]}" if only else "")


def _onsets(notes: Iterator[tuple[float, int]]) -> Onsets:
    return Counter((round(float(start), 3), int(pitch)) for start, pitch in notes)


def _of_melodyvae(path: Path) -> Onsets:
    parts = read_song(path).parts
    return _onsets(pair for part in parts for pair in zip(part.starts, part.pitches, strict=True))


def _of_partitura(path: Path) -> Onsets:
    import partitura

    def notes() -> Iterator[tuple[float, int]]:
        for part in partitura.load_musicxml(path).parts:
            if len(part.notes):
                first = float(part.quarter_map(part.first_point.t))  # below 0 where there is a pickup
                array = part.note_array()
                sounding = array[array["duration_quarter"] > 0]
                yield from ((start - first, pitch) for start, pitch in sounding[["onset_quarter", "pitch"]])

    return _onsets(notes())


def _of_music21(path: Path) -> Onsets:
    from music21 import converter

    def notes(flat: Any) -> Iterator[WrittenNote]:
        for element in flat.notes:
            if element.quarterLength and not element.classSet & {"ChordSymbol", "Harmony"}:
                for note in getattr(element, "notes", (element,)):
                    pitch = note.pitch if hasattr(note, "pitch") else note.displayPitch()
                    tie = note.tie.type if note.tie is not None else None
                    start, length = Fraction(flat.elementOffset(element)), Fraction(element.quarterLength)
                    yield WrittenNote(start, length, pitch.midi, tie=tie)

    score: Any = converter.parse(path, forceSource=True)
    sounding = score.toSoundingPitch()
    parts = [part_of(notes(part.flatten())) for part in list(sounding.parts) or [sounding]]
    return _onsets(pair for part in parts for pair in zip(part.starts, part.pitches, strict=True))


if __name__ == "__main__":
    main()
