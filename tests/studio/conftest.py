"""One studio for all tests that talk to it: its model is the shipped one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from melodyvae.studio.server import Studio

TUNES = Path(__file__).parents[2] / "examples" / "tunes"


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    """A studio that serves on a port of its own, with two tunes opened."""
    found = Studio(files=[TUNES / "twinkle.mid", TUNES / "ode-to-joy.mid"], device="cpu", framed=True)
    found.start()
    yield found
    found.stop()
