"""New tunes of any length, and tunes that go on, from a model that hears what it writes (its config has ``look_back``).

A wish for a key, a density, a range or the form of a song is met by choice: more tunes are drawn than are wanted, each
is moved to where it fits, and those nearest to the wish are kept. The notes stay those that the model wrote, so a
chosen tune is as well formed as any other.

Conventions: bars are whole; density is notes per bar; pitches are MIDI's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from data_prep.errors import UserError
from data_prep.melodies import keys
from data_prep.melodies.keys import Key
from data_prep.melody import Melody
from melodyvae.generation.codec import check_count, decode_tokens, fields_of, tied_like
from melodyvae.generation.in_scale import rules_of, rules_of_each
from melodyvae.generation.key_shares import in_common_keys
from melodyvae.generation.scales import Scale, ScaleChoice
from melodyvae.models.token_rules import OCTAVE, TokenRules

if TYPE_CHECKING:
    from melodyvae.models.melody import MelodyModel

Form = Literal["song", "any"]
SONG_BARS = 8  # shorter ones need take nothing up again
MAX_REPEATS = 0.6  # of a tune's bars
MIN_PITCHES = 3
CANDIDATES = 16  # drawn for each tune that is wanted, where there is a wish
MAX_DRAWN = 512
MAX_HEARD_BARS = 32  # of a tune that goes on


class ComposingError(UserError, ValueError):
    """The model cannot compose, or a wish cannot be met."""


@dataclass(frozen=True)
class Wish:
    """What tunes should be like; None leaves it open.

    Attributes:
        key: the key that they are in, as :func:`~data_prep.melodies.keys.find_key` finds it.
        density: notes per bar.
        lowest_pitch: no note is lower.
        highest_pitch: no note is higher.
        is_song: whether it comes to its close and takes a bar up again, as :func:`distance_from_song` says.
    """

    key: Key | None = None
    density: float | None = None
    lowest_pitch: int | None = None
    highest_pitch: int | None = None
    is_song: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nothing is wished."""
        return self == Wish()

    def meet(self, melody: Melody) -> tuple[float, Melody]:
        """How far a tune is from the wish, and the tune moved to where it is nearest; 0 is as wished.

        A key of the other mode counts 4, as does each octave by which the range is too wide; density counts by the
        logarithm of its ratio, and the form as by :func:`distance_from_song`.
        """
        far, shifts = 0.0, list(range(-24, 25)) if self.lowest_pitch is not None else list(range(-5, 7))
        pitches = [note.pitch for note in melody.notes]
        if not pitches:
            return 100.0, melody
        if self.key is not None:
            found = key_of(melody)
            far += 4.0 * (found.is_minor != self.key.is_minor)
            shifts = [shift for shift in shifts if (found.tonic + shift - self.key.tonic) % 12 == 0]
        elif self.lowest_pitch is None:
            shifts = [0]
        low, high = self.lowest_pitch or 21, self.highest_pitch or 108
        outside = {shift: max(low - min(pitches) - shift, 0) + max(max(pitches) + shift - high, 0) for shift in shifts}
        shift = min(shifts, key=lambda shift: (outside[shift], abs(shift)))
        far += outside[shift] / 3
        if self.density is not None:
            far += 4 * abs(float(np.log(len(pitches) / melody.bars / self.density)))
        if self.is_song:
            far += distance_from_song(melody)
        moved = melody.transpose(shift) if min(pitches) + shift >= 0 and max(pitches) + shift <= 127 else melody
        return far, moved


def distance_from_song(melody: Melody) -> float:
    """How far a melody that has notes is from the form of a song: its :func:`distance_from_close`, and up to 4 more.

    Fewer than three pitches count 1. A melody of eight bars or more that takes no bar of two notes up again, in
    whatever key, counts 1, and so does one that does little else. A note longer than a bar that is not the last counts
    0.5, and so do a rest of a bar, a leap of more than an octave, and a range of more than two.
    """
    notes, bar = melody.notes, melody.steps_per_bar
    pairs, pitches = list(pairwise(notes)), {note.pitch for note in notes}
    far = distance_from_close(melody)
    far += 0.5 * any(note.end_step - note.start_step > bar for note in notes[:-1])
    far += 0.5 * any(later.start_step - note.end_step >= bar for note, later in pairs)
    far += 0.5 * any(abs(later.pitch - note.pitch) > OCTAVE for note, later in pairs)
    far += 0.5 * (max(pitches) - min(pitches) > 2 * OCTAVE)
    far += len(pitches) < MIN_PITCHES
    if melody.bars >= SONG_BARS:
        bars = [_in_any_key(melody.window(number, 1)) for number in range(melody.bars)]
        ideas = [found for found in bars if len(found) > 1]
        repeats = len(ideas) - len(set(ideas))
        far += repeats == 0 or repeats > MAX_REPEATS * len(ideas)
    return far


def _in_any_key(bar: Melody) -> tuple[tuple[int, int, int], ...]:
    """The notes of a bar: start, end, and interval from the first one; the same for all transpositions."""
    return tuple((note.start_step, note.end_step, note.pitch - bar.notes[0].pitch) for note in bar.notes)


def distance_from_close(melody: Melody) -> float:
    """How far a melody that has notes is from coming to its close, 0 to 4.

    The last note should be the tonic, on a beat of the last bar, and at least a beat long. Another note of the tonic
    triad counts 1, any other 2; that it comes before the last bar 1; off the beat, or shorter than a beat, 0.5 each.
    """
    last, key, beat = melody.notes[-1], key_of(melody), melody.steps_per_quarter
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


def compose(
    model: MelodyModel,
    count: int,
    bars: int | None = None,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    scale: Scale | ScaleChoice = "none",
    wish: Wish | None = None,
    **fields: Any,
) -> list[Melody]:
    """``count`` new tunes of ``bars`` bars, those of the model's windows by default, in the keys that tunes come in.

    Args:
        model: one that looks back.
        count: how many, at least 1.
        bars: how long; any number.
        temperature: of the notes; z is drawn from the learned prior in any case.
        generator: the source of all draws.
        scale: ``auto`` writes each tune a second time, with the same draws, in the scale that fits it best; ``none``
            does not; a scale keeps all to it, and in the key that they were written in.
        wish: what the tunes should be like.
        fields: what else they carry, such as ``quarters_per_minute``.

    Raises:
        ComposingError: if the model does not look back.
    """
    check_composes(model)
    check_count(count, 1)
    length = bars or model.config.bars
    wanted = wish or Wish()
    drawn = count if wanted.is_open else max(min(count * CANDIDATES, MAX_DRAWN), count)
    z = _draw_latents(model, drawn, length, generator)
    before = None if generator is None else generator.get_state()
    rules = rules_of(model, scale) if isinstance(scale, Scale) else None
    rows = decode_tokens(model, z, temperature, generator, rules)[:, : length * model.config.steps_per_bar]
    if scale == "auto":
        if generator is not None and before is not None:
            generator.set_state(before)
        ruled = decode_tokens(model, z, temperature, generator, rules_of_each(model, rows))
        rows = ruled[:, : length * model.config.steps_per_bar]
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    melodies = [model.vocabulary.decode(row, **(grid | fields)) for row in rows]
    if wanted.key is None and not isinstance(scale, Scale):
        melodies = in_common_keys(melodies, model.extras, generator)
    if wanted.is_open:
        return melodies
    met = sorted((wanted.meet(melody) for melody in melodies), key=lambda pair: pair[0])
    return [melody for _, melody in met[:count]]


def go_on(
    model: MelodyModel,
    melody: Melody,
    bars: int,
    count: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    rules: TokenRules | None = None,
) -> list[Melody]:
    """``count`` melodies that are ``melody`` and ``bars`` bars more, written after its last ``MAX_HEARD_BARS`` bars.

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
    known = torch.from_numpy(model.vocabulary.encode(heard).astype(np.int64)).to(model.device)
    length = heard.bars + bars
    z = _draw_latents(model, count, length, generator)
    segment_steps = model.config.steps // model.config.segments
    whole = len(known) // segment_steps * segment_steps
    steps = z.shape[1] // (model.config.latent_size // model.config.segments) * segment_steps
    tokens = torch.zeros(count, steps, dtype=torch.long, device=model.device)
    tokens[:, : len(known)] = known
    with torch.inference_mode():
        if whole:
            said = model.encode(tokens[:1, :whole]).mean
            z[:, : said.shape[1]] = said
        visible = torch.arange(steps, device=model.device) < len(known)
        filled = model.fill_in(z, tokens, visible, temperature, generator, rules)
    rows = filled[:, : length * model.config.steps_per_bar].cpu().numpy().astype(np.uint8)
    grid = {"steps_per_quarter": model.config.steps_per_quarter}
    written = [model.vocabulary.decode(row, **(grid | fields_of(melody))) for row in rows]
    if start:
        written = [tied_like(Melody.join([melody.window(0, start), tail]), melody, 1) for tail in written]
    return [replace(found, start_quarters=melody.start_quarters, name=melody.name) for found in written]


def check_composes(model: MelodyModel) -> None:
    """Raise :class:`ComposingError` unless the model looks back."""
    if not model.config.look_back:
        raise ComposingError(
            f"the model writes {model.config.bars} bars and no more or less; --model melody-compose writes any number"
        )


def _draw_latents(model: MelodyModel, count: int, bars: int, generator: torch.Generator | None) -> Tensor:
    """A draw from the prior for as many segments as ``bars`` bars take."""
    config = model.config
    segments = -(-bars // (config.segment_bars or config.bars))
    shape = count, segments * (config.latent_size // config.segments)
    return torch.randn(shape, generator=generator, device=model.device)
