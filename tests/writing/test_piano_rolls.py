"""Pictures of piano rolls: of a size to look at, however many there are."""

import matplotlib.image
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.writing.piano_rolls import plot_sheet
from melodyvae.writing.sheet import Roll, Sheet
from melodyvae.writing.style import PlotError


def pixels(count: int, path) -> tuple[int, int]:
    melodies = [Melody((MelodyNote(0, 4, 60 + index % 12),), 32) for index in range(count)]
    rolls = (Roll(melody, f"{index}", is_highlighted=index == 0) for index, melody in enumerate(melodies))
    plot_sheet(Sheet("rolls", tuple(rolls)), path)
    height, width, _ = matplotlib.image.imread(path).shape
    return height, width


def test_many_rolls_wrap_into_columns(tmp_path):
    eight, thirty_two = pixels(8, tmp_path / "8.png"), pixels(32, tmp_path / "32.png")
    assert thirty_two[1] > 1.5 * eight[1]
    assert thirty_two[0] < 3 * eight[0]  # in one column it would be nearly four times as tall


def test_no_melody_is_an_error_and_no_file(tmp_path):
    with pytest.raises(PlotError, match="no melody"):
        plot_sheet(Sheet("none", ()), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
