"""The index knows its own windows in every key, and tells near from far as comparing them one by one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.datasets.windows import open_dataset
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.novelty import NoveltyError, NoveltyIndex, beat_hashes, index_of, redraw_near_copies
from tests.windows import random_windows


@pytest.fixture(scope="module")
def index():
    return NoveltyIndex.of(random_windows(300), 4)


@given(st.integers(0, 299), st.integers(-20, 20))
def test_a_training_window_is_found_in_every_key(row, shift):
    windows = random_windows(300)
    moved = Vocabulary().transpose(windows[row], shift)
    assert NoveltyIndex.of(windows, 4).beats_alike(moved[None]).tolist() == [8]


def test_strangers_share_few_beats(index):
    alike = index.beats_alike(random_windows(200, seed=99))
    assert alike.max() <= 4
    assert not index.is_near_copy(random_windows(200, seed=99)).any()


def test_one_changed_note_changes_two_beats_at_most(index):
    windows = random_windows(300)
    changed = windows.copy()
    for row in changed:
        step = np.flatnonzero(row >= FIRST_NOTE_ON)[2]
        row[step] += 1
    alike = index.beats_alike(changed)
    assert alike.min() >= 6
    assert alike.max() <= 8


def test_a_changed_last_note_is_a_near_copy(index):
    windows = random_windows(300)[:1].copy()
    windows[0, np.flatnonzero(windows[0] >= FIRST_NOTE_ON)[-1]] += 3
    assert index.beats_alike(windows).tolist() == [7]
    assert index.is_near_copy(windows).tolist() == [True]


def test_equal_hashes_are_equal_beats():
    windows = random_windows(400)
    hashes = beat_hashes(windows, 4)
    rhythm = (windows >= FIRST_NOTE_ON).reshape(400, 8, 4)
    for beat in range(8):
        _, place = np.unique(hashes[:, beat], return_inverse=True)
        for group in range(min(place.max() + 1, 50)):
            assert (rhythm[place == group, beat] == rhythm[place == group, beat][0]).all()


def test_it_comes_back_from_disk_and_equal_windows_are_kept_once(index, tmp_path):
    windows = np.concatenate([random_windows(300), random_windows(300)])
    again = NoveltyIndex.of(windows, 4)
    again.save(tmp_path / "index.npy")
    assert np.array_equal(NoveltyIndex.open(tmp_path / "index.npy", 4).hashes, index.hashes)
    assert len(index.hashes) <= 300


def test_windows_that_end_within_a_beat_have_a_hash_for_it():
    assert beat_hashes(random_windows(3, steps=18), 4).shape == (3, 5)


def test_a_part_of_a_training_window_is_a_near_copy_at_its_own_length():
    known = random_windows(50, 64)
    index = NoveltyIndex.of(known, 4)
    parts = known[:5, 16:48]
    assert index.comparable_beats(32) == 8
    assert (index.beats_alike(parts) >= 7).all()  # the first note has an interval before it there, and none here
    assert index.is_near_copy(parts).all()
    assert not index.is_near_copy(random_windows(50, 32, seed=7)).any()


def test_of_a_longer_window_the_most_similar_part_counts():
    known = random_windows(50, 32)
    index = NoveltyIndex.of(known, 4)
    longer = np.concatenate([random_windows(3, 40, seed=8), known[:3]], axis=1)  # 72 steps, the last 32 are known
    assert index.beats_alike(longer).tolist() == [8, 8, 8]
    assert index.is_near_copy(longer).all()
    assert not index.is_near_copy(random_windows(50, 72, seed=9)).any()


def test_near_copies_are_drawn_again(index):
    copies = [Vocabulary().decode(row) for row in random_windows(4)]
    fresh = [Vocabulary().decode(row) for row in random_windows(8, seed=50)]
    rounds = iter([[*copies[:2], *fresh[:2]], [copies[2], fresh[2]], [fresh[3]]])
    asked = []

    def draw(count):
        asked.append(count)
        return next(rounds)

    assert redraw_near_copies(draw, 4, index) == fresh[:4]
    assert asked == [4, 2, 1]


def test_a_model_that_only_copies_is_said_to(index):
    (copy,) = (Vocabulary().decode(row) for row in random_windows(1))
    with pytest.raises(NoveltyError, match="in 20 draws only 0 of 2"):
        redraw_near_copies(lambda count: [copy] * count, 2, index)


def test_silence_and_a_held_note_have_hashes_of_their_own():
    held = Vocabulary().encode(Melody((MelodyNote(0, 32, 60),), 32))
    assert (held[1:] == NO_EVENT).all()
    silence = np.zeros(32, np.uint8)
    hashes = beat_hashes(np.stack([held, silence]), 4)
    assert hashes[0, 0] != hashes[1, 0]
    assert (hashes[0, 1:] == hashes[1, 1:]).all()


def test_a_training_leaves_the_index_beside_its_model(run_folder, dataset_folder):
    model = MelodyNetwork.read(run_folder)
    train = np.asarray(open_dataset(dataset_folder).splits["train"])
    assert index_of(model).beats_alike(train).min() == 8


def test_a_model_without_index_says_so():
    with pytest.raises(NoveltyError, match=r"came without novelty\.npy"):
        index_of(MelodyModel().network())


@pytest.mark.parametrize("content", [b"", b"words", b"\x93NUMPY", b"PK\x05\x06" + bytes(18), b"\x80\x04N."])
def test_a_file_that_is_no_index_is_refused(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(NoveltyError, match="is no index of training windows"):
        NoveltyIndex.open(tmp_path / "x.npy", 4)


def test_an_index_of_other_windows_is_refused(tmp_path):
    model = MelodyModel().network()
    model.path = tmp_path / "m.safetensors"
    np.save(tmp_path / "m.novelty.npy", np.zeros((3, 5), np.uint16))
    with pytest.raises(NoveltyError, match=r"m\.novelty\.npy is of windows of 5 beats, the model's have 8"):
        index_of(model)


def test_long_windows_are_counted_beyond_255_beats():
    # The sum was of uint8: 256 beats alike were counted as none.
    window = random_windows(1, 300)
    index = NoveltyIndex.of(window, steps_per_beat=1)
    assert index.beats_alike(window).tolist() == [300]
    assert index.is_near_copy(window).all()
