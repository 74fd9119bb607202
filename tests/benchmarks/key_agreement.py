"""Agreement of the estimated key with a file's signature; relative keys count as right.

    python -m tests.benchmarks.key_agreement FOLDER [FOLDER ...]

Of the MIDI files in each folder those with one key signature that is not C major count, as C major is what programs
write by default. The signature is hidden from what is measured, but for the last column. POP909 has no signatures: a
file ``key_audio.txt`` with one key, beside the MIDI file, is the answer there, and the last column says nothing new.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.music.keys import MINOR_BELOW_MAJOR, key_of, key_of_piece, parse_tonic, says_a_key
from melodyvae.music.notes import Song
from melodyvae.music.regions import melody_of
from melodyvae.music.voice import MelodyError, choose_part
from melodyvae.reading.midi import MidiError, read_midi

KEY_FILE = "key_audio.txt"  # lines of start, end and a key such as Gb:maj


def answer_of(path: Path, song: Song) -> int | None:
    """The tonic of the major key with the notes of the piece's key; None if it is unknown or there are several."""
    if (path.parent / KEY_FILE).is_file():
        lines = (path.parent / KEY_FILE).read_text(encoding="utf-8").splitlines()
        keys = {line.split()[2] for line in lines if line.strip()}
        if len(keys) != 1:
            return None
        tonic, _, mode = keys.pop().partition(":")
        return (parse_tonic(tonic) + MINOR_BELOW_MAJOR * (mode == "min")) % 12
    fifths = {signature.fifths for signature in song.key_signatures}
    return 7 * fifths.pop() % 12 if len(fifths) == 1 and says_a_key(song.key_signatures) else None


def agreements(folder: Path) -> Iterator[tuple[bool, bool, bool]]:
    """Of each file that counts, whether the key agrees: the melody's, all pitched parts', and with the signature."""
    for path in sorted(folder.rglob("*.mid")):
        if path.parent.name == "versions":  # POP909's other takes of the same song
            continue
        try:
            song = read_midi(path)
            answer = answer_of(path, song)
            if answer is None:
                continue
            part_index = choose_part(song, "auto")
        except (MidiError, MelodyError):
            continue
        hidden = replace(song, key_signatures=())
        keys = (key_of(melody_of(song, part_index).melody), key_of_piece(hidden, part_index))
        found = [key is not None and key.major_tonic == answer for key in (*keys, key_of_piece(song, part_index))]
        yield found[0], found[1], found[2]


def main() -> None:
    print("| folder | files | the melody | all pitched parts | with the signature |\n|---|---|---|---|---|")
    for folder in map(Path, sys.argv[1:]):
        found = np.array(list(agreements(folder)))
        shares = " | ".join(f"{share:.3f}" for share in found.mean(axis=0))
        print(f"| {folder.name} | {len(found)} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
