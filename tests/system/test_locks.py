"""One process at a time: the error of the second names the first, and a crash leaves no lock behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from melodyvae.system.locks import InUseError, UnwritableError, sole_use
from tests.children import start_child

HOLD = (
    "import sys, time; from pathlib import Path; from melodyvae.system.locks import sole_use\n"
    "with sole_use(Path(sys.argv[1]), 'it'): print('held', flush=True); time.sleep(100)"
)


def holder(lock_file: Path) -> subprocess.Popen[str]:
    process = start_child([sys.executable, "-c", HOLD, str(lock_file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock_file = tmp_path / ".out.lock"
    first = holder(lock_file)
    with (
        pytest.raises(InUseError, match=rf"^out is in use by process {first.pid} on .+ since 20.+Wait until it ends"),
        sole_use(lock_file, "out"),
    ):
        pass
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert lock_file.exists()  # the file, but no lock
    with sole_use(lock_file, "out"):
        assert json.loads(lock_file.read_text(encoding="utf-8"))["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_one_process_is_refused_by_itself_too(tmp_path: Path) -> None:
    with sole_use(tmp_path / "lock", "it"), pytest.raises(InUseError), sole_use(tmp_path / "lock", "it"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_told_from_one_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in [Path("/proc")] * sys.platform.startswith("linux") + [tmp_path / "file"]:
        with (
            pytest.raises(UnwritableError, match=r"^cannot write to it \(.+\); choose another"),
            sole_use(folder / "l", "it"),
        ):
            pass


def test_an_error_within_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), sole_use(tmp_path / "lock", "it"):
        raise KeyError
    with sole_use(tmp_path / "lock", "it"):
        pass


def test_a_file_that_says_nothing_is_another_process(tmp_path: Path) -> None:
    with sole_use(tmp_path / "lock", "it"):
        (tmp_path / "lock").write_text("{", encoding="utf-8")
        with pytest.raises(InUseError, match="in use by another process"), sole_use(tmp_path / "lock", "it"):
            pass


def test_of_many_at_once_one_is_in_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, os, time; from pathlib import Path; from melodyvae.system.locks import InUseError, sole_use\n"
        "folder, done = Path(sys.argv[1]), 0\n"
        "while done < 20:\n"
        "    try:\n"
        "        with sole_use(folder / 'lock', 'it'):\n"
        "            descriptor = os.open(folder / 'inside', os.O_CREAT | os.O_EXCL)\n"
        "            os.close(descriptor); os.unlink(folder / 'inside'); done += 1\n"
        "    except InUseError: time.sleep(0.001)\n"
    )
    processes = [start_child([sys.executable, "-c", code, tmp_path]) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0, 0]
    assert list(tmp_path.iterdir()) == []
