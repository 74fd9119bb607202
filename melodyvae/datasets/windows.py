"""A dataset folder -> its token windows.

Conventions: windows are uint8 ``(N, T)``, opened as memory maps. A folder is read through and checked when it is opened
for the first time, and again when the size or the time of one of its files has changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import melodyvae
from data_prep.output import FORMAT_VERSION, SPLITS, check_output, put_in_place
from data_prep.prepare import splits_of_sources
from melodyvae.config import MelodyConfig
from melodyvae.music.bars import bar_within, lift
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.conditions import conditions_of
from melodyvae.network.rows import in_parts
from melodyvae.system.arrays import array_on_disk
from melodyvae.system.errors import UserError
from melodyvae.system.files import new_folder_beside, sha256_of, whole_file

PLACES_FILE = "windows.npy"
CHECKED_FILE = ".checked"  # sizes, times and hashes of the files that were read through
ROWS_AT_ONCE = 2**16
MAX_META_BYTES = 2**30  # of a dataset of a million files it is 130 MiB


class DatasetError(UserError, ValueError):
    """A dataset folder is missing, incomplete, or does not fit the model."""


@dataclass(frozen=True)
class WindowDataset:
    """A dataset written by ``melodyvae prep``.

    Attributes:
        folder: its folder.
        meta: the content of ``meta.json``.
        splits: ``train``, ``valid`` and ``test`` to windows, uint8 ``(N, T)``.
        places: the origin of each window: its split and source by their numbers, and more; split by split.
    """

    folder: Path
    meta: dict[str, Any]
    splits: dict[str, np.ndarray]
    places: np.ndarray

    @property
    def fingerprint(self) -> dict[str, str]:
        """The SHA-256 of each split's file, by split: what a training on this dataset depends on."""
        return dict(self.meta["tokens_sha256"])

    def sources_of(self, split: str) -> np.ndarray:
        """The file that each window of a split is from, as its place among the sources of ``meta``: ``(N,)``."""
        return np.asarray(self._places_of(split)["source"])

    def conditions_of(self, split: str) -> np.ndarray:
        """The conditions of each window of a split, ``(N, 5)``; see :mod:`melodyvae.network.conditions`.

        Raises:
            DatasetError: if the folder does not say.
        """
        self._check_says("track", "speed", "first_bar", "phase", "meter", "style")
        bars, grid = self.meta["bars"], self.meta["steps_per_quarter"]
        return conditions_of(self._places_of(split), grid, self.meta["steps"] // bars)

    def tunes_in(self, meter: tuple[int, int]) -> WindowDataset:
        """The windows of tunes in one of the meters of a dataset, in bars of it; parts of scores are left out.

        Raises:
            DatasetError: if the folder does not say the meters, or has no such training window.
        """
        self._check_says("meter", "style")
        places = self.places
        within = bar_within(meter, self.meta["steps_per_quarter"], self.meta["steps"] // self.meta["bars"])
        bar, grid = within or (meter, self.meta["steps_per_quarter"])
        is_chosen = (places["meter"] == bar).all(axis=1) & (places["style"] != style_code("part"))
        steps = 4 * bar[0] * grid // bar[1]
        splits = {
            name: lift(
                np.asarray(rows)[is_chosen[places["split"] == number]], steps, rows.shape[1] // self.meta["bars"]
            )
            for number, (name, rows) in enumerate(self.splits.items())
        }
        if not len(splits["train"]):
            raise DatasetError(f"{self.folder} has no tunes in {meter[0]}/{meter[1]}")
        counts = {name: len(rows) for name, rows in splits.items()}
        changes = {"meter": list(bar), "steps_per_quarter": grid, "steps": self.meta["bars"] * steps, "counts": counts}
        return replace(self, meta=self.meta | changes, splits=splits, places=places[is_chosen])

    def is_that_of(self, provenance: Mapping[str, Any]) -> bool:
        """Whether a model of this provenance was trained on this very dataset."""
        return provenance.get("dataset_sha256") == self.fingerprint

    def as_written(self, split: str) -> np.ndarray:
        """The windows ``(N, T)`` of a split that begin at a bar line of their piece and are as fast as written.

        All windows if there are none such, or if the folder does not say.
        """
        windows, places = np.asarray(self.splits[split]), self._places_of(split)
        if not {"speed", "phase"} <= set(places.dtype.names or ()):
            return windows
        is_as_written = (places["speed"] == 1) & (places["phase"] == 0)
        return windows[is_as_written] if is_as_written.any() else windows

    def tune_beginnings(self, split: str) -> np.ndarray:
        """The places in a split of the first window of each track of each file, as fast as written, ``(N,)``.

        New tunes begin where tunes begin, so these windows are what they are compared with.

        Raises:
            DatasetError: if the folder does not say.
        """
        self._check_says("track", "speed", "phase", "first_bar")
        places = self._places_of(split)
        as_written = np.flatnonzero((places["speed"] == 1) & (places["phase"] == 0))
        written = places[as_written]
        order = np.lexsort((written["first_bar"], written["track"], written["source"]))
        _, firsts = np.unique(written[["source", "track"]][order], return_index=True)
        return np.sort(as_written[order[firsts]])

    def _places_of(self, split: str) -> np.ndarray:
        return np.asarray(self.places[self.places["split"] == SPLITS.index(split)])

    def _check_says(self, *columns: str) -> None:
        """Raise :class:`DatasetError` unless the folder says these columns of each window, too."""
        if missing := [name for name in columns if name not in (self.places.dtype.names or ())]:
            raise DatasetError(
                f"{self.folder / PLACES_FILE} does not say {', '.join(missing)} of each window, which this needs; "
                "datasets that `melodyvae prep` writes do"
            )

    def check_fits(self, config: MelodyConfig) -> None:
        """Raise :class:`DatasetError` unless windows, bars and vocabulary are those of the model.

        Bars of 6/8 are as long as those of 3/4, and fit a model of them.
        """
        ours, theirs = tuple(self.meta["meter"]), config.meter
        if Fraction(*ours) == Fraction(*theirs):
            theirs = ours
        for name, own, expected in (
            ("bars", self.meta["bars"], config.bars),
            ("meter", ours, theirs),
            ("steps per quarter", self.meta["steps_per_quarter"], config.steps_per_quarter),
            ("vocabulary", self.meta["vocabulary"], Vocabulary().to_dict()),
        ):
            if own != expected:
                raise DatasetError(
                    f"{self.folder} does not fit the model: its {name} is {own}, the model's is {expected}. "
                    "Run `melodyvae prep` again with the model's settings, or choose or train another model."
                )


def open_dataset(folder: str | Path) -> WindowDataset:
    """The dataset in ``folder``; its windows stay on disk until they are used.

    Raises:
        DatasetError: if the folder is not a whole dataset.
    """
    folder = Path(folder)
    meta_file = folder / "meta.json"
    if not meta_file.is_file():
        raise DatasetError(f"{folder} is not a dataset (it has no meta.json); make one with `melodyvae prep FOLDER`")
    try:
        if meta_file.stat().st_size > MAX_META_BYTES:
            raise ValueError(f"its meta.json is larger than {MAX_META_BYTES / 2**20:.0f} MiB")
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
        splits = {name: array_on_disk(folder / f"{name}.npy") for name in SPLITS}
        places = array_on_disk(folder / PLACES_FILE)
    except RecursionError as error:
        raise DatasetError(f"{folder} is not a whole dataset (its meta.json is nested too deep)") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder} is not a whole dataset ({error}); run `melodyvae prep` again") from error
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise DatasetError(
            f"{folder} has dataset format {version}; this melodyvae reads format {FORMAT_VERSION}. "
            "Run `melodyvae prep` again, or use the version of melodyvae that made it."
        )
    if wrong := next((name for name, fits in META.items() if not fits(meta.get(name))), None):
        raise DatasetError(
            f"{folder} is not a whole dataset ({wrong} in its meta.json is wrong); run `melodyvae prep` again"
        )
    for name, windows in splits.items():
        shape = meta["counts"][name], meta["steps"]
        if windows.dtype != np.uint8 or windows.shape != shape:
            raise DatasetError(
                f"{folder / name}.npy holds {windows.dtype} {windows.shape}, which contradicts its meta.json; "
                "run `melodyvae prep` again"
            )
    columns: Mapping[str, Any] = places.dtype.fields or {}
    if places.ndim != 1 or any(
        name not in columns or columns[name][0].kind not in "ui" for name in ("split", "source")
    ):
        raise DatasetError(f"{folder / PLACES_FILE} does not say where windows are from; run `melodyvae prep` again")
    dataset = WindowDataset(folder, meta, splits, places)
    _check_content(dataset)
    return dataset


def write_dataset(
    folder: str | Path,
    windows: np.ndarray,
    files: Sequence[str],
    *,
    bars: int = 2,
    meter: tuple[int, int] = (4, 4),
    steps_per_quarter: int = 4,
) -> WindowDataset:
    """Write windows of one's own as a dataset folder, which every command takes, and open it.

    Files are put into splits by the hash of their names; with three or more, none of the splits stays empty.

    Args:
        folder: where to; it must not exist.
        windows: tokens ``(N, T)``.
        files: the name of the file, or of whatever belongs together, that each window is from.
        bars: in a window.
        meter: of a bar.
        steps_per_quarter: the grid.

    Raises:
        DatasetError: if windows are not legal, or not of so many bars, or not as many as ``files``.
        PrepError: if ``folder`` exists.
    """
    folder, vocabulary = Path(folder), Vocabulary()
    steps = bars * 4 * meter[0] * steps_per_quarter // meter[1]
    if windows.ndim != 2 or windows.shape != (len(files), steps) or not len(files):
        raise DatasetError(
            f"windows have shape {windows.shape}; {bars} bars of {meter[0]}/{meter[1]} from {len(files)} files are "
            f"({len(files)}, {steps})"
        )
    if not vocabulary.is_legal(windows).all():
        raise DatasetError(
            f"window {int(np.argmin(vocabulary.is_legal(windows)))} has an unknown token, or a note off in silence"
        )
    check_output(folder, (), force=False)
    names = sorted(set(files))
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    splits = splits_of_sources(hashes)
    sources = np.array([names.index(name) for name in files])
    of_split = np.array([SPLITS.index(split) for split in splits])[sources]
    order = np.argsort(of_split, kind="stable")
    places = np.zeros(len(files), dtype=[("split", "u1"), ("source", "<u4"), ("speed", "u1"), ("phase", "<u2")])
    places["split"], places["source"], places["speed"] = of_split[order], sources[order], 1
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = new_folder_beside(folder)
    try:
        for number, split in enumerate(SPLITS):
            np.save(staging / f"{split}.npy", windows[of_split == number].astype(np.uint8))
        np.save(staging / PLACES_FILE, places)
        meta = {
            "format_version": FORMAT_VERSION,
            "vocabulary": vocabulary.to_dict(),
            "steps_per_quarter": steps_per_quarter,
            "meter": list(meter),
            "bars": bars,
            "steps": steps,
            "counts": {split: int((of_split == number).sum()) for number, split in enumerate(SPLITS)},
            "left_out_files": {},
            "left_out_windows": {},
            "tokens_sha256": {split: sha256_of(staging / f"{split}.npy") for split in SPLITS},
            "versions": {"melodyvae": melodyvae.__version__, "numpy": np.__version__},
            "sources": [
                {"name": name, "sha256": sha256, "split": split}
                for name, sha256, split in zip(names, hashes, splits, strict=True)
            ],
        }
        (staging / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        put_in_place(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return open_dataset(folder)


def _check_content(dataset: WindowDataset) -> None:
    """Read the windows through, unless that was done since their files last changed.

    Raises:
        DatasetError: if they are not those that the folder's meta.json tells of, or have unknown tokens.
    """
    folder, hashes = dataset.folder, dataset.fingerprint
    files = {name: (folder / name).stat() for name in (*(f"{split}.npy" for split in SPLITS), PLACES_FILE)}
    checked = {"files": {name: [file.st_size, file.st_mtime_ns] for name, file in files.items()}, "sha256": hashes}
    with suppress(OSError, ValueError, RecursionError):
        if json.loads((folder / CHECKED_FILE).read_text(encoding="utf-8")) == checked:
            return
    pitches = (dataset.meta["vocabulary"][name] for name in ("lowest_pitch", "highest_pitch"))
    tokens = Vocabulary(*pitches).size
    for number, (name, windows) in enumerate(dataset.splits.items()):
        file = folder / f"{name}.npy"
        if (found := sha256_of(file)) != hashes[name]:
            raise DatasetError(
                f"{file} is damaged or was changed: its SHA-256 is {found[:12]}..., its meta.json says "
                f"{hashes[name][:12]}...; run `melodyvae prep` again"
            )
        highest = max((int(rows.max()) for rows in in_parts(windows, ROWS_AT_ONCE)), default=0)
        if highest >= tokens:
            raise DatasetError(f"{file} has the token {highest}; those of its vocabulary are 0 to {tokens - 1}")
        if int((dataset.places["split"] == number).sum()) != len(windows):
            raise DatasetError(f"{folder / PLACES_FILE} is of other windows; run `melodyvae prep` again")
    sources = dataset.places["source"]
    if len(sources) and not 0 <= int(sources.min()) <= int(sources.max()) < len(dataset.meta["sources"]):
        raise DatasetError(
            f"{folder / PLACES_FILE} names files that its meta.json does not; run `melodyvae prep` again"
        )
    with suppress(OSError), whole_file(folder / CHECKED_FILE) as temporary:  # a folder that cannot be written to
        temporary.write_text(json.dumps(checked), encoding="utf-8")


def _is_whole(value: Any, lowest: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= 2**40


def _is_table_of(names: Iterable[str], fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(fits(value.get(name)) for name in names)


def _is_counter(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_whole(count, 0) for count in value.values())


def _are_sources(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(source, dict)
        and isinstance(source.get("name"), str)
        and source.get("split") in SPLITS
        and isinstance(source.get("sha256"), str)
        and re.fullmatch("[0-9a-f]{64}", source["sha256"])
        for source in value
    )


META: dict[str, Callable[[Any], bool]] = {  # what the content of meta.json must be
    "vocabulary": _is_table_of(("first_note_on", "lowest_pitch", "highest_pitch"), lambda value: _is_whole(value, 0)),
    "steps_per_quarter": _is_whole,
    "meter": lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value)),
    "bars": _is_whole,
    "steps": _is_whole,
    "counts": lambda value: _is_counter(value) and set(value) == set(SPLITS),
    "left_out_files": _is_counter,
    "left_out_windows": _is_counter,
    "tokens_sha256": _is_table_of(SPLITS, lambda value: isinstance(value, str)),
    "versions": lambda value: isinstance(value, dict) and all(isinstance(text, str) for text in value.values()),
    "sources": _are_sources,
}
