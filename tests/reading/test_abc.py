"""ABC as musicians write it: voices, overlays, rests, keys, meters, tempi, repeats; and what no music has."""

from __future__ import annotations

from pathlib import Path

import pytest

from melodyvae.music.notes import KeySignature, Song
from melodyvae.reading.faults import CorruptScoreError, FileTooLargeError
from melodyvae.reading.score import NoSuchTuneError, read_score, song_from_tune
from melodyvae.reading.tunes import split_tune

HEAD = "X:1\nT:A tune\nM:4/4\nL:1/4\n"
Notes = list[tuple[float, int]]


def read(music: str, head: str = HEAD, key: str = "C", **options: str) -> Song:
    return song_from_tune(f"{head}K:{key}\n{music}\n", ".abc", "tune.abc", **options)  # type: ignore[arg-type]


def notes(song: Song, part: int = 0) -> Notes:
    found = song.parts[part]
    return list(zip(found.starts.tolist(), found.pitches.tolist(), strict=True))


def pitches(song: Song) -> list[list[int]]:
    return [part.pitches.tolist() for part in song.parts]


def starts(song: Song) -> list[float]:
    return song.parts[0].starts.tolist()  # type: ignore[no-any-return]


class TestVoices:
    UPPER, LOWER = [72, 74, 76, 77, 79, 81, 83, 84], [60, 62, 64, 65, 67, 69, 71, 72]

    @pytest.mark.parametrize(
        "music",
        [
            "V:1\ncdef|gabc'|\nV:2\nCDEF|GABc|",
            "V:1\ncdef|\nV:2\nCDEF|\nV:1\ngabc'|\nV:2\nGABc|",
            "[V:1]cdef|\n[V:2]CDEF|\n[V:1]gabc'|\n[V:2]GABc|",
            "cdef|\nV:2\nCDEF|\nV:1\ngabc'|\nV:2\nGABc|",  # before the first V: is voice 1
            'V:T1 name="Tenor"\nV:B1\n[V:T1]cdef|\n[V:B1]CDEF|\n[V:T1]gabc\'|\n[V:B1]GABc|',
        ],
        ids=["one after the other", "systems", "inline", "before the first V:", "named"],
    )
    def test_a_voice_is_a_part_from_its_first_bar_to_its_last(self, music: str) -> None:
        # Each line came out as a part at bar 1, or all voices in a row in one part.
        song = read(music)
        assert pitches(song) == [self.UPPER, self.LOWER]
        assert song.end_quarters == 8
        assert [part.starts.tolist() for part in song.parts] == [list(range(8))] * 2

    def test_what_a_voice_says_of_itself(self) -> None:
        song = read(
            'V:1 name="Flute" octave=1\n%%MIDI program 73\nc4|\nV:2 clef=treble-8\n%%MIDI transpose -2\nc4|\n'
            "V:3 clef=perc\nc4|\nV:4\n%%MIDI channel 10\nc4|"
        )
        assert pitches(song) == [[84], [58], [72], [72]]
        assert [(part.name, part.program, part.is_drum) for part in song.parts] == [
            ("Flute", 73, False),
            ("", 0, False),
            ("", 0, True),
            ("", 0, True),
        ]

    def test_fields_between_the_key_and_the_first_voice_are_those_of_all(self) -> None:
        song = read("M:3/4\nL:1/8\nV:1\nc6|\nV:2\nC6|")
        assert [part.ends.tolist() for part in song.parts] == [[3.0], [3.0]]
        assert [(meter.numerator, meter.denominator) for meter in song.meters] == [(3, 4)]


class TestMusic:
    @pytest.mark.parametrize(
        ("music", "expected"),
        [
            ("C4|Z2|C4|", [0, 12]),
            ("C4|X2|C4|", [0, 12]),
            ("C4|Z|C4|", [0, 8]),
            ("CxCC|", [0, 2, 3]),
            ("CyCy2CC|", [0, 1, 2, 3]),
            ("C/C//C3/4C2|", [0, 0.5, 0.75, 1.5]),
            ("C>CC<C|C>>CC<<<C|", [0, 1.5, 2, 2.5, 4, 5.75, 6, 6.125]),
            ("e<c3|", [0, 0.5]),  # between unequal lengths, too
            ("(3CCC (3:2:2C2C (2C/C/|", [0, 2 / 3, 4 / 3, 2, 10 / 3, 4, 4.75]),
            ("(5CCCCC|", [0, 0.4, 0.8, 1.2, 1.6]),  # five in the time of two, but in compound meters
            ("[CE]2[CE]2|", [0, 0, 2, 2]),
            ("[C2E2]C2|", [0, 0, 2]),
            ("+CE+2C|", [0, 0, 1]),  # as ABC 1.6 writes chords
            ("C2\\\nC2|\n", [0, 2]),
            ("C2 % a comment\nC2|", [0, 2]),
            ("%%begintext\nCCCC\n%%endtext\nC4|", [0]),
            ('"^CCC"!CC!C4 +trill+C4|', [0, 4]),
            ("w:CCCC\nC4|\nW:CCCC\n", [0]),
            ("m:~C = CDC\nU:T = !trill!\n~C4|", [0]),
            ("C4 `C4|", [0, 4]),
        ],
    )
    def test_when_notes_begin(self, music: str, expected: list[float]) -> None:
        assert starts(read(music)) == pytest.approx(expected)

    def test_quintuplets_last_three_units_in_compound_meters_alone(self) -> None:
        assert starts(read("(5CCCCC", HEAD.replace("4/4", "6/8"))) == pytest.approx([0, 0.6, 1.2, 1.8, 2.4])
        assert starts(read("(5CCCCC", HEAD.replace("4/4", "3/4"))) == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])

    def test_an_overlay_sounds_at_the_same_time(self) -> None:
        song = read("c2d2 & CDEF|e4 & G4|c4|")
        assert notes(song) == [
            *[(0, 60), (0, 72), (1, 62), (2, 64), (2, 74), (3, 65)],
            *[(4, 67), (4, 76), (8, 72)],
        ]
        assert song.end_quarters == 12

    @pytest.mark.parametrize(
        ("music", "expected"),
        [
            ("[^FA]2F2[FA]2G2|", [66, 69, 66, 66, 69, 67]),  # holds within the bar, from a chord, too
            ("^c4-|c2c2|", [73, 72]),  # a tie carries it, and the tie's note alone
            ("^c2-c2|c4|", [73, 72]),
            ("^c4-|_d4|", [73]),
            ("[^ce]4-|[ce]4|", [73, 76]),
            ("[^c-e]4|[ce]4|", [73, 76, 76]),
            ("%%propagate-accidentals not\n^ccc'c|", [73, 72, 84, 72]),
            ("%%propagate-accidentals pitch\n^ccc'c|", [73, 73, 85, 73]),
            ("^^c__e=c", [74, 74, 72]),
        ],
    )
    def test_accidentals_and_ties(self, music: str, expected: list[int]) -> None:
        assert read(music).parts[0].pitches.tolist() == expected


class TestFields:
    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("C", [65, 72, 67, 69]),
            ("D Phr ^f", [66, 72, 67, 69]),
            ("D exp _b ^f", [66, 72, 67, 69]),
            ("Dmix", [66, 72, 67, 69]),
            ("Ador", [66, 72, 67, 69]),
            ("A minor", [65, 72, 67, 69]),
            ("F#m", [66, 73, 68, 69]),
            ("Abm", [64, 71, 66, 68]),
            ("HP", [66, 73, 67, 69]),
            ("none", [65, 72, 67, 69]),
            ("", [65, 72, 67, 69]),
            ("C clef=bass", [65, 72, 67, 69]),
            ("bass", [65, 72, 67, 69]),
            ("C octave=-1", [53, 60, 55, 57]),
            ("C treble-8", [53, 60, 55, 57]),
            ("C clef=treble+8", [77, 84, 79, 81]),
            ("D transpose=-2", [64, 71, 65, 67]),
        ],
    )
    def test_keys_and_clefs(self, key: str, expected: list[int]) -> None:
        assert pitches(read("FcGA", key=key)) == [expected]

    @pytest.mark.parametrize(
        ("key", "signatures"),
        [
            ("Eb", [KeySignature(0.0, -3)]),
            ("F#m", [KeySignature(0.0, 3, True)]),
            ("Ddor", [KeySignature(0.0, 0)]),
            ("D transpose=-2", [KeySignature(0.0, 0)]),
            ("D exp _b ^f", []),
        ],
    )
    def test_key_signatures(self, key: str, signatures: list[KeySignature]) -> None:
        assert list(read("C4|", key=key).key_signatures) == signatures

    def test_a_key_may_change(self) -> None:
        song = read("C4|[K:G]F4|\nK:F\nB4|")
        assert pitches(song) == [[60, 66, 70]]
        assert list(song.key_signatures) == [KeySignature(0.0, 0), KeySignature(4.0, 1), KeySignature(8.0, -1)]

    @pytest.mark.parametrize(
        ("meter", "signature"),
        [("2+2+3/8", (7, 8)), ("(2+3)/4", (5, 4)), ("C", (4, 4)), ("C|", (2, 2)), ("12/8", (12, 8))],
    )
    def test_meters(self, meter: str, signature: tuple[int, int]) -> None:
        whole = read("Z|Z|C4|", HEAD.replace("4/4", meter))
        assert (whole.meters[0].numerator, whole.meters[0].denominator) == signature

    @pytest.mark.parametrize(
        ("head", "quarters"),
        [("M:4/4", 0.5), ("M:2/4", 0.25), ("M:6/8", 0.5), ("M:none", 0.5), ("M:C|", 0.5), ("M:3/4\nL:1/16", 0.25)],
    )
    def test_the_length_of_a_note_follows_from_the_meter(self, head: str, quarters: float) -> None:
        assert read("CC", f"X:1\n{head}\n").parts[0].ends.tolist()[0] == quarters

    @pytest.mark.parametrize(
        ("tempo", "expected"),
        [
            ("1/4=90", 90),
            ("120", 120),
            ("3/8=60", 90),
            ('"Allegro" 1/4=140', 140),
            ('1/4=140 "Allegro"', 140),
            ('"Allegro"', 120),
            ("1/4 1/8=60", 90),
            ("C=60", 60),
            ("C3=40", 120),
            ("1/4=100-120", 100),
        ],
    )
    def test_tempi(self, tempo: str, expected: float) -> None:
        assert read("C4|", HEAD + f"Q:{tempo}\n").quarters_per_minute_at(0) == expected

    def test_a_tempo_may_change(self) -> None:
        song = read("C4|[Q:1/4=60]C4|\nQ:1/4=90\nC4|", HEAD + "Q:1/4=120\n")
        assert [(tempo.start_quarters, tempo.quarters_per_minute) for tempo in song.tempi] == [
            (0, 120),
            (4, 60),
            (8, 90),
        ]


class TestRepeats:
    @pytest.mark.parametrize(
        ("music", "played"),
        [
            ("C4:|D4:|", "CCDD"),
            ("|:C4:|:D4:|", "CCDD"),
            ("|:C4::D4:|", "CCDD"),
            ("|:C4:||:D4:|", "CCDD"),
            ("|:::C4|D4:::|", "CDCDCDCD"),
            ("|:C4|1D4:|2E4|]", "CDCE"),
            ("|:C4|[1D4:|[2E4:|F4|]", "CDCEF"),  # a last ending ends with any sign
            ("|:C4|1,3D4:|2,4E4|]", "CDCECDCE"),
            ("|:C4|1-2D4:|3E4|]", "CDCDCE"),
            ("|:C4|\\\n1 D4:|2 E4|]", "CDCE"),
            ("C4|1D4:|2E4||F4|1G4:|2A4||", "CDCEFGFA"),
            ("|:C4:|D4||E4:|", "CCDEE"),  # a repeat without a beginning goes back to the double bar
            ("C4||D4|:|", "CDD"),
            ('C4|D4"D.C."[|]:|', "CDCD"),
            ("C4|D4!fine!|E4!D.C.!|]", "CDECD"),
            ("C4|!segno!D4|E4!D.S.!|]", "CDEDE"),
            ("C4|!coda!D4!D.C.!|!coda!E4|]", "CDCE"),
            ("P:A\nC4|\nP:B\nD4:|", "CDD"),
        ],
    )
    def test_repeats_are_played_out_when_asked_for(self, music: str, played: str) -> None:
        song = read(music, repeats="play")
        names = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G", 69: "A"}
        assert "".join(names[pitch] for pitch in song.parts[0].pitches.tolist()) == played
        assert song.end_quarters == 4 * len(played)
        assert song.notices == (song.notices[0],)
        assert song.notices[0].startswith("repeats are played out: ")

    def test_parts_are_played_in_the_order_of_the_head(self) -> None:
        head = HEAD + "P:(AB)2A\n"
        assert pitches(read("P:A\nC4|\nP:B\nD4|", head, repeats="play")) == [[60, 62, 60, 62, 60]]
        assert pitches(read("P:A\nC4|\nP:B\nD4|", head)) == [[60, 62]]
        voices = "P:A\n[V:1]c4|\n[V:2]C4|\nP:B\n[V:1]d4|\n[V:2]D4|"
        assert pitches(read(voices, HEAD + "P:ABA\n", repeats="play")) == [[72, 74, 72], [60, 62, 60]]

    def test_written_once_by_default_and_said(self) -> None:
        song = read("|:C4|D4:|")
        assert pitches(song) == [[60, 62]]
        assert song.notices == ("repeats are taken once: 2 bars as written, 4 if they were played",)
        assert read("C4|D4|").notices == ()

    def test_a_pickup_after_a_repeat_is_joined_to_a_whole_bar(self) -> None:
        song = read("G|:cdef|g3 G:|:edcB|c3 G:|", repeats="play")
        assert [(bar.start_quarters, bar.length_quarters) for bar in song.bars()] == [
            (0, 1),
            *[(1 + 4 * index, 4) for index in range(8)],
        ]

    def test_all_voices_are_repeated(self) -> None:
        song = read("V:1\n|:c4:|d4|]\nV:2\nC4|D4|]", repeats="play")
        assert pitches(song) == [[72, 72, 74], [60, 60, 62]]


BOOK = "X:1\nT:The First\nK:C\nC4|\n\nX:7\nT:Drowsy Maggie\nK:C\nD4|\n\nX:7\nT:Another\nK:C\nE4|\n"


class TestBook:
    @pytest.mark.parametrize(
        ("tune", "pitch"),
        [("#1", 60), ("#7", 62), ("#7-2", 64), ("#Drowsy Maggie", 62), ("#drowsy", 62), ("#another", 64)],
    )
    def test_a_tune_by_number_or_title(self, tmp_path: Path, tune: str, pitch: int) -> None:
        (tmp_path / "book.abc").write_text(BOOK, encoding="utf-8")
        song = read_score(f"{tmp_path / 'book.abc'}{tune}")
        assert pitches(song) == [[pitch]]
        assert song.notices == ()

    def test_without_a_choice_the_first_and_a_notice(self, tmp_path: Path) -> None:
        (tmp_path / "book.abc").write_text(BOOK, encoding="utf-8")
        song = read_score(tmp_path / "book.abc")
        assert pitches(song) == [[60]]
        assert song.notices == ("the first of 3 tunes in the file; add #NUMBER or #TITLE to its name for another",)

    def test_no_such_tune(self, tmp_path: Path) -> None:
        (tmp_path / "book.abc").write_text(BOOK, encoding="utf-8")
        with pytest.raises(NoSuchTuneError, match=r"book\.abc has no tune 99: it holds 3; give a number or a title"):
            read_score(tmp_path / "book.abc#99")

    def test_a_file_whose_name_is_so_wins(self, tmp_path: Path) -> None:
        (tmp_path / "book.abc").write_text(BOOK, encoding="utf-8")
        (tmp_path / "book.abc#7.abc").write_text(BOOK.replace("C4", "G4"), encoding="utf-8")
        assert split_tune(tmp_path / "book.abc#7.abc") == (tmp_path / "book.abc#7.abc", "")
        assert pitches(read_score(tmp_path / "book.abc#7.abc")) == [[67]]

    def test_an_only_tune_has_its_number_too(self, tmp_path: Path) -> None:
        (tmp_path / "one.abc").write_text("X:12\nT:Only\nK:C\nC4|\n", encoding="utf-8")
        for tune in ("1", "12", "Only"):
            assert pitches(read_score(f"{tmp_path / 'one.abc'}#{tune}")) == [[60]]


class TestFaults:
    @pytest.mark.parametrize(
        ("music", "sentence"),
        [
            ("C4|\n[M:4/0]C4|", "line 7: M:4/0 is not a meter; write it such as M:4/4"),
            ("C4|\nL:0/8\nC4|", "line 7: L:0/8 is not a note length; write it such as L:1/8"),
            ("C4|\nQ:fast\nC4|", "line 7: Q:fast is not a tempo; write it such as Q:1/4=120"),
            ("C4|\nC0|", "line 7: C0 is not a note: its length is zero"),
            ("C100000|", "line 6: C100000 is not a note's length"),
            ("C/1025|", "line 6: C/1025 is not a note's length"),
            ("(0CCC", "line 6: (0 is not a tuplet"),
            ("c''''''''''''", "line 6: c'''''''''''' is not an octave"),
        ],
    )
    def test_the_line_and_the_remedy(self, music: str, sentence: str) -> None:
        with pytest.raises(CorruptScoreError) as caught:
            read(music)
        assert str(caught.value) == f"tune.abc, {sentence}"

    @pytest.mark.parametrize(
        ("music", "sentence"),
        [
            ("c" * 100_001, "has 100001 notes; a tune of more than 100000 is not read"),
            ("Z99999|Z99999|", "has more than 100000 bars"),
            ("\n".join(f"V:{number}\nc" for number in range(65)), "has more than 64 voices"),
            ("C|" * 1500 + "".join(f"[{number}C:|" for number in range(1, 100)), "is too long"),
        ],
    )
    def test_what_is_longer_than_music(self, music: str, sentence: str) -> None:
        with pytest.raises(FileTooLargeError, match=sentence):
            read(music, repeats="play")
