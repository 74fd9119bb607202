"""Faults of scores in any format."""

from __future__ import annotations

from melodyvae.reading.midi import FileTooLargeError, MidiError

__all__ = ["MAX_SCORE_NOTES", "CorruptScoreError", "FileTooLargeError", "NotAScoreError"]

MAX_SCORE_NOTES = 100_000


class NotAScoreError(MidiError):
    """The file is not a score of the kind that its name says."""

    reason = "not_a_score"


class CorruptScoreError(MidiError):
    """The file is a score, but damaged, or written in a way that its reader does not understand."""

    reason = "corrupt"
