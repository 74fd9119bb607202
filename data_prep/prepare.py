"""Folders of files -> a dataset folder.

A dataset folder holds

    train.npy, valid.npy, test.npy   token windows, uint8 (N, T)
    windows.npy                      where each row is from, in the order train, valid, test: split (0, 1, 2),
                                     source (index in meta.json), track (from 0), first_bar (of the piece, from 0),
                                     phase (steps after that bar's beginning), speed (at which the piece was read),
                                     shift (semitones that it was moved by, with a key that was asked for),
                                     meter (of its bars), style (a code of melodyvae.music.styles)
    meta.json                        vocabulary, meter, bars, counts, options, versions, hash of every source
    ledger.jsonl                     one JSON object per source and one per track of it (and speed) that was considered:
                                     its windows, or why it has none, with the number that decided, how many onsets
                                     were moved to the grid, and the swing and the delay (in quarters) of its notes,
                                     which are laid straight and on the beat

and is a function of the files' contents and the options: order, names' order, workers and machine do not change a byte
of the arrays. The split is by source: a file's SHA-256 alone says where it goes, in every dataset it is ever part of
(but for datasets so small that a split would be empty).
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.journal import Entry, Journal, remove_finished
from data_prep.ledger import rescue
from data_prep.output import FORMAT_VERSION, SPLITS, check_output, is_dataset, put_in_place, recover_output
from data_prep.sources import MUSIC_SUFFIXES, SourceFile, SourceResult, read_source, walk
from data_prep.windows import PrepError, PrepOptions
from data_prep.workers import work_on, work_on_executor
from melodyvae.music.feel import NO_SWING
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.system.cores import available_cores
from melodyvae.system.files import hidden_prefix, new_folder_beside, sha256_of
from melodyvae.system.limits import Limits, Lost
from melodyvae.system.locks import sole_use
from melodyvae.system.mixing import absorb_well

__all__ = ["PrepError", "PrepOptions", "PrepReport", "prepare", "split_of"]

TEST_SHARE = 0.05
VALID_SHARE = 0.05
OF_SPAN = [("split", "u1"), ("source", "<u4"), ("track", "<u2"), ("speed", "u1"), ("shift", "i1"), ("style", "u1")]
SPAN_DTYPE = np.dtype([*OF_SPAN, ("windows", "<u4")])
WINDOW_DTYPE = np.dtype([*OF_SPAN, ("first_bar", "<u4"), ("phase", "<u2"), ("meter", "u1", (2,))])
PHRASE_BARS = 4  # running, that a held-out window may not share with a training window
BATCH_TRACKS = 256  # whose windows are hashed at a time
BATCH_ROWS = 2**16  # that are copied at a time
LIMITS = Limits()  # of the time and memory for each file


@dataclass(frozen=True)
class PrepReport:
    """Report of :func:`prepare`.

    Attributes:
        output: the dataset folder.
        files: number of sources that were read.
        melodies: number of tracks that gave windows.
        counts: windows by split.
        left_out_files: sources by reason.
        left_out_windows: windows by reason.
        notices: sources in which something was fixed on reading, by kind.
        moved_to_grid: onsets that were moved to the grid, in tracks that have few.
        laid_straight: melodies whose swing was laid straight.
        taken_on_the_beat: melodies that were late as a whole, or early.
        advice: the option that would bring back the most files, in a sentence, or None.
        detail: for a single source, the reason it gave nothing, in a sentence; otherwise empty.
    """

    output: Path
    files: int
    melodies: int
    counts: dict[str, int]
    left_out_files: dict[str, int]
    left_out_windows: dict[str, int]
    advice: str | None = None
    moved_to_grid: int = 0
    detail: str = ""
    notices: dict[str, int] = field(default_factory=dict)
    laid_straight: int = 0
    taken_on_the_beat: int = 0


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
    resume: bool = False,
    force: bool = False,
    on_file: Callable[[int, int], None] | None = None,
) -> PrepReport:
    """Make a dataset folder of the music files in ``inputs`` (files, and folders with all that is below them).

    Until it is done, what was read is kept in a hidden folder beside ``output``, ``.NAME.partial``, for ``resume``, and
    ``.NAME.lock`` keeps others away.

    Args:
        inputs: files, folders, and collections that music21 installs, such as ``music21:essenFolksong``.
        output: the folder to make.
        options: what a window is.
        workers: processes; as many as the cores it may use by default. 0 works in this process, without limits.
        executor: does the work instead, on its own machines; they must see the files under the same paths.
        resume: go on with a run of the same inputs and options that was stopped.
        force: replace a dataset that is at ``output``; anything else that is there stays (see :func:`check_output`).
        on_file: called with (files done, files in all).

    Raises:
        InUseError: if another process makes the same dataset.
        PrepError: if an input is missing, if ``output`` exists and may not be replaced, or if nothing is usable.
        OSError: if ``output`` cannot be written.
        BrokenExecutor, CancelledError: if ``executor`` is gone; ``resume`` goes on with another.
    """
    options = options or PrepOptions()
    output = Path(output)
    lock_file = output.with_name(f"{hidden_prefix(output.name)}lock")
    if not output.exists() or not (_partial_folder(output).exists() or lock_file.exists()):
        check_output(output, inputs, force)  # before anything is made; later, if a killed run left something to tidy
    files = walk(inputs)
    if not files:
        raise PrepError(
            f"no music file in {', '.join(map(str, inputs))} (looked for {', '.join(sorted(MUSIC_SUFFIXES))})"
        )
    with sole_use(lock_file, str(output)):
        recover_output(output)
        if not force and is_dataset(output):
            remove_finished(_partial_folder(output))
        report = _prepare(inputs, output, options, files, workers, executor, resume, force, on_file)
    if not sum(report.counts.values()):
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out_files.items())
        hint = f". {report.advice[0].upper()}{report.advice[1:]}" if report.advice else ""
        detail = f" ({report.detail.rstrip('.')})" if report.detail else ""
        counted = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
        raise PrepError(f"nothing usable in {counted}: {reasons}{detail}{hint}")
    return report


def _prepare(
    inputs: Sequence[str | Path],
    output: Path,
    options: PrepOptions,
    files: Sequence[SourceFile],
    workers: int | None,
    executor: Executor | None,
    resume: bool,
    force: bool,
    on_file: Callable[[int, int], None] | None,
) -> PrepReport:
    """:func:`prepare` when nobody else writes to the same place."""
    partial_folder = _partial_folder(output)
    check_output(output, inputs, force)
    with Journal(partial_folder, options, [os.path.abspath(entry) for entry in inputs], resume) as journal:
        waiting = _not_yet_in(journal, files)
        with closing(_outcomes(waiting, options, workers, executor)) as outcomes:
            for outcome in outcomes:
                journal.add(_result_of(outcome))
                if on_file is not None:
                    on_file(len(journal.entries), len(files))
        check_output(output, inputs, force)  # again, for reading may have taken days
        report = _write(output, journal, options)
    remove_finished(partial_folder)
    return report


def _partial_folder(output: Path) -> Path:
    return output.with_name(f"{hidden_prefix(output.name)}partial")


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
    files: Sequence[SourceFile], options: PrepOptions, workers: int | None, executor: Executor | None
) -> Generator[SourceResult | Lost[SourceFile], None, None]:
    read = partial(read_source, options)
    if executor is not None:
        yield from work_on_executor(executor, read, files, LIMITS)
    elif workers == 0:
        yield from map(read, files)
    else:
        yield from work_on(read, files, min(workers or available_cores(), max(len(files), 1)), LIMITS)


def _result_of(outcome: SourceResult | Lost[SourceFile]) -> SourceResult:
    if isinstance(outcome, Lost):
        return SourceResult(outcome.item.name, reason=outcome.reason, detail=outcome.detail)
    return outcome


def _duplicates(entries: Sequence[Entry]) -> dict[int, str]:
    """Duplicates among the sources: ``id`` of each to the name of the first source with the same bytes."""
    first_names: dict[bytes, str] = {}
    duplicates = {}
    for entry in sorted((entry for entry in entries if entry.has_windows), key=lambda entry: entry.name):
        if entry.sha256 in first_names:
            duplicates[id(entry)] = first_names[entry.sha256]
        else:
            first_names[entry.sha256] = entry.name
    return duplicates


def splits_of_sources(hashes: Sequence[str]) -> list[str]:
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


def _write(output: Path, journal: Journal, options: PrepOptions) -> PrepReport:
    """Write the dataset of a complete journal, whole or not at all; nothing if it would have no windows."""
    duplicates = _duplicates(journal.entries)
    sources = sorted(
        (entry for entry in journal.entries if entry.has_windows and id(entry) not in duplicates),
        key=lambda entry: entry.sha256,
    )
    splits = splits_of_sources([source.sha256.hex() for source in sources])
    staging = new_folder_beside(output)
    try:
        provenance, left_out_windows, dropped = _write_windows(staging, journal, sources, splits)
        left_out_files, adjusted, notices = _write_ledger(staging, journal, duplicates, sources, splits, dropped)
        counts = {name: int((provenance["split"] == index).sum()) for index, name in enumerate(SPLITS)}
        report = PrepReport(
            output=output,
            files=len(journal.entries),
            melodies=len(np.unique(provenance["source"].astype(np.int64) << 16 | provenance["track"])),
            counts=counts,
            left_out_files=dict(left_out_files.most_common()),
            left_out_windows={reason: count for reason, count in left_out_windows.most_common() if count},
            advice=rescue(left_out_files, options.meter, options.fold),
            detail=_detail(journal),
            notices=dict(notices.most_common()),
            **adjusted,
        )
        if not len(provenance):
            shutil.rmtree(staging)
            journal.finish()
            return report
        meta = _meta(staging, sources, splits, report, options)
        with (staging / "meta.json").open("w", encoding="utf-8") as file:
            json.dump(meta, file, indent=1)
            file.write("\n")
        journal.finish()
        put_in_place(staging, output)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return report


def _detail(journal: Journal) -> str:
    """Reason why the only source gave nothing, in a sentence; empty if its reader crashed."""
    only = [journal.read(entry) for entry in journal.entries] if len(journal.entries) == 1 else []
    return next((source.detail for source in only if source.reason != "crashed"), "")


def _write_windows(
    staging: Path, journal: Journal, sources: Sequence[Entry], splits: Sequence[str]
) -> tuple[np.ndarray, Counter[str], dict[tuple[int, int, int], Counter[str]]]:
    """Write the splits without repetition, ordered by source hash, track and bar.

    Returns:
        Where each row is from; windows left out by reason; of these, those that other sources' windows ruled out,
        by (source, track, speed).
    """
    every_row = staging / "rows"
    spans, first_bars, phases, meters, keys, phrase_keys, left_out = _gather(every_row, journal, sources, splits)
    span_of_row = np.repeat(np.arange(len(spans), dtype=np.int32), spans["windows"])
    train_rows = int(spans["windows"][spans["split"] == SPLITS.index("train")].sum())  # they come first
    in_train = np.zeros(len(keys), dtype=bool)
    in_train[train_rows:] = _is_among(phrase_keys[train_rows:], phrase_keys[:train_rows].ravel()).any(axis=1)
    is_repeated = _is_repeated(keys) & ~in_train
    left_out_runs: list[tuple[int, str, int, int]] = []  # first row, reason, span, rows
    for reason, is_out in (("in_train", in_train), ("duplicate_window", is_repeated)):
        out = np.flatnonzero(is_out)
        indices, firsts, counts = np.unique(span_of_row[out], return_index=True, return_counts=True)
        left_out_runs += [
            (row, reason, *pair)
            for row, *pair in zip(out[firsts].tolist(), indices.tolist(), counts.tolist(), strict=True)
        ]
    dropped: dict[tuple[int, int, int], Counter[str]] = {}
    for _, reason, index, count in sorted(left_out_runs):
        key = int(spans["source"][index]), int(spans["track"][index]), int(spans["speed"][index])
        dropped.setdefault(key, Counter())[reason] = count
        left_out[reason] += count
    keep = ~(in_train | is_repeated)
    origins = np.zeros(int(keep.sum()), WINDOW_DTYPE)
    for name, _ in OF_SPAN:
        origins[name] = spans[name][span_of_row[keep]]
    origins["first_bar"], origins["phase"], origins["meter"] = first_bars[keep], phases[keep], meters[keep]
    np.save(staging / "windows.npy", origins)
    split_of_row = spans["split"][span_of_row]
    for index, split in enumerate(SPLITS):
        _make_npy(every_row, staging / f"{split}.npy", keep & (split_of_row == index), journal.options.steps)
    every_row.unlink()
    return origins, left_out, dropped


def _gather(
    every_row: Path, journal: Journal, sources: Sequence[Entry], splits: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, Counter[str]]:
    """Write all windows in the order of the dataset to a file.

    Returns:
        Each track's place (``SPAN_DTYPE``); of each window the first bar, the phase, the meter, a digest, and the
        digests of its phrases ``(N, P)`` that transpositions share; windows left out in the tracks, by reason.
    """
    spans: list[tuple[int, ...]] = []
    first_bars, phases, meters = [np.empty(0, np.uint32)], [np.empty(0, np.uint16)], [np.empty((0, 2), np.uint8)]
    keys = [np.empty(0, np.uint64)]
    phrase_keys = [_phrase_digests(np.empty((0, journal.options.steps), np.uint8), journal.options.steps_per_bar)]
    left_out: Counter[str] = Counter()
    batch: list[np.ndarray] = []

    def flush() -> None:
        rows = np.concatenate(batch)
        keys.append(_digests(rows))
        phrase_keys.append(_phrase_digests(rows, journal.options.steps_per_bar))
        file.write(rows.tobytes())
        batch.clear()

    with every_row.open("wb") as file:
        for split_index, split in enumerate(SPLITS):
            for source_index in (index for index, its_split in enumerate(splits) if its_split == split):
                for track in journal.read(sources[source_index]).tracks:
                    left_out.update(track.left_out)
                    place = split_index, source_index, track.track, track.speed, track.shift, track.style
                    spans.append((*place, len(track.tokens)))
                    first_bars.append(track.first_bars)
                    phases.append(track.phases)
                    meters.append(track.meters)
                    batch.append(track.tokens)
                if len(batch) >= BATCH_TRACKS:
                    flush()
        if batch:
            flush()
    places = np.concatenate(first_bars), np.concatenate(phases), np.concatenate(meters)
    return np.array(spans, SPAN_DTYPE), *places, np.concatenate(keys), np.concatenate(phrase_keys), left_out


def _phrase_digests(rows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """Digests of each four bars running of windows ``(N, T)``, equal in all keys: ``(N, P)``.

    A phrase of fewer than two notes per bar has the digest of the whole window instead, and so has a shorter window.
    """
    vocabulary, steps = Vocabulary(), PHRASE_BARS * steps_per_bar
    whole = _digests(vocabulary.normalise(rows))[:, None]
    if rows.shape[1] <= steps:
        return whole
    digests = []
    for start in range(0, rows.shape[1] - steps + 1, steps_per_bar):
        phrase = rows[:, start : start + steps]
        is_full = (phrase >= FIRST_NOTE_ON).sum(axis=1, keepdims=True) >= 2 * PHRASE_BARS
        digests.append(np.where(is_full, _digests(vocabulary.normalise(phrase))[:, None], whole))
    return np.concatenate(digests, axis=1)


def _digests(rows: np.ndarray) -> np.ndarray:
    """64 bits of each of ``(N, T)``, equal for equal rows: ``(N,)``.

    Among n different windows, two collide with probability n**2 / 2**65: 2e-5 for 25 million.
    """
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    mixed = np.zeros(len(rows), np.uint64)
    for word in padded.view("<u8").T:  # each round is one to one in what came before and in the word
        mixed = absorb_well(mixed, word)
    return mixed


def _is_repeated(keys: np.ndarray) -> np.ndarray:
    """Whether each key occurs before its place."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_repeated = np.zeros(len(keys), dtype=bool)
    is_repeated[order[1:]] = ordered[1:] == ordered[:-1]
    return is_repeated


def _is_among(keys: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each key occurs among ``others``, which are sorted in place to save memory."""
    others.sort()
    if not len(others):
        return np.zeros(keys.shape, dtype=bool)
    places = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    return np.asarray(others[places] == keys)


def _make_npy(every_row: Path, npy_file: Path, keep: np.ndarray, steps: int) -> None:
    """Write some rows of a file of bare uint8 rows as one that NumPy opens, without loading it."""
    with every_row.open("rb") as rows, npy_file.open("wb") as file:
        shape = int(keep.sum()), steps
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, len(keep), BATCH_ROWS):
            batch = keep[start : start + BATCH_ROWS]
            data = np.frombuffer(rows.read(len(batch) * steps), np.uint8)
            file.write(data.reshape(-1, steps)[batch].tobytes())


def _write_ledger(
    staging: Path,
    journal: Journal,
    duplicates: dict[int, str],
    sources: Sequence[Entry],
    splits: Sequence[str],
    dropped: dict[tuple[int, int, int], Counter[str]],
) -> tuple[Counter[str], dict[str, int], Counter[str]]:
    """Write ledger.jsonl, by name. Its windows are those in the dataset.

    Returns:
        The sources left out, by reason; the counts of a :class:`PrepReport` that say what was laid on the grid; the
        sources with notices, by kind.
    """
    index_of_entry = {id(source): index for index, source in enumerate(sources)}
    left_out: Counter[str] = Counter()
    adjusted = {"moved_to_grid": 0, "laid_straight": 0, "taken_on_the_beat": 0}
    notices: Counter[str] = Counter()
    with (staging / "ledger.jsonl").open("w", encoding="utf-8") as ledger:
        for entry in sorted(journal.entries, key=lambda entry: (entry.name, entry.sha256)):
            result = journal.line(entry)
            reason, detail = result["reason"], result["detail"]
            if id(entry) in duplicates:
                reason, detail = "duplicate_file", duplicates[id(entry)]
            index = index_of_entry.get(id(entry))
            tracks: list[dict[str, Any]] = []
            repeated: Counter[str] = Counter()
            for track in result["tracks"]:
                place = None if index is None else (index, track["track"], track["speed"])
                repeats = dropped.get(place, Counter()) if place is not None else Counter[str]()
                repeated.update(repeats)
                windows = 0 if reason else track["windows"] - repeats.total()
                if windows:
                    adjusted["moved_to_grid"] += track["moved_to_grid"]
                    adjusted["laid_straight"] += track["swing"] != NO_SWING
                    adjusted["taken_on_the_beat"] += track["delay"] != 0
                tracks.append(
                    {
                        "file": result["name"],
                        "track": track["track"] + 1,
                        "name": track["name"],
                        "windows": windows,
                        "reason": None if windows else track["reason"] or reason or _most_common(repeats),
                        "number": track["number"],
                        "left_out": track["left_out"] | repeats,
                        **({"speed": track["speed"]} if track["speed"] != 1 else {}),
                        **({"moved_to_grid": track["moved_to_grid"]} if track["moved_to_grid"] else {}),
                        **({"swing": track["swing"]} if track["swing"] != NO_SWING else {}),
                        **({"delay": track["delay"]} if track["delay"] else {}),
                        **({"key": track["key"], "shift": track["shift"]} if track["key"] else {}),
                    }
                )
            windows = sum(track["windows"] for track in tracks)
            if not windows and not reason:
                reason = _most_common(repeated)
                detail = ", ".join(f"{count} {name}" for name, count in sorted(repeated.items()))
            left_out[reason] += 1
            line = {
                "file": result["name"],
                "sha256": result["sha256"],
                "split": splits[index] if index is not None else None,
                "windows": windows,
                "reason": reason or None,
                "detail": detail or None,
                **({"notices": result["notices"]} if result["notices"] else {}),
            }
            notices.update(set(result["notices"]))
            ledger.writelines(json.dumps(line) + "\n" for line in (line, *tracks))
    del left_out[""]
    return left_out, adjusted, notices


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
        "moved_to_grid": report.moved_to_grid,
        "notices": report.notices,
        "laid_straight": report.laid_straight,
        "taken_on_the_beat": report.taken_on_the_beat,
        "options": asdict(options),
        "tokens_sha256": {name: sha256_of(staging / f"{name}.npy") for name in SPLITS},
        "versions": {package: version(package) for package in ("melodyvae", "music21", "numpy")},
        "sources": [
            {"name": source.name, "sha256": source.sha256.hex(), "split": split}
            for source, split in zip(sources, splits, strict=True)
        ],
    }
