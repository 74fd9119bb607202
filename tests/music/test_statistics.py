"""Statistics of tunes made by hand, in 4/4, 3/4 and 6/8."""

import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.statistics import (
    STATISTICS,
    pooled_statistics,
    repeats_by_lag,
    statistics_of,
    window_statistics,
)
from melodyvae.music.tokens import Vocabulary
from tests.windows import random_windows

QUARTERS, HALVES, DOTTED = (0, 4, 8, 12), (0, 8), (0, 6, 12)


def bar(onsets, pitches):
    """Notes of a bar, each held until the next."""
    return [(onset, pitch) for onset, pitch in zip(onsets, pitches, strict=True)]


A, B, C = (bar(QUARTERS, pitches) for pitches in ((60, 62, 64, 65), (67, 65, 64, 62), (64, 62, 60, 67)))
A_HIGHER = bar(QUARTERS, (62, 64, 66, 67))
D, E, F = bar(HALVES, (60, 64)), bar(HALVES, (62, 60)), bar(DOTTED, (60, 62, 60))
REST = []


def tune(*bars, meter=(4, 4), moved=0):
    """A tune of these bars, each note held until the next one begins or its bar ends."""
    length = 16 * meter[0] // meter[1]
    notes = []
    for number, one in enumerate(bars):
        ends = [onset for onset, _ in one[1:]] + [length][: len(one)]
        notes += [
            MelodyNote(number * length + onset, number * length + end, pitch + moved)
            for (onset, pitch), end in zip(one, ends, strict=True)
        ]
    return Melody(tuple(notes), len(bars) * length, meter=meter)


def of(*bars, **fields):
    return pooled_statistics([tune(*bars, **fields)])


class TestPhrases:
    def test_four_bars_that_return_are_a_phrase(self):
        found = of(A, B, C, D, A, B, C, D)
        assert found["phrases_exact"] == found["phrases_rhythm"] == 4 / 8
        assert found["with_phrases_exact"] == found["with_phrases_rhythm"] == 1

    def test_three_of_the_four_suffice_and_the_fourth_lies_in_it(self):
        assert of(A, B, C, D, A, B, C, F)["phrases_exact"] == 4 / 8
        assert of(A, B, C, D, F, B, C, D)["phrases_exact"] == 4 / 8

    def test_two_of_the_four_do_not(self):
        assert of(A, B, C, D, A, B, F, E)["phrases_exact"] == 0

    def test_other_pitches_are_a_phrase_in_rhythm_alone(self):
        found = of(A, B, C, F, B, C, A_HIGHER, F)
        assert (found["phrases_exact"], found["phrases_rhythm"]) == (0, 4 / 8)
        assert (found["with_phrases_exact"], found["with_phrases_rhythm"]) == (0, 1)

    def test_empty_bars_equal_none(self):
        assert of(*[REST] * 16)["phrases_rhythm"] == 0
        assert of(A, REST, REST, D, A, REST, REST, D)["phrases_exact"] == 0

    def test_bars_alike_at_once_are_none_but_two_bars_later_they_are(self):
        assert of(A, A, A, A, A)["phrases_exact"] == 0  # the shortest distance is two bars
        assert of(A, A, A, A, A, A)["phrases_exact"] == 4 / 6

    def test_beyond_twelve_bars_nothing_returns(self):
        middle = [bar(QUARTERS[:3], (60 + number, 61, 72)) for number in range(9)]
        assert of(A, B, C, D, *middle[:8], A, B, C, D)["phrases_exact"] == 4 / 16
        assert of(A, B, C, D, *middle, A, B, C, D)["phrases_exact"] == 0

    def test_ends_of_notes_do_not_count(self):
        shorter = tune(A, B, C, D, A, B, C, D)
        notes = [note._replace(end_step=note.end_step - 2 * (note.start_step >= 64)) for note in shorter.notes]
        found = pooled_statistics([Melody(tuple(notes), 128)])
        assert found["phrases_exact"] == 4 / 8
        assert found["repeats_exact"] == 0  # there they do


class TestRhythm:
    def test_rhythms_notes_and_long_notes_are_counted(self):
        found = of(A, B, D, REST, F, [(0, 60)])
        assert found["rhythms_per_bar"] == 4 / 5
        assert found["notes_per_bar"] == 14 / 6
        assert found["long_notes"] == 1 / 14
        assert found["silence"] == found["empty_bars"] == 1 / 6

    def test_a_dotted_half_is_long_in_any_meter(self):
        assert of([(0, 60)], [(0, 60), (4, 62)], meter=(3, 4))["long_notes"] == 1 / 3
        assert of([(0, 60)], [(0, 60), (6, 62)], meter=(6, 8))["long_notes"] == 1 / 3

    def test_beats_are_dotted_in_six_eight(self):
        bars = [(0, 60), (6, 62)], [(0, 64), (4, 60)]
        assert of(*bars, meter=(6, 8))["off_beat"] == 1 / 4
        assert of(*bars, meter=(3, 4))["off_beat"] == 1 / 4
        assert of(*bars, meter=(6, 8))["last_note_beats"] == pytest.approx(8 / 6)
        assert of(*bars, meter=(3, 4))["last_note_beats"] == 2

    def test_odd_steps_downbeats_unevenness_and_ends_of_phrases(self):
        found = of(bar((1, 4), (60, 60)), bar((0, 2, 4, 6), (60, 60, 60, 60)), A, D, E)
        assert found["odd_steps"] == 1 / 14
        assert found["downbeats"] == 4 / 5
        assert found["unevenness"] == pytest.approx((3 * 0.8 + 2 * 1.2) / 14)
        assert found["phrase_end_beats"] == 2


class TestRepeats:
    @pytest.mark.parametrize(
        ("bars", "exact", "transposed", "rhythm"),
        [
            ([A, B, A, B], 2 / 3, 2 / 3, 1),
            ([A, bar(QUARTERS, (62, 64, 66, 67)), C, D], 0, 1 / 3, 2 / 3),
            ([A, REST, REST, A], 1, 1, 1),
            ([REST] * 4, 0, 0, 0),
        ],
    )
    def test_repeats(self, bars, exact, transposed, rhythm):
        found = of(*bars)
        assert [found[f"repeats_{kind}"] for kind in ("exact", "transposed", "rhythm")] == [exact, transposed, rhythm]

    def test_lags(self):
        found = of(A, A, B, A, B, D, E, F, A)
        assert found["repeats_1_bar"] == 1 / 8
        assert found["repeats_2_bars"] == 2 / 7
        assert found["repeats_4_bars"] == 0
        assert found["repeats_8_bars"] == 1

    def test_random_walks_repeat_nothing_and_their_doubles_everything(self):
        windows = random_windows(50, steps=128)
        assert window_statistics(windows, Vocabulary(), 16)["repeats_exact"].pooled < 0.01
        doubled = np.concatenate([windows, windows], axis=1)
        found = window_statistics(doubled, Vocabulary(), 16)["repeats_exact"].pooled
        assert found == pytest.approx(8 / 15, abs=0.01)
        assert repeats_by_lag(doubled, 16)[7] == pytest.approx(1, abs=0.01)

    def test_runs_of_four_pitch_classes(self):
        assert of(A, A)["fourgrams"] == 4 / 5
        assert of(A, [(onset, pitch + 12) for onset, pitch in A])["fourgrams"] == 4 / 5
        assert of([(0, 60), (8, 62)])["fourgrams"] == 0  # too short for one


class TestPitches:
    def test_intervals(self):
        found = of(bar(QUARTERS, (60, 60, 62, 70)), bar(QUARTERS, (69, 71, 57, 58)))
        assert found["range_semitones"] == 14
        assert found["leaps"] == 1
        assert found["repeated_notes"] == 1 / 7
        assert found["stepwise"] == 4 / 7
        assert found["wide"] == 2 / 7
        assert found["turns"] == 4 / 5  # up up down up down up: the repeated note goes nowhere
        assert found["narrow"] == 0

    def test_a_leap_is_more_than_an_octave_and_does_not_go_from_tune_to_tune(self):
        tunes = [tune([(0, 60), (8, 72)]), tune([(0, 60), (8, 73)]), tune([(0, 99), (8, 99)])]
        assert statistics_of(tunes)["leaps"].of_each.tolist() == [0, 1, 0]

    def test_less_than_a_fifth_is_narrow(self):
        assert of([(0, 60), (8, 66)])["narrow"] == 1
        assert of([(0, 60), (8, 67)])["narrow"] == 0

    def test_notes_outside_every_scale(self):
        chromatic = [(step, 60 + step) for step in range(12)] + [(12, 84)]
        assert of(chromatic)["out_of_scale"] == pytest.approx(5 / 13)

    def test_a_close_is_the_tonic_on_a_beat_of_the_last_bar_and_a_beat_long(self):
        good = [(0, 62), (4, 59), (8, 60)]
        start = (bar(QUARTERS, (60, 64, 67, 72)), bar(QUARTERS, (60, 62, 64, 60)))
        assert of(*start, good)["closes"] == 1
        assert of(*start, good)["ends_on_tonic"] == of(*start, good)["starts_on_triad"] == 1
        for other in ([(0, 62), (4, 60), (8, 64)], [(0, 62), (4, 59), (10, 60)], [(0, 62), (4, 59), (15, 60)]):
            assert of(*start, other)["closes"] == 0
        assert of(*start, [(0, 62), (4, 60), (8, 64)])["ends_on_triad"] == 1
        assert of(*start, good, REST)["closes"] == 0

    def test_a_close_on_the_second_beat_of_six_eight(self):
        start = bar((0, 4, 6, 10), (60, 64, 67, 60)), bar((0, 4, 6, 10), (60, 62, 64, 60))
        assert of(*start, [(0, 62), (4, 59), (6, 60)], meter=(6, 8))["closes"] == 1
        assert of(*start, [(0, 62), (4, 59), (8, 60)], meter=(6, 8))["closes"] == 0


class TestTunes:
    def test_tunes_of_several_meters_and_lengths_keep_their_order(self):
        tunes = [tune(A, B), tune([(0, 60)], meter=(3, 4)), tune(C, D), tune(A), tune([(0, 60), (4, 62)], meter=(3, 4))]
        assert statistics_of(tunes)["notes_per_bar"].of_each.tolist() == [4, 1, 3, 4, 2]
        assert pooled_statistics(tunes)["notes_per_bar"] == (8 + 1 + 6 + 4 + 2) / 7

    def test_a_last_bar_that_is_not_full_counts_as_one(self):
        short = Melody(tune(A, B).notes[:5], 20)
        assert pooled_statistics([short])["notes_per_bar"] == 5 / 2

    def test_tunes_without_notes_and_no_tunes_are_no_error(self):
        empty = statistics_of([Melody((), 64), tune(A, A, A, A)])
        assert set(empty) == set(STATISTICS)
        assert [float(ratio.of_each[0]) for name, ratio in empty.items() if name not in ("silence", "empty_bars")] == [
            0
        ] * (len(STATISTICS) - 2)
        assert pooled_statistics([Melody((), 64)])["silence"] == 1
        assert set(pooled_statistics([]).values()) == {0}

    def test_all_but_beats_is_alike_in_every_key_and_as_tokens(self):
        windows = random_windows(30, 128)
        melodies = [Vocabulary().decode(row) for row in windows]
        assert len(melodies) == 30
        found = statistics_of(melodies)
        moved = statistics_of([melody.transpose(3) for melody in melodies])
        tokens = window_statistics(windows, Vocabulary(), 16)
        for name, ratio in found.items():
            assert np.array_equal(ratio.of_each, tokens[name].of_each), name
            assert np.allclose(ratio.of_each, moved[name].of_each), name
