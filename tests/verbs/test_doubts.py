"""A wrong note is detected by the likelihood of the whole tune."""

from dataclasses import replace

import numpy as np
import pytest

from melodyvae import MelodyVAE
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs import doubts
from melodyvae.verbs.doubts import CONTEXT_BARS, can_hear, note_doubts, recurring_notes
from melodyvae.verbs.scoring import best_scale, score

THEME = [60, 62, 64, 65, 67, 67, 69, 67, 65, 64, 62, 64, 65, 64, 62, 60]  # four bars in C, four notes each
EVERYTHING = np.ones(12, bool)


@pytest.fixture(scope="module")
def composer() -> MelodyNetwork:
    return MelodyNetwork.read("melody-compose")


def theme(times: int, wrong: dict[int, int] | None = None) -> Melody:
    """The theme so often in a row; ``wrong`` says by how much notes are moved."""
    pitches = [pitch + (wrong or {}).get(number, 0) for number, pitch in enumerate(THEME * times)]
    notes = tuple(MelodyNote(4 * number, 4 * number + 4, pitch) for number, pitch in enumerate(pitches))
    return Melody(notes, 4 * len(notes))


@pytest.mark.parametrize("moved", [5, 20, 40])
def test_a_wrong_note_of_a_theme_that_comes_back_is_the_most_doubtful(composer, moved):
    clean, planted = theme(3), theme(3, {moved: 1})
    scale = best_scale([note.pitch for note in clean.notes])
    gains, shifts = note_doubts(composer, planted, scale)
    assert len(gains) == len(shifts) == 48
    assert (gains.argmax(), shifts[moved]) == (moved, -1)
    assert gains[moved] > doubts.DOUBTFUL_NATS
    assert (note_doubts(composer, clean, scale)[0] < doubts.DOUBTFUL_NATS).all()


def test_a_bar_that_recurs_exactly_clears_its_notes(composer):
    planted = theme(4, {5: 1, 21: 1, 40: 1})  # bars 2 and 6 are alike, with the same wrong note; bar 11 has another
    recurs = recurring_notes(planted)
    assert [number // 4 for number in np.flatnonzero(~recurs)[::4]] == [10]
    gains, _ = note_doubts(composer, planted, EVERYTHING)
    assert np.isneginf(gains[recurs]).all()
    found = score(MelodyNetwork.read("melody-2bar"), planted, composer)
    assert {(note.bar, note.note.pitch) for window in found for note in window.notes if note.is_doubtful} == {(11, 66)}
    cleared = [note for window in found for note in window.notes if note.bar != 11]
    assert {(note.nats, note.better_pitch - note.note.pitch) for note in cleared} == {(0.0, 0)}
    louder = replace(planted, notes=tuple(note._replace(velocity=9 + note.start_step % 64) for note in planted.notes))
    assert (recurring_notes(louder) == recurs).all()


def test_notes_are_not_judged_without_a_model_that_hears_the_tune():
    planted = theme(3, {20: 1})
    found = score(MelodyNetwork.read("melody-2bar"), planted)
    assert found
    assert not any(note.is_doubtful for window in found for note in window.notes)


def test_a_doubt_is_what_the_whole_tune_gains(composer):
    planted = theme(2, {9: 1})
    asked = [8, 9, 25]  # in the bars that do not recur
    gains, shifts = note_doubts(composer, planted, EVERYTHING)
    recurs = doubts.recurring_notes(planted)
    assert recurs.any()
    assert np.isneginf(gains[recurs]).all()

    def nats(melody: Melody) -> float:
        tokens = composer.vocabulary.encode(melody)[None]
        return float(composer.nats(np.zeros((1, 4 * 24), np.float32), tokens).sum())

    for number in asked:
        notes = list(planted.notes)
        notes[number] = notes[number]._replace(pitch=notes[number].pitch + int(shifts[number]))
        gain = nats(planted) - nats(Melody(tuple(notes), planted.length_steps))
        assert gains[number] == pytest.approx(gain - abs(int(shifts[number])) + 1, abs=1e-3)


def test_every_note_of_a_long_tune_is_judged_with_bars_around_it():
    segment = 2
    for bars in (2, 4, 16, 18, 40):
        for bar in range(bars):
            first = doubts._first_bar(bar, bars, segment)
            assert first % segment == 0
            assert first <= bar < first + CONTEXT_BARS
            if bars >= CONTEXT_BARS:
                assert first + CONTEXT_BARS <= bars
                assert min(bar, 4) <= bar - first or first == 0
                assert min(bars - bar, 4) <= first + CONTEXT_BARS - bar


def test_only_tunes_of_its_grid_are_heard_in_bars_that_it_has_room_for(composer):
    assert can_hear(composer, theme(1))
    assert can_hear(composer, Melody(theme(1).notes, 48 * 2, meter=(3, 4)))
    assert not can_hear(composer, Melody(theme(1).notes, 36 * 3, meter=(9, 4)))
    assert not can_hear(composer, replace(theme(1), steps_per_quarter=8))
    assert not can_hear(MelodyNetwork.read("melody-2bar"), theme(1))


def test_score_judges_notes_by_the_tune_and_windows_by_themselves(tmp_path):
    vae = MelodyVAE.from_pretrained("melody-2bar")
    planted = theme(3, {21: 1})
    planted.write(tmp_path / "planted.mid")
    found = vae.score(tmp_path / "planted.mid")
    assert [(note.bar, note.beat, note.note.pitch, note.better_pitch) for note in found.doubtful] == [(6, 2.0, 68, 67)]
    alone = score(vae.model, planted)
    assert [window.nats_per_step for window in found] == pytest.approx([window.nats_per_step for window in alone])
    assert "judged a few bars at a time" not in " ".join(found.sentences)


def test_a_window_that_begins_within_a_note_has_the_doubt_of_that_note(composer):
    held = Melody((MelodyNote(0, 40, 60), MelodyNote(40, 48, 61)), 48)
    windows = score(MelodyNetwork.read("melody-2bar"), held, composer)
    by_bar = {window.first_bar: {note.note.pitch: note.nats for note in window.notes} for window in windows}
    assert by_bar[1][60] == by_bar[2][60]
