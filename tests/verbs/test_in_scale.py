"""Tunes between tunes keep to their scale, and to their own notes at their own steps."""

import numpy as np
import torch

from melodyvae.models.melody import MelodyModel
from melodyvae.music.scales import Scale
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.presets import PRESETS
from melodyvae.verbs.facts import ScaleKept
from melodyvae.verbs.in_scale import Surroundings, last_notes, rules_of_each, scales_kept
from tests.music.test_scales import melody_of

VOCABULARY = Vocabulary()
A = melody_of([60, 62, 64, 65, 67, 69, 71, 61])
B = melody_of([67, 69, 71, 72, 74, 76, 78, 67])
HALF = np.array([[0.5, 0.5]])


def allowed_pitches(rules, step: int, row: int = 0) -> set[int]:
    tokens = np.flatnonzero(rules.allowed[row, step if rules.allowed.shape[1] > 1 else 0]).tolist()
    return {token - FIRST_NOTE_ON + 21 for token in tokens if token >= FIRST_NOTE_ON}


def test_the_scale_glides_from_the_one_to_the_other():
    around = Surroundings.of([[A], [B]])
    assert around.scale_at(np.array([0.9, 0.1])) == Scale(0)
    assert around.scale_at(np.array([0.1, 0.9])) == Scale(7)
    assert scales_kept(around, np.array([0, 0.1, 0.9, 1]), [0, 0, 2, 2]) == [ScaleKept(Scale(0), Scale(9))]


def test_the_piece_decides_where_the_tune_leaves_it_open():
    few = melody_of([60, 64, 67, 60, 64, 67, 60, 60])  # in C, in F, in G major and in others
    in_g = np.array([pitch in Scale(7) for pitch in range(12)], float)
    assert Surroundings.of([[few]], pieces=[in_g]).scale_at(np.ones(1)) == Scale(7)


def test_a_foreign_note_comes_only_where_a_tune_has_it():
    (rules,) = Surroundings.of([[A], [B]], Scale(0)).rules(HALF)
    assert 61 not in allowed_pitches(rules, 0)
    assert 61 in allowed_pitches(rules, 28)
    assert allowed_pitches(rules, 1) == {pitch for pitch in range(60, 79) if pitch in Scale(0)}


def test_the_ends_are_free_unless_told_otherwise():
    around = Surroundings.of([[A], [B]])
    (rules,) = around.rules(np.eye(2))
    assert rules.allowed.all()
    (bound,) = around.rules(np.eye(2), free_ends=False, margin=1)
    assert min(allowed_pitches(bound, 0)) == 59
    assert not bound.allowed.all()


def test_without_a_scale_there_are_no_rules():
    assert Surroundings.of([[A], [B]], "none").rules(HALF) is None


def test_leaps_are_folded_over_the_border_of_windows_too():
    torch.manual_seed(0)
    model = MelodyModel(PRESETS["tiny"].model).network()
    low, high = melody_of([40] * 8), melody_of([90] * 8)
    path = 4 * Draws(0).normal(50, 2, 16).astype(np.float32)
    tokens = {}
    for scale in ("auto", "none"):
        around = Surroundings.of([[low, low], [high, high]], scale)
        tokens[scale] = around.decode(model, path, np.tile(HALF, (50, 1)), 3.0, Draws(0))
    leaps = {
        scale: sum((np.abs(np.diff(row[row >= FIRST_NOTE_ON].astype(int))) > 12).sum() for row in rows)
        for scale, rows in tokens.items()
    }
    assert (tokens["auto"] >= FIRST_NOTE_ON).sum() > 500
    assert leaps["auto"] == 0
    assert leaps["none"] > 100


def test_last_notes():
    assert last_notes(np.array([[5, 0, 1, 0], [0, 0, 1, 0], [0, 3, 7, 0]])).tolist() == [5, 0, 7]


def test_each_sample_gets_its_own_scale():
    windows = np.stack([VOCABULARY.encode(A), VOCABULARY.encode(B)])
    rules = rules_of_each(windows)
    assert {pitch % 12 for pitch in allowed_pitches(rules, 0, 0)} == Scale(0).pitch_classes
    assert {pitch % 12 for pitch in allowed_pitches(rules, 0, 1)} == Scale(7).pitch_classes


def test_the_lowest_notes_of_the_range_stay_allowed_with_a_margin_below_them():
    """Token ids are uint8: a margin below the lowest ones wrapped round to 253, and no note was allowed."""
    low = melody_of([22, 24, 26, 27, 22, 24, 26, 22])
    (rules,) = Surroundings.of([[low]]).rules(np.ones((1, 1)), free_ends=False, margin=4)
    assert allowed_pitches(rules, 1) >= {22, 24, 26, 27}
    assert max(allowed_pitches(rules, 1)) <= 31
