"""Plans of form: read from windows, given by letters, and followed in writing."""

import numpy as np
import pytest

from melodyvae.network.draws import Draws
from melodyvae.network.plan import (
    EXACT,
    FREE,
    NEW,
    OPEN,
    RHYTHM,
    TRANSPOSED,
    Plan,
    component,
    components_of,
    plan_of_form,
)
from tests.conftest import tiny_composer

ONE, UP, RHYTHMIC = [10, 0, 12, 0], [15, 0, 17, 0], [20, 0, 3, 0]
OTHER, SPARSE = [5, 6, 7, 8], [30, 0, 0, 0]


def test_windows_follow_plans():
    window = np.array([ONE, OTHER, UP, RHYTHMIC, ONE, SPARSE, SPARSE, OTHER]).reshape(1, -1)
    assert components_of(window, 4).tolist() == [
        [
            FREE,
            FREE,
            component(TRANSPOSED, 2),
            component(RHYTHM, 1),
            component(EXACT, 4),
            FREE,
            FREE,  # a bar of one note is no idea
            FREE,  # the same six bars before, at none of the lags
        ]
    ]


@pytest.mark.parametrize(
    ("letters", "bars", "sources"),
    [
        ("AABA", 8, [-1, -1, 0, 1, -1, -1, 2, 3]),
        ("ABAB", 4, [-1, -1, 0, 1]),
        ("ABAC", 16, [-1] * 8 + [0, 1, 2, -1] + [-1] * 4),
        ("AABB", 10, [-1, -1, 0, 1, -1, -1, 4, 5, -1, -1]),
    ],
)
def test_letters_are_plans(letters, bars, sources):
    plan = plan_of_form(letters, bars, 2)
    assert plan.sources.tolist() == [sources] * 2
    assert (plan.components[:, 0] == NEW).all()


def test_a_phrase_that_returns_may_end_otherwise():
    plan = plan_of_form("AABB", 16, 1)
    assert plan.components[0, 7] == component(RHYTHM, 4)


def test_plans_are_followed():
    network, z = tiny_composer().network(), Draws(0).normal(30, 8).astype(np.float32)
    components = np.full((30, 4), FREE)
    sources = np.array([[OPEN, OPEN, 0, 1]] * 30)
    bars = network.decode(z, 1.0, Draws(1), plan=Plan(components, sources)).reshape(30, 4, 16)
    sounding_alike = (bars[:, 2:] == bars[:, :2]).mean()
    assert sounding_alike > 0.97  # a note off that would come in silence is left out
    components[:, 1] = component(RHYTHM, 1)
    bars = network.decode(z, 1.0, Draws(1), plan=Plan.of_components(components)).reshape(30, 4, 16)
    onsets = bars >= 2
    planned = (onsets[:, 1] == onsets[:, 0]).mean()
    free = (onsets[:, 2] == onsets[:, 1]).mean()
    assert 1 - planned < 0.3 * (1 - free)  # copies slip now and then


def test_what_is_left_open_is_what_no_plan_gives():
    network, z = tiny_composer().network(), Draws(0).normal(5, 8).astype(np.float32)
    plan = Plan.of_components(np.full((5, 4), OPEN))
    np.testing.assert_array_equal(network.decode(z, 1.0, Draws(1), plan=plan), network.decode(z, 1.0, Draws(1)))
