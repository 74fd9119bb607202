"""A dataset folder -> its token windows.

Conventions: windows are uint8 ``(N, T)``, opened as memory maps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.output import FORMAT_VERSION, SPLITS
from melodyvae.config import MelodyConfig
from melodyvae.music.bars import bar_within, lift
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.conditions import conditions_of
from melodyvae.system.arrays import array_on_disk
from melodyvae.system.errors import UserError

PLACES_FILE = "windows.npy"
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
        places: where each window is from, if not all that the folder says.
    """

    folder: Path
    meta: dict[str, Any]
    splits: dict[str, np.ndarray]
    places: np.ndarray | None = None

    @property
    def fingerprint(self) -> dict[str, str]:
        """The SHA-256 of each split's file, by split: what a training on this dataset depends on."""
        return dict(self.meta["tokens_sha256"])

    def sources_of(self, split: str) -> np.ndarray:
        """The file that each window of a split is from, as its place among the sources of ``meta``: ``(N,)``.

        Raises:
            DatasetError: if the folder does not say.
        """
        places = self._places("source")
        sources = places["source"][places["split"] == SPLITS.index(split)]
        if len(sources) != len(self.splits[split]):
            raise DatasetError(f"{self.folder / PLACES_FILE} is of other windows; run `melodyvae prep` again")
        return np.asarray(sources)

    def conditions_of(self, split: str) -> np.ndarray:
        """The conditions of each window of a split, ``(N, 5)``; see :mod:`melodyvae.network.conditions`.

        Raises:
            DatasetError: if the folder does not say.
        """
        places = self._places("source", "track", "speed", "first_bar", "phase", "meter", "style")
        bars, grid = self.meta["bars"], self.meta["steps_per_quarter"]
        return conditions_of(places[places["split"] == SPLITS.index(split)], grid, self.meta["steps"] // bars)

    def tunes_in(self, meter: tuple[int, int]) -> WindowDataset:
        """The windows of tunes in one of the meters of a dataset, in bars of it; parts of scores are left out.

        Raises:
            DatasetError: if the folder does not say the meters, or has no such training window.
        """
        places = self._places("source", "track", "speed", "first_bar", "phase", "meter", "style")
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
        windows = np.asarray(self.splits[split])
        places = self._places()
        if not {"speed", "phase"} <= set(places.dtype.names or ()):
            return windows
        of_split = places[places["split"] == SPLITS.index(split)]
        is_as_written = (of_split["speed"] == 1) & (of_split["phase"] == 0)
        if len(is_as_written) != len(windows):
            raise DatasetError(f"{self.folder / PLACES_FILE} is of other windows; run `melodyvae prep` again")
        return windows[is_as_written] if is_as_written.any() else windows

    def tune_beginnings(self, split: str) -> np.ndarray:
        """The places in a split of the first window of each track of each file, as fast as written, ``(N,)``.

        New tunes begin where tunes begin, so these windows are what they are compared with.

        Raises:
            DatasetError: if the folder does not say where windows are from.
        """
        places = self._places("source", "track", "speed", "phase", "first_bar")
        places = places[places["split"] == SPLITS.index(split)]
        if len(places) != len(self.splits[split]):
            raise DatasetError(f"{self.folder / PLACES_FILE} is of other windows; run `melodyvae prep` again")
        as_written = np.flatnonzero((places["speed"] == 1) & (places["phase"] == 0))
        written = places[as_written]
        order = np.lexsort((written["first_bar"], written["track"], written["source"]))
        _, firsts = np.unique(written[["source", "track"]][order], return_index=True)
        return np.sort(as_written[order[firsts]])

    def _places(self, *columns: str) -> np.ndarray:
        """Origin of each window: these columns besides ``split``."""
        file = self.folder / PLACES_FILE
        try:
            places = array_on_disk(file) if self.places is None else self.places
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file} cannot be used ({error}); run `melodyvae prep` again") from error
        if places.ndim != 1 or not {"split", *columns} <= set(places.dtype.names or ()):
            raise DatasetError(f"{file} does not say where windows are from; run `melodyvae prep` again")
        return places

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
    return WindowDataset(folder, meta, splits)


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
    "vocabulary": _is_table_of(("first_note_on",), _is_whole),
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
