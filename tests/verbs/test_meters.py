"""Each meter finds its model, and what is said of it is true."""

import pretty_midi
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.checkpoint import shipped_names
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.meters import (
    DUPLE_MODEL,
    TRIPLE_MODEL,
    choose_model,
    choose_model_for,
    model_for,
    model_for_windows,
)
from melodyvae.verbs.sentences import sentences_of


@pytest.mark.parametrize("meter", [(3, 4), (6, 8), (9, 8), (12, 8), (3, 8), (6, 4), (3, 2)])
def test_threes_have_their_own_model(meter):
    assert model_for(meter) == TRIPLE_MODEL


@pytest.mark.parametrize("meter", [(4, 4), (2, 2), (2, 4), (5, 4), (7, 8), (1, 4)])
def test_everything_else_is_taken_by_the_default(meter):
    assert model_for(meter) == DUPLE_MODEL


@pytest.mark.parametrize(
    ("meter", "sentences"),
    [
        ((4, 4), []),
        ((2, 2), []),
        ((6, 8), ["it is in 6/8: the model is melody-2bar-triple"]),
        (
            (2, 4),
            [
                "it is in 2/4: the model is melody-2bar",
                "it is fitted into its bars: two bars of 2/4 are one of 4/4",
            ],
        ),
        (
            (12, 8),
            [
                "it is in 12/8: the model is melody-2bar-triple",
                "it is fitted into its bars: a bar of 12/8 is 2 of 3/4 or 6/8",
            ],
        ),
        (
            (9, 8),
            [
                "it is in 9/8: the model is melody-2bar-triple",
                "it is fitted into its bars: its bars of 9/8 are cut into windows of whole beats",
            ],
        ),
        (
            (5, 4),
            [
                "it is in 5/4: the model is melody-2bar",
                "it is fitted into its bars: bars of 4/4 are laid over its bars of 5/4",
            ],
        ),
    ],
)
def test_one_tune_is_told_its_model_and_how_it_fits(meter, sentences):
    assert sentences_of(choose_model([meter]).facts) == sentences


def test_of_two_meters_the_second_is_fitted_into_the_first_one_s():
    choice = choose_model([(3, 4), (4, 4)], "AB")
    assert choice.name == TRIPLE_MODEL
    assert sentences_of(choice.facts) == [
        "A is in 3/4: the model is melody-2bar-triple",
        "B is fitted into its bars: bars of 3/4 or 6/8 are laid over its bars of 4/4, and their bar lines do not meet",
    ]
    assert choose_model([(4, 4), (6, 8)], "AB").name == DUPLE_MODEL
    assert len(sentences_of(choose_model([(3, 4), (6, 8)], "AB").facts)) == 1


def test_beside_4_4_a_12_8_is_a_shuffle_in_either_order():
    first = choose_model([(12, 8), (4, 4)], "AB")
    assert first.name == DUPLE_MODEL
    assert sentences_of(first.facts) == [
        "A is in 12/8, B in 4/4: the model is melody-2bar",
        "A is fitted into its bars: a bar of 12/8 is one of 4/4, a dotted beat is a quarter",
    ]
    assert sentences_of(choose_model([(4, 4), (6, 8)], "AB").facts) == [
        "A is in 4/4: the model is melody-2bar",
        "B is fitted into its bars: two bars of 6/8 are one of 4/4, a dotted beat is a quarter",
    ]
    assert choose_model([(6, 8), (2, 4)], "AB").name == DUPLE_MODEL
    assert choose_model([(6, 8), (3, 4)], "AB").name == TRIPLE_MODEL
    assert choose_model([(12, 8), (6, 8)], "AB").name == TRIPLE_MODEL
    assert choose_model([(12, 8), (3, 4), (4, 4)]).name == TRIPLE_MODEL


def test_lost_notes_are_counted_and_never_called_exact(tmp_path):
    """Thirty-seconds in a row: half of them are between the places of the grid."""
    run = [(i / 8, (i + 1) / 8, 60 + i) for i in range(4)] + [(i / 2, i / 2 + 0.5, 67 - i % 3) for i in range(1, 16)]
    smf = pretty_midi.PrettyMIDI(initial_tempo=60)
    smf.instruments.append(pretty_midi.Instrument(0))
    smf.instruments[0].notes = [pretty_midi.Note(80, pitch, start, end) for start, end, pitch in run]
    smf.write(str(tmp_path / "run.mid"))
    found = MelodyVAE.from_pretrained("melody-2bar").interpolate(tmp_path / "run.mid", tmp_path / "run.mid", 2)
    assert found.exact == (True, True)
    assert [source.lost_bars for source in found.sources] == [(1, 1), (1, 1)]
    said = found.sentences
    assert "2 of 19 notes of A are lost: too short, or between the places of the grid (bar 1)" in said
    assert "B reconstructed: as it is on the grid, where 2 of its 19 notes are lost" in said
    assert "exact" not in " ".join(said)


def test_without_a_tune_it_is_the_default():
    assert choose_model([]).name == DUPLE_MODEL
    assert choose_model([]).facts == ()


def test_the_meter_is_that_of_the_files(tmp_path):
    jig = Melody(tuple(MelodyNote(2 * i, 2 * i + 2, 60 + i) for i in range(24)), 48, meter=(6, 8))
    jig.write(tmp_path / "jig.mid")
    for source in (tmp_path / "jig.mid", jig):
        assert choose_model_for([(source, "auto")]).name == TRIPLE_MODEL


def test_python_takes_the_model_for_a_tune_and_says_what_a_named_one_lays_over_it(tmp_path):
    waltz = Melody(tuple(MelodyNote(4 * i, 4 * i + 4, 60 + i) for i in range(12)), 48, meter=(3, 4))
    waltz.write(tmp_path / "waltz.mid")
    assert MelodyVAE.for_tunes(tmp_path / "waltz.mid").config.meter == (3, 4)
    assert MelodyVAE.for_tunes(waltz, tmp_path / "waltz.mid", track=("auto", "1")).config.meter == (3, 4)
    named = MelodyVAE.from_pretrained("melody-2bar")
    said = named.reconstruct([tmp_path / "waltz.mid"]).sentences
    assert "in 3/4: bars of 4/4 are laid over it" in " ".join(said)


def test_both_models_are_shipped():
    assert {DUPLE_MODEL, TRIPLE_MODEL} <= set(shipped_names())


def test_windows_are_measured_by_the_shipped_model_that_takes_them():
    assert model_for_windows(2, (4, 4)) == DUPLE_MODEL
    assert model_for_windows(2, (3, 4)) == TRIPLE_MODEL
    assert model_for_windows(2, (6, 8)) == TRIPLE_MODEL
    assert model_for_windows(16, (4, 4)) == "melody-16bar"
    assert model_for_windows(5, (4, 4)) == DUPLE_MODEL  # which says that it has two bars
