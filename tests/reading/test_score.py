"""Scores that are not MIDI: what a page of music says, clause by clause, in each format."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from melodyvae.music.notes import Song
from melodyvae.reading import musicxml as musicxml_reader
from melodyvae.reading.melodies import read_melody
from melodyvae.reading.midi import MidiError
from melodyvae.reading.score import is_score, read_score, read_scores, song_from_score_bytes, song_from_tune
from tests.reading.smf import tune

Notes = list[tuple[float, float, int]]
HEAD = "X:1\nT:A tune\nM:4/4\nL:1/4\n"


def notes(song: Song, part: int = 0) -> Notes:
    found = song.parts[part]
    return list(zip(found.starts.tolist(), found.ends.tolist(), found.pitches.tolist(), strict=True))


def pitches(song: Song) -> list[int]:
    return song.parts[0].pitches.tolist()  # type: ignore[no-any-return]


def bars(song: Song) -> list[tuple[float, float, bool]]:
    return [(bar.start_quarters, bar.length_quarters, bar.is_whole) for bar in song.bars()]


def abc(music: str, head: str = HEAD, key: str = "C") -> Song:
    return song_from_tune(f"{head}K:{key}\n{music}\n", ".abc", "tune.abc")


class TestAbc:
    @pytest.mark.parametrize(
        ("music", "key", "expected"),
        [
            ("^c c c' c|c", "C", [73, 73, 84, 73, 72]),  # to the bar's end, in its own octave
            ("_B B =B B|B", "C", [70, 70, 71, 71, 71]),  # until a natural
            ("f =f f f|f", "G", [78, 77, 77, 77, 78]),  # over the key signature, until the bar line
            ("^f2 ||f2|", "C", [78, 77]),  # any bar line
            ("{^f}f f2 f|", "C", [77, 77, 77]),  # a grace note's is its own
        ],
    )
    def test_an_accidental_holds_to_the_end_of_the_bar(self, music: str, key: str, expected: list[int]) -> None:
        # music21 drops it in ABC older than 2.0, which is nearly all there is: 13% of the Essen songs came out wrong.
        assert pitches(abc(music, key=key)) == expected

    def test_a_tie_carries_an_accidental_over_the_bar_line(self) -> None:
        # music21 forgot it, so that one note became two of other pitches.
        assert notes(abc("^f4-|f2 f2|")) == [(0, 6, 78), (6, 8, 77)]
        assert notes(abc("^f4-|=f4|")) == [(0, 4, 78), (4, 8, 77)]

    def test_they_hold_in_their_own_octave_whatever_the_version(self) -> None:
        newer = song_from_tune(f"%abc-2.1\n{HEAD}K:C\n^c c c' c|\n", ".abc", "a")
        assert pitches(newer) == [73, 73, 84, 73]

    @pytest.mark.parametrize(
        ("music", "expected"),
        [
            ("cdef|gabc'|", [(0, 4, True), (4, 4, True)]),
            ("G|cdef|gabc'|", [(0, 1, False), (1, 4, True), (5, 4, True)]),
            ("G|cdef|gab:|G|cdef|", [(0, 1, False), (1, 4, True), (5, 4, True), (9, 4, True)]),
            ("cdef|gabc'||G|cdef|", [(0, 4, True), (4, 4, True), (8, 1, False), (9, 4, True)]),
            ("cdef|[M:3/4]gab|gab|", [(0, 4, True), (4, 3, True), (7, 3, True)]),
            ("cdef|\nM:3/4\ngab|gab|", [(0, 4, True), (4, 3, True), (7, 3, True)]),
            ("cdefg|cdef|", [(0, 5, True), (5, 4, True)]),
            ("cdefcdef|cdef|", [(0, 4, True), (4, 4, True), (8, 4, True)]),
        ],
    )
    def test_bar_lines_are_where_they_are_written(self, music: str, expected: list[tuple[float, float, bool]]) -> None:
        assert bars(abc(music)) == expected

    def test_without_a_meter_a_bar_has_its_own_length(self) -> None:
        head = "X:1\nM:none\nL:1/4\n"
        assert [(m.numerator, m.denominator) for m in abc("cde|cdefg|", head).meters] == [(3, 4), (5, 4)]
        assert [(m.numerator, m.denominator) for m in abc("cdefgab", head).meters] == [(7, 4)]

    @pytest.mark.parametrize(
        ("music", "expected"),
        [
            ("c4-|c2 d2|", [(0, 6, 72), (6, 8, 74)]),
            ("c-d e2|", [(0, 1, 72), (1, 2, 74), (2, 4, 76)]),  # old ABC writes slurs so
            ("{ab}c {d}d2|", [(0, 1, 72), (1, 3, 74)]),
            ("[CEG]2 c2|", [(0, 2, 60), (0, 2, 64), (0, 2, 67), (2, 4, 72)]),
            ('"Am"c2 "^slow"d2|', [(0, 2, 72), (2, 4, 74)]),
            ("c>.d c>{b}d|", [(0, 1.5, 72), (1.5, 2, 74), (2, 3.5, 72), (3.5, 4, 74)]),
            ("c>(d e2)|", [(0, 1.5, 72), (1.5, 2, 74), (2, 4, 76)]),
            ("(3c/d/e/ z (c2|d4)|", [(0, 1 / 3, 72), (1 / 3, 2 / 3, 74), (2 / 3, 1, 76), (2, 4, 72), (4, 8, 74)]),
            ("!trill!Tc4|\nw: la\n~d4|", [(0, 4, 72), (4, 8, 74)]),
        ],
    )
    def test_what_is_a_note_and_what_is_none(self, music: str, expected: Notes) -> None:
        assert notes(abc(music)) == [pytest.approx(note) for note in expected]

    def test_tempo_and_voices(self) -> None:
        song = abc("V:1\nc4|\nV:2\nC4|\n", HEAD + "Q:1/4=90\n")
        assert [part.pitches.tolist() for part in song.parts] == [[72], [60]]
        assert song.quarters_per_minute_at(0) == 90

    @pytest.mark.parametrize("tempo", ["1.5", "3.5"])
    def test_a_tempo_slower_than_midi_can_hold_is_left_out(self, tempo: str) -> None:
        assert abc("c4|", HEAD + f"Q:1/4={tempo}\n").quarters_per_minute_at(0) == 120

    def test_a_file_of_several_tunes(self, tmp_path: Path) -> None:
        path = tmp_path / "two.abc"
        path.write_bytes(b"L:1/4\nBook of 2 tunes\n\nX:7\nT:\xe4\nM:4/4\nK:C\nc4|\n\nabc\n\nX:9\nM:4/4\nK:G\nf4|\r\n")
        found = list(read_scores(path))
        assert [(name, notes(song)) for name, song in found] == [
            ("two.abc#7", [(0, 4, 72)]),
            ("two.abc#9", [(0, 4, 78)]),
        ]
        assert read_score(path).parts[0].pitches.tolist() == [72]


def musicxml(measures: str, part_list: str = '<score-part id="P1"><part-name>Flute</part-name></score-part>') -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="3.1"><part-list>{part_list}</part-list><part id="P1">{measures}</part></score-partwise>
""".encode()


def xml_note(step: str, octave: int, quarters: int, more: str = "", before: str = "", alter: int = 0) -> str:
    duration = f"<duration>{quarters}</duration>" if quarters else ""
    return (
        f"<note>{before}<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
        f"{duration}{more}</note>"
    )


IN_FOUR = "<divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
PICKUP_TIE_GRACE = (
    f'<measure number="0" implicit="yes"><attributes>{IN_FOUR}</attributes>{xml_note("G", 4, 1)}</measure>'
    '<measure number="1"><harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>'
    f"{xml_note('D', 5, 0, '<type>eighth</type>', before='<grace/>')}"
    f"{xml_note('C', 5, 4, more='<tie type=' + chr(34) + 'start' + chr(34) + '/>')}</measure>"
    f'<measure number="2">{xml_note("C", 5, 2, more="<tie type=" + chr(34) + "stop" + chr(34) + "/>")}'
    f"{xml_note('E', 5, 2)}{xml_note('G', 5, 2, before='<chord/>')}</measure>"
)
WRITTEN = [(0, 1, 67), (1, 7, 72), (7, 9, 76), (7, 9, 79)]


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class TestMusicXml:
    def test_pickup_tie_grace_chord_and_chord_symbol(self) -> None:
        song = song_from_score_bytes(musicxml(PICKUP_TIE_GRACE), "a.musicxml")
        assert notes(song) == WRITTEN
        assert [part.name for part in song.parts] == ["Flute"]
        assert bars(song) == [(0, 1, False), (1, 4, True), (5, 4, True)]

    def test_compressed(self) -> None:
        container = b'<container><rootfiles><rootfile full-path="in/it.xml"/></rootfiles></container>'
        files = {"META-INF/container.xml": container, "other.xml": b"<a/>", "in/it.xml": musicxml(PICKUP_TIE_GRACE)}
        assert notes(song_from_score_bytes(zipped(files), "a.mxl")) == WRITTEN
        assert notes(song_from_score_bytes(zipped({"it.xml": musicxml(PICKUP_TIE_GRACE)}), "a.mxl")) == WRITTEN

    def test_transposing_instruments_sound_as_they_do(self) -> None:
        transpose = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
        clarinet = '<score-part id="P1"><part-name>Clarinet in Bb</part-name></score-part>'
        measure = '<measure number="1"><attributes>{}</attributes>' + xml_note("C", 5, 4) + "</measure>"
        written = song_from_score_bytes(musicxml(measure.format(IN_FOUR + transpose), clarinet), "a.xml")
        concert = song_from_score_bytes(musicxml(measure.format(IN_FOUR), clarinet), "a.xml")
        assert (pitches(written), pitches(concert)) == ([70], [72])

    def test_drums_and_tempo(self) -> None:
        drum = "<note><unpitched><display-step>C</display-step><display-octave>5</display-octave></unpitched>"
        measure = (
            f'<measure number="1"><attributes>{IN_FOUR}</attributes>'
            "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>33</per-minute></metronome>"
            '</direction-type><sound tempo="66"/></direction>'
            f"{drum}<duration>4</duration></note></measure>"
        )
        song = song_from_score_bytes(musicxml(measure), "a.xml")
        assert [part.is_drum for part in song.parts] == [True]
        assert song.quarters_per_minute_at(0) == 66


KERN = """!!!OTL: {title}
**kern
*M4/4
*k[f#]
=0-
4g
=1
[2cc
2cc#
=2
4cc]
qdd
4a
2f#
==
*-
"""


class TestKern:
    def test_pickup_tie_and_grace(self) -> None:
        song = song_from_tune(KERN.replace("[2cc\n2cc#", "2cc#\n[2cc"), ".krn", "a.krn")
        assert notes(song) == [(0, 1, 67), (1, 3, 73), (3, 6, 72), (6, 7, 69), (7, 9, 66)]
        assert bars(song) == [(0, 1, False), (1, 4, True), (5, 4, True)]

    def test_several_tunes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.krn"
        path.write_text(KERN + KERN.replace("4g", "4d"), encoding="utf-8")
        assert [(name, pitches(song)[0]) for name, song in read_scores(path)] == [("a.krn#1", 67), ("a.krn#2", 62)]


BROKEN = {
    "empty.abc": (b"", "empty_file"),
    "text.abc": (b"Dear all,\nthis is a letter.\n", "not_a_score"),
    "length.abc": (f"{HEAD.replace('1/4', '1/0')}K:C\nc4|\n".encode(), "corrupt"),
    "empty.krn": (b"", "empty_file"),
    "text.krn": (b"**text\nla\n*-\n", "not_a_score"),
    "empty.xml": (b"", "empty_file"),
    "page.xml": (b"<html><body/></html>", "not_a_score"),
    "bytes.musicxml": (bytes(range(256)), "not_a_score"),
    "cut.musicxml": (musicxml(PICKUP_TIE_GRACE)[:900], "corrupt"),
    "opus.xml": (b"<score-timewise/>", "corrupt"),
    "bomb.xml": (b'<!DOCTYPE a [<!ENTITY b "c">]><score-partwise>&b;</score-partwise>', "not_a_score"),
    "cut.mxl": (zipped({"it.xml": musicxml(PICKUP_TIE_GRACE)})[:200], "corrupt"),
    "holiday.mxl": (zipped({"beach.jpg": b"sea"}), "not_a_score"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_its_reason(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, reason = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MidiError, match=name.partition(".")[0]) as caught:
        list(read_scores(tmp_path / name))
    assert caught.value.reason == reason
    assert capfd.readouterr() == ("", "")


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml_reader, "MAX_FILE_BYTES", 1000)
    with pytest.raises(MidiError, match=r"a\.mxl unpacks to more than") as caught:
        song_from_score_bytes(zipped({"it.xml": b"<score-partwise>" + b" " * 2000}), "a.mxl")
    assert caught.value.reason == "too_large"


def test_a_melody_is_read_from_a_score_and_music21_only_then(tmp_path: Path) -> None:
    path = tmp_path / "tune.abc"
    path.write_text(f"{HEAD}K:C\nG|cdef|gabc'|\n", encoding="utf-8")
    assert is_score(path)
    assert [note.pitch for note in read_melody(path).melody.notes] == [67, 72, 74, 76, 77, 79, 81, 83, 84]
    (tmp_path / "tune.mid").write_bytes(tune([60, 62, 64, 65]))
    code = (
        "import sys; from melodyvae.reading.melodies import read_melody; "
        f"read_melody({str(tmp_path / 'tune.mid')!r}); assert 'music21' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
