"""Journal of results by source, on disk while a dataset is made: memory stays flat and a stopped run can go on.

A journal is a folder of three files: ``options.json``; ``results.jsonl``, a line per source; ``windows.bin``, with each
line's windows: for each of its tracks the tokens, the first bars, the phases and the meters. A line is written after
its windows, so an interrupted run leaves at most bytes at the end of ``windows.bin`` or half a line, which are cut off.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources import SourceResult
from data_prep.windows import PrepError, PrepOptions, TrackWindows
from melodyvae.system.files import remove_unfinished, whole_file

PLACE_BYTES = 4 + 2 + 2  # first bar, phase, and meter
VERSION = 4  # the first had sources of one name in several inputs; the second no notices; the third no meters
MARKER = "options.json"
FINISHED_MARKER = "finished.json"  # the same, once the dataset is about to be put in its place
FILES = frozenset({MARKER, FINISHED_MARKER, "results.jsonl", "windows.bin"})


@dataclass(frozen=True)
class Entry:
    """A source as kept in memory: enough to order sources and to find the rest.

    ``line_at`` is the offset of its line; ``has_windows`` is False if a reason kept it out.
    """

    name: str
    sha256: bytes
    line_at: int
    has_windows: bool


class Journal:
    """The journal in ``folder``; a context manager that closes its files."""

    def __init__(self, folder: Path, options: PrepOptions, inputs: Sequence[str], resume: bool) -> None:
        """Open a journal: an earlier one of the same options and inputs if ``resume``, an empty one otherwise."""
        self.folder = folder
        self.options = options
        self.entries: list[Entry] = []
        chosen = json.loads(json.dumps(asdict(options)))
        content = {"version": VERSION, "options": chosen, "inputs": list(inputs)}
        marker = folder / MARKER
        remove_unfinished(folder)
        goes_on = resume and content in (_read(marker), _read(folder / FINISHED_MARKER))
        if not goes_on:
            _clear(folder)
            folder.mkdir(parents=True)
            with whole_file(marker) as temporary:
                temporary.write_text(json.dumps(content), encoding="utf-8")
        self._lines = (folder / "results.jsonl").open("a+b")
        self._windows = (folder / "windows.bin").open("a+b")
        self._recover()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._windows.close()

    def add(self, result: SourceResult) -> None:
        """Write down what a source gave."""
        windows_at = self._windows_end
        for track in result.tracks:
            self._windows_end += self._windows.write(track.tokens.astype(np.uint8, copy=False).tobytes())
            self._windows_end += self._windows.write(track.first_bars.astype("<u4", copy=False).tobytes())
            self._windows_end += self._windows.write(track.phases.astype("<u2", copy=False).tobytes())
            self._windows_end += self._windows.write(track.meters.astype("u1", copy=False).tobytes())
        self._windows.flush()
        line = {
            "name": result.name,
            "sha256": result.sha256,
            "reason": result.reason,
            "detail": result.detail,
            "notices": result.notices,
            "windows_at": windows_at,
            "tracks": [
                {
                    "track": track.track,
                    "name": track.name,
                    "windows": len(track.tokens),
                    "reason": track.reason,
                    "number": track.number,
                    "left_out": track.left_out,
                    "key": track.key,
                    "shift": track.shift,
                    "speed": track.speed,
                    "moved_to_grid": track.moved_to_grid,
                    "swing": track.swing,
                    "delay": track.delay,
                    "style": track.style,
                }
                for track in result.tracks
            ],
        }
        line_at = self._lines_end
        self._lines_end += self._lines.write(json.dumps(line).encode() + b"\n")
        self._lines.flush()
        self._remember(line, line_at)

    def finish(self) -> None:
        """Mark the journal as complete: once the dataset is in its place, the journal may be removed."""
        if (self.folder / MARKER).exists():
            os.replace(self.folder / MARKER, self.folder / FINISHED_MARKER)

    def read(self, entry: Entry) -> SourceResult:
        """The recorded result of a source."""
        line = self.line(entry)
        self._windows.seek(line["windows_at"])
        tracks = []
        for track in line["tracks"]:
            count = track.pop("windows")
            tokens = np.frombuffer(self._windows.read(count * self.options.steps), np.uint8)
            first_bars = np.frombuffer(self._windows.read(count * 4), "<u4")
            phases = np.frombuffer(self._windows.read(count * 2), "<u2")
            meters = np.frombuffer(self._windows.read(count * 2), "u1").reshape(count, 2)
            tokens = tokens.reshape(count, self.options.steps)
            tracks.append(TrackWindows(tokens=tokens, first_bars=first_bars, phases=phases, meters=meters, **track))
        return SourceResult(
            line["name"], line["sha256"], line["reason"], line["detail"], tuple(tracks), tuple(line["notices"])
        )

    def line(self, entry: Entry) -> dict[str, Any]:
        """The same without tokens and bars, as plain values; ``windows`` says how many windows per track has."""
        self._lines.seek(entry.line_at)
        line: dict[str, Any] = json.loads(self._lines.readline())
        return line

    def _remember(self, line: dict[str, Any], line_at: int) -> None:
        has_windows = not line["reason"]
        self.entries.append(Entry(line["name"], bytes.fromhex(line["sha256"]), line_at, has_windows))

    def _recover(self) -> None:
        """Take up the whole lines, and cut off what came after them."""
        self._lines.seek(0)
        line_at, windows_end = 0, 0
        windows_there = self._windows.seek(0, os.SEEK_END)
        for raw in self._lines:
            if not raw.endswith(b"\n"):
                break
            line = json.loads(raw)
            count = sum(track["windows"] for track in line["tracks"])
            end = line["windows_at"] + count * (self.options.steps + PLACE_BYTES)
            if end > windows_there:  # the system went down before it wrote them
                break
            windows_end = end
            self._remember(line, line_at)
            line_at += len(raw)
        self._lines.truncate(line_at)
        self._windows.truncate(windows_end)
        self._lines_end, self._windows_end = line_at, windows_end


def remove_finished(folder: Path) -> None:
    """Remove the journal in ``folder`` if its dataset was finished, or if it was being removed."""
    if folder.is_dir() and not (folder / MARKER).exists() and all(path.name in FILES for path in folder.iterdir()):
        shutil.rmtree(folder)


def _read(marker: Path) -> Any:
    """Content of a marker; None if it is missing or incomplete."""
    try:
        return json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _clear(folder: Path) -> None:
    """Remove an earlier journal.

    Raises:
        PrepError: if something else is at its place.
    """
    if not os.path.lexists(folder):
        return
    is_journal = folder.is_dir() and not folder.is_symlink() and all(path.name in FILES for path in folder.iterdir())
    if not is_journal:
        raise PrepError(f"{folder} is in the way: it is not an unfinished dataset; move it, or choose another folder")
    shutil.rmtree(folder)
