"""The warning of a training whose decoder ignores z."""

import pytest

from melodyvae.training.melody import collapse_warning

LANGUAGE_MODEL = {
    "held_out_kl_bits": 40.0,
    "held_out_active_units": 190.0,
    "held_out_greedy_accuracy": 0.67,
    "held_out_sampled_accuracy": 0.63,
    "held_out_teacher_forced_accuracy": 0.82,
    "held_out_no_event_accuracy": 0.69,
}
TELLING = LANGUAGE_MODEL | {"held_out_greedy_accuracy": 0.95}
EMPTY = TELLING | {"held_out_kl_bits": 0.5}


@pytest.mark.parametrize(
    ("metrics", "looks_back", "warns"),
    [
        (LANGUAGE_MODEL, False, True),
        (LANGUAGE_MODEL, True, False),  # it hears itself: few bits of z are enough
        (TELLING, False, False),
        (TELLING, True, False),
        (EMPTY, False, True),
        (EMPTY, True, True),
        ({}, False, False),  # not measured yet
    ],
)
def test_a_decoder_that_ignores_z_is_told(metrics, looks_back, warns):
    told = collapse_warning(metrics, 0.1, looks_back)
    assert (told is not None) is warns
    assert told is None or "begins to ignore z" in told
