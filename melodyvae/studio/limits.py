"""Limits of one request, one session and one server."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NUMBER = 100_000  # of a bar or a track


@dataclass(frozen=True)
class StudioLimits:
    """Bounds on what a page may ask for.

    Attributes:
        upload_bytes: of one file of music.
        request_bytes: of the JSON of one request.
        tunes_bytes: of the JSON of tunes that become files, with what accompanies them.
        session_bytes: of one saved session.
        kept_files: how many of the files that pages sent are kept, so that they need not be sent again; the one used
            longest ago goes first.
        kept_file_bytes: of all of them.
        kept_notes: of all pieces that were read and are kept, so that they need not be read again.
        sessions: how many are kept; the one that was used longest ago goes first.
        session_hours: how long a session is kept after it was last used.
        waiting_jobs: how many jobs may wait for the model.
        job_seconds: how long one job may take.
        read_seconds: how long reading one file may take.
        read_memory_bytes: how much memory reading one file may take beyond what the reader starts with.
        notes: of one melody.
        steps: of one melody.
        melodies: in one request.
        connections: to the server at one time.
    """

    upload_bytes: int = 8 * 2**20
    request_bytes: int = 2**20
    tunes_bytes: int = 8 * 2**20
    session_bytes: int = 8 * 2**20
    kept_files: int = 64
    kept_file_bytes: int = 32 * 2**20
    kept_notes: int = 200_000
    sessions: int = 16
    session_hours: float = 48.0
    waiting_jobs: int = 16
    job_seconds: float = 180.0
    read_seconds: float = 15.0
    read_memory_bytes: int = 2**30
    notes: int = 4096
    steps: int = 16_384
    melodies: int = 512
    connections: int = 64
