"""A melody is a line, not a program or a channel: parts of tracks with several of them, and the sustain pedal."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from melodyvae.music.notes import Song
from melodyvae.reading.midi import song_from_bytes
from tests.reading.smf import END_OF_TRACK, smf

TUNE = [60, 62, 64, 65, 67, 65, 64, 62] * 4
Event = tuple[int, str]  # tick and message


def track(events: Sequence[Event], name: str = "") -> str:
    """A track of messages in any order, in hexadecimal; of those at one time ends come first."""
    ordered = sorted(events, key=lambda event: (event[0], not event[1].startswith("8")))
    named = f"00 ff 03 {len(name):02x} {name.encode().hex()}" if name else ""
    time, text = 0, named
    for tick, message in ordered:
        delta = tick - time
        text += f" {0x80 | delta >> 14:02x} {0x80 | delta >> 7 & 0x7F:02x} {delta & 0x7F:02x} {message}"
        time = tick
    return f"{text} {END_OF_TRACK}"


def notes(pitches: Sequence[int], channel: int = 0, first: int = 0, every: int = 480, length: int = 480) -> list[Event]:
    events = []
    for index, pitch in enumerate(pitches):
        tick = first + index * every
        events += [(tick, f"9{channel:x} {pitch:02x} 50"), (tick + length, f"8{channel:x} {pitch:02x} 00")]
    return events


def program(tick: int, number: int, channel: int = 0) -> Event:
    return tick, f"c{channel:x} {number:02x}"


def parts(song: Song) -> list[tuple[int, int, tuple[tuple[float, int], ...]]]:
    return [(len(part), part.program, part.program_changes) for part in song.parts]


def test_a_program_change_within_a_track_does_not_cut_its_line() -> None:
    flute_then_violin = [program(0, 73), *notes(TUNE), program(16 * 480, 40)]
    assert parts(song_from_bytes(smf(track(flute_then_violin)))) == [(32, 73, ((16.0, 40),))]


def test_a_program_after_the_first_note_began_is_that_of_the_whole_line() -> None:
    assert parts(song_from_bytes(smf(track([*notes(TUNE), program(240, 73)])))) == [(32, 73, ())]
    late = song_from_bytes(smf(track([*notes(TUNE), program(4 * 480, 73)])))
    assert parts(late) == [(32, 0, ((4.0, 73),))]


def test_programs_of_a_setup_track_are_those_of_the_channels_of_others() -> None:
    setup = track([program(0, 73), program(0, 40, channel=1), (0, "b1 07 40")])
    song = song_from_bytes(smf(setup, track(notes(TUNE)), track(notes(TUNE, channel=1))))
    assert parts(song) == [(32, 73, ()), (32, 40, ())]
    assert [part.volume for part in song.parts] == [None, 0x40]


def test_tracks_on_one_channel_keep_their_own_programs() -> None:
    song = song_from_bytes(smf(track([program(0, 73), *notes(TUNE)]), track([program(0, 40), *notes(TUNE)])))
    assert parts(song) == [(32, 73, ()), (32, 40, ())]


def guitar(length: int) -> list[Event]:
    """A line whose notes come from the strings in turn."""
    events = [program(0, 25, channel) for channel in range(6)]
    for index, pitch in enumerate(TUNE):
        events += notes([pitch], channel=index * 5 % 6, first=index * 480, length=length)
    return events


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("length", [400, 480, 600])  # strings ring on
def test_the_strings_of_a_guitar_are_one_line(kind: int, length: int) -> None:
    assert parts(song_from_bytes(smf(track(guitar(length)), kind=kind))) == [(32, 25, ())]


def test_chords_over_several_channels_of_one_program_are_one_part_of_a_track() -> None:
    chords = [*notes(TUNE), *notes([pitch + 4 for pitch in TUNE], channel=1)]
    song = song_from_bytes(smf(track(chords), track(notes(TUNE, channel=5))))
    assert parts(song) == [(64, 0, ()), (32, 0, ())]


def test_a_take_of_mpe_is_one_line_with_what_is_on_channel_10() -> None:
    zone = [(0, "b0 65 00"), (0, "b0 64 06"), (0, "b0 06 0f")]
    events = []
    for index, pitch in enumerate(TUNE):
        channel = 1 + index % 15
        events += [
            *notes([pitch], channel=channel, first=index * 480, length=900),
            (index * 480, f"e{channel:x} 00 40"),
        ]
    for opening in (zone, []):  # some say that they are MPE, and some only bend each channel
        song = song_from_bytes(smf(track([*opening, *events]), kind=0))
        assert parts(song) == [(32, 0, ())]
        assert not song.parts[0].is_drum


def test_the_players_of_a_file_of_type_0_stay_apart() -> None:
    players = [event for channel in range(8) for event in notes(TUNE, channel)]
    programs = [program(0, 40 + channel, channel) for channel in range(8)]
    assert parts(song_from_bytes(smf(track([*programs, *players]), kind=0))) == [(32, 40 + c, ()) for c in range(8)]
    two_violins = [program(0, 40), program(0, 40, 1), *notes(TUNE), *notes(TUNE, channel=1)]
    assert parts(song_from_bytes(smf(track(two_violins), kind=0))) == [(32, 40, ())] * 2


def test_players_of_a_track_that_take_turns_are_one_line() -> None:
    turns = [program(0, 73), program(0, 40, 1), *notes(TUNE[:16]), *notes(TUNE[16:], channel=1, first=16 * 480)]
    for kind in (0, 1):
        assert parts(song_from_bytes(smf(track(turns), kind=kind))) == [(32, 73, ((16.0, 40),))]


def test_drums_of_a_track_are_apart_from_its_line() -> None:
    song = song_from_bytes(smf(track([*notes(TUNE), *notes([36, 38] * 16, channel=9)]), kind=0))
    assert [(len(part), part.is_drum) for part in song.parts] == [(32, False), (32, True)]


def pedal(*ticks: int) -> list[Event]:
    """Down at the first, up at the second, and so on."""
    return [(tick, f"b0 40 {'00' if index % 2 else '7f'}") for index, tick in enumerate(ticks)]


@pytest.mark.parametrize(
    ("pedals", "ends"),
    [
        ((0, 4 * 480), [1.0, 2.0, 3.0, 4.0]),  # to the next note of the line, the last to the pedal's end
        ((0, 480 + 240, 2 * 480, 4 * 480), [1.0, 1.5, 3.0, 4.0]),
        ((0, 30), [0.125, 1.125, 2.125, 3.125]),  # up before the notes end
        ((960 - 1,), [0.125, 1.125, 3.0, 4.0]),  # never up: to the track's end
        ((), [0.125, 1.125, 2.125, 3.125]),
    ],
)
def test_the_pedal_holds_notes_to_its_end_or_to_the_next_note(pedals: tuple[int, ...], ends: list[float]) -> None:
    events = [*notes(TUNE[:4], length=60), *pedal(*pedals), (4 * 480, "b0 0b 7f")]
    (part,) = song_from_bytes(smf(track(events))).parts
    assert part.ends.tolist() == ends


@pytest.mark.parametrize(("value", "end"), [(63, 0.125), (64, 1.0)])
def test_the_pedal_is_down_from_64_of_127(value: int, end: float) -> None:
    events = [*notes(TUNE[:2], length=60), (0, f"b0 40 {value:02x}"), (2 * 480, "b0 40 00")]
    (part,) = song_from_bytes(smf(track(events))).parts
    assert part.ends[0] == end


def test_the_pedal_leaves_what_is_legato_as_it_is() -> None:
    events = [*notes([72], length=4 * 480), *notes([60, 62, 64], length=480), *pedal(0, 4 * 480)]
    (part,) = song_from_bytes(smf(track(events))).parts
    assert part.ends.tolist() == [1.0, 4.0, 2.0, 4.0]
