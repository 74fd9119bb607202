"""Attributes of windows worked out by hand."""

import numpy as np
import pytest

from melodyvae.config import MelodyConfig
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import Vocabulary
from melodyvae.verbs.attributes import ATTRIBUTES, UNITS, diatonic, measure, syncopation
from tests.windows import random_windows

CONFIG = MelodyConfig()


def window(*onsets: tuple[int, int], config: MelodyConfig = CONFIG) -> np.ndarray:
    """One window ``(1, T)`` of notes of a step each, given as (step, pitch)."""
    notes = tuple(MelodyNote(step, step + 1, pitch) for step, pitch in onsets)
    melody = Melody(notes, config.steps, config.steps_per_quarter, config.meter)
    return Vocabulary().encode(melody)[None]


def attributes(*onsets: tuple[int, int]) -> dict[str, float]:
    return dict(zip(ATTRIBUTES, measure(window(*onsets), CONFIG)[0].tolist(), strict=True))


def test_a_plain_tune():
    found = attributes((0, 60), (4, 64), (8, 62), (12, 62), (16, 67))
    assert found == {
        "density": 2.5,
        "range": 7.0,
        "interval": (4 + 2 + 0 + 5) / 4,
        "syncopation-8": 0.0,
        "syncopation-16": 0.0,
        "diatonic": 1.0,
    }


@pytest.mark.parametrize(
    ("steps", "eighths", "sixteenths"),
    [
        ((0, 2, 4, 6), 0.0, 0.0),  # every weak eighth has its beat before it
        ((0, 2, 6, 8), 0.25, 0.0),  # the eighth at 6 has none at 4
        ((2, 6, 10), 1.0, 0.0),
        ((0, 1, 2, 3), 0.0, 0.0),
        ((1, 5), 0.0, 1.0),  # sixteenths without the eighth before; not on the grid of eighths
        ((0, 3, 6), 1 / 3, 1 / 3),  # 3 + 3 + 2: 3 is a weak sixteenth after a bare 2, 6 a weak eighth after a bare 4
        ((16, 18, 22), 1 / 3, 0.0),  # the second bar counts as the first does
    ],
)
def test_syncopation(steps, eighths, sixteenths):
    tokens = window(*((step, 60) for step in steps))
    assert syncopation(tokens, CONFIG, 8)[0] == pytest.approx(eighths)
    assert syncopation(tokens, CONFIG, 16)[0] == pytest.approx(sixteenths)


def test_syncopation_counts_from_the_bar_line_also_where_a_bar_is_an_odd_number_of_eighths():
    config = MelodyConfig(meter=(7, 8))
    tokens = window((16, 60), config=config)  # the second eighth of the second bar of seven
    assert syncopation(tokens, config, 8)[0] == 1.0
    assert syncopation(window((14, 60), config=config), config, 8)[0] == 0.0


def test_a_grid_without_sixteenths_has_no_syncopation_of_them():
    config = MelodyConfig(steps_per_quarter=3)
    tokens = np.full((2, config.steps), 40, dtype=np.uint8)
    assert syncopation(tokens, config, 16).tolist() == [0.0, 0.0]


def test_diatonic_is_of_the_scale_that_fits_best_or_of_the_one_given():
    in_e_flat = window((0, 63), (4, 67), (8, 70), (12, 68), (16, 64))  # the last one is foreign to it
    assert diatonic(in_e_flat, CONFIG)[0] == pytest.approx(0.8)


def test_silence_and_a_single_note_are_defined():
    assert list(attributes().values()) == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert list(attributes((0, 61)).values()) == [0.5, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_rests_and_held_notes_change_nothing_but_onsets_count():
    held = window((0, 60), (8, 64)).copy()
    held[held == 1] = 0
    assert measure(held, CONFIG).tolist() == measure(window((0, 60), (8, 64)), CONFIG).tolist()


def test_transposition_changes_no_attribute():
    tokens = random_windows(50)
    moved = measure(Vocabulary().transpose(tokens, 5), CONFIG)
    np.testing.assert_allclose(measure(tokens, CONFIG), moved)


def test_a_batch_is_its_windows_one_by_one():
    tokens = random_windows(20)
    apart = np.concatenate([measure(row[None], CONFIG) for row in tokens])
    assert measure(tokens, CONFIG).shape == (20, len(ATTRIBUTES))
    np.testing.assert_array_equal(measure(tokens, CONFIG), apart)


def test_every_attribute_has_a_unit():
    assert list(UNITS) == list(ATTRIBUTES)
