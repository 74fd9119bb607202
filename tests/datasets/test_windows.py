"""Dataset folders are checked, and batches depend on the seed and the update alone."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.prepare import PrepOptions, prepare
from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.shuffle import Shuffle
from melodyvae.datasets.windows import DatasetError, WindowDataset, open_dataset
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.presets import PRESETS
from tests.fuzzing import odd_arrays
from tests.reading.smf import tune
from tests.windows import random_windows


def test_a_dataset_opens_as_memory_maps_and_fits_its_model(dataset_folder):
    dataset = open_dataset(dataset_folder)
    assert {name: len(rows) for name, rows in dataset.splits.items()} == dataset.meta["counts"]
    assert all(count > 0 for count in dataset.meta["counts"].values())
    assert all(isinstance(rows, np.memmap) for rows in dataset.splits.values())
    dataset.check_fits(PRESETS["tiny"].model)


def test_bars_of_the_same_length_fit_each_other(dataset_folder):
    dataset = open_dataset(dataset_folder)
    of_jigs = replace(dataset, meta=dataset.meta | {"meter": [6, 8]})
    of_jigs.check_fits(replace(PRESETS["tiny"].model, meter=(3, 4)))
    with pytest.raises(DatasetError, match=r"its meter is \(6, 8\), the model's is \(4, 4\)"):
        of_jigs.check_fits(PRESETS["tiny"].model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bars": 16}, "its bars is 2, the model's is 16"),
        ({"meter": (3, 4)}, r"its meter is \(4, 4\), the model's is \(3, 4\)"),
        ({"steps_per_quarter": 8}, "its steps per quarter is 4, the model's is 8"),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused(dataset_folder, change, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(dataset_folder).check_fits(replace(PRESETS["tiny"].model, **change))


def test_a_dataset_of_another_vocabulary_is_refused(dataset_folder):
    dataset = open_dataset(dataset_folder)
    other = dataset.meta | {"vocabulary": dataset.meta["vocabulary"] | {"lowest_pitch": 36}}
    with pytest.raises(DatasetError, match=r"its vocabulary is .*36"):
        replace(dataset, meta=other).check_fits(PRESETS["tiny"].model)


def test_windows_as_written_are_those_of_bar_lines_at_the_piece_s_own_speed(tmp_path):
    scale = [60, 62, 64, 65, 67, 65, 64, 62]
    for number in range(3):
        data = tune([pitch + number for pitch in scale[number:] * 4])
        (tmp_path / f"{number}.mid").write_bytes(data)
    mixture, plain = (
        open_dataset(prepare([tmp_path], tmp_path / name, options, workers=0).output)
        for name, options in (("mixture", PrepOptions(speeds=(1, 2), phases=2)), ("plain", PrepOptions()))
    )
    assert len(mixture.splits["train"]) > len(plain.splits["train"]) > 0
    assert mixture.as_written("train").tolist() == plain.splits["train"].tolist()
    assert plain.as_written("train").tolist() == plain.splits["train"].tolist()


def test_tunes_begin_with_the_first_window_of_each_track_as_fast_as_written(tmp_path):
    columns = ("split", "source", "track", "speed", "phase", "first_bar")
    origins = [
        (0, 3, 0, 1, 0, 4),  # 0
        (0, 3, 0, 1, 0, 2),  # 1: the first of file 3
        (0, 3, 0, 2, 0, 0),  # at double speed
        (0, 3, 1, 1, 4, 0),  # within a bar
        (0, 3, 1, 1, 0, 1),  # 4: the first of its second track
        (1, 5, 0, 1, 0, 0),  # of another split
        (0, 1, 0, 1, 0, 7),  # 6 there, and 5 of train: the only one of file 1
    ]
    places = np.array(origins, [(name, "u4") for name in columns])
    splits = {"train": random_windows(6), "valid": random_windows(1), "test": random_windows(0)}
    dataset = WindowDataset(tmp_path, {}, splits, places)
    assert [dataset.tune_beginnings(split).tolist() for split in splits] == [[1, 4, 5], [0], []]


def test_meta_of_more_than_a_gigabyte_is_refused_unread(dataset_folder, monkeypatch):
    monkeypatch.setattr("melodyvae.datasets.windows.MAX_META_BYTES", 100)
    with pytest.raises(DatasetError, match=r"its meta\.json is larger than"):
        open_dataset(dataset_folder)


@pytest.mark.parametrize("array", [*odd_arrays(), None])
def test_what_does_not_say_where_windows_are_from_is_refused(dataset_folder, tmp_path, array):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    (copy / "windows.npy").unlink()
    if array is not None:
        (copy / "windows.npy").write_bytes(array)
    with pytest.raises(DatasetError, match=r"windows\.npy"):
        open_dataset(copy)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("name", ["train.npy", "meta.json", "windows.npy"])
def test_a_pipe_in_a_dataset_is_not_waited_for(dataset_folder, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(DatasetError, match=r"not a regular file|not a dataset"):
        open_dataset(copy)


def test_a_folder_that_is_no_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match=r"is not a dataset.*melodyvae prep"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "truncated", "short"])
def test_a_damaged_dataset_is_refused(dataset_folder, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    file = copy / "valid.npy"
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        np.save(file, np.load(file)[:-1])
    with pytest.raises(DatasetError, match=r"not a whole dataset|contradicts its meta"):
        open_dataset(copy)


@pytest.fixture
def copied(dataset_folder, tmp_path):
    """A copy of a dataset, which was read through before."""
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    open_dataset(copy)
    return copy


def rewrite(file, change):
    """Change the rows of an array on disk; its size stays as it is."""
    rows = np.array(np.load(file))
    change(rows)
    np.save(file, rows)


def test_windows_that_are_not_those_of_the_hash_are_refused(copied):
    def change(rows):
        rows[0, 0] = 3 if rows[0, 0] != 3 else 4

    rewrite(copied / "test.npy", change)
    with pytest.raises(DatasetError, match=r"test\.npy is damaged or was changed: its SHA-256 is "):
        open_dataset(copied)


def test_unknown_tokens_are_refused(copied):
    def change(rows):
        rows[-1, -1] = 90

    rewrite(copied / "train.npy", change)
    meta = json.loads((copied / "meta.json").read_text())
    meta["tokens_sha256"]["train"] = hashlib.sha256((copied / "train.npy").read_bytes()).hexdigest()
    (copied / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DatasetError, match=r"train\.npy has the token 90; those of its vocabulary are 0 to 89"):
        open_dataset(copied)


@pytest.mark.parametrize(("column", "value", "message"), [("split", 2, "other windows"), ("source", 99, "names files")])
def test_origins_that_contradict_the_dataset_are_refused(copied, column, value, message):
    def change(rows):
        rows[column][0] = value

    rewrite(copied / "windows.npy", change)
    with pytest.raises(DatasetError, match=rf"windows\.npy .*{message}"):
        open_dataset(copied)


def test_unchanged_files_are_read_through_once(copied, monkeypatch):
    monkeypatch.setattr("melodyvae.datasets.windows.sha256_of", lambda file: pytest.fail(f"{file} is read again"))
    open_dataset(copied)


def test_damaged_meta_is_refused(dataset_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    text = (copy / "meta.json").read_text()
    assert json.loads(text)
    (copy / "meta.json").write_text(text[:-20])
    with pytest.raises(DatasetError, match="not a whole dataset"):
        open_dataset(copy)


def test_an_epoch_visits_every_window_once():
    windows = random_windows(24)
    batches = TrainingBatches(windows, batch_size=8, seed=3)
    first = torch.cat([batches(update) for update in range(3)])
    second = torch.cat([batches(update) for update in range(3, 6)])
    expected = sorted(map(bytes, windows))
    assert sorted(bytes(row.to(torch.uint8).numpy()) for row in first) == expected
    assert sorted(bytes(row.to(torch.uint8).numpy()) for row in second) == expected
    assert not torch.equal(first, second)


def test_a_batch_depends_on_seed_and_update_alone():
    windows = random_windows(20)
    one, other = (TrainingBatches(windows, 8, 5, 5, 6) for _ in range(2))
    for update in (4, 0, 11):
        assert torch.equal(one(update), other(update))
    assert not torch.equal(one(0), TrainingBatches(windows, 8, 6, 5, 6)(0))


def test_fewer_windows_than_a_batch_come_more_than_once():
    windows = random_windows(3)
    batch = TrainingBatches(windows, batch_size=10, seed=0)(0)
    assert batch.shape == (10, 32)
    assert {bytes(row.to(torch.uint8).numpy()) for row in batch} == set(map(bytes, windows))


def test_transposition_is_a_shift_of_every_note_within_bounds_drawn_anew():
    windows = random_windows(50)
    vocabulary = Vocabulary()
    batches = TrainingBatches(windows, 50, 0, transpose_down=5, transpose_up=6)
    batch = batches(0).numpy().astype(np.uint8)
    normal = {bytes(row): index for index, row in enumerate(vocabulary.normalise(windows))}
    shifts = []
    for row in batch:
        original = windows[normal[bytes(vocabulary.normalise(row))]]
        is_note = original >= FIRST_NOTE_ON
        difference = set((row.astype(int) - original)[is_note])
        assert len(difference) == 1
        assert (row[~is_note] == original[~is_note]).all()
        shifts.append(difference.pop())
    assert min(shifts) >= -5
    assert max(shifts) <= 6
    assert len(set(shifts)) > 6
    assert not np.array_equal(np.sort(batch, axis=0), np.sort(batches(1).numpy(), axis=0))


def test_transposition_stops_at_the_edge_of_the_vocabulary():
    windows = np.zeros((2, 32), dtype=np.uint8)
    windows[0, 0], windows[1, 0] = FIRST_NOTE_ON, Vocabulary().size - 1
    batches = TrainingBatches(windows, 64, 0, transpose_down=11, transpose_up=11)
    tokens = batches(0)[:, 0]
    assert tokens.min() == FIRST_NOTE_ON
    assert tokens.max() == Vocabulary().size - 1


def test_windows_without_notes_are_left_as_they_are():
    windows = np.zeros((2, 32), dtype=np.uint8)
    assert not TrainingBatches(windows, 8, 0, 5, 6)(0).any()


def test_nothing_to_train_on_is_refused():
    with pytest.raises(DatasetError, match=r"no windows to train on.*ledger"):
        TrainingBatches(np.empty((0, 32), np.uint8), 8)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 1000, 65_537])
def test_a_shuffle_has_every_number_once(count):
    order = Shuffle(count, 3, 0)[np.arange(count)]
    assert np.array_equal(np.sort(order), np.arange(count))


def test_a_shuffle_depends_on_its_seeds_and_on_nothing_else():
    places = np.arange(5000)
    order = Shuffle(5000, 3, 0)[places]
    assert np.array_equal(order, Shuffle(5000, 3, 0)[places])
    assert np.array_equal(order[100:110], Shuffle(5000, 3, 0)[places[100:110]])
    for other in (Shuffle(5000, 4, 0), Shuffle(5000, 3, 1)):
        assert np.mean(other[places] == order) < 0.01


def test_a_shuffle_leaves_no_trace_of_the_order_before():
    count = 10_000
    orders = np.stack([Shuffle(count, 0, epoch)[np.arange(count)] for epoch in range(20)])
    bound = 5 / np.sqrt(orders.size)  # five standard deviations of a correlation of independent numbers
    places = np.broadcast_to(np.arange(count), orders.shape)
    assert abs(np.corrcoef(orders.ravel(), places.ravel())[0, 1]) < bound
    assert abs(np.corrcoef(orders[:, 1:].ravel(), orders[:, :-1].ravel())[0, 1]) < bound
    assert abs(np.corrcoef(orders[1:].ravel(), orders[:-1].ravel())[0, 1]) < bound
    parity = np.mean(orders[:, ::2] % 2)
    assert abs(parity - 0.5) < bound


@pytest.mark.parametrize("version", [0, 99, "1", None])
def test_a_dataset_of_another_format_is_refused(dataset_folder, tmp_path, version):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    meta = json.loads((copy / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps(meta | {"format_version": version}))
    with pytest.raises(DatasetError, match=rf"dataset format {version}; this melodyvae reads format 1.*prep"):
        open_dataset(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocabulary", None),
        ("vocabulary", {"first_note_on": "2"}),
        ("meter", [4]),
        ("meter", "4/4"),
        ("bars", True),
        ("bars", 0),
        ("steps", 10**400),
        ("counts", []),
        ("counts", {"train": 1}),
        ("left_out_files", None),
        ("tokens_sha256", {}),
        ("versions", {"numpy": 2}),
        ("sources", [{"name": "a", "sha256": "../..", "split": "train"}]),
    ],
)
def test_a_meta_file_with_other_values_is_refused(dataset_folder, tmp_path, name, value):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    meta = json.loads((copy / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps(meta | {name: value}))
    with pytest.raises(DatasetError, match=f"{name} in its meta.json is wrong"):
        open_dataset(copy)


def test_a_meta_file_that_is_nested_too_deep_is_refused(dataset_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset_folder, copy)
    (copy / "meta.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DatasetError, match="nested too deep"):
        open_dataset(copy)


def test_arrays_that_are_pickled_huge_or_none_are_refused(dataset_folder, tmp_path):
    arrays = odd_arrays()
    assert len(arrays) == 14
    for number, data in enumerate(arrays):
        copy = tmp_path / str(number)
        shutil.copytree(dataset_folder, copy)
        (copy / "train.npy").write_bytes(data)
        with pytest.raises(DatasetError, match=r"not a whole dataset|contradicts its meta"):
            open_dataset(copy)
