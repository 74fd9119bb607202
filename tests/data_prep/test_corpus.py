"""Dataset folders: every file and window accounted for, the same bytes for the same files."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.journal import Journal
from data_prep.ledger import explain
from data_prep.output import SPLITS
from data_prep.prepare import PrepError, PrepOptions, PrepReport, prepare, split_of
from data_prep.sources import read_source, walk
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import Vocabulary
from tests.reading.smf import END_OF_TRACK, QUARTER, smf, tune


def random_tune(seed: int, bars: int = 6, meter: tuple[int, int] = (4, 4)) -> bytes:
    generator = random.Random(seed)
    return tune([generator.randrange(55, 80) for _ in range(bars * 4 * meter[0] // meter[1])], meter=meter)


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def tunes(folder: Path, count: int) -> Path:
    return folder_of(folder, {f"{seed:03}.mid": random_tune(seed) for seed in range(count)})


def arrays(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(dataset.glob("*.npy"))}


def ledger(dataset: Path) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in (dataset / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    files = [line for line in lines if "track" not in line]
    assert len({line["file"] for line in files}) == len(files)
    return {line["file"]: line for line in files}


def run(folder: Path, **options: object) -> PrepReport:
    output = folder.with_name(f"{folder.name}-dataset")
    return prepare([folder], output, PrepOptions(**options), workers=0, force=True)  # type: ignore[arg-type]


WAVES = [60, 64, 67, 72, 67, 64, 62, 59]
EVERY_KIND = {
    "good.mid": random_tune(1),
    "sub/same bytes.MID": random_tune(1),
    "empty.mid": b"",
    "web page.mid": b"<html>",
    "cut.mid": random_tune(2)[:24],  # in its header of the track
    "damaged.mid": smf(f"00 3c 50 {QUARTER} 80 3c 00"),  # data before any status
    "patterns.mid": smf(*[f"00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}"] * 2, kind=2),
    "drums.mid": tune(WAVES, channel=9),
    "silent.mid": smf(END_OF_TRACK),
    "waltz.mid": tune([60] * 12, meter=(3, 4)),
    "one note.mid": tune([60]),
    "held.mid": tune([60], quarters=16),
    "no music.txt": b"not looked at",
}
REASON_OF = {
    "good.mid": None,
    "sub/same bytes.MID": "duplicate_file",
    "empty.mid": "empty_file",
    "web page.mid": "not_midi",
    "cut.mid": "truncated",
    "damaged.mid": "corrupt",
    "patterns.mid": "unsupported",
    "drums.mid": "drums",
    "silent.mid": "no_notes",
    "waltz.mid": "meter_3_4",
    "one note.mid": "too_short",
    "held.mid": "no_window",
}


def test_every_file_is_in_the_ledger_once_with_its_reason(tmp_path: Path) -> None:
    report = run(folder_of(tmp_path / "midi", EVERY_KIND))
    lines = ledger(report.output)
    assert {name: line["reason"] for name, line in lines.items()} == REASON_OF
    assert report.files == len(REASON_OF)
    assert Counter(report.left_out_files) == Counter(reason for reason in REASON_OF.values() if reason)
    assert all(explain(reason) for reason in report.left_out_files)
    assert str(tmp_path) not in (report.output / "ledger.jsonl").read_text(encoding="utf-8")
    meta = json.loads((report.output / "meta.json").read_text(encoding="utf-8"))
    assert meta["counts"] == report.counts
    assert sum(report.counts.values()) == 5  # of six bars, stride one


def test_faults_fixed_on_reading_are_in_the_ledger_and_counted_by_kind(tmp_path: Path) -> None:
    files = {"good.mid": random_tune(1), "cut.mid": random_tune(2)[:-9], "short.mid": tune([60] * 4)[:-6]}
    report = run(folder_of(tmp_path / "midi", files))
    lines = ledger(report.output)
    assert {name: line.get("notices") for name, line in lines.items()} == {
        "good.mid": None,
        "cut.mid": ["cut", "no_end"],
        "short.mid": ["cut", "no_end"],  # counted, though it gives no window
    }
    assert report.notices == {"cut": 2, "no_end": 2}
    assert json.loads((report.output / "meta.json").read_text(encoding="utf-8"))["notices"] == report.notices
    assert all(explain(kind) for kind in report.notices)


def test_windows_are_left_out_by_stated_rules_and_counted(tmp_path: Path) -> None:
    crotchets = f"00 90 3c 50 {QUARTER} 80 3c 00"
    triplet = "00 90 3c 50 81 20 80 3c 00"  # 160 ticks
    after_a_rest = f"92 60 90 3c 50 {QUARTER} 80 3c 00"  # of five quarters
    files = {
        "triplets.mid": smf(crotchets * 7 + triplet * 3 + crotchets * 8),  # bar 2 is off the grid
        "rest.mid": smf(crotchets * 7 + after_a_rest + crotchets * 8),  # silent from beat 4 of bar 2 through bar 3
    }
    for name, expected in (("triplets.mid", {"off_grid": 2}), ("rest.mid", {"silence": 1})):
        report = run(folder_of(tmp_path / name / "midi", {name: files[name]}))
        assert {r: n for r, n in report.left_out_windows.items() if r != "duplicate_window"} == expected
    report = run(folder_of(tmp_path / "same" / "midi", {"a.mid": tune([60] * 24)}))
    assert report.left_out_windows == {"duplicate_window": 4}
    assert report.counts == {"train": 1, "valid": 0, "test": 0}


def test_the_ledger_counts_the_windows_that_are_in_the_dataset(tmp_path: Path) -> None:
    # Files of other bytes and the same music: the ledger said that both gave windows, and the table lost one of them.
    wave = WAVES * 3
    files = {"a.mid": tune(wave), "b.mid": tune(wave, channel=1), "c.mid": random_tune(5), "d.mid": random_tune(5)}
    report = run(folder_of(tmp_path / "midi", files))
    lines = ledger(report.output)
    assert sum(int(str(line["windows"])) for line in lines.values()) == sum(report.counts.values())
    assert sum(1 for line in lines.values() if line["windows"]) + sum(report.left_out_files.values()) == report.files
    assert report.left_out_files == {"in_train": 1, "duplicate_file": 1}  # of three sources one is held out: a.mid
    tracks = [json.loads(line) for line in (report.output / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    tracks = [line for line in tracks if "track" in line]
    assert len(tracks) == 4
    assert sum(line["windows"] for line in tracks) == sum(report.counts.values())
    assert all(bool(line["windows"]) != bool(line["reason"]) for line in tracks)


def test_no_source_is_in_two_splits_and_the_hash_alone_decides(tmp_path: Path) -> None:
    report = run(tunes(tmp_path / "midi", 120))
    meta = json.loads((report.output / "meta.json").read_text(encoding="utf-8"))
    assert len(meta["sources"]) == 120
    assert all(source["split"] == split_of(source["sha256"]) for source in meta["sources"])
    windows = np.load(report.output / "windows.npy")
    assert len(windows) == sum(report.counts.values())
    for row in windows:
        assert SPLITS[row["split"]] == meta["sources"][row["source"]]["split"]
    assert all(report.counts[split] > 0 for split in SPLITS)


def test_the_same_bytes_for_any_order_workers_and_names(tmp_path: Path) -> None:
    one = run(tunes(tmp_path / "midi", 40)).output
    files = sorted((tmp_path / "midi").glob("*.mid"))
    random.Random(0).shuffle(files)
    shuffled = prepare(files, tmp_path / "shuffled", workers=2).output
    (tmp_path / "renamed").mkdir()
    for number, path in enumerate(files):
        (tmp_path / "renamed" / f"{number}.mid").write_bytes(path.read_bytes())
    renamed = prepare([tmp_path / "renamed"], tmp_path / "renamed-dataset", workers=0).output
    assert len(arrays(one)) == 4
    assert arrays(one) == arrays(shuffled) == arrays(renamed)


def test_held_out_tunes_that_share_four_bars_with_a_training_tune_are_dropped(tmp_path: Path) -> None:
    generator = random.Random(5)
    theme, *ends = ([generator.randrange(55, 80) for _ in range(16)] for _ in range(61))
    files = {f"{seed}.mid": tune([pitch + seed % 3 for pitch in theme] + end) for seed, end in enumerate(ends)}
    report = run(folder_of(tmp_path / "midi", files), bars=8)
    assert report.counts["train"] > 40
    assert (report.counts["valid"], report.counts["test"]) == (0, 0)  # all have the theme, in some key
    other = run(folder_of(tmp_path / "others", {f"{n}.mid": tune(end * 2) for n, end in enumerate(ends)}), bars=8)
    assert min(other.counts.values()) > 0


def test_styles_are_those_of_names_fields_and_folders(tmp_path: Path) -> None:
    abc = "X:1\nT:The Old One\nR:slip jig\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|CDEF|\n"
    files = {
        "A Fine Reel.mid": random_tune(1),
        "plain.mid": random_tune(2),
        "hymns/of old.mid": random_tune(3),
        "one.abc": abc.encode(),
    }
    report = run(folder_of(tmp_path / "midi", files), styles=(("hymns", "hymn"),))
    sources = json.loads((report.output / "meta.json").read_text(encoding="utf-8"))["sources"]
    places = np.load(report.output / "windows.npy")
    found = {sources[source]["name"]: style for source, style in zip(places["source"], places["style"], strict=True)}
    names = {"A Fine Reel.mid": "reel", "plain.mid": None, "hymns/of old.mid": "hymn", "one.abc": "slip jig"}
    assert found == {name: style_code(style) for name, style in names.items()}


def test_held_out_windows_that_occur_in_train_in_another_key_are_dropped(tmp_path: Path) -> None:
    report = run(tunes(tmp_path / "midi", 60))
    train, test = (np.load(report.output / f"{split}.npy") for split in ("train", "test"))
    meta = json.loads((report.output / "meta.json").read_text(encoding="utf-8"))
    held_out = next(source["name"] for source in meta["sources"] if source["split"] == "test")
    # The same tune a fifth higher, until its own hash puts it into train.
    generator = random.Random(int(held_out[:3]))
    pitches = [generator.randrange(55, 80) for _ in range(24)]
    higher = next(
        data
        for channel in range(9)
        for data in [tune([pitch + 7 for pitch in pitches], channel=channel)]
        if split_of(hashlib.sha256(data).hexdigest()) == "train"
    )
    (tmp_path / "midi" / "higher.mid").write_bytes(higher)
    again = run(tmp_path / "midi")
    assert again.left_out_windows == {"in_train": 5}
    assert again.counts["train"] == len(train) + 5
    assert again.counts["test"] == len(test) - 5
    normal = [Vocabulary().normalise(np.load(again.output / f"{split}.npy")) for split in SPLITS]
    in_train = {row.tobytes() for row in normal[0]}
    assert not any(row.tobytes() in in_train for held in normal[1:] for row in held)


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_small_folders_are_usable(tmp_path: Path, count: int) -> None:
    counts = run(tunes(tmp_path / "midi", count)).counts
    assert counts["train"] >= 5
    assert sum(counts.values()) == 5 * count
    assert all(counts[split] > 0 for split in SPLITS) == (count >= 3)


@pytest.mark.parametrize(
    ("options", "steps"),
    [({"meter": "3/4"}, 24), ({"meter": "6/8"}, 24), ({"bars": 16}, 256), ({"steps_per_quarter": 12}, 96)],
)
def test_steps_follow_from_meter_bars_and_grid(tmp_path: Path, options: dict[str, object], steps: int) -> None:
    meter = str(options.get("meter", "4/4"))
    numerator, denominator = map(int, meter.split("/"))
    folder = folder_of(tmp_path / "midi", {"a.mid": random_tune(1, bars=17, meter=(numerator, denominator))})
    report = run(folder, **options)
    assert np.load(report.output / "train.npy").shape == (report.counts["train"], steps)
    assert report.counts["train"] == 17 - int(options.get("bars", 2)) + 1  # type: ignore[call-overload]


def test_stride(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "midi", {"a.mid": random_tune(1, bars=9)})
    assert [run(folder, stride_bars=stride).counts["train"] for stride in (1, 2, 4)] == [8, 4, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bars": 0}, "bars is 0"),
        ({"meter": "4"}, "meter is '4'; it must be such as 4/4"),
        ({"meter": "1/32"}, "a bar of 1/32 is not a whole number of steps"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(PrepError, match=message):
        PrepOptions(**options)  # type: ignore[arg-type]


class TestOutput:
    def test_an_existing_folder_is_kept_without_force(self, tmp_path: Path) -> None:
        folder = tunes(tmp_path / "midi", 3)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("mine")
        with pytest.raises(PrepError, match="exists; choose another output folder, or replace it with --force"):
            prepare([folder], tmp_path / "out")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]

    def test_force_replaces_a_dataset_and_nothing_else(self, tmp_path: Path) -> None:
        folder = tunes(tmp_path / "midi", 3)
        for name, files in {
            "photos": {"holiday.jpg": b"precious"},
            "album": {"01.mid": random_tune(1), "meta.json": b'{"artist": "somebody"}'},
        }.items():
            kept = folder_of(tmp_path / name, files)
            with pytest.raises(PrepError, match=f"{name} is not a dataset of melodyvae, so it is not replaced"):
                prepare([folder], kept, workers=0, force=True)
            assert {path.name: path.read_bytes() for path in kept.iterdir()} == files
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(PrepError, match=r"notes\.txt is not a dataset"):
            prepare([folder], tmp_path / "notes.txt", workers=0, force=True)
        assert (tmp_path / "notes.txt").read_text() == "mine"
        dataset = prepare([folder], tmp_path / "out", workers=0).output
        (dataset / "thoughts.txt").write_text("mine")
        with pytest.raises(PrepError, match=r"out also holds thoughts\.txt, which is not part of the dataset"):
            prepare([folder], dataset, workers=0, force=True)
        (dataset / "thoughts.txt").unlink()
        (tmp_path / "link").symlink_to(dataset)
        with pytest.raises(PrepError, match="link is a link"):
            prepare([folder], tmp_path / "link", workers=0, force=True)
        before = arrays(dataset)
        prepare([tunes(tmp_path / "others", 6)], dataset, workers=0, force=True)
        assert arrays(dataset) != before
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    def test_force_never_replaces_an_input(self, tmp_path: Path) -> None:
        # A dataset that is also an input, holds one, or lies in one: all of it went before anything was read.
        folder = tunes(tmp_path / "midi", 3)
        dataset = prepare([folder], tmp_path / "midi" / "sub" / "dataset", workers=0).output
        inner = tunes(dataset / "more", 3)
        held = arrays(dataset)
        for inputs, problem in (
            ([folder], "dataset lies in the input .*midi"),
            ([dataset], "dataset is an input"),
            ([folder / "000.mid", inner], "dataset holds the input .*more"),
            ([inner / "001.mid"], r"dataset holds the input .*001\.mid"),
        ):
            with pytest.raises(PrepError, match=problem):
                prepare(inputs, dataset, workers=0, force=True)
        with pytest.raises(PrepError, match="is not a dataset of melodyvae"):
            prepare([folder], folder, workers=0, force=True)
        assert len(list(folder.glob("*.mid"))) == len(list(inner.glob("*.mid"))) == 3
        assert arrays(dataset) == held

    def test_the_old_dataset_comes_back_if_the_new_one_cannot_be_put_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dataset = prepare([tunes(tmp_path / "midi", 3)], tmp_path / "out", workers=0).output
        before, replace = arrays(dataset), os.replace

        def fail(source: Path, target: Path) -> None:
            if target == dataset and (source / "meta.json").stat().st_mtime_ns > made:
                raise OSError("the disk is full")
            replace(source, target)

        made = (dataset / "meta.json").stat().st_mtime_ns
        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="the disk is full"):
            prepare([tunes(tmp_path / "others", 6)], dataset, workers=0, force=True)
        assert arrays(dataset) == before

    def test_a_folder_with_the_name_of_a_journal_is_kept(self, tmp_path: Path) -> None:
        mine = folder_of(tmp_path / ".out.partial", {"mine.txt": b"mine"})
        with pytest.raises(PrepError, match=r"\.out\.partial is in the way"):
            prepare([tunes(tmp_path / "midi", 3)], tmp_path / "out", workers=0)
        assert (mine / "mine.txt").read_bytes() == b"mine"

    def test_nothing_is_left_where_nothing_came_out(self, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "midi", {"a.mid": b"", "b.mid": b"text"})
        with pytest.raises(PrepError, match="nothing usable in 2 files: 1 empty_file, 1 not_midi"):
            prepare([folder], tmp_path / "out", workers=0)
        assert [path.name for path in tmp_path.iterdir()] == ["midi"]

    def test_of_a_single_file_that_gives_nothing_it_is_told_why(self, tmp_path: Path) -> None:
        (tmp_path / "a.abc").write_text("X:1\nM:4/0\nK:C\nc4|\n", encoding="utf-8")
        wrong = r"nothing usable in 1 file: 1 corrupt \(a\.abc, line 2: M:4/0 is not a meter; write it such as M:4/4\)$"
        with pytest.raises(PrepError, match=wrong):
            prepare([tmp_path / "a.abc"], tmp_path / "out", workers=0)

    def test_an_interruption_leaves_no_half_dataset(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare([tunes(tmp_path / "midi", 3)], tmp_path / "out", workers=0)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".out.partial", "midi"]

    def test_inputs_that_are_missing_or_hold_no_music(self, tmp_path: Path) -> None:
        with pytest.raises(PrepError, match="nowhere does not exist"):
            prepare([tmp_path / "nowhere"], tmp_path / "out")
        (tmp_path / "texts").mkdir()
        with pytest.raises(PrepError, match=r"no music file in .*texts \(looked for \.abc, \.kar, "):
            prepare([tmp_path / "texts"], tmp_path / "out")


def test_a_key_is_recorded_with_each_track_and_window(midi_folder: Path, tmp_path: Path) -> None:
    report = prepare([midi_folder], tmp_path / "in C", PrepOptions(key="C"), workers=0)
    lines = [json.loads(line) for line in (report.output / "ledger.jsonl").read_text().splitlines()]
    tracks = {line["file"]: line for line in lines if "track" in line}
    assert len(tracks) == 30
    windows = np.load(report.output / "windows.npy")
    names = [source["name"] for source in json.loads((report.output / "meta.json").read_text())["sources"]]
    assert {names[row["source"]]: row["shift"] for row in windows} == {
        name: track["shift"] for name, track in tracks.items() if track["windows"]
    }
    assert len({track["key"] for track in tracks.values()}) > 3
    assert any(track["shift"] for track in tracks.values())


def test_a_mixture_of_speeds_and_phases_is_accounted_for(tmp_path: Path) -> None:
    folder, options = tunes(tmp_path / "midi", 12), PrepOptions(speeds=(1, 2), phases=2)
    report = prepare([folder], tmp_path / "mixture", options, workers=0)
    windows = np.load(report.output / "windows.npy")
    assert len(windows) == sum(report.counts.values()) > 0
    assert {(row["speed"], row["phase"]) for row in windows} == {(1, 0), (1, 8), (2, 0), (2, 4)}
    assert (windows["first_bar"] > 0).any()
    tracks = [json.loads(line) for line in (report.output / "ledger.jsonl").read_text().splitlines()]
    counted = Counter(line.get("speed", 1) for line in tracks if "track" in line for _ in range(line["windows"]))
    assert counted == Counter(windows["speed"].tolist())
    rows = np.concatenate([np.load(report.output / f"{split}.npy") for split in SPLITS])
    assert len({bytes(row) for row in rows}) == len(rows)
    meta = json.loads((report.output / "meta.json").read_text())
    assert (meta["options"]["speeds"], meta["moved_to_grid"]) == ([1, 2], 0)


def test_a_stopped_mixture_goes_on(tmp_path: Path) -> None:
    folder, options = tunes(tmp_path / "midi", 12), PrepOptions(speeds=(1, 2), phases=2)
    whole = prepare([folder], tmp_path / "whole", options, workers=0).output

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], tmp_path / "stopped", options, workers=0, on_file=stop)
    assert (tmp_path / ".stopped.partial").is_dir()
    resumed = prepare([folder], tmp_path / "stopped", options, workers=0, resume=True).output
    assert arrays(resumed) == arrays(whole)


def test_files_of_the_same_name_in_two_inputs_have_names_of_their_own(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "A", {"x.mid": random_tune(1), "sub/y.mid": random_tune(2)})
    b = folder_of(tmp_path / "B", {"x.mid": random_tune(3)})
    assert sorted(ledger(prepare([a, b], tmp_path / "both", workers=0).output)) == ["A/sub/y.mid", "A/x.mid", "B/x.mid"]
    twins = folder_of(tmp_path / "other" / "A", {"x.mid": random_tune(4)})
    three = prepare([a, twins, b / "x.mid"], tmp_path / "three", workers=0).output
    names = sorted(ledger(three))
    parent = tmp_path.name
    assert names == sorted(
        [f"{parent}/A/sub/y.mid", f"{parent}/A/x.mid", "other/A/x.mid", f"{parent}/B/x.mid"],
    )
    # Nothing is named otherwise where no two names are the same, and a file that is given twice is read once.
    assert sorted(ledger(prepare([a], tmp_path / "one", workers=0).output)) == ["sub/y.mid", "x.mid"]
    assert sorted(ledger(prepare([a, a / "x.mid", a / "sub"], tmp_path / "twice", workers=0).output)) == [
        "sub/y.mid",
        "x.mid",
    ]


def test_a_resumed_run_reads_each_of_two_files_of_the_same_name_once(tmp_path: Path) -> None:
    # Workers end in any order: the journal held B/x.mid, the resumed run took it for A/x.mid and read B/x.mid again.
    inputs = [folder_of(tmp_path / name, {"x.mid": random_tune(seed)}) for seed, name in enumerate("AB")]
    whole = prepare(inputs, tmp_path / "whole", workers=0).output
    files = walk(inputs)
    with Journal(tmp_path / ".out.partial", PrepOptions(), [str(path) for path in inputs], resume=False) as journal:
        journal.add(read_source(PrepOptions(), files[1]))
    resumed = prepare(inputs, tmp_path / "out", workers=0, resume=True)
    assert resumed.files == 2
    assert resumed.left_out_files == {}
    assert arrays(resumed.output) == arrays(whole)
