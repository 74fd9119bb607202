"""The same seed, the same bytes: for any worker count, hash seed, locale, time zone, folder and name of a path."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLACES = {
    "as it is": ({}, "plain", 1),
    "C, hash seed 1": ({"LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"}, "with spaces in it", 2),
    "Turkey, ASCII files": (
        {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4294967295", "TZ": "Asia/Kathmandu"},
        "müzik мелодия 旋律 ♪",
        3,
    ),
}
EXACT = (".mid", ".npy", ".json", ".jsonl", ".png", ".html", ".wav")


def outputs(folder: Path, changes: dict[str, str], workers: int, tunes: Path, model: Path) -> dict[str, str]:
    """What a few commands write, in fresh processes: name -> hash of its bytes."""
    shutil.copytree(tunes, folder / "midi")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    for arguments in (
        ["prep", "midi", "-o", "dataset", "--workers", str(workers)],
        ["interpolate", "midi/tune-00.mid", "midi/tune-01.mid", "-n", "3", "--model", str(model), "-o", "walk"],
        ["sample", "-n", "2", "--seed", "5", "--model", str(model), "-o", "new"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "melodyvae", *arguments],
            cwd=folder,
            env=environment | changes,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
    found = [path for name in ("dataset", "walk", "new") for path in sorted((folder / name).iterdir())]
    assert len(found) >= 12
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.suffix in EXACT
    }


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, midi_folder: Path, run_folder: Path) -> dict[str, str]:
    changes, name, workers = PLACES["as it is"]
    folder = tmp_path_factory.mktemp("place") / name
    folder.mkdir()
    return outputs(folder, changes, workers, midi_folder, run_folder)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "as it is"])
def test_the_same_bytes_everywhere(
    place: str, here: dict[str, str], tmp_path: Path, midi_folder: Path, run_folder: Path
) -> None:
    changes, name, workers = PLACES[place]
    (tmp_path / name).mkdir()
    assert outputs(tmp_path / name, changes, workers, midi_folder, run_folder) == here
