"""The sources below folders, and what each one gives: its windows, or the reason why there are none.

A source is a file, or one of the tunes in a file that holds several. Names are relative to the input that holds the
source, with forward slashes; a tune's number comes last: ``irish/reels.abc#12``. No two sources have the same name:
where those of two inputs would, the names of all begin with the folder of their input: ``A/x.mid``, ``B/x.mid``.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_prep.ledger import OTHER_NOTICE
from data_prep.windows import PrepError, PrepOptions, TrackWindows, cut_windows
from melodyvae.music.notes import Song
from melodyvae.music.styles import OPEN, style_code, style_in
from melodyvae.music.voice import MelodyError
from melodyvae.reading.collection import NoSuchCollectionError, collection_files, collection_of
from melodyvae.reading.midi import MidiError, file_bytes, song_from_bytes
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import SCORE_SUFFIXES, is_score, song_from_score_bytes, song_from_tune, tunes_of
from melodyvae.reading.tunes import MANY_TUNES_SUFFIXES

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".smf", ".kar", ".rmi"})
MUSIC_SUFFIXES = MIDI_SUFFIXES | SCORE_SUFFIXES


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and what the ledger calls it; of one of several tunes in a file, its own text."""

    path: str
    name: str
    text: str | None = None


@dataclass(frozen=True)
class SourceResult:
    """Result of one source.

    Attributes:
        name: its name in the ledger.
        sha256: of its content (a tune's is its text in UTF-8); empty if that could not be read.
        reason: the kind of reason it gave nothing, or empty.
        detail: the reason in a sentence.
        tracks: the result of each track that was considered.
        notices: the kinds of faults fixed on reading; see :class:`~melodyvae.music.notes.Notice`.
    """

    name: str
    sha256: str = ""
    reason: str = ""
    detail: str = ""
    tracks: tuple[TrackWindows, ...] = field(default=())
    notices: tuple[str, ...] = ()


def walk(inputs: Sequence[str | Path]) -> list[SourceFile]:
    """The sources in ``inputs``: files named, all below the folders named, and collections such as ``music21:bach``.

    Each is listed once, under a name of its own. Links to folders are not followed.

    Raises:
        PrepError: if an input is missing.
    """
    files_by_input = [list(_walk_one(given)) for given in inputs]
    if len(files_by_input) == 1:
        return files_by_input[0]
    places: set[tuple[str, str]] = set()  # a file may lie in several inputs
    for files in files_by_input:
        new = [file for file in files if _place_of(file) not in places]
        places.update(map(_place_of, new))
        files[:] = new
    names = [file.name for files in files_by_input for file in files]
    if len(set(names)) < len(names):
        labels = _labels(inputs)
        files_by_input = [
            [replace(file, name=f"{label}/{file.name}") for file in files]
            for label, files in zip(labels, files_by_input, strict=True)
        ]
    return [file for files in files_by_input for file in files]


def _walk_one(given: str | Path) -> Iterator[SourceFile]:
    """The sources in one input, by their names in it."""
    collection, entry = collection_of(given), Path(given)
    if collection is not None:
        try:
            files = collection_files(collection)
        except NoSuchCollectionError as error:
            raise PrepError(str(error)) from error
        for path, name in files:
            yield from _sources_in(path, name)
    elif entry.is_dir():
        for folder, folders, names in os.walk(entry):
            folders.sort()
            below = Path(folder).relative_to(entry).as_posix()
            for name in sorted(names):
                suffix = os.path.splitext(name)[1].lower()
                if suffix in MUSIC_SUFFIXES:  # plain strings, for there may be a million
                    file, label = os.path.join(folder, name), name if below == "." else f"{below}/{name}"
                    if suffix in MANY_TUNES_SUFFIXES:
                        yield from _sources_in(Path(file), label)
                    else:
                        yield SourceFile(file, label)
    elif os.path.lexists(entry):
        yield from _sources_in(entry, entry.name)
    else:
        raise PrepError(f"{entry} does not exist")


def _place_of(file: SourceFile) -> tuple[str, str]:
    """The file, and the tune in it: what no two sources share."""
    return os.path.abspath(file.path), file.name.rpartition("#")[2] if file.text is not None else ""


def _labels(inputs: Sequence[str | Path]) -> list[str]:
    """The folder of each input: its last name, or as many of its last names as it takes to tell the folders apart."""
    folders = [_folder_of(given) for given in inputs]
    labels: list[str] = []
    for length in range(1, max(map(len, folders)) + 1):
        labels = ["/".join(parts[-length:]) for parts in folders]
        if len(set(labels)) == len(set(folders)):
            break
    return labels


def _folder_of(given: str | Path) -> tuple[str, ...]:
    collection = collection_of(given)
    if collection is not None:
        return ("music21", collection)
    path = Path(os.path.abspath(given))
    return tuple((path if path.is_dir() else path.parent).as_posix().strip("/").split("/"))


def read_source(options: PrepOptions, file: SourceFile) -> SourceResult:
    """Read one file. Every error that a file can cause becomes a reason."""
    sha256 = ""
    notices: tuple[str, ...] = ()
    try:
        if not stat.S_ISREG(os.stat(file.path).st_mode):
            return SourceResult(file.name, reason="not_a_file", detail="it is not a regular file")
        data = file_bytes(file.path) if file.text is None else file.text.encode()
        sha256 = hashlib.sha256(data).hexdigest()
        if file.text is None and _may_hold_tunes(file.path):
            data = next(tunes_of(data, Path(file.path).suffix, file.name)).text.encode()
            sha256 = hashlib.sha256(data).hexdigest()
        song = _song(data, file, options.repeats)
        notices = tuple(getattr(notice, "kind", OTHER_NOTICE) for notice in song.notices)
        tracks = tuple(cut_windows(song, options, _style_of(file, data, options)))
    except (MidiError, MelodyError) as error:
        return SourceResult(file.name, sha256, error.reason, str(error).replace(file.path, file.name), (), notices)
    except FileNotFoundError:
        return SourceResult(file.name, sha256, "not_a_file", "it is gone, or a link that leads nowhere")
    except OSError as error:
        return SourceResult(file.name, sha256, "unreadable", error.strerror or str(error))
    reason, detail = _why_nothing(tracks)
    return SourceResult(file.name, sha256, reason, detail, tracks, notices)


def _style_of(file: SourceFile, data: bytes, options: PrepOptions) -> int:
    """The style's code: that of a folder the file lies in, or else what the tune's rhythm, title or file name says."""
    folders = Path(file.path).parent.parts
    for folder, style in options.styles:
        if folder in folders:
            return style_code(style)
    fields = re.findall(rb"(?m)^[RT]:(.*)$", data) if _may_hold_tunes(file.path) else []
    texts = [field.decode(errors="replace") for field in sorted(fields, key=fields.index)]
    return next((code for text in [*texts[::-1], Path(file.name).stem] if (code := style_in(text))), OPEN)


def _sources_in(path: Path, name: str) -> Iterator[SourceFile]:
    """The file as a source, or the tunes in it, if it holds several."""
    tunes = []
    if _may_hold_tunes(path):
        # One that cannot be read is a source all the same: reading it says why it gives nothing.
        with suppress(MidiError, OSError):
            if stat.S_ISREG(path.stat().st_mode):
                tunes = list(tunes_of(file_bytes(path), path.suffix, name))
    if len(tunes) < 2:
        yield SourceFile(str(path), name)
    for tune in tunes if len(tunes) > 1 else ():
        yield SourceFile(str(path), f"{name}#{tune.number}", tune.text)


def _may_hold_tunes(path: str | Path) -> bool:
    return Path(path).suffix.lower() in MANY_TUNES_SUFFIXES


def _song(data: bytes, file: SourceFile, repeats: Repeats) -> Song:
    if _may_hold_tunes(file.path):
        return song_from_tune(data.decode(), Path(file.path).suffix, file.name, repeats=repeats)
    if is_score(file.path):
        return song_from_score_bytes(data, file.name, repeats)
    return song_from_bytes(data, file.name)


def _why_nothing(tracks: Sequence[TrackWindows]) -> tuple[str, str]:
    """The reason that most tracks share, if none gave windows."""
    if any(len(track.tokens) for track in tracks):
        return "", ""
    reasons = [track.reason for track in tracks]
    reason = max(sorted(set(reasons)), key=reasons.count)
    number = next(track.number for track in tracks if track.reason == reason)
    left_out = next(track.left_out for track in tracks if track.reason == reason)
    if reason == "too_short":
        return reason, f"{number:g} bars in a row"
    if reason in ("off_grid", "triplets"):
        return reason, f"{number:.0%} of the onsets lie off the grid"
    return reason, ", ".join(f"{count} {name}" for name, count in left_out.items())
