"""Files are written whole or not at all, with the rights that the user's umask gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.prepare import prepare
from melodyvae.system.files import short_name, whole_file
from tests.data_prep.test_corpus import tunes


@pytest.fixture(params=[0o077, 0o022, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_has_the_rights_of_the_umask(tmp_path: Path, umask: int) -> None:
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("a")
    assert mode_of(tmp_path / "a") == 0o666 & ~umask


def test_a_dataset_has_the_rights_of_the_umask(tmp_path: Path, umask: int) -> None:
    output = prepare([tunes(tmp_path / "midi", 1)], tmp_path / "out", workers=0).output
    assert mode_of(output) == 0o777 & ~umask
    assert {mode_of(path) for path in output.iterdir()} == {0o666 & ~umask}


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def write() -> None:
        with whole_file(tmp_path / "a") as temporary:
            temporary.write_text("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("letter", ["x", "я", "譜"])
def test_a_file_with_the_longest_name_there_is_can_be_written(tmp_path: Path, letter: str) -> None:
    path = tmp_path / (letter * (255 // len(letter.encode())))
    for text in ("first", "second"):
        with whole_file(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_long_names_that_begin_alike_are_told_apart() -> None:
    long = [letter * 60 + end for letter in ("x", "譜") for end in ("x" * 200 + "1", "x" * 200 + "2")]
    assert len({short_name(name) for name in long}) == 4
    assert {len(os.fsencode(short_name(name))) for name in long} <= set(range(197, 201))
    assert short_name("x" * 200) == "x" * 200
