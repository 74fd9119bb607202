"""Facts in words: options are called as the reader calls them, and not at all where there are controls for them."""

import dataclasses
from pathlib import Path

import pytest

from melodyvae.music.arrangement import Accompaniment
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import ReadMelody
from melodyvae.music.scales import parse_choice
from melodyvae.music.voice import CloseCall
from melodyvae.verbs import facts
from melodyvae.verbs.sentences import description, sentences_of
from melodyvae.verbs.sources import Taken

C, G = Key(0, False), Key(7, False)
SCALE = parse_choice("C:major")


def flags(option: str, value: object = "", label: str = "") -> str:
    return f"--{option}{f'-{label.lower()}' if label else ''} {value}".strip()


@pytest.mark.parametrize(
    ("fact", "bare", "remedy"),
    [
        (
            facts.ScaleKept(SCALE, SCALE),
            "in key: the tunes between keep to the notes of C major",
            "scale none allows all",
        ),
        (
            facts.FittedToHarmony(2, 7, SCALE),
            "B keeps to A's accompaniment: 2 of its 7 notes go to the nearest degree of C major",
            "scale none leaves them",
        ),
        (
            facts.FewerFound(9, 2, "amount"),
            "9 tunes were asked for; only 2 distinct ones were found, and are written",
            "a larger amount goes further away",
        ),
        (facts.Novelty((1, 8), 8, 1), "near-copies of training melodies: 1", "novel draws them again"),
        (
            facts.Novelty((8,), 8, 1, is_near_one=True),
            "near-copies of training melodies: 1; the tune is one itself",
            "a larger amount goes further away",
        ),
    ],
)
def test_a_remedy_is_called_as_the_reader_calls_it(fact, bare, remedy):
    assert sentences_of([fact], None)[-1] == bare
    assert sentences_of([fact])[-1] == f"{bare}; {remedy}"
    flagged = sentences_of([fact], flags)[-1]
    assert "--" in flagged
    assert flagged.replace("--", "") == f"{bare}; {remedy}"


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (facts.KeyPlan((C, G), None, "a"), "B spans so many octaves that it is not moved to A's key"),
        (facts.KeyPlan((C, C), 0, "glide"), "A is in C major, B in C major: nothing is moved"),
        (
            facts.KeyPlan((C, G), 5, "b"),
            "A is in C major, B in G major: B is moved up 5 semitones for the walk; all are in B's key and A's reg",
        ),
        (
            facts.KeyPlan((None, G), -1, G),
            "the keys are unknown: B is moved down 1 semitone for the walk; all are moved to G major, or to the major "
            "or minor key with the same notes",
        ),
        (facts.TempoPlan((100.0, 90.0), "b"), "all are at B's 90 quarters per minute"),
        (facts.TempoPlan((100.0, 90.0), "glide"), "the tempo glides from 100 to 90 quarters per minute"),
        (facts.TempoPlan((100.0, 90.0), 96.5), "all are at 96.5 quarters per minute"),
        (facts.Moved("C", -3), "C is moved down 3 semitones, to A's key and register"),
        (facts.MovedToScale(SCALE), "all are moved to C major"),
        (facts.MovedToScale(SCALE, ("the tune",)), "the tune is moved to C major"),
        (facts.MovedToScale(SCALE, ("A", "B")), "A and B are moved to C major"),
        (facts.BarsAdded(1, 4), "1 bar is added after bar 4, the last with a note"),
        (facts.TakenOfBoth("B", 3, 3, "A"), "B has 3 bars: 3 are taken of both; from A those that are most like B"),
        (facts.KeyMissed(C, ((2, G), (3, None)), 3), "not met: C major was asked for; 2 of 3 are not in it"),
        (facts.CameBack("A", 30, 32, 4), "A reconstructed: 30 of 32 sixteenths are right"),
        (
            facts.CameBack("a.mid", 32, 32, 4, 9, 2, 0, False),
            "a.mid came back: as it is on the grid, where 2 of its 11",
        ),
        (
            facts.Distinct(2, 3, (0.1, 0.3)),
            "2 of 3 tunes are distinct; neighbours differ by 20% on average (10% to 30%)",
        ),
        (facts.Novelty(None), "similarity to training melodies is unknown"),
        (
            facts.Novelty((2,) * 20, 8),
            "beats shared with the most similar training melody (of 8, in any key): 20 with 2",
        ),
        (Accompaniment(()), "A's accompaniment: there are no other tracks in these bars"),
    ],
)
def test_a_plan_is_told_in_one_sentence(plan, told):
    (sentence,) = sentences_of([plan])
    assert sentence.startswith(told)


def test_what_plays_on_and_what_is_muted_is_told():
    found = Accompaniment((), muted=("Sax", "track 3"), thinned=("Piano",))
    assert sentences_of([found]) == [
        "A's accompaniment: 0 other tracks play on",
        "A's accompaniment: muted, since they play the tune: Sax, track 3",
        "A's accompaniment: without its notes of the tune: Piano",
    ]


def test_the_track_that_was_nearly_chosen_is_told_with_the_option_that_takes_it_where_there_is_one():
    found = ReadMelody.of(Melody((MelodyNote(0, 4, 60),), 16))
    close = dataclasses.replace(found, close_call=CloseCall(0.1, 2, "Sax"))
    assert description(found, "A", flags) == "a melody"
    assert description(close) == description(close, "A", None) == "a melody, a close call; next: track 3 (Sax)"
    assert description(close, "A", flags) == "a melody, a close call; next: track 3 (Sax), --track-a 3"
    (said,) = sentences_of([Taken("A", Path("a\n.mid"), close)], flags)
    assert said == "A is a?.mid: a melody, a close call; next: track 3 (Sax), --track-a 3"
