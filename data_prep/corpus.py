"""Folders of files -> a dataset folder; the only module that walks, counts, and survives bad files.

A dataset folder holds

    train.npy, valid.npy, test.npy   token windows, uint8 (N, T)
    windows.npy                      where each row is from, in the order train, valid, test: split (0, 1, 2),
                                     source (index in meta.json), track (from 0), first_bar (of the piece, from 0)
    meta.json                        vocabulary, meter, bars, counts, options, versions, hash of every source
    ledger.jsonl                     one JSON object a file: its windows, and why the rest was left out

and is a function of the files' contents and the options: order, names' order, workers and machine do not change a byte
of the arrays. The split is by source: a file's SHA-256 alone says where it goes, in every dataset it is ever part of.

Contents: :class:`PrepOptions`, :func:`prepare`, :class:`PrepReport`, :func:`split_of`, :data:`REASONS`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.melody import Region, find_regions
from data_prep.midi import MidiError, read_midi
from data_prep.notes import Song
from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary
from data_prep.voice import AUTO, DrumsOnlyError, MelodyError, NoNotesError, choose_part

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
TEST_SHARE = 0.05
VALID_SHARE = 0.05
MIDI_SUFFIXES = frozenset({".mid", ".midi", ".smf", ".kar"})
WINDOW_DTYPE = np.dtype([("split", "u1"), ("source", "<u4"), ("track", "<u2"), ("first_bar", "<u4")])
ALL_TRACKS = "all"
ANY_METER = "any"

REASONS: dict[str, str] = {
    # of files
    "empty_file": "the file holds no byte",
    "not_midi": "the file is no MIDI file",
    "truncated": "the file ends too early",
    "corrupt": "the file is damaged inside",
    "unsupported": "MIDI of type 2, or clocked in film frames",
    "too_large": "the file is larger than any piece of music",
    "unreadable": "the file could not be opened",
    "duplicate_file": "the same bytes as a file already taken",
    "drums": "only drums in it",
    "no_notes": "no note in it",
    "no_such_track": "it has no track of that number or name",
    "no_melody": "no melody in it",
    "meter": "no whole bars in the meter asked for",
    "too_short": "fewer bars in a row than a window has",
    "no_window": "bars enough, but no window passed the rules below",
    # of windows
    "off_grid": "a note begins off the step grid",
    "silence": "more than a bar of silence in a row",
    "sparse": "fewer notes than one a bar",
    "duplicate_window": "the same window was taken before",
    "in_train": "held out, but occurs in train in some key",
}


class PrepError(ValueError):
    """A dataset cannot be made; the message gives the reasons."""


@dataclass(frozen=True)
class PrepOptions:
    """What a window is. ``meter`` is such as ``"4/4"`` (2/2 counts as it), or ``"any"``: 4/4 laid over every piece."""

    bars: int = 2
    steps_per_quarter: int = 4
    meter: str = "4/4"
    track: str = AUTO
    stride_bars: int = 1

    def __post_init__(self) -> None:
        for name in ("bars", "steps_per_quarter", "stride_bars"):
            if getattr(self, name) < 1:
                raise PrepError(f"{name} is {getattr(self, name)}; it must be at least 1")
        numerator, denominator = self.bar_meter
        if 4 * numerator * self.steps_per_quarter % denominator:
            raise PrepError(f"a bar of {self.meter} is no whole number of steps at {self.steps_per_quarter} a quarter")

    @property
    def bar_meter(self) -> tuple[int, int]:
        """The meter of a window's bars."""
        if self.meter == ANY_METER:
            return (4, 4)
        numerator, slash, denominator = self.meter.partition("/")
        if not (slash and numerator.isdecimal() and denominator.isdecimal() and int(numerator) and int(denominator)):
            raise PrepError(f"meter is {self.meter!r}; it must be such as 4/4, 3/4 or 6/8, or any")
        return int(numerator), int(denominator)

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in one bar."""
        numerator, denominator = self.bar_meter
        return 4 * numerator * self.steps_per_quarter // denominator

    @property
    def steps(self) -> int:
        """Grid steps in one window (T)."""
        return self.bars * self.steps_per_bar


@dataclass(frozen=True)
class PrepReport:
    """What :func:`prepare` did.

    Attributes:
        output: the dataset folder.
        files: how many were looked at.
        melodies: how many tracks gave windows.
        counts: windows by split.
        left_out_files: files by reason.
        left_out_windows: windows by reason.
    """

    output: Path
    files: int
    melodies: int
    counts: dict[str, int]
    left_out_files: dict[str, int]
    left_out_windows: dict[str, int]


@dataclass
class _FileResult:
    """What one file gave; made by a worker and not changed afterwards."""

    name: str
    sha256: str = ""
    reason: str = ""
    detail: str = ""
    tokens: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    tracks: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint16))
    first_bars: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint32))
    left_out: dict[str, int] = field(default_factory=dict)


def split_of(sha256: str) -> str:
    """The split that a source belongs to by its content hash: 5% test, 5% valid, the rest train."""
    share = _share(sha256)
    if share < TEST_SHARE:
        return "test"
    return "valid" if share < TEST_SHARE + VALID_SHARE else "train"


def prepare(
    inputs: Sequence[str | Path],
    output: str | Path,
    options: PrepOptions | None = None,
    *,
    workers: int | None = None,
    force: bool = False,
    on_file: Callable[[int, int], None] | None = None,
) -> PrepReport:
    """Make a dataset folder of the MIDI files in ``inputs`` (files, and folders with all that is below them).

    Args:
        inputs: files and folders.
        output: the folder to make.
        options: what a window is.
        workers: processes; as many as cores by default. 1 works in this process.
        force: replace ``output`` if it is there.
        on_file: called with (files done, files in all).

    Raises:
        PrepError: if an input is missing, if ``output`` exists and ``force`` is False, or if nothing is usable.
        OSError: if ``output`` cannot be written.
    """
    options = options or PrepOptions()
    output = Path(output)
    if output.exists() and not force:
        raise PrepError(f"{output} exists; choose another output folder, or replace it with --force")
    files = list(_walk(inputs))
    if not files:
        raise PrepError(
            f"no MIDI file in {', '.join(map(str, inputs))} (looked for {', '.join(sorted(MIDI_SUFFIXES))})"
        )
    results: list[_FileResult] = []
    for result in _results(files, options, workers):
        results.append(result)
        if on_file is not None:
            on_file(len(results), len(files))
    _mark_duplicates(results)
    rows, left_out_windows = _choose_rows(results)
    report = _report(output, results, rows, left_out_windows)
    if not len(rows.tokens):
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out_files.items())
        raise PrepError(f"nothing usable in {len(files)} files: {reasons}")
    _write(output, results, rows, report, options, force)
    return report


def _walk(inputs: Sequence[str | Path]) -> Iterator[tuple[Path, str]]:
    """(file, its name in the ledger): relative to the input that holds it."""
    for entry in map(Path, inputs):
        if entry.is_file():
            yield entry, entry.name
        elif entry.is_dir():
            for folder, folders, names in os.walk(entry):
                folders.sort()
                for name in sorted(names):
                    path = Path(folder, name)
                    if path.suffix.lower() in MIDI_SUFFIXES:
                        yield path, path.relative_to(entry).as_posix()
        else:
            raise PrepError(f"{entry} does not exist")


def _results(files: Sequence[tuple[Path, str]], options: PrepOptions, workers: int | None) -> Iterator[_FileResult]:
    work = partial(_prepare_file, options)
    workers = workers or len(os.sched_getaffinity(0))
    if workers == 1 or len(files) < 16:
        yield from map(work, files)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, files, chunksize=8)


def _prepare_file(options: PrepOptions, file: tuple[Path, str]) -> _FileResult:
    path, name = file
    result = _FileResult(name)
    try:
        result.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        song = read_midi(path)
        indices = _part_indices(song, options.track)
        _cut_windows(result, song, indices, options)
    except (MidiError, MelodyError) as error:
        result.reason, result.detail = error.reason, str(error).replace(str(path), name)
    except OSError as error:
        result.reason, result.detail = "unreadable", error.strerror or str(error)
    return result


def _part_indices(song: Song, track: str) -> list[int]:
    if track != ALL_TRACKS:
        return [choose_part(song, track)]
    if not song.parts:
        raise NoNotesError("there is no note in it")
    pitched = [index for index, part in enumerate(song.parts) if not part.is_drum]
    if not pitched:
        raise DrumsOnlyError("all its notes are drums")
    return pitched


def _cut_windows(result: _FileResult, song: Song, indices: list[int], options: PrepOptions) -> None:
    left_out: Counter[str] = Counter()
    tokens, tracks, first_bars = [], [], []
    meter = None if options.meter == ANY_METER else options.bar_meter
    longest = 0
    found_region = False
    for index in indices:
        for region in find_regions(song, index, options.steps_per_quarter, meter):
            found_region = True
            longest = max(longest, region.melody.length_steps // options.steps_per_bar)
            rows, bars = _windows_of(region, options, left_out)
            tokens.append(rows)
            tracks.append(np.full(len(rows), index, np.uint16))
            first_bars.append((region.first_bar + bars).astype(np.uint32))
    result.left_out = dict(left_out)
    if tokens and sum(map(len, tokens)):
        result.tokens = np.concatenate(tokens)
        result.tracks = np.concatenate(tracks)
        result.first_bars = np.concatenate(first_bars)
    elif not found_region:
        meters = sorted({f"{bar.numerator}/{bar.denominator}" for bar in song.bars()})
        result.reason, result.detail = "meter", f"its meters are {', '.join(meters)}"
    elif longest < options.bars:
        result.reason, result.detail = "too_short", f"{longest} bars in a row, a window has {options.bars}"
    else:
        result.reason, result.detail = "no_window", ", ".join(f"{n} {reason}" for reason, n in left_out.items())


def _windows_of(region: Region, options: PrepOptions, left_out: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """The windows of a region that pass the rules, ``(N, T)``, and the bar each begins at, ``(N,)``."""
    vocabulary = Vocabulary()
    melody = region.melody.fold_into(vocabulary.lowest_pitch, vocabulary.highest_pitch)
    tokens = vocabulary.encode(melody)
    bars = np.arange(0, len(tokens) // options.steps_per_bar - options.bars + 1, options.stride_bars)
    if not len(bars):
        return np.empty((0, options.steps), np.uint8), bars
    rows = vocabulary.windows(tokens, bars * options.steps_per_bar, options.steps)
    off_grid = np.zeros(len(tokens), dtype=bool)
    off_grid[[step for step in region.off_grid_steps if step < len(tokens)]] = True
    is_off_grid = off_grid[(bars * options.steps_per_bar)[:, None] + np.arange(options.steps)].any(axis=1)
    is_sparse = (rows >= FIRST_NOTE_ON).sum(axis=1) < options.bars
    is_silent = _longest_silence(rows, vocabulary) > options.steps_per_bar
    left_out["off_grid"] += int(is_off_grid.sum())
    left_out["sparse"] += int((is_sparse & ~is_off_grid).sum())
    left_out["silence"] += int((is_silent & ~is_sparse & ~is_off_grid).sum())
    keep = ~(is_off_grid | is_sparse | is_silent)
    return rows[keep], bars[keep]


def _longest_silence(rows: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Steps of the longest silence in each of ``(N, T)``: ``(N,)``."""
    is_silent = np.where(rows == NO_EVENT, ~vocabulary.sounding(rows), rows < FIRST_NOTE_ON)
    run = np.zeros(len(rows), dtype=np.int64)
    longest = run.copy()
    for column in is_silent.T:
        run = np.where(column, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


@dataclass(frozen=True)
class _Rows:
    """The windows of a dataset in their final order, with where each is from."""

    tokens: np.ndarray
    provenance: np.ndarray
    sources: list[_FileResult]
    splits: list[str]


def _mark_duplicates(results: Sequence[_FileResult]) -> None:
    """Of files with the same bytes, the one whose name comes first is kept."""
    taken: dict[str, str] = {}
    for result in sorted(results, key=lambda result: result.name):
        if not result.sha256 or result.reason:
            continue
        if result.sha256 in taken:
            result.reason, result.detail = "duplicate_file", taken[result.sha256]
        taken.setdefault(result.sha256, result.name)


def _choose_rows(results: Sequence[_FileResult]) -> tuple[_Rows, Counter[str]]:
    """The windows of all sources without repetition, ordered by split, then source hash, track and bar."""
    sources = sorted((result for result in results if not result.reason), key=lambda result: result.sha256)
    splits = _splits([source.sha256 for source in sources])
    left_out: Counter[str] = Counter()
    for source in sources:
        left_out.update(source.left_out)
    vocabulary = Vocabulary()
    seen: set[bytes] = set()
    in_train: set[bytes] = set()
    tokens, provenance = [], []
    for split_index, split in enumerate(SPLITS):
        for source_index, source in enumerate(sources):
            if splits[source_index] != split:
                continue
            normal_forms = vocabulary.normalise(source.tokens)
            for row, normal_form, track, first_bar in zip(
                source.tokens, normal_forms, source.tracks, source.first_bars, strict=True
            ):
                key, normal_key = row.tobytes(), normal_form.tobytes()
                if split == "train":
                    in_train.add(normal_key)
                elif normal_key in in_train:
                    left_out["in_train"] += 1
                    continue
                if key in seen:
                    left_out["duplicate_window"] += 1
                    continue
                seen.add(key)
                tokens.append(row)
                provenance.append((split_index, source_index, track, first_bar))
    stacked = np.stack(tokens) if tokens else np.empty((0, 0), np.uint8)
    return _Rows(stacked, np.array(provenance, WINDOW_DTYPE), sources, splits), left_out


def _splits(hashes: Sequence[str]) -> list[str]:
    """The split of each source; with three sources or more none of the splits stays empty."""
    splits = [split_of(sha256) for sha256 in hashes]
    by_share = sorted(range(len(hashes)), key=lambda index: _share(hashes[index]))
    if len(hashes) >= 3:
        for place, name in enumerate(("test", "valid")):
            if name not in splits:
                splits[by_share[place]] = name
        if "train" not in splits:
            splits[by_share[-1]] = "train"
    else:
        splits = ["train"] * len(hashes)
    return splits


def _share(sha256: str) -> float:
    return int(sha256[:16], 16) / 2**64


def _report(output: Path, results: Sequence[_FileResult], rows: _Rows, left_out: Counter[str]) -> PrepReport:
    reasons = Counter(result.reason for result in results if result.reason)
    kept = rows.provenance
    return PrepReport(
        output=output,
        files=len(results),
        melodies=len(np.unique(kept[["source", "track"]])),
        counts={name: int((kept["split"] == index).sum()) for index, name in enumerate(SPLITS)},
        left_out_files=dict(reasons.most_common()),
        left_out_windows={reason: count for reason, count in left_out.most_common() if count},
    )


def _write(
    output: Path,
    results: Sequence[_FileResult],
    rows: _Rows,
    report: PrepReport,
    options: PrepOptions,
    force: bool,
) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        staging.chmod(0o755)
        for index, name in enumerate(SPLITS):
            chosen = rows.tokens[rows.provenance["split"] == index]
            np.save(staging / f"{name}.npy", chosen.reshape(len(chosen), options.steps))
        np.save(staging / "windows.npy", rows.provenance)
        meta = _meta(staging, rows, report, options)
        (staging / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        split_by_hash = {source.sha256: split for source, split in zip(rows.sources, rows.splits, strict=True)}
        with (staging / "ledger.jsonl").open("w", encoding="utf-8") as ledger:
            for result in sorted(results, key=lambda result: result.name):
                line = {
                    "file": result.name,
                    "sha256": result.sha256,
                    "split": None if result.reason else split_by_hash[result.sha256],
                    "windows": 0 if result.reason else len(result.tokens),
                    "reason": result.reason or None,
                    "detail": result.detail or None,
                    "left_out": result.left_out,
                }
                ledger.write(json.dumps(line) + "\n")
        if force and output.exists():
            shutil.rmtree(output)
        os.replace(staging, output)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _meta(staging: Path, rows: _Rows, report: PrepReport, options: PrepOptions) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "vocabulary": Vocabulary().to_dict(),
        "steps_per_quarter": options.steps_per_quarter,
        "meter": list(options.bar_meter),
        "bars": options.bars,
        "steps": options.steps,
        "counts": report.counts,
        "left_out_files": report.left_out_files,
        "left_out_windows": report.left_out_windows,
        "options": asdict(options),
        "tokens_sha256": {name: hashlib.sha256((staging / f"{name}.npy").read_bytes()).hexdigest() for name in SPLITS},
        "versions": {package: version(package) for package in ("melodyvae", "symusic", "numpy")},
        "sources": [
            {"name": source.name, "sha256": source.sha256, "split": split}
            for source, split in zip(rows.sources, rows.splits, strict=True)
        ],
    }
