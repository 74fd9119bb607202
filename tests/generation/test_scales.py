"""Scales by name, and the mask that keeps to one."""

import re

import numpy as np
import pytest
import torch

from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, Vocabulary
from melodyvae.generation.scales import SCALES, Scale, ScaleError
from melodyvae.models.melody import MelodyModel
from melodyvae.models.token_rules import TokenRules
from melodyvae.presets import PRESETS
from melodyvae.vae import MelodyVAE


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MelodyModel(PRESETS["tiny"].model).eval()


@pytest.mark.parametrize(
    ("name", "pitch_classes"),
    [
        ("C:major", {0, 2, 4, 5, 7, 9, 11}),
        ("G", {7, 9, 11, 0, 2, 4, 6}),
        ("A:minor", {0, 2, 4, 5, 7, 9, 11}),
        ("Bb:Pentatonic", {10, 0, 2, 5, 7}),
        ("F#:dorian", {6, 8, 9, 11, 1, 3, 4}),
    ],
)
def test_names(name, pitch_classes):
    assert Scale.parse(name).pitch_classes == pitch_classes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("G:happy", "there is no scale 'happy'; choose one of major, minor"),
        ("H:major", "'H:major' is no scale: 'H' is no key"),
        ("", "'' is no key"),
    ],
)
def test_other_names_get_a_sentence(name, message):
    with pytest.raises(ScaleError, match=re.escape(message)):
        Scale.parse(name)


def test_every_scale_has_its_tonic_and_lies_within_an_octave():
    assert len(SCALES) >= 5
    assert all(0 in steps and steps < set(range(12)) for steps in SCALES.values())


def test_events_without_a_pitch_are_always_allowed():
    vocabulary = Vocabulary()
    allowed = Scale.parse("G:pentatonic").allowed_tokens(vocabulary)
    assert allowed.shape == (vocabulary.size,)
    assert allowed[[NO_EVENT, NOTE_OFF]].all()
    inside = [token - FIRST_NOTE_ON + 21 in Scale(7, "pentatonic") for token in range(FIRST_NOTE_ON, vocabulary.size)]
    assert allowed[FIRST_NOTE_ON:].tolist() == inside


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_no_note_outside_the_scale_is_ever_drawn(model, temperature):
    scale = Scale.parse("G:major")
    rules = TokenRules.only(torch.from_numpy(scale.allowed_tokens(model.vocabulary)))
    z = 3 * torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        free = model.decode(z, temperature, torch.Generator().manual_seed(0)).numpy()
        masked = model.decode(z, temperature, torch.Generator().manual_seed(0), rules).numpy()
    pitches = masked[masked >= FIRST_NOTE_ON] - FIRST_NOTE_ON + 21
    assert len(pitches) > 100
    assert np.isin(pitches % 12, list(scale.pitch_classes)).all()
    outside = free[free >= FIRST_NOTE_ON] - FIRST_NOTE_ON + 21
    assert not np.isin(outside % 12, list(scale.pitch_classes)).all()
    assert model.vocabulary.is_legal(masked).all()


def test_a_mask_of_all_tokens_changes_nothing(model):
    z = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    everything = TokenRules.only(torch.ones(90, dtype=torch.bool))
    assert torch.equal(model.decode(z), model.decode(z, rules=everything))


def test_samples_in_a_scale(model):
    melodies = MelodyVAE(model).sample(6, generator=torch.Generator().manual_seed(0), scale="F:minor-pentatonic")
    pitches = [note.pitch for melody in melodies for note in melody.notes]
    assert pitches
    assert all(pitch in Scale.parse("F:minor-pentatonic") for pitch in pitches)
