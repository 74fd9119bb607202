"""Decode the names in a MIDI file, whose format does not state an encoding; programs write that of their country.

Names in valid UTF-8 are decoded as that. All other names of a file are decoded with one encoding, the one in which they
look most like words; a single name is too short for statistics of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LATIN = "cp1252"
_JAPANESE = re.compile("[぀-ヿー々〆]")
_HALF_WIDTH = re.compile("[ｦ-ﾟ]+")
_IDEOGRAPH = re.compile("[一-鿿]")
_CYRILLIC_WORD = re.compile(r"[А-ЯЁ]?[а-яё]+|[А-ЯЁ]+")
_CYRILLIC_RUN = re.compile(r"[Ѐ-ӿ]+")
_VOWEL = re.compile("[аеёиоуыэюя]", re.I)
_LATIN_LETTERS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýßœšžÀÁÂÄÅÆÇÈÉÊËÍÎÑÓÔÕÖØÚÛÜŠŽ’‘“”–—©®°«»¿¡")
_COMMON, _RARE, _NONE = 1.0, 0.3, -1.0


def decode_all(names: Sequence[bytes]) -> list[str]:
    """The names as text."""
    texts = [_as_unicode(name) for name in names]
    others = [name for name, text in zip(names, texts, strict=True) if text is None]
    encoding = _encoding_of(others) if others else LATIN
    return [_decoded(name, encoding) if text is None else text for name, text in zip(names, texts, strict=True)]


def _as_unicode(name: bytes) -> str | None:
    if name.startswith((b"\xff\xfe", b"\xfe\xff")):
        return name.decode("utf-16", "replace")
    try:
        return name.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _decoded(name: bytes, encoding: str) -> str:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return name.decode("latin-1") if encoding == LATIN else name.decode(encoding, "replace")


def _encoding_of(names: Sequence[bytes]) -> str:
    """The encoding in which the names look most like words; the first of equal ones."""
    scores = {encoding: _score(names, encoding) for encoding in (LATIN, "cp1251", "cp932", "gbk")}
    return max(scores, key=lambda encoding: scores[encoding])


def _score(names: Sequence[bytes], encoding: str) -> float:
    """Mean plausibility of the non-ASCII characters in their context; at least -1."""
    values: list[float] = []
    for name in names:
        try:
            text = name.decode(encoding)
        except UnicodeDecodeError:
            values += [2 * _NONE] * sum(byte > 0x7F for byte in name)
            continue
        values += _USUAL[encoding](text)
    return sum(values) / max(len(values), 1)


def _latin(text: str) -> list[float]:
    """Accented letters stand among plain ones, alone or in twos."""
    values = []
    for index, sign in enumerate(text):
        if sign <= "\x7f":
            continue
        beside = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
        is_alone = all(other <= "\x7f" for other in beside)
        is_in_word = any(other.isalpha() for other in beside)
        before = text[index - 1 : index]
        has_case = not (sign.isupper() and before.islower())
        if sign not in _LATIN_LETTERS or not has_case:
            values.append(_NONE)
        else:
            values.append(0.8 if is_alone and is_in_word else 0.3 if is_in_word or sign in "àÀáéèóåø" else 0.0)
    return values


def _cyrillic(text: str) -> list[float]:
    values = [_NONE for sign in text if sign > "\x7f" and not _CYRILLIC_RUN.match(sign) and sign not in "«»№–—"]
    for run in _CYRILLIC_RUN.findall(text):
        is_word = _CYRILLIC_WORD.fullmatch(run) is not None and (len(run) < 3 or _VOWEL.search(run) is not None)
        beside_latin = re.search(rf"[A-Za-z]{run}|{run}[A-Za-z]", text) is not None
        value = (0.95 if run[-1].islower() else 0.6) if is_word and not beside_latin else -0.5
        values += [value if len(run) > 2 else min(value, 0.2)] * len(run)
    return values


def _japanese(text: str) -> list[float]:
    values = []
    for sign in text:
        if sign <= "\x7f":
            continue
        if _JAPANESE.match(sign):
            values.append(_COMMON)
        elif _HALF_WIDTH.match(sign):
            values.append(0.25)
        elif _IDEOGRAPH.match(sign):
            lead = sign.encode("cp932", "replace")[0]
            values.append(0.9 if 0x88 <= lead <= 0x97 or (lead == 0x98 and sign <= "龠") else _RARE - 0.3)
        else:
            values.append(0.8 if sign in "　、。・「」（）！？～＃♪♭" or "０" <= sign <= "ｚ" else _NONE)
    return [value for value in values for _ in range(2 if value != 0.25 else 1)]


def _chinese(text: str) -> list[float]:
    values = []
    for sign in text:
        if sign <= "\x7f":
            continue
        code = sign.encode("gbk", "replace")
        if _IDEOGRAPH.match(sign) and code[0] >= 0xB0 and code[-1] >= 0xA1:
            values.append(0.9 if code[0] <= 0xD7 else 0.2)  # the 3,755 common ones, the 3,008 others
        elif sign in "　、。·「」（）！？～“”《》：—" or "０" <= sign <= "ｚ":
            values.append(0.8)
        else:
            values.append(-0.5)
    return [value for value in values for _ in range(2)]


_USUAL = {LATIN: _latin, "cp1251": _cyrillic, "cp932": _japanese, "gbk": _chinese}
