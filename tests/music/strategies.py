"""Hypothesis strategies: legal token sequences and melodies of whole bars."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, Vocabulary

METERS = ((4, 4), (3, 4), (6, 8), (2, 4))
TEMPI = st.sampled_from([40.0, 96.0, 120.0, 133.0, 171.5, 240.0])


@st.composite
def legal_tokens(draw: st.DrawFn, max_bars: int = 3, steps_per_bar: int = 16) -> np.ndarray:
    """A legal sequence of whole bars, uint8 ``(T,)``; no event and one pitch again are likely, as in music."""
    steps = steps_per_bar * draw(st.integers(1, max_bars))
    highest = Vocabulary().size - 1
    pitches = st.integers(FIRST_NOTE_ON, highest) | st.sampled_from([FIRST_NOTE_ON, 41, highest])
    events = draw(st.lists(st.just(NO_EVENT) | st.just(NOTE_OFF) | pitches, min_size=steps, max_size=steps))
    sounding = False
    tokens = np.zeros(steps, dtype=np.uint8)
    for step, event in enumerate(events):
        if event != NOTE_OFF or sounding:
            tokens[step] = event
        if event != NO_EVENT:
            sounding = event >= FIRST_NOTE_ON
    return tokens


@st.composite
def melodies(draw: st.DrawFn, max_bars: int = 3) -> Melody:
    """A melody of whole bars on 4 steps per quarter, with silence anywhere, perhaps without a note."""
    meter = draw(st.sampled_from(METERS))
    steps_per_bar = 16 * meter[0] // meter[1]
    length = steps_per_bar * draw(st.integers(1, max_bars))
    borders = sorted(draw(st.sets(st.integers(0, length), max_size=12)))
    notes = tuple(
        MelodyNote(start, end, draw(st.integers(21, 108)), draw(st.integers(1, 127)))
        for start, end in itertools.pairwise(borders)
        if draw(st.booleans())
    )
    return Melody(notes, length, 4, meter, draw(TEMPI), draw(st.integers(0, 127)), draw(st.sampled_from(["", "tune"])))
