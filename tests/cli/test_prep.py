"""``melodyvae prep`` as a user types it: exit status, what is printed, what is there afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from melodyvae.cli.main import main
from tests.data_prep.test_corpus import EVERY_KIND, folder_of, tunes


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def prep(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["prep", *arguments])


def test_a_folder_with_no_option(tmp_path: Path) -> None:
    tunes(tmp_path / "midi", 20)
    result = prep("./midi")
    assert result.exit_code == 0, result.output
    dataset = tmp_path / "midi-dataset"
    counts = {split: len(np.load(dataset / f"{split}.npy")) for split in ("train", "valid", "test")}
    assert sum(counts.values()) == 100
    assert "       20 files or tunes read\n" in result.output
    assert "       20 melodies, one for each track with windows\n" in result.output
    assert f"      100 windows: {', '.join(f'{count} {split}' for split, count in counts.items())}\n" in result.output
    assert "Wrote midi-dataset. Next: melodyvae train midi-dataset\n" in result.output


def test_what_was_left_out_is_told_in_words(tmp_path: Path) -> None:
    folder_of(tmp_path / "midi", EVERY_KIND)
    result = prep("midi", "--workers", "1")
    assert result.exit_code == 0
    assert "        1 truncated         the file ends too early\n" in result.output
    assert "        1 drums             only drums in it\n" in result.output


def test_files_and_folders_together(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", {"1.mid": EVERY_KIND["good.mid"]})
    tunes(tmp_path / "b", 2)
    assert prep("a/1.mid", "b", "-o", "both", "--bars", "4", "--stride", "2").exit_code == 0
    assert np.load(tmp_path / "both" / "train.npy").shape[1] == 64


def test_an_existing_dataset_needs_force(tmp_path: Path) -> None:
    tunes(tmp_path / "midi", 3)
    assert prep("midi").exit_code == 0
    refused = prep("midi")
    assert refused.exit_code == 1
    assert "midi-dataset exists; choose another output folder, or replace it with --force" in refused.output
    assert prep("midi", "--force").exit_code == 0


def test_nothing_usable_is_a_failure_with_reasons(tmp_path: Path) -> None:
    folder_of(tmp_path / "midi", {"a.mid": b"", "b.mid": b"text"})
    result = prep("midi")
    assert result.exit_code == 1
    assert "nothing usable in 2 files: 1 empty_file, 1 not_midi" in result.output
    assert not (tmp_path / "midi-dataset").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere"], 2, "Path 'nowhere' does not exist"),
        ([], 2, "Missing argument 'INPUTS...'"),
        (["midi", "--bars", "0"], 2, "0 is not in the range x>=1"),
        (["midi", "--meter", "waltz"], 2, "meter is 'waltz'; it must be such as 4/4"),
        (["empty"], 1, "no music file in empty"),
        (["midi", "-o", "midi/000.mid/out"], 1, "000.mid"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    tunes(tmp_path / "midi", 1)
    (tmp_path / "empty").mkdir()
    result = prep(*arguments)
    assert result.exit_code == status
    assert message in result.output
