"""Scales by name, and the mask that keeps to one."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.models.melody import MelodyModel
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.scales import (
    SCALES,
    Scale,
    ScaleError,
    best_scale,
    moved_to_scale,
    parse_choice,
    parse_key,
    pitch_class_weights,
    share_outside,
)
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.token_rules import TokenRules
from melodyvae.presets import PRESETS
from melodyvae.vae import MelodyVAE


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MelodyModel(PRESETS["tiny"].model).network()


@pytest.mark.parametrize(
    ("name", "pitch_classes"),
    [
        ("C:major", {0, 2, 4, 5, 7, 9, 11}),
        ("G", {7, 9, 11, 0, 2, 4, 6}),
        ("A:minor", {0, 2, 4, 5, 7, 9, 11}),
        ("Bb:Pentatonic", {10, 0, 2, 5, 7}),
        ("F#:dorian", {6, 8, 9, 11, 1, 3, 4}),
        ("Gmaj", {7, 9, 11, 0, 2, 4, 6}),
        ("g minor", {7, 9, 10, 0, 2, 3, 5}),
        ("Am", {0, 2, 4, 5, 7, 9, 11}),
        ("AM", {9, 11, 1, 2, 4, 6, 8}),
        ("Bbm", {10, 0, 1, 3, 5, 6, 8}),
        ("b minor", {11, 1, 2, 4, 6, 7, 9}),
        ("E♭ Major", {3, 5, 7, 8, 10, 0, 2}),
        ("E-", {3, 5, 7, 8, 10, 0, 2}),
        ("C-major", {0, 2, 4, 5, 7, 9, 11}),
        ("a harmonic minor", {9, 11, 0, 2, 4, 5, 8}),
    ],
)
def test_names(name, pitch_classes):
    assert Scale.parse(name).pitch_classes == pitch_classes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dorian", "'dorian' has no tonic; give one, such as G:dorian"),
        ("foo", "there is no scale 'foo'; choose"),
        ("G:happy", "there is no scale 'G:happy'; choose one of major, minor"),
        ("H:major", "'H:major' is not a scale; give one such as G:major, Am or F# dorian"),
        ("", "'' is not a scale; give one such as G:major, Am or F# dorian"),
        ("Gb#", "there is no scale 'Gb#'"),
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
    allowed = Scale.parse("G:pentatonic").allowed_tokens()
    assert allowed.shape == (vocabulary.size,)
    assert allowed[[NO_EVENT, NOTE_OFF]].all()
    inside = [token - FIRST_NOTE_ON + 21 in Scale(7, "pentatonic") for token in range(FIRST_NOTE_ON, vocabulary.size)]
    assert allowed[FIRST_NOTE_ON:].tolist() == inside


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_no_note_outside_the_scale_is_ever_drawn(model, temperature):
    scale = Scale.parse("G:major")
    rules = TokenRules.only(scale.allowed_tokens())
    z = 3 * Draws(0).normal(300, 16).astype(np.float32)
    free = model.decode(z, temperature, Draws(0))
    masked = model.decode(z, temperature, Draws(0), rules)
    pitches = masked[masked >= FIRST_NOTE_ON] - FIRST_NOTE_ON + 21
    assert len(pitches) > 100
    assert np.isin(pitches % 12, list(scale.pitch_classes)).all()
    outside = free[free >= FIRST_NOTE_ON] - FIRST_NOTE_ON + 21
    assert not np.isin(outside % 12, list(scale.pitch_classes)).all()
    assert model.vocabulary.is_legal(masked).all()


def test_a_mask_of_all_tokens_changes_nothing(model):
    z = Draws(0).normal(20, 16).astype(np.float32)
    assert (model.decode(z) == model.decode(z, rules=TokenRules.only(np.ones(90, bool)))).all()


def test_samples_in_a_scale(model):
    melodies = MelodyVAE(model).sample(6, seed=0, scale="F:minor-pentatonic")
    pitches = [note.pitch for melody in melodies for note in melody.notes]
    assert pitches
    assert all(pitch in Scale.parse("F:minor-pentatonic") for pitch in pitches)


@pytest.mark.parametrize("kind", ["major", "harmonic-minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_the_best_scale_of_a_scale_is_itself(tonic, kind):
    scale = Scale(tonic, kind)
    weights = np.array([pitch in scale for pitch in range(12)], float)
    weights[tonic] = 2
    assert best_scale(weights) == scale
    assert share_outside(weights) == 0


def test_the_share_outside_counts_notes():
    weights = pitch_class_weights(np.array([60, 62, 64, 65, 67, 69, 71, 61]))
    assert share_outside(weights) == pytest.approx(1 / 8)
    assert share_outside(weights, Scale.parse("C#")) == pytest.approx(5 / 8)
    assert share_outside(np.zeros(12)) == 0


@pytest.mark.parametrize(
    ("scale", "pitches"),
    [
        ("Eb:major", [63, 65, 67, 68, 70, 72, 74, 75]),
        ("Am", [60, 62, 64, 65, 67, 69, 71, 72]),
        ("C:minor", [60, 62, 63, 65, 67, 68, 70, 72]),
        ("B:major", [59, 61, 63, 64, 66, 68, 70, 71]),
    ],
)
def test_a_melody_is_moved_to_a_scale_degree_by_degree(scale, pitches):
    melody = melody_of([60, 62, 64, 65, 67, 69, 71, 72])
    moved = moved_to_scale(melody, Scale.parse(scale), Key(0, is_minor=False))
    assert [note.pitch for note in moved.notes] == pitches


def test_a_note_outside_goes_to_the_nearest_degree_and_no_further():
    melody = melody_of([60, 61, 64, 66, 67, 60])
    moved = moved_to_scale(melody, Scale.parse("C:major"), Key(0, is_minor=False))
    assert all(note.pitch in Scale.parse("C:major") for note in moved.notes)
    assert all(abs(a.pitch - b.pitch) <= 1 for a, b in zip(melody.notes, moved.notes, strict=True))
    assert moved_to_scale(replace(melody, notes=()), Scale(0)).notes == ()


@settings(max_examples=60)
@given(st.lists(st.integers(21, 108), min_size=1, max_size=8), st.sampled_from(sorted(SCALES)), st.integers(0, 11))
def test_a_melody_moved_to_any_scale_is_in_it(pitches, kind, tonic):
    scale = Scale(tonic, kind)
    moved = moved_to_scale(melody_of(pitches), scale)
    assert all(note.pitch in scale for note in moved.notes)


CHOICES = [("auto", "auto"), ("None", "none"), (None, "none"), ("Am", Scale(9, "minor"))]


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_choices(name, choice):
    assert parse_choice(name) == choice


@pytest.mark.parametrize(("name", "plan"), [("a", "a"), ("B", "b"), ("Glide", "glide"), ("Am", Key(9, is_minor=True))])
def test_keys_are_plans_or_keys(name, plan):
    assert parse_key(name) == plan


def melody_of(pitches: list[int]) -> Melody:
    """A quarter for each pitch."""
    notes = tuple(MelodyNote(4 * index, 4 * index + 4, pitch) for index, pitch in enumerate(pitches))
    return Melody(notes, 4 * len(pitches))
