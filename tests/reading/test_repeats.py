"""The order in which bars are played, and pieces laid out in it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from melodyvae.music.notes import KeySignature, Tempo
from melodyvae.reading import repeats
from melodyvae.reading.repeats import PlayedTooLongError, WrittenPiece, lay_out, playing_order
from melodyvae.reading.written import Marks, WrittenBar, WrittenNote, part_of


def bars_of(*marks: Marks) -> list[WrittenBar]:
    return [WrittenBar(Fraction(4 * index), Fraction(4), (4, 4), mark) for index, mark in enumerate(marks)]


PLAIN = Marks()
START = Marks(starts=True)
END = Marks(ends=2)


def ending(*numbers: int, ends: int = 0) -> Marks:
    return Marks(endings=frozenset(numbers), ends=ends)


@pytest.mark.parametrize(
    ("marks", "order"),
    [
        ([], []),
        ([PLAIN, PLAIN], [0, 1]),
        ([PLAIN, END, PLAIN], [0, 1, 0, 1, 2]),
        ([PLAIN, START, END, PLAIN, END], [0, 1, 2, 1, 2, 3, 4, 3, 4]),
        ([Marks(starts=True, ends=3)], [0, 0, 0]),
        ([START, ending(1, ends=2), ending(2), PLAIN], [0, 1, 0, 2, 3]),
        ([START, ending(1, ends=2), ending(2, ends=2), PLAIN], [0, 1, 0, 2, 3]),
        ([START, ending(1, 3, ends=2), ending(2, 4, ends=2)], [0, 1, 0, 2, 0, 1, 0, 2]),
        ([START, ending(1, 2, ends=2), ending(3)], [0, 1, 0, 1, 0, 2]),
        ([START, ending(1), ending(2), END], [0, 1, 3, 0, 2, 3]),
        ([START, ending(1), ending(2), PLAIN], [0, 1, 0, 2, 3]),  # the sign is missing
        ([START, END, ending(2), PLAIN], [0, 1, 0, 1, 2, 3]),  # the first bracket is missing
        ([START, ending(1, ends=2), ending(2), START, END], [0, 1, 0, 2, 3, 4, 3, 4]),
        ([START, PLAIN, START, END], [0, 1, 2, 3, 2, 3]),  # a repeat that never ends
        ([PLAIN, Marks(fine=True), Marks(jump="da capo")], [0, 1, 2, 0, 1]),
        ([START, END, Marks(jump="da capo")], [0, 1, 0, 1, 2, 0, 1, 2]),
        (
            [PLAIN, Marks(segno=True), Marks(to_coda=True), Marks(jump="dal segno"), Marks(coda=True)],
            [0, 1, 2, 3, 1, 2, 4],
        ),
        ([START, ending(1, ends=2), ending(2), Marks(jump="da capo")], [0, 1, 0, 2, 3, 0, 2, 3]),
    ],
)
def test_bars_are_played_in_the_order_that_the_marks_say(marks: list[Marks], order: list[int]) -> None:
    assert playing_order(bars_of(*marks)) == order


def test_the_number_of_passes_and_of_bars_is_bounded() -> None:
    assert len(playing_order(bars_of(Marks(ends=10**9)))) == repeats.MAX_PASSES
    with pytest.raises(PlayedTooLongError, match="100000 bars"):
        playing_order(bars_of(*[PLAIN] * 1500, Marks(ends=10**9)))


def test_notes_tempi_and_keys_go_with_their_bars() -> None:
    bars = bars_of(START, Marks(ends=2), PLAIN)
    notes = [WrittenNote(Fraction(4 * index), Fraction(4), 60 + index) for index in range(3)]
    piece = WrittenPiece([notes], bars, [Tempo(4.0, 60.0)], [KeySignature(0.0, 1), KeySignature(8.0, 2)])
    laid = lay_out(piece, playing_order(bars))
    assert [(note.start, note.pitch) for note in laid.parts[0]] == [(0, 60), (4, 61), (8, 60), (12, 61), (16, 62)]
    assert [bar.start for bar in laid.bars] == [0, 4, 8, 12, 16]
    assert laid.tempi == [Tempo(0.0, 120.0), Tempo(4.0, 60.0), Tempo(8.0, 120.0), Tempo(12.0, 60.0)]
    assert laid.key_signatures == [KeySignature(0.0, 1), KeySignature(16.0, 2)]


def test_a_tie_holds_over_a_seam_where_both_sides_say_so() -> None:
    bars = bars_of(START, ending(1, ends=2), ending(2))
    notes = [
        WrittenNote(Fraction(0), Fraction(4), 60, tie="start"),
        WrittenNote(Fraction(4), Fraction(4), 60, tie="stop"),
        WrittenNote(Fraction(8), Fraction(4), 60, tie="stop"),
    ]
    laid = lay_out(WrittenPiece([notes], bars), playing_order(bars))
    assert part_of(laid.parts[0]).starts.tolist() == [0, 8]
    other = [notes[0], notes[1]._replace(tie="start"), notes[2]._replace(tie=None)]
    laid = lay_out(WrittenPiece([other], bars), playing_order(bars))
    assert part_of(laid.parts[0]).ends.tolist() == [4, 8, 12, 16]
