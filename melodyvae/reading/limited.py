"""Read an untrusted file within limits of size, notes, time and memory.

MIDI and ABC are read here, which is quick: their size, their events and their notes are bounded. The tree of elements
of a MusicXML file can take gigabytes: other scores are read in a separate process, which is started on first use, kept
for the next file, and ends with this one.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path

from melodyvae.music.notes import Song
from melodyvae.reading.midi import MidiError, read_midi
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.score import is_score, read_score
from melodyvae.reading.tunes import split_tune
from melodyvae.system.limits import LimitedProcess, Limits, Lost

__all__ = ["ReaderCrashedError", "TooMuchMemoryError", "TooSlowError", "close_reader", "read_song", "start_reader"]


class TooSlowError(MidiError):
    """Reading the file takes longer than the limit."""

    reason = "too_slow"


class TooMuchMemoryError(MidiError):
    """Reading the file takes more memory than the limit."""

    reason = "too_much_memory"


class ReaderCrashedError(MidiError):
    """The process that reads the file ended, twice."""

    reason = "crashed"


def read_song(path: str | Path, limits: Limits | None = None, repeats: Repeats = "written") -> Song:
    """The piece in a MIDI or score file; of several tunes the first, or the one that ``book.abc#12`` names.

    Args:
        path: the file.
        limits: of time and memory, for a score; None reads it in this process, as is right for one's own files.
        repeats: of a score: ``written`` takes every bar once, ``play`` as often as it is played.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    if not is_score(path):
        return read_midi(path)
    if limits is None or split_tune(path)[0].suffix.lower() == ".abc":
        return read_score(path, repeats)
    return _reader.read(Path(path), limits, repeats)


def start_reader(limits: Limits | None = None) -> None:
    """Start the process that reads scores, so that it gets ready while this one does something else."""
    _reader.start(limits or Limits())


def close_reader() -> None:
    """End the process that reads scores, if there is one; a later file starts another."""
    _reader.close()


class _Reader:
    """The process that reads scores, for all threads: one file at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: LimitedProcess[tuple[str, Repeats], Song | Exception] | None = None
        self._owner = os.getpid()

    def read(self, path: Path, limits: Limits, repeats: Repeats) -> Song:
        """The tune in a score file that the path names."""
        with self._lock:
            outcome = self._process_for(limits)([(str(path), repeats)])[0]
        if isinstance(outcome, Song):
            return outcome
        if isinstance(outcome, Lost):
            raise _error_of(outcome.reason, path, limits)
        raise outcome

    def start(self, limits: Limits) -> None:
        """Start the process."""
        with self._lock:
            self._process_for(limits).start()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None and self._owner == os.getpid():
                self._process.close()
            self._process = None

    def _process_for(self, limits: Limits) -> LimitedProcess[tuple[str, Repeats], Song | Exception]:
        is_other = self._process is None or self._process.limits != limits or self._owner != os.getpid()
        if is_other:
            if self._process is not None and self._owner == os.getpid():
                self._process.close()
            self._process, self._owner = LimitedProcess(_read, limits), os.getpid()
        assert self._process is not None  # for mypy
        return self._process


def _read(path_and_repeats: tuple[str, Repeats]) -> Song | Exception:
    try:
        return read_score(*path_and_repeats)
    except (MidiError, OSError) as error:
        return error


def _error_of(reason: str, path: Path, limits: Limits) -> MidiError:
    if reason == "too_slow":
        return TooSlowError(
            f"{path} takes longer to read than {limits.seconds:g} seconds. Split it, or export it as MIDI."
        )
    if reason == "too_much_memory":
        return TooMuchMemoryError(
            f"{path} takes more memory to read than {limits.memory_bytes / 2**20:.0f} MiB. Split it, or export it as "
            "MIDI."
        )
    return ReaderCrashedError(f"{path} cannot be read: the program that reads it ended. Export it again, or as MIDI.")


_reader = _Reader()
atexit.register(close_reader)
