"""Anything that holds a piece -> the piece: a path, bytes, an open file, or an object of another package."""

from __future__ import annotations

import os
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from melodyvae.music.notes import Song
from melodyvae.reading.faults import CorruptScoreError
from melodyvae.reading.limited import read_song
from melodyvae.reading.midi import MAX_FILE_BYTES, FileTooLargeError, song_from_bytes, utf8_names
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import song_from_score_bytes, song_from_tune, tunes_of
from melodyvae.system.errors import UserError
from melodyvae.system.limits import Limits

if TYPE_CHECKING:
    import mido
    import music21.stream
    import pretty_midi
    import symusic.core

__all__ = ["PieceSource", "SourceError", "song_of_source"]


class Readable(Protocol):
    """A file that is open for reading."""

    def read(self, size: int = ..., /) -> bytes | str:
        """Return the next bytes or characters."""
        ...

    def seekable(self) -> bool:
        """Whether it can be put back to where it was."""
        ...


PieceSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | Song | Readable | pretty_midi.PrettyMIDI | mido.MidiFile | "
    "symusic.core.ScoreTick | symusic.core.ScoreQuarter | symusic.core.ScoreSecond | music21.stream.Stream[Any]"
)
ACCEPTED = (
    "give a path, the bytes of a file, an open file, or an object of pretty_midi (PrettyMIDI), mido (MidiFile), "
    "symusic (Score) or music21 (a stream)"
)


class SourceError(UserError, TypeError):
    """The object given as a piece holds none."""


def song_of_source(source: PieceSource, limits: Limits | None = None, repeats: Repeats = "written") -> tuple[str, Song]:
    """The name by which errors call a source, and the piece in it; of several tunes the first.

    Bytes and open files may hold any format that files have; it is known by how they begin. An open file is read from
    where it is and put back there, if it can be.

    Args:
        source: see :data:`PieceSource`.
        limits: of time and memory, for a file of a score; see :mod:`melodyvae.reading.limited`.
        repeats: of a score: ``written`` takes every bar once, ``play`` as often as it is played.

    Raises:
        SourceError: if it is nothing that holds a piece.
        MidiError: if it cannot be read.
        OSError: if a file cannot be opened.
    """
    if isinstance(source, Song):
        return "the piece", source
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return str(path), read_song(path, limits, repeats)
    if isinstance(source, bytes | bytearray | memoryview):
        return "the data", _song_of_bytes(bytes(source), "the data", repeats)
    if callable(getattr(source, "read", None)):
        name = f"the file {os.path.basename(str(source.name))}" if hasattr(source, "name") else "the open file"
        return name, _song_of_bytes(_content(source, name), name, repeats)
    packages = {kind.__module__.partition(".")[0] for kind in type(source).__mro__}
    name = f"the {type(source).__name__} object"
    for package, (attribute, bytes_of) in _OBJECTS.items():
        if package in packages and hasattr(source, attribute):
            try:
                data = bytes_of(source)
            except Exception as error:  # its package raises whatever it runs into
                raise CorruptScoreError(
                    f"{name} cannot be read: {package} cannot write it as a file: {error}"
                ) from error
            return name, _song_of_bytes(data, name, repeats)
    raise SourceError(f"{_described(source)} holds no piece of music: {ACCEPTED}")


def _song_of_bytes(data: bytes, name: str, repeats: Repeats) -> Song:
    """The piece in the bytes of a file of any format."""
    if len(data) > MAX_FILE_BYTES:
        raise FileTooLargeError(f"{name} is {len(data) / 2**20:.0f} MiB; a piece of music is under 64")
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"PK", b"<", b"\xff\xfe<", b"\xfe\xff")):
        return song_from_score_bytes(data, name, repeats)
    is_kern = start.startswith((b"**", b"!!"))
    if is_kern or re.search(rb"^(%abc|X:)", start, re.M):
        suffix = ".krn" if is_kern else ".abc"
        tune = next(tunes_of(data, suffix, name))
        return song_from_tune(tune.text, suffix, name, tune.line_in_file, repeats)
    return song_from_bytes(data, name)


def _content(file: Any, name: str) -> bytes:
    try:
        place = file.tell() if file.seekable() else None
        content = file.read(MAX_FILE_BYTES + 1)
        if place is not None:
            file.seek(place)
    except ValueError as error:
        raise SourceError(f"{name} cannot be read: {error}") from error
    if not isinstance(content, bytes | str):
        raise SourceError(f"{name} gives {_described(content)} when it is read, not bytes")
    return content.encode() if isinstance(content, str) else content


def _described(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _bytes_of_pretty_midi(midi: Any) -> bytes:
    buffer = BytesIO()
    with utf8_names(midi):
        midi.write(buffer)
    return buffer.getvalue()


def _bytes_of_mido(midi: Any) -> bytes:
    buffer = BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def _bytes_of_symusic(score: Any) -> bytes:
    return bytes(score.to("tick").dumps_midi())


def _bytes_of_music21(stream: Any) -> bytes:
    """The stream as MusicXML: ties, repeats and transpositions are then read as those of a score."""
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    first = next(iter(getattr(stream, "scores", ())), stream)  # an Opus has several
    return bytes(GeneralObjectExporter(first).parse())


_OBJECTS = {  # by package: an attribute that only the kind that is accepted has
    "pretty_midi": ("instruments", _bytes_of_pretty_midi),
    "mido": ("tracks", _bytes_of_mido),
    "symusic": ("dumps_midi", _bytes_of_symusic),
    "music21": ("recurse", _bytes_of_music21),
}
