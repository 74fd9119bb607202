"""The page of a folder of melodies: whole in one file, and true to the notes."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import Part
from melodyvae.writing.sheet import Roll, Sheet
from melodyvae.writing.svg import pitch_range, roll_svg
from melodyvae.writing.web_page import page, write_page

SVG = "{http://www.w3.org/2000/svg}"
TUNE = Melody((MelodyNote(0, 4, 60), MelodyNote(8, 16, 67, 100)), 32, quarters_per_minute=60)


def data_in(text: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


def test_a_roll_has_a_stroke_for_each_note_and_a_line_for_each_beat():
    tree = ElementTree.fromstring(roll_svg(TUNE, (58, 70), "a & b"))
    strokes = {path.get("class"): path.get("d") for path in tree.iter(f"{SVG}path")}
    assert strokes["note"] == "M0 10.5h3.85M8 3.5h7.85"
    assert (strokes["bar"].count("M"), strokes["beat"].count("M")) == (3, 6)
    assert tree.get("aria-label") == "a & b"
    assert tree.get("viewBox") == "0 0 32 13"


def test_rolls_of_silence_are_drawn_too():
    silence = Melody((), 16)
    assert pitch_range([silence]) == (58, 74)
    assert ElementTree.fromstring(roll_svg(silence)).get("aria-label") == "piano roll: 0 notes in 1 bar of 4/4"


def test_the_page_holds_the_notes_in_seconds_and_asks_for_nothing(tmp_path):
    rolls = (Roll(TUNE, "A", "01.mid", is_highlighted=True), Roll(TUNE, "B", "02.mid", is_highlighted=True))
    write_page(Sheet("A to B", rolls), tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    first, _ = data_in(text)
    assert first["notes"] == [[0, 1, 60, 80], [2, 4, 67, 100]]
    assert first["seconds"] == 8
    assert text.count('class="tune end"') == 2
    assert 'href="02.mid"' in text
    assert "{{" not in text
    addresses = set(re.findall(r'(?:src|href)="([^"]*)"', text))
    assert addresses == {"data:,", "01.mid", "02.mid"}


def test_what_accompanies_is_played_too_as_loud_as_it_is_mixed():
    kick = Part("kit", 0, True, np.array([0.0]), np.array([1.0]), np.array([36]), np.array([100]), volume=50)
    text = page(Sheet("A to B", (Roll(TUNE, "A", backing=(kick,)), Roll(TUNE, "B"))))
    assert [tune["backing"] for tune in data_in(text)] == [[[0, 1, 36, 50, True]], []]


def test_names_cannot_change_the_page():
    name = "</script><script>alert(1)</script>{{data}}"
    text = page(Sheet(name, (Roll(TUNE, name),)), [name])
    assert "<script>alert" not in text
    assert text.count("{{data}}") == 6  # title, heading, sentence, tune, button, roll
    assert len(data_in(text)) == 1


def test_a_page_without_melodies_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no melody"):
        write_page(Sheet("nothing", ()), tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()
