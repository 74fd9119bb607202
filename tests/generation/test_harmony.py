"""What plays under a melody: its scale, and the notes that are preferred on the beats."""

import numpy as np

from data_prep.reading.notes import Part
from data_prep.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.generation.harmony import CHORD_NOTE_BONUS, Harmony
from melodyvae.generation.in_scale import Surroundings
from melodyvae.generation.scales import Scale
from tests.generation.test_scales import melody_of


def part(*notes: tuple[float, float, int], is_drum: bool = False) -> Part:
    starts, ends, pitches = (np.array(column) for column in zip(*notes, strict=True))
    return Part("strings", 48, is_drum, starts, ends, pitches, np.full(len(notes), 80))


CHORDS = part((0, 4, 57), (0, 4, 60), (0, 4, 64), (4, 8, 64), (4, 8, 68), (4, 8, 71))  # A minor, E major


def test_the_scale_is_that_of_the_chords():
    harmony = Harmony.of([CHORDS, part((0, 8, 37), is_drum=True)], 32, 4)
    assert harmony is not None
    assert harmony.scale == Scale(9, "harmonic-minor")
    assert harmony.sounding[:16].sum() == 16 * 3
    assert harmony.sounding[16:, 8].all()
    assert Harmony.of([part((0, 8, 37), is_drum=True)], 32, 4) is None
    assert Harmony.of([], 32, 4) is None


def test_the_notes_of_the_chord_are_preferred_on_the_beats():
    vocabulary = Vocabulary()
    bonus = Harmony.of([CHORDS], 32, 4).bonus(vocabulary)
    token = vocabulary.note_on
    assert bonus[[0, 4, 12], token(69)].tolist() == [CHORD_NOTE_BONUS] * 3
    assert bonus[[1, 2, 16], token(69)].tolist() == [0] * 3
    assert bonus[16, token(68)] == CHORD_NOTE_BONUS
    assert not bonus[:, :FIRST_NOTE_ON].any()


def test_melodies_over_chords_keep_to_their_scale_and_the_ends_are_free():
    vocabulary = Vocabulary()
    harmony = Harmony.of([CHORDS], 32, 4)
    tunes = [[melody_of([57, 59, 60, 62, 64, 65, 68, 61])], [melody_of([57, 59, 60, 62, 64, 65, 68, 66])]]
    around = Surroundings.of(vocabulary, tunes, "auto", harmony=harmony)
    (rules,) = around.rules(np.array([[1, 0], [0.5, 0.5]]), "cpu")
    middle = rules.allowed[1]
    assert rules.allowed[0].all()
    assert middle[0, vocabulary.note_on(68)]
    assert not middle[0, vocabulary.note_on(67)]
    assert middle[28, vocabulary.note_on(61)]  # a note of the first tune, at its own step
    assert not middle[28, vocabulary.note_on(66)]  # but none of the second's, over the first one's chords
    assert not rules.bonus[0].any()
    assert rules.bonus[1].any()
