"""Reasons in words, and the option that would help most."""

from __future__ import annotations

import pytest

from data_prep.ledger import REASONS, explain, meter_reason, rescue


def test_every_reason_has_words() -> None:
    assert len(REASONS) > 20
    assert explain("truncated") == "the file ends too early"
    assert explain(meter_reason(5, 4)) == "its bars are 5/4, and others were asked for"
    with pytest.raises(KeyError):
        explain("unheard_of")


@pytest.mark.parametrize(
    ("left_out", "meter", "fold", "expected"),
    [
        ({}, "4/4", False, None),
        ({"corrupt": 9}, "4/4", False, None),
        ({"meter_3_4": 5, "meter_6_8": 7, "too_short": 3}, "4/4", False, "12 files are in 6/8 or 3/4: --meter any"),
        ({"meter_2_4": 5, "meter_6_8": 1}, "4/4", False, "5 files are in 2/4: --fold"),
        ({"meter_2_4": 5, "meter_6_8": 1}, "4/4", True, "6 files are in 2/4 or 6/8: --meter any"),
        ({"meter_2_4": 5, "meter_6_8": 5}, "4/4", False, "10 files are in 2/4 or 6/8: --meter any"),
        ({"triplets": 1}, "4/4", False, "1 file is in triplets: --steps-per-quarter 12"),
        ({"too_short": 2, "triplets": 1}, "any", False, "2 files are shorter than a window: --bars"),
    ],
)
def test_rescue(left_out: dict[str, int], meter: str, fold: bool, expected: str | None) -> None:
    found = rescue(left_out, meter, fold)
    assert found == expected or (found is not None and expected is not None and found.startswith(expected))
