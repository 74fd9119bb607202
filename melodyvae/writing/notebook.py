"""Melodies as HTML for notebooks: an inline SVG piano roll above an audio player. No JavaScript, no network.

Conventions: sound is a WAV in a data URI, 8 bits at 11,025 samples per second, so that eight melodies of two bars stay
below a megabyte.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from html import escape

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.writing.audio import LOUDEST, SAMPLES_PER_SECOND, samples_of
from melodyvae.writing.sheet import Sheet
from melodyvae.writing.svg import pitch_range, roll_svg

DECIMATION = 4  # samples at 44,100 per second for each one that is kept
BAR_PIXELS, MAX_ROLL_PIXELS = 200, 900
SEMITONE_PIXELS, MIN_ROLL_PIXELS, MAX_ROLL_HEIGHT = 4, 56, 160
MAX_SHOWN = 32
MAX_SOUND_SECONDS = 120.0


def melody_html(melody: Melody, title: str = "", pitches: tuple[int, int] | None = None) -> str:
    """One melody: title, piano roll and player.

    Args:
        melody: the melody.
        title: what stands above it; by default its ``repr``.
        pitches: the lowest and highest pitch shown; the melody's own by default.
    """
    low, high = pitches or pitch_range([melody])
    width = min(BAR_PIXELS * max(melody.bars, 1), MAX_ROLL_PIXELS)
    height = min(max(SEMITONE_PIXELS * (high - low + 1), MIN_ROLL_PIXELS), MAX_ROLL_HEIGHT)
    style = f"display:block;width:{width}px;max-width:100%;height:{height}px;background:#fff"
    roll = roll_svg(melody, (low, high)).replace("<svg ", f'<svg style="{style}" ', 1)
    player = ""
    seconds = 60 * melody.length_steps / (melody.quarters_per_minute * melody.steps_per_quarter)
    if melody.notes and seconds <= MAX_SOUND_SECONDS:
        player = f'<audio controls="controls" preload="none" style="height:2em" src="{audio_uri(melody)}"></audio>'
    return f'<div style="margin:0 0 .8em"><div>{escape(title or repr(melody))}</div>{roll}{player}</div>'


def sheet_html(sheet: Sheet, sentences: Sequence[str] = ()) -> str:
    """Melodies one above the other, each with its title, on one scale of pitches, below some sentences.

    At most :data:`MAX_SHOWN` are shown, and it is said how many are not.
    """
    shown = sheet.rolls[:MAX_SHOWN]
    pitches = pitch_range([roll.melody for roll in shown])
    parts = [f"<div>{escape(sentence)}</div>" for sentence in sentences]
    parts += [melody_html(roll.melody, roll.title, pitches) for roll in shown]
    if len(shown) < len(sheet.rolls):
        parts.append(f"<div>and {len(sheet.rolls) - len(shown)} more</div>")
    return f"<div>{''.join(parts)}</div>"


def audio_uri(melody: Melody) -> str:
    """The melody as a WAV in a data URI, exactly as long as its bars."""
    quarters = melody.bars * melody.steps_per_bar / melody.steps_per_quarter
    samples = samples_of(melody.to_pretty_midi(), 60 * quarters / melody.quarters_per_minute)
    whole = samples[: len(samples) // DECIMATION * DECIMATION].reshape(-1, DECIMATION).mean(axis=1)
    peak = np.abs(whole).max(initial=0.0)
    as_bytes = np.round(128 + 127 * LOUDEST * whole / (peak or 1.0)).astype(np.uint8).tobytes()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)  # unsigned
        file.setframerate(SAMPLES_PER_SECOND // DECIMATION)
        file.writeframes(as_bytes)
    return f"data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
