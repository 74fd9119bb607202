"""Every command that reads a score reads it in a process of its own, and refuses a bad one in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from melodyvae.cli.main import main
from melodyvae.reading import limited
from melodyvae.system.limits import Limits
from melodyvae.vae import MelodyVAE
from tests.reading.hostile import kern, musicxml

COMMANDS = [
    ["interpolate", "GOOD", "BAD"],
    ["morph", "BAD", "--density", "+1"],
    ["vary", "BAD"],
    ["grid", "GOOD", "GOOD", "GOOD", "BAD"],
    ["arithmetic", "GOOD", "+", "BAD"],
    ["complete", "BAD", "--hide", "1"],
    ["score", "BAD"],
    ["continue", "BAD"],
    ["reconstruct", "BAD"],
    ["inspect", "BAD"],
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "good.krn").write_bytes(kern("=1\n4c\n4d\n4e\n4f\n=2\n1c\n"))
    (tmp_path / "bad.krn").write_bytes(kern("*M0/4\n=1\n1c\n"))
    return {"GOOD": str(tmp_path / "good.krn"), "BAD": str(tmp_path / "bad.krn")}


@pytest.fixture(autouse=True)
def nothing_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_here(path: object, repeats: object) -> None:
        raise AssertionError(f"{path} was read in this process")

    monkeypatch.setattr(limited, "read_score", read_here)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_every_command_refuses_a_bad_score_in_a_sentence(
    arguments: list[str], files: dict[str, str], run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = [] if arguments[0] in ("inspect", "continue") else ["--model", str(run_folder)]
    result = CliRunner().invoke(main, [*(files.get(word, word) for word in arguments), *model])
    assert result.exit_code == 1
    assert result.output.endswith("bad.krn cannot be read: line 3: *M0/4 is not a meter; write it such as *M4/4\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.krn", "good.krn"]


def test_the_verbs_read_within_limits_on_request(run_folder: Path, files: dict[str, str], tmp_path: Path) -> None:
    slow = tmp_path / "slow.musicxml"
    slow.write_bytes(musicxml("<a/>" * 1_000_000))
    vae = MelodyVAE.from_pretrained(run_folder, limits=Limits(seconds=0.05))
    with pytest.raises(limited.TooSlowError, match=r"takes longer to read than 0\.05 seconds"):
        vae.score(slow)
    with pytest.raises(AssertionError, match="was read in this process"):
        MelodyVAE.from_pretrained(run_folder).score(files["GOOD"])
