"""SIGKILL at any moment: the next run ends as an undisturbed one does, and nothing of the first is left.

The moments are drawn by seed, one in each of as many equal parts of the time that an undisturbed run takes here, and
likewise one in each part of the changes that it makes to files, where a kill is most likely to do harm. A few stand in
every run of the suite, forty in the slow ones.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_prep.prepare import prepare
from tests.data_prep.test_corpus import arrays, tunes
from tests.killed import end, hidden, processes_of, start
from tests.training.one_run import train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

PREP = (
    "import sys; from data_prep.prepare import prepare\n"
    "print('ready', flush=True)\n"
    "def told(done, total): print(done, flush=True)\n"
    "prepare([sys.argv[1]], sys.argv[2], workers=int(sys.argv[3]), resume='resume' in sys.argv, on_file=told)"
)
WORKERS = [0, 1, 3]


def moments_in(takes: float, count: int, seed: int) -> list[float]:
    """So many moments, one in each of as many equal parts of ``takes``."""
    draw = random.Random(seed)
    return [takes * (number + draw.random()) / count for number in range(count)]


def killed_after(seconds: float, *arguments: str | Path) -> bool:
    """Run a program, kill it so long after it is ready; whether it still ran then."""
    process = start(*arguments)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    ran = process.poll() is None
    end(process)
    return ran


MANY = pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])


@pytest.mark.parametrize("moments", [1, MANY])
@pytest.mark.parametrize("workers", WORKERS)
def test_prep_goes_on_to_the_same_bytes(tmp_path: Path, workers: int, moments: int) -> None:
    folder = tunes(tmp_path / "midi", 60)
    whole = prepare([folder], tmp_path / "whole", workers=0).output
    began = time.monotonic()
    prepare([folder], tmp_path / "timed", workers=workers)
    takes = time.monotonic() - began
    out, ran = tmp_path / "out", 0
    for moment in moments_in(takes, moments, workers):
        ran += killed_after(moment, "-c", PREP, folder, out, str(workers), "resume")
        if not out.exists():
            prepare([folder], out, workers=0, resume=True)
        else:  # it was too late, or just in time; what is left goes with the next run, which is refused
            assert arrays(out) == arrays(whole)
            shutil.rmtree(out)
            prepare([folder], out, workers=0, resume=True)
        assert arrays(out) == arrays(whole)
        assert hidden(tmp_path) == []
        shutil.rmtree(out)
    assert ran >= moments // 4


def killed_at_changes(what: str, source: Path, folder: Path, moments: int) -> list[Path]:
    """Folders in which a run was killed at a change that it was about to make; and one where it was not, the first."""
    process = start("-m", "tests.dying", what, source, folder, str(moments))
    _, errors = process.communicate(timeout=3600)
    assert process.returncode == 0, errors
    assert processes_of(process.pid) == []
    assert (folder / "0").is_dir()
    found = sorted((int(path.name), path) for path in folder.iterdir() if path.is_dir())
    assert len(found) > min(moments, 10)
    return [path for _, path in found]


@pytest.mark.parametrize("moments", [15, MANY])
def test_prep_killed_at_a_change_goes_on_to_the_same_bytes(tmp_path: Path, moments: int) -> None:
    folder = tunes(tmp_path / "midi", 12)
    undisturbed, *killed = killed_at_changes("prep", folder, tmp_path / "runs", moments)
    whole = arrays(undisturbed / "out")
    assert len(whole) > 0
    for place in killed:
        if (place / "out").exists():  # killed when all was done but the tidying, which the next run does
            with pytest.raises(ValueError, match="exists; choose another output folder"):
                prepare([folder], place / "out", workers=0, resume=True)
        else:
            prepare([folder], place / "out", workers=0, resume=True)
        assert arrays(place / "out") == whole
        assert hidden(place) == []


@pytest.mark.parametrize("moments", [1, MANY])
def test_train_killed_at_a_change_goes_on_to_the_same_weights(
    tmp_path: Path, dataset_folder: Path, moments: int
) -> None:
    what = "finish" if moments > 10 else "train"
    undisturbed, *killed = killed_at_changes(what, dataset_folder, tmp_path / "runs", moments)
    for place in killed:
        train(dataset_folder, place / "run", what == "finish")
        assert same_weights(place / "run", undisturbed / "run")
        assert hidden(place / "run") == []
        assert names(place / "run") == names(undisturbed / "run")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_run_whose_rest_was_left_is_tidied_by_the_next(tmp_path: Path) -> None:
    folder, out = tunes(tmp_path / "midi", 10), tmp_path / "out"
    code = (
        "import os, sys; from data_prep import prepare\n"
        "prepare.remove_finished = lambda folder: os.kill(os.getpid(), 9)\n"
        "prepare.prepare([sys.argv[1]], sys.argv[2], workers=0)"
    )
    process = start("-c", code, folder, out)
    process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL
    before = arrays(out)
    assert hidden(tmp_path) == [".out.lock", ".out.partial"]
    with pytest.raises(ValueError, match="exists; choose another output folder"):
        prepare([folder], out, workers=0, resume=True)
    assert hidden(tmp_path) == []
    assert arrays(out) == before


def test_an_older_dataset_is_put_back_if_its_replacement_was_killed_in_between(tmp_path: Path) -> None:
    folder, out = tunes(tmp_path / "midi", 10), tmp_path / "out"
    before = arrays(prepare([folder], out, workers=0).output)
    code = (
        "import os, sys; from data_prep import prepare\n"
        "replace, calls = os.replace, []\n"
        "def killed(old, new):\n"
        "    if str(new) == sys.argv[2]: os.kill(os.getpid(), 9)\n"
        "    replace(old, new)\n"
        "os.replace = killed\n"
        "prepare.prepare([sys.argv[1]], sys.argv[2], workers=0, force=True)"
    )
    process = start("-c", code, folder, out)
    process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    with pytest.raises(ValueError, match="exists; choose another output folder"):
        prepare([folder], out, workers=0)
    assert arrays(out) == before
    assert [name for name in hidden(tmp_path) if name != ".out.partial"] == []


@pytest.mark.parametrize("moments", [2, MANY])
def test_a_killed_worker_costs_nothing(tmp_path: Path, moments: int) -> None:
    folder = tunes(tmp_path / "midi", 60)
    whole = prepare([folder], tmp_path / "whole", workers=0).output
    began = time.monotonic()
    prepare([folder], tmp_path / "timed", workers=2)
    takes = time.monotonic() - began
    draw = random.Random(1)
    for number, moment in enumerate(moments_in(takes, moments, 1)):
        process = start("-c", PREP, folder, tmp_path / f"out{number}", "2")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(moment)
        for worker in draw.sample(found := [p for p in processes_of(process.pid) if p != process.pid], len(found) > 0):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(worker, signal.SIGKILL)
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert arrays(tmp_path / f"out{number}") == arrays(whole)
    assert hidden(tmp_path) == []


def same_weights(folder: Path, expected: Path) -> bool:
    """Whether the models and the states of two runs are equal to the bit."""
    for name in ("model.safetensors", "state.safetensors"):
        ours, theirs = load_file(folder / name), load_file(expected / name)
        assert ours.keys() == theirs.keys()
        if not all(torch.equal(ours[key], theirs[key]) for key in ours):
            return False
    return True


@pytest.mark.parametrize("moments", [MANY])
def test_train_goes_on_to_the_same_weights(tmp_path: Path, dataset_folder: Path, moments: int) -> None:
    began = time.monotonic()
    train(dataset_folder, tmp_path / "whole", True)
    takes = time.monotonic() - began
    run, ran = tmp_path / "run", 0
    for moment in moments_in(takes, moments, 2):
        program = ("-m", "tests.training.one_run", dataset_folder, run, "finish")
        ran += killed_after(moment, *program)
        train(dataset_folder, run, True)
        assert same_weights(run, tmp_path / "whole")
        assert hidden(run) == []
        metrics = (run / "metrics.jsonl").read_text(encoding="utf-8")
        assert metrics.count("\n") == (tmp_path / "whole" / "metrics.jsonl").read_text(encoding="utf-8").count("\n")
        shutil.rmtree(run)
    assert ran >= moments // 4
