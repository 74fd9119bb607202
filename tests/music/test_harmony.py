"""The harmony under a melody: its scale, and the notes that are preferred on the beats."""

import numpy as np

from melodyvae.music.harmony import CHORD_NOTE_BONUS, Harmony, parts_in_scale
from melodyvae.music.keys import Key
from melodyvae.music.notes import Part
from melodyvae.music.scales import Scale
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.verbs.in_scale import Surroundings
from tests.music.test_scales import melody_of


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
    bonus = Harmony.of([CHORDS], 32, 4).bonus()
    token = vocabulary.note_on
    assert bonus[[0, 4, 12], token(69)].tolist() == [CHORD_NOTE_BONUS] * 3
    assert bonus[[1, 2, 16], token(69)].tolist() == [0] * 3
    assert bonus[16, token(68)] == CHORD_NOTE_BONUS
    assert not bonus[:, :FIRST_NOTE_ON].any()


def test_what_leaves_the_scale_open_leaves_it_to_the_tune():
    drone = part((0, 8, 50), (0, 8, 57))
    scales = {}
    for kind in ("major", "harmonic-minor"):
        weights = np.array([float(pitch in Scale(2, kind)) for pitch in range(12)])
        scales[kind] = Harmony.of([drone], 32, 4, weights).scale
    assert scales == {"major": Scale(2), "harmonic-minor": Scale(2, "harmonic-minor")}


def test_what_sounds_is_allowed_only_where_the_accompaniment_has_no_scale():
    in_a_minor = Harmony.of([CHORDS, part((0, 1, 61))], 32, 4)
    assert not in_a_minor.allowed_tokens()[:, Vocabulary().note_on(61)].any()
    chromatic = Harmony.of([part(*[(0, 4, pitch) for pitch in (60, 64, 66, 67, 70)], (4, 8, 60), (4, 8, 65))], 32, 4)
    assert 66 not in chromatic.scale
    foreign = chromatic.allowed_tokens()[:, Vocabulary().note_on(66)]
    assert foreign.tolist() == [True] * 16 + [False] * 16
    assert in_a_minor.padded(48).allowed.shape == (48, 12)


def test_a_guest_is_fitted_degree_by_degree():
    harmony = Harmony.of([CHORDS], 32, 4)
    guest = melody_of([57, 61, 64, 66, 69, 68, 64, 57])  # A major
    fitted, moved = harmony.fitted(guest, Key(9, is_minor=False))
    assert [note.pitch for note in fitted.notes] == [57, 60, 64, 65, 69, 68, 64, 57]
    assert moved == 2
    assert harmony.fitted(fitted) == (fitted, 0)


def test_what_plays_under_a_tune_is_moved_to_the_scale_with_it():
    tune = melody_of([57, 59, 60, 62, 64, 65, 68, 69])
    drums = part((0, 8, 37), is_drum=True)
    chords, same = parts_in_scale([CHORDS, drums], tune, Scale(0, "harmonic-minor"), Key(9, is_minor=True))
    assert chords.pitches.tolist() == [60, 63, 67, 67, 71, 74]  # C minor, G major
    assert same.pitches.tolist() == [37]


def test_melodies_over_chords_keep_to_their_scale_and_the_ends_are_free():
    vocabulary = Vocabulary()
    harmony = Harmony.of([CHORDS], 32, 4)
    tunes = [[melody_of([57, 59, 60, 62, 64, 65, 68, 61])], [melody_of([57, 59, 60, 62, 64, 65, 68, 66])]]
    around = Surroundings.of(tunes, "auto", harmony=harmony)
    (rules,) = around.rules(np.array([[1, 0], [0.5, 0.5]]))
    middle = rules.allowed[1]
    assert rules.allowed[0].all()
    assert middle[0, vocabulary.note_on(68)]
    assert not middle[0, vocabulary.note_on(67)]
    assert not middle[28, vocabulary.note_on(61)]  # not even where the first tune has it
    assert not rules.bonus[0].any()
    assert rules.bonus[1].any()
