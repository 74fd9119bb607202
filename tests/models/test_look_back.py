"""Look-back: its sources, its record of what is written, and the mixture that copies, in float64 where exact."""

import pytest
import torch

from melodyvae.models.look_back import Copying, Sources, Written, component_weights
from melodyvae.network.look_back import COPIES, KINDS, LAGS_BARS

BAR = 4  # steps
V = 20  # tokens: no event, note off, and 18 pitches
NO_SOURCE = V
TUNE = [5, 0, 7, 1]  # two notes, the second one step long
UP_TWO = [7, 0, 9, 1]
OTHER = [3, 4, 0, 0]


def written(*bars, hidden=None):
    """The record of one window of these bars, and its tokens ``(1, T)``."""
    tokens = torch.tensor([[token for bar in bars for token in bar]])
    return Written(torch.nn.functional.pad(tokens, (1, -1)), BAR, V, hidden), tokens


def kind(name, lag_bars):
    """The place of a kind of copy among all of them."""
    return KINDS.index(name) * len(LAGS_BARS) + LAGS_BARS.index(lag_bars)


@pytest.mark.parametrize("lag", LAGS_BARS)
def test_a_source_is_the_token_so_many_bars_before_and_none_before_the_window(lag):
    torch.manual_seed(0)
    bars = [torch.randint(0, V, (BAR,)).tolist() for _ in range(12)]
    record, tokens = written(*bars)
    found = record.sources.tokens[0, :, LAGS_BARS.index(lag)]
    assert (found[: lag * BAR] == NO_SOURCE).all()
    assert torch.equal(found[lag * BAR :], tokens[0, : -lag * BAR])


def test_a_transposed_source_follows_the_interval_of_the_last_onsets():
    record, tokens = written(TUNE, UP_TWO)
    sources = record.sources
    assert sources.began[0, BAR:].tolist() == [False, True, True, True]
    assert sources.transposed[0, BAR + 1 :, 0].tolist() == UP_TWO[1:]
    assert torch.equal(sources.tokens[0, BAR:, 0], tokens[0, :BAR])


def test_a_transposed_source_beyond_the_pitch_range_is_none():
    record, _ = written([5, 0, 19, 0], [7, 0, 0, 0])
    assert record.sources.transposed[0, BAR + 2, 0] == NO_SOURCE


def test_each_kind_of_copy_fails_where_it_should():
    bars = TUNE, OTHER, TUNE, UP_TWO, [9, 0, 2, 1]
    record, tokens = written(*bars)
    failed = record.sources.misses(tokens)[0].unflatten(0, (-1, BAR)).any(dim=1)
    assert failed[0].all()  # nothing to copy
    assert not failed[2, kind("exact", 2)]
    assert not failed[2, kind("transposed", 2)]
    assert failed[2, kind("exact", 1)]
    assert failed[3, kind("exact", 1)]
    assert not failed[3, kind("transposed", 1)]
    assert not failed[3, kind("rhythm", 1)]
    assert failed[4, kind("transposed", 1)]
    assert not failed[4, kind("rhythm", 1)]


def test_agreement_is_known_only_of_earlier_steps():
    record, _ = written(TUNE, TUNE, UP_TWO)
    fine, recent, before = record.agreement(torch.float32)[0].unflatten(-1, (3, COPIES)).unbind(1)
    exact = kind("exact", 1)
    assert fine[:BAR, exact].sum() == 0
    assert before[: 2 * BAR, exact].sum() == 0
    assert fine[4:8, exact].tolist() == [1, 1, 1, 1]
    assert fine[8:12, exact].tolist() == [1, 0, 0, 0]  # step 8 is the first that differs: known from step 9 on
    assert before[8:12, exact].tolist() == [1, 1, 1, 1]
    assert recent[8:12, exact].tolist() == [1, 0.75, 0.75, 0.5]


def test_hidden_windows_have_no_source():
    bars = TUNE, TUNE, TUNE
    record, tokens = written(*bars, hidden=torch.tensor([True]))
    sources = record.sources
    assert not sources.available.any()
    assert (sources.tokens == NO_SOURCE).all()
    assert sources.misses(tokens).all()
    assert record.agreement(torch.float32).sum() == 0


def mixture(record, tokens, prior, slip):
    """The likelihood of each component and the mixture's prediction at every step, free writing being uniform."""
    steps = tokens.shape[1]
    free = torch.full((1, steps, V), 1 / V, dtype=torch.float64)
    copying = Copying.of(record.sources, record.sounding, V)
    slips = torch.full((1, steps, COPIES), slip, dtype=torch.float64)
    came = copying.likelihood(tokens, free, slips)
    weights = component_weights(prior, came.log(), BAR)
    return came, copying.predict(weights, free, slips)


def test_the_predictions_multiply_to_the_mixture_of_whole_bars():
    bars = TUNE, UP_TWO, TUNE, OTHER, [3, 5, 0, 0]
    record, tokens = written(*bars)
    torch.manual_seed(2)
    prior = torch.randn(1, len(bars), COPIES + 1, dtype=torch.float64).log_softmax(-1)
    came, predicted = mixture(record, tokens, prior, slip=0.1)
    torch.testing.assert_close(predicted.sum(-1), torch.ones(1, 20, dtype=torch.float64))
    of_steps = predicted.gather(-1, tokens.unsqueeze(-1))[..., 0].unflatten(1, (-1, BAR)).log().sum(2)
    of_bars = (prior + came.log().unflatten(1, (-1, BAR)).sum(2)).logsumexp(-1)
    torch.testing.assert_close(of_steps, of_bars)


@pytest.mark.parametrize(("name", "bar"), [("exact", TUNE), ("transposed", UP_TWO), ("rhythm", [9, 0, 2, 1])])
def test_a_bar_that_copies_is_predicted(name, bar):
    record, tokens = written(TUNE, bar)
    prior = torch.full((1, 2, COPIES + 1), -torch.inf, dtype=torch.float64)
    prior[0, 0, -1] = prior[0, 1, kind(name, 1)] = 0.0
    _, predicted = mixture(record, tokens, prior, slip=0.0)
    found = predicted[0, BAR:].gather(-1, tokens[0, BAR:, None])[:, 0].tolist()
    open_pitches = {"exact": 0, "transposed": 1, "rhythm": 2}[name]
    onsets = [step for step, token in enumerate(bar) if token >= 2][:open_pitches]
    expected = [1 / 18 if step in onsets else 1.0 for step in range(BAR)]  # the pitch alone is free
    assert found == pytest.approx(expected)


def test_a_component_that_has_failed_gives_way():
    record, tokens = written(TUNE, [5, 6, 0, 0])
    prior = torch.zeros(1, 2, COPIES + 1, dtype=torch.float64)
    prior[0, 0, :-1] = -torch.inf
    came, _ = mixture(record, tokens, prior.log_softmax(-1), slip=0.01)
    weights = component_weights(prior.log_softmax(-1), came.log(), BAR)[0]
    assert weights[5, kind("exact", 1)] > weights[4, kind("exact", 1)]  # the first note agreed
    assert weights[6, kind("exact", 1)] < 0.02  # the second did not


def test_a_note_off_is_not_copied_into_silence():
    held_before = [5, 0, 0, 0], [1, 0, 6, 1], [1, 0, 0, 0]
    record, _ = written(*held_before)
    copying = Copying.of(record.sources, record.sounding, V)
    assert record.sources.tokens[0, 8, 0] == 1
    assert not record.sounding[0, 8]
    assert not copying.is_hard[0, 8, kind("exact", 1)]
    assert copying.is_hard[0, 9, kind("exact", 1)]


def test_sources_say_what_they_are():
    none = torch.full((1, 1, len(LAGS_BARS)), NO_SOURCE)
    nothing = Sources(none, none, torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, len(LAGS_BARS)).bool())
    assert nothing.misses(torch.tensor([[0]])).all()
