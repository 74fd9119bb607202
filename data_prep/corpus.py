"""Folders of files -> a dataset folder.

A dataset folder holds

    train.npy, valid.npy, test.npy   token windows, uint8 (N, T)
    windows.npy                      where each row is from, in the order train, valid, test: split (0, 1, 2),
                                     source (index in meta.json), track (from 0), first_bar (of the piece, from 0)
    meta.json                        vocabulary, meter, bars, counts, options, versions, hash of every source
    ledger.jsonl                     one JSON object a source and one a track of it that was considered: its windows,
                                     or why it has none, with the number that decided

and is a function of the files' contents and the options: order, names' order, workers and machine do not change a byte
of the arrays. The split is by source: a file's SHA-256 alone says where it goes, in every dataset it is ever part of
(but for datasets so small that a split would be empty).

Contents: :func:`prepare`, :class:`PrepReport`, :func:`split_of`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.journal import Entry, Journal
from data_prep.ledger import rescue
from data_prep.sources import MUSIC_SUFFIXES, SourceFile, SourceResult, read_source, walk
from data_prep.tokens import Vocabulary
from data_prep.windows import PrepError, PrepOptions
from data_prep.workers import Limits, Lost, work_on, work_on_executor

__all__ = ["PrepError", "PrepOptions", "PrepReport", "prepare", "split_of"]

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
TEST_SHARE = 0.05
VALID_SHARE = 0.05
WINDOW_DTYPE = np.dtype([("split", "u1"), ("source", "<u4"), ("track", "<u2"), ("first_bar", "<u4")])
DIGEST_BYTES = 16


@dataclass(frozen=True)
class PrepReport:
    """What :func:`prepare` did.

    Attributes:
        output: the dataset folder.
        files: how many sources were looked at.
        melodies: how many tracks gave windows.
        counts: windows by split.
        left_out_files: sources by reason.
        left_out_windows: windows by reason.
        advice: the option that would bring back the most files, in a sentence, or None.
    """

    output: Path
    files: int
    melodies: int
    counts: dict[str, int]
    left_out_files: dict[str, int]
    left_out_windows: dict[str, int]
    advice: str | None = None


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
    executor: Executor | None = None,
    limits: Limits | None = None,
    resume: bool = False,
    force: bool = False,
    on_file: Callable[[int, int], None] | None = None,
) -> PrepReport:
    """Make a dataset folder of the music files in ``inputs`` (files, and folders with all that is below them).

    Until it is done, what was read is kept in a hidden folder beside ``output``, ``.NAME.partial``, for ``resume``.

    Args:
        inputs: files, folders, and collections that music21 installs, such as ``music21:essenFolksong``.
        output: the folder to make.
        options: what a window is.
        workers: processes; as many as cores by default. 0 works in this process, without limits.
        executor: does the work instead, on whatever machines it has; they must see the files under the same paths.
        limits: of time and memory, for each file.
        resume: go on with a run of the same inputs and options that was stopped.
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
    files = list(walk(inputs))
    if not files:
        raise PrepError(
            f"no music file in {', '.join(map(str, inputs))} (looked for {', '.join(sorted(MUSIC_SUFFIXES))})"
        )
    partial_folder = output.with_name(f".{output.name}.partial")
    with Journal(partial_folder, options, [os.path.abspath(entry) for entry in inputs], resume) as journal:
        waiting = _not_yet_in(journal, files)
        with closing(_outcomes(waiting, options, workers, executor, limits or Limits())) as outcomes:
            for outcome in outcomes:
                journal.add(_result_of(outcome))
                if on_file is not None:
                    on_file(len(journal.entries), len(files))
        report = _write(output, journal, options, force)
    shutil.rmtree(partial_folder)
    if not sum(report.counts.values()):
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out_files.items())
        hint = f". {report.advice[0].upper()}{report.advice[1:]}" if report.advice else ""
        raise PrepError(f"nothing usable in {len(files)} files: {reasons}{hint}")
    return report


def _not_yet_in(journal: Journal, files: Sequence[SourceFile]) -> list[SourceFile]:
    done = Counter(entry.name for entry in journal.entries)
    waiting = []
    for file in files:
        if done[file.name]:
            done[file.name] -= 1
        else:
            waiting.append(file)
    return waiting


def _outcomes(
    files: Sequence[SourceFile], options: PrepOptions, workers: int | None, executor: Executor | None, limits: Limits
) -> Generator[SourceResult | Lost[SourceFile], None, None]:
    read = partial(read_source, options)
    if executor is not None:
        yield from work_on_executor(executor, read, files)
    elif workers == 0:
        yield from map(read, files)
    else:
        yield from work_on(read, files, min(workers or _cores(), max(len(files), 1)), limits)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _result_of(outcome: SourceResult | Lost[SourceFile]) -> SourceResult:
    if isinstance(outcome, Lost):
        return SourceResult(outcome.item.name, reason=outcome.reason, detail=outcome.detail)
    return outcome


def _duplicates(entries: Sequence[Entry]) -> dict[int, str]:
    """Of sources with the same bytes, all but the one whose name comes first: ``id`` to that one's name."""
    taken: dict[bytes, str] = {}
    found = {}
    for entry in sorted((entry for entry in entries if entry.has_windows), key=lambda entry: entry.name):
        if entry.sha256 in taken:
            found[id(entry)] = taken[entry.sha256]
        else:
            taken[entry.sha256] = entry.name
    return found


def _splits(hashes: Sequence[str]) -> list[str]:
    """The split of each source; with three sources or more none of the splits stays empty."""
    if len(hashes) < 3:
        return ["train"] * len(hashes)
    splits = [split_of(sha256) for sha256 in hashes]
    by_share = sorted(range(len(hashes)), key=lambda index: _share(hashes[index]))
    for place, name in enumerate(("test", "valid")):
        if name not in splits:
            splits[by_share[place]] = name
    if "train" not in splits:
        splits[by_share[-1]] = "train"
    return splits


def _share(sha256: str) -> float:
    return int(sha256[:16], 16) / 2**64


def _write(output: Path, journal: Journal, options: PrepOptions, force: bool) -> PrepReport:
    """Make the dataset of a full journal, whole or not at all; nothing is written if it would have no window."""
    duplicates = _duplicates(journal.entries)
    sources = sorted(
        (entry for entry in journal.entries if entry.has_windows and id(entry) not in duplicates),
        key=lambda entry: entry.sha256,
    )
    splits = _splits([source.sha256.hex() for source in sources])
    staging = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        staging.chmod(0o755)
        provenance, left_out_windows, dropped = _write_windows(staging, journal, sources, splits)
        left_out_files = _write_ledger(staging, journal, duplicates, sources, splits, dropped)
        counts = {name: int((provenance["split"] == index).sum()) for index, name in enumerate(SPLITS)}
        report = PrepReport(
            output=output,
            files=len(journal.entries),
            melodies=len(np.unique(provenance[["source", "track"]])),
            counts=counts,
            left_out_files=dict(left_out_files.most_common()),
            left_out_windows={reason: count for reason, count in left_out_windows.most_common() if count},
            advice=rescue(left_out_files, options.meter, options.fold),
        )
        if not len(provenance):
            shutil.rmtree(staging)
            return report
        meta = _meta(staging, sources, splits, report, options)
        (staging / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        if force and output.exists():
            shutil.rmtree(output)
        os.replace(staging, output)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return report


def _write_windows(
    staging: Path, journal: Journal, sources: Sequence[Entry], splits: Sequence[str]
) -> tuple[np.ndarray, Counter[str], dict[tuple[int, int], Counter[str]]]:
    """Write the splits without repetition, ordered by source hash, track and bar.

    Returns:
        Where each row is from; windows left out by reason; of these, those that other sources' windows ruled out,
        by (source, track).
    """
    vocabulary = Vocabulary()
    left_out: Counter[str] = Counter()
    dropped: dict[tuple[int, int], Counter[str]] = {}
    seen: set[bytes] = set()
    in_train: set[bytes] = set()
    provenance: list[np.ndarray] = []
    for split_index, split in enumerate(SPLITS):
        rows_file = staging / f"{split}.rows"
        count = 0
        with rows_file.open("wb") as file:
            for source_index, source in enumerate(sources):
                if splits[source_index] != split:
                    continue
                for track in journal.read(source).tracks:
                    left_out.update(track.left_out)
                    keep = []
                    repeated: Counter[str] = Counter()
                    normal_forms = vocabulary.normalise(track.tokens)
                    for index, (row, normal_form) in enumerate(zip(track.tokens, normal_forms, strict=True)):
                        key, normal_key = _digest(row), _digest(normal_form)
                        if split == "train":
                            in_train.add(normal_key)
                        elif normal_key in in_train:
                            repeated["in_train"] += 1
                            continue
                        if key in seen:
                            repeated["duplicate_window"] += 1
                            continue
                        seen.add(key)
                        keep.append(index)
                    left_out.update(repeated)
                    if repeated:
                        dropped[source_index, track.track] = repeated
                    file.write(track.tokens[keep].tobytes())
                    origin = np.zeros(len(keep), WINDOW_DTYPE)
                    origin["split"], origin["source"], origin["track"] = split_index, source_index, track.track
                    origin["first_bar"] = track.first_bars[keep]
                    provenance.append(origin)
                    count += len(keep)
        _make_npy(rows_file, staging / f"{split}.npy", (count, journal.options.steps))
    stacked = np.concatenate([np.empty(0, WINDOW_DTYPE), *provenance])
    np.save(staging / "windows.npy", stacked)
    return stacked, left_out, dropped


def _digest(row: np.ndarray) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=DIGEST_BYTES).digest()


def _make_npy(rows_file: Path, npy_file: Path, shape: tuple[int, int]) -> None:
    """Turn a file of bare uint8 rows into one that NumPy opens, without loading it."""
    with rows_file.open("rb") as rows, npy_file.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        shutil.copyfileobj(rows, file, 2**20)
    rows_file.unlink()


def _write_ledger(
    staging: Path,
    journal: Journal,
    duplicates: dict[int, str],
    sources: Sequence[Entry],
    splits: Sequence[str],
    dropped: dict[tuple[int, int], Counter[str]],
) -> Counter[str]:
    """Write ledger.jsonl, by name; the sources left out, by reason. Its windows are those in the dataset."""
    index_of_entry = {id(source): index for index, source in enumerate(sources)}
    left_out: Counter[str] = Counter()
    with (staging / "ledger.jsonl").open("w", encoding="utf-8") as ledger:
        for entry in sorted(journal.entries, key=lambda entry: (entry.name, entry.sha256)):
            result = journal.read(entry)
            reason, detail = result.reason, result.detail
            if id(entry) in duplicates:
                reason, detail = "duplicate_file", duplicates[id(entry)]
            index = index_of_entry.get(id(entry))
            tracks: list[dict[str, Any]] = []
            repeated: Counter[str] = Counter()
            for track in result.tracks:
                repeats = dropped.get((index, track.track), Counter()) if index is not None else Counter[str]()
                repeated.update(repeats)
                windows = 0 if reason else len(track.tokens) - repeats.total()
                tracks.append(
                    {
                        "file": result.name,
                        "track": track.track + 1,
                        "name": track.name,
                        "windows": windows,
                        "reason": None if windows else track.reason or reason or _most_common(repeats),
                        "number": track.number,
                        "left_out": track.left_out | repeats,
                    }
                )
            windows = sum(track["windows"] for track in tracks)
            if not windows and not reason:
                reason = _most_common(repeated)
                detail = ", ".join(f"{count} {name}" for name, count in sorted(repeated.items()))
            left_out[reason] += 1
            line = {
                "file": result.name,
                "sha256": result.sha256,
                "split": splits[index] if index is not None else None,
                "windows": windows,
                "reason": reason or None,
                "detail": detail or None,
            }
            ledger.writelines(json.dumps(line) + "\n" for line in (line, *tracks))
    del left_out[""]
    return left_out


def _most_common(reasons: Counter[str]) -> str:
    """The reason counted most often, the first by name of several."""
    return max(sorted(reasons), key=lambda reason: reasons[reason])


def _meta(
    staging: Path, sources: Sequence[Entry], splits: Sequence[str], report: PrepReport, options: PrepOptions
) -> dict[str, Any]:
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
        "versions": {package: version(package) for package in ("melodyvae", "symusic", "music21", "numpy")},
        "sources": [
            {"name": source.name, "sha256": source.sha256.hex(), "split": split}
            for source, split in zip(sources, splits, strict=True)
        ],
    }
