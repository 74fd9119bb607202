"""Songs of POP909 made into bands as General MIDI files have them, with the singer's part known.

The melody, the bridge and the piano are the dataset's ("POP909: A Pop-Song Dataset for Music Arrangement Generation",
Wang et al., 2020, https://github.com/music-x-lab/POP909-Dataset). The rest is made of them in code, drawn by the song's
number: a bass of the piano's lowest notes, pads, guitars, backing vocals in some phrases, doubles of the singer, and
solos and fills of another song's melody where the singer rests. Programs are drawn from those that such parts often
have.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.music.notes import Part, Song
from melodyvae.reading.midi import read_midi

SINGERS = (0, 0, 22, 52, 52, 53, 53, 54, 54, 54, 65, 65, 66, 64, 68, 71, 73, 73, 75, 75, 78, 80, 80, 81, 82, 85, 85, 85)
SINGERS += (24, 25, 26, 27, 56, 40, 11, 4, 1, 21, 79)
SOLOS = (29, 30, 27, 26, 25, 24, 65, 66, 56, 73, 81, 80, 0, 22, 40, 61, 84, 62, 11)
PIANOS = (0, 0, 1, 2, 4, 4, 5, 16, 18)
GUITARS = (24, 25, 25, 26, 27, 27, 28, 29, 30, 0, 4, 81, 80)
BASSES = (32, 33, 33, 34, 35, 36, 38, 39)
PADS = (48, 48, 49, 50, 51, 52, 52, 61, 62, 88, 89, 90, 91, 94, 95)
CHOIRS = (52, 52, 53, 53, 54, 54, 91, 85, 65, 73, 0)


def bands(folder: Path, numbers: Sequence[int]) -> Iterator[tuple[str, Song, int]]:
    """(number, piece, the singer's index) of songs in the dataset's folder ``POP909``."""
    others = [part for number in range(3, 900, 37) for part in _read(folder, number).parts if part.name == "MELODY"]
    for number in numbers:
        song = _read(folder, number)
        if {"MELODY", "BRIDGE", "PIANO"} <= {part.name for part in song.parts}:
            parts = _band(song, random.Random(number), others)
            yield str(number), replace(song, parts=tuple(parts)), [part.name for part in parts].index("SINGER")


def _read(folder: Path, number: int) -> Song:
    return read_midi(folder / f"{number:03}" / f"{number:03}.mid")


def _band(song: Song, draw: random.Random, others: Sequence[Part]) -> list[Part]:
    own = {part.name: part for part in song.parts}
    singer = replace(own["MELODY"], name="SINGER", program=draw.choice(SINGERS))
    lower = singer.pitches + draw.choice((0, 0, 0, -12))
    singer = replace(singer, pitches=lower) if lower.mean() > 52 else singer
    parts = [singer]
    bass = own["PIANO"].pitches < 52
    if bass.sum() > 20:
        low = _some(own["PIANO"], bass, "BASS", draw.choice(BASSES))
        first = np.append(True, np.diff(np.round(low.starts * 4)) > 0)
        low = _some(low, first, "BASS", low.program)
        ends = np.minimum(low.ends, np.append(low.starts[1:], np.inf))
        parts.append(replace(low, ends=ends, pitches=np.where(low.pitches > 43, low.pitches - 12, low.pitches)))
    if draw.random() < 0.85:
        parts.append(replace(own["PIANO"], program=draw.choice(PIANOS)))
    if draw.random() < 0.7 and len(own["BRIDGE"]) > 4:
        parts.append(replace(own["BRIDGE"], program=draw.choice(SOLOS)))
    chords = _chords(own["PIANO"], song.end_quarters)
    if draw.random() < 0.8:
        length = draw.choice((2, 4, 4))
        notes = [(start, start + length, 60 + tone) for start, tones in chords for tone in tones[:3]]
        parts.append(_part("PAD", draw.choice(PADS), notes))
    if draw.random() < 0.4:
        notes = [(start, start + 4.0, 72 + draw.choice(tones)) for start, tones in chords]
        parts.append(_part("STRINGS", draw.choice((48, 49, 40, 44, 61)), notes))
    parts += [_guitar(chords, draw) for _ in range(draw.choice((0, 1, 1, 2, 2)))]
    phrases = np.split(np.arange(len(singer)), np.flatnonzero(_rests(singer) > 1.5) + 1)
    if draw.random() < 0.45:
        share = draw.choice((0.2, 0.5, 0.8))
        chosen = [phrase for phrase in phrases if draw.random() < share]
        if chosen:
            backing = _some(singer, np.concatenate(chosen), "BACKING", draw.choice(CHOIRS))
            parts.append(replace(backing, pitches=backing.pitches + draw.choice((-12, -3, -4, 3, 4, -5, 5))))
    if draw.random() < 0.2:
        pitches = singer.pitches + draw.choice((-12, 0, 12))
        parts.append(replace(singer, name="DOUBLE", pitches=pitches, program=draw.choice(SOLOS + CHOIRS)))
    ends = np.maximum.accumulate(singer.ends)
    long_rests = np.flatnonzero(_rests(singer) > 6)
    rests = [(0.0, singer.starts[0]), (ends[-1], song.end_quarters)]
    rests += [(ends[index], singer.starts[index + 1]) for index in long_rests]
    fills = [(ends[phrase[-1]], ends[phrase[-1]] + draw.choice((2, 4))) for phrase in phrases]
    for name, share, spans in (("SOLO", 0.55, rests), ("FILLS", 0.4, fills)):
        if draw.random() < share:
            other = draw.choice(others)
            inside = np.zeros(len(other), dtype=bool)
            for start, end in spans:
                inside |= (other.starts >= start) & (other.starts < end)
            if inside.sum() > 10:
                solo = _some(other, inside, name, draw.choice(SOLOS))
                parts.append(replace(solo, pitches=solo.pitches + draw.choice((-7, -5, 0, 3, 5, 7))))
    draw.shuffle(parts)
    return parts


def _guitar(chords: Sequence[tuple[float, list[int]]], draw: random.Random) -> Part:
    style = draw.choice(("arpeggio", "strum", "riff"))
    pattern = [(draw.randrange(4), style == "arpeggio" or draw.random() < 0.7) for _ in range(8)]
    lowest, notes = draw.choice((48, 52, 55, 60)), []
    for start, tones in chords:
        for eighth, (place, is_played) in enumerate(pattern):
            played = tones[:3] if style == "strum" else [tones[place % len(tones)]]
            begin = start + eighth / 2
            notes += [(begin, begin + 0.5, lowest + tone) for tone in played if is_played]
    return _part("GUITAR", draw.choice(GUITARS), notes or [(0.0, 1.0, 60)])


def _chords(piano: Part, end: float) -> list[tuple[float, list[int]]]:
    """Four pitch classes at most of each bar in which the piano plays, with the bar's start."""
    bars = (piano.starts // 4).astype(int)
    return [
        (4.0 * bar, sorted({int(pitch) % 12 for pitch in piano.pitches[bars == bar]})[:4]) for bar in np.unique(bars)
    ]


def _rests(part: Part) -> np.ndarray:
    return np.asarray(part.starts[1:] - np.maximum.accumulate(part.ends)[:-1])


def _some(part: Part, chosen: np.ndarray, name: str, program: int) -> Part:
    columns = {field: getattr(part, field)[chosen] for field in ("starts", "ends", "pitches", "velocities")}
    return replace(part, name=name, program=program, **columns)


def _part(name: str, program: int, notes: Sequence[tuple[float, float, int]]) -> Part:
    starts, ends, pitches = (np.array(column) for column in zip(*sorted(notes), strict=True))
    return Part(name, program, False, starts, ends, pitches.astype(np.int16), np.full(len(notes), 80, np.int16))
