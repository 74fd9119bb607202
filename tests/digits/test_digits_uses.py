"""Walks, attributes, completions, anomalies, pictures: on shipped models and on images made in code."""

import math

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from melodyvae.digits.anomaly import LETTERS, letters, noise, roc_auc, upside_down
from melodyvae.digits.data import Digits
from melodyvae.digits.gallery import BOOK, draw_pictures, typical
from melodyvae.digits.latent import attribute_direction, drawn_digits, fill_in, pixels_left, slant, stroke_width, walk
from melodyvae.digits.metrics import negative_elbos, posterior_means
from melodyvae.digits.model import DigitVAE
from melodyvae.digits.plots import manifold, plot_digit_curves, plot_latent_map, tile
from melodyvae.models.latent import DiagonalGaussian
from tests.digits.idx_files import blobs


@pytest.fixture(scope="module")
def two_numbers():
    return DigitVAE.from_pretrained("digits-2d")


@pytest.fixture(scope="module")
def five_numbers():
    return DigitVAE.from_pretrained("digits-5d")


@pytest.fixture(scope="module")
def drawn():
    return drawn_digits(400, torch.Generator().manual_seed(0))


def bar(lean: float, width: float) -> torch.Tensor:
    """A bar that leans ``lean`` pixels to the right a pixel upwards, ``width`` pixels wide."""
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    from_axis = (columns - 13.5 - lean * (13.5 - rows)).abs()
    return ((width / 2 + 0.5 - from_axis).clamp(0, 1) * ((rows >= 4) & (rows < 24))).unsqueeze(0)


def test_drawn_digits_are_of_all_classes_and_of_their_seed(drawn):
    assert drawn.images.dtype == torch.uint8
    assert drawn.labels.bincount().tolist() == [40] * 10
    assert torch.equal(drawn.images, drawn_digits(400, torch.Generator().manual_seed(0)).images)
    assert not torch.equal(drawn.images, drawn_digits(400, torch.Generator().manual_seed(1)).images)


def test_the_shipped_maps_tell_drawn_digits_apart(two_numbers, five_numbers, drawn):
    for model, least in ((two_numbers, 0.6), (five_numbers, 0.8)):
        means = posterior_means(model, drawn)
        nearest = torch.cdist(means, means).fill_diagonal_(math.inf).argmin(dim=1)
        assert (drawn.labels[nearest] == drawn.labels).float().mean() > least


def test_a_walk_ends_at_the_reconstructions(five_numbers, drawn):
    start, end = typical(drawn, 3), typical(drawn, 8)
    path = walk(five_numbers, start, end, 10)
    assert path.shape == (10, 28, 28)
    with torch.inference_mode():
        torch.testing.assert_close(path[[0, -1]], five_numbers.reconstruct(torch.stack([start, end])))


def test_a_walk_takes_even_steps_and_no_leap(five_numbers, drawn):
    path = walk(five_numbers, typical(drawn, 1), typical(drawn, 7), 20)
    steps = (path[1:] - path[:-1]).square().sum(dim=(1, 2)).sqrt()
    assert steps.max() < 0.5 * (path[-1] - path[0]).square().sum().sqrt()


@pytest.mark.parametrize("lean", [-0.4, 0.0, 0.3])
def test_slant_is_pixels_to_the_right_a_pixel_upwards(lean):
    assert float(slant(bar(lean, 3))) == pytest.approx(lean, abs=0.02)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_stroke_width_is_that_of_a_long_bar(width):
    assert float(stroke_width(bar(0, width))) == pytest.approx(width, rel=0.25)


def test_slant_and_width_of_nothing_are_finite():
    blank = torch.zeros(1, 28, 28)
    assert slant(blank).isfinite().all()
    assert stroke_width(blank).isfinite().all()


@pytest.mark.parametrize("measure", [slant, stroke_width])
def test_an_attribute_learned_from_nine_digits_shows_in_the_tenth(drawn, measure):
    model = DigitVAE.from_pretrained("digits-20d")
    direction = attribute_direction(model, drawn[drawn.labels != 7], measure)
    sevens = drawn.of_class(7).grey()
    with torch.inference_mode():
        z = model.encode(sevens).mean
        less, more = (measure(model.decode(z + way * direction)) for way in (-0.7, 0.7))
    assert (more > less).float().mean() > 0.9


def test_fillings_keep_what_is_seen_and_never_look_at_the_rest(five_numbers, drawn, monkeypatch):
    monkeypatch.setattr("melodyvae.digits.latent.CLIMB_STEPS", 60)
    image, visible = typical(drawn, 3), torch.zeros(28, 28, dtype=torch.bool)
    visible[:14] = True
    filled, found = fill_in(five_numbers, image, visible, 5, torch.Generator().manual_seed(0))
    assert filled.shape == (5, 28, 28)
    assert torch.equal(filled[:, :14], image[:14].expand(5, -1, -1))
    assert (found[:-1] >= found[1:]).all()
    spoilt = torch.where(visible, image, torch.full_like(image, 0.7))
    again, _ = fill_in(five_numbers, spoilt, visible, 5, torch.Generator().manual_seed(0))
    assert torch.equal(filled, again)


def test_fillings_fit_better_than_where_they_started_and_differ(drawn, monkeypatch):
    model = DigitVAE.from_pretrained("digits-20d")
    image, visible = typical(drawn, 3), torch.zeros(28, 28, dtype=torch.bool)
    visible[:14] = True
    monkeypatch.setattr("melodyvae.digits.latent.CLIMB_STEPS", 0)
    started = fill_in(model, image, visible, 8, torch.Generator().manual_seed(0))[1]
    monkeypatch.setattr("melodyvae.digits.latent.CLIMB_STEPS", 100)
    filled, climbed = fill_in(model, image, visible, 8, torch.Generator().manual_seed(0))
    assert climbed.mean() > started.mean() + 20
    assert (filled[1:] - filled[0]).abs().amax(dim=(1, 2)).min() > 0.2


def test_letters_are_set_like_digits():
    found = letters(60, torch.Generator().manual_seed(0))
    assert found.images.shape == (60, 28, 28)
    ink = found.grey()
    rows = (ink.sum(dim=2) > 0).sum(dim=1)
    columns = (ink.sum(dim=1) > 0).sum(dim=1)
    assert (torch.maximum(rows, columns) <= 21).all()
    assert (torch.maximum(rows, columns) >= 15).all()
    middle = (ink.sum(dim=2) * torch.arange(28)).sum(dim=1) / ink.sum(dim=(1, 2))
    assert ((middle - 13.5).abs() < 0.6).all()
    assert torch.equal(found.images, letters(60, torch.Generator().manual_seed(0)).images)
    assert "I" not in LETTERS
    assert "O" not in LETTERS


def test_an_a_has_a_hole():
    one_letter = torch.Generator().manual_seed(0)
    images = letters(300, one_letter).grey()
    # Some letter (A, B, D, P, Q, R) has blank pixels with ink to the left and to the right, above and below.
    inside = images < 0.1
    for axis in (1, 2):
        inside &= (images.cumsum(axis) > 1) & (images.flip(axis).cumsum(axis).flip(axis) > 1)
    assert (inside.sum(dim=(1, 2)) > 4).sum() > 20


def test_shuffled_pixels_hold_as_much_ink():
    images, labels = blobs(7)
    digits = Digits(torch.from_numpy(images), torch.from_numpy(labels))
    found = noise(14, digits, torch.Generator().manual_seed(0))
    twice = digits.images.repeat(2, 1, 1).flatten(1)
    assert torch.equal(found.images.flatten(1).sort(dim=1).values, twice.sort(dim=1).values)


def test_half_a_turn_twice_is_none():
    images, labels = blobs(7)
    digits = Digits(torch.from_numpy(images), torch.from_numpy(labels))
    assert torch.equal(upside_down(upside_down(digits)).images, digits.images)


@pytest.mark.parametrize(
    ("ordinary", "strange", "area"),
    [([1, 2], [3, 4], 1.0), ([3, 4], [1, 2], 0.0), ([1, 1], [1, 1], 0.5), ([1, 3], [2, 4], 0.75)],
)
def test_roc_auc_by_hand(ordinary, strange, area):
    assert roc_auc(torch.tensor(ordinary), torch.tensor(strange)) == area


def test_roc_auc_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the test extra")
    generator = torch.Generator().manual_seed(0)
    ordinary, strange = torch.randn(200, generator=generator), torch.randn(300, generator=generator) + 0.7
    expected = metrics.roc_auc_score([0] * 200 + [1] * 300, torch.cat([ordinary, strange]).numpy())
    assert roc_auc(ordinary, strange) == pytest.approx(expected, abs=1e-12)


def test_shuffled_pixels_are_told_from_digits(five_numbers, drawn):
    strange = negative_elbos(five_numbers, noise(400, drawn, torch.Generator().manual_seed(0)))
    assert roc_auc(negative_elbos(five_numbers, drawn), strange) > 0.99


def test_the_manifold_is_a_grid_of_quantiles(two_numbers):
    images = manifold(two_numbers, side=3).view(3, 3, 28, 28)
    with torch.inference_mode():
        middle = two_numbers.decode(torch.zeros(1, 2))[0]
        top_left = two_numbers.decode(torch.special.ndtri(torch.tensor([[1 / 6, 5 / 6]])))[0]
    torch.testing.assert_close(images[1, 1], middle)
    torch.testing.assert_close(images[0, 0], top_left)


def test_a_manifold_needs_two_dimensions(five_numbers):
    with pytest.raises(ValueError, match="z has 5 dimensions"):
        manifold(five_numbers)


def test_tiles_are_in_reading_order():
    sheet = tile(torch.arange(3.0).view(3, 1, 1).expand(3, 28, 28), columns=2, gap=1)
    assert sheet.shape == (57, 57)
    assert [sheet[0, 0], sheet[0, 56], sheet[56, 0]] == [0, 1, 2]
    assert np.isnan(sheet[28, 0])
    assert np.isnan(sheet[56, 56])


def test_the_whole_book_is_drawn_without_a_data_set(drawn, tmp_path):
    draw_pictures(BOOK, drawn, torch.Generator().manual_seed(0), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(BOOK)
    for path in tmp_path.iterdir():
        picture = imread(path)
        assert min(picture.shape[:2]) > 100
        assert picture[..., :3].std() > 0.05


def test_curves_with_and_without_held_out_metrics(tmp_path):
    line = {"examples": 1000, "reconstruction": 150.0, "kl": 10.0}
    plot_digit_curves([line, line | {"examples": 2000}], tmp_path / "a.png")
    held_out = {f"held_out_{name}_nats": 100.0 for name in ("reconstruction", "kl", "negative_elbo")}
    plot_digit_curves([line | held_out], tmp_path / "b.png")
    assert imread(tmp_path / "a.png").std() > 0
    assert imread(tmp_path / "b.png").std() > 0


def test_each_half_and_drawn_pixels_can_be_hidden():
    halves = {side: pixels_left(side) for side in ("lower", "upper", "left", "right")}
    assert {side: int(left.sum()) for side, left in halves.items()} == dict.fromkeys(halves, 28 * 14)
    assert halves["lower"][0, 0]
    assert halves["upper"][27, 0]
    assert halves["left"][0, 27]
    assert halves["right"][0, 0]
    assert 100 < int(pixels_left("pixels", torch.Generator().manual_seed(0)).sum()) < 300


def test_the_map_shows_the_posteriors_of_some_digits(tmp_path):
    posteriors = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    for name, some in (("with", posteriors), ("without", DiagonalGaussian(torch.zeros(0, 2), torch.zeros(0, 2)))):
        plot_latent_map(torch.zeros(5, 2), torch.arange(5), tmp_path / f"{name}.png", "map", some)
    assert imread(tmp_path / "with.png").mean() < imread(tmp_path / "without.png").mean()  # darker by ellipses
