"""A tune of a book, and repeats, as commands take them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from melodyvae.cli.main import main

A_PART, B_PART = "cdef|gabc'|c'bag|fedc", "CDEF|GABc|cBAG|FEDC"
BOOK = (
    f"X:1\nT:The First\nM:4/4\nL:1/4\nK:C\n|:{A_PART}:|\n\nX:7\nT:Drowsy Maggie\nM:4/4\nL:1/4\nK:C\n"
    f"|:{A_PART}:|\n|:{B_PART}:|\n"
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.abc"
    path.write_text(BOOK, encoding="utf-8")
    return path


def said(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("tune", ["7", "drowsy"])
def test_inspect_takes_a_tune_and_plays_its_repeats(book: Path, tune: str) -> None:
    written, played = "8 bars (0 short)", "16 bars (0 short)"
    assert written in said("inspect", f"{book}#{tune}")
    assert written in said("inspect", str(book), "--tune", tune)
    assert "repeats are taken once: 8 bars as written, 16 if they were played\n" in said("inspect", f"{book}#{tune}")
    output = said("inspect", str(book), "--tune", tune, "--repeats", "play")
    assert played in output
    assert "repeats are played out: 8 bars as written, 16 as played\n" in output


def test_a_book_without_a_choice_says_how_many_tunes_it_holds(book: Path) -> None:
    assert "the first of 2 tunes in the file; add #NUMBER or #TITLE to its name for another\n" in said(
        "inspect", str(book)
    )


def test_a_tune_that_is_not_there_is_a_sentence(book: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", f"{book}#9"])
    assert result.exit_code == 1
    assert result.output.endswith("book.abc has no tune 9: it holds 2; give a number or a title\n")
    missing = CliRunner().invoke(main, ["vary", f"{book.parent / 'other.abc'}#9"])
    assert missing.exit_code == 2
    assert "other.abc' does not exist" in missing.output


def test_verbs_take_a_tune_and_repeats(book: Path, run_folder: Path, tmp_path: Path) -> None:
    common = ["--model", str(run_folder), "-o", str(tmp_path / "out"), "--force"]
    of_seven = said("reconstruct", f"{book}#7", "--repeats", "play", *common)
    assert "book.abc#7: track 1 of 1, repeats are played out: 8 bars as written, 16 as played" in of_seven
    assert said("reconstruct", str(book), "--tune", "7", "--repeats", "play", *common) == of_seven
    walk = said("interpolate", str(book), f"{book}#7", "-n", "3", *common)
    assert "A is book.abc: track 1 of 1, the first of 2 tunes in the file" in walk
    assert "B is book.abc#7: track 1 of 1, repeats are taken once" in walk


def test_prep_plays_repeats_and_records_it(tmp_path: Path) -> None:
    folder = tmp_path / "abc"
    folder.mkdir()
    (folder / "tune.abc").write_text(BOOK.partition("\n\n")[2], encoding="utf-8")
    counts = {}
    for repeats in ("written", "play"):
        output = tmp_path / repeats
        said("prep", str(folder), "-o", str(output), "--bars", "8", "--repeats", repeats, "--workers", "1")
        meta = json.loads((output / "meta.json").read_text(encoding="utf-8"))
        assert meta["options"]["repeats"] == repeats
        counts[repeats] = len(np.load(output / "train.npy"))
    assert counts == {"written": 1, "play": 9}
