"""Full disks, folders without rights, other file systems, data that goes away, pipes that close: a sentence, exit 1.

What was there before stays as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.prepare import prepare
from tests.cli.test_cli import run as said
from tests.data_prep.test_corpus import arrays, tunes
from tests.killed import hidden, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="makes full disks as Linux does")

TRAIN = ("train", "--preset", "tiny", "--steps", "12", "--evaluate-every", "4", "--seed", "1")


def run(*arguments: str | Path, **options: object) -> tuple[int, str]:
    """Exit status and what a command said on standard error."""
    process = start("-m", "melodyvae", *arguments, **options)
    _, errors = process.communicate(timeout=200)
    assert "Traceback" not in errors
    return process.returncode, errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no file system may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def no_rights(tmp_path: Path) -> Iterator[Path]:
    """A folder into which nothing may be written, even by root."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=16k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    folder.chmod(0o555) if made.returncode else None
    if os.access(folder, os.W_OK):
        pytest.skip("everything may be written here")
    yield folder
    if not made.returncode:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Leave so many bytes of a disk free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(max(free - leave, 0)))


@pytest.mark.parametrize("leave", [0, 24 * 1024])
def test_prep_on_a_full_disk(tmp_path: Path, small_disk: Path, leave: int) -> None:
    folder = tunes(tmp_path / "midi", 30)
    whole = arrays(prepare([folder], tmp_path / "whole", workers=0).output)
    fill(small_disk, leave)
    code, errors = run("prep", folder, "-o", small_disk / "out", "--workers", "1")
    assert code == 1
    assert "Error: " in errors
    assert f"{small_disk}" in errors
    assert "No space left on device" in errors
    assert not (small_disk / "out").exists()
    (small_disk / "filler").unlink()
    code, errors = run("prep", folder, "-o", small_disk / "out", "--workers", "1", "--resume")
    assert (code, arrays(small_disk / "out")) == (0, whole), errors
    assert hidden(small_disk) == []


def test_train_on_a_full_disk_keeps_what_it_saved(tmp_path: Path, small_disk: Path, dataset_folder: Path) -> None:
    code, errors = run(*TRAIN, "-o", small_disk / "run", dataset_folder)  # its state does not fit
    assert code == 1
    assert f"{small_disk / 'run'}" in errors
    assert "No space left on device" in errors
    assert [name for name in hidden(small_disk / "run") if name.endswith(".part")] == []


def test_results_on_a_full_disk_leave_older_ones(tmp_path: Path, small_disk: Path, run_folder: Path) -> None:
    command = ("sample", "-n", "2", "--model", run_folder, "-o", small_disk / "out")
    assert run(*command)[0] == 0
    before = {path.name: path.read_bytes() for path in (small_disk / "out").iterdir()}
    fill(small_disk, 8 * 1024)
    code, errors = run(*command, "--seed", "3", "--force")
    assert code == 1
    assert f"{small_disk / 'out'}" in errors
    assert "No space left on device" in errors
    assert {path.name: path.read_bytes() for path in (small_disk / "out").iterdir()} == before


def test_a_folder_without_rights(tmp_path: Path, no_rights: Path, dataset_folder: Path, run_folder: Path) -> None:
    folder = tunes(tmp_path / "midi", 5)
    for command in (
        ("prep", folder, "-o", no_rights / "out"),
        (*TRAIN, "-o", no_rights / "run", dataset_folder),
        ("sample", "-n", "2", "--model", run_folder, "-o", no_rights / "out"),
    ):
        code, errors = run(*command)
        assert code == 1
        assert errors.startswith("Error: ")
        assert "Read-only file system" in errors or "Permission denied" in errors
        assert errors.count("\n") == 1


def test_where_nothing_can_be_written_nothing_is_computed(
    tmp_path: Path, dataset_folder: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("the model was read")

    monkeypatch.setattr("melodyvae.system.files.os.access", lambda place, how: how != os.W_OK)
    monkeypatch.setattr("melodyvae.network.network.MelodyNetwork.read", computed)
    monkeypatch.setattr("melodyvae.models.melody.MelodyModel.from_pretrained", computed)
    for command in (
        ["sample", "--model", run_folder, "-o", tmp_path / "out"],
        ["evaluate", dataset_folder, "--model", run_folder, "--json", tmp_path / "metrics.json"],
        ["fit", dataset_folder, "--model", run_folder, "-o", tmp_path / "fitted.safetensors"],
    ):
        assert f"{tmp_path}: Permission denied" in said(*command, status=1)


def test_results_on_another_file_system(tmp_path: Path, small_disk: Path, run_folder: Path) -> None:
    (tmp_path / "link").symlink_to(small_disk / "out")
    (small_disk / "out").mkdir()
    assert run("sample", "-n", "2", "--model", run_folder, "-o", tmp_path / "link")[0] == 0
    assert len(list((small_disk / "out").glob("0[12]-of-2_*.mid"))) == 2
    folder = tunes(tmp_path / "midi", 5)
    whole = arrays(prepare([folder], tmp_path / "whole", workers=0).output)
    assert arrays(prepare([folder], small_disk / "data" / "out", workers=0).output) == whole


def test_a_dataset_that_is_deleted_under_a_training(tmp_path: Path, dataset_folder: Path) -> None:
    shutil.copytree(dataset_folder, tmp_path / "dataset")
    code = (
        "import shutil, sys; from melodyvae.training import trainer\n"
        "real = trainer.Trainer.save_state\n"
        "def save_state(self): shutil.rmtree(sys.argv[-1], ignore_errors=True); real(self)\n"
        "trainer.Trainer.save_state = save_state\n"
        "from melodyvae.cli.main import main; main()"
    )
    process = start("-c", code, *TRAIN, "-o", tmp_path / "run", tmp_path / "dataset")
    _, errors = process.communicate(timeout=200)
    assert "Traceback" not in errors
    assert not (tmp_path / "dataset").exists()
    assert process.returncode == 0, errors  # all that it needs was opened before
    assert {"model.safetensors", "state.safetensors"} <= {path.name for path in (tmp_path / "run").iterdir()}
    status, errors = run(*TRAIN, "-o", tmp_path / "run", tmp_path / "dataset", "--resume")
    assert status == 2  # as for any folder that is not there
    assert "does not exist" in errors


@pytest.mark.parametrize("command", ["prep", "sample"])
def test_a_closed_pipe(tmp_path: Path, command: str, run_folder: Path) -> None:
    folder = tunes(tmp_path / "midi", 10)
    arguments = {
        "prep": ["prep", str(folder), "-o", str(tmp_path / "out")],
        "sample": ["sample", "--model", str(run_folder), "-o", str(tmp_path / "out")],
    }[command]
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [sys.executable, "-m", "melodyvae", *arguments],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert process.returncode == 141  # as of a program that SIGPIPE ended
    assert "Traceback" not in process.stderr
    assert [name for name in hidden(tmp_path) if name.endswith(".part")] == []
