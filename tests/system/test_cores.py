"""Number of usable cores: the affinity mask, lowered by a container's CPU quota."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep import prepare as corpus
from data_prep.workers import work_on
from melodyvae.system import cores
from tests.data_prep.test_corpus import tunes


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), (None, 8)],
)
def test_a_quota_lowers_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str | None, expected: int
) -> None:
    monkeypatch.setattr(cores, "QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores.available_cores() == expected


def test_prep_starts_no_more_processes_than_its_quota_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In a container with 2 of a machine's 64 cores it started 64 processes.
    monkeypatch.setattr(cores, "QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    started = []
    monkeypatch.setattr(corpus, "work_on", lambda *asked: started.append(asked[2]) or work_on(*asked))
    corpus.prepare([tunes(tmp_path / "midi", 3)], tmp_path / "out")
    assert started == [1]
