"""Sentences about a scored tune: all of a short one, the most unusual ones of a long one."""

from __future__ import annotations

from pathlib import Path

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import ReadMelody
from melodyvae.verbs.results import Scores
from melodyvae.verbs.scoring import NoteScore, WindowScore
from melodyvae.verbs.sentences import MAX_SCORES, MAX_UNUSUAL, scores_told
from melodyvae.verbs.sources import Taken


def scores(bars: int, doubtful: int = 0) -> Scores:
    """Of a tune whose bars are the more unusual, and its notes the more doubtful, the later they come."""

    def notes(bar: int) -> tuple[NoteScore, ...]:
        return (NoteScore(bar, 1.0, MelodyNote(16 * bar, 16 * bar + 4, 60), float(bar), 61, bar <= doubtful),)

    windows = tuple(WindowScore(bar, bar / 100, 100.0 * bar / bars, notes(bar)) for bar in range(1, bars + 1))
    source = Taken("", Path("a.mid"), ReadMelody.of(Melody((), 16)))
    return Scores(windows=windows, source=source, is_ranked=True, judge="melody-compose")


def test_of_a_short_tune_everything_is_told() -> None:
    for found in (scores(0), scores(3), scores(MAX_SCORES, doubtful=MAX_SCORES)):
        assert scores_told(found) == found.sentences
    assert len(scores_told(scores(MAX_SCORES, doubtful=MAX_SCORES))) == 1 + 2 * MAX_SCORES
    assert scores_told(scores(0))[1:] == ["  there is no note in it"]
    assert scores_told(scores(2))[-1] == "  no doubtful note"


def test_of_a_long_tune_what_is_most_unusual_is_told_in_its_order() -> None:
    found = scores(200, doubtful=100)
    assert len(found.sentences) == 1 + 200 + 100
    summary = scores_told(found)
    assert len(summary) == 1 + 1 + MAX_UNUSUAL + 1 + MAX_SCORES
    assert summary[1] == (
        "  200 passages, from bar 1 to 200; the median is more unusual than 50 of 100 passages of other tunes; "
        "the 5 most unusual:"
    )
    assert [int(line.split()[2].rstrip(":")) for line in summary[2:7]] == [196, 197, 198, 199, 200]
    assert summary[7] == "  100 notes are doubtful; the 16 most doubtful:"
    assert summary[8] == "  bar 85, beat 1: C4 is doubtful; C#4 is likelier"
    assert summary[-1].startswith("  bar 100, beat 1:")
    assert set(summary) - set(found.sentences) == {summary[1], summary[7]}
