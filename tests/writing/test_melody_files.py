"""The names of melodies' files say number, key and tempo."""

import re
from dataclasses import replace

import pretty_midi
import pytest

from melodyvae.music.keys import Key, key_of
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.writing.melody_files import DESCRIBED, described_names, write_melodies
from melodyvae.writing.sheet import Roll, Sheet

SCALE = Melody(tuple(MelodyNote(4 * i, 4 * i + 4, 60 + step) for i, step in enumerate((0, 2, 4, 5, 7, 4, 2, 0))), 32)


@pytest.mark.parametrize(("key", "name"), [(Key(9, True), "Am"), (Key(6, False), "F#"), (Key(10, True), "Bbm")])
def test_a_key_is_named_as_musicians_do(key, name):
    assert key.short == name
    (described,) = described_names([SCALE], [key])
    assert described == f"01-of-1_{name}_120bpm.mid"
    assert DESCRIBED.fullmatch(described)


def test_a_melody_without_notes_has_no_key():
    silence = Melody((), 16, quarters_per_minute=95.6)
    assert key_of(silence) is None
    assert described_names([silence, SCALE], [None, key_of(SCALE)]) == ["01-of-2_95.6bpm.mid", "02-of-2_C_120bpm.mid"]


def test_each_file_names_its_track_and_the_row_marks_each_tune(tmp_path):
    assert DESCRIBED.fullmatch(*described_names([replace(SCALE, quarters_per_minute=92.46)], [None]))
    names = described_names([SCALE, SCALE], [None, None])
    write_melodies(tmp_path / "out", Sheet("two", (Roll(SCALE, "A", names[0]), Roll(SCALE, "B", names[1]))))
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "out" / names[1]))
    assert [instrument.name for instrument in midi.instruments] == ["02-of-2_120bpm"]
    assert re.findall(rb"0[12]-of-2_120bpm", (tmp_path / "out" / "all.mid").read_bytes()) == [
        b"01-of-2_120bpm",
        b"02-of-2_120bpm",
    ]
