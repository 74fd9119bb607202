"""Reasons why files, tracks and windows are left out, faults fixed on reading, and the option that brings most back."""

from __future__ import annotations

import re
from collections.abc import Mapping

REASONS: dict[str, str] = {
    # of files
    "empty_file": "the file holds no byte",
    "not_midi": "the file is not a MIDI file",
    "audio": "the file holds sound, not notes",
    "not_a_score": "the file is not a score of the kind its name says",
    "truncated": "the file ends too early",
    "corrupt": "the file is damaged inside",
    "unsupported": "MIDI of type 2 with several tracks",
    "too_large": "the file is larger than any piece of music",
    "unreadable": "the file could not be opened",
    "not_a_file": "a pipe, a socket or a link that leads nowhere",
    "too_slow": "reading it took longer than the limit",
    "too_much_memory": "reading it took more memory than the limit",
    "crashed": "the reader crashed on it",
    "duplicate_file": "the same bytes as an earlier file",
    "no_notes": "no note in it",
    "no_such_track": "it has no track of that number or name",
    "no_melody": "no melody in it",
    # of files and tracks
    "drums": "only drums in it",
    "meter_N_D": "its bars are N/D, and others were asked for",
    "free_meter": "it has no bar lines, or bars of more than four whole notes",
    "too_short": "fewer bars in a row than a window has",
    "off_grid": "its notes begin off the step grid",
    "triplets": "its notes begin on triplets, which the step grid does not have",
    "no_window": "bars enough, but no window passed the rules below",
    # of windows; off_grid too
    "silence": "more than a bar of silence in a row",
    "sparse": "fewer notes than one per bar, or than --notes-a-bar",
    # of windows, and of the files and tracks that have no others
    "duplicate_window": "the same window occurs before",
    "in_train": "held out, but occurs in train in some key",
}
OTHER_NOTICE = "other"
NOTICES: dict[str, str] = {
    "clipped": "values over 127 taken as 127",
    "cut": "the file ends too early; the notes that are there are read",
    "chunk_length": "a track is longer or shorter than the file says",
    "no_end": "notes without an end, held to the next note or the end of the track",
    "riff": "taken out of a RIFF file",
    "type_2": "type 2 with one track, read as type 0",
    "frames": "time in film frames, read by seconds",
    OTHER_NOTICE: "something else was fixed; melodyvae inspect FILE says what",
}
LONGEST_BAR_WHOLES = 4
OF_A_METER = re.compile(r"meter_(\d+)_(\d+)")


def meter_reason(numerator: int, denominator: int) -> str:
    """The reason for a piece with only bars of another meter: ``meter_5_4``; ``free_meter`` without usable bars."""
    if numerator > LONGEST_BAR_WHOLES * denominator:
        return "free_meter"
    return f"meter_{numerator}_{denominator}"


def explain(reason: str) -> str:
    """A reason, or a kind of notice, in words."""
    meter = OF_A_METER.fullmatch(reason)
    if meter:
        return f"its bars are {meter[1]}/{meter[2]}, and others were asked for"
    return REASONS.get(reason) or NOTICES[reason]


def rescue(left_out_files: Mapping[str, int], meter: str, fold: bool) -> str | None:
    """The option that would bring back the most files, in a sentence; None if none would bring back any."""
    meters = {
        f"{match[1]}/{match[2]}": n for reason, n in left_out_files.items() if (match := OF_A_METER.match(reason))
    }
    total = sum(meters.values()) + left_out_files.get("free_meter", 0) if meter != "any" else 0
    named = " or ".join(sorted(meters, key=lambda name: -meters[name])[:3]) + (" and so on" if len(meters) > 3 else "")
    by_meter = f"{_files(total)} in {named}: --meter any takes all of them, --meter with theirs fits better"
    halves = meters.get("2/4", 0)
    if meter == "4/4" and not fold and 2 * halves > total:
        by_meter = f"{_files(halves)} in 2/4: --fold takes two of their bars as one of 4/4"
    triplets, short = left_out_files.get("triplets", 0), left_out_files.get("too_short", 0)
    most, sentence = max(
        (total, by_meter),
        (triplets, f"{_files(triplets)} in triplets: --steps-per-quarter 12 has them on its grid"),
        (short, f"{_files(short)} shorter than a window: --bars with a smaller number takes them"),
        key=lambda pair: pair[0],
    )
    return sentence if most else None


def _files(count: int) -> str:
    return f"{count} file is" if count == 1 else f"{count} files are"
