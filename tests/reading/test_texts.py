"""Names in the encodings of many countries."""

from __future__ import annotations

import pytest

from melodyvae.music.voice import choose_part
from melodyvae.reading.midi import song_from_bytes
from melodyvae.reading.texts import decode_all
from tests.reading.smf import smf
from tests.reading.test_lines import TUNE, notes, track

NAMES = {
    "shift_jis": "メロディ ピアノ ドラム ベース ギター 主旋律 ボーカル 伴奏 左手 フルート 尺八",
    "gbk": "主旋律 钢琴 吉他 贝斯 鼓 人声 弦乐 小提琴 伴奏 长笛 二胡 左手",
    "cp1251": "Мелодия Скрипка Бас Гитара Ударные Голос Флейта Фортепиано МЕЛОДИЯ Виолончель Дорожка",
    "latin-1": "Mélodie Flûte Schlüssel Querflöte Bläser Percusión Violín Violão Låt Fløjte Übung Caña Größe",
    "utf-8": "Мелодия メロディ 主旋律 Mélodie 멜로디 Μελωδία",
}
EACH = [(encoding, name) for encoding, names in NAMES.items() for name in names.split()]


@pytest.mark.parametrize(("encoding", "name"), EACH)
def test_a_short_name_is_legible(encoding: str, name: str) -> None:
    assert decode_all([name.encode(encoding)]) == [name]


@pytest.mark.parametrize("encoding", NAMES)
def test_the_names_of_a_file_are_decoded_alike(encoding: str) -> None:
    names = ["Track 1", *NAMES[encoding].split(), ""]
    assert decode_all([name.encode(encoding) for name in names]) == names


def test_a_name_that_is_ambiguous_alone_is_told_by_the_others() -> None:
    assert decode_all([name.encode("cp1251") for name in ("ГИТАРА", "Скрипка")]) == ["ГИТАРА", "Скрипка"]
    assert decode_all([name.encode("cp932") for name in ("ﾒﾛﾃﾞｨ", "ドラム")]) == ["ﾒﾛﾃﾞｨ", "ドラム"]


def test_any_bytes_give_some_text() -> None:
    for value in range(256):
        for name in (bytes([value]), bytes([value, 65]), bytes([0x81, value]), bytes([0xE0, value, 0xFF])):
            assert isinstance(decode_all([name])[0], str)


@pytest.mark.parametrize(("encoding", "name"), [EACH[0], EACH[11], EACH[23], EACH[34]])
def test_a_track_is_found_by_its_name_in_any_encoding(encoding: str, name: str) -> None:
    meta = name.encode(encoding)
    named = f"00 ff 03 {len(meta):02x} {meta.hex()} {track(notes(TUNE))}"
    song = song_from_bytes(smf(track(notes(TUNE), "other"), named))
    assert song.parts[1].name == name
    assert choose_part(song, name) == 1
    assert choose_part(song, name[:3].lower()) == 1


def test_a_track_without_a_name_has_that_of_its_instrument() -> None:
    song = song_from_bytes(smf(f"00 ff 04 05 466c757465 {track(notes(TUNE))}"))
    assert song.parts[0].name == "Flute"
