"""Forbidden notes: their probability goes to the nearest allowed ones."""

import pytest
import torch

from melodyvae.models.melody import MelodyModel
from melodyvae.models.token_rules import TokenRules
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.presets import PRESETS

V = 90


def rules_allowing(*pitches: int, **fields) -> TokenRules:
    allowed = torch.zeros(V, dtype=torch.bool)
    allowed[[NO_EVENT, NOTE_OFF, *(pitch - 21 + FIRST_NOTE_ON for pitch in pitches)]] = True
    return TokenRules(allowed[None, None], **fields)


def logits_of(**probabilities: float) -> torch.Tensor:
    """Logits of pitches p60=0.5, and of no event."""
    logits = torch.full((1, V), -30.0)
    for name, share in probabilities.items():
        token = NO_EVENT if name == "rest" else int(name[1:]) - 21 + FIRST_NOTE_ON
        logits[0, token] = torch.tensor(share).log()
    return logits


def ruled(rules: TokenRules, logits: torch.Tensor, temperature: float = 1.0) -> dict[int, float]:
    """The share of each pitch, and of no event under 0, where it is more than 1 in 1000."""
    shares = rules.log_probabilities(logits, 0, temperature).softmax(dim=1)[0]
    return {
        int(token) - FIRST_NOTE_ON + 21 if token >= FIRST_NOTE_ON else 0: round(float(shares[token]), 3)
        for token in torch.nonzero(shares > 1e-3).flatten()
    }


def test_a_forbidden_note_goes_half_to_each_of_its_neighbours():
    assert ruled(rules_allowing(60, 62), logits_of(p61=0.6, p62=0.1, rest=0.3)) == {60: 0.3, 62: 0.4, 0: 0.3}


def test_a_forbidden_note_goes_whole_to_the_nearer_neighbour():
    assert ruled(rules_allowing(60, 63), logits_of(p61=0.6, rest=0.4)) == {60: 0.6, 0: 0.4}
    assert ruled(rules_allowing(60, 63), logits_of(p62=0.6, rest=0.4)) == {63: 0.6, 0: 0.4}


def test_a_note_far_from_any_allowed_one_is_dropped():
    assert ruled(rules_allowing(60), logits_of(p60=0.3, p63=0.4, rest=0.3)) == {60: 0.5, 0: 0.5}


def test_without_moves_all_forbidden_notes_are_dropped():
    rules = rules_allowing(60, 62, moves=False)
    assert ruled(rules, logits_of(p61=0.6, p62=0.1, rest=0.3)) == {62: 0.25, 0: 0.75}


def test_the_temperature_acts_before_notes_are_moved():
    assert ruled(rules_allowing(60), logits_of(p60=0.5, p61=0.25, rest=0.25), 0.5) == {60: 0.833, 0: 0.167}


def test_something_can_be_drawn_whatever_is_dropped():
    shares = rules_allowing(60).log_probabilities(torch.full((1, V), -200.0).index_fill(1, torch.tensor([80]), 50.0), 0)
    assert shares.argmax() == NO_EVENT


def test_a_bonus_prefers_a_note():
    bonus = torch.zeros(1, 1, V)
    bonus[0, 0, 62 - 21 + FIRST_NOTE_ON] = torch.tensor(4.0).log()
    assert ruled(rules_allowing(60, 62, bonus=bonus), logits_of(p60=0.5, p62=0.5)) == {60: 0.2, 62: 0.8}


def test_rules_by_window_and_step():
    torch.manual_seed(0)
    model = MelodyModel(PRESETS["tiny"].model).eval()
    low, high = rules_allowing(50, 51).allowed[0], rules_allowing(70, 71).allowed[0]
    early = torch.cat([low.expand(16, -1), high.expand(16, -1)])
    rules = TokenRules(torch.stack([early, high.expand(32, -1)]))
    with torch.inference_mode():
        tokens = model.decode(3 * torch.randn(2, 16), 2.0, torch.Generator().manual_seed(1), rules)
    pitches = [set((row[row >= FIRST_NOTE_ON] + 19).tolist()) for row in (tokens[0, :16], tokens[0, 16:], tokens[1])]
    assert all(pitches)
    assert pitches[0] <= {50, 51}
    assert pitches[1] <= {70, 71}
    assert pitches[2] <= {70, 71}
    assert torch.equal(rules.rows(1, 2).allowed, rules.allowed[1:])


def test_rules_that_leave_a_step_without_a_token_are_refused():
    with pytest.raises(ValueError, match="must allow token 0"):
        TokenRules.only(torch.zeros(V, dtype=torch.bool))
