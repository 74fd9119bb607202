"""The tunes of ``complete``, ``continue`` and ``reconstruct`` lie over their source file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from melodyvae.music.notes import KeySignature, Meter, Part, Song, Tempo
from melodyvae.reading.midi import read_midi
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.results import Result
from melodyvae.writing.midi import write_midi
from tests.conftest import tiny_composer
from tests.reading.smf import part, song

METERS = [(0.0, 1, 4), (1.0, 4, 4), (9.0, 2, 4), (11.0, 4, 4)]
TEMPI = (Tempo(0.0, 96.0), Tempo(9.0, 60.0), Tempo(19.0, 150.0))
BEATS = [beat for beat in range(31) if beat]  # the pickup is silent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A tune of seven bars of 4/4 and one of 2/4, over three tempi, in A major, with a bass."""
    tune = part([(beat, beat + 1.0, 69 + (0, 2, 4, 5, 7)[beat % 5]) for beat in BEATS], "melody")
    bass = part([(beat, beat + 4.0, 45) for beat in range(0, 31, 5)], "bass", program=33)
    piece = replace(song(tune, bass, meters=METERS, end=31.0), tempi=TEMPI, key_signatures=(KeySignature(0.0, 3),))
    write_midi(piece, tmp_path / "a.mid")
    return tmp_path / "a.mid"


def files(result: Result, folder: Path) -> tuple[Song, list[str]]:
    """The first file of a result, and all names."""
    names = result.write(folder)
    return read_midi(folder / names[0]), names


def places(lead: Part, start: float, end: float) -> list[tuple[float, int]]:
    inside = (lead.starts >= start) & (lead.starts < end)
    return list(zip(np.round(lead.starts[inside], 3).tolist(), lead.pitches[inside].tolist(), strict=True))


def maps(piece: Song) -> tuple[list[tuple[float, float]], tuple[Meter, ...], tuple[KeySignature, ...]]:
    tempi = [(tempo.start_quarters, round(tempo.quarters_per_minute, 2)) for tempo in piece.tempi]
    return tempi, piece.meters, piece.key_signatures


def test_bars_that_are_kept_are_where_they_were(path: Path, tmp_path: Path) -> None:
    source = read_midi(path)
    result = MelodyVAE.from_pretrained("melody-2bar").complete(path, 2, hide=[4], extend=1, seed=1)
    back, names = files(result, tmp_path / "out")
    # bar 1 of the piece is the pickup; the fourth is the one of 2/4
    assert places(back.parts[0], 0, 9) == places(source.parts[0], 0, 9)
    assert places(back.parts[0], 11, 31) == places(source.parts[0], 11, 31)
    assert maps(back) == maps(source)
    assert back.end_quarters == 35.0
    row = read_midi(tmp_path / "out" / "all.mid")
    assert "all.mid" in names
    assert row.parts[0].name
    assert row.end_quarters == 2 * 35.0
    assert [round(tempo.start_quarters) for tempo in row.tempi] == [0, 9, 19, 35, 44, 54]
    assert [meter.start_quarters for meter in row.meters] == [0, 1, 9, 11, 35, 36, 44, 46]


def test_a_tune_goes_on_after_its_last_bar(path: Path, tmp_path: Path) -> None:
    source = read_midi(path)
    result = MelodyVAE(tiny_composer()).continue_(path, 1, bars=2, seed=1)
    back, _ = files(result, tmp_path / "out")
    assert places(back.parts[0], 0, 31) == places(source.parts[0], 0, 31)
    assert (maps(back), back.end_quarters) == (maps(source), 39.0)


def test_a_tune_comes_back_over_itself(path: Path, tmp_path: Path) -> None:
    source = read_midi(path)
    result = MelodyVAE.from_pretrained("melody-2bar").reconstruct(path)
    back, _ = files(result, tmp_path / "out")
    assert (maps(back), back.end_quarters) == (maps(source), source.end_quarters)
    same = set(places(back.parts[0], 0, 31)) & set(places(source.parts[0], 0, 31))
    assert len(same) > 20
