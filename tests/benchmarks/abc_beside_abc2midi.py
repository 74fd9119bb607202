"""Tunes in ABC as this package reads them, beside ``abc2midi`` (Debian package abcmidi): onsets and pitches.

python -m tests.benchmarks.abc_beside_abc2midi [--list unequal.txt] [FILE.abc ...]

Without files: the collections that music21 installs, and tunes of several voices that are made here. Each tune is
compared twice: as written, with its repeat signs taken out of what abc2midi gets, which is a comparison of notes; and
with repeats played out, as abc2midi does, which is one of the form, too. abc2midi also plays chord symbols, grace notes
and decorations, and swings what R: calls a hornpipe: these are taken out of what it gets, and it is told that an
accidental holds in its own octave. Two readings are equal if each pitch begins at the same times, to 1/20 of a quarter.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from melodyvae.music.notes import Song
from melodyvae.reading.collection import collection_files
from melodyvae.reading.midi import MidiError, read_midi
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import song_from_tune
from melodyvae.reading.tunes import text_of, tunes_in
from tests.benchmarks.side_by_side import machine

COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs", "essenFolksong", "miscFolk", "josquin")
MADE, MADE_TUNES = "voices", 300
TOLERANCE_QUARTERS = 0.05  # it plays the notes of a chord one after the other, 1/48 apart
TICKS_LATE = 1  # at which abc2midi begins, of 480
DIRECTIVES = "%%MIDI gchordoff\n%%MIDI chordattack 0\n%%propagate-accidentals octave\n"
MUSIC_ALONE = re.compile(r"""("[^"]*")|(\{[^}]*\})|(![^!\s|]*!)|[~HLMOPSTJRuv.]+(?=[\^=_]*[A-Ga-gxz\[({"!])""", re.X)
REPEAT_SIGN = re.compile(r"(?::*\|[|\]]*:*|::+)(?:\s*\[?\d[\d,-]*(?![\d/]))?|\[\d[\d,-]*")
TAKEN_OUT: dict[Repeats, tuple[str, ...]] = {"written": ("X:", "R:", "P:"), "play": ("X:", "R:")}
FIELD = re.compile(r"([A-Za-z+]:(?![|:]))|%%")

Onsets = dict[int, list[float]]


def main() -> None:
    """Print a table, and write what is unequal to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--only", action="append", choices=[*COLLECTIONS, MADE], help="These collections.")
    parser.add_argument("--list", type=Path, help="Write the unequal tunes here.")
    arguments = parser.parse_args()
    if shutil.which("abc2midi") is None:
        raise SystemExit("abc2midi is not installed; on Debian it is in the package abcmidi")
    print(f"{machine()}\n\n| collection | tunes | equal as written | share | as played | share | tunes per second |")
    print("|---|---|---|---|---|---|---|")
    unequal: list[str] = []
    for collection, tunes in _collections(arguments.files, arguments.only):
        counts: Counter[str] = Counter()
        seconds = 0.0
        for name, text in tunes:
            counts["tunes"] += 1
            for repeats in get_args(Repeats):
                began = time.perf_counter()
                try:
                    ours: Onsets | str = onsets(song_from_tune(text, ".abc", name, repeats=repeats))
                except MidiError as error:
                    ours = str(error)
                seconds += time.perf_counter() - began
                theirs, said = _abc2midi(text, repeats)
                if isinstance(ours, dict) and are_equal(ours, theirs):
                    counts[repeats] += 1
                else:
                    unequal.append(f"=== {repeats} {name}: {difference(ours, theirs)}\n{said}\n{text}")
        cells = [collection, str(counts["tunes"])]
        for repeats in get_args(Repeats):
            cells += [str(counts[repeats]), f"{counts[repeats] / max(counts['tunes'], 1):.4f}"]
        print(f"| {' | '.join(cells)} | {2 * counts['tunes'] / seconds:.0f} |", flush=True)
    if arguments.list:
        arguments.list.write_text("\n".join(unequal), encoding="utf-8")


def _collections(files: list[Path], only: list[str] | None) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    if files:
        yield "files", _tunes([(file, file.name) for file in files])
        return
    for name in only or (*COLLECTIONS, MADE):
        if name == MADE:
            yield name, _made_tunes()
            continue
        yield name, _tunes([pair for pair in collection_files(name) if pair[0].suffix == ".abc"])


def _tunes(files: list[tuple[Path, str]]) -> Iterator[tuple[str, str]]:
    for path, name in files:
        for tune in tunes_in(text_of(path.read_bytes()), ".abc"):
            yield f"{name}#{tune.number}", tune.text


def onsets(song: Song) -> Onsets:
    """Times in quarters at which each pitch begins, in all parts together."""
    found: Onsets = defaultdict(list)
    for part in song.parts:
        for start, pitch in zip(part.starts.tolist(), part.pitches.tolist(), strict=True):
            found[pitch].append(start)
    return {pitch: sorted(starts) for pitch, starts in found.items()}


def are_equal(ours: Onsets, theirs: Onsets) -> bool:
    """Whether each pitch begins at the same times; a note that two voices share counts once."""
    if ours.keys() != theirs.keys():
        return False
    for pitch, starts in ours.items():
        mine, other = _without_doubles(starts), _without_doubles(theirs[pitch])
        if len(mine) != len(other):
            return False
        if any(abs(a - b) > TOLERANCE_QUARTERS for a, b in zip(mine, other, strict=True)):
            return False
    return True


def _without_doubles(starts: list[float]) -> list[float]:
    return [start for place, start in enumerate(starts) if not place or start - starts[place - 1] > TOLERANCE_QUARTERS]


def difference(ours: Onsets | str, theirs: Onsets) -> str:
    """The first place where two readings part, or why there is no reading."""
    if isinstance(ours, str):
        return ours
    only_here, only_there = _without(ours, theirs), _without(theirs, ours)
    first = min([*only_here, *only_there], default=(0.0, 0))
    whose = "here" if first in only_here else "in abc2midi"
    return f"pitch {first[1]} at {first[0]:.3f} only {whose}; {len(only_here)} only here, {len(only_there)} only there"


def _without(some: Onsets, others: Onsets) -> list[tuple[float, int]]:
    """The notes of one reading that have none in the other at their time."""
    return [
        (start, pitch)
        for pitch, starts in some.items()
        for start in starts
        if all(abs(start - other) > TOLERANCE_QUARTERS for other in others.get(pitch, []))
    ]


def _abc2midi(text: str, repeats: Repeats) -> tuple[Onsets, str]:
    """What abc2midi plays, and its messages."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(_music_alone(text, repeats), encoding="utf-8")
        done = subprocess.run(
            ["abc2midi", str(source), "-o", str(target)], capture_output=True, text=True, errors="replace", check=False
        )
        said = "\n".join(line for line in done.stdout.splitlines() if line.startswith(("Error", "Warning")))
        try:
            found = onsets(read_midi(target))
        except (MidiError, OSError) as error:
            return {}, f"{said}\n{error}"
    late = TICKS_LATE / 480
    return {pitch: [start - late for start in starts] for pitch, starts in found.items()}, said


def _music_alone(text: str, repeats: Repeats) -> str:
    """The tune without what abc2midi would play beside its notes."""
    lines, in_body = [], False
    for line in text.split("\n"):
        if line.startswith("K:") and not in_body:
            in_body = True
            lines += [DIRECTIVES.rstrip("\n"), line]
        elif not in_body or FIELD.match(line):
            lines.append(line)
        else:
            music = MUSIC_ALONE.sub("", line) or "%"  # an empty line would end the tune
            lines.append(REPEAT_SIGN.sub("|", music) if repeats == "written" else music)
    return "\n".join(["X:1", *(line for line in lines if not line.startswith(TAKEN_OUT[repeats]))])


def _made_tunes() -> Iterator[tuple[str, str]]:
    """Tunes of several voices, written in the ways in which people do."""
    for seed in range(MADE_TUNES):
        yield f"made#{seed}", made_tune(random.Random(seed))


def made_tune(draw: random.Random) -> str:
    """A tune of two to four voices, by systems or one after the other, with repeats, overlays, tuplets and ties."""
    meter, eighths = draw.choice([("4/4", 8), ("3/4", 6), ("6/8", 6), ("2+2+3/8", 7), ("C|", 8), ("(2+3)/4", 10)])
    key = draw.choice(["C", "G", "Dm", "F#m", "Eb", "A mix", "D dor", "E phr", "Bb lyd", "D exp _b ^f", "Hp"])
    names = draw.choice([["1", "2"], ["S", "A", "T", "B"], ["T1", "T2", "B"]])
    count = draw.randint(4, 12)
    lines = ["|"] * (count - 1) + [":|"]
    if draw.random() < 0.3:
        lines[-3:] = ["|1 ", ":|2 ", "|]"]
    else:
        for _ in range(2):
            lines[draw.randrange(count - 1)] = draw.choice(["::", "||"])  # of voices it repeats after no other
    clefs = {name: draw.choice(["", " clef=bass", " clef=treble-8", " octave=-1", " transpose=-2"]) for name in names}
    # abc2midi neither transposes an overlay nor repeats after one
    layers = {name: [line == "|" and "transpose" not in clefs[name] for line in lines] for name in names}
    bars = {
        name: [_made_bar(draw, eighths, may) + line for may, line in zip(layers[name], lines, strict=True)]
        for name in names
    }
    head = ["X:1", "T:Made", f"M:{meter}", "L:1/8", f"Q:{draw.choice(['1/4=100', '120', '3/8=60'])}"]
    form = draw.choice(["systems", "inline", "one after the other"])
    per_line = count if form == "one after the other" else 3
    body: list[str] = []
    for first in range(0, count, per_line):
        for name in names:
            music = ("|:" if first == 0 else "") + "".join(bars[name][first : first + per_line])
            body += [f"[V:{name}]{music}"] if form == "inline" else [f"V:{name}", music]
    return "\n".join([*head, *(f"V:{name}{clefs[name]}" for name in names), f"K:{key}", *body]) + "\n"


def _made_bar(draw: random.Random, eighths: int, may_have_layers: bool) -> str:
    if draw.random() < 0.05:
        return "Z" if draw.random() < 0.5 else f"z{eighths}"
    bar = _made_layer(draw, eighths)
    return f"{bar} & {_made_layer(draw, eighths)}" if may_have_layers and draw.random() < 0.15 else bar


def _made_layer(draw: random.Random, eighths: int) -> str:
    pieces, left = [], eighths
    while left:
        kind = draw.random()
        if kind < 0.08 and left >= 2:
            pieces.append(f"(3{_made_note(draw)}{_made_note(draw)}{_made_note(draw)}")
            left -= 2
        elif kind < 0.16 and left >= 2:
            pieces.append(_made_note(draw) + draw.choice("<>") + _made_note(draw))
            left -= 2
        elif kind < 0.24:
            pieces.append(f"[{_made_note(draw)}{_made_note(draw)}]")
            left -= 1
        elif kind < 0.3:
            pieces.append(draw.choice(["z", "x", "y2 z"]))
            left -= 1
        else:
            length = draw.randint(1, min(left, 3))
            note = _made_note(draw)
            pieces.append(f"{note}{length if length > 1 else ''}")
            left -= length
            if left and kind > 0.9:
                pieces[-1] += "-" + note
                left -= 1
    return " ".join(pieces)


def _made_note(draw: random.Random) -> str:
    sign = draw.choice(["", "", "", "", "", "^", "_", "="])
    letter = draw.choice("CDEFGABcdefgab")
    return sign + letter + draw.choice(["", "", "", "'" if letter.islower() else ","])


if __name__ == "__main__":
    main()
