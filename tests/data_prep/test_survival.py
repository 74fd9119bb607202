"""Folders full of damage: every file is in the ledger once, and a stopped run goes on to the same bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from data_prep import prepare as corpus
from data_prep.journal import Journal
from data_prep.prepare import prepare
from data_prep.sources import SourceFile, SourceResult, read_source
from data_prep.windows import PrepOptions
from melodyvae.system.limits import Limits
from tests.data_prep.test_corpus import arrays, random_tune, tunes
from tests.reading.smf import END_OF_TRACK, QUARTER, smf


def damaged_folder(folder: Path, count: int) -> int:
    """Fill a folder with ``count`` good and damaged files of every kind; how many names end in .mid."""
    draw = random.Random(0)
    folder.mkdir()
    for number in range(count - 8):
        data = bytearray(random_tune(number % 997))
        kind = number % 8
        if kind == 1:
            del data[draw.randrange(len(data)) :]
        elif kind == 2:
            for _ in range(3):
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        elif kind == 3:
            data[18:22] = draw.randbytes(4)  # the track's length
        elif kind == 4:
            data = bytearray(draw.randbytes(200))
        elif kind == 5:
            data = bytearray(smf("00 90 3c 50" + f"{QUARTER} 3c 50 {QUARTER} 3c 00" * 300 + END_OF_TRACK))
        elif kind == 6:
            data[4 + draw.randrange(10)] = draw.randrange(256)  # the header
        (folder / f"{number:05}.mid").write_bytes(data)
    (folder / "zeros.mid").write_bytes(bytes(20 * 2**20))
    (folder / "loop.mid").symlink_to("loop.mid")
    (folder / "nowhere.mid").symlink_to("missing.mid")
    (folder / "up").symlink_to(folder)
    (folder / "folder.mid").mkdir()
    os.mkfifo(folder / "pipe.mid")
    Path(os.fsdecode(os.fsencode(folder) + b"/not utf-8 \xff.mid")).write_bytes(random_tune(1))
    (folder / "a\nnew line.mid").write_bytes(random_tune(2))
    (folder / "locked.mid").write_bytes(random_tune(3))
    (folder / "locked.mid").chmod(0)
    (folder / "UPPER.MID").write_bytes(random_tune(4))
    return count


def file_lines(dataset: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (dataset / "ledger.jsonl").read_text(encoding="ascii").splitlines()]
    return [line for line in lines if "track" not in line]


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_damaged_file_is_in_the_ledger_once(tmp_path: Path, count: int) -> None:
    total = damaged_folder(tmp_path / "midi", count)
    report = prepare([tmp_path / "midi"], tmp_path / "out", workers=2)
    lines = file_lines(report.output)
    assert report.files == len(lines) == total
    assert len({line["file"] for line in lines}) == total
    reasons = Counter(str(line["reason"]) for line in lines)
    assert {"truncated", "corrupt", "not_midi", "not_a_file", "unreadable", "duplicate_file"} <= set(reasons)
    assert not {"crashed", "too_slow", "too_much_memory"} & set(reasons)
    by_name = {line["file"]: line["reason"] for line in lines}
    assert by_name["zeros.mid"] == "not_midi"
    assert (by_name["pipe.mid"], by_name["nowhere.mid"], by_name["loop.mid"]) == (
        "not_a_file",
        "not_a_file",
        "unreadable",
    )
    assert sum(1 for line in lines if line["windows"]) > count // 20


def slow_or_crashing(options: PrepOptions, file: SourceFile) -> SourceResult:
    if file.name == "003.mid":
        time.sleep(60)
    if file.name == "004.mid":
        os.abort()
    return read_source(options, file)


def test_a_reader_that_hangs_or_aborts_costs_its_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "read_source", slow_or_crashing)
    monkeypatch.setattr(corpus, "LIMITS", Limits(seconds=3))
    report = prepare([tunes(tmp_path / "midi", 20)], tmp_path / "out", workers=2)
    assert report.left_out_files == {"too_slow": 1, "crashed": 1}
    assert {line["file"]: line["reason"] for line in file_lines(report.output) if line["reason"]} == {
        "003.mid": "too_slow",
        "004.mid": "crashed",
    }


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    folder = tunes(tmp_path / "midi", 30)
    whole = prepare([folder], tmp_path / "whole", workers=0).output

    def stop(done: int, total: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], tmp_path / "out", workers=0, on_file=stop)
    assert not (tmp_path / "out").exists()
    journal = tmp_path / ".out.partial" / "results.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"name": "half a li')
    with (journal.parent / "windows.bin").open("ab") as file:
        file.write(b"bytes of a source whose line was not written")
    seen: list[int] = []
    prepare([folder], tmp_path / "out", workers=0, resume=True, on_file=lambda done, total: seen.append(done))
    assert seen == list(range(13, 31))
    assert arrays(tmp_path / "out") == arrays(whole)
    assert not journal.parent.exists()


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    folder = tunes(tmp_path / "midi", 30)
    whole = prepare([folder], tmp_path / "whole", workers=0).output
    code = (
        "import os, sys; from data_prep.prepare import prepare\n"
        "def stop(done, total):\n    if done == 9: os.kill(os.getpid(), 9)\n"
        "prepare([sys.argv[1]], sys.argv[2], workers=2, on_file=stop)"
    )
    out = tmp_path / "out"
    result = subprocess.run([sys.executable, "-c", code, str(folder), str(out)], timeout=60)
    assert result.returncode == -9
    assert not out.exists()
    prepare([folder], out, workers=0, resume=True)
    assert arrays(out) == arrays(whole)


def test_other_options_or_inputs_start_anew(tmp_path: Path) -> None:
    result = SourceResult("a.mid", "00" * 32, "corrupt", "damaged")
    with Journal(tmp_path / "j", PrepOptions(), ["in"], resume=False) as journal:
        journal.add(result)
    with Journal(tmp_path / "j", PrepOptions(), ["in"], resume=True) as journal:
        assert [journal.read(entry) for entry in journal.entries] == [result]
    with Journal(tmp_path / "j", PrepOptions(bars=4), ["in"], resume=True) as journal:
        assert journal.entries == []
