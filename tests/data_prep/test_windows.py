"""The windows taken of a piece, and the reason for a track without any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_prep.windows import PrepError, PrepOptions, TrackWindows, cut_windows
from melodyvae.music.melody import Melody, MelodyNote, legato_line
from melodyvae.music.notes import KeySignature, Song
from melodyvae.music.styles import StyleError, style_code
from melodyvae.music.tokens import Vocabulary
from melodyvae.music.voice import DrumsOnlyError
from tests.reading.smf import part, song

PITCHES = (60, 62, 64, 65, 67, 65, 64, 62)


def one_track(notes: list[tuple[float, float, int]], signature: tuple[int, int], **options: object) -> TrackWindows:
    (found,) = cut_windows(song(part(notes), meters=[(0.0, *signature)]), PrepOptions(**options))  # type: ignore[arg-type]
    return found


def crotchets(count: int) -> list[tuple[float, float, int]]:
    return [(float(i), i + 1.0, PITCHES[i % 8]) for i in range(count)]


def test_a_track_of_another_meter_names_it() -> None:
    found = one_track(crotchets(20), (5, 4))
    assert (found.reason, len(found.tokens)) == ("meter_5_4", 0)


def test_fold_takes_two_bars_of_2_4_as_one() -> None:
    assert one_track(crotchets(18), (2, 4)).reason == "meter_2_4"
    folded = one_track(crotchets(18), (2, 4), fold=True)
    assert folded.tokens.shape == (3, 32)  # 9 bars, the odd one left out: 4 bars of 4/4
    assert folded.first_bars.tolist() == [0, 2, 4]
    plain = one_track(crotchets(16), (4, 4))
    assert plain.tokens.tolist() == folded.tokens.tolist()


def test_any_meter_lays_bars_of_4_4_over_the_piece() -> None:
    found = one_track(crotchets(12), (3, 4), meter="any")
    assert found.tokens.shape == (2, 32)


def test_a_short_track_tells_its_bars() -> None:
    found = one_track(crotchets(4), (4, 4))
    assert (found.reason, found.number) == ("too_short", 1)


def test_triplets_are_named_and_fit_a_finer_grid() -> None:
    triplets = [(i / 3, (i + 1) / 3, PITCHES[i % 8]) for i in range(48)]
    found = one_track(triplets, (4, 4))
    assert (found.reason, found.number, found.left_out) == ("triplets", pytest.approx(2 / 3, abs=1e-3), {"off_grid": 3})
    assert len(one_track(triplets, (4, 4), steps_per_quarter=12).tokens) == 3


def test_a_free_performance_is_off_the_grid() -> None:
    free = [(i + 0.11 * (1 + i % 4), i + 0.9, PITCHES[i % 8]) for i in range(16)]
    found = one_track(free, (4, 4))
    assert found.reason == "off_grid"
    assert found.number is not None
    assert found.number > 0.4


def test_every_track_is_told_of_when_all_are_asked_for() -> None:
    piece = song(
        part(crotchets(16), "tune"), part([(0.0, 16.0, 40)], "drone"), part(crotchets(8), "drums", is_drum=True)
    )
    found = cut_windows(piece, PrepOptions(track="all"))
    assert [(track.track, track.name, track.reason) for track in found] == [(0, "tune", ""), (1, "drone", "no_window")]
    with pytest.raises(DrumsOnlyError, match="it has only drums"):
        cut_windows(song(part(crotchets(8), is_drum=True)), PrepOptions(track="all"))


def test_legato_holds_notes_over_gaps_of_a_quarter_at_most() -> None:
    melody = Melody((MelodyNote(0, 1, 60), MelodyNote(4, 6, 62), MelodyNote(12, 13, 64)), 16)
    assert legato_line(melody.line, 4)[:, :2].tolist() == [[0, 4], [4, 6], [12, 13]]
    assert (legato_line(melody.line, 0) == melody.line).all()
    assert not len(legato_line(Melody((), 16).line, 4))
    staccato = [(float(i), i + 0.25, PITCHES[i % 8]) for i in range(16)]
    played, written = (one_track(notes, (4, 4), legato=True).tokens for notes in (staccato, crotchets(16)))
    assert played[:, :29].tolist() == written[:, :29].tolist()  # the last note has no next one


class TestKey:
    def scale(self, tonic: int) -> Song:
        pitches = [tonic + step for step in (0, 2, 4, 5, 7, 5, 4, 0)]
        return song(part([(i, i + 1, pitch) for i, pitch in enumerate(pitches)]))

    @pytest.mark.parametrize("tonic", range(54, 66))
    def test_melodies_that_differ_by_their_key_give_the_same_windows(self, tonic: int) -> None:
        (plain,) = cut_windows(self.scale(60), PrepOptions())
        (moved,) = cut_windows(self.scale(tonic), PrepOptions(key="C"))
        assert np.array_equal(plain.tokens, moved.tokens)
        assert moved.shift == 60 - tonic
        assert moved.key.endswith(" major")

    def test_another_key_can_be_asked_for_and_by_default_keys_stay(self) -> None:
        (moved,) = cut_windows(self.scale(60), PrepOptions(key="Eb"))
        (plain,) = cut_windows(self.scale(60), PrepOptions())
        assert (moved.key, moved.shift) == ("C major", 3)
        assert np.array_equal(Vocabulary().transpose(plain.tokens, 3), moved.tokens)
        assert (plain.key, plain.shift) == ("", 0)

    def test_a_key_that_is_none_is_refused(self) -> None:
        with pytest.raises(PrepError, match="key: 'H' is not a key; give one such as C"):
            PrepOptions(key="H")


def test_notes_in_cut_bars_only_are_too_short_and_of_no_other_meter() -> None:
    """The track's only notes are in a bar of 4/4 that a signature cuts short."""
    piece = song(part([(0, 1, 60)]), meters=[(0, 4, 4), (2, 4, 4)], end=18)
    (found,) = cut_windows(piece, PrepOptions())
    assert (found.reason, found.number) == ("too_short", 0)


class TestMixture:
    def test_at_double_speed_a_window_holds_twice_the_bars_of_notes_half_as_long(self) -> None:
        piece = song(part(crotchets(32)))
        once, twice = cut_windows(piece, PrepOptions(speeds=(1, 2)))
        (as_written,) = cut_windows(piece, PrepOptions())
        assert (once.speed, twice.speed) == (1, 2)
        assert once.tokens.tolist() == as_written.tokens.tolist()
        assert twice.tokens.shape == (5, 32)  # of four bars each, of eight
        assert twice.first_bars.tolist() == [0, 1, 2, 3, 4]
        quavers = [(start / 2, end / 2, pitch) for start, end, pitch in crotchets(16)]
        (halved,) = cut_windows(song(part(quavers)), PrepOptions())
        assert twice.tokens[0].tolist() == halved.tokens[0].tolist()

    def test_windows_begin_at_every_phase_of_the_bar(self) -> None:
        found = one_track(crotchets(12), (4, 4), phases=4)
        assert found.tokens.shape == (5, 32)
        assert list(zip(found.first_bars.tolist(), found.phases.tolist(), strict=True)) == [
            (0, 0),
            (0, 4),
            (0, 8),
            (0, 12),
            (1, 0),
        ]
        lowest = found.tokens[:, 0] - 2 + 21
        assert lowest.tolist() == list(PITCHES[:5])

    def test_several_meters_share_bars_of_the_first(self) -> None:
        meters = {"meter": "3/4,6/8,12/8"}
        assert one_track(crotchets(12), (3, 4), **meters).first_bars.tolist() == [0, 1, 2]
        assert one_track(crotchets(12), (6, 8), **meters).first_bars.tolist() == [0, 1, 2]
        of_12_8 = one_track(crotchets(12), (12, 8), **meters)
        assert list(zip(of_12_8.first_bars.tolist(), of_12_8.phases.tolist(), strict=True)) == [(0, 0), (1, 0)]
        assert one_track(crotchets(12), (4, 4), **meters).reason == "meter_4_4"

    def test_bars_of_several_meters_are_laid_into_the_first_places_of_the_longest(self) -> None:
        meters = {"meter": "4/4,2/4,3/4,6/8,9/8,12/8"}
        for signature, places, bar in (((3, 4), 12, (3, 4)), ((2, 4), 8, (2, 4)), ((12, 8), 12, (6, 8))):
            found = one_track(crotchets(24), signature, **meters)
            assert found.tokens.shape[1] == 32
            assert (found.tokens.reshape(len(found.tokens), 2, 16)[:, :, places:] == 0).all()
            assert set(map(tuple, found.meters.tolist())) == {bar}
            alone = one_track(crotchets(24), signature, meter=f"{bar[0]}/{bar[1]}")
            if bar == signature:
                laid = found.tokens.reshape(-1, 2, 16)[:, :, :places]
                assert laid.reshape(len(laid), -1).tolist() == alone.tokens.tolist()
        quavers = [(i / 2, (i + 1) / 2, PITCHES[i % 8]) for i in range(36)]
        in_nine = one_track(quavers, (9, 8), **meters)  # too long for sixteen places: on a grid of eighths
        assert in_nine.tokens.reshape(-1, 2, 16)[0, 0].tolist() == [
            *(PITCHES[i % 8] - 21 + 2 for i in range(9)),
            *[0] * 7,
        ]

    def test_the_tune_has_its_style_and_other_tracks_are_parts(self) -> None:
        both = song(
            part(crotchets(12), name="melody"), part([(i, i + 1.0, 40) for i in range(12)], name="bass"), meters=[]
        )
        found = cut_windows(both, PrepOptions(track="all"), style_code("reel"))
        assert [track.style for track in found] == [style_code("reel"), style_code("part")]
        (alone,) = cut_windows(both, PrepOptions(), style_code("hymn"))
        assert alone.style == style_code("hymn")
        with pytest.raises(StyleError, match="the style is 'rumba'; choose one of reel, jig"):
            PrepOptions(styles=(("folder", "rumba"),))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"meter": "3/4,4/4"}, "a bar of 4/4 does not fit a bar of 3/4; name the longest first"),
            ({"meter": "4/4,3/4", "speeds": (1, 2)}, "speeds other than 1 need bars of one length; name one meter"),
            ({"speeds": (3,)}, "at 3 times the speed a quarter has no whole number of the grid's 4 steps"),
            ({"speeds": (1, 1)}, r"speeds are \(1, 1\); they must be different whole numbers of at least 1"),
            (
                {"speeds": (1, 4), "meter": "5/8"},
                "a bar of 5/8 is not a whole number of steps at 4 per quarter at 4",
            ),
            ({"phases": 3}, "a bar of 16 steps has no 3 evenly spaced places; phases must divide it"),
            ({"off_grid": 1.5}, "off_grid is 1.5; it must lie between 0 and 1"),
        ],
    )
    def test_options_that_do_not_fit_each_other_are_refused(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(PrepError, match=message):
            PrepOptions(**options)  # type: ignore[arg-type]


class TestOrnaments:
    def ornamented(self, triplets: int) -> list[tuple[float, float, int]]:
        """32 quavers, some of the crotchets they make replaced by triplets."""
        notes = [(i / 2, i / 2 + 0.5, PITCHES[i % 8]) for i in range(32)]
        for number in range(triplets):
            start = 4.0 * number + 3
            notes = [note for note in notes if not start <= note[0] < start + 1]
            notes += [(start + third / 3, start + (third + 1) / 3, 70 + third) for third in range(3)]
        return sorted(notes)

    def test_a_few_are_moved_to_the_grid_and_counted(self) -> None:
        found = one_track(self.ornamented(1), (4, 4), off_grid=0.1)
        assert (len(found.tokens), found.moved_to_grid, found.left_out) == (3, 2, {})
        assert [token - 2 + 21 for token in found.tokens[0][12:16].tolist()] == [70, 71, 19, 72]

    def test_with_more_the_windows_that_have_them_are_left_out(self) -> None:
        found = one_track(self.ornamented(1), (4, 4), off_grid=0.05)
        assert (len(found.tokens), found.moved_to_grid, found.left_out) == (2, 0, {"off_grid": 1})
        assert one_track(self.ornamented(4), (4, 4), off_grid=0.1).reason == "triplets"

    def test_a_small_share_is_moved_by_default(self) -> None:
        assert PrepOptions().off_grid > 0


def test_all_tracks_of_a_piece_are_in_its_key_and_move_together() -> None:
    chords = [(4.0 * i, 4 * i + 4.0, pitch) for i in range(5) for pitch in (55, 59, 62)]
    high = [(start, end, pitch + 7) for start, end, pitch in crotchets(20)]  # by itself in G major
    low = [(start, end, 52 if pitch < 64 else 59) for start, end, pitch in crotchets(20)]  # by itself in E
    piece = song(part(high), part(low), part(chords))
    assert {(found.key, found.shift) for found in cut_windows(piece, PrepOptions(key="C"))} == {("G major", 5)}
    signed = replace(piece, key_signatures=(KeySignature(0.0, 2),))  # D major has all of its notes but C
    assert {found.shift for found in cut_windows(signed, PrepOptions(key="C"))} == {-2}


def test_a_shuffle_is_laid_straight_and_a_late_track_taken_on_the_beat() -> None:
    straight = [(i / 2, i / 2 + 0.5, PITCHES[i % 8]) for i in range(32)]
    swung = [
        (start + 0.12 * (i % 2), end + 0.12 * (1 - i % 2), pitch) for i, (start, end, pitch) in enumerate(straight)
    ]
    plain = one_track(straight, (4, 4))
    assert len(plain.tokens) == 3
    assert (plain.swing, plain.delay) == (0.5, 0)
    shuffled = one_track(swung, (4, 4))
    assert shuffled.tokens.tolist() == plain.tokens.tolist()
    assert (shuffled.swing, shuffled.delay) == (pytest.approx(0.62), 0)
    for late in (0.125, 0.08, 0.025):
        moved = one_track([(start + late, end + late, pitch) for start, end, pitch in straight], (4, 4))
        assert moved.tokens.tolist() == plain.tokens.tolist()
        assert (moved.swing, moved.delay) == (0.5, pytest.approx(late))


def test_a_grid_with_triplets_keeps_a_shuffle() -> None:
    shuffle = [(i // 2 + 2 / 3 * (i % 2), i // 2 + 2 / 3 * (i % 2) + 0.2, PITCHES[i % 8]) for i in range(32)]
    found = one_track(shuffle, (4, 4), steps_per_quarter=12)
    assert (found.swing, np.flatnonzero(found.tokens[0] >= 2)[:3].tolist()) == (0.5, [0, 8, 12])


def test_a_strain_that_ends_short_before_a_pickup_goes_on_and_later_bars_keep_their_numbers() -> None:
    piece = song(part(crotchets(24)), meters=[(0.0, 4, 4), (8.0, 3, 4), (11.0, 1, 4), (12.0, 4, 4)])
    (found,) = cut_windows(piece, PrepOptions())
    assert len(found.tokens) == 5
    assert found.first_bars.tolist() == [0, 1, 2, 4, 5]


def test_a_waltz_with_a_stray_bar_of_4_4_is_a_waltz() -> None:
    piece = song(part(crotchets(40)), meters=[(0.0, 3, 4), (12.0, 4, 4), (16.0, 3, 4)])
    (found,) = cut_windows(piece, PrepOptions())
    assert (found.reason, found.number) == ("meter_3_4", None)
