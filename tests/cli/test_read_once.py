"""In one command each file is read once, and each model loaded once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from melodyvae.cli.main import main
from melodyvae.network.network import MelodyNetwork
from melodyvae.reading import sources
from tests.conftest import tune

TUNES = ["a.mid", "b.mid", "c.mid", "d.mid"]


@pytest.fixture
def counted(monkeypatch, tmp_path) -> tuple[Counter[str], Counter[str]]:
    """How often each file is read, and each model loaded."""
    reads: Counter[str] = Counter()
    loads: Counter[str] = Counter()
    read_song, read_model = sources.read_song, MelodyNetwork.read

    def read(path, *others):
        reads[Path(path).name] += 1
        return read_song(path, *others)

    def load(name=None):
        loads[str(name)] += 1
        return read_model(name)

    monkeypatch.setattr(sources, "read_song", read)
    monkeypatch.setattr(MelodyNetwork, "read", staticmethod(load))
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(TUNES):
        tune(number + 1, bars=4).write(tmp_path / name)
    waltz = replace(tune(9, bars=4), meter=(3, 4))
    waltz.write(tmp_path / "waltz.mid")
    return reads, loads


@pytest.mark.parametrize(
    ("arguments", "models"),
    [
        (["interpolate", "a.mid", "b.mid", "-n", "2"], ["melody-2bar"]),
        (["interpolate", "a.mid", "a.mid", "-n", "2", "--bar-b", "3", "--track-b", "1"], ["melody-2bar"]),
        (["interpolate", "waltz.mid", "a.mid", "-n", "2"], ["melody-2bar"]),
        (["interpolate", "a.mid", "b.mid", "-n", "2", "--model", "melody-2bar"], ["melody-2bar"]),
        (["grid", *TUNES, "-n", "2"], ["melody-2bar"]),
        (["arithmetic", "a.mid", "+", "b.mid"], ["melody-2bar"]),
        (["vary", "a.mid", "-n", "1"], ["melody-2bar"]),
        (["morph", "a.mid", "--density", "1", "--candidates", "2", "-n", "2"], ["melody-2bar"]),
        (["reconstruct", "a.mid", "b.mid"], ["melody-2bar"]),
        (["complete", "a.mid", "--hide", "2", "-n", "1"], ["melody-compose"]),
        (["continue", "a.mid", "--bars", "1", "-n", "1"], ["melody-compose"]),
        (["score", "a.mid", "b.mid", "a.mid"], ["melody-2bar", "melody-compose"]),
        (["score", "waltz.mid", "a.mid", "b.mid"], ["melody-2bar", "melody-compose"]),
    ],
    ids=" ".join,
)
def test_each_file_is_read_and_each_model_loaded_once(counted, arguments, models):
    reads, loads = counted
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert reads == Counter({name: 1 for name in arguments if name.endswith(".mid")})
    assert loads == Counter(models)
