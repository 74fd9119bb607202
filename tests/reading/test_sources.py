"""All things that hold a piece give the same notes; a thing without a piece gets a sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from melodyvae.reading.melodies import read_melody
from melodyvae.reading.midi import EmptyFileError, FileTooLargeError, NotMidiError
from melodyvae.reading.sources import SourceError, song_of_source
from melodyvae.vae import MelodyVAE
from tests.reading.hostile import NOTE, abc, kern, measure, musicxml
from tests.reading.smf import tune

PITCHES = [60, 62, 64, 65]
MIDI = tune(PITCHES)


def pretty(data: bytes) -> Any:
    from pretty_midi import PrettyMIDI

    return PrettyMIDI(io.BytesIO(data))


def of_mido(data: bytes) -> Any:
    from mido import MidiFile

    return MidiFile(file=io.BytesIO(data))


def of_symusic(unit: str) -> Callable[[bytes], Any]:
    def score(data: bytes) -> Any:
        import symusic

        return symusic.Score.from_midi(data).to(unit)

    return score


def of_music21(data: bytes) -> Any:
    from music21 import note, stream

    return stream.Stream([note.Note(pitch) for pitch in PITCHES])


KINDS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "file": io.BytesIO,
    "pretty_midi": pretty,
    "mido": of_mido,
    "symusic, ticks": of_symusic("tick"),
    "symusic, quarters": of_symusic("quarter"),
    "symusic, seconds": of_symusic("second"),
    "music21": of_music21,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the other packages
@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_a_piece_is_a_source(kind: str) -> None:
    _, song = song_of_source(KINDS[kind](MIDI))
    assert song.parts[0].pitches.tolist() == PITCHES
    assert song.parts[0].starts.tolist() == [0, 1, 2, 3]


def test_a_path_may_be_any_path_like_object(tmp_path: Path) -> None:
    class Place:
        def __fspath__(self) -> str:
            return str(tmp_path / "a.mid")

    (tmp_path / "a.mid").write_bytes(MIDI)
    assert song_of_source(Place())[1].parts[0].pitches.tolist() == PITCHES


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.xml", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        abc("cccc|"),
        b"% a book\n\n" + abc("cccc|"),
        kern("=1\n4cc\n4cc\n4cc\n4cc\n"),
        b"!!!OTL: A tune\n" + kern("=1\n4cc\n4cc\n4cc\n4cc\n"),
        musicxml(measure(1, NOTE * 4)),
        b"\xef\xbb\xbf" + musicxml(measure(1, NOTE * 4)),
        musicxml(measure(1, NOTE * 4), "UTF-16").decode().encode("utf-16"),
        zipped(musicxml(measure(1, NOTE * 4))),
    ],
    ids=["abc", "abc book", "kern", "kern with a head", "musicxml", "with a mark", "utf-16", "mxl"],
)
def test_the_format_of_bytes_is_known_by_their_beginning(data: bytes) -> None:
    assert song_of_source(data)[1].parts[0].pitches.tolist() == [72] * 4


def test_an_open_file_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(MIDI)
    with path.open("rb") as file:
        first, second = read_melody(file), read_melody(file)
    assert first.melody == second.melody
    assert song_of_source(io.StringIO(abc("cccc|").decode()))[1].parts[0].pitches.tolist() == [72] * 4


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (None, "None"),
        (3, "a value of type int"),
        ([MIDI], "a value of type list"),
        (np.zeros(32), "a value of type ndarray"),
        (np, "a value of type module"),
    ],
)
def test_what_holds_no_piece_is_refused_in_a_sentence(value: Any, named: str) -> None:
    with pytest.raises(SourceError, match=f"^{named} holds no piece of music: give a path, the bytes of"):
        song_of_source(value)
    assert issubclass(SourceError, TypeError)


def test_a_note_or_message_of_a_known_package_is_no_piece() -> None:
    from mido import Message
    from music21.note import Note

    for value in (Message("note_on"), Note("C4")):
        with pytest.raises(SourceError, match=f"a value of type {type(value).__name__} holds no piece"):
            song_of_source(value)  # type: ignore[arg-type]


def test_bytes_and_files_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmptyFileError):
        song_of_source(b"")
    with pytest.raises(NotMidiError, match="the data is not a MIDI file"):
        song_of_source(b"hello")
    closed = io.BytesIO(MIDI)
    closed.close()
    with pytest.raises(SourceError, match="the open file cannot be read: I/O operation on closed file"):
        song_of_source(closed)
    monkeypatch.setattr("melodyvae.reading.sources.MAX_FILE_BYTES", 10)
    with pytest.raises(FileTooLargeError, match="the open file is"):
        song_of_source(io.BytesIO(MIDI))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_verb_takes_them_and_says_what_it_does_not_take() -> None:
    vae = MelodyVAE.from_pretrained("melody-2bar")
    walk = vae.interpolate(MIDI, io.BytesIO(MIDI), 2)
    assert walk[0].notes == walk[1].notes
    assert vae.encode([MIDI, of_mido(MIDI)]).shape[0] == 2
    assert [note.pitch for note in vae.reconstruct(of_symusic("tick")(MIDI))[0].notes] == PITCHES
    with pytest.raises(SourceError, match="None holds no piece of music"):
        vae.reconstruct(None)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="a value of type dict holds no piece of music"):
        vae.score({})  # type: ignore[arg-type]
