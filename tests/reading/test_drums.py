"""Drums are recognised by channel, bank, mode, name, or notes that only drums have."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.windows import PrepOptions, cut_windows
from melodyvae.music.voice import DrumsOnlyError, choose_part
from melodyvae.reading.drums import are_drums_by_notes, are_named_drums
from melodyvae.reading.midi import song_from_bytes
from tests.reading.smf import smf
from tests.reading.test_lines import TUNE, Event, notes, track

KIT = [*notes([36, 38] * 16, every=480, length=60), *notes([42] * 64, every=240, length=60)]
MANY_LANGUAGES = (
    "Drums,Perc.,Kick,Snare,Hi-Hat,HiHats,Clap,Ride Cymbal,Drum Rack,Low Tom,Schlagzeug,Trommeln,Batterie,"
    "Caisse claire,Batería,Batteria,Bateria,Rullante,Slagwerk,Trummor,Trommer,Perkusja,Bicí,Dobok,Rummut,Davul,"
    "Ударные,Барабаны,Κρουστά,ドラム,打楽器,鼓,打击乐,드럼,طبول,תופים"
)
SCALES = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11], [0, 3, 5, 6, 7, 10], [0, 7], [0, 12]]
XG_RESET = (0, "f0 08 43 10 4c 00 00 7e 00 f7")
GS_RESET = (0, "f0 0a 41 10 42 12 40 00 7f 00 41 f7")


def are_drums(*events: Event, name: str = "") -> bool:
    song = song_from_bytes(smf(track(events, name)))
    assert len(song.parts) == 1
    return song.parts[0].is_drum


def test_a_kit_on_channel_1_is_drums_by_its_notes() -> None:
    assert are_drums(*KIT)
    assert not are_drums(*KIT, *notes(TUNE))


@pytest.mark.parametrize(
    ("name", "pitches"),
    [("Drum Rack", [36, 38]), ("Kick", [60]), ("hats", [42, 46]), ("Schlagzeug", [36, 38, 42, 49, 51, 46])],
)
def test_a_part_is_drums_by_its_name(name: str, pitches: list[int]) -> None:
    assert are_drums(*notes(pitches * 8, length=60), name=name)
    assert not are_drums(*notes(pitches * 8, length=60), name="Track 1")
    assert not are_drums(*notes(TUNE), name=name)  # a tune, whatever it is called


@pytest.mark.parametrize("name", MANY_LANGUAGES.split(","))
def test_names_of_drums_in_many_languages(name: str) -> None:
    assert are_named_drums(name, 0, np.array([36, 38]))


@pytest.mark.parametrize(
    ("name", "program"),
    [("Steel Drums", 114), ("Synth Drum", 118), ("Taiko Drum", 116), ("War drum", 47), ("Percussive Organ", 17),
     ("Drumlish", 0), ("Upperchurch", 0), ("Kick Bass", 38), ("Tom Billy's", 0), ("Hatikvah", 0), ("Upbeat", 0)],
)  # fmt: skip
def test_names_that_are_no_drums(name: str, program: int) -> None:
    assert not are_named_drums(name, program, np.array([36, 43]))


@pytest.mark.parametrize(
    "scale", [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11], [0, 3, 5, 6, 7, 10], [0, 7], [0, 12]]
)
@pytest.mark.parametrize("chords", [False, True])
def test_a_bass_of_short_low_notes_is_no_drums(scale: list[int], chords: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        pitches = 36 + rng.integers(0, 6) + rng.choice(scale, 64)
        starts = np.arange(64) // (2 if chords else 1)
        assert not are_drums_by_notes(np.full(64, 0.25), starts, pitches)


def test_banks_and_modes_of_drums() -> None:
    line = notes(TUNE)
    assert are_drums((0, "b0 00 78"), *line)
    assert are_drums((0, "b0 00 7f"), *line)
    assert not are_drums(GS_RESET, (0, "b0 00 7f"), *line)  # in GS a bank of tunes
    assert are_drums(GS_RESET, (0, "f0 0a 41 10 42 12 40 11 15 01 19 f7"), *line)
    assert are_drums(XG_RESET, (0, "f0 08 43 10 4c 08 00 07 02 f7"), *line)
    channel_10 = notes(TUNE, channel=9)
    assert are_drums(*channel_10)
    assert not are_drums((0, "b9 00 79"), *channel_10)
    assert not are_drums(GS_RESET, (0, "f0 0a 41 10 42 12 40 10 15 00 1b f7"), *channel_10)


def test_drums_alone_have_no_melody_and_no_windows() -> None:
    song = song_from_bytes(smf(track(KIT)))
    with pytest.raises(DrumsOnlyError, match="it has only drums"):
        choose_part(song)
    with pytest.raises(DrumsOnlyError, match="it has only drums"):
        cut_windows(song, PrepOptions(track="all"))
