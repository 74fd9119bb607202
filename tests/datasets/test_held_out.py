"""Windows that a model has not seen, by prefixes of its training files' hashes, which must not collide."""

import base64
import hashlib

import numpy as np
import pytest

from melodyvae.datasets.held_out import TrainedOnError, held_out_windows, source_marks
from melodyvae.datasets.windows import WindowDataset


def dataset_of(folder, names, split):
    """A dataset of one window each of so many files, all in one split."""
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    sources = [{"name": name, "sha256": sha256, "split": split} for name, sha256 in zip(names, hashes, strict=True)]
    rows = {name: np.zeros((len(names) * (name == split), 32), np.uint8) for name in ("train", "valid", "test")}
    return WindowDataset(folder, {"sources": sources, "tokens_sha256": {"train": split}}, rows, np.empty(0))


@pytest.fixture(scope="module")
def colliding():
    """Two names whose hashes begin with the same four bytes, found among the first 200,000."""
    seen = {}
    for number in range(200_000):
        start = hashlib.sha256(str(number).encode()).digest()[:4]
        if start in seen:
            return seen[start], str(number)
        seen[start] = str(number)
    raise AssertionError("no two collide")


def test_a_stranger_whose_hash_begins_alike_is_not_taken_for_a_training_file(tmp_path, colliding):
    trained, stranger = colliding
    made_by = {"trained_on": source_marks(dataset_of(tmp_path, [trained], "train"))}
    assert len(held_out_windows(made_by, dataset_of(tmp_path, [stranger], "test"))) == 1
    with pytest.raises(TrainedOnError, match="trained on 1 of its 1 files"):
        held_out_windows(made_by, dataset_of(tmp_path, [trained], "test"))


def test_no_two_of_a_hundred_million_files_collide():
    # 4 bytes: a split of 9,000 held-out files collides with 178,000 training files in three of ten datasets.
    marks = source_marks(dataset_of(None, ["one"], "train"))
    bits = 8 * marks["bytes"]
    assert 1e8 * 5e6 / 2**bits < 1e-4


def four_byte_marks(*names):
    return base64.b64encode(b"".join(hashlib.sha256(name.encode()).digest()[:4] for name in names)).decode()


def test_models_with_marks_of_four_bytes_are_read_as_before(tmp_path):
    made_by = {"trained_on": four_byte_marks("a", "b")}
    assert len(held_out_windows(made_by, dataset_of(tmp_path, ["c"], "test"))) == 1
    with pytest.raises(TrainedOnError, match="trained on 1 of its 2 files, such as b"):
        held_out_windows(made_by, dataset_of(tmp_path, ["b", "c"], "test"))
    with pytest.raises(TrainedOnError):
        held_out_windows({"fine_tuned_from": made_by}, dataset_of(tmp_path, ["b", "c"], "test"))


def test_the_test_split_of_the_models_own_dataset_is_never_refused(tmp_path, colliding):
    trained, stranger = colliding
    own = dataset_of(tmp_path, [stranger], "test")
    made_by = {"trained_on": four_byte_marks(trained), "dataset_sha256": own.fingerprint}
    assert len(held_out_windows(made_by, own)) == 1
    assert len(held_out_windows(made_by | {"fine_tuned_from": made_by}, own)) == 1
    with pytest.raises(TrainedOnError, match="trained on the training split of this dataset"):
        held_out_windows(made_by, own, "all")
    # What a parent was trained on elsewhere still counts.
    with pytest.raises(TrainedOnError):
        held_out_windows(made_by | {"fine_tuned_from": {"trained_on": four_byte_marks(stranger)}}, own)
