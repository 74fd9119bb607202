"""One voice out of many notes, and the melody's part out of many parts."""

# ruff: noqa: RUF001 (Cyrillic letters are meant)

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.music.part_names import name_terms
from melodyvae.music.voice import (
    DrumsOnlyError,
    NoNotesError,
    NoSuchTrackError,
    _skyline,
    _walk_skyline,
    choose_part,
    close_call,
    one_voice_line,
    own_names,
    score_parts,
)
from tests.benchmarks.track_choice import accuracy, lieder, without_names
from tests.reading.smf import part, song

TUNE = [(float(i), i + 1.0, 67 + (i * 5) % 9) for i in range(16)]
CHORDS = [(float(i), i + 2.0, pitch) for i in range(0, 16, 2) for pitch in (48, 52, 55)]
MOVING = [(2 * i, 2 * i + 2, 60 + (0, 2, 4, 5, 7, 9, 7, 5)[i % 8], 80) for i in range(16)]
BASS = [(float(i), i + 1.0, 36 + 5 * (i % 2)) for i in range(16)]


def one_voice(notes: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, ...]]:
    line = np.array(list(notes), np.int64).reshape(-1, 4)
    return [tuple(note) for note in one_voice_line(line).tolist()]


class TestOneVoice:
    def test_the_highest_of_notes_that_begin_together(self) -> None:
        assert one_voice([(0, 4, 60, 80), (0, 4, 67, 80), (0, 4, 64, 80)]) == [(0, 4, 67, 80)]

    def test_a_lower_note_that_sounds_is_cut_by_a_higher_one(self) -> None:
        assert one_voice([(0, 8, 60, 80), (4, 8, 67, 80)]) == [(0, 4, 60, 80), (4, 8, 67, 80)]

    def test_a_lower_note_under_a_higher_one_is_left_out(self) -> None:
        assert one_voice([(0, 8, 67, 80), (4, 8, 60, 80)]) == [(0, 8, 67, 80)]

    def test_a_higher_note_held_a_little_long_is_cut(self) -> None:
        assert one_voice([(0, 5, 67, 80), (4, 8, 60, 80)]) == [(0, 4, 67, 80), (4, 8, 60, 80)]

    def test_one_voice_comes_through_unchanged(self) -> None:
        notes = [(0, 2, 60, 80), (2, 4, 60, 70), (8, 9, 55, 1)]
        assert one_voice(reversed(notes)) == notes

    @given(
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 127), st.integers(1, 127)), max_size=30
        )
    )
    def test_the_line_never_overlaps_and_begins_no_note_of_its_own(
        self, drawn: list[tuple[int, int, int, int]]
    ) -> None:
        notes = [(start, start + length, pitch, velocity) for start, length, pitch, velocity in drawn]
        line = one_voice(notes)
        assert bool(line) == bool(notes)
        assert all(end <= following[0] for (_, end, _, _), following in itertools.pairwise(line))
        assert {(start, pitch) for start, _, pitch, _ in line} <= {(start, pitch) for start, _, pitch, _ in notes}
        assert one_voice(line) == line


class TestTwoVoicesInOnePart:
    def test_a_moving_tune_under_a_held_note_is_the_line(self) -> None:
        assert one_voice([*MOVING, (0, 32, 84, 80)]) == MOVING
        assert one_voice([*MOVING, (0, 16, 84, 80), (16, 32, 84, 80)]) == MOVING

    def test_a_long_note_of_the_tune_over_broken_chords_stays(self) -> None:
        broken = [(2 * i, 2 * i + 2, (48, 55, 60, 64)[i % 4], 80) for i in range(16)]
        tune = [(0, 16, 76, 80), (16, 24, 77, 80), (24, 32, 74, 80)]
        assert one_voice([*tune, *broken]) == tune

    def test_a_long_note_within_the_tune_over_a_moving_voice_stays(self) -> None:
        tune = [(0, 4, 72, 80), (4, 8, 74, 80), (8, 24, 76, 80), (24, 28, 74, 80), (28, 32, 72, 80)]
        inner = [(8 + 4 * i, 12 + 4 * i, (64, 65, 67, 65)[i], 80) for i in range(4)]
        assert one_voice([*tune, *inner]) == tune

    def test_the_left_hand_in_the_rests_of_the_tune_is_left_out(self) -> None:
        left = [(4 * i, 4 * i + 4, (43, 48, 52)[i % 3], 80) for i in range(16)]
        tune = [(start, start + 4, 72 + start % 3, 80) for start in (0, 4, 8, 16, 20, 24, 40, 44, 56, 60)]
        assert one_voice([*left, *tune]) == tune

    def test_a_leap_down_of_a_line_with_some_double_stops_stays(self) -> None:
        line = [(4 * i, 4 * i + 4, 55 if i % 8 == 7 else 76 + i % 3, 80) for i in range(32)]
        thirds = [(start, end, pitch - 4, 80) for start, end, pitch, _ in line if pitch > 55]
        assert one_voice([*line, *thirds]) == line
        assert one_voice([*line, *thirds[:2]]) == line


class TestChoosePart:
    def test_the_tune_above_chords_and_bass_without_any_name(self) -> None:
        for order in ((TUNE, CHORDS, BASS), (BASS, CHORDS, TUNE), (CHORDS, TUNE, BASS)):
            assert choose_part(song(*map(part, order))) == order.index(TUNE)

    def test_drums_are_never_chosen(self) -> None:
        assert choose_part(song(part(TUNE, "melody", is_drum=True), part(BASS))) == 1
        with pytest.raises(DrumsOnlyError, match="it has only drums"):
            choose_part(song(part(TUNE, is_drum=True)))

    def test_nothing_to_choose_from(self) -> None:
        with pytest.raises(NoNotesError, match="no note"):
            choose_part(song())

    def test_a_name_decides_between_parts_alike(self) -> None:
        assert choose_part(song(part(TUNE, "Guitar"), part(TUNE, "Lead vocal"))) == 1

    def test_by_number_from_1_and_by_name_in_any_case(self) -> None:
        piece = song(part(TUNE, "Flute"), part(BASS, "Bass"))
        assert [choose_part(piece, track) for track in ("1", "2", "flute", "BASS")] == [0, 1, 0, 1]
        with pytest.raises(NoSuchTrackError, match=r"no track '3'; the tracks are: 1 'Flute', 2 'Bass'"):
            choose_part(piece, "3")

    def test_by_a_word_of_the_name_the_likeliest_melody_first(self) -> None:
        piece = song(part(BASS, "Lead Bass"), part(TUNE, "Calliope Lead"), part(CHORDS, "Misleading"))
        assert [choose_part(piece, track) for track in ("lead", "calliope", "mislead", "lead bass")] == [1, 1, 2, 0]
        for missing in ("", "4", "flute"):
            with pytest.raises(NoSuchTrackError, match="2 'Calliope Lead'"):
                choose_part(piece, missing)

    @pytest.mark.parametrize("name", ["Backing Vocals", "backup vox", "Lead (doubled)", "Harmony voice", "BGV melody"])
    def test_names_of_what_accompanies_or_doubles_are_no_names_of_a_melody(self, name: str) -> None:
        assert choose_part(song(part(TUNE, name), part(TUNE, "Guitar"))) == 1

    @pytest.mark.parametrize(
        "name",
        [
            "Gesang",
            "Chant",
            "メロディ",
            "Мелодия",
            "旋律",
            "主唱",
            "melodía",
            "canto",
            "melodia",
            "zang",
            "sång",
            "śpiew",
            "zpěv",
            "laulu",
            "멜로디",
            "μελωδία",
            "ヴォーカル",
            "Singstimme",
            "voz",
            "вокал",
            "лид",
        ],
    )
    def test_names_of_melodies_in_many_languages(self, name: str) -> None:
        for order in ((name, "Piano"), ("Piano", name)):
            assert choose_part(song(*(part(TUNE, own) for own in order))) == order.index(name)

    @pytest.mark.parametrize(
        "name", ["Begleitung", "accompagnement", "ベース", "бас", "ударные", "伴奏", "bajo", "batería", "ritmo", "和弦"]
    )
    def test_names_of_accompaniments_in_many_languages(self, name: str) -> None:
        assert choose_part(song(part(TUNE, name), part(TUNE, "Track 2"))) == 1

    @pytest.mark.parametrize(
        ("name", "program", "other"),
        [
            ("Lead gtr effects", 30, "Melody"),
            ("Lead gtr effects", 0, "Robert"),
            ("Page lead", 29, "Melody"),
            ("Page lead", 29, "Vocals"),
            ("Voices", 91, "Flute"),
            ("Voices", 52, "Organ 3 Lead"),
            ("Lead Guitar", 0, "Lead"),
            ("Square Lead", 80, "Vox"),
            ("Vocal 2", 52, "Voice"),
            ("Bass Lead", 87, "Sax"),
            ("Strings", 48, "Organ 3 Lead"),
        ],
    )
    def test_a_name_is_judged_by_its_words_and_their_order(self, name: str, program: int, other: str) -> None:
        pair = (part(TUNE, name, program=program), part(TUNE, other, program=program))
        assert choose_part(song(*pair)) == 1
        assert name_terms([name, other], pair)[0] < name_terms([name, other], pair)[1]

    def test_a_name_alone_among_instruments_may_be_a_singers(self) -> None:
        names = ("Bass", "Guitar", "Robert", "Strings")
        assert choose_part(song(*(part(TUNE, name) for name in names))) == 2
        assert name_terms(["Alice", "Robert", "Bass"], [part(TUNE)] * 3)[:2] == [0, 0]
        assert name_terms(["Robert", "Vocals", "Bass"], [part(TUNE)] * 3)[:2] == [0, 1]

    def test_the_lyrics_say_who_sings(self) -> None:
        sung = [(start + 0.5, end, pitch) for start, end, pitch in TUNE]
        piece = song(part(TUNE, "Melody"), part(sung, "Track 2"))
        assert choose_part(piece) == 0
        assert choose_part(replace(piece, lyric_quarters=tuple(start for start, _, _ in sung))) == 1

    def test_backing_vocals_follow_the_lead(self) -> None:
        tune = [(16 + start, 16 + end, pitch) for start, end, pitch in TUNE]
        piece = song(part(CHORDS), part([(start, end, pitch + 4) for start, end, pitch in tune[8:]]), part(tune))
        assert choose_part(piece) == 2
        terms = {score.index: score.terms["independence"] for score in score_parts(piece)}
        assert (terms[1], terms[2]) == (0, 1)

    def test_a_close_call_names_the_next(self) -> None:
        call = close_call(song(part(TUNE, "Flute"), part(BASS, "Bass"), part(TUNE, "Sax")))
        assert call is not None
        assert (call.margin, call.index, call.name) == (0, 2, "Sax")
        assert close_call(song(part(TUNE, "Flute"), part(BASS, "Bass"))) is None
        assert close_call(song(part(TUNE, "Flute"))) is None

    def test_the_title_on_every_track_says_nothing(self) -> None:
        titled = [part(TUNE, "Love Voice"), part(TUNE, "Love Voice"), part(TUNE, "Love Voice"), part(TUNE, "Lead")]
        assert choose_part(song(*titled)) == 3
        shared = [part(TUNE, "Bass Song Melody"), part(TUNE, "Bass Song Piano"), part(BASS, "Bass Song Bass")]
        assert own_names(shared) == ["Melody", "Piano", ""]
        assert choose_part(song(*shared[::-1])) == 2

    def test_an_instrument_that_plays_basses_or_effects_is_not_taken_for_a_lead(self) -> None:
        for program in (33, 38, 95, 119):
            assert choose_part(song(part(TUNE, program=program), part(TUNE, program=73))) == 1
        assert choose_part(song(part(TUNE, program=33))) == 0

    def test_scores_are_explained_by_terms_between_minus_1_and_1(self) -> None:
        scores = score_parts(song(part(TUNE), part(CHORDS), part(BASS, "Bass")))
        assert next(score.index for score in scores) == 0
        assert len(scores) == 3
        assert all(-1 <= value <= 1 for score in scores for value in score.terms.values())
        assert [score.total for score in scores] == sorted((score.total for score in scores), reverse=True)

    def test_among_two_single_lines_the_one_that_pauses_and_varies(self) -> None:
        arpeggio = [(i / 2, i / 2 + 0.5, (60, 64, 67, 72)[i % 4]) for i in range(64)]
        sung = [
            (start + 16 * phrase, start + 16 * phrase + length, 64 + (3 * index + phrase) % 5)
            for phrase in range(2)
            for index, (start, length) in enumerate([(0, 1.5), (1.5, 0.5), (2, 1), (3, 1), (4, 3), (8, 2), (10, 0.5)])
        ]
        assert choose_part(song(part(arpeggio), part(sung))) == 1

    @pytest.mark.slow
    def test_the_voice_is_found_in_lieder(self) -> None:
        data = Path(__file__).parents[3] / "shared" / "data"
        if not (data / "train" / "openscore-lieder").is_dir():
            pytest.skip("the OpenScore Lieder files are not beside this checkout")
        pieces = list(lieder(data))
        assert len(pieces) > 1000
        assert accuracy(pieces) >= 0.99
        assert accuracy([(name, without_names(piece), answer) for name, piece, answer in pieces]) >= 0.95


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(60, 68), st.integers(1, 127)), min_size=1)
)
def test_the_voice_of_an_array_is_the_voice_of_the_notes(drawn: list[tuple[int, int, int, int]]) -> None:
    notes = [(start, start + length, pitch, velocity) for start, length, pitch, velocity in drawn]
    ordered = sorted(notes, key=lambda note: (note[0], -note[2], -note[1]))
    assert [tuple(note) for note in _skyline(np.array(ordered)).tolist()] == _walk_skyline(ordered)
