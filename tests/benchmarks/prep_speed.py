"""Speed of ``prep`` beside note-seq, and with two workers beside one.

    python3 -m venv note-seq-venv && note-seq-venv/bin/pip install note-seq==0.0.5 "setuptools<81"
    python -m tests.benchmarks.prep_speed FOLDER... --note-seq-python note-seq-venv/bin/python

note-seq 0.0.5 imports on Python 3.11 and 3.12 with the newest of its dependencies; ``setuptools`` is for pretty_midi,
which asks for ``pkg_resources``. Its own environment keeps its protobuf and librosa out of ours.

Both sides take the same files in one process each, turn about, and the median of the runs counts. note-seq's side
(:mod:`tests.benchmarks.note_seq_windows`) is timed after its imports and writes nothing. Ours is timed from the call of
:func:`~data_prep.prepare` until the dataset is on disk: the worker's start and imports, hashes, reasons,
deduplication over all files and the ledger are in it. So the ratio is on the low side, the more so for small folders;
``start`` is the time that prep takes for one file. Whatever else the machine does counts on both sides; the ratio of
processor times, in which our two processes are added up, is the steadier one then.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from data_prep.prepare import PrepError, PrepOptions, prepare
from data_prep.sources import walk

NOTE_SEQ_SCRIPT = Path(__file__).with_name("note_seq_windows.py")
OPTIONS = PrepOptions(track="all")


@dataclass(frozen=True)
class Run:
    """What one run took and gave."""

    seconds: float
    cpu_seconds: float
    windows: int
    said: str = ""


def ours(files: list[str], workers: int) -> Run:
    """``prepare`` as ``melodyvae prep --track all`` calls it."""
    with tempfile.TemporaryDirectory() as folder:
        start, start_cpu = time.perf_counter(), _cpu_seconds()
        report = prepare(files, Path(folder, "dataset"), OPTIONS, workers=workers)
        seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - start_cpu
    left_out = sum(report.left_out_windows.get(reason, 0) for reason in ("duplicate_window", "in_train"))
    said = f"and {left_out} that repeat others; {sum(report.left_out_files.values())} files without"
    return Run(seconds, cpu_seconds, sum(report.counts.values()), said)


def start_seconds(file: str) -> float:
    """What ``prepare`` takes for one file."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, suppress(PrepError):  # the file need not give a window
        prepare([file], Path(folder, "dataset"), OPTIONS, workers=1)
    return time.perf_counter() - start


def _cpu_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def note_seqs(files: list[str], python: str) -> tuple[Run, dict[str, str]]:
    """note-seq's side, and the versions it ran with."""
    done = subprocess.run(
        [python, str(NOTE_SEQ_SCRIPT)], input=json.dumps(files), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(f"{python} cannot run note-seq:\n{done.stderr.strip()[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    said = f"errors: {answer['errors'] or 'none'}"
    return Run(answer["seconds"], answer["cpu_seconds"], answer["windows"], said), answer["versions"]


def median(runs: list[Run]) -> float:
    """The median of their seconds."""
    return statistics.median(run.seconds for run in runs)


def median_cpu(runs: list[Run]) -> float:
    """The median of their processor seconds."""
    return statistics.median(run.cpu_seconds for run in runs)


def show(name: str, runs: list[Run], files: int) -> None:
    """One side's line."""
    seconds = median(runs)
    every = ", ".join(f"{run.seconds:.2f}" for run in runs)
    click.echo(
        f"{name:10} {seconds:8.2f} s ({every}), {1000 * seconds / files:.3f} ms/file, cpu {median_cpu(runs):.2f} s; "
        f"{runs[0].windows} windows, {runs[0].said}"
    )


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--note-seq-python", type=click.Path(exists=True), help="Without it, only our side is measured.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True)
def main(folders: tuple[str, ...], note_seq_python: str | None, repeat: int) -> None:
    """Print files, windows, seconds, and the ratios."""
    files = [file.path for file in walk(folders)]
    own_versions = {name: version(name) for name in ("melodyvae", "numpy")}
    click.echo(
        f"{len(files)} files, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}; {own_versions}"
    )
    one, two, theirs, alone = [], [], [], []
    for _ in range(repeat):
        if note_seq_python:
            run, versions = note_seqs(files, note_seq_python)
            theirs.append(run)
        one.append(ours(files, 1))
        two.append(ours(files, 2))
        alone.append(start_seconds(files[0]))
    start = statistics.median(alone)
    show("workers 1", one, len(files))
    show("workers 2", two, len(files))
    click.echo(f"start      {start:8.2f} s")
    share = median(one) / median(two) / 2
    click.echo(f"throughput per worker, 2 against 1: {share:.2f} (other load on the machine counts)")
    if theirs:
        show("note-seq", theirs, len(files))
        click.echo(f"{versions}")
        ratio, steady = median(theirs) / median(one), median(theirs) / (median(one) - start)
        by_cpu = median_cpu(theirs) / median_cpu(one)
        click.echo(f"ratio: {ratio:.1f}; without start: {steady:.1f}; of processor time: {by_cpu:.1f}")


if __name__ == "__main__":
    main()
