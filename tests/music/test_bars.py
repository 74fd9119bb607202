import numpy as np
import pytest

from melodyvae.music.bars import find_room, lay, lift
from melodyvae.music.tokens import NO_EVENT, NOTE_OFF, Vocabulary, held


def test_a_bar_lies_in_the_first_places_and_nothing_begins_in_the_others():
    tokens = np.array([[5, 0, 1, 7, 0, 0]], np.uint8)
    laid = lay(tokens, 3, 4)
    assert laid.tolist() == [[5, 0, 1, NO_EVENT, 7, 0, 0, NO_EVENT]]
    assert laid.dtype == np.uint8


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


@pytest.mark.parametrize(
    ("meter", "bars", "places"),
    [
        ((4, 4), 1, 16),
        ((2, 2), 1, 16),
        ((3, 4), 1, 12),
        ((6, 8), 1, 12),
        ((7, 8), 1, 14),
        ((2, 4), 1, 8),
        ((3, 8), 1, 6),
        ((9, 8), 2, 12),  # two of its three beats, and one
        ((12, 8), 2, 12),
        ((5, 4), 2, 12),
        ((3, 2), 2, 12),
        ((7, 4), 2, 16),
        ((4, 2), 2, 16),
    ],
)
def test_a_bar_takes_as_few_of_the_model_s_as_hold_it_in_whole_beats(meter, bars, places):
    room = find_room(meter, 4, 16, 2)
    assert room is not None
    assert (room.bars, room.places) == (bars, places)
    assert room.is_open.sum() == room.steps == 16 * meter[0] // meter[1]
    tokens = np.random.default_rng(0).integers(2, 90, (3, 2 * room.steps)).astype(np.uint8)
    laid = room.lay(tokens)
    assert laid.shape == (3, 2 * bars * 16)
    assert np.array_equal(room.lift(laid), tokens)
    assert not laid[:, ~np.tile(room.is_open, 2)].any()


def test_a_slip_jig_lies_as_two_beats_and_one():
    room = find_room((9, 8), 4, 16, 2)
    assert room is not None
    assert np.flatnonzero(room.is_open).tolist() == [*range(12), *range(16, 22)]


@pytest.mark.parametrize(
    ("meter", "unit"),
    [((9, 4), 2), ((15, 8), 2), ((12, 8), 1), ((3, 128), 2)],  # too long, too long, one bar alone, no whole steps
)
def test_bars_without_room_are_none(meter, unit):
    assert find_room(meter, 4, 16, unit) is None
