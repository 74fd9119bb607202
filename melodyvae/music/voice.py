"""Choose the melody among the parts of a piece, and one voice among the notes of a part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from melodyvae.music.notes import Part, Song
from melodyvae.music.part_names import name_terms
from melodyvae.system.errors import UserError
from melodyvae.system.mixing import absorb

AUTO = "auto"
# By General MIDI program, from 0: how much an instrument plays tunes rather than what goes under them. Judged, not
# fitted: no set with known answers has programs. A piano plays either.
PROGRAM_TERMS = (
    (range(16, 24), -0.2),  # organs
    (range(28, 32), -0.3),  # muted and distorted guitars, harmonics
    (range(32, 40), -1.0),  # basses
    (range(40, 43), 0.3),  # violin to cello
    (range(43, 44), -0.7),  # contrabass
    (range(44, 47), -0.3),  # tremolo, pizzicato, harp
    (range(47, 48), -1.0),  # timpani
    (range(48, 52), -0.5),  # string ensembles
    (range(53, 55), 0.3),  # voices; 52, the choir, plays either
    (range(55, 56), -1.0),  # orchestra hit
    (range(56, 58), 0.5),  # trumpet, trombone
    (range(58, 59), -0.3),  # tuba
    (range(59, 61), 0.4),  # muted trumpet, horn
    (range(64, 80), 0.5),  # reeds and pipes
    (range(80, 87), 0.4),  # synthesiser leads
    (range(87, 88), -0.5),  # "bass and lead"
    (range(88, 104), -0.6),  # pads and effects
    (range(104, 112), 0.2),  # instruments of the world
    (range(112, 128), -1.0),  # percussion and noises
)
STRETCH_QUARTERS = 4
LATE_QUARTERS = 8
CLOSE_MARGIN = 0.25  # of scores
MIN_SYLLABLES = 10
MAX_COMPARED = 8  # parts whose rhythms are compared, each with each
ALIKE_SHARE = 0.6  # of the onsets of the part with most that each part of a hymn has at least
# Which highest notes are no tune; see one_voice_line.
HELD_OVER_NOTES = 2  # notes that begin while it sounds
MOVING_SEMITONES = 4  # a voice moves in intervals of this size at most, on average
HELD_SEMITONES = 2  # from one held note to the next
APART_SEMITONES, JOINED_SEMITONES = 8, 5  # a leap away from the line, and a step on in it
UNDER_SHARE = 0.2  # of the notes are not in the line, where there are two hands
HANDS_SEMITONES = 5  # from the middle of what is under the line to the middle of the line
LOW_SEMITONES = 12
LINE_NOTES = 33  # of the line around a note; three quarters of them are its register or lower
# Judged from a conditional logit, names hidden, on OpenScore Lieder and every other song of POP909 made into a band,
# drawn towards the weights before and rounded. `python -m tests.benchmarks.track_choice DATA POP909` measures them
# and fits on bands alone. The program weighs more than the fit says, since those programs are drawn; name and lyrics
# are judged.
WEIGHTS = {
    "name": 4.5,
    "program": 3.5,
    "monophony": 3.5,
    "height": 2.5,
    "coverage": 4.0,
    "entry": 3.0,
    "pauses": 4.0,
    "rate": 0.5,
    "range": 3.0,
    "steps": 3.0,
    "rhythm": 3.0,
    "novelty": 0.5,
    "independence": 1.5,
    "lyrics": 6.0,
}


class MelodyError(UserError, ValueError):
    """A piece from which no melody can be taken; each kind has a ``reason`` for ledgers to count."""

    reason = "no_melody"


class NoNotesError(MelodyError):
    """There is no note at all."""

    reason = "no_notes"


class DrumsOnlyError(MelodyError):
    """There are notes, but only of drums."""

    reason = "drums"


class NoSuchTrackError(MelodyError):
    """The piece has no track of that number or name."""

    reason = "no_such_track"


@dataclass(frozen=True)
class PartScore:
    """Likelihood of a part to be the melody, as a score.

    Attributes:
        index: its place in ``Song.parts``.
        terms: each between -1 and 1, by name; see :func:`score_parts`.
    """

    index: int
    terms: dict[str, float]

    @property
    def total(self) -> float:
        """The weighted sum of the terms."""
        return sum(WEIGHTS[name] * value for name, value in self.terms.items())


def score_parts(song: Song) -> list[PartScore]:
    """A score for each part but the drums, the likeliest melody first; of equals the earlier part comes first.

    The terms are of the highest notes at each onset; a stretch is four quarters.

    - ``name``: 1 for a name such as "melody" or "vocal", -1 for one such as "bass" or "backing vocals", by
      :mod:`melodyvae.music.part_names`. Words that all parts share, such as the piece's title, do not count.
    - ``program``: 1 for a General MIDI instrument that plays tunes, -1 for one that plays basses, effects or noises.
    - ``monophony``: the share of all notes that begin while no other sounds.
    - ``height``: 0 at or below C3 and 1 at or above C5, by the mean pitch, so that a bass is no tune.
    - ``coverage``: the share of the piece's stretches in which a note begins.
    - ``entry``: 1 if the first note begins two bars of 4/4 or more after the piece's first, 0 if with it: the singer
      comes after the introduction. Less if the coverage is below a half, so that a part of a few notes gains nothing.
    - ``pauses``: 1 if none begins in a quarter of the stretches, 0 if one does in all: a singer waits, a piano does
      not. Less if the coverage is below a half.
    - ``rate``: 1 between half a note and two notes per quarter while it plays, less beyond.
    - ``range``: 1 for five semitones to seventeen between the lowest and the highest twentieth, less beyond.
    - ``steps``: the share of intervals of two semitones at most.
    - ``rhythm``: the entropy of the times from onset to onset: 0 for a constant pulse, 1 from two bits on.
    - ``novelty``: the share of stretches whose rhythm and intervals are new; 0 for a pattern that goes on and on.
    - ``lyrics``: 1 if a note begins with each syllable of the lyrics in the file, and none between; 0 without lyrics.
    - ``independence``: 0 if, wherever it plays, another part that leads it has the same rhythm: one of more notes, as
      the lead has that backing vocals follow or, where all have about as many, a higher one, as the soprano of a hymn;
      of the likeliest eight parts.
    """
    names = name_terms(own_names(song.parts), song.parts)
    pitched = [index for index, part in enumerate(song.parts) if not part.is_drum and len(part)]
    first = min((float(song.parts[index].starts[0]) for index in pitched), default=0.0)
    scores = [
        PartScore(index, _terms(song.parts[index], names[index], first, song.end_quarters, song.lyric_quarters))
        for index in pitched
    ]
    scores = sorted(scores, key=lambda score: -score.total)
    likely = [song.parts[score.index] for score in scores[:MAX_COMPARED]]
    for score, follows in zip(scores, _following(likely), strict=False):
        score.terms["independence"] = 1 - follows
    return sorted(scores, key=lambda score: (-score.total, score.index))


@dataclass(frozen=True)
class CloseCall:
    """The part that was nearly taken for the melody.

    Attributes:
        margin: difference of its score from the chosen one's.
        index: its place in ``Song.parts``.
        name: its name; empty if it has none.
    """

    margin: float
    index: int
    name: str


def close_call(song: Song) -> CloseCall | None:
    """The second likeliest melody, if its score is less than a quarter lower than the likeliest one's.

    About half of such choices are right: see docs/songs.md.
    """
    scores = score_parts(song)
    if len(scores) < 2:
        return None
    margin, index = scores[0].total - scores[1].total, scores[1].index
    return CloseCall(margin, index, song.parts[index].name) if margin < CLOSE_MARGIN else None


def own_names(parts: Sequence[Part]) -> list[str]:
    """Each part's own name, without the words that all parts share.

    A name of two words or more that most pitched parts have is left out too: that is the title of the piece.
    """
    words = [part.name.casefold().split() for part in parts]
    pitched = [own for part, own in zip(parts, words, strict=True) if not part.is_drum and len(part)]
    if len(pitched) < 2:
        return [part.name for part in parts]
    shared = set.intersection(*map(set, pitched))
    counts = Counter(map(tuple, pitched))
    titles = {name for name, count in counts.items() if len(name) > 1 and count > max(2, len(pitched) / 2)}
    return [
        "" if tuple(own) in titles else " ".join(word for word in part.name.split() if word.casefold() not in shared)
        for part, own in zip(parts, words, strict=True)
    ]


def choose_part(song: Song, track: str = AUTO) -> int:
    """The index in ``song.parts`` of the melody, or of the track that is asked for by number (from 1) or by name.

    A name may be a part of the track's, in any case: ``lead`` finds "Calliope Lead". If several
    tracks have it, the one with exactly this name counts, or else the likeliest melody.

    Raises:
        NoNotesError, DrumsOnlyError: if there is nothing to choose from.
        NoSuchTrackError: if there is no such track; the message lists what there is.
    """
    if not song.parts:
        raise NoNotesError("there is no note in it")
    if track == AUTO:
        scores = score_parts(song)
        if not scores:
            raise DrumsOnlyError("it has only drums; a melody needs a pitched track")
        return scores[0].index
    if track.isdecimal() and 1 <= int(track) <= len(song.parts):
        return int(track) - 1
    name_or_number = track.casefold().strip()
    likeliest_first = [score.index for score in score_parts(song)]
    likeliest_first += [index for index in range(len(song.parts)) if index not in likeliest_first]
    names = {index: song.parts[index].name.casefold() for index in likeliest_first}
    same = [index for index, name in names.items() if name == name_or_number]
    if same:
        return min(same)
    if not name_or_number or track.isdecimal():
        raise _no_such_track(song, track)
    with_word = [index for index, name in names.items() if name_or_number in re.findall(r"\w+", name)]
    matches = with_word or [index for index, name in names.items() if name_or_number in name]
    if matches:
        return matches[0]
    raise _no_such_track(song, track)


def _no_such_track(song: Song, track: str) -> NoSuchTrackError:
    there = ", ".join(f"{index} {part.name!r}" for index, part in enumerate(song.parts, start=1))
    return NoSuchTrackError(f"there is no track {track!r}; the tracks are: {there}")


def one_voice_line(line: np.ndarray) -> np.ndarray:
    """The melody line among notes that overlap, an array ``(notes, 4)`` like ``line``: in order, without overlap.

    The highest of the notes that begin together stays. A note cuts short a lower one that sounds when it begins. A note
    that begins while a higher one sounds is left out, unless less than half of it is covered: then the higher one was
    only held a little long, and is cut short.

    Two kinds of highest notes do not belong to a tune, and are left out first:

    - Held notes over a voice that moves: at least two notes begin under each of them, in small intervals. Several in a
      row must hardly change their pitch; the line must leap to a single one and away from it, and not to what is under
      it.
    - Low notes of two hands, which the rests of the tune uncover: those more than an octave below most of the line
      around them. Where the two voices lie close, as of double stops, none is left out.
    """
    if not len(line):
        return line
    line = line[np.lexsort((-line[:, 1], -line[:, 2], line[:, 0]))]
    if (line[1:, 0] >= np.maximum.accumulate(line[:, 1])[:-1]).all():
        return line
    return _skyline(_without_low_notes(_without_held_notes(line)))


def _skyline(line: np.ndarray) -> np.ndarray:
    """The highest line among notes that are sorted by start, then from the highest pitch and the latest end down.

    Notes are independent of each other across silence. If no onset's highest note is left out, each note lasts until
    the next one at most; only the other stretches are processed note by note.
    """
    starts, ends = line[:, 0], line[:, 1]
    is_highest = np.append(True, starts[1:] > starts[:-1])
    heads = line[is_highest]
    next_starts = heads[1:, 0]
    covered = heads[:-1, 1] - next_starts
    lengths = heads[1:, 1] - next_starts
    is_left_out = (covered > 0) & (heads[1:, 2] <= heads[:-1, 2]) & (2 * covered >= lengths)
    heads[:-1, 1] = np.minimum(heads[:-1, 1], next_starts)
    if not is_left_out.any():
        return np.asarray(heads)
    place = np.cumsum(np.append(True, starts[1:] >= np.maximum.accumulate(ends)[:-1]))
    is_entangled = np.zeros(place[-1] + 1, dtype=bool)
    is_entangled[place[is_highest][1:][is_left_out]] = True
    walked = _walk_skyline(map(tuple, line[is_entangled[place]].tolist()))
    skyline = np.concatenate([heads[~is_entangled[place[is_highest]]], np.array(walked, np.int64)])
    return np.asarray(skyline[np.argsort(skyline[:, 0])])


def _walk_skyline(notes: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """:func:`_skyline`, note by note."""
    line: list[tuple[int, int, int, int]] = []
    for start, end, pitch, velocity in notes:
        if line and start < line[-1][1]:
            before_start, before_end, before_pitch, before_velocity = line[-1]
            covered = before_end - start
            if start == before_start or (pitch <= before_pitch and 2 * covered >= end - start):
                continue
            line[-1] = (before_start, start, before_pitch, before_velocity)
        line.append((start, end, pitch, velocity))
    return line


def _is_in_skyline(line: np.ndarray, skyline: np.ndarray) -> np.ndarray:
    """Whether each note of a sorted line is in its skyline, ``(notes,)``."""
    is_highest = np.append(True, line[1:, 0] > line[:-1, 0])
    return np.asarray(is_highest & np.isin(line[:, 0], skyline[:, 0]))


def _without_held_notes(line: np.ndarray) -> np.ndarray:
    """A sorted line without held notes over a voice that moves."""
    top = _skyline(line)
    is_top = _is_in_skyline(line, top)
    if is_top.all():
        return line
    second = _skyline(line[~is_top])
    first = np.searchsorted(second[:, 0], top[:, 0], "left")
    first_inside = np.searchsorted(second[:, 0], top[:, 0], "right")
    end = np.searchsorted(second[:, 0], top[:, 1], "left")
    counts = end - first
    last = np.clip(end - 1, 0, len(second) - 1)
    first = np.minimum(first, last)
    intervals = np.abs(np.diff(second[:, 2]))
    travelled = np.append(0, np.cumsum(intervals))
    moves = np.append(0, np.cumsum(intervals > 0))
    is_over_moving = (
        (end - first_inside >= HELD_OVER_NOTES)
        & (travelled[last] - travelled[first] <= MOVING_SEMITONES * (counts - 1))
        & (2 * (moves[last] - moves[first]) >= counts - 1)
    )
    if not is_over_moving.any():
        return line
    jumps = np.abs(np.diff(top[:, 2]))
    leaps = jumps >= APART_SEMITONES
    is_apart_before = np.append(True, leaps & (np.abs(top[:-1, 2] - second[first[1:], 2]) <= JOINED_SEMITONES))
    is_apart_after = np.append(leaps & (np.abs(top[1:, 2] - second[last[:-1], 2]) <= JOINED_SEMITONES), True)
    is_held = np.zeros(len(top), dtype=bool)
    for start, stop in _runs(is_over_moving, jumps):
        count = stop - start
        stays = (
            count > 1
            and counts[start:stop].sum() > HELD_OVER_NOTES * count
            and jumps[start : stop - 1].mean() <= HELD_SEMITONES
        )
        is_held[start:stop] = stays or (is_apart_before[start] and is_apart_after[stop - 1])
    is_left_out = np.zeros(len(line), dtype=bool)
    is_left_out[np.flatnonzero(is_top)[is_held]] = True
    return np.asarray(line[~is_left_out])


def _runs(is_over_moving: np.ndarray, jumps: np.ndarray) -> list[tuple[int, int]]:
    """Runs of held notes, first and after the last; one or two between, of nearly the same pitch, belong to them."""
    runs: list[tuple[int, int]] = []
    for index in np.flatnonzero(is_over_moving).tolist():
        if runs:
            start, stop = runs[-1]
            if index == stop or (index - stop <= 2 and jumps[stop - 1 : index].max() <= HELD_SEMITONES):
                runs[-1] = (start, index + 1)
                continue
        runs.append((index, index + 1))
    return runs


def _without_low_notes(line: np.ndarray) -> np.ndarray:
    """A sorted line without the notes of a low voice, where it has two voices that lie apart."""
    is_top = _is_in_skyline(line, _skyline(line))
    top, under = line[is_top], line[~is_top]
    if len(under) <= UNDER_SHARE * len(line) or np.median(top[:, 2]) - np.median(under[:, 2]) < HANDS_SEMITONES:
        return line
    padded = np.pad(top[:, 2].astype(np.int16), LINE_NOTES // 2, mode="edge")
    rank = 3 * LINE_NOTES // 4
    register = np.partition(np.lib.stride_tricks.sliding_window_view(padded, LINE_NOTES), rank, axis=1)[:, rank]
    # The line's first note begins with the first of all notes, or is the only one to begin then.
    at = np.searchsorted(top[:, 0], line[:, 0], "right") - 1
    return np.asarray(line[line[:, 2] >= register[at] - LOW_SEMITONES])


def _terms(
    part: Part, name: float, first_quarters: float, song_quarters: float, lyrics: Sequence[float]
) -> dict[str, float]:
    sounding_until = np.maximum.accumulate(part.ends)
    tolerance = 0.1 * (part.ends - part.starts)[1:]
    alone = np.concatenate([[True], part.starts[1:] >= sounding_until[:-1] - tolerance])
    is_highest = np.append(part.starts[1:] > part.starts[:-1], True)
    starts, pitches = part.starts[is_highest], part.pitches[is_highest].astype(np.int64)
    gaps = np.diff(starts)
    is_near = gaps <= STRETCH_QUARTERS
    intervals = np.abs(np.diff(pitches))[is_near]
    stretches = (starts // STRETCH_QUARTERS).astype(np.int64)
    played = len(np.unique(stretches))
    share = min(played / max(int(np.ceil(song_quarters / STRETCH_QUARTERS)), 1), 1.0)
    lasts = min(2 * share, 1.0)
    rate = len(starts) / (STRETCH_QUARTERS * played)
    low, high = np.percentile(pitches, (5, 95))
    spread = max(float(high - low), 0.1)
    return {
        "name": name,
        "program": next((term for programs, term in PROGRAM_TERMS if part.program in programs), 0.0),
        "monophony": float(alone.mean()),
        "height": float(np.clip((pitches.mean() - 48) / 24, 0, 1)),
        "coverage": share,
        "entry": lasts * min(max(float(starts[0]) - first_quarters, 0.0) / LATE_QUARTERS, 1.0),
        "pauses": lasts * min(4 * (1 - share), 1.0),
        "rate": float(min(1.0, rate / 0.5, 2.0 / rate)),
        "range": min(1.0, spread / 5, 17 / spread),
        "steps": float((intervals <= 2).mean()) if len(intervals) else 0.0,
        "rhythm": min(_entropy_bits(_twelfths(gaps[is_near])) / 2, 1.0),
        "novelty": _novelty(starts, pitches, stretches),
        "lyrics": _lyrics_term(starts, lyrics),
        "independence": 1.0,
    }


def _lyrics_term(starts: np.ndarray, lyrics: Sequence[float]) -> float:
    if len(lyrics) < MIN_SYLLABLES:
        return 0.0
    begun, sung = (np.unique(np.round(np.asarray(times) * 4).astype(np.int64)) for times in (starts, lyrics))
    return 2 * float(np.isin(begun, sung).sum()) / (len(begun) + len(sung))


def _following(parts: Sequence[Part]) -> list[float]:
    """Similarity of each part's rhythm, 0 to 1, to that of the most similar part that leads it.

    The part with more notes leads; but where all have about as many, as in a hymn, the higher one.
    """
    onsets = [np.unique(np.round(part.starts * 4).astype(np.int64)) for part in parts]
    stretches = [np.unique(own // (4 * STRETCH_QUARTERS)) for own in onsets]
    heights = [float(part.pitches.mean()) for part in parts]
    counts = [len(own) for own in onsets]
    is_hymn = len(parts) > 2 and min(counts) > ALIKE_SHARE * max(counts)
    follows = []
    for index, (own, own_stretches) in enumerate(zip(onsets, stretches, strict=True)):
        shares = [0.0]
        for other, height in zip(onsets, heights, strict=True):
            if height > heights[index] if is_hymn else len(other) > len(own):
                beside = np.isin(other // (4 * STRETCH_QUARTERS), own_stretches).sum()
                shares.append(float(2 * np.isin(own, other).sum() / (len(own) + beside)))
        follows.append(max(max(shares) - 0.6, 0.0) / 0.4)
    return follows


def _twelfths(quarters: np.ndarray) -> np.ndarray:
    """Times in twelfths of a quarter: this separates sixteenths from triplets, and merges played and written timing."""
    return np.round(quarters * 12).astype(np.int64)


def _entropy_bits(values: np.ndarray) -> float:
    if not len(values):
        return 0.0
    shares = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(shares * np.log2(shares)).sum())


def _novelty(starts: np.ndarray, pitches: np.ndarray, stretches: np.ndarray) -> float:
    """The share of stretches, after the first, that no other equals in rhythm and intervals."""
    firsts = np.flatnonzero(np.append(True, stretches[1:] > stretches[:-1]))
    if len(firsts) == 1:
        return 0.0
    counts = np.diff(np.append(firsts, len(starts)))
    within = _twelfths(starts - STRETCH_QUARTERS * stretches).astype(np.uint64)
    from_first = (pitches - np.repeat(pitches[firsts], counts) + 128).astype(np.uint64)
    words = within * np.uint64(256) + from_first + np.uint64(1)
    digests = np.add.reduceat(absorb(np.zeros_like(words), words), firsts)
    return (len(np.unique(digests)) - 1) / (len(firsts) - 1)
