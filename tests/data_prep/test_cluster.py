"""A real Dask scheduler and two worker processes on this machine, one of which is killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data_prep import cluster as cluster_module
from data_prep import prepare as corpus
from data_prep.cluster import cluster_executor
from data_prep.prepare import prepare
from data_prep.sources import SourceFile, SourceResult, read_source
from data_prep.windows import PrepError, PrepOptions
from melodyvae.cli.main import main
from melodyvae.system.limits import Limits
from tests.children import start_child
from tests.data_prep.test_corpus import EVERY_KIND, arrays, folder_of, tunes

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Its processes end with the module, whatever the tests did."""
    folder = tmp_path_factory.mktemp("cluster")
    address_file = folder / "scheduler.json"
    with ExitStack() as running:

        def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
            process = start_child(
                [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--host", "127.0.0.1"],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        start("dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(address_file))
        address = address_in(address_file)
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder))
        yield Cluster(address, [start("dask_worker", address, *options) for _ in range(2)])


def address_in(address_file: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            address: str = json.loads(address_file.read_text(encoding="utf-8"))["address"]
            return address
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")


def every_file(dataset: Path) -> dict[str, bytes]:
    """The arrays and the ledger."""
    return arrays(dataset) | {"ledger.jsonl": (dataset / "ledger.jsonl").read_bytes()}


def prep(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["prep", *map(str, arguments)])


def test_the_command_makes_the_same_dataset_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    folder = folder_of(tunes(tmp_path / "midi", 30), EVERY_KIND)
    here = prepare([folder], tmp_path / "here", workers=0).output
    result = prep(folder, "-o", tmp_path / "there", "--cluster", cluster.address)
    assert result.exit_code == 0, result.output
    assert f"{30 + len(EVERY_KIND) - 1:9} files or tunes read\n" in result.output
    assert every_file(tmp_path / "there") == every_file(here)


def slow_or_fatal(options: PrepOptions, file: SourceFile) -> SourceResult:
    time.sleep(0.01)
    if file.name == "004.mid":
        os.abort()
    return read_source(options, file)


def test_a_file_that_crashes_its_reader_and_a_worker_that_is_killed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "read_source", slow_or_fatal)
    folder = tunes(tmp_path / "midi", 192)
    here = prepare([folder], tmp_path / "here", workers=2).output
    seen: list[int] = []

    def kill_one(done: int, total: int) -> None:
        seen.append(done)
        if done == 12:
            assert cluster.workers[0].poll() is None
            cluster.workers[0].kill()

    with cluster_executor(cluster.address) as executor:
        report = prepare([folder], tmp_path / "there", executor=executor, on_file=kill_one)
    assert seen == list(range(1, 193))
    assert cluster.workers[0].wait(START_SECONDS) == -9
    assert cluster.workers[1].poll() is None
    assert report.left_out_files == {"crashed": 1}
    assert every_file(report.output) == every_file(here)


def test_limits_hold_on_a_cluster(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "read_source", hanging)
    monkeypatch.setattr(corpus, "LIMITS", Limits(seconds=2))
    with cluster_executor(cluster.address) as executor:
        report = prepare([tunes(tmp_path / "midi", 8)], tmp_path / "there", executor=executor)
    assert report.left_out_files == {"too_slow": 1}


def hanging(options: PrepOptions, file: SourceFile) -> SourceResult:
    if file.name == "003.mid":
        time.sleep(600)
    return read_source(options, file)


def test_workers_with_other_versions_are_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "version", lambda package: "0.0.0")
    with (
        pytest.raises(PrepError, match=r"the worker at tcp://.* they must be the same"),
        cluster_executor(cluster.address),
    ):
        pass


def test_wrong_use_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tunes(tmp_path / "midi", 3)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    for address, workers, status, message in (
        (
            f"tcp://127.0.0.1:{port}",
            None,
            1,
            f"no Dask scheduler answers at tcp://127.0.0.1:{port}: Connection refused",
        ),
        ("host:8786", None, 1, "the cluster's address is 'host:8786'; it must be such as tcp://host:8786"),
        ("tcp://host:8786", 2, 2, "--workers counts processes of this machine, --cluster has its own"),
    ):
        result = prep(folder, "--cluster", address, *(["--workers", str(workers)] if workers else []))
        assert (result.exit_code, result.exception and type(result.exception)) == (status, SystemExit)
        assert message in " ".join(result.output.split())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setitem(sys.modules, "distributed", None)
        result = prep(folder, "--cluster", f"tcp://127.0.0.1:{listening.getsockname()[1]}")
    assert result.exit_code == 1
    assert "a cluster needs Dask: pip install 'melodyvae[scale]'" in result.output
