"""The share of random notes outside the scale that fits them best."""

import numpy as np
import pytest

from melodyvae.evaluation.keys import chance_outside_scale


@pytest.mark.parametrize(("notes", "share"), [(1, 0.0), (8, 0.129), (85, 0.316)])
def test_chance_grows_with_the_number_of_notes(notes, share):
    assert chance_outside_scale(np.array([notes])) == pytest.approx(share, abs=0.006)
