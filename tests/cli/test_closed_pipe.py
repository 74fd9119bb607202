"""A reader of the output that has enough, as ``head`` has, ends a command without a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from melodyvae.cli.signals import ENDED_BY_SIGPIPE
from tests.children import start_child
from tests.conftest import tune

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")


@pytest.mark.parametrize("command", ["inspect", "score"])
def test_a_command_whose_output_nobody_reads_ends_quietly(command: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    tune(1, bars=4).write(path)
    arguments = [sys.executable, "-m", "melodyvae", command, path]
    with start_child(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == ENDED_BY_SIGPIPE


def test_a_broken_pipe_of_the_commands_own_is_an_error(monkeypatch, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from melodyvae.cli.main import main

    def broken(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("melodyvae.reading.limited.read_song", broken)
    path = tmp_path / "a.mid"
    tune(1, bars=4).write(path)
    assert CliRunner().invoke(main, ["inspect", str(path)]).exit_code == 1
