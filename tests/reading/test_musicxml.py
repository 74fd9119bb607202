"""MusicXML, clause by clause: each test is a way of writing that was read wrong, or could be."""

from __future__ import annotations

import pytest

from melodyvae.music.notes import KeySignature, Song
from melodyvae.reading.faults import CorruptScoreError, FileTooLargeError
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import song_from_score_bytes

ATTRIBUTES = "<divisions>4</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
FLUTE = '<score-part id="P1"><part-name>Flute</part-name></score-part>'
CHORD, CUE, GRACE = "<chord/>", "<cue/>", "<grace/>"


def note(name: str, ticks: float = 4, before: str = "", more: str = "", alter: str = "") -> str:
    """A note such as ``C5``, by default a quarter."""
    pitch = f"<pitch><step>{name[0]}</step>{alter}<octave>{name[1]}</octave></pitch>"
    return f"<note>{before}{pitch}{'' if before == GRACE else f'<duration>{ticks}</duration>'}{more}</note>"


def notes(names: str) -> str:
    return "".join(note(name) for name in names.split())


def drum(ticks: int = 4, instrument: str = "") -> str:
    used = f'<instrument id="{instrument}"/>' if instrument else ""
    place = "<unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
    return f"<note>{place}<duration>{ticks}</duration>{used}</note>"


def rest(ticks: int, whole: str = "no") -> str:
    return f'<note><rest measure="{whole}"/><duration>{ticks}</duration></note>'


def part(*measures: str, part_id: str = "P1", attributes: str = ATTRIBUTES) -> str:
    first, *others = measures
    inner = [f"<attributes>{attributes}</attributes>{first}", *others]
    written = "".join(f'<measure number="{number}">{music}</measure>' for number, music in enumerate(inner, 1))
    return f'<part id="{part_id}">{written}</part>'


def document(parts: str, listed: str = FLUTE, root: str = "score-partwise") -> bytes:
    return f"<{root}><part-list>{listed}</part-list>{parts}</{root.split()[0]}>".encode()


def read(*measures: str, repeats: Repeats = "written", attributes: str = ATTRIBUTES) -> Song:
    return song_from_score_bytes(document(part(*measures, attributes=attributes)), "a.musicxml", repeats)


def heard(song: Song, index: int = 0) -> list[tuple[float, float, int]]:
    found = song.parts[index]
    return list(zip(found.starts.tolist(), found.ends.tolist(), found.pitches.tolist(), strict=True))


def pitches(song: Song, index: int = 0) -> list[int]:
    return song.parts[index].pitches.tolist()  # type: ignore[no-any-return]


FOUR = notes("C5 D5 E5 F5")


@pytest.mark.parametrize(
    ("transpose", "expected", "fifths"),
    [
        ("<chromatic>-2</chromatic>", 70, 0),  # <diatonic> may be left out
        ("<diatonic>-1</diatonic><chromatic>-2</chromatic>", 70, 0),
        ("<chromatic>0</chromatic><octave-change>-1</octave-change>", 60, 2),
        ("<chromatic>-9</chromatic>", 63, -1),  # D on an alto saxophone is F
    ],
)
def test_a_transposing_instrument_is_at_sounding_pitch_and_in_sounding_key(
    transpose: str, expected: int, fifths: int
) -> None:
    song = read(
        note("C5", 16), attributes=f"{ATTRIBUTES}<key><fifths>2</fifths></key><transpose>{transpose}</transpose>"
    )
    assert pitches(song) == [expected]
    assert song.key_signatures == (KeySignature(0.0, fifths),)


def test_a_staff_may_be_transposed_alone_and_staves_are_parts() -> None:
    low = note("C4", 16, more="<staff>2</staff>")
    transpose = '<transpose number="2"><chromatic>-12</chromatic></transpose>'
    song = read(note("C5", 16) + "<backup><duration>16</duration></backup>" + low, attributes=ATTRIBUTES + transpose)
    assert [heard(song, 0), heard(song, 1)] == [[(0, 4, 72)], [(0, 4, 48)]]
    assert [found.name for found in song.parts] == ["Flute", "Flute"]


def test_cue_notes_and_grace_notes_are_silent_but_cue_notes_take_their_time() -> None:
    song = read(note("G3", before=CUE) + note("D5", before=GRACE) + note("C5", 12), FOUR)
    assert heard(song)[:2] == [(1, 4, 72), (4, 5, 72)]


def test_a_sign_repeats_the_bar_before_or_two() -> None:
    def sign(kind: str, size: int = 1) -> str:
        style = f'<measure-style><measure-repeat type="{kind}">{size}</measure-repeat></measure-style>'
        return f"<attributes>{style}</attributes>"

    once = read(FOUR, sign("start") + rest(16), rest(16), sign("stop") + notes("G5 A5 B5 C6"))
    assert pitches(once) == [72, 74, 76, 77] * 3 + [79, 81, 83, 84]
    two = read(FOUR, notes("G5 A5 B5 C6"), sign("start", 2), "", sign("stop") + rest(16))
    assert pitches(two) == [72, 74, 76, 77, 79, 81, 83, 84] * 2


def test_chord_notes_sound_together_whatever_stands_between() -> None:
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    song = read(note("C4") + harmony + note("E4", before=CHORD) + "<direction/>" + note("G4", before=CHORD) + rest(12))
    assert heard(song) == [(0, 1, 60), (0, 1, 64), (0, 1, 67)]


def test_a_part_is_drums_by_its_channel_or_most_of_its_notes() -> None:
    assert not read(FOUR, drum() + rest(12)).parts[0].is_drum
    assert pitches(read(FOUR, drum() + rest(12))) == [72, 74, 76, 77]  # a note without a pitch has none
    assert read(drum() * 4, note("C5", 16)).parts[0].is_drum
    kit = (
        '<score-part id="P1"><part-name>Kit</part-name><midi-instrument id="I1"><midi-channel>10</midi-channel>'
        "<midi-unpitched>36</midi-unpitched></midi-instrument></score-part>"
    )
    song = song_from_score_bytes(document(part(drum(16, "I1")), kit), "a.musicxml")
    assert (song.parts[0].is_drum, pitches(song)) == (True, [35])


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ('<direction><direction-type><words>Andante</words></direction-type><sound tempo="72"/></direction>', 72),
        ('<sound tempo="72.5"/>', 72.5),
        ("<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>80</per-minute></metronome>", 120),
        ("<metronome><beat-unit>half</beat-unit><per-minute>c. 33-40</per-minute></metronome>", 66),
        ("<metronome><beat-unit>quarter</beat-unit><beat-unit>half</beat-unit></metronome>", 120),  # is not a tempo
        ("<words>Allegro</words>", 120),  # neither
    ],
)
def test_the_tempo_is_the_sounding_one_or_that_of_the_mark(direction: str, expected: float) -> None:
    if not direction.startswith(("<direction", "<sound")):
        direction = f"<direction><direction-type>{direction}</direction-type></direction>"
    song = read(FOUR, direction + FOUR)
    assert (song.quarters_per_minute_at(0), song.quarters_per_minute_at(4)) == (120, expected)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<score-partwise>", '<score-partwise xmlns="http://www.musicxml.org/xsd/MusicXML">'),
        ("<", "<m:"),
    ],
)
def test_a_namespace_changes_nothing(old: str, new: str) -> None:
    text = document(part(FOUR)).decode().replace(old, new).replace("<m:/", "</m:")
    text = text.replace("<m:score-partwise>", '<m:score-partwise xmlns:m="http://www.musicxml.org/xsd/MusicXML">')
    assert pitches(song_from_score_bytes(text.encode(), "a.musicxml")) == [72, 74, 76, 77]


def test_timewise_scores_are_the_same() -> None:
    measures = "".join(
        f'<measure number="{number}"><part id="P1">{music}</part></measure>'
        for number, music in enumerate([f"<attributes>{ATTRIBUTES}</attributes>{FOUR}", FOUR], 1)
    )
    timewise = song_from_score_bytes(document(measures, root="score-timewise"), "a.musicxml")
    assert heard(timewise) == heard(read(FOUR, FOUR))


def test_measures_of_all_parts_begin_together() -> None:
    listed = FLUTE + FLUTE.replace("P1", "P2")
    parts = part("", FOUR, FOUR) + part(FOUR, note("C4", 4), note("D4", 16), part_id="P2")
    song = song_from_score_bytes(document(parts, listed), "a.musicxml")
    assert song.parts[0].starts.tolist() == [4, 5, 6, 7, 8, 9, 10, 11]
    assert song.parts[1].starts.tolist() == [0, 1, 2, 3, 4, 8]


def test_a_whole_rest_is_no_longer_than_its_measure_and_a_rounded_measure_is_whole() -> None:
    three = ATTRIBUTES.replace("<beats>4", "<beats>3")
    song = read(rest(16, "yes"), notes("C5 D5 E5"), attributes=three)
    assert song.parts[0].starts.tolist() == [3, 4, 5]
    rounded = ATTRIBUTES.replace("<divisions>4", "<divisions>100")
    song = read(note("C5", 33) * 3 + note("C5", 300), note("D5", 400), attributes=rounded)
    assert [bar.length_quarters for bar in song.bars()] == [4, 4]


def test_ties_join_over_bars_and_within_voices() -> None:
    start, both, stop = ('<tie type="start"/>', '<tie type="stop"/><tie type="start"/>', '<tie type="stop"/>')
    back = "<backup><duration>16</duration></backup>"
    song = read(
        note("C5", 16, more=start) + back + note("E4", 16, more=start),
        note("C5", 16, more=both) + back + note("E4", 8, more=stop) + note("E4", 8),
        note("C5", 16, more='<notations><tied type="stop"/></notations>'),  # a sign alone, as some programs write
    )
    assert heard(song) == [(0, 6, 64), (0, 12, 72), (6, 8, 64)]


def test_additive_meters_and_quarter_tones() -> None:
    beats = "<time><beats>3+2</beats><beat-type>8</beat-type><beats>1</beats><beat-type>4</beat-type></time>"
    song = read(note("C5", 14), attributes="<divisions>4</divisions>" + beats)
    assert [(meter.numerator, meter.denominator) for meter in song.meters] == [(7, 8)]
    assert pitches(read(note("C5", 16, alter="<alter>0.5</alter>"))) == [73]
    assert pitches(read(note("C5", 16, more="<accidental>sharp</accidental>"))) == [73]  # the alter is missing


def barline(where: str, inner: str) -> str:
    return f'<barline location="{where}">{inner}</barline>'


def ending(numbers: str, kind: str) -> str:
    return f'<ending number="{numbers}" type="{kind}"/>'


FORWARD, BACKWARD = '<repeat direction="forward"/>', '<repeat direction="backward"/>'
C, D, E, G = (note(name, 16) for name in ("C5", "D5", "E5", "G5"))


def sound(attributes: str) -> str:
    return f"<direction><direction-type><words>x</words></direction-type><sound {attributes}/></direction>"


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ((C, D + barline("right", BACKWARD), E), "CDCDE"),
        ((C, barline("left", FORWARD) + D + barline("right", BACKWARD), E), "CDDE"),
        ((C + barline("right", BACKWARD.replace("/>", ' times="3"/>')), E), "CCCE"),
        (
            (
                barline("left", FORWARD) + C,
                barline("left", ending("1", "start")) + D + barline("right", ending("1", "stop") + BACKWARD),
                barline("left", ending("2", "start")) + E + barline("right", ending("2", "discontinue")),
                G,
            ),
            "CDCEG",
        ),
        (
            (
                C,
                barline("left", ending("1, 2", "start")) + D + barline("right", ending("1, 2", "stop") + BACKWARD),
                barline("left", ending("3", "start")) + E,
            ),
            "CDCDCE",
        ),
        ((C + sound('fine="yes"'), D + sound('dacapo="yes"')), "CDC"),
        ((C + words("Fine"), D + words("D.C. al Fine")), "CDC"),
        ((C, sound('segno="s"') + D, E + sound('dalsegno="s"'), G), "CDEDEG"),
        ((C, D + words("To Coda"), E + words("D.C. al Coda"), sound('coda="c"') + G), "CDECDG"),
    ],
)
def test_repeats_are_played_on_request(measures: tuple[str, ...], expected: str) -> None:
    names = {72: "C", 74: "D", 76: "E", 79: "G"}
    played, written = read(*measures, repeats="play"), read(*measures)
    assert "".join(names[pitch] for pitch in pitches(played)) == expected
    assert len(written.parts[0]) == len(measures)
    assert "repeats are" in " ".join(written.notices)


def test_a_pickup_and_the_short_bar_before_a_repeat_are_one_bar() -> None:
    song = read(note("G4"), FOUR, notes("G5 A5 B5") + barline("right", BACKWARD), repeats="play")
    assert [bar.length_quarters for bar in song.bars()] == [1, 4, 4, 4, 4]
    assert song.parts[0].starts.tolist() == [float(start) for start in range(16)]


def test_a_repeat_in_the_middle_of_a_measure() -> None:
    middle = notes("C5 D5") + barline("middle", BACKWARD) + notes("E5 F5")
    assert pitches(read(middle, repeats="play")) == [72, 74, 72, 74, 76, 77]
    assert [bar.length_quarters for bar in read(middle).bars()] == [4]


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        (note("H5"), r"measure 1: a pitch of 'H' in octave '5' is none"),
        (note("C5").replace(">4<", ">long<"), r"measure 1: a duration of 'long' is not a number"),
        (note("C5").replace(">4<", ">-4<"), r"measure 1: a duration of -4 is less than nothing"),
        ("<attributes><divisions>0</divisions></attributes>", r"0 divisions of a quarter note are none"),
        ("<attributes><time><beats>9999</beats><beat-type>4</beat-type></time></attributes>", r"are not a meter"),
    ],
)
def test_what_cannot_be_is_refused_with_its_measure(measure: str, sentence: str) -> None:
    with pytest.raises(CorruptScoreError, match=r"a\.musicxml.*" + sentence):
        read(measure)


def test_repeated_measures_make_no_more_notes_than_a_score_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("melodyvae.reading.musicxml.MAX_SCORE_NOTES", 11)
    style = '<measure-style><measure-repeat type="start">1</measure-repeat></measure-style>'
    with pytest.raises(FileTooLargeError, match="has more than 11 notes in repeated measures"):
        read(FOUR, f"<attributes>{style}</attributes>", "", "")


def test_durations_may_be_decimals() -> None:
    song = read(note("C4", 0.5) + note("D4", 1.5), attributes=ATTRIBUTES.replace("4</divisions>", "1</divisions>"))
    assert heard(song) == [(0.0, 0.5, 60), (0.5, 2.0, 62)]
