"""Plans of form: for each bar of a tune, whether it is new or which earlier bar it takes up, and how.

A composing decoder chooses for each bar between free writing and copies of earlier bars (see
:mod:`melodyvae.models.look_back`). A plan makes these choices before a note is written.

Conventions: B tunes of ``bars`` bars; components are numbered as in :mod:`melodyvae.network.look_back`, free writing
last; -1 leaves a choice to the model, -2 hides earlier bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.network.look_back import COPIES, KINDS, LAGS_BARS

FREE = COPIES
OPEN = -1
NEW = -2  # free writing that does not even see earlier bars, where all tunes have it
EXACT, TRANSPOSED, RHYTHM = (KINDS.index(kind) for kind in ("exact", "transposed", "rhythm"))


@dataclass(frozen=True)
class Plan:
    """Plans of B tunes.

    Attributes:
        components: ``(B, bars)``, the component of the mixture that writes each bar; -1 leaves it open.
        sources: ``(B, bars)``, the earlier bar that a bar repeats step by step; -1: none.
    """

    components: np.ndarray
    sources: np.ndarray

    @classmethod
    def of_components(cls, components: np.ndarray) -> Plan:
        """The plan with these components and no bars that are repeated step by step."""
        return cls(components, np.full(components.shape, OPEN))


def component(kind: int, lag: int) -> int:
    """The component that copies in this way from so many bars before."""
    return kind * len(LAGS_BARS) + LAGS_BARS.index(lag)


def components_of(tokens: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The plan that windows ``(N, T)`` follow: the component of each bar ``(N, bars)``.

    Exact copies come before transposed ones and these before copies of a rhythm, long lags before short ones. A bar of
    fewer than two notes is free.
    """
    bars = tokens.astype(np.int64).reshape(len(tokens), -1, steps_per_bar)
    is_note = bars >= FIRST_NOTE_ON
    first = np.take_along_axis(bars, is_note.argmax(axis=-1)[..., None], -1)
    in_any_key = np.where(is_note, bars - first + 1000, bars)
    rhythm = np.minimum(bars, FIRST_NOTE_ON)
    found = np.full(bars.shape[:2], FREE)
    for kind, view in reversed(((EXACT, bars), (TRANSPOSED, in_any_key), (RHYTHM, rhythm))):
        for lag in LAGS_BARS:
            if lag < view.shape[1]:
                is_same = (view[:, lag:] == view[:, :-lag]).all(axis=-1)
                found[:, lag:] = np.where(is_same, component(kind, lag), found[:, lag:])
    found[is_note.sum(axis=-1) < 2] = FREE
    return found


def plan_of_form(letters: str, bars: int, count: int) -> Plan:
    """The plan of ``count`` tunes whose phrases are as the letters: AABA, ABAC, ...

    A phrase whose letter came before repeats its bars. The last one of four or more takes up the rhythm alone, so that
    a phrase may end open the first time and closed the second. Bars that the letters do not fill are new.
    """
    length = max(bars // len(letters), 1)
    components, sources = np.full(bars, NEW), np.full(bars, OPEN)
    for bar in range(bars):
        phrase, place = min(bar // length, len(letters) - 1), bar % length
        earlier = letters[:phrase].rfind(letters[phrase])
        if earlier < 0 or bar // length >= len(letters):
            continue
        lag = (phrase - earlier) * length
        if place < length - 1 or length < 4:
            sources[bar] = bar - lag
        elif lag in LAGS_BARS:
            components[bar] = component(RHYTHM, lag)
    return Plan(np.tile(components, (count, 1)), np.tile(sources, (count, 1)))
