"""Bars filled in by a model that looks back: what is visible stays, and what follows is heard."""

from dataclasses import replace

import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.scales import best_scale, weights_of
from melodyvae.network.draws import Draws
from melodyvae.vae import MelodyVAE
from melodyvae.verbs import both_sides
from melodyvae.verbs.both_sides import complete_from_both_sides
from melodyvae.verbs.hidden_bars import InpaintingError
from tests.conftest import tiny_composer

C_MAJOR = [60, 64, 67, 72, 71, 69, 67, 60]


@pytest.fixture(scope="module")
def model():
    return tiny_composer().network()


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    monkeypatch.setattr(both_sides, "CANDIDATES", 12)
    monkeypatch.setattr(both_sides, "MIN_CANDIDATES_EACH", 4)


def tune(bars: int) -> Melody:
    """A tune with two notes per bar, the first one louder."""
    pitches = [C_MAJOR[index % 8] for index in range(2 * bars)]
    notes = tuple(MelodyNote(8 * i, 8 * i + 8, pitch, 100 - i) for i, pitch in enumerate(pitches))
    return Melody(notes, 16 * bars, quarters_per_minute=77.0, name="a tune", start_quarters=4.0)


def draws(seed: int = 0) -> Draws:
    return Draws(seed)


@pytest.mark.parametrize("hidden", [[0], [1], [2, 3], [3, 6], [5, 6], [6], [7, 8]])
def test_the_visible_bars_stay_and_the_hidden_ones_are_in_their_scale_and_range(model, hidden):
    original, told = tune(7), []
    found = complete_from_both_sides(
        model, original, hidden, 3, draws=draws(), progress=lambda *done: told.append(done)
    )
    bars = max(7, hidden[-1] + 1)
    assert told[-1] == (len(hidden), len(hidden))
    assert len(set(found)) > 1
    pieces = [original.window(bar, 1) for bar in range(7) if bar not in hidden]
    scale, pitches = best_scale(weights_of(Melody.join(pieces))), [n.pitch for piece in pieces for n in piece.notes]
    for melody in found:
        assert (melody.bars, melody.quarters_per_minute, melody.name) == (bars, 77.0, "a tune")
        assert melody.start_quarters == 4.0
        for bar in range(7):
            if bar not in hidden:
                assert melody.window(bar, 1).notes == original.window(bar, 1).notes
        new = [note.pitch for bar in hidden for note in melody.window(bar, 1).notes]
        assert new
        assert all(pitch in scale and min(pitches) <= pitch <= max(pitches) for pitch in new)
    assert found == complete_from_both_sides(model, original, hidden, 3, draws=draws())


def test_nothing_is_held_on_into_a_visible_silence(model):
    notes = tuple(note for note in tune(6).notes if not 64 <= note.start_step < 72)
    for melody in complete_from_both_sides(model, replace(tune(6), notes=notes), [3], 4, draws=draws()):
        assert melody.window(4, 1).notes[0].start_step == 8


def test_all_notes_are_allowed_without_a_scale(model):
    found = complete_from_both_sides(model, tune(6), [2, 3], 4, draws=draws(), scale="none")
    scale = best_scale(weights_of(tune(6)))
    assert any(note.pitch not in scale for melody in found for note in melody.notes)


def test_a_candidate_is_weighed_by_how_likely_it_makes_all_that_is_visible(model):
    """The weights are those of the model's parallel pass over the whole tune."""
    row = model.vocabulary.encode(tune(6)).astype(np.int64)
    drawn, own, others = both_sides._candidates(model, row, slice(32, 48), 5, None, 1.0, draws())
    z = draws().normal(5, 12).astype(np.float32)
    said = model.encode(drawn)
    z[:, :4], z[:, 8:] = said.mean[:, :4], said.mean[:, 8:]
    nats = model.nats(z, drawn)
    kl = replace(said, mean=said.mean[:, 8:], log_variance=said.log_variance[:, 8:]).kl_to_standard_normal()
    np.testing.assert_allclose(own, -nats[:, 32:48].sum(1), rtol=1e-4)
    np.testing.assert_allclose(others, -nats[:, 48:].sum(1) - kl, rtol=1e-4)
    assert np.ptp(others) > 0.01


def test_nothing_hidden_and_nothing_visible_are_refused(model):
    with pytest.raises(InpaintingError, match="no bar is hidden"):
        complete_from_both_sides(model, tune(4), [])
    with pytest.raises(InpaintingError, match="no visible bar"):
        complete_from_both_sides(model, tune(2), [0, 1])


def test_the_verb_takes_this_engine_of_a_model_that_looks_back(model):
    found = MelodyVAE(model).complete(tune(6), 2, hide=[3, 4], extend=1, seed=1)
    assert found.hidden == (3, 4, 7)
    assert [melody.bars for melody in found] == [7, 7]
