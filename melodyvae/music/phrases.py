"""Choose the most recognisable bars of a melody: the beginning of a phrase that recurs.

Conventions: bars are counted from 0. Sections of songs and dances are counted in fours and eights, so the bar lines
four and eight bars apart from the first full bar are *structural*. Singers rest: a quarter of a real tune is silence,
so a long window may hold rests; a window of two bars has a note in each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.melody import Melody

MAX_BARS = 512  # that are searched, from the first note on; the comparison of all with all grows with their square
RECURS_SHARE = 0.6  # of the onsets that two windows have, as many are of the same pitch in the same place
MAX_EMPTY_SHARE = 0.25  # of a window's bars
MAX_SILENT_SHARE = 0.4  # of a window's steps
LONG_NOTE_QUARTERS = 2  # as good as a rest before a phrase
REST_QUARTERS = 1
RETURN_BARS = 8  # later at least does a window come back; sooner it is a line that is sung twice
RECURS = (0.0, 0.0, 0.7, 0.85, 1.0)  # what a window is worth by how often it comes
STRUCTURAL = {8: 1.0, 4: 0.8, 2: 0.3}  # what a start a multiple of so many bars from the first full bar is worth
# What a window is worth by, against the bars that pass before it. Set by reading the notes of twenty songs;
# `python -m tests.benchmarks.phrases` shows them.
WEIGHTS = {
    "downbeat": 1.0,
    "phrase": 0.8,
    "structure": 1.0,
    "opening": 0.2,
    "recurs": 1.2,
    "closes": 0.3,
    "varied": 0.6,
    "empty": -1.5,
    "silent": -2.0,
    "late": -0.8,
}


@dataclass(frozen=True)
class Phrase:
    """Bars of a melody, and why they were taken.

    Attributes:
        first_bar: from 0.
        bars: how many.
        times: number of occurrences in the melody, these included.
        reason: in a few words for the user; empty if the melody has no other bars.
    """

    first_bar: int
    bars: int
    times: int = 1
    reason: str = ""


def choose_phrase(melody: Melody, bars: int) -> Phrase:
    """The bars to take of a melody, of ``bars`` bars; the first ones if it has no more."""
    starts = melody.line[:, 0]
    if melody.bars <= bars or not len(starts):
        return Phrase(0, bars)
    first = int(starts[0]) // melody.steps_per_bar
    last = min(melody.bars - bars, first + MAX_BARS)
    first = min(first, last)
    terms, times = phrase_terms(melody.window(first, last - first + bars), bars)
    total = sum(WEIGHTS[name] * values for name, values in terms.items())
    chosen = int(np.argmax(np.where(terms["varied"] > 0, np.round(total, 6), -np.inf)))  # never one without an onset
    reasons = []
    if terms["phrase"][chosen] > 0:
        reasons.append("a phrase begins there")
    if first + chosen and terms["structure"][chosen] >= STRUCTURAL[4]:
        reasons.append(f"on a line of {8 if terms['structure'][chosen] >= STRUCTURAL[8] else 4} bars")
    if times[chosen] > 1:
        reasons.append("they come twice" if times[chosen] == 2 else f"they come {times[chosen]} times")
    return Phrase(first + chosen, bars, int(times[chosen]), ", ".join(reasons))


def phrase_terms(melody: Melody, bars: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Terms of the phrase score of each window of a melody, and the number of its occurrences.

    Both by first bar, ``(melody.bars - bars + 1,)``; the melody's first bar has a note:

    - ``downbeat``: 1 if a note begins on its first beat, 0.5 if one sounds there.
    - ``phrase``: 1 if its first note, or the pickup before it, comes after a rest or a long note.
    - ``structure``: 1, 0.8, 0.3 on every eighth, fourth, second bar line.
    - ``opening``: 1 for the first full bar.
    - ``recurs``: 0 if it comes once only, 0.7 for twice, to 1 for four times or more.
    - ``closes``: 1 if a rest or a long note ends it.
    - ``varied``: the share of four different pitches that it has.
    - ``empty``: bars without an onset, beyond a quarter of them.
    - ``silent``: the share of silent steps beyond two fifths.
    - ``late``: the doublings of eight bars that pass before it: 0 at the start, 1 after 8 bars, 2 after 24.
    """
    count = melody.bars - bars + 1
    places = np.arange(count)
    line, steps_per_bar = melody.line, melody.steps_per_bar
    beat = melody.steps_per_quarter
    starts, ends = line[:, 0], line[:, 1]
    is_after_break = _is_after_break(line, beat)
    onsets = np.zeros(melody.length_steps + 1, bool)
    onsets[starts] = True
    sounding = np.zeros(melody.length_steps + 1, np.int64)
    np.add.at(sounding, starts, 1)
    np.add.at(sounding, ends, -1)
    is_sounding = np.cumsum(sounding)[:-1] > 0
    onset_bars = onsets[:-1].reshape(melody.bars, steps_per_bar)
    has_onset = onset_bars.any(axis=1)
    on_first_beat = onset_bars[:, :beat].any(axis=1)
    sounds_first = is_sounding.reshape(melody.bars, steps_per_bar)[:, 0]

    breaks = np.zeros(melody.length_steps + 1, bool)
    breaks[starts[is_after_break]] = True
    half_bar = steps_per_bar // 2
    near = np.concatenate([np.zeros(half_bar, bool), breaks])  # index i: step i - half_bar
    first_steps = np.arange(melody.bars) * steps_per_bar
    begins_phrase = np.array([near[step : step + half_bar + beat].any() for step in first_steps])
    begins_phrase &= has_onset

    first_full = int(np.argmax(on_first_beat)) if on_first_beat.any() else 0
    distance = places - first_full
    structure = np.select([distance % lines == 0 for lines in STRUCTURAL], list(STRUCTURAL.values()), 0.0)

    per_window = np.lib.stride_tricks.sliding_window_view
    empty = (~per_window(has_onset, bars)).sum(axis=1)
    silent = 1 - per_window(is_sounding.reshape(melody.bars, steps_per_bar).mean(axis=1), bars).mean(axis=1)
    times = _times(melody, bars)
    pitches = [
        len(np.unique(line[(starts >= s) & (starts < e), 2]))
        for s, e in zip(places * steps_per_bar, (places + bars) * steps_per_bar, strict=True)
    ]
    closes = np.append(begins_phrase, True)[bars : bars + count]
    return {
        "downbeat": np.where(on_first_beat, 1.0, 0.5 * sounds_first)[:count],
        "phrase": begins_phrase[:count].astype(float),
        "structure": structure,
        "opening": (distance == 0).astype(float),
        "recurs": np.array(RECURS)[np.minimum(times, len(RECURS) - 1)],
        "closes": closes.astype(float),
        "varied": np.minimum(np.array(pitches) / 4, 1.0),
        "empty": np.maximum(empty - int(MAX_EMPTY_SHARE * bars), 0).astype(float),
        "silent": np.maximum(silent - MAX_SILENT_SHARE, 0.0),
        "late": np.log2(1 + places / 8),
    }, times


def _is_after_break(line: np.ndarray, steps_per_quarter: int) -> np.ndarray:
    """Whether each note comes first, after a rest of a quarter or more, or after a long note: booleans ``(notes,)``."""
    gaps = line[1:, 0] - line[:-1, 1]
    lengths = line[1:, 0] - line[:-1, 0]
    is_break = (gaps >= REST_QUARTERS * steps_per_quarter) | (lengths >= LONG_NOTE_QUARTERS * steps_per_quarter)
    return np.append(True, is_break)


def _times(melody: Melody, bars: int) -> np.ndarray:
    """Occurrences of each window by first bar, itself included, without overlaps and immediate repetitions."""
    line, steps_per_bar = melody.line, melody.steps_per_bar
    marks = np.zeros((melody.bars, steps_per_bar * 128), np.float32)
    marks[line[:, 0] // steps_per_bar, line[:, 0] % steps_per_bar * 128 + line[:, 2]] = 1
    shared = marks @ marks.T
    onsets = marks.sum(axis=1)
    count = melody.bars - bars + 1
    common = sum(shared[index : index + count, index : index + count] for index in range(bars))
    in_window = np.lib.stride_tricks.sliding_window_view(onsets, bars).sum(axis=1)
    either = in_window[:, None] + in_window[None] - common
    alike = (common >= RECURS_SHARE * either) & (in_window >= bars)[:, None]
    times = np.ones(count, np.int64)
    for place in np.flatnonzero(alike.sum(axis=1) > 1):
        repeats, last = 1, place
        for other in np.flatnonzero(alike[place]):
            if abs(other - place) >= max(bars, RETURN_BARS) and (last == place or other - last >= bars):
                repeats, last = repeats + 1, other
        times[place] = repeats
    return times
