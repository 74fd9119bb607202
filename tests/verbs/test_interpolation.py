"""Walks from one tune to another: where they begin and end, and what glides on the way."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from melodyvae.music.harmony import Harmony
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import ReadMelody
from melodyvae.music.scales import parse_choice, share_outside, weights_of
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.distance import musical_distances
from melodyvae.verbs.facts import FewerFound, KeyPlan, MovedToScale, SameTune, ScaleKept, TakenOfBoth
from melodyvae.verbs.interpolate import InterpolateOptions
from melodyvae.verbs.sampling import reconstruct
from melodyvae.verbs.walk import pick_ends, walk
from tests.conftest import tune
from tests.music.test_harmony import part
from tests.verbs.test_sampling import RememberingModel, UniformModel, legato

C_MAJOR = Key(0, is_minor=False)


@pytest.fixture(scope="module")
def shipped():
    return MelodyNetwork.read("melody-2bar")


def scale(tonic: int = 60, **fields) -> Melody:
    """Two bars that leave no doubt about their key."""
    pitches = [tonic + step for step in (0, 2, 4, 5, 7, 5, 4, 0)]
    return Melody(tuple(MelodyNote(4 * i, 4 * i + 4, pitch) for i, pitch in enumerate(pitches)), 32, **fields)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1}, "count is 1; it must be a whole number from 2"),
        ({"ends": "blurred"}, "ends is 'blurred'; it must be one of exact, model, original"),
        ({"key": "h"}, "key is 'h'; choose one of glide, a, b and none, or a key such as C or Am"),
        ({"tempo": "fast"}, "tempo is 'fast'; choose one of glide, a and b, or a number from 10 to 400"),
        ({"tempo": 5}, "tempo is 5; choose"),
        ({"scale": "H:major"}, "'H:major' is not a scale"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        InterpolateOptions(**options)


def test_ends_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="32 and 64 steps long"):
        walk(RememberingModel(), legato(2), legato(4), InterpolateOptions())


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("ends", ["exact", "model", "original"])
@pytest.mark.parametrize("spacing", ["even", "latent"])
def test_it_begins_at_the_first_and_ends_at_the_second(count, ends, spacing):
    start, end = legato(pitch=60), legato(pitch=71)
    found = walk(
        RememberingModel(), start, end, InterpolateOptions(count=count, ends=ends, spacing=spacing, key="none")
    )
    assert len(found.melodies) == count
    assert found.melodies[0].notes == start.notes
    assert found.melodies[-1].notes == end.notes
    assert found.steps_right == (32, 32)
    assert len(found.distances) == count - 1


def test_the_ends_of_a_model_are_its_reconstructions(run_folder):
    model = MelodyNetwork.read(run_folder)
    start, end = tune(1).window(0, 2), tune(2).window(0, 2)
    found = walk(model, start, end, InterpolateOptions(count=5, ends="model", key="none"))
    assert found.melodies[0].notes == reconstruct(model, start, 0.0, Draws()).notes
    assert found.melodies[-1].notes == reconstruct(model, end, 0.0, Draws()).notes


def test_original_ends_are_the_tunes_whatever_the_model_makes_of_them(run_folder):
    model = MelodyNetwork.read(run_folder)
    start, end = tune(1).window(0, 2), tune(2).window(0, 2)
    found = walk(
        model,
        start,
        end,
        InterpolateOptions(count=3, ends="original", key="glide"),
        keys=(C_MAJOR, Key(5, is_minor=True)),
    )
    assert [note[:3] for note in found.melodies[0].notes] == [note[:3] for note in start.notes]
    assert [note[:3] for note in found.melodies[-1].notes] == [note[:3] for note in end.notes]


def test_exact_ends_come_back_where_the_model_alone_misses_them(shipped):
    noise = np.random.default_rng(5).integers(30, 70, (12, 32), dtype=np.uint8)  # a note on every sixteenth
    melodies = [Vocabulary().decode(row) for row in noise]
    missed = [melody for melody in melodies if reconstruct(shipped, melody, 0.0, Draws()).notes != melody.notes]
    assert len(missed) >= 2
    plain, refined = (
        [
            right == 32
            for start, end in pairwise(missed)
            for right in walk(shipped, start, end, InterpolateOptions(count=2, ends=ends, key="none")).steps_right
        ]
        for ends in ("model", "exact")
    )
    assert sum(plain) <= len(plain) // 4
    assert sum(refined) >= 0.8 * len(refined)


def test_the_key_glides_and_is_the_seconds_own_at_the_end(shipped):
    start, end = scale(60), scale(66)
    found = walk(shipped, start, end, InterpolateOptions(count=7, key="glide"))
    assert found.melodies[0].notes == start.notes
    assert found.melodies[-1].notes == end.notes
    # In one key the two are the same tune, so each melody between them is it, in a key of its own.
    assert [melody.notes[0].pitch for melody in found.melodies] == [60, 61, 62, 63, 64, 65, 66]
    assert found.decisions[0] == KeyPlan((Key(0, False), Key(6, False)), -6, "glide")


def test_all_can_be_in_one_key(shipped):
    start, end = scale(60), scale(67)
    by_default = walk(shipped, start, end, InterpolateOptions(count=3)).melodies
    in_b = walk(shipped, start, end, InterpolateOptions(count=3, key="b")).melodies
    in_f = walk(shipped, start, end, InterpolateOptions(count=3, key="Dm")).melodies
    # In one key the two are the same tune, so nothing lies between.
    assert [melody.notes[0].pitch % 12 for melody in by_default] == [0, 0]
    assert [melody.notes[0].pitch % 12 for melody in in_b] == [7, 7]
    assert [melody.notes[0].pitch % 12 for melody in in_f] == [5, 5]
    assert max(note.pitch for melody in in_b for note in melody.notes) < 70  # in the register of the first


def test_a_walk_from_a_tune_to_itself_says_that_nothing_lies_between(shipped):
    found = walk(shipped, scale(60), scale(72), InterpolateOptions(count=8))
    assert len(found.melodies) == 2
    assert found.decisions[0] == SameTune()


def test_the_register_glides_too(shipped):
    found = walk(shipped, scale(48), scale(84), InterpolateOptions(count=4, key="glide"))
    assert [melody.notes[0].pitch for melody in found.melodies] == [48, 60, 72, 84]


def test_without_a_plan_for_keys_pitches_are_left_alone():
    found = walk(RememberingModel(), scale(60), scale(66), InterpolateOptions(count=3, key="none", scale="none"))
    assert found.decisions == ()
    assert 60 < found.melodies[1].notes[0].pitch < 66


@pytest.mark.parametrize(
    ("plan", "tempi"), [("glide", [60, 120, 240]), ("a", [60] * 3), ("b", [240] * 3), (90, [90] * 3)]
)
def test_the_tempo_glides_or_is_one_of_the_two(plan, tempi):
    start, end = scale(quarters_per_minute=60.0, program=40), scale(64, quarters_per_minute=240.0, program=7)
    melodies = walk(RememberingModel(), start, end, InterpolateOptions(count=3, tempo=plan, key="none")).melodies
    assert [melody.quarters_per_minute for melody in melodies] == pytest.approx(tempi)
    assert {melody.program for melody in melodies} == {40}


def test_an_even_walk_is_smoother_and_repeats_less_than_equal_steps_of_z(shipped):
    pairs = [(tune(seed).window(0, 2), tune(seed + 50).window(0, 2)) for seed in range(6)]
    roughness, distinct = {}, {}
    for spacing in ("even", "latent"):
        walks = [walk(shipped, *pair, InterpolateOptions(count=8, spacing=spacing, key="none")) for pair in pairs]
        roughness[spacing] = np.mean([np.std(found.distances) for found in walks])
        distinct[spacing] = np.mean([found.distinct for found in walks])
    assert roughness["even"] < roughness["latent"]
    assert distinct["even"] >= distinct["latent"]
    assert distinct["even"] > 7.5


def test_the_distances_that_are_told_are_those_of_the_melodies(shipped):
    found = walk(shipped, tune(3).window(0, 2), tune(4).window(0, 2), InterpolateOptions(count=4, key="none"))
    tokens = np.stack([Vocabulary().encode(melody) for melody in found.melodies])
    assert found.distances == pytest.approx(np.diagonal(musical_distances(tokens, tokens), offset=1))


def test_temperature_changes_what_lies_between_and_not_the_ends(shipped):
    start, end = tune(3).window(0, 2), tune(4).window(0, 2)

    def walked(seed):
        draws = Draws(seed)
        return walk(shipped, start, end, InterpolateOptions(count=6, temperature=1.5, key="none"), draws).melodies

    first, again, other = walked(1), walked(1), walked(2)
    assert first == again
    assert first[1:-1] != other[1:-1]
    assert (first[0].notes, first[-1].notes) == (other[0].notes, other[-1].notes)


@pytest.mark.parametrize("bars", [1, 3, 4])
def test_longer_tunes_are_walked_window_by_window(bars):
    start, end = legato(bars, pitch=60), legato(bars, pitch=65)
    found = walk(RememberingModel(), start, end, InterpolateOptions(count=4, key="none"))
    assert {melody.length_steps for melody in found.melodies} == {16 * bars}
    assert found.melodies[0].notes == start.notes
    assert found.melodies[-1].notes == end.notes
    assert found.steps_right == (16 * bars, 16 * bars)


def test_of_two_pieces_as_many_bars_are_taken_as_the_shorter_has():
    short, long = ReadMelody.of(legato(4, pitch=72)), ReadMelody.of(Melody.join([tune(1, bars=5), legato(4), tune(2)]))
    ends = pick_ends(UniformModel(), (short, long), bars=8)
    assert [window.melody.bars for window in ends.windows] == [4, 4]
    assert ends.decisions == (TakenOfBoth("A", 4, 4, matched="B"),)
    assert (ends.windows[1].first_bar, ends.windows[1].last_bar) == (6, 9)
    told = pick_ends(UniformModel(), (short, long), (None, 2), bars=8)
    assert told.windows[1].first_bar == 2


def test_by_default_a_window_of_the_model_is_taken_of_each():
    ends = pick_ends(UniformModel(), (ReadMelody.of(legato(8)), ReadMelody.of(legato(1))))
    assert [window.melody.bars for window in ends.windows] == [2, 2]
    assert "padded with silence" in ends.windows[1].note
    assert ends.decisions == ()


def test_as_many_as_are_distinct_are_written_and_it_is_said(shipped):
    start, end = scale(60), replace(scale(60), notes=scale(60).notes[:-1])
    found = walk(shipped, start, end, InterpolateOptions(count=100))
    assert 2 <= len(found.melodies) < 100
    assert len({melody.notes for melody in found.melodies}) == len(found.melodies) == found.distinct
    assert found.decisions[0] == FewerFound(100, len(found.melodies))


def test_the_ends_stay_exact_and_what_lies_between_keeps_to_their_scale_and_leaps(shipped):
    start, end = scale(60), scale(62)
    free = walk(shipped, start, end, InterpolateOptions(count=12, key="none", scale="none")).melodies
    kept = walk(shipped, start, end, InterpolateOptions(count=12, key="none"))
    assert kept.steps_right == (32, 32)
    assert (kept.melodies[0].notes, kept.melodies[-1].notes) == (start.notes, end.notes)
    foreign = [sum(share_outside(weights_of(melody)) for melody in found[1:-1]) for found in (kept.melodies, free)]
    assert foreign[0] <= foreign[1]
    pitches = [[note.pitch for note in melody.notes] for melody in kept.melodies]
    assert all(abs(a - b) <= 12 for row in pitches for a, b in pairwise(row))
    assert all(60 <= pitch <= 69 for row in pitches for pitch in row)
    assert any(isinstance(fact, ScaleKept) for fact in kept.decisions)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["C", "C", "Am", "Am"]),  # the minor key with the same notes
        ({"key": "b"}, ["Bb", "Bb", "Gm", "Gm"]),
        ({"key": "none", "scale": "none"}, ["C", "C", "Gm", "Gm"]),
        ({"key": "glide"}, ["C", "B", "Abm", "Gm"]),  # down 2 semitones, and up an octave on the way
        ({"key": "D"}, ["D", "D", "Bm", "Bm"]),
        ({"scale": "Eb:major"}, ["Eb"] * 4),
    ],
)
def test_keys_are_those_that_the_melodies_are_in(options, names):
    keys = (C_MAJOR, Key(7, is_minor=True))
    found = walk(RememberingModel(), scale(60), scale(67), InterpolateOptions(count=4, **options), keys=keys)
    assert [key.short for key in found.keys] == names


def test_between_two_keys_the_key_is_that_of_the_scale(shipped):
    found = walk(
        shipped, scale(60), scale(62), InterpolateOptions(count=8, key="none"), keys=(C_MAJOR, Key(2, is_minor=False))
    )
    names = [key.short for key in found.keys]
    assert (names[0], names[-1]) == ("C", "D")
    assert set(names) <= {"C", "G", "D"}


def test_over_chords_in_another_scale_b_is_fitted_unless_told_otherwise(shipped):
    chords = part(*[(0, 12, pitch) for pitch in (57, 60, 64, 68, 62, 65)])  # A harmonic minor
    harmony = Harmony.of([chords], 48, 4)
    start, end = legato(3, pitch=69), legato(3, pitch=64)
    end = replace(end, notes=tuple(note._replace(pitch=64 + index % 2) for index, note in enumerate(end.notes)))
    fitted = walk(shipped, start, end, InterpolateOptions(count=4), harmony=harmony)
    assert all(note.pitch in harmony.scale for melody in fitted.melodies[1:] for note in melody.notes)
    free = walk(shipped, start, end, InterpolateOptions(count=4, key="none", scale="none"), harmony=harmony)
    assert free.ends[1] == end


def test_a_scale_moves_both_tunes_to_it(shipped):
    found = walk(shipped, scale(60), scale(67), InterpolateOptions(count=3, scale="Eb:major"))
    assert [melody.notes[0].pitch for melody in found.melodies] == [63, 63]
    assert MovedToScale(parse_choice("Eb:major"), ("A", "B")) in found.decisions
