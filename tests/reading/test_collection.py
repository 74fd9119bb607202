"""Tunes as sources: collections that music21 installs, files of many tunes, each in the ledger once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_prep.prepare import PrepError, prepare
from data_prep.sources import walk
from melodyvae.cli.main import main
from melodyvae.reading.collection import NoSuchCollectionError, collection_files, licence_words
from melodyvae.reading.score import read_score
from tests.data_prep.test_corpus import WAVES, arrays, ledger
from tests.reading.smf import tune
from tests.reading.test_score import PICKUP_TIE_GRACE, musicxml


def abc_tune(number: int | str, seed: int) -> str:
    scale = "CDEFGABc"
    music = "|".join(
        "".join(scale[(seed * 3 + bar * bar + beat * (seed + 1)) % 8] for beat in range(4)) for bar in range(4)
    )
    return f"X:{number}\nT:Tune {seed}\nM:4/4\nL:1/4\nK:C\n{music}|\n\n"


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    folder = tmp_path / "tunes"
    (folder / "sub").mkdir(parents=True)
    book = "".join(abc_tune(number, number) for number in range(1, 31))
    (folder / "sub" / "book.abc").write_text(book + abc_tune(7, 99) + "X:50\nM:4/4\nL:1/4\nK:C\n", encoding="utf-8")
    (folder / "one.abc").write_text(abc_tune(3, 3), encoding="utf-8")
    (folder / "letter.abc").write_text("Dear all,\n", encoding="utf-8")
    (folder / "page.xml").write_text("<html/>", encoding="utf-8")
    (folder / "short.musicxml").write_bytes(musicxml(PICKUP_TIE_GRACE))
    (folder / "wave.mid").write_bytes(tune(WAVES))
    return folder


def test_each_tune_is_a_source_and_in_the_ledger_once(tmp_path: Path, tunes: Path) -> None:
    report = prepare([tunes], tmp_path / "out", workers=0)
    lines = ledger(report.output)
    book = [f"sub/book.abc#{number}" for number in (*range(1, 31), "7-2", 50)]
    assert sorted(lines) == sorted(["one.abc", "letter.abc", "page.xml", "short.musicxml", "wave.mid", *book])
    assert report.files == len(lines) == 37
    reasons = {name: line["reason"] for name, line in lines.items() if line["reason"]}
    assert reasons.pop("letter.abc") == "not_a_score"
    assert reasons.pop("page.xml") == "not_a_score"
    assert reasons.pop("sub/book.abc#50") == "no_notes"
    assert reasons.pop("sub/book.abc#3") == "duplicate_file"  # the text of one.abc
    assert sum(int(str(line["windows"])) for line in lines.values()) == sum(report.counts.values())
    assert sum(1 for line in lines.values() if line["windows"]) + sum(report.left_out_files.values()) == 37
    meta = json.loads((report.output / "meta.json").read_text(encoding="utf-8"))
    assert len(meta["sources"]) == len({source["sha256"] for source in meta["sources"]}) == 33
    assert len({source["split"] for source in meta["sources"]}) == 3


def test_the_same_bytes_with_workers_and_after_a_stop(tmp_path: Path, tunes: Path) -> None:
    class Stop(Exception):  # noqa: N818 - not an error
        pass

    def stop(done: int, total: int) -> None:
        assert total == 37
        if done == 20:
            raise Stop

    one = prepare([tunes], tmp_path / "one", workers=0).output
    two = prepare([tunes], tmp_path / "two", workers=1).output
    with pytest.raises(Stop):
        prepare([tunes], tmp_path / "three", workers=0, on_file=stop)
    seen: list[int] = []
    three = prepare(
        [tunes], tmp_path / "three", workers=0, resume=True, on_file=lambda done, _: seen.append(done)
    ).output
    assert seen == list(range(21, 38))
    assert arrays(one) == arrays(two) == arrays(three)
    assert ledger(one) == ledger(two) == ledger(three)


def test_the_collections_that_music21_installs() -> None:
    with pytest.raises(NoSuchCollectionError, match=r"no collection 'essen'; it has .*bach, .*essenFolksong"):
        collection_files("essen")
    with pytest.raises(PrepError, match="no collection 'essen'"):
        list(walk(["music21:essen"]))
    assert "given permission\nfor non-commercial distribution and use" in licence_words("essenFolksong")
    assert "restrictions on commercial use" in licence_words("bach")
    sources = list(walk(["music21:airdsAirs"]))
    assert len(sources) == len({source.name for source in sources}) == 1180
    assert sources[0].name == "airdsAirs/book1.abc#0001"


def test_a_chorale_that_everybody_knows() -> None:
    files = {name: path for path, name in collection_files("bach")}
    song = read_score(files["bach/bwv66.6.mxl"])
    assert [part.name for part in song.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert song.parts[0].pitches[:10].tolist() == [73, 71, 69, 71, 73, 76, 73, 71, 69, 73]
    assert [bar.length_quarters for bar in song.bars()] == [1, *[4] * 9]


def test_a_collection_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["prep", "music21:nowhere"])
    assert result.exit_code == 1
    assert "music21 has no collection 'nowhere'; it has airdsAirs, bach" in result.output
    result = CliRunner().invoke(main, ["prep", "music21:leadSheet", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "Some encodings included in the corpus may not be used for commercial uses" in result.output
    assert (tmp_path / "leadSheet-dataset" / "train.npy").exists()
