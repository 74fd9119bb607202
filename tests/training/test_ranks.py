"""Training by two processes on loopback: the same gradient as by one, one set of files, and going on after a loss."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.windows import DatasetError
from melodyvae.ranks import ALONE, Ranks, join_ranks
from melodyvae.training.trainer import METRICS_FILE, MODEL_FILE, STATE_FILE, read_metrics
from tests.children import start_child
from tests.windows import random_windows

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def run_ranks(count: int, *arguments: object, status: int = 0) -> str:
    command = [*TORCHRUN, str(count), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_alone_there_is_nothing_to_agree_on():
    with join_ranks() as ranks:
        assert ranks is ALONE
    module, values = torch.nn.Linear(2, 2), torch.tensor([1.0, 2.0])
    assert ALONE.share(module) is module
    assert ALONE.mean(values) is values
    assert ALONE.largest([0.5, 1.0]) == [0.5, 1.0]


@pytest.mark.parametrize("count", [2, 4])
def test_the_parts_of_the_ranks_make_up_the_batch_of_one(count):
    windows = random_windows(50)
    whole = TrainingBatches(windows, 16, 3, 5, 6)(7)
    parts = [TrainingBatches(windows, 16, 3, 5, 6, ranks=Ranks(rank, count))(7) for rank in range(count)]
    together = torch.stack(parts, dim=1).flatten(0, 1)
    assert torch.equal(together, whole)


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(DatasetError, match="3 ranks cannot share batches of 16 windows evenly"):
        TrainingBatches(random_windows(50), 16, ranks=Ranks(0, 3))


def test_the_gradient_of_two_ranks_is_that_of_one_with_the_whole_batch(dataset_folder, tmp_path):
    one, two = (tmp_path / "1", tmp_path / "2")
    for count, folder in ((1, one), (2, two)):
        run_ranks(count, "-m", "tests.training.one_rank", dataset_folder, folder)
    expected, found = (torch.load(folder / "gradient.pt") for folder in (one, two))
    assert expected.keys() == found.keys()
    assert all(gradient.abs().max() > 0 for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_a_lost_rank_ends_the_job_and_another_number_goes_on(dataset_folder, tmp_path):
    folder = tmp_path / "run"
    train = ["-m", "melodyvae", "train", dataset_folder, "--preset", "tiny", "-o", folder, "--evaluate-every", "10"]
    command = [*TORCHRUN, "2", *map(str, train), "--steps", "1000000"]
    with start_child(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as job:
        wait_for(folder / STATE_FILE, job)
        os.kill(rank_of(job, 1), signal.SIGKILL)
        _, errors = job.communicate(timeout=120)
    assert job.returncode != 0
    assert "SIGKILL" in errors
    stopped = read_metrics(folder)[-1]["update"]
    output = run_ranks(1, *train, "--steps", stopped + 10, "--resume")
    assert "Going on after update" in output
    assert {path.name for path in folder.iterdir()} >= {METRICS_FILE, MODEL_FILE, STATE_FILE}
    updates = [line["update"] for line in read_metrics(folder)]
    assert updates == sorted(set(updates))
    assert updates[-1] == stopped + 10


@pytest.mark.slow
def test_two_ranks_say_so_once_and_write_one_run(dataset_folder, tmp_path):
    folder = tmp_path / "run"
    train = ["-m", "melodyvae", "train", dataset_folder, "--preset", "tiny", "-o", folder]
    output = run_ranks(2, *train, "--steps", "20", "--evaluate-every", "10")
    assert output.count("2 ranks, each with 16 of the 32 windows of a batch.") == 1
    assert output.count("Wrote ") == 1
    assert [line["update"] for line in read_metrics(folder)] == [10, 20]
    again = run_ranks(2, *train, "--steps", "20", status=1)
    assert "already holds a training" in again


def wait_for(path: Path, job: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert job.poll() is None, "the job ended before it wrote anything"
        assert time.monotonic() < end, "the job wrote nothing"
        time.sleep(0.1)


def rank_of(job: subprocess.Popen, rank: int) -> int:
    """The process id of a rank of a job, by its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == job.pid and f"RANK={rank}".encode() in variables:
            return int(process.name)
    raise AssertionError(f"rank {rank} is not running")
