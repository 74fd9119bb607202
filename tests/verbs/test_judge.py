"""The judge on tunes that differ in one thing, and its choice among drafts."""

import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.network.draws import Draws
from melodyvae.verbs.judge import CANDIDATES, FEATURES, MAX_SHARPNESS, Judge, fit_judge


def tunes(count, repeated_share, seed=0, bars=16):
    """Tunes of quarters whose notes repeat the pitch before with a probability."""
    generator = np.random.default_rng(seed)
    melodies = []
    for _ in range(count):
        pitches = [60]
        while len(pitches) < 4 * bars:
            pitches.append(pitches[-1] if generator.random() < repeated_share else int(generator.integers(55, 80)))
        notes = tuple(MelodyNote(4 * place, 4 * place + 4, pitch) for place, pitch in enumerate(pitches))
        melodies.append(Melody(notes, 16 * bars))
    return melodies


@pytest.fixture(scope="module")
def judge():
    return fit_judge(tunes(200, 0.3), tunes(400, 0.5, seed=1))


def test_real_tunes_score_higher_than_drawn_ones(judge):
    real, drawn = judge.score(tunes(100, 0.3, seed=2)), judge.score(tunes(100, 0.5, seed=3))
    assert real.shape == (100,)
    assert (real > 0).mean() > 0.85
    assert (drawn < 0).mean() > 0.85


def test_too_little_counts_against_a_tune_as_too_much_does():
    judge = fit_judge(tunes(200, 0.3), [*tunes(200, 0.0, seed=1), *tunes(200, 0.6, seed=2)])
    scores = [judge.score(tunes(50, share, seed=3)).mean() for share in (0.0, 0.3, 0.6)]
    assert scores[1] > 0 > max(scores[0], scores[2])


def test_shorter_tunes_are_judged_as_well(judge):
    real, drawn = judge.score(tunes(100, 0.3, seed=2, bars=8)), judge.score(tunes(100, 0.5, seed=3, bars=8))
    assert real.mean() > 0 > drawn.mean()


def test_what_is_chosen_scores_as_real_tunes_do_and_no_better():
    """Draws that are real tunes in every second case: the best of eight would be more regular than tunes are."""
    mixed = [tune for pair in zip(tunes(400, 0.3, 1), tunes(400, 0.4, 2), strict=True) for tune in pair]
    judge = fit_judge(tunes(400, 0.3), mixed)
    assert judge.sharpness < MAX_SHARPNESS
    drafts = mixed[: 100 * CANDIDATES]
    scores = judge.score(drafts).reshape(100, CANDIDATES)
    places = judge.drawn_score(drafts, Draws(0)).reshape(100, CANDIDATES).argmax(axis=1)
    chosen = scores[np.arange(100), places].mean()
    real = judge.score(tunes(400, 0.3)).mean()
    assert chosen == pytest.approx(real, abs=0.1)
    assert scores.mean() < real < scores.max(axis=1).mean() - 0.2


def test_the_choice_is_as_sharp_as_can_be_where_no_draft_is_good_enough(judge):
    assert judge.sharpness == pytest.approx(MAX_SHARPNESS)


def test_the_noise_is_that_of_the_draws(judge):
    some = tunes(5, 0.4)
    first, again, other = (judge.drawn_score(some, Draws(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_choice_follows_the_odds():
    """Two drafts whose log-odds differ by log 3 are chosen in the ratio 3 : 1."""
    table = np.zeros((len(FEATURES), 4), np.float32)
    table[:, 1] = 1
    notes = FEATURES.index("notes_per_bar")
    table[notes] = [4, 1, np.log(3), 0]
    judge = Judge(table, 0.0, 1.0)
    drafts = [tunes(1, 0.3)[0], Melody(tuple(note for bar in range(16) for note in tune_bar(bar)), 256)]
    assert judge.score(drafts) == pytest.approx([0, np.log(3)], abs=1e-6)
    draws = Draws(0)
    wins = [judge.drawn_score(drafts, draws).argmax() for _ in range(400)]
    assert np.mean(wins) == pytest.approx(0.75, abs=0.06)


def tune_bar(bar):
    """Five notes in a bar."""
    return [MelodyNote(16 * bar + step, 16 * bar + step + 2, 60 + step) for step in (0, 4, 8, 10, 12)]


def test_a_checkpoint_holds_it(judge):
    some = tunes(5, 0.4)
    read = Judge.from_extras(judge.to_extras())
    assert np.allclose(read.score(some), judge.score(some), atol=1e-6)
    assert read.sharpness == pytest.approx(judge.sharpness)
    assert Judge.from_extras({}) is None
    with pytest.raises(CheckpointError, match=r"judge\.table"):
        Judge.from_extras(judge.to_extras() | {"judge.table": np.zeros((3, 4), np.float32)})


def test_nothing_is_learned_of_nothing():
    with pytest.raises(ValueError, match="0 real and 0 drawn"):
        fit_judge([], [])


def test_tunes_without_notes_have_a_score(judge):
    assert np.isfinite(judge.score([Melody((), 256), Melody((), 16)])).all()
    assert judge.score([]).shape == (0,)
