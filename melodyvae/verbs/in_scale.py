"""Rules that keep the melodies between some tunes in their scale and range.

A melody on the way from A to B keeps to the one major or harmonic minor scale that holds most of the notes of both,
those of the nearer one counting more. A note outside it comes only where A or B has that very note at that very step:
a blue note of theirs is not taken away, and none is added. Over an accompaniment its scale is the one that counts, and
only what sounds in it may lie outside (:mod:`melodyvae.music.harmony`).

Conventions: W windows in a tune, of T steps each; N places on the way; V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from melodyvae.music.harmony import Harmony
from melodyvae.music.melody import Melody
from melodyvae.music.scales import (
    PIECE_WEIGHT,
    Scale,
    ScaleChoice,
    best_scale,
    pitch_class_weights,
    weights_of,
)
from melodyvae.music.tokens import FIRST_NOTE_ON, VOCABULARY_SIZE, Vocabulary, pitches_of
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.verbs.codec import decode_tokens
from melodyvae.verbs.facts import ScaleKept

NEAR_MARGIN = 5  # semitones


@dataclass(frozen=True)
class Surroundings:
    """Surroundings that melodies between tunes keep to.

    Attributes:
        tokens: of the tunes, each ``(W, T)``, in one key.
        weights: of the pitch classes of each tune, ``(tunes, 12)``, each adding up to 1.
        scale: ``auto``, ``none`` or a scale.
        harmony: what plays under the melodies; None is nothing.
    """

    tokens: np.ndarray
    weights: np.ndarray
    scale: Scale | ScaleChoice = "auto"
    harmony: Harmony | None = None

    @classmethod
    def of(
        cls,
        tunes: Sequence[Sequence[Melody]],
        scale: Scale | ScaleChoice = "auto",
        pieces: Sequence[np.ndarray | None] | None = None,
        harmony: Harmony | None = None,
    ) -> Surroundings:
        """The surroundings of tunes in one key.

        Args:
            tunes: the windows of each tune, W of each.
            scale: ``auto``, ``none`` or a scale.
            pieces: how many notes of each pitch class, ``(12,)``, the piece of each tune has, moved as the tune was;
                they decide where the tune's own few notes leave it open.
            harmony: what plays under the melodies.
        """
        tokens = np.stack([np.stack([Vocabulary().encode(window) for window in tune]) for tune in tunes])
        own = [sum((weights_of(window) for window in tune), np.zeros(12)) for tune in tunes]
        mixed = []
        for weights, piece in zip(own, pieces or [None] * len(own), strict=True):
            total = weights / max(weights.sum(), 1)
            mixed.append(total if piece is None else total + PIECE_WEIGHT * piece / max(piece.sum(), 1))
        if harmony is not None:
            harmony = harmony.padded(tokens[0].size)
        return cls(tokens, np.stack(mixed), scale, harmony)

    def decode(
        self,
        model: MelodyNetwork,
        path: np.ndarray,
        shares: np.ndarray,
        temperature: float = 0.0,
        draws: Draws | None = None,
        **options: Any,
    ) -> np.ndarray:
        """The tokens ``(N, W * T)`` of latent vectors ``(N, W, Z)``, under the :meth:`rules` of ``shares``."""
        ruled = self.rules(shares, **options)
        written: list[np.ndarray] = []
        before = np.zeros(len(path), np.int64)
        for window, z in enumerate(path.transpose(1, 0, 2)):
            rules = None if ruled is None else replace(ruled[window], before=before)
            written.append(decode_tokens(model, z, temperature, draws, rules))
            latest = last_notes(written[-1]).astype(np.int64)
            before = np.where(latest > 0, latest, before)
        return np.concatenate(written, axis=1)

    def scale_at(self, shares: np.ndarray) -> Scale:
        """The scale of a melody that has ``shares`` ``(tunes,)`` of the tunes, adding up to 1."""
        if isinstance(self.scale, Scale):
            return self.scale
        return best_scale(shares @ self.weights) if self.harmony is None else self.harmony.scale

    def _allowed(self, shares: np.ndarray) -> np.ndarray:
        """The tokens of the scale at ``shares``, and those that sound in the harmony: ``(1, V)`` or ``(W * T, V)``."""
        if self.harmony is None or isinstance(self.scale, Scale):
            return self.scale_at(shares).allowed_tokens()[None]
        return self.harmony.allowed_tokens()

    def _own(self, window: int) -> np.ndarray:
        """The tokens that the tunes have at the steps of a window, ``(T, V)``; none over a harmony."""
        steps = self.tokens.shape[-1]
        own = np.zeros((steps, VOCABULARY_SIZE), bool)
        for tune in self.tokens if self.harmony is None else ():
            own[np.arange(steps), tune[window]] = True
        return own

    def rules(self, shares: np.ndarray, free_ends: bool = True, margin: int = 0) -> list[TokenRules] | None:
        """The rules of N melodies at ``shares`` ``(N, tunes)``, for each of their W windows; None if there are none.

        Args:
            shares: how much of each tune there is in each melody, adding up to 1.
            free_ends: leave a melody free that is all of one tune, as it comes back from its own latent vector.
            margin: how many semitones beyond the range of the tunes a melody may go.
        """
        if self.scale == "none":
            return None
        is_end = free_ends & (shares.max(axis=1) == 1)
        allowed = np.stack([self._allowed(share) for share in shares])  # (N, W * T, V), or of all steps (N, 1, V)
        places = np.arange(VOCABULARY_SIZE)
        is_note = places >= FIRST_NOTE_ON
        notes = self.tokens[self.tokens >= FIRST_NOTE_ON]
        if len(notes):
            lowest, highest = int(notes.min()) - margin, int(notes.max()) + margin  # the tokens are uint8: no wrapping
            allowed &= ~is_note | ((lowest <= places) & (places <= highest))
        bonus = None if self.harmony is None else self.harmony.bonus().astype(np.float32)
        leaps = _leaps(self.tokens)
        windows, steps = self.tokens.shape[1:]
        ruled = []
        for window in range(windows):
            here = slice(window * steps, (window + 1) * steps) if allowed.shape[1] > 1 else slice(None)
            every = allowed[:, here] | self._own(window) | is_end[:, None, None]
            preferred = None
            if bonus is not None:
                preferred = bonus[window * steps : (window + 1) * steps] * ~is_end[:, None, None]
            ruled.append(TokenRules(every, preferred, no_wide_leaps=~is_end, leaps=leaps[:, window]))
        return ruled


def rules_near(
    window: Melody,
    scale: Scale | ScaleChoice,
    piece: np.ndarray | None = None,
    margin: int = NEAR_MARGIN,
) -> TokenRules | None:
    """The rules of melodies made from one window: its scale, its range and a little more, and no new wide leaps."""
    around = Surroundings.of([[window]], scale, [piece])
    ruled = around.rules(np.ones((1, 1)), free_ends=False, margin=margin)
    return None if ruled is None else ruled[0]


def rules_of(scale: Scale) -> TokenRules:
    """Rules that keep any melody in ``scale``."""
    return TokenRules.only(scale.allowed_tokens())


def rules_within(scale: Scale | None, lowest: int, highest: int) -> TokenRules:
    """Rules that keep any melody between two MIDI pitches, both included, and in ``scale``; None allows all notes.

    A note beyond the range goes to its end.
    """
    tokens = np.arange(VOCABULARY_SIZE)
    pitches = pitches_of(tokens)
    allowed = (tokens < FIRST_NOTE_ON) | ((lowest <= pitches) & (pitches <= highest))
    if scale is not None:
        in_both = allowed & scale.allowed_tokens()
        allowed = in_both if in_both[FIRST_NOTE_ON:].any() else allowed
    return TokenRules(allowed[None, None], reach=VOCABULARY_SIZE)


def rules_of_each(windows: np.ndarray) -> TokenRules:
    """Rules that keep each of N melodies in the scale that fits the window ``(N, T)`` best."""
    return TokenRules(allowed_in_each(windows)[:, None])


def allowed_in_each(windows: np.ndarray) -> np.ndarray:
    """Whether each token lies in the scale that fits each of N windows ``(N, T)`` best, booleans ``(N, V)``."""
    pitches = [pitches_of(row[row >= FIRST_NOTE_ON]) for row in windows]
    return np.stack([best_scale(pitch_class_weights(found)).allowed_tokens() for found in pitches])


def _leaps(tokens: np.ndarray) -> np.ndarray:
    """The last note on before each step of tunes ``(tunes, W, T)``, and the token of the step: ``(tunes, W, T, 2)``."""
    flat = tokens.reshape(len(tokens), -1).astype(np.int64)
    last, before = np.zeros(len(flat), np.int64), np.zeros_like(flat)
    for step in range(flat.shape[1]):
        before[:, step] = last
        last = np.where(flat[:, step] >= FIRST_NOTE_ON, flat[:, step], last)
    return np.stack([before, flat], axis=-1).reshape(*tokens.shape, 2)


def last_notes(tokens: np.ndarray) -> np.ndarray:
    """The token of the last note on in each row of ``(N, T)``, 0 where there is none: ``(N,)``."""
    steps = np.arange(1, tokens.shape[1] + 1)
    last = np.where(tokens >= FIRST_NOTE_ON, steps, 0).max(axis=1)
    return np.where(last > 0, np.take_along_axis(tokens, np.maximum(last - 1, 0)[:, None], axis=1)[:, 0], 0)


def scales_kept(around: Surroundings, places: np.ndarray, shifts: Sequence[int]) -> list[ScaleKept]:
    """The scales of the melodies between, at ``places`` from 0 (the first tune) to 1, moved by ``shifts``."""
    if around.scale == "none" or len(places) < 3:
        return []
    first, last = (
        around.scale_at(np.array([1 - places[index], places[index]])).transposed(shifts[index]) for index in (1, -2)
    )
    return [ScaleKept(first, last, is_of_accompaniment=around.harmony is not None and around.scale == "auto")]
