"""Recognise drums by their channel, bank or mode, by their name, or by notes that only drums have.

"General MIDI 2" (MIDI Manufacturers Association, 1999) has rhythm on channel 10 and in bank 120; Roland's GS and
Yamaha's XG change it by exclusive messages, XG by banks 126 and 127 too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from melodyvae.music.keys import MAJOR_SCALE
from melodyvae.music.notes import DRUM_CHANNEL
from melodyvae.reading.smf import CONTROL, Track

BANK = 0  # controller: the upper half of the bank
RHYTHM_BANKS, XG_RHYTHM_BANKS, MELODY_BANK = {120}, {126, 127}, 121
GS_RESET = re.compile(rb"\x41.\x42\x12\x40\x00\x7f\x00", re.DOTALL)
GS_PART_MODE = re.compile(rb"\x41.\x42\x12\x40([\x10-\x1f])\x15(.)", re.DOTALL)
XG_PART_MODE = re.compile(rb"\x43.\x4c\x08([\x00-\x0f])\x07(.)", re.DOTALL)
DRUM_NAMES = re.compile(
    r"drum(?!mond|lish)|percu|\bperc\b|perkus|\b(kick|snare|hi.?hats?|hats?|claps?|cymbals?|toms|"
    r"(low|mid|hi|high|floor|rack)\W?tom|rimshot|rack|kit|shaker|cowbell|tambourine|congas?|bongos?|bd|sd|hh)\b|"
    r"schlagz|schlagw|trommel|becken|batter[iy]|bater[ií]a|caisse claire|grosse caisse|cymbale|tambor|bombo|platillo|"
    r"rullante|\bcassa\b|tambur|\bpiatti\b|slagwerk|slagverk|trumm|trommer|bębn|bęben|werbel|bicí|bubny|\bdobok?\b|"
    r"rummut|lyömäs|davul|trống|ударн|барабан|перкусс|ντραμς|κρουστ|τύμπαν|ドラム|パーカッション|打楽器|スネア|ハイハット|"
    r"シンバル|鼓|打击|打擊|드럼|타악|תופים|طبول|กลอง",
    re.I,
)
# They are struck, but they have pitches; a bass drum is none of them.
PITCHED_NAMES = re.compile(
    r"steel|melod|lead|timpani|pauken|timbal|mallet|marimba|xylo|vibra|vibes|glock|celest|bells?\b|kalimba|hang\b|"
    r"handpan|organ|guitar|piano|bass(?!.?drum)|synth.?drum|taiko",
    re.I,
)
# General MIDI programs that are not in a drum kit: chromatic percussion, timpani, kalimba, what is struck, and effects.
STRUCK_PROGRAMS = {*range(8, 16), 47, 108, *range(112, 128)}
KICKS, SNARES, METALS = {35, 36}, {37, 38, 39, 40}, {42, 44, 46, 49, 51, 52, 53, 54, 55, 56, 57, 59, 81}
KIT = np.isin(np.arange(128), [*range(35, 60), 81])
DIATONIC = np.array([(np.array(MAJOR_SCALE) + tonic) % 12 for tonic in range(12)])
MIN_SCALE_PITCHES = 5  # pitch classes; fewer are not a scale, and lie in one by chance
IN_SCALE_SHARE = 0.97
SHORT_QUARTERS = 0.5
KIT_SHARE = 0.98
GROUP_SHARE = 0.05  # of the notes at least are kicks, snares and metals each
CORE_SHARE = 0.9  # are one of the three
TOGETHER_SHARE = 0.05  # begin with another one
MIN_NOTES = 16


def drum_channels(tracks: Iterable[Track]) -> tuple[set[int], set[int]]:
    """Channels that are drums by bank or exclusive message, and channels 10 that are not."""
    tracks = list(tracks)
    messages = [(16 * track.port, message) for track in tracks for message in track.sysexes]
    is_gs = any(GS_RESET.search(message) for _, message in messages)
    banks = RHYTHM_BANKS if is_gs else RHYTHM_BANKS | XG_RHYTHM_BANKS  # 127 is a bank of tunes in GS
    drums, others = set(), set()
    for track in tracks:
        for row in np.flatnonzero((track.statuses == CONTROL) & (track.first == BANK)):
            channel, bank = int(track.channels[row]), int(track.second[row])
            if bank in banks:
                drums.add(channel)
            elif bank == MELODY_BANK:
                others.add(channel)
    for first_channel, message in messages:
        for match in GS_PART_MODE.finditer(message):
            part = match[1][0] & 0x0F  # GS calls channel 10 part 0, and channels 1 to 9 parts 1 to 9
            channel = DRUM_CHANNEL if part == 0 else part - 1 if part <= DRUM_CHANNEL else part
            (drums if match[2][0] else others).add(first_channel + channel)
        for match in XG_PART_MODE.finditer(message):
            (drums if match[2][0] else others).add(first_channel + match[1][0])
    return drums, others - drums


def are_named_drums(name: str, program: int, pitches: np.ndarray) -> bool:
    """Whether the track's name says drums and its notes are not a tune."""
    if not DRUM_NAMES.search(name) or PITCHED_NAMES.search(name) or program in STRUCK_PROGRAMS:
        return False
    return not _are_of_a_scale(pitches)


def are_drums_by_notes(quarters: np.ndarray, starts: np.ndarray, pitches: np.ndarray) -> bool:
    """Whether only a drum kit plays such notes, of lengths ``quarters`` ``(N,)``.

    They are short, of a kit's pitches, and in no scale; kicks, snares and cymbals all occur, some of them struck
    together. A bass of short low notes does not qualify.
    """
    if len(pitches) < MIN_NOTES or KIT[pitches].mean() < KIT_SHARE or (quarters <= SHORT_QUARTERS).mean() < KIT_SHARE:
        return False
    counts = np.bincount(pitches, minlength=128)
    groups = [counts[sorted(group)].sum() / len(pitches) for group in (KICKS, SNARES, METALS)]
    if min(groups) < GROUP_SHARE or sum(groups) < CORE_SHARE:
        return False
    together = 1 - len(np.unique(starts)) / len(starts)
    return together >= TOGETHER_SHARE and not _are_of_a_scale(pitches)


def _are_of_a_scale(pitches: np.ndarray) -> bool:
    """Whether nearly all notes are of one diatonic scale, and of most of its pitch classes."""
    classes = np.bincount(pitches % 12, minlength=12)
    is_used = classes > 0.01 * len(pitches)
    if is_used.sum() < MIN_SCALE_PITCHES:
        return False
    return bool(classes[DIATONIC].sum(axis=1).max() >= IN_SCALE_SHARE * len(pitches))
