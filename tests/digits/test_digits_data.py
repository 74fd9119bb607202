"""idx files: both ways of packing, every way of being broken, the download, the batches."""

import gzip
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from melodyvae.digits import data
from melodyvae.digits.data import (
    DigitBatches,
    DigitDataError,
    Digits,
    DownloadError,
    binarise,
    black_and_white,
    download_digits,
    read_digits,
    read_idx,
)
from tests.digits.idx_files import blobs, checksums, idx_bytes, idx_files, write_files

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def files():
    return idx_files()


@pytest.fixture
def serve():
    """Serve a folder on the loopback address: folder -> its address."""
    servers = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("zipped", [False, True])
def test_four_files_become_three_splits(files, tmp_path, zipped):
    found = read_digits(write_files(tmp_path, files, zipped))
    images, labels = blobs(120)
    assert (len(found.train), len(found.held_out), len(found.test)) == (110, 10, 40)
    assert torch.equal(torch.cat([found.train.images, found.held_out.images]), torch.from_numpy(images))
    assert torch.equal(torch.cat([found.train.labels, found.held_out.labels]), torch.from_numpy(labels))


def test_the_fingerprint_does_not_depend_on_packing(files, tmp_path):
    plain = read_digits(write_files(tmp_path / "plain", files))
    zipped = read_digits(write_files(tmp_path / "zipped", files, zipped=True))
    assert plain.fingerprint == zipped.fingerprint
    files[LABELS] = files[LABELS][:-1] + b"\x01"
    assert read_digits(write_files(tmp_path / "other", files)).fingerprint != plain.fingerprint


def test_a_hand_made_file(tmp_path):
    path = tmp_path / "three-labels"
    path.write_bytes(bytes.fromhex("0000 08 01  00000003  07 00 09"))
    assert read_idx(path).tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not an idx file: it starts with nothing"),
        (b"\x89PNG\r\n", "not an idx file: it starts with 89 50 4e 47"),
        (bytes.fromhex("00000d0100000001 00000000"), "type 13 with 1 dimensions"),
        (bytes.fromhex("00000804"), "type 8 with 4 dimensions"),
        (bytes.fromhex("0000080300000001"), "ends within its header"),
        (bytes.fromhex("0000080100000003 0700"), "truncated: its header promises 3 = 3 bytes, and 2 follow"),
        (bytes.fromhex("0000080100000001 0700"), "longer than it should be"),
        (gzip.compress(bytes.fromhex("0000080100000001 07"), mtime=0)[:-9], "damaged or truncated gzip"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path, data, why):
    path = tmp_path / IMAGES
    path.write_bytes(data)
    with pytest.raises(DigitDataError, match=why) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        (LABELS, np.zeros(119, np.uint8), "holds 120 images, but .* labels of \\(119,\\)"),
        (LABELS, np.full(120, 10, np.uint8), "holds the label 10; digits are 0 to 9"),
        (LABELS, np.zeros((120, 28, 28), np.uint8), "labels of \\(120, 28, 28\\)"),
        (IMAGES, np.zeros((120, 32, 32), np.uint8), "images of 28 x 28 are needed"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(files, tmp_path, name, array, why):
    files[name] = idx_bytes(array)
    with pytest.raises(DigitDataError, match=why):
        read_digits(write_files(tmp_path, files))


def test_a_set_without_images_is_refused(files, tmp_path):
    files[IMAGES], files[LABELS] = idx_bytes(np.zeros((0, 28, 28), np.uint8)), idx_bytes(np.zeros(0, np.uint8))
    with pytest.raises(DigitDataError, match="holds no image"):
        read_digits(write_files(tmp_path, files))


def test_a_missing_file_is_named(files, tmp_path):
    del files[LABELS]
    with pytest.raises(DigitDataError, match=f"holds neither {LABELS} nor {LABELS}.gz; the four files"):
        read_digits(write_files(tmp_path, files))


@pytest.fixture
def download(files, tmp_path, monkeypatch):
    """:func:`download_digits` of these files from some mirrors into a folder."""

    def download_from(*mirrors):
        monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path)
        monkeypatch.setattr(data, "MIRRORS", mirrors)
        monkeypatch.setattr(data, "MD5", checksums(files))
        return download_digits()

    return download_from


def test_download_from_a_mirror(files, tmp_path, serve, download):
    folder = download(serve(write_files(tmp_path / "mirror", files, zipped=True)))
    assert len(read_digits(folder).test) == 40
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.gz" for name in files)


def test_the_second_mirror_helps_when_the_first_has_other_bytes(files, tmp_path, serve, download):
    other = serve(write_files(tmp_path / "other", idx_files(train=60), zipped=True))
    right = serve(write_files(tmp_path / "right", files, zipped=True))
    folder = download(other, right)
    assert len(read_digits(folder).train) == 110


def test_what_is_cached_is_not_fetched_again_and_what_is_damaged_is(files, tmp_path, serve, download):
    folder = write_files(tmp_path / "mnist", files, zipped=True)
    assert download() == folder
    damaged = folder / f"{IMAGES}.gz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    mirror = serve(write_files(tmp_path / "mirror", files, zipped=True))
    download(mirror)
    assert len(read_digits(folder).train) == 110


def test_offline_one_is_told_what_to_download_and_where_to_put_it(files, tmp_path, download):
    nobody = "http://127.0.0.1:9/"
    with pytest.raises(DownloadError) as caught:
        download(nobody)
    message = str(caught.value)
    assert f"{nobody}train-images-idx3-ubyte.gz" in message
    for expected in (*(f"{name}.gz" for name in files), "name the folder", str(tmp_path / "mnist"), "http://"):
        assert expected in message
    assert list((tmp_path / "mnist").iterdir()) == []


def test_a_mirror_that_lacks_the_file_is_named(files, tmp_path, serve, download):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DownloadError, match="404"):
        download(serve(tmp_path / "empty"))


def test_binarisation_keeps_the_mean_and_depends_on_the_seed_alone():
    grey = torch.tensor([0.0, 0.25, 0.5, 1.0]).repeat(20_000, 1)
    drawn = binarise(grey, torch.Generator().manual_seed(3))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(dim=0), grey[0], atol=0.015, rtol=0)
    assert torch.equal(drawn, binarise(grey, torch.Generator().manual_seed(3)))
    assert not torch.equal(drawn, binarise(grey, torch.Generator().manual_seed(4)))


def test_black_and_white_digits_are_0_or_1_again():
    images, labels = blobs(5)
    drawn = black_and_white(Digits(torch.from_numpy(images), torch.from_numpy(labels)))
    assert set(drawn.grey().unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("batch_size", [3, 10, 25])
def test_batches_visit_every_image_once_an_epoch_in_an_order_of_their_own(batch_size):
    digits = Digits(torch.arange(10, dtype=torch.uint8).view(10, 1, 1).expand(10, 28, 28), torch.arange(10))
    batches = DigitBatches(digits, batch_size, seed=1)
    seen = torch.cat([batches(update).labels for update in range(150 // batch_size)]).view(-1, 10)
    assert len(seen) == 15
    assert (seen.sort(dim=1).values == torch.arange(10)).all()
    assert not torch.equal(seen[0], seen[1])


def test_a_batch_depends_on_seed_and_update_alone():
    images, labels = blobs(50)
    digits = Digits(torch.from_numpy(images), torch.from_numpy(labels))
    in_turn = DigitBatches(digits, 16, seed=5)
    expected = [in_turn(update) for update in range(8)]
    again = DigitBatches(digits, 16, seed=5)
    for update in (7, 2, 5):
        assert torch.equal(again(update).images, expected[update].images)
    assert not torch.equal(DigitBatches(digits, 16, seed=6)(0).images, expected[0].images)


def test_no_digits_is_an_error():
    with pytest.raises(DigitDataError, match="no digits to train on"):
        DigitBatches(Digits(torch.zeros(0, 28, 28), torch.zeros(0)), 8)


def test_lengths_are_read_as_big_endian(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(struct.pack(">HBBI", 0, 8, 1, 300) + bytes(300))
    assert read_idx(path).shape == (300,)
