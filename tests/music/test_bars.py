import numpy as np
import pytest

from melodyvae.music.bars import lay, lift
from melodyvae.music.tokens import NO_EVENT, NOTE_OFF, Vocabulary, held


def test_a_bar_lies_in_the_first_places_and_nothing_begins_in_the_others():
    tokens = np.array([[5, 0, 1, 7, 0, 0]], np.uint8)
    laid = lay(tokens, 3, 4)
    assert laid.tolist() == [[5, 0, 1, NO_EVENT, 7, 0, 0, NO_EVENT]] and laid.dtype == np.uint8


@pytest.mark.parametrize(("places", "room"), [(12, 16), (14, 16), (8, 16), (16, 16), (1, 3)])
def test_lifting_what_was_laid_gives_the_tokens_back(places, room):
    tokens = np.random.default_rng(0).integers(2, 90, (4, 3, 2 * places)).astype(np.uint8)
    laid = lay(tokens, places, room)
    assert laid.shape == (4, 3, 2 * room)
    assert np.array_equal(lift(laid, places, room), tokens)
    assert np.array_equal(lay(lift(laid, places, room), places, room), laid)


def test_a_note_over_the_bar_line_goes_on_through_the_places_that_are_left_over():
    tokens = np.array([0, 40, 0, 0, NOTE_OFF, 0], np.uint8)
    laid = lay(tokens, 3, 4)
    assert Vocabulary().is_legal(laid)
    assert held(laid).tolist() == [0, 40, 40, 40, 40, 0, 0, 0]


def test_bars_that_do_not_fit_are_errors():
    tokens = np.zeros((1, 12), np.uint8)
    with pytest.raises(ValueError, match="a bar of 20 steps does not fit a bar of 16"):
        lay(tokens, 20, 16)
    with pytest.raises(ValueError, match="a bar of 20 steps does not fit a bar of 16"):
        lift(tokens, 20, 16)
    with pytest.raises(ValueError, match="12 steps are no whole number of bars of 8"):
        lay(tokens, 8, 16)
