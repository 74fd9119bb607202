"""The sources below folders, and what each one gives: its windows, or the reason why there are none.

Names are relative to the input that holds the source, with forward slashes, and the same on every machine.

Contents: :class:`SourceFile`, :func:`walk`; :func:`read_source`, :class:`SourceResult`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.midi import MidiError, file_bytes, song_from_bytes
from data_prep.voice import MelodyError
from data_prep.windows import PrepError, PrepOptions, TrackWindows, cut_windows

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".smf", ".kar"})


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and what the ledger calls it."""

    path: str
    name: str


@dataclass(frozen=True)
class SourceResult:
    """What one source gave.

    Attributes:
        name: what the ledger calls it.
        sha256: of its content; empty if that could not be read.
        reason: why it gave nothing, or empty.
        detail: the same in a sentence.
        tracks: what each track that was considered gave.
    """

    name: str
    sha256: str = ""
    reason: str = ""
    detail: str = ""
    tracks: tuple[TrackWindows, ...] = field(default=())


def walk(inputs: Sequence[str | Path]) -> Iterator[SourceFile]:
    """The files in ``inputs``: those named, and all below the folders named; links to folders are not followed.

    Raises:
        PrepError: if an input is missing.
    """
    for entry in map(Path, inputs):
        if entry.is_dir():
            for folder, folders, names in os.walk(entry):
                folders.sort()
                for name in sorted(names):
                    path = Path(folder, name)
                    if path.suffix.lower() in MIDI_SUFFIXES:
                        yield SourceFile(str(path), path.relative_to(entry).as_posix())
        elif os.path.lexists(entry):
            yield SourceFile(str(entry), entry.name)
        else:
            raise PrepError(f"{entry} does not exist")


def read_source(options: PrepOptions, file: SourceFile) -> SourceResult:
    """What a file gives. Every error that a file can cause becomes a reason."""
    sha256 = ""
    try:
        if not stat.S_ISREG(os.stat(file.path).st_mode):
            return SourceResult(file.name, reason="not_a_file", detail="it is no regular file")
        data = file_bytes(file.path)
        sha256 = hashlib.sha256(data).hexdigest()
        tracks = tuple(cut_windows(song_from_bytes(data, file.name), options))
    except (MidiError, MelodyError) as error:
        return SourceResult(file.name, sha256, error.reason, str(error).replace(file.path, file.name))
    except FileNotFoundError:
        return SourceResult(file.name, sha256, "not_a_file", "it is gone, or a link that leads nowhere")
    except OSError as error:
        return SourceResult(file.name, sha256, "unreadable", error.strerror or str(error))
    reason, detail = _why_nothing(tracks)
    return SourceResult(file.name, sha256, reason, detail, tracks)


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
