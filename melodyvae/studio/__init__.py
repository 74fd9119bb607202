"""The studio: a page in the browser that plays the latent space, and the server behind it.

    import melodyvae

    melodyvae.studio("a.mid", "b.mid")  # in a notebook: the page in a frame

The package itself can be called, so that the line above works; what it does is
:func:`melodyvae.studio.notebook.open_studio`.

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
- ``notebook``: the page in a notebook.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """The package; called, it opens the studio."""

    def __call__(self, *files: Any, **options: Any) -> Any:
        """The running studio; see :func:`melodyvae.studio.notebook.open_studio`."""
        from melodyvae.studio.notebook import open_studio

        return open_studio(*files, **options)


sys.modules[__name__].__class__ = _CallableModule
