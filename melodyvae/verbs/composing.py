"""New tunes of any length, and tunes that go on, from a model that hears what it writes (its config has ``look_back``).

Each tune follows a plan of form that is drawn before it (see :mod:`melodyvae.verbs.form`). A wish for a key, a density
or a close is met by choice: each tune is drafted several times, each draft is moved to where it fits, and the one that
is nearest to the wish is kept. A scale and a range are kept by rules on the notes as they are
written. All hold together; what no tune can meet is refused before, and what none of the drawn ones meets is told.

Conventions: bars are whole; density is notes per bar; pitches are MIDI's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from melodyvae.music import keys
from melodyvae.music.keys import PITCH_CLASS_NAMES, Key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import OCTAVE
from melodyvae.music.scales import CANDIDATES as CHOSEN_SCALES
from melodyvae.music.scales import PIECE_WEIGHT, Scale, ScaleChoice, best_scale, shift_to_scale, weights_of
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import FIRST_NOTE_ON, HIGHEST_PITCH, LOWEST_PITCH, VOCABULARY_SIZE, pitches_of
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.plan import Plan
from melodyvae.network.token_rules import TokenRules
from melodyvae.system.errors import UserError
from melodyvae.verbs.codec import check_count, decode_tokens, fields_of, tied_like
from melodyvae.verbs.facts import DensityMissed, Fact, KeyMissed
from melodyvae.verbs.form import Form, draw_plans
from melodyvae.verbs.in_scale import allowed_in_each, rules_within
from melodyvae.verbs.judge import Judge
from melodyvae.verbs.key_shares import draw_signatures
from melodyvae.verbs.sources import sounding_bars

MIN_PITCHES = 3
CANDIDATES = 8  # drawn for each tune that is wanted; the best is kept
MAX_DRAWN = 512  # at a time
NATS_A_UNIT = 1.5  # what a unit of distance from the wish weighs beside the log-odds of the judge
MAX_SHIFT = 60  # semitones by which a tune is moved
NEAR_DENSITY = 1 / 3  # by what share of the density wished a tune may have more or fewer notes
MAX_HEARD_BARS = 32  # of a tune that goes on


class ComposingError(UserError, ValueError):
    """The model cannot compose, or a wish cannot be met."""


@dataclass(frozen=True)
class Wish:
    """Constraints on new tunes; None leaves one open.

    Attributes:
        key: the key that they are in, as :func:`~melodyvae.music.keys.find_key` finds it.
        density: notes per bar.
        lowest_pitch: no note is lower.
        highest_pitch: no note is higher.
        closes: whether it comes to its close, as :func:`distance_from_close` says, without a wide leap or long rest.
    """

    key: Key | None = None
    density: float | None = None
    lowest_pitch: int | None = None
    highest_pitch: int | None = None
    closes: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nothing is wished."""
        return self == Wish()

    @property
    def is_particular(self) -> bool:
        """Whether the wish is for what tunes of one style and plan seldom are."""
        return self.key is not None or self.density is not None

    def check(self, scale: Scale | ScaleChoice, bars: int, steps_per_bar: int = 16) -> None:
        """Refuse what no tune of so many bars can meet, all constraints taken together.

        Raises:
            ComposingError: with the constraint, its value and the remedy.
        """
        low, high = self._limits()
        if self.lowest_pitch is not None and self.highest_pitch is not None:
            asked = f"the range is {self.lowest_pitch} to {self.highest_pitch}"
            if self.lowest_pitch > self.highest_pitch:
                raise ComposingError(f"{asked}; give the lower pitch first")
            if low > high:
                raise ComposingError(f"{asked}; the model writes pitches {LOWEST_PITCH} to {HIGHEST_PITCH}")
            fitting: Sequence[Scale | None] = CHOSEN_SCALES if scale == "auto" else [None]
            scales = [scale] if isinstance(scale, Scale) else fitting
            pitches = range(low, high + 1)
            least = min(sum(one is None or pitch in one for pitch in pitches) for one in scales)
            if least < MIN_PITCHES:
                of = f" of {scale}" if isinstance(scale, Scale) else " of a scale" if scale == "auto" else ""
                raise ComposingError(
                    f"{asked} and holds as few as {least} notes{of}; a tune takes at least {MIN_PITCHES}: "
                    "give a wider range"
                )
        if self.density is not None:
            if self.density > steps_per_bar:
                raise ComposingError(f"the density is {self.density:g}; a bar has {steps_per_bar} places for notes")
            if self.density * bars < 1:
                length = "1 bar" if bars == 1 else f"{bars} bars"
                raise ComposingError(
                    f"the density is {self.density:g} notes per bar, less than one note in {length}; "
                    f"give at least {1 / bars:g}"
                )
        if self.key is not None and isinstance(scale, Scale):
            foreign = [PITCH_CLASS_NAMES[tone].replace("-", "b") for tone in self.key.triad if tone not in scale]
            if foreign:
                raise ComposingError(
                    f"the key is {self.key} and the scale {scale}, which lacks {' and '.join(foreign)} of the key's "
                    "triad; give a key and a scale that agree, or one of the two"
                )

    def shift(self, melody: Melody, scale: Scale | ScaleChoice, signature: int | None) -> int:
        """The semitones by which a tune is moved to where it is nearest to the wish.

        Args:
            melody: the tune.
            scale: a scale that is asked for counts where no key is.
            signature: the major tonic of a key signature, taken where neither is asked for.
        """
        if not melody.notes:
            return 0
        if self.key is not None:
            wanted = self.key.tonic - key_of(melody).tonic
        elif isinstance(scale, Scale):
            wanted = shift_to_scale(melody, scale)
        else:
            wanted = 0 if signature is None else key_of(melody).shift_to(signature)
        is_bound = self.key is not None or isinstance(scale, Scale) or self.lowest_pitch is None
        shifts = [by for by in range(-MAX_SHIFT, MAX_SHIFT + 1) if not is_bound or (by - wanted) % OCTAVE == 0]
        return min(
            shifts,
            key=lambda by: (self.outside(melody, by), (by - wanted) % OCTAVE != 0, abs(by), -by),
        )

    def outside(self, melody: Melody, shift: int) -> int:
        """By how many semitones the range of a tune that has notes, moved by ``shift``, is beyond the one wished."""
        low, high = self._limits()
        pitches = [note.pitch for note in melody.notes]
        return max(low - min(pitches) - shift, 0) + max(max(pitches) + shift - high, 0)

    def allowed_pitches(self, shift: int) -> np.ndarray:
        """Whether a tune that will be moved by ``shift`` may have each token, booleans ``(V,)``."""
        low, high = self._limits()
        tokens = np.arange(VOCABULARY_SIZE)
        pitches = pitches_of(tokens) + shift
        allowed: np.ndarray = (tokens < FIRST_NOTE_ON) | ((low <= pitches) & (pitches <= high))
        return allowed

    def _limits(self) -> tuple[int, int]:
        low = LOWEST_PITCH if self.lowest_pitch is None else self.lowest_pitch
        high = HIGHEST_PITCH if self.highest_pitch is None else self.highest_pitch
        return max(low, LOWEST_PITCH), min(high, HIGHEST_PITCH)

    def distance(self, melody: Melody, before: Melody | None = None) -> float:
        """Distance of a tune from the wish; 0 meets it.

        Another key counts 4; density by the logarithm of its ratio, four times, and 4 more beyond a third; the close as
        by :func:`distance_from_close`, and :func:`awkwardness`. ``before`` is what the tune goes on from.
        """
        if not melody.notes:
            return 100.0
        far = 0.0
        if self.key is not None:
            far += 4.0 * (key_of(melody) != self.key)
        if self.density is not None:
            reached = density_of(melody)
            far += 4 * abs(math.log(reached / self.density)) + 4.0 * (not is_near_density(reached, self.density))
        if self.closes:
            whole = melody if before is None else Melody.join([before, melody])
            far += distance_from_close(melody, key_of(whole)) + awkwardness(melody, before)
        return far

    def shortfalls(self, melodies: Sequence[Melody]) -> list[Fact]:
        """Unmet wishes, each with the value reached instead."""
        found: list[Fact] = []
        keys_found = [keys.key_of(melody) for melody in melodies]
        others = [(number, key) for number, key in enumerate(keys_found, 1) if self.key not in (None, key)]
        if self.key is not None and others:
            found.append(KeyMissed(self.key, tuple(others), len(melodies)))
        if self.density is not None:
            reached = [density_of(melody) for melody in melodies]
            if not all(is_near_density(one, self.density) for one in reached):
                found.append(DensityMissed(self.density, tuple(reached)))
        return found


def density_of(melody: Melody) -> float:
    """Notes per bar."""
    return len(melody.notes) / max(melody.bars, 1)


def is_near_density(reached: float, wanted: float) -> bool:
    """Whether a density is within a third of another."""
    return abs(reached / wanted - 1) <= NEAR_DENSITY


def awkwardness(melody: Melody, before: Melody | None = None) -> float:
    """Half a unit for each kind of thing that nobody would sing in a melody that has notes, 0 to 3.

    These are: fewer than three pitches (twice), a note longer than a bar that is not the last, a rest of a bar, a leap
    of more than an octave, and a range of more than two. ``before`` is what the melody goes on from.
    """
    notes, bar = melody.notes, melody.steps_per_bar
    pairs, pitches = list(pairwise(notes)), {note.pitch for note in notes}
    if before is not None and before.notes:
        last = before.notes[-1]
        pairs.insert(0, (last._replace(end_step=last.end_step - before.length_steps), notes[0]))
    awkward = [
        len(pitches) < MIN_PITCHES,
        len(pitches) < MIN_PITCHES,
        any(note.end_step - note.start_step > bar for note in notes[:-1]),
        any(later.start_step - note.end_step >= bar for note, later in pairs),
        any(abs(later.pitch - note.pitch) > OCTAVE for note, later in pairs),
        max(pitches) - min(pitches) > 2 * OCTAVE,
    ]
    return 0.5 * sum(awkward)


def distance_from_close(melody: Melody, key: Key | None = None) -> float:
    """Distance of a melody that has notes from a proper close, 0 to 4.

    The last note should be the tonic, on a beat of the last bar, and at least a beat long. Another note of the tonic
    triad counts 1, any other 2; that it comes before the last bar 1; off the beat, or shorter than a beat, 0.5 each.
    The key is the melody's own by default.
    """
    last, key, beat = melody.notes[-1], key or key_of(melody), melody.steps_per_quarter
    pitch_class = last.pitch % 12
    far = 0.0 if pitch_class == key.tonic else 1.0 if pitch_class in key.triad else 2.0
    far += last.start_step < (melody.bars - 1) * melody.steps_per_bar
    return far + 0.5 * (last.start_step % beat != 0) + 0.5 * (last.end_step - last.start_step < beat)


def key_of(melody: Melody) -> Key:
    """The key of a melody that has notes."""
    found = keys.key_of(melody)
    if found is None:
        raise ComposingError("a melody without notes has no key")
    return found


@dataclass(frozen=True)
class Composed:
    """New tunes, and what they were written as.

    Attributes:
        melodies: the tunes.
        styles: the code of the style of each.
    """

    melodies: list[Melody]
    styles: list[int]


def compose(
    model: MelodyNetwork,
    count: int,
    bars: int | None = None,
    temperature: float = 1.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "none",
    wish: Wish | None = None,
    style: str | None = None,
    form: Form = "auto",
    **fields: Any,
) -> Composed:
    """``count`` new tunes of ``bars`` bars, those of the model's windows by default, in the keys that tunes come in.

    For each a style and a plan of form are drawn. Where there is a wish, it is drafted :data:`CANDIDATES` times by the
    same plan, and the draft that meets the wish best is kept.

    Args:
        model: one that looks back, in the meter of the tunes.
        count: how many, at least 1.
        bars: how long; any number.
        temperature: of the notes; z is drawn from the learned prior in any case.
        draws: the source of all draws.
        scale: ``auto`` keeps each tune to the scale that fits it best; ``none`` does not; a scale keeps all to it.
        wish: what the tunes should be like.
        style: a name of :data:`melodyvae.music.styles.STYLES`; None draws one for each tune.
        form: see :func:`melodyvae.verbs.form.draw_plans`.
        fields: what else they carry, such as ``quarters_per_minute``.

    Raises:
        ComposingError: if the model does not look back, or no tune can meet the wish.
    """
    check_composes(model)
    check_count(count, 1)
    draws, wanted, length = draws or Draws(), wish or Wish(), bars or model.config.bars
    wanted.check(scale, length, model.config.steps_per_bar)
    # Not every style and plan can meet a key or a density: then there are more drafts, by plans of their own.
    is_particular = wanted.is_particular
    each = 1 if wanted.is_open else 2 * CANDIDATES if is_particular else CANDIDATES
    composed = Composed([], [])
    while len(composed.melodies) < count:
        tunes = min(count - len(composed.melodies), MAX_DRAWN // each)
        plans, drafts_each = (tunes * each, 1) if is_particular else (tunes, each)
        planned = draw_plans(model.extras, plans, _room_bars(model, length), style_code(style), model.bar, form, draws)
        styles, components, sources = (
            np.repeat(part, drafts_each, axis=0)
            for part in (planned.styles, planned.plan.components, planned.plan.sources)
        )
        told, plan = model.told(styles, begins=True, closes=True), Plan(components, sources)
        drafts, far = _drafts(told, plan, length, temperature, draws, scale, wanted, **fields)
        order = sorted(range(len(drafts)), key=far.__getitem__)
        for number in range(tunes):
            group = order if is_particular else [place for place in order if place // each == number]
            best = next((place for place in group if drafts[place] not in composed.melodies), group[0])
            composed.melodies.append(drafts[best])
            composed.styles.append(int(styles[best]))
    return composed


def _drafts(
    model: MelodyNetwork,
    plan: Plan,
    bars: int,
    temperature: float,
    draws: Draws,
    scale: Scale | ScaleChoice,
    wanted: Wish,
    **fields: Any,
) -> tuple[list[Melody], list[float]]:
    """A tune for each row of a plan, and how far each is from the wish.

    Each tune is written freely, and it is found where it must be moved to for its key, its scale and its range. With
    the same draws it is written a second time, with the notes alone that will then lie in the scale and the range.
    """
    config, table, drawn = model.config, model.vocabulary, len(plan.components)
    z = _draw_latents(model, drawn, bars, draws)
    grid = {"steps_per_quarter": config.steps_per_quarter, "meter": config.meter}

    def written(source: Draws, rules: TokenRules | None) -> tuple[np.ndarray, list[Melody]]:
        rows = decode_tokens(model, z, temperature, source, rules, plan)[:, : bars * config.steps_per_bar]
        return rows, [table.decode(row, **(grid | fields)) for row in rows]

    again = draws.copy()
    rows, melodies = written(draws, None)
    is_free = wanted.key is None and not isinstance(scale, Scale)
    signatures = draw_signatures(drawn, model.extras, draws) if is_free else None
    shifts = [
        wanted.shift(melody, scale, None if signatures is None else signatures[index])
        for index, melody in enumerate(melodies)
    ]
    outside = [
        wanted.outside(melody, shift) if melody.notes else 0 for melody, shift in zip(melodies, shifts, strict=True)
    ]
    if scale != "none" or wanted.lowest_pitch is not None or any(outside):
        _, melodies = written(again, _rules_of_each(model, rows, shifts, scale, wanted))
    if wanted.key is not None and not isinstance(scale, Scale):  # the notes that have changed may have changed the key
        others = [wanted.shift(melody, scale, None) for melody in melodies]
        shifts = [
            other if not melody.notes or not wanted.outside(melody, other) else shift
            for melody, shift, other in zip(melodies, shifts, others, strict=True)
        ]
    moved = [melody.transpose(shift) for melody, shift in zip(melodies, shifts, strict=True)]
    if wanted.is_open:
        return moved, [0.0] * drawn
    return moved, _distances(model, moved, wanted, draws, np.array(outside) / 3)


def _distances(
    model: MelodyNetwork,
    melodies: Sequence[Melody],
    wanted: Wish,
    draws: Draws,
    more: np.ndarray,
) -> list[float]:
    """Distance of each tune from the wish, and ``more``, less what the model's judge of tunes says for it."""
    unit = NATS_A_UNIT * (3 if wanted.is_particular else 1)
    far = unit * (np.array([wanted.distance(melody) for melody in melodies]) + more)
    judge = Judge.from_extras(model.extras)
    if judge is not None and all(melody.notes for melody in melodies):
        far = far - judge.drawn_score(melodies, draws)
    found: list[float] = far.tolist()
    return found


def _room_bars(model: MelodyNetwork, bars: int) -> int:
    """The number of bars of the network in the segments that ``bars`` bars take."""
    config = model.config
    segments = -(-bars // (config.segment_bars or config.bars))
    return segments * model.room.bars // model.room.segments


def _rules_of_each(
    model: MelodyNetwork, rows: np.ndarray, shifts: Sequence[int], scale: Scale | ScaleChoice, wish: Wish
) -> TokenRules:
    """Rules that keep tunes written as ``rows`` ``(N, T)`` in their scale and range once they are moved."""
    allowed = np.stack([wish.allowed_pitches(shift) for shift in shifts])
    if isinstance(scale, Scale):
        allowed &= np.stack([scale.transposed(-shift).allowed_tokens() for shift in shifts])
    elif scale == "auto":
        allowed &= allowed_in_each(rows)
    return TokenRules(allowed[:, None], reach=VOCABULARY_SIZE)


def _best(melodies: Sequence[Melody], far: Sequence[float], count: int) -> list[Melody]:
    """The ``count`` melodies that are the least far, no two alike as long as there are others."""
    order = [melodies[place] for place in np.argsort(far, kind="stable").tolist()]
    first = {melody.notes: melody for melody in reversed(order)}  # the nearest of those that are alike
    distinct = [melody for melody in order if first[melody.notes] is melody]
    return [*distinct, *order][:count] if len(distinct) < count else distinct[:count]


def go_on(
    model: MelodyNetwork,
    melody: Melody,
    bars: int,
    count: int = 1,
    temperature: float = 1.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "auto",
) -> list[Melody]:
    """``count`` melodies that are ``melody`` and ``bars`` bars more, written after its last ``MAX_HEARD_BARS`` bars.

    :data:`CANDIDATES` times as many continuations are drawn by plans of form; those are kept that are as dense as the
    melody and come to their close. All keep to the melody's range, and to the :func:`scale_after` it.

    The segments that are heard have the z that they say, those to be written one from the learned prior, given all
    before. A note that sounds at the end may be held on.

    Raises:
        ComposingError: if the model does not look back, or the melody has no note in the bars that are heard.
    """
    check_composes(model)
    check_count(count, 1)
    check_count(bars, 1)
    start = max(melody.bars - MAX_HEARD_BARS, 0)
    heard = melody.pad_to(melody.bars).window(start, melody.bars - start)
    if not heard.notes:
        raise ComposingError(f"bars {start + 1} to {melody.bars} have no note, so there is nothing to go on from")
    known = model.vocabulary.encode(heard)
    draws = draws or Draws()
    length, drafts = heard.bars + bars, max(min(count * CANDIDATES, MAX_DRAWN), count)
    plan = _plan_after(model, heard.bars, length, drafts, draws)
    model = model.told(begins=start == 0, closes=True)
    z = _draw_latents(model, drafts, length, draws)
    segment_steps = model.config.steps // model.config.segments
    whole = len(known) // segment_steps * segment_steps
    steps = z.shape[1] // (model.config.latent_size // model.config.segments) * segment_steps
    tokens = np.zeros((drafts, steps), np.int64)
    tokens[:, : len(known)] = known
    pitches = [note.pitch for note in melody.notes]
    rules = rules_within(scale_after(melody, scale), min(pitches), max(pitches))
    if whole:
        said = model.encode(tokens[:1, :whole]).mean
        z[:, : said.shape[1]] = said
    filled = model.fill_in(z, tokens, np.arange(steps) < len(known), temperature, draws, rules, plan)
    rows = filled[:, : length * model.config.steps_per_bar].astype(np.uint8)
    grid = {"steps_per_quarter": model.config.steps_per_quarter}
    written = [model.vocabulary.decode(row, **(grid | fields_of(melody))) for row in rows]
    wish = Wish(density=usual_density(melody), closes=True)
    new = [draft.window(heard.bars, bars) for draft in written]
    far = [wish.distance(draft, heard) for draft in new]
    best = _best(written, far, count)
    if start:
        best = [tied_like(Melody.join([melody.window(0, start), tail]), melody, 1) for tail in best]
    return [replace(found, start_quarters=melody.start_quarters, name=melody.name) for found in best]


def _plan_after(model: MelodyNetwork, heard: int, bars: int, count: int, draws: Draws) -> Plan:
    """Plans of tunes of ``bars`` bars, of which the first are ``heard``: what tunes do at the bars that follow."""
    room, known = _room_bars(model, bars), heard * model.room.bars // model.config.bars
    components = draw_plans(model.extras, count, room, 0, model.bar, "auto", draws).plan.components.copy()
    components[:, :known] = -1
    return Plan.of_components(components)


def scale_after(melody: Melody, scale: Scale | ScaleChoice) -> Scale | None:
    """The scale of bars that follow a melody; None if they may have all notes.

    ``auto`` takes the one that fits its last ``MAX_HEARD_BARS`` bars best, and where these leave it open all bars: a
    song may have gone to another key.
    """
    if scale == "none" or isinstance(scale, Scale):
        return scale if isinstance(scale, Scale) else None
    start = max(melody.bars - MAX_HEARD_BARS, 0)
    heard, all_bars = weights_of(melody.window(start, melody.bars - start)), weights_of(melody)
    return best_scale(heard / max(heard.sum(), 1) + PIECE_WEIGHT * all_bars / max(all_bars.sum(), 1))


def usual_density(melody: Melody) -> float:
    """Notes per bar of a melody that has notes, from its first bar with a note to its last."""
    first, end = sounding_bars(melody)
    return len(melody.notes) / (end - first)


def check_composes(model: MelodyNetwork, *asked: str) -> None:
    """Raise :class:`ComposingError` unless the model looks back, naming what was ``asked`` of it."""
    if not model.config.look_back:
        told = f"{' and '.join(asked)} cannot be chosen: " if asked else ""
        raise ComposingError(
            f"{told}the model writes {model.config.bars} bars and no more or less, and is not chosen from; "
            "the model melody-compose takes any length, key, density, range and form"
        )


def _draw_latents(model: MelodyNetwork, count: int, bars: int, draws: Draws | None) -> np.ndarray:
    """A draw from the prior for as many segments as ``bars`` bars take."""
    config = model.config
    segments = -(-bars // (config.segment_bars or config.bars))
    shape = count, segments * (config.latent_size // config.segments)
    return (draws or Draws()).normal(*shape).astype(np.float32)
