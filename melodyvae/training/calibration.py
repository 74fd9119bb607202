"""Calibration of a network that composes: a few numbers of its output, moved until its samples are like the data.

A decoder that has learned from true pasts drifts once it hears itself ("Sequence Level Training with Recurrent Neural
Networks", Ranzato et al., 2016, https://arxiv.org/abs/1511.06732): it repeats less than the tunes that it learned, or
leaves the key more often. Each of its knobs (see :meth:`~melodyvae.models.composing.ComposingDecoder.turn`) moves
above all one statistic of what it writes. Round by round, windows are drawn and each knob is moved by the difference
of its statistic from that of the training windows, by less and less ("A Stochastic Approximation Method", Robbins and
Monro, 1951, https://doi.org/10.1214/aoms/1177729586); kept is the mean over the second half of the rounds
("Acceleration of Stochastic Approximation by Averaging", Polyak and Juditsky, 1992, https://doi.org/10.1137/0330046).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from melodyvae.models.composing import ComposingDecoder
from melodyvae.models.melody import MelodyModel
from melodyvae.music.statistics import window_statistics
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.rows import random_rows
from melodyvae.system.errors import UserError
from melodyvae.verbs.composing import compose

ROUNDS = 24
WINDOWS_PER_ROUND = 400
FULL_STEPS = 6  # rounds before the steps become smaller
MIN_SHARE = 1e-3  # a share nearer to 0 or 1 counts as this far from it
MAX_KNOB = 3.0  # either way
MAX_WINDOWS = 4000  # of the training windows, drawn


class CalibrationError(UserError, ValueError):
    """A model cannot be calibrated."""


@dataclass(frozen=True)
class Pairing:
    """A knob of the decoder, and what it moves.

    Attributes:
        knob: its name, as of :meth:`~melodyvae.models.composing.ComposingDecoder.turn`.
        statistic: a name of :func:`statistics`.
        gain: what is added to the knob in the first rounds, times the difference of the statistics' log-odds; negative
            where more of the knob is less of the statistic.
    """

    knob: str
    statistic: str
    gain: float


PAIRINGS = (
    Pairing("slip", "repeats_exact", -0.7),
    Pairing("no_event", "onsets", -0.4),
    Pairing("note_off", "silence", 0.6),
    Pairing("wide", "leaps", 0.5),
    Pairing("key", "out_of_scale", -0.3),
    Pairing("sharpness", "off_beat", -0.1),
)


@dataclass(frozen=True)
class Calibration:
    """The value of each knob, and the statistics of training windows, and of samples before and after."""

    knobs: dict[str, float]
    windows: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]


def calibrate(model: MelodyModel, windows: np.ndarray, tell: Callable[[int], object]) -> Calibration:
    """Turn the knobs of a model that composes, in place, until its samples are like ``windows`` ``(N, T)``.

    At most 4,000 windows are used, drawn at random.

    Args:
        model: one whose decoder looks back.
        windows: with which training tunes begin; its samples follow the plans among the model's extras.
        tell: is called after each round with its number, from 1.

    Raises:
        CalibrationError: if the model does not compose, or if there are no windows.
    """
    decoder = model.decoder
    if not isinstance(decoder, ComposingDecoder):
        raise CalibrationError("this model does not compose: only one of the preset melody-compose can be calibrated")
    if not len(windows):
        raise CalibrationError("there are no training windows to calibrate to")
    draws = Draws(0)
    own = {name: values.clone() for name, values in decoder.state_dict().items()}

    def heard(turned: np.ndarray) -> dict[str, float]:
        decoder.load_state_dict(own)
        decoder.turn(dict(zip((pairing.knob for pairing in PAIRINGS), turned.tolist(), strict=True)))
        tunes = compose(model.network(), WINDOWS_PER_ROUND, draws=draws).melodies
        drawn = np.stack([model.vocabulary.encode(tune) for tune in tunes])
        return statistics(drawn, model.vocabulary, model.config.steps_per_bar)

    target = statistics(random_rows(windows, MAX_WINDOWS, seed=0), model.vocabulary, model.config.steps_per_bar)
    gains = np.array([pairing.gain for pairing in PAIRINGS])
    turned, kept = np.zeros(len(PAIRINGS)), []
    before: dict[str, float] = {}
    for number in range(ROUNDS):
        reached = heard(turned)
        before = before or reached
        gaps = np.array([_log_odds(target[p.statistic]) - _log_odds(reached[p.statistic]) for p in PAIRINGS])
        shrunk = FULL_STEPS / max(number + 1, FULL_STEPS)
        turned = (turned + shrunk * gains * gaps).clip(-MAX_KNOB, MAX_KNOB)
        if 2 * (number + 1) > ROUNDS:
            kept.append(turned)
        tell(number + 1)
    best = np.mean(kept, axis=0)
    after = heard(best)
    knobs = {pairing.knob: round(float(value), 4) for pairing, value in zip(PAIRINGS, best, strict=True)}
    return Calibration(knobs, target, before, after)


def statistics(windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int) -> dict[str, float]:
    """Shares, 0 to 1, of windows ``(N, T)``.

    These are the values of :data:`~melodyvae.music.statistics.STATISTICS` that the knobs move; ``onsets``, the share of
    steps at which a note begins; and ``off_beat``, the share of these steps that are odd.
    """
    shares = {name: ratio.pooled for name, ratio in window_statistics(windows, vocabulary, steps_per_bar).items()}
    is_onset = windows >= FIRST_NOTE_ON
    shares |= {"onsets": float(is_onset.mean()), "off_beat": float(is_onset[:, 1::2].sum() / max(is_onset.sum(), 1))}
    return {pairing.statistic: shares[pairing.statistic] for pairing in PAIRINGS}


def _log_odds(share: float) -> float:
    share = min(max(share, MIN_SHARE), 1 - MIN_SHARE)
    return float(np.log(share / (1 - share)))
