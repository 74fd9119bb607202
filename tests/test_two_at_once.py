"""Two commands on one folder: the second is refused in a sentence; and signals end commands in good order."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data_prep.test_corpus import arrays, tunes
from tests.killed import end, hidden, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

HELD_PREP = (  # after its first file it waits until its standard input is closed
    "import sys; from data_prep import prepare\n"
    "real = prepare.work_on\n"
    "def held(*arguments):\n"
    "    for outcome in real(*arguments): yield outcome; print('one', flush=True); sys.stdin.read()\n"
    "prepare.work_on = held\n"
    "from melodyvae.cli.main import main; main()"
)


def held_prep(folder: Path, out: Path) -> subprocess.Popen[str]:
    """A command that has read one file, and waits."""
    process = start("-c", HELD_PREP, "prep", folder, "-o", out, "--workers", "1", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    return process


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_second_prep_is_refused_and_the_first_ends_well(tmp_path: Path) -> None:
    folder, out = tunes(tmp_path / "midi", 12), tmp_path / "out"
    first = held_prep(folder, out)
    second = start("-m", "melodyvae", "prep", folder, "-o", out)
    _, errors = second.communicate(timeout=120)
    assert second.returncode == 1
    assert f"Error: {out} is in use by process {first.pid} on " in errors
    assert "prep" in errors.partition("since")[2]
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 0, errors
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_prep_and_resume_goes_on(tmp_path: Path, number: int) -> None:
    folder, out = tunes(tmp_path / "midi", 12), tmp_path / "out"
    process = held_prep(folder, out)
    _, errors = end(process, number)
    assert process.returncode == 128 + number
    assert errors.endswith("Error: stopped. To go on, give the same command with --resume\n")
    assert hidden(tmp_path) == [".out.partial"]
    resumed = start("-m", "melodyvae", "prep", folder, "-o", out, "--workers", "1", "--resume")
    _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert len(arrays(out)) > 0
    assert hidden(tmp_path) == []


TRAIN = ("train", "--preset", "tiny", "--steps", "1000000000", "-o")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_saves_a_training_and_a_second_one_is_refused_meanwhile(
    tmp_path: Path, dataset_folder: Path, number: int
) -> None:
    run = tmp_path / "run"
    first = start("-m", "melodyvae", *TRAIN, run, dataset_folder)
    wait_for(run / "metrics.jsonl")
    for more in ([], ["--resume"]) if number == signal.SIGTERM else ():
        second = start("-m", "melodyvae", *TRAIN, run, dataset_folder, *more)
        _, errors = second.communicate(timeout=120)
        assert second.returncode == 1
        refusal = f"the run folder {run} is in use by process {first.pid} on " if more else "already holds a training"
        assert refusal in errors
    told, _ = end(first, number)
    assert first.returncode == 128 + number
    assert "Stopped and saved." in told
    assert sorted(path.name for path in run.iterdir()) == ["metrics.jsonl", "model.safetensors", "state.safetensors"]


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path, dataset_folder: Path) -> None:
    code = (
        "import time; from melodyvae.training.trainer import Trainer\n"
        "update = Trainer._make_update\n"
        "def told(self, share):\n"
        "    print('training', flush=True) if not self.update else None\n"
        "    return update(self, share)\n"
        "Trainer._make_update = told\n"
        "Trainer.save_state = lambda self: (print('saving', flush=True), time.sleep(1000))\n"
        "from melodyvae.cli.main import main; main()"
    )
    process = start("-c", code, *TRAIN, tmp_path / "run", dataset_folder, "--evaluate-every", "1000000000")
    assert process.stdout is not None
    assert "training\n" in iter(process.stdout.readline, "")
    process.send_signal(signal.SIGINT)
    assert "saving\n" in iter(process.stdout.readline, "")
    end(process, signal.SIGINT)
    assert process.returncode == -signal.SIGINT
