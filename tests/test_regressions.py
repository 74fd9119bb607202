"""Ten seconds of fuzzing, and every file that fuzzing has found, for good."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.fuzz import REGRESSIONS, FindingError, fuzz
from tests.fuzzing import KINDS, outcome_of, seeds

FOUND = sorted(REGRESSIONS.iterdir()) if REGRESSIONS.is_dir() else []


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_is_read_or_refused(path: Path) -> None:
    outcome = outcome_of((path.name.partition("-")[0], path.read_bytes()))
    assert outcome.startswith(("read", "refused: "))


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_that_are_damaged_are_good_before(kind: str) -> None:
    assert len(seeds(kind)) >= 1
    assert [outcome_of((kind, data)) for data in seeds(kind)] == ["read"] * len(seeds(kind))


def test_a_round_of_fuzzing_each_kind_finds_nothing(tmp_path: Path) -> None:
    counts, kept = fuzz(math.inf, list(KINDS), 0, tmp_path, rounds=len(KINDS))
    assert counts.total() >= len(KINDS)
    assert kept == {}


def test_what_no_reader_may_do_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError("C:")

    monkeypatch.setattr("tests.fuzzing._read_music", broken)
    monkeypatch.setitem(KINDS, "abc", replace(KINDS["abc"], read=broken))
    assert outcome_of(("abc", b"X:1\nK:C\nc|\n")).startswith("finding: KeyError")
    assert issubclass(FindingError, AssertionError)


def with_header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + bytes(16)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (struct.pack("<Q", 2**60) + b"{}", "not a whole .safetensors file"),
        (with_header("[" * 100_000), "not a whole .safetensors file"),
        (with_header('{"__metadata__": {"melodyvae": "' + "[" * 100_000 + '"}}'), "not a whole .safetensors file"),
        (b"\x80\x04\x95 a pickle under another name", "is a pickled PyTorch file"),
        (b"", "not a whole .safetensors file"),
    ],
    ids=["2^60 bytes", "deep", "deep within", "pickle", "empty"],
)
def test_a_checkpoint_that_lies_is_refused(data: bytes, sentence: str) -> None:
    assert outcome_of(("checkpoint", data)).startswith("refused: ")
    assert sentence in outcome_of(("checkpoint", data))
