"""The bars that are taken of a song: a phrase from its beginning, one that comes back, and not long after the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.phrases import choose_phrase
from tests.music.strategies import melodies

EXAMPLES = Path(__file__).parents[2] / "examples" / "tunes"
BAR = 16
VERSE = [(0, 60), (4, 62), (8, 64), (12, 65), (16, 67), (20, 65), (24, 64)]  # two bars, the last note long
CHORUS = [(0, 72), (2, 74), (4, 76), (8, 79), (12, 76), (16, 74), (20, 71), (24, 72)]
BRIDGE = [(0, 65), (8, 69), (12, 70), (16, 69), (20, 67), (24, 63)]


def song_of(*sections: tuple[int, list[tuple[int, int]]], bars: int) -> Melody:
    """A melody of (first bar, onsets and pitches); notes last until the next one, the last of a section for a half."""
    notes = [(BAR * bar + step, pitch) for bar, section in sections for step, pitch in section]
    ends = [
        min(start + 8, following)
        for (start, _), (following, _) in zip(notes, [*notes[1:], (BAR * bars, 0)], strict=True)
    ]
    return Melody(tuple(MelodyNote(s, e, p) for (s, p), e in zip(notes, ends, strict=True)), BAR * bars)


def test_the_chorus_comes_before_what_is_heard_once() -> None:
    melody = song_of((0, BRIDGE), (4, CHORUS), (8, VERSE), (12, CHORUS), (16, CHORUS), bars=20)
    found = choose_phrase(melody, 2)
    assert (found.first_bar, found.times) == (4, 3)
    assert found.reason == "a phrase begins there, on a line of 4 bars, they come 3 times"


def test_of_what_comes_equally_often_the_earlier_is_taken() -> None:
    assert choose_phrase(song_of((4, VERSE), (8, CHORUS), (12, VERSE), (16, CHORUS), bars=20), 2).first_bar == 4


def test_a_long_window_may_hold_the_rests_of_a_singer() -> None:
    """The third bar of each phrase is silent; an onset in every bar comes first in bar 33."""
    sung = [(4 * phrase, [*VERSE, (48, 60 + phrase)]) for phrase in range(8)]
    every_bar = [(32 + 2 * phrase, VERSE) for phrase in range(4)]
    assert choose_phrase(song_of(*sung, *every_bar, bars=40), 8).first_bar == 0


def test_a_short_tune_is_taken_from_its_opening_though_its_middle_comes_twice() -> None:
    """Twinkle: its third line is sung twice, and nobody means that line."""
    assert choose_phrase(Melody.from_midi(EXAMPLES / "twinkle.mid"), 2).first_bar == 0


def test_a_pickup_is_not_the_beginning_of_the_window() -> None:
    assert choose_phrase(song_of((0, [(12, 55)]), (1, VERSE), (3, CHORUS), (5, BRIDGE), bars=8), 2).first_bar == 1


def test_a_phrase_is_not_entered_in_its_middle() -> None:
    eighths = [(2 * index, 60 + (5 * index) % 7) for index in range(14)]
    melody = song_of((3, VERSE), (5, eighths), (7, VERSE), (9, BRIDGE), bars=12)
    assert choose_phrase(melody, 2).first_bar in (3, 7)


@pytest.mark.parametrize("bars", [1, 2, 4, 16])
def test_of_few_bars_the_first_are_taken_without_a_reason(bars: int) -> None:
    found = choose_phrase(song_of((0, VERSE), bars=2), max(bars, 2))
    assert (found.first_bar, found.reason) == (0, "")
    assert choose_phrase(Melody((), 64), bars).first_bar == 0


@given(melodies(max_bars=9))
def test_any_melody_gives_bars_within_it_that_hold_a_note(melody: Melody) -> None:
    for bars in (1, 2, 4):
        found = choose_phrase(melody, bars)
        assert 0 <= found.first_bar <= max(melody.bars - bars, 0)
        if melody.notes:
            assert melody.window(found.first_bar, bars).notes


def test_a_very_long_melody_is_searched_from_its_first_note_for_512_bars() -> None:
    notes = tuple(MelodyNote(BAR * bar, BAR * bar + 4, 60 + bar % 12) for bar in range(1000, 3000))
    assert 1000 <= choose_phrase(Melody(notes, BAR * 3000), 2).first_bar <= 1512
