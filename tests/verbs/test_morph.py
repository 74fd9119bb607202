"""Directions and morphing, on a linear model whose right answers are known, and on a small trained one."""

import re

import numpy as np
import pytest

from melodyvae.config import MelodyConfig
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.latent import Gaussian
from melodyvae.network.network import MelodyNetwork
from melodyvae.vae import MelodyVAE
from melodyvae.verbs import attribute_vectors as fitting
from melodyvae.verbs.attribute_vectors import (
    AttributeVectors,
    AttributeVectorsError,
    fit_attribute_vectors,
    joint_directions,
)
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.morph import AMOUNTS, MAX_AMOUNT
from melodyvae.verbs.morph_search import CANDIDATES, SHORTHANDS, morph, wanted_amounts
from tests.benchmarks.effects import effect_matrix, plot_effects, quartile_directions
from tests.conftest import tune
from tests.windows import random_windows

NAMES = list(ATTRIBUTES)


class CountingModel:
    """z is (number of notes, semitones between two that alternate), and what it decodes has just these."""

    config = MelodyConfig(latent_size=2)
    vocabulary = Vocabulary()

    def __init__(self) -> None:
        self.extras: dict[str, np.ndarray] = {}

    def encode(self, tokens: np.ndarray) -> Gaussian:
        is_note = tokens >= 2
        lowest = np.where(is_note, tokens, 99).min(axis=1)
        mean = np.stack([is_note.sum(axis=1), tokens.max(axis=1) - lowest], axis=1).astype(np.float32)
        return Gaussian(mean, np.zeros_like(mean))

    def decode(self, z: np.ndarray, temperature=0.0, draws=None, rules=None) -> np.ndarray:
        notes, semitones = z.round().astype(np.int64).T
        tokens = np.zeros((len(z), 32), np.int64)
        for row, count, width in zip(tokens, notes.clip(2, 16), semitones.clip(0, 24), strict=True):
            row[: 2 * int(count) : 4] = 40
            row[2 : 2 * int(count) : 4] = 40 + width
        return tokens

    def prior(self, count: int) -> Gaussian:
        raise NotImplementedError


def counted_windows(count: int = 300, seed: int = 0) -> np.ndarray:
    """Windows of the counting model, wide ones more often dense."""
    generator = np.random.default_rng(seed)
    notes = generator.integers(4, 15, count)
    semitones = np.clip(notes + generator.integers(-6, 7, count), 1, 20)
    z = np.stack([notes, semitones], axis=1).astype(np.float32)
    return CountingModel().decode(z).astype(np.uint8)


@pytest.fixture(scope="module")
def counting_model():
    model = CountingModel()
    model.extras = fit_attribute_vectors(model, counted_windows()).to_extras()
    return model


@pytest.fixture(scope="module")
def trained(run_folder):
    return MelodyNetwork.read(run_folder)


@pytest.fixture
def window():
    return tune(1).window(0, 2)


def seeded(seed: int = 0) -> Draws:
    return Draws(seed)


def test_joint_directions_recover_the_axes_of_a_linear_model_though_the_attributes_are_correlated():
    generator = np.random.default_rng(0)
    attributes = generator.standard_normal((5000, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])  # correlation 0.8
    axes = np.array([[3.0, 0.0, 4.0], [0.0, 2.0, 0.0]])
    z = attributes @ axes + 0.5 * generator.standard_normal((5000, 3)) + 7.0
    found = joint_directions(z, attributes / attributes.std(axis=0))
    np.testing.assert_allclose(found, [[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]], atol=0.02)
    of_the_paper = quartile_directions(z, attributes)
    np.testing.assert_allclose(np.linalg.norm(of_the_paper, axis=1), 1.0)
    assert of_the_paper[0, 1] > 0.2  # the quarters of the one differ in the other as well
    assert of_the_paper[1, 0] > 0.2


def test_a_slider_at_one_moves_its_attribute_by_about_a_deviation_and_leaves_the_other(counting_model):
    effects = effect_matrix(counting_model, counted_windows(200, seed=1), candidates=1)
    density, width = NAMES.index("density"), NAMES.index("range")
    assert 0.7 < effects[density, density] < 2.0
    assert abs(effects[density, width]) < 0.3 * effects[density, density]
    assert 0.7 < effects[width, width] < 2.0
    assert abs(effects[width, density]) < 0.3 * effects[width, width]


def test_the_search_hits_what_is_asked_for(counting_model):
    windows = counted_windows(20, seed=2)
    for amount in (0.5, -0.5):
        effects = effect_matrix(counting_model, windows, amount)
        density = NAMES.index("density")
        assert effects[density, density] == pytest.approx(amount, abs=0.15)
        assert abs(effects[density, NAMES.index("range")]) < 0.15


def test_an_attribute_that_never_changes_has_no_direction(counting_model):
    found = AttributeVectors.from_extras(counting_model.extras, counting_model.config.latent_size)
    sixteenths = NAMES.index("syncopation-16")
    assert found.deviations[sixteenths] == 0
    assert not found.vectors[sixteenths].any()


def test_directions_are_fitted_to_so_many_windows_at_most(monkeypatch):
    seen = []
    monkeypatch.setattr(fitting, "posterior_means", lambda model, rows: seen.append(len(rows)) or np.zeros((1, 2)))
    monkeypatch.setattr(fitting, "_calibrate", lambda *_: np.ones(len(NAMES)))
    monkeypatch.setattr(fitting, "MAX_WINDOWS", 1)
    fit_attribute_vectors(CountingModel(), counted_windows())
    assert seen == [1]


def test_a_trained_checkpoint_has_its_directions_in_half_precision(trained):
    found = AttributeVectors.from_extras(trained.extras, trained.config.latent_size)
    assert found.vectors.shape == (len(NAMES), 16)
    assert found.spread.shape == (16,)
    assert {tensor.dtype for name, tensor in trained.extras.items() if name.startswith("attributes.")} == {
        np.dtype(np.float16)
    }
    assert np.isfinite(found.vectors).all()


def test_a_model_without_directions_says_so(window):
    model = MelodyModel(MelodyConfig(latent_size=4, encoder_size=4, decoder_size=4))
    with pytest.raises(AttributeVectorsError, match="has no attribute directions, which `melodyvae train` fits"):
        MelodyVAE(model).morph(window, density=1)


def test_directions_of_other_attributes_are_refused(trained):
    extras = {name: tensor[:2] for name, tensor in trained.extras.items()}
    with pytest.raises(AttributeVectorsError, match="directions for 2 attributes, this version of melodyvae has 6"):
        AttributeVectors.from_extras(extras, trained.config.latent_size)


@pytest.mark.parametrize("candidates", [1, 12])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_amount_zero_keeps_the_tune_and_the_first_is_the_tune(trained, window, candidates, temperature):
    still, moved = (
        morph(trained, window, {"density": density}, 3, temperature, seeded(), "auto", candidates) for density in (0, 2)
    )
    assert len(still) == len(moved) == 3
    assert moved[0].notes == still[0].notes
    if temperature == 0:
        assert moved[0].notes == window.notes
    if temperature == 0 or candidates > 1:
        assert still[2].notes == still[0].notes


def test_the_same_seed_gives_the_same_and_none_does_as_well(trained, window):
    assert MelodyVAE(trained).morph(window, density=1) == MelodyVAE(trained).morph(window, density=1)
    drawn = [MelodyVAE(trained).morph(window, 3, temperature=1.0, seed=seed, density=2) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_search_comes_nearer_than_the_straight_move(trained):
    windows = random_windows(12, seed=5)
    straight, sought = (effect_matrix(trained, windows, 1.0, candidates) for candidates in (1, 48))
    identity = np.eye(len(NAMES))
    assert np.square(sought - identity).sum() < np.square(straight - identity).sum()


def test_morphs_keep_tempo_and_instrument_and_are_read_back_with_the_same_tokens(trained, window, tmp_path):
    source = Melody(window.notes, 32, quarters_per_minute=90.0, program=40)
    melodies = MelodyVAE(trained).morph(source, 4, temperature=1.0, seed=0, density=1, syncopation=1)
    assert len(melodies) == 4
    for index, melody in enumerate(melodies):
        melody.write(tmp_path / f"{index}.mid")
        back = Melody.from_midi(tmp_path / f"{index}.mid")
        assert (melody.quarters_per_minute, back.program, back.bars) == (90.0, 40, 2)
        tokens = [trained.vocabulary.encode(one) for one in (melody, back)]
        assert np.array_equal(*tokens)


def test_a_morph_in_a_scale_has_no_note_outside_it(trained, window):
    for candidates in (1, 24):
        melodies = MelodyVAE(trained).morph(window, 4, temperature=1.5, scale="G:major", range=2, candidates=candidates)
        pitches = [note.pitch for melody in melodies for note in melody.notes]
        assert len(pitches) > 10
        assert all(pitch in Scale.parse("G:major") for pitch in pitches)


def test_amounts_have_names_shorthands_and_bounds(trained, window):
    assert wanted_amounts({"syncopation": 0.5, "syncopation-8": 1.0}).tolist() == [0, 0, 0, 1.5, 0.5, 0]
    for bad, message in (
        ({"density": 9}, "density is 9; it must lie between -5 and 5"),
        ({"density": float("nan")}, "density is nan"),
        ({"syncopation": 3.0, "syncopation-8": 3.0}, "syncopation-8 is 6; it must lie between -5 and 5"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            morph(trained, window, bad)
    for options, message in (
        ({"count": 1}, "count is 1; it must be a whole number from 2"),
        ({"candidates": 0}, "candidates is 0; it must be a whole number from 1"),
        ({"temperature": -1.0}, "temperature is -1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            MelodyVAE(trained).morph(window, density=1.0, **options)


def test_the_command_offers_every_attribute():
    assert {name.replace("_", "-") for name in AMOUNTS} == {*NAMES, *SHORTHANDS}
    assert MAX_AMOUNT == 5
    assert CANDIDATES == 192


def test_an_effect_is_nothing_where_nothing_is_moved(trained):
    windows = random_windows(8, seed=3)
    assert not effect_matrix(trained, windows, 0.0, 12).any()
    assert measure(windows, trained.config).any()


def test_effects_are_drawn(tmp_path):
    plot_effects({"one": np.eye(6), "other": -np.eye(6)}, NAMES, tmp_path / "effects.png")
    assert (tmp_path / "effects.png").read_bytes().startswith(b"\x89PNG")
