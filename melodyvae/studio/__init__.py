"""The studio: a page in the browser that plays the latent space, and the server behind it.

    import melodyvae

    melodyvae.studio("a.mid", "b.mid")  # in a notebook: the page in a frame

The package itself can be called, so that the line above works.

- ``limits``: what one request, one session and one server may take.
- ``requests``: JSON -> checked requests and melodies, and melodies -> JSON.
- ``reading``: uploaded bytes -> pieces, in a process of its own.
- ``pieces``: the files that pages sent, and what was read from them.
- ``engine``: the models, one job after the other.
- ``verbs``: requests -> what the page shows.
- ``commands``: requests -> the shell command that does the same.
- ``sessions``: what a reload of the page brings back.
- ``security``: who may ask.
- ``server``: the routes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from melodyvae.studio.server import Studio


class _CallableModule(ModuleType):
    """The package; called, it opens the studio."""

    def __call__(self, *files: str | Path, model: str = "auto", height: int = 860, port: int = 0) -> Studio:
        """A running studio, for a notebook on this machine, with ``files`` on its shelf.

        Args:
            files: MIDI files or scores.
            model: ``auto`` (by what is asked), a shipped model, a checkpoint file, or a run folder.
            height: of the frame, in pixels.
            port: 0 takes a free one.

        Raises:
            FileNotFoundError: if a file is not there.
            StudioError: if the port cannot be had.
        """
        from melodyvae.studio.server import Studio

        paths = [Path(file) for file in files]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"there is no file {path}")
        studio = Studio(model, paths, port=port, frame_height=height)
        studio.start()
        return studio


sys.modules[__name__].__class__ = _CallableModule
