"""kern, clause by clause: spines that split and join, lengths, repeats, and what does not fit together."""

from __future__ import annotations

import pytest

from melodyvae.music.notes import KeySignature, Meter, Song
from melodyvae.reading.faults import CorruptScoreError
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import song_from_tune


def read(text: str, repeats: Repeats = "written") -> Song:
    """A tune whose columns are separated by spaces."""
    lines = [line.strip().replace(" ", "\t") for line in text.strip().split("\n")]
    return song_from_tune("\n".join(lines) + "\n", ".krn", "a.krn", repeats=repeats)


def heard(song: Song, index: int = 0) -> list[tuple[float, float, int]]:
    found = song.parts[index]
    return list(zip(found.starts.tolist(), found.ends.tolist(), found.pitches.tolist(), strict=True))


def pitches(song: Song, index: int = 0) -> list[int]:
    return song.parts[index].pitches.tolist()  # type: ignore[no-any-return]


def test_a_spine_that_splits_again_keeps_all_notes_and_bars_stay_in_place() -> None:
    # music21 lost the third voice and let the bars after it come early
    song = read(
        """
        **kern **kern
        *M4/4 *M4/4
        =1 =1
        * *^
        * * *^
        2C 2cc 2a 4f
        . . . 4g
        2D 2dd 2b 2g
        * *v *v *v
        =2 =2
        1C 1cc
        == ==
        *- *-
        """
    )
    assert heard(song, 1) == [(0, 2, 48), (2, 4, 50), (4, 8, 48)]  # the lowest part stands first
    assert heard(song, 0) == [
        *[(0, 1, 65), (0, 2, 69), (0, 2, 72), (1, 2, 67), (2, 4, 67), (2, 4, 71), (2, 4, 74)],
        (4, 8, 72),
    ]
    assert [(bar.start_quarters, bar.length_quarters) for bar in song.bars()] == [(0, 4), (4, 4)]


def test_a_voice_that_splits_off_may_be_silent_without_rests() -> None:
    song = read("**kern **kern\n*^ *\n4c . 4C\n4d 4f 4D\n=1 =1 =1\n4e . 4E\n4e 4g 4E\n*v *v *\n4c 4C\n*- *-")
    assert heard(song, 1)[:3] == [(0, 1, 60), (1, 2, 62), (1, 2, 65)]
    assert [(start, pitch) for start, _, pitch in heard(song, 1)[3:]] == [(2, 64), (3, 64), (3, 67), (4, 60)]


def test_spines_are_exchanged_added_and_may_be_of_other_kinds() -> None:
    song = read(
        "**kern **text **kern\n4c la 4g\n*x * *x\n4g la 4c\n*+ * *\n* **kern * *\n4g 4a la 4c\n*- *- * *\nla 4c\n*- *-"
    )
    assert sorted(pitches(song, index) for index in range(3)) == [[60, 60, 60, 60], [67, 67, 67], [69]]


@pytest.mark.parametrize(
    ("token", "quarters"),
    [("4", 1), ("4.", 1.5), ("4..", 1.75), ("0", 8), ("00", 16), ("12", 1 / 3), ("3%2", 8 / 3), ("2%3", 6), ("1", 4)],
)
def test_lengths(token: str, quarters: float) -> None:
    assert heard(read(f"**kern\n{token}c\n4d\n*-"))[1] == (quarters, pytest.approx(quarters + 1), 62)


def test_pitches_chords_ties_rests_and_grace_notes() -> None:
    assert heard(read("**kern\n4CC#\n4BB--\n8ccqn\n4rf\n4ccc\n*-")) == [(0, 1, 37), (1, 2, 45), (3, 4, 84)]
    tied = song_from_tune("**kern\n[4c [4e-\n=1\n_4c 4e-]\n=2\n4c] 4en\n4rf\n*-\n", ".krn", "a.krn")
    assert heard(tied) == [(0, 3, 60), (0, 2, 63), (2, 3, 64)]


def test_meter_key_tempo_and_instrument() -> None:
    song = read('**kern\n*I"Oboe\n*Ioboe\n*k[b-e-]\n*g:\n*M3/4\n*MM72\n4c\n4c\n4c\n=1\n*M2/4\n*k[f#]\n2c\n*-')
    assert song.meters == (Meter(0.0, 3, 4), Meter(3.0, 2, 4))
    assert song.key_signatures == (KeySignature(0.0, -2, True), KeySignature(3.0, 1))
    assert song.quarters_per_minute_at(0) == 72
    assert (song.parts[0].name, song.parts[0].program) == ("Oboe", 68)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4c\n=:|!\n4d\n==", [60, 60, 62]),
        ("4c\n=1!|:\n4d\n=2:|!|:\n4e\n=:|!\n*-", [60, 62, 62, 64, 64]),
        ("*>[A,A,B,A]\n*>A\n4c\n4d\n=1\n*>B\n4e\n==", [60, 62, 60, 62, 64, 60, 62]),
        ("*>[A,A1,A,A2]\n*>norep[A,A2]\n*>A\n4c\n=\n*>A1\n4d\n=:|!\n*>A2\n4e\n==", [60, 62, 60, 64]),
    ],
)
def test_repeats_are_played_on_request(text: str, expected: list[int]) -> None:
    text = f"**kern\n*M4/4\n{text}\n" + ("" if text.endswith("*-") else "*-")
    assert pitches(read(text, "play")) == expected
    assert len(read(text).parts[0]) == len(set(expected))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "**kern **kern\n4c 2e\n4d 4f\n*- *-",
            r"line 3: its spines do not fit: column 1 has come to 1 quarter note",
        ),
        (
            "**kern **kern\n4c 4e\n4d .\n=1 =1\n*- *-",
            r"line 4: the bar before it has 1 quarter note in spine 2, 2",
        ),
        ("**kern **kern\n4c\n*- *-", r"line 2: it has 1 columns, but there are 2 spines"),
        ("**kern\nc\n*-", r"line 2: the token 'c' has no length, such as 4 for a quarter note"),
        ("**kern\n4...........c\n*-", r"line 2: .* has no length that music has"),
        ("**kern\n*M0/4\n4c\n*-", r"line 2: \*M0/4 is not a meter; write it such as \*M4/4"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(CorruptScoreError, match=r"a\.krn cannot be read: " + sentence):
        read(text)
