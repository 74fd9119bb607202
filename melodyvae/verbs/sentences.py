"""Facts -> sentences, made where they are printed, which is where it is known what an option is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, assert_never

from melodyvae.music.arrangement import Accompaniment
from melodyvae.music.keys import Key
from melodyvae.music.melody import pitch_name
from melodyvae.music.regions import ReadMelody
from melodyvae.verbs import facts
from melodyvae.verbs.attributes import UNITS
from melodyvae.verbs.sources import Taken

if TYPE_CHECKING:
    from melodyvae.verbs.facts import Fact
    from melodyvae.verbs.results import Scores
    from melodyvae.verbs.scoring import NoteScore, WindowScore

Naming: TypeAlias = Callable[[str, object, str], str]  # an option, its value and the label of its tune -> its name

MAX_TOLD = 8  # tunes that are named one by one
MAX_BARS = 8  # in which notes are lost
MAX_NOVELTIES = 16  # melodies whose novelty is told one by one
MAX_SCORES = 16  # bars, and notes, that are told one by one of a tune
MAX_UNUSUAL = 5  # bars that are told of a tune with more
PLANS = {
    "glide": "key and register glide to B's",
    "a": "all are in A's key and register",
    "b": "all are in B's key and A's register",
}
TEMPO_PLANS = {
    "glide": "the tempo glides from {:.4g} to {:.4g} quarters per minute",
    "a": "all are at A's {:.4g} quarters per minute",
    "b": "all are at B's {1:.4g} quarters per minute",
}


def by_name(option: str, value: object = "", _label: str = "") -> str:
    """An option as Python calls it, with its value: ``scale none``."""
    return f"{option} {value}".strip()


def sentences_of(found: Iterable[Fact], naming: Naming | None = by_name) -> list[str]:
    """Sentences for the reader of a command's output, a page or a notebook.

    Args:
        found: what was read, decided and measured.
        naming: what options are called that would do otherwise; None leaves them out.
    """
    return [sentence for fact in found for sentence in _told(fact, naming)]


def _told(fact: Fact, naming: Naming | None) -> Iterator[str]:
    def remedy(does: str, option: str, value: object = "") -> str:
        return f"; {does.format(naming(option, value, ''))}" if naming else ""

    match fact:
        case Taken():
            yield from _of_source(fact, naming)
        case Accompaniment():
            yield from _of_accompaniment(fact)
        case facts.NewSeed(seed):
            yield f"seed {seed}: with it the same tunes come again"
        case facts.KeyMissed(key, others, count):
            told = ", ".join(f"tune {number} in {own or 'none: it has no note'}" for number, own in others[:MAX_TOLD])
            yield f"not met: {key} was asked for; {len(others)} of {count} are not in it ({told})"
        case facts.DensityMissed(wanted, reached, is_asked_for):
            told = ", ".join(f"{density:.2g}" for density in reached[:MAX_TOLD])
            if is_asked_for:
                yield f"not met: {wanted:.2g} notes per bar were asked for; reached are {told}"
            else:
                yield f"the tune has {wanted:.2g} notes per bar; those of no draft were nearer than {told}"
        case facts.Written(styles, forms):
            tunes = [" ".join(filter(None, words)) for words in zip(styles, forms, strict=True)]
            if any(tunes):
                named = ", ".join(f"{number} {words}" for number, words in enumerate(tunes[:MAX_TOLD], 1))
                yield f"phrases: {named}{', ...' * (len(tunes) > MAX_TOLD)}"
        case facts.FewerFound(asked, count, option):
            further = remedy("a larger {} goes further away", option) if option else ""
            yield f"{asked} tunes were asked for; only {count} distinct ones were found, and are written{further}"
        case facts.SameTune():
            yield "A and B are the same tune in one key: nothing lies between them, and two files are written"
        case facts.TakenOfBoth(label, bars, taken, matched):
            like = f"; from {matched} those that are most like {label}" if matched else ""
            yield f"{label} has {bars} bars: {taken} are taken of both{like}"
        case facts.BarsAdded(bars, after):
            yield f"{'1 bar is' if bars == 1 else f'{bars} bars are'} added after bar {after}, the last with a note"
        case facts.MovedToScale(scale, labels):
            yield f"{' and '.join(labels) or 'all'} {'is' if len(labels) == 1 else 'are'} moved to {scale}"
        case facts.Moved(label, semitones):
            yield f"{label} is moved {_shift(semitones)}, to A's key and register"
        case facts.KeyPlan():
            yield _of_keys(fact)
        case facts.TempoPlan(tempi, plan):
            if isinstance(plan, str):
                yield TEMPO_PLANS[plan].format(*tempi)
            else:
                yield f"all are at {plan:g} quarters per minute"
        case facts.FittedToHarmony(moved, notes, scale):
            nearest = f"{moved} of its {notes} notes go to the nearest degree of {scale}"
            yield f"B keeps to A's accompaniment: {nearest}{remedy('{} leaves them', 'scale', 'none')}"
        case facts.ScaleKept(first, last, is_of_bars, is_of_accompaniment):
            told = str(first) if str(first) == str(last) else f"{first} to {last}"
            what = "the scale of A's accompaniment," if is_of_accompaniment else "the notes of"
            free = remedy("{} allows all", "scale", "none")
            yield f"in key: the {'new bars' if is_of_bars else 'tunes between'} keep to {what} {told}{free}"
        case facts.CameBack():
            yield f"{fact.label} {'reconstructed' if fact.is_walked else 'came back'}: {_how_much(fact)}"
        case facts.Distinct(distinct, count, distances):
            said = f"{distinct} of {count} tunes are distinct"
            if distances:
                mean, spread = sum(distances) / len(distances), f"{min(distances):.0%} to {max(distances):.0%}"
                said += f"; neighbours differ by {mean:.0%} on average ({spread})"
            yield said
        case facts.Changed(changed, steps, grid):
            yield f"{_unit(grid)} that differ from the tune (of {steps}): {', '.join(map(str, changed))}"
        case facts.Novelty():
            yield from _of_novelty(fact)
            if fact.near_copies:
                fewer = remedy("{} draws them again", "novel")
                if fact.is_near_one:
                    fewer = f"; the tune is one itself{remedy('a larger {} goes further away', 'amount')}"
                yield f"near-copies of training melodies: {fact.near_copies}{fewer}"
        case facts.Measured(attributes):
            yield f"{'':<16}{'the tune':>10}{'the first':>10}{'asked':>10}{'the last':>10}"
            for name, (tune, before, later, goal) in attributes.items():
                stays = "as it is" if goal is None else f"{goal:.2f}"
                yield f"{name:<16}{tune:>10.2f}{before:>10.2f}{stays:>10}{later:>10.2f}  {UNITS[name]}"
        case _:
            assert_never(fact)


def description(found: ReadMelody, label: str = "", naming: Naming | None = by_name) -> str:
    """Describe the melody that was read, and the track that was nearly chosen instead."""
    call = found.close_call
    if call is None:
        return found.description
    said = f"{found.description}, a close call; next: track {call.index + 1}{f' ({call.name})' if call.name else ''}"
    option = naming("track", call.index + 1, label) if naming else ""
    return said if option in ("", by_name("track", call.index + 1)) else f"{said}, {option}"


def loss(taken: Taken) -> str:
    """Count the notes that the grid could not hold, with their bars; empty if none."""
    count = len(taken.lost_bars)
    if not count:
        return ""
    bars = list(dict.fromkeys(taken.lost_bars))
    named = ", ".join(map(str, bars[:MAX_BARS])) + (" and others" if len(bars) > MAX_BARS else "")
    return (
        f"{count} of {len(taken.melody.notes) + count} notes{f' of {taken.label}' if taken.label else ''} "
        f"{'is' if count == 1 else 'are'} lost: too short, or between the places of the grid "
        f"({'bar' if len(bars) == 1 else 'bars'} {named})"
    )


def _of_source(taken: Taken, naming: Naming | None) -> Iterator[str]:
    said = description(taken.found, taken.label, naming)
    said = f"{taken.name}: {said}" if taken.name else said
    yield f"{taken.label} is {said}" if taken.label else said
    window = taken.window
    if window is not None:
        first, last = window.first_bar, window.last_bar
        which = f"bar {first}" if first == last else f"bars {first} to {last}"
        reason = f": {window.reason}" if window.reason else ""
        note = f"; {window.note}" if window.note else ""
        yield f"{taken.label or 'it'} is taken from {which}{reason}{note}"
    if taken.lost_bars:
        yield loss(taken)


def _of_accompaniment(found: Accompaniment) -> Iterator[str]:
    whose, count = "A's accompaniment", len(found.parts)
    if not (found.parts or found.muted):
        yield f"{whose}: there are no other tracks in these bars"
        return
    yield f"{whose}: {'1 other track plays on' if count == 1 else f'{count} other tracks play on'}"
    if found.muted:
        doubles = "it plays" if len(found.muted) == 1 else "they play"
        yield f"{whose}: muted, since {doubles} the tune: {', '.join(found.muted)}"
    if found.thinned:
        yield f"{whose}: without its notes of the tune: {', '.join(found.thinned)}"


def _of_keys(fact: facts.KeyPlan) -> str:
    if fact.semitones is None:
        return "B spans so many octaves that it is not moved to A's key"
    first, second = fact.keys
    named = f"A is in {first}, B in {second}" if first and second else "the keys are unknown"
    if isinstance(fact.plan, Key):
        told = f"all are moved to {fact.plan}, or to the major or minor key with the same notes"
    else:
        told = PLANS[fact.plan] if fact.semitones else "nothing is moved"
    return f"{named}: {f'B is moved {_shift(fact.semitones)} for the walk; ' if fact.semitones else ''}{told}"


def _of_novelty(fact: facts.Novelty) -> Iterator[str]:
    counts = fact.beats_known
    if counts is None:
        yield "similarity to training melodies is unknown: the model came without its index of them"
        return
    told = [f"{number}: {count}" for number, count in enumerate(counts, start=1)]
    if len(told) > MAX_NOVELTIES:
        told = [f"{counts.count(count)} with {count}" for count in sorted(set(counts))]
    yield f"beats shared with the most similar training melody (of {fact.beats}, in any key): {', '.join(told)}"


def _how_much(fact: facts.CameBack) -> str:
    """Tell the share of a melody that came back; it is exact only if no note was lost on the way to the grid."""
    if fact.right < fact.steps:
        return f"{fact.right} of {fact.steps} {_unit(fact.steps_per_quarter)} are right"
    if fact.lost:
        return f"as it is on the grid, where {fact.lost} of its {fact.lost + fact.notes} notes are lost"
    if fact.moved:
        return f"exact on the grid, to which {fact.moved} of its {fact.notes} notes are moved"
    return "exact on the grid"


def scores_told(scores: Scores, naming: Naming | None = by_name, *, every: bool = False) -> list[str]:
    """Summarise scores: the median window of a long tune, and its most unusual windows and notes.

    With ``every``, each window and each doubtful note.
    """
    windows, notes = scores.windows, scores.doubtful
    lines = list(_of_source(scores.source, naming))
    if len(windows) > MAX_SCORES and not every:
        by_score = sorted(windows, key=lambda window: window.nats_per_step)
        lines.append(
            f"  {len(windows)} passages, from bar {windows[0].first_bar} to {windows[-1].first_bar}; the median is "
            f"{_how_unusual(by_score[len(windows) // 2], width=0)}; the {MAX_UNUSUAL} most unusual:"
        )
        windows = tuple(window for window in windows if window in by_score[-MAX_UNUSUAL:])
    lines += [f"  from bar {window.first_bar:4}: {_how_unusual(window)}" for window in windows]
    if not windows:
        return [*lines, "  there is no note in it"]
    if not scores.is_ranked:
        lines.append("  (this model knows no other tunes to compare with: the more surprise, the more unusual)")
    if not scores.judge:
        lines.append("  (its notes are not judged: the model that hears whole tunes takes sixteenths)")
        return lines
    if len(notes) > MAX_SCORES and not every:
        lines.append(f"  {len(notes)} notes are doubtful; the {MAX_SCORES} most doubtful:")
        most = sorted(notes, key=lambda note: note.nats)[-MAX_SCORES:]
        notes = tuple(note for note in notes if note in most)
    return [*lines, *_of_notes(notes)]


def _of_notes(notes: Sequence[NoteScore]) -> list[str]:
    return [
        f"  bar {note.bar}, beat {note.beat:g}: {pitch_name(note.note.pitch)} is doubtful; "
        f"{pitch_name(note.better_pitch)} is likelier"
        for note in notes
    ] or ["  no doubtful note"]


def _how_unusual(window: WindowScore, width: int = 3) -> str:
    if window.percentile is None:
        return f"surprise {window.nats_per_step:.2f}"
    return f"more unusual than {window.percentile:{width}.0f} of 100 passages of other tunes"


def _shift(semitones: int) -> str:
    """A shift in words, such as ``up 3 semitones``."""
    plural = "" if abs(semitones) == 1 else "s"
    return f"{'up' if semitones > 0 else 'down'} {abs(semitones)} semitone{plural}"


def _unit(steps_per_quarter: int) -> str:
    """Name of the steps of a grid."""
    return {2: "eighths", 4: "sixteenths", 8: "thirty-seconds"}.get(steps_per_quarter, "places on the grid")
