"""The form of tunes: plans that are drawn before a tune is written, and the letters of the phrases of one that is.

A collection's plans are kept with a composing model: for each of its tunes the style, the meter, and of each of the
first sixteen bars whether it is new or how it takes up an earlier one (see :mod:`melodyvae.network.plan`).

Conventions: bars and phrases are counted from 0; a phrase has four bars, of tunes of eight bars or fewer two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.network.conditions import METERS, Condition
from melodyvae.network.draws import Draws
from melodyvae.network.plan import FREE, NEW, OPEN, Plan, components_of, plan_of_form

EXTRA = "form.plans"  # among a model's extras: uint8 (N, 2 + bars): style, meter, and the component of each bar
MAX_PLANS = 6000
MIN_PLANS = 12  # of a style in a meter; of fewer, those of the meter are drawn
PHRASES = ("AABA", "AABB", "ABAC", "ABAB")
Form = Literal["auto", "AABA", "AABB", "ABAC", "ABAB", "through", "any"]
STYLE, METER, BEGINS, CLOSES = (Condition._fields.index(name) for name in ("style", "meter", "begins", "closes"))


def count_plans(windows: np.ndarray, conditions: np.ndarray, steps_per_bar: int) -> dict[str, np.ndarray]:
    """The plans of the windows ``(N, T)`` that begin tunes, for a model's extras."""
    first = np.flatnonzero(conditions[:, BEGINS])
    if len(first) > MAX_PLANS:
        first = first[np.linspace(0, len(first) - 1, MAX_PLANS).astype(np.int64)]
    components = components_of(windows[first], steps_per_bar)
    return {EXTRA: np.column_stack([conditions[first][:, [STYLE, METER]], components]).astype(np.uint8)}


@dataclass(frozen=True)
class PlannedTunes:
    """Styles ``(B,)``, codes, and plans of tunes that are to be written."""

    styles: np.ndarray
    plan: Plan


def draw_plans(
    extras: Mapping[str, np.ndarray],
    count: int,
    bars: int,
    style: int,
    meter: tuple[int, int],
    form: Form,
    draws: Draws,
) -> PlannedTunes:
    """Plans for ``count`` tunes of ``bars`` bars.

    Each is that of a tune of the collection in the same style and meter, or as ``form`` says; with ``any`` the model
    chooses bar by bar. A style that is left open (0) is drawn as often as tunes of the meter are of it. Tunes longer
    than the plans go on with the second half of another one's.

    Raises:
        CheckpointError: if the plans among ``extras`` are damaged.
    """
    kept = _plans(extras)
    code = METERS.index(meter) + 1 if meter in METERS else 0
    fitting = kept[kept[:, 1] == code] if (kept[:, 1] == code).any() else kept
    of_style = fitting[fitting[:, 0] == style] if style else fitting
    rows = of_style if len(of_style) >= MIN_PLANS else fitting
    styles = np.full(count, style)
    components = np.full((count, bars), OPEN)
    if len(rows):
        drawn = rows[_places(len(rows), count, draws)]
        if not style:
            styles = drawn[:, 0]
        components = drawn[:, 2:][:, :bars]
        while components.shape[1] < bars:
            more = rows[_places(len(rows), count, draws)][:, 2 + (rows.shape[1] - 2) // 2 :]
            components = np.concatenate([components, more], axis=1)[:, :bars]
    if form == "any":
        components = np.full((count, bars), OPEN)
    if form == "through":
        components = np.full((count, bars), NEW)
    plan = plan_of_form(form, bars, count) if form in PHRASES else Plan.of_components(components)
    return PlannedTunes(styles, plan)


def _places(of: int, count: int, draws: Draws) -> np.ndarray:
    """``count`` of the numbers below ``of``, drawn with repetition."""
    return draws.choices(np.ones((count, of), np.float32))


def _plans(extras: Mapping[str, np.ndarray]) -> np.ndarray:
    plans = extras.get(EXTRA, np.empty((0, 3), np.uint8)).astype(np.int64)
    if plans.ndim != 2 or plans.shape[1] < 3 or (plans[:, 2:] > FREE).any():
        raise CheckpointError(f"the model's {EXTRA} are damaged; fit them again with `melodyvae fit`")
    return plans


def form_of(melody: Melody) -> str:
    """The form of a melody: a letter for each phrase, as that of an earlier one it equals, with ' if in rhythm alone.

    Phrases are equal if at most one of their bars (of two bars none) differs in onsets and pitches. A melody of fewer
    than two phrases has an empty form.
    """
    length = 4 if melody.bars > 8 else 2
    bars = [melody.window(number, 1).notes for number in range(melody.bars)]
    exact = [tuple((note.start_step, note.pitch) for note in notes) for notes in bars]
    rhythm = [tuple(note.start_step for note in notes) for notes in bars]
    firsts: list[int] = []  # the phrase that each letter came with
    letters: list[str] = []
    for phrase in range(melody.bars // length):
        places = range(phrase * length, (phrase + 1) * length)
        for mark, view in (("", exact), ("'", rhythm)):
            same = [
                letter
                for letter, first in enumerate(firsts)
                if sum(view[place] == view[first * length + place - places.start] != () for place in places)
                >= max(length - 1, 2)
            ]
            if same:
                letters.append(chr(ord("A") + same[0] % 26) + mark)
                break
        else:
            letters.append(chr(ord("A") + len(firsts) % 26))
            firsts.append(phrase)
    return "".join(letters) if len(letters) > 1 else ""
