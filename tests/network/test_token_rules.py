"""Forbidden notes: their probability goes to the nearest allowed ones."""

import numpy as np
import pytest

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.decoder import softmax
from melodyvae.network.draws import Draws
from melodyvae.network.token_rules import TokenRules
from tests.network.models import small_model

B, T, V = 7, 5, 90


def rules_allowing(*pitches: int, **fields) -> TokenRules:
    allowed = np.zeros(V, bool)
    allowed[[NO_EVENT, NOTE_OFF, *(pitch - 21 + FIRST_NOTE_ON for pitch in pitches)]] = True
    return TokenRules(allowed[None, None], **fields)


def logits_of(**probabilities: float) -> np.ndarray:
    """Logits of pitches p60=0.5, and of no event."""
    logits = np.full((1, V), -30.0)
    for name, share in probabilities.items():
        token = NO_EVENT if name == "rest" else int(name[1:]) - 21 + FIRST_NOTE_ON
        logits[0, token] = np.log(share)
    return logits


def ruled(rules: TokenRules, logits: np.ndarray, temperature: float = 1.0) -> dict[int, float]:
    """The share of each pitch, and of no event under 0, where it is more than 1 in 1000."""
    shares = softmax(rules.log_probabilities(logits, 0, temperature))[0]
    return {
        int(token) - FIRST_NOTE_ON + 21 if token >= FIRST_NOTE_ON else 0: round(float(shares[token]), 3)
        for token in np.flatnonzero(shares > 1e-3)
    }


def test_a_forbidden_note_goes_half_to_each_of_its_neighbours():
    assert ruled(rules_allowing(60, 62), logits_of(p61=0.6, p62=0.1, rest=0.3)) == {60: 0.3, 62: 0.4, 0: 0.3}


def test_a_forbidden_note_goes_whole_to_the_nearer_neighbour():
    assert ruled(rules_allowing(60, 63), logits_of(p61=0.6, rest=0.4)) == {60: 0.6, 0: 0.4}
    assert ruled(rules_allowing(60, 63), logits_of(p62=0.6, rest=0.4)) == {63: 0.6, 0: 0.4}


def test_a_note_far_from_any_allowed_one_is_dropped():
    assert ruled(rules_allowing(60), logits_of(p60=0.3, p63=0.4, rest=0.3)) == {60: 0.5, 0: 0.5}


def test_without_reach_all_forbidden_notes_are_dropped():
    rules = rules_allowing(60, 62, reach=0)
    assert ruled(rules, logits_of(p61=0.6, p62=0.1, rest=0.3)) == {62: 0.25, 0: 0.75}


def test_the_temperature_acts_before_notes_are_moved():
    assert ruled(rules_allowing(60), logits_of(p60=0.5, p61=0.25, rest=0.25), 0.5) == {60: 0.833, 0: 0.167}


def test_something_can_be_drawn_whatever_is_dropped():
    logits = np.where(np.arange(V) == 80, np.float32(50), np.float32(-200))[None]
    assert rules_allowing(60).log_probabilities(logits, 0).argmax() == NO_EVENT


def test_a_bonus_prefers_a_note():
    bonus = np.zeros((1, 1, V))
    bonus[0, 0, 62 - 21 + FIRST_NOTE_ON] = np.log(4.0)
    assert ruled(rules_allowing(60, 62, bonus=bonus), logits_of(p60=0.5, p62=0.5)) == {60: 0.2, 62: 0.8}


def test_rules_by_window_and_step():
    network = small_model("position").network()
    low, high = rules_allowing(50, 51).allowed[0], rules_allowing(70, 71).allowed[0]
    early = np.concatenate([np.repeat(low, 16, axis=0), np.repeat(high, 16, axis=0)])
    rules = TokenRules(np.stack([early, np.repeat(high, 32, axis=0)]))
    tokens = network.decode(3 * Draws(0).normal(2, network.config.latent_size), 2.0, Draws(1), rules)
    pitches = [set((row[row >= FIRST_NOTE_ON] + 19).tolist()) for row in (tokens[0, :16], tokens[0, 16:], tokens[1])]
    assert all(pitches)
    assert pitches[0] <= {50, 51}
    assert pitches[1] <= {70, 71}
    assert pitches[2] <= {70, 71}


def test_a_reach_is_how_far_a_note_may_move():
    rules = rules_allowing(60, 61, reach=V)
    assert ruled(rules, logits_of(p40=0.3, p80=0.5, rest=0.2)) == {60: 0.3, 61: 0.5, 0: 0.2}
    assert ruled(rules_allowing(60, reach=5), logits_of(p65=0.5, p66=0.25, rest=0.25)) == {60: 0.667, 0: 0.333}


def tables(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    allowed = generator.random((B, T, V)) < (0.1, 0.4, 0.9)[seed % 3]
    allowed[..., 0] = True
    return {
        "allowed": allowed,
        "bonus": generator.normal(size=(B, T, V)),
        "no_wide_leaps": generator.random(B) < 0.7,
        "leaps": generator.integers(0, V, (2, T, 2)),
        "before": generator.integers(0, 2, B) * generator.integers(2, V, B),
    }


def expected(rules: TokenRules, logits: np.ndarray, row: int, step: int, temperature: float, last: int) -> np.ndarray:
    """The probabilities of a row, one note after the other."""
    logits = logits if rules.bonus is None else logits + rules.bonus[row, step]
    shares, allowed = softmax(logits / (temperature or 1.0)), rules.allowed[row, step].copy()
    last = last or (0 if rules.before is None else int(rules.before[row]))
    folded = shares.copy()
    for token in range(FIRST_NOTE_ON, V):
        known = [] if rules.leaps is None else rules.leaps[:, step].tolist()
        is_kept_out = rules.no_wide_leaps is not None and rules.no_wide_leaps[row]
        if not is_kept_out or not last or abs(token - last) <= 12 or [last, token] in known:
            continue
        target = token
        while abs(target - last) > 12:
            target += 12 if target < last else -12
        folded[token] -= shares[token]
        folded[target] += shares[token]
        allowed[token] = False
    found = folded * allowed
    for token in range(FIRST_NOTE_ON, V):
        for distance in range(1, rules.reach + 1) if not allowed[token] else ():
            near = [token + way * distance for way in (-1, 1)]
            near = [place for place in near if FIRST_NOTE_ON <= place < V and allowed[place]]
            for place in near:
                found[place] += folded[token] / len(near)
            if near:
                break
    return found / found.sum()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("given", [(), ("bonus",), ("no_wide_leaps", "leaps"), ("no_wide_leaps", "leaps", "before")])
@pytest.mark.parametrize("options", [{}, {"reach": 0}, {"reach": 7}, {"reach": V}])
def test_probabilities_are_as_if_made_note_by_note(seed, temperature, given, options):
    generator = np.random.default_rng(100 + seed)
    logits, last = 3 * generator.normal(size=(B, V)), generator.integers(2, V, B)
    logits[:3, 1], last[4] = -np.inf, 0
    rules = TokenRules(**{name: tables(seed)[name] for name in ("allowed", *given)}, **options)
    for step in (0, T - 1):
        found = softmax(rules.log_probabilities(logits, step, temperature, last))
        wanted = [expected(rules, logits[row], row, step, temperature, int(last[row])) for row in range(B)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


def test_one_row_and_one_step_hold_for_all():
    allowed = np.arange(V) % 3 == 0
    rules, logits = TokenRules.only(allowed), np.random.default_rng(0).normal(size=(B, V)).astype(np.float32)
    shares = np.exp(rules.log_probabilities(logits, 3))
    assert (shares[:, ~allowed] == 0).all()
    assert rules.rows(2, 4).allowed.shape == (1, 1, V)


def test_rows_are_parts_of_all_tables():
    rules = TokenRules(**tables(1))
    part = rules.rows(2, 5)
    assert {len(table) for table in (part.allowed, part.bonus, part.no_wide_leaps, part.before)} == {3}
    assert part.leaps is rules.leaps


def test_tables_of_another_shape_and_steps_without_a_token_are_refused():
    with pytest.raises(ValueError, match=r"it must be \(B, T, V\)"):
        TokenRules(np.ones((2, V), bool))
    with pytest.raises(ValueError, match="must allow token 0"):
        TokenRules(np.zeros((1, 1, V), bool))
