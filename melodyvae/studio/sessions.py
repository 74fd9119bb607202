"""Sessions that survive a reload of the page: texts by id, with a bound on their size, number and age."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from melodyvae.studio.limits import StudioLimits

SESSION_ID = re.compile(r"[0-9a-f]{32}")


class SessionError(ValueError):
    """An id that is none, or a session that is too large."""


class Sessions:
    """Sessions in memory; the one that was used longest ago goes first."""

    def __init__(self, limits: StudioLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._forget()
            return len(self._kept)

    def get(self, session_id: str) -> bytes | None:
        """The session of an id; None if there is none, or no longer."""
        with self._lock:
            self._forget()
            if session_id not in self._kept:
                return None
            _, data = self._kept.pop(session_id)
            self._kept[session_id] = self._clock(), data
            return data

    def put(self, session_id: str, data: bytes) -> None:
        """Keep a session.

        Raises:
            SessionError: if the id is not 32 hexadecimal digits, or the session is too large.
        """
        if not SESSION_ID.fullmatch(session_id):
            raise SessionError("a session's id has 32 hexadecimal digits")
        if len(data) > self.limits.session_bytes:
            raise SessionError(f"the session is larger than {self.limits.session_bytes / 2**20:.0f} MiB")
        with self._lock:
            self._kept.pop(session_id, None)
            self._kept[session_id] = self._clock(), data
            self._forget()

    def _forget(self) -> None:
        oldest_kept = self._clock() - 3600 * self.limits.session_hours
        while self._kept:
            used, _ = next(iter(self._kept.values()))
            if used >= oldest_kept and len(self._kept) <= self.limits.sessions:
                break
            self._kept.popitem(last=False)
