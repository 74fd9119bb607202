"""Common parts of the pictures: their colours, and the error of an empty one."""

from __future__ import annotations

from melodyvae.system.errors import UserError

INK = "#1a1a2e"
NOTE = "#3b6fb6"
END_NOTE = "#c8553d"  # the two ends of a walk; darker than NOTE in grey


class PlotError(UserError, ValueError):
    """There is nothing to draw."""
