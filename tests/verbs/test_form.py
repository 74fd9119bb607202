"""The form of tunes: plans drawn from a collection, and letters read from tunes."""

import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.network.draws import Draws
from melodyvae.network.plan import FREE, NEW, OPEN
from melodyvae.verbs.form import EXTRA, MIN_PLANS, count_plans, draw_plans, form_of

REEL, SONG, ANY = 1, 11, 0


def extras(rows: list[list[int]]) -> dict[str, np.ndarray]:
    return {EXTRA: np.array(rows, np.uint8)}


COLLECTION = extras(
    [[REEL, 1, FREE, 0, FREE, 2]] * MIN_PLANS + [[SONG, 1, FREE, FREE, 1, 1]] * 3 + [[2, 4, 3, 3, 3, 3]]
)


def plans(style=ANY, meter=(4, 4), bars=4, form="auto", count=40):
    return draw_plans(COLLECTION, count, bars, style, meter, form, Draws(0))


def test_plans_are_those_of_the_style_and_the_meter():
    drawn = plans(REEL)
    assert (drawn.styles == REEL).all()
    assert (drawn.plan.components == [FREE, 0, FREE, 2]).all()
    assert (plans(2, (6, 8)).plan.components == 3).all()


def test_an_open_style_is_drawn_as_often_as_it_occurs():
    drawn = plans()
    assert set(drawn.styles.tolist()) == {REEL, SONG}
    assert (drawn.styles == REEL).sum() > 25
    is_song = drawn.styles == SONG
    assert (drawn.plan.components[is_song, 2] == 1).all()


def test_a_style_of_few_tunes_takes_the_plans_of_its_meter():
    drawn = plans(SONG)
    assert (drawn.styles == SONG).all()
    assert len(np.unique(drawn.plan.components, axis=0)) == 2


def test_long_tunes_go_on_and_short_ones_stop():
    assert plans(REEL, bars=7).plan.components.tolist()[0] == [FREE, 0, FREE, 2, FREE, 2, FREE]
    assert plans(REEL, bars=2).plan.components.shape == (40, 2)


def test_forms_are_taken_at_their_word():
    assert (plans(form="any").plan.components == OPEN).all()
    assert (plans(form="through").plan.components == NEW).all()
    assert (plans(form="ABAB").plan.sources == [[-1, -1, 0, 1]]).all()
    without = draw_plans({}, 2, 3, REEL, (4, 4), "auto", Draws(0))
    assert (without.plan.components == OPEN).all()
    assert without.styles.tolist() == [REEL, REEL]


def test_damaged_plans_are_refused():
    with pytest.raises(CheckpointError, match="fit them again"):
        draw_plans(extras([[1, 1, 200]]), 1, 1, 0, (4, 4), "auto", Draws(0))


def test_plans_are_counted_of_beginnings():
    windows = np.zeros((3, 32), np.uint8)
    windows[:, [0, 4, 16, 20]] = 40, 42, 40, 42
    conditions = np.array([[16, REEL, 1, 1, 0], [16, REEL, 1, 0, 0], [16, SONG, 1, 1, 1]])
    assert count_plans(windows, conditions, 16)[EXTRA].tolist() == [[REEL, 1, FREE, 0], [SONG, 1, FREE, 0]]


def phrases(letters: str, bars: int = 16) -> Melody:
    """A tune of four phrases, each letter with pitches and, in lower case, with a rhythm of its own."""
    length, notes = bars // 4, []
    for number, letter in enumerate(letters):
        for bar in range(number * length, (number + 1) * length):
            for half in (0, 8):
                start = 16 * bar + half + (letter.lower() == "b") * 2
                notes.append(MelodyNote(start, start + 4, 50 + ord(letter) % 32 + bar % length + 7 * letter.islower()))
    return Melody(tuple(notes), 16 * bars)


@pytest.mark.parametrize(
    ("letters", "form"), [("AABA", "AABA"), ("ABAB", "ABAB"), ("ABCD", "ABA'A'"), ("AaBb", "AA'BB'"), ("AAAA", "AAAA")]
)
@pytest.mark.parametrize("bars", [8, 16])
def test_letters_are_read(letters, form, bars):
    assert form_of(phrases(letters, bars)) == form


def test_short_tunes_have_no_form():
    assert form_of(Melody((MelodyNote(0, 4, 60),), 32)) == ""
