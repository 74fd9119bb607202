"""Score a part's name as that of the melody, by its words and their order, in many languages.

Conventions: names are compared without case, accents and widths. A word is looked up by how it begins, so that
"melod" finds melody, Melodie and melodía; scripts without spaces between words by what the name contains.
"""

# ruff: noqa: RUF001 (Cyrillic and Greek letters are meant)

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from melodyvae.music.notes import Part

TUNE_TERM, LEAD_TERM, NAMED_LEAD_TERM, LEAD_INSTRUMENT_TERM = 1.0, 0.7, 0.4, 0.25
WITH_OTHER_WORDS_TERM = 0.9  # "melody flute": it says more than a melody
SECOND_SHARE = 0.6  # of the term, if the word has a number from 2 on: "vocal 2"
BESIDE_TUNE_SHARE = 0.4  # of the term of a lesser word, if another part is called melody or vocal
SINGER_TERM = 0.4
EFFECT_TERM, GROUP_TERM, PAD_GROUP_TERM = -0.7, -0.2, -0.7
GUITARS = range(24, 32)
PADS = (*range(48, 56), *range(88, 104))  # General MIDI ensembles, choirs, pads and effects, from 0


class Kind(Enum):
    """The kinds of words in names."""

    TUNE = "melody, vocal"
    LEAD = "lead, solo"
    SUPPORT = "it accompanies or doubles another part, whatever else the name says"
    EFFECT = "effects, noises"
    GROUP = "voices, a choir"
    PATCH = "what the sounds of synthesisers are called: square, calliope"
    INSTRUMENT = "an instrument, or the role of one"
    EMPTY = "track, channel"
    OTHER = "any other word: a singer, a title"


def _plain(name: str) -> str:
    """A name without case, accents and widths."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _pattern(*languages: str) -> re.Pattern[str]:
    """A pattern of the beginnings of words; ``$`` after one stands for the whole word."""
    return re.compile("|".join(map(_plain, " ".join(languages).split())))


# In this order: the first that fits.
WORDS = (
    (Kind.INSTRUMENT, _pattern("harmonica harmonika harmonium bassoon basson bassklar")),
    (
        Kind.SUPPORT,
        _pattern(
            "back backing background backup bg$ bgv bkg bv$ bvs$ bvox harm$ harmony harmonie harmonies harmoniz "
            "armonia doubl dbl support counter accomp acomp begleit accompagn akkomp komp$ comp$ echo delay second$ "
            "coros$",
            "аккомп подпев бэк",
        ),
    ),
    (Kind.EFFECT, _pattern("fx$ sfx effect efx$ effekt noise reverb sweep scream harmonics")),
    (
        Kind.GROUP,
        _pattern(
            "voices voxes choir choeur chorus choral chorale chor$ coro$ coral aah ahh ooh ohh aahs oohs хор$ хора$"
        ),
    ),
    (Kind.PATCH, _pattern("square saw sawtooth calliope chiff charang fifths synth sine$ pulse$ poly синт")),
    (
        Kind.TUNE,
        _pattern(
            "melod meldy vocal vocals vox voc$ voice sing$ singer singing sung$ lyric",  # English
            "gesang singstimme hauptstimme stimme$",  # German
            "chant$ chanteu voix melodie",  # French
            "canto cantan cantus cante$ voce voz$ melodia canzone",  # Italian, Spanish, Portuguese, Romanian
            "zang zangstem stem$ sang$ sanger vokal stamma melodi laulu",  # Dutch, Swedish, Danish, Norwegian, Finnish
            "spiew wokal glos$ zpev hlas$ enek dallam spev pjev laul",  # Polish, Czech, Hungarian, Croatian
            "ezgi sarki nagme lagu$",  # Turkish, Indonesian
            "мелод вокал голос пение песня спів спев",  # Russian, Ukrainian, Bulgarian
            "μελωδια φωνη τραγουδι",  # Greek
        ),
    ),
    (
        Kind.LEAD,
        _pattern(
            "lead led$ ld$ solo tune$ theme$ thema tema$ topline main$ princip haupt sopran mezzo",
            "лид соло тема солист",
        ),
    ),
)
NO_SPACES = tuple(  # in scripts without spaces between words: what a name contains, and an instrument's term
    (kind, term, tuple(map(_plain, words.split())))
    for kind, term, words in (
        (Kind.SUPPORT, 0.0, "コーラス ハモリ 和声 和聲 伴奏 和音 반주 코러스"),
        (
            Kind.TUNE,
            0.0,
            "メロディ 主旋律 旋律 ボーカル ヴォーカル 歌 うた 唄 主唱 演唱 人声 人聲 主音 멜로디 보컬 노래 가수",
        ),
        (Kind.TUNE, 0.0, "ทำนอง ร้อง מנגינה מלודי שירה لحن غناء मेलोडी धुन"),
        (Kind.LEAD, 0.0, "リード ソロ 主奏 独奏 獨奏 리드 솔로"),
        (Kind.INSTRUMENT, -1.0, "ベース 贝司 貝斯 低音 베이스 ドラム 鼓 드럼 リズム 节奏 節奏 コード 和弦 리듬"),
        (Kind.INSTRUMENT, -0.6, "ストリングス 弦乐 弦樂 스트링"),
        (Kind.INSTRUMENT, -0.25, "ギター 吉他 기타 ピアノ 钢琴 鋼琴 피아노 オルガン シンセ 오르간"),
    )
)
INSTRUMENTS = (  # how much it plays tunes; the last of a name counts, but the lowest of those below -0.6 before all
    (
        -1.0,
        _pattern(
            "bass baso basso$ bajo$ baixo bas$ bs$ basg kontrab contrab subb ultrab drum perc kick$ snare hihat cymb "
            "schlagz batteri bateri trommel slagverk bebn timp tambour arp$ arps$ arpegg pedal continuo left$ lh$ "
            "links rhythm rhyth rythm rhy$ ritm chord accord$ acorde akord akkord backbeat fill fills$",
            "бас удар барабан ритм аккорд",
        ),
    ),
    (-0.8, _pattern("pad$ pads$ stab riff ostinato loop")),
    (-0.6, _pattern("string str$ strs$ streich corde$ cordes cuerda archi$ струн ensemble tremolo pizz orch")),
    (-0.4, _pattern("brass blech cuivre horns organ orgel orgue organo hammond орган tuba viola")),
    (
        -0.25,
        _pattern(
            "guit gtr git$ gitar gitarr chitarra гитар piano pno$ klavier клавир пиано фортеп pianoforte epiano keys "
            "keyb rhodes wurl clav cemb harpsi cello vc$ celesta bell vib marimb xyl harp dulc banjo steel dist over "
            "muted"
        ),
    ),
    (0.0, _pattern("nylon acoustic electric clean jazz$ grand bright")),
    (
        0.2,
        _pattern(
            "sax flute flote flauta flauto piccolo oboe clarin klarin trumpet trompet tromba tpt$ trombone violin vln$ "
            "fiddle geige accordion akkordeon accordeon whistle recorder ocarina harmonica harmonika panflute horn$ "
            "right$ rh$ treble скрипка флейта саксофон труба"
        ),
    ),
)
EMPTY = _pattern(
    "track trk$ spur$ piste pista midi out$ in$ channel chan$ ch$ kanal staff part$ parts$ instr inst$ unnamed "
    "untitled new$ general gm$ gs$ xg$ the$ of$ and$ und$ et$ y$ a$ i$ ii$ iii$ iv$ l$ r$ no$ n$ mono stereo hand$ "
    "hi$ low$"
)


def name_terms(names: Sequence[str], parts: Sequence[Part]) -> list[float]:
    """Score of each part's name as that of the melody, from -1 to 1, given the names of the other parts.

    - "Melody", "Lead vocal", "Gesang" and the like: 1; with other words .9, with a number from 2 on less.
    - "Lead", "Organ lead": .7; after another word, "Page lead": .4; of guitars, before an instrument ("lead gtr"), or
      of a synthesiser's sound ("Square Lead"): .25. All are less beside a part that is called a melody or vocal.
    - A name of words that are known of no instrument or role, on a part alone among parts whose names are known, may be
      a singer's: .4.
    - Instruments: from .2 (saxophone) to -1 (bass), so are roles: chords, rhythm, pad.
    - "Voices", "choir": -.2, and -.7 if a pad plays it. Effects: -.7. What goes with another part ("backing vocals",
      "melody doubled"): -1.
    """
    kinds = [_kinds(name) for name in names]
    terms = [_term(own, part.program) for own, part in zip(kinds, parts, strict=True)]
    if max(terms, default=0.0) >= WITH_OTHER_WORDS_TERM:
        terms = [BESIDE_TUNE_SHARE * term if 0 < term < WITH_OTHER_WORDS_TERM else term for term in terms]
    of_words = [Counter(kind for kind, _ in own) for own in kinds]
    others = [bool(own[Kind.OTHER]) and not own.keys() - {Kind.OTHER, Kind.EMPTY} for own in of_words]
    known = sum(bool(own.keys() - {Kind.OTHER, Kind.EMPTY}) for own in of_words)
    if sum(others) == 1 and known >= 2 and known >= len(names) - 2:
        terms[others.index(True)] = SINGER_TERM if max(terms) < WITH_OTHER_WORDS_TERM else 0.0
    return terms


def _kinds(name: str) -> list[tuple[Kind, float]]:
    """The kind of each word of a name, and its value: an instrument's term, or the number after the word."""
    # "SupportMelody", "gtr2", "BassLine_1" are several words.
    split = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    kinds: list[tuple[Kind, float]] = []
    for word in re.findall(r"[^\W\d_]+|\d+", _plain(split)):
        if word.isdecimal():
            if kinds and kinds[-1][0] in (Kind.TUNE, Kind.LEAD):
                kinds[-1] = (kinds[-1][0], float(word[:3]))
            continue
        kinds.append(_kind(word))
    return kinds


def _kind(word: str) -> tuple[Kind, float]:
    for kind, term, contents in NO_SPACES:
        if any(content in word for content in contents):
            return (kind, term)
    for kind, pattern in WORDS:
        if pattern.match(word):
            return (kind, 0.2 if kind is Kind.INSTRUMENT else 0.0)
    for term, pattern in INSTRUMENTS:
        if pattern.match(word):
            return (Kind.INSTRUMENT, term)
    return (Kind.EMPTY if EMPTY.match(word) or len(word) == 1 else Kind.OTHER, 0.0)


def _term(words: Sequence[tuple[Kind, float]], program: int) -> float:
    """A name's own term; see :func:`name_terms`."""
    kinds = [kind for kind, _ in words]
    values = [value for kind, value in words if kind is Kind.INSTRUMENT]
    low = min(values, default=0.0)
    if Kind.SUPPORT in kinds:
        return -1.0
    if Kind.EFFECT in kinds:
        return EFFECT_TERM
    term = low if low < -0.6 else (values[-1] if values else 0.0)
    if Kind.GROUP in kinds:
        return min(term, PAD_GROUP_TERM if program in PADS else GROUP_TERM)
    if Kind.TUNE in kinds and not (Kind.PATCH in kinds and program in PADS):
        at = kinds.index(Kind.TUNE)
        alone = not {*kinds} - {Kind.TUNE, Kind.LEAD, Kind.EMPTY}
        term = TUNE_TERM if alone else WITH_OTHER_WORDS_TERM
        term = 0.5 if low <= -1 else term
        return SECOND_SHARE * term if words[at][1] >= 2 else term
    if Kind.LEAD in kinds:
        return _lead_term(words, program, low)
    return term


def _lead_term(words: Sequence[tuple[Kind, float]], program: int, low: float) -> float:
    kinds = [kind for kind, _ in words]
    at = kinds.index(Kind.LEAD)
    after, before = kinds[at + 1 :], kinds[:at]
    if low <= -1:
        return -0.5  # "bass lead"
    if Kind.PATCH in kinds or Kind.INSTRUMENT in after or program in GUITARS:
        term = LEAD_INSTRUMENT_TERM
    elif Kind.OTHER in before:
        term = NAMED_LEAD_TERM
    else:
        term = LEAD_TERM
    return SECOND_SHARE * term if words[at][1] >= 2 else term
