"""The quick mode of the benchmarks: what can be counted is as computed from the sizes, on every machine."""

from tests.benchmarks.counts import Count, counts


def test_what_is_counted_is_as_it_should_be():
    found = list(counts())
    assert len(found) == 8
    assert [str(count) for count in found if not count.holds] == []


def test_a_count_that_is_off_is_told():
    assert not Count("steps", 33, 32).holds
    assert not Count("melodies", 33, 32, is_limit=True).holds
    assert Count("melodies", 31, 32, is_limit=True).holds
    assert str(Count("steps", 33, 32)) == "FAIL steps: 33 (32)"
