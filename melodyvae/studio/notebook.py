"""The studio from Python: a server in a thread, and the page in a notebook's frame."""

from __future__ import annotations

from html import escape
from pathlib import Path

from melodyvae.studio.server import Studio


class OpenStudio:
    """A running studio; a notebook shows its page.

    Attributes:
        url: the address of the page; who has it can use the studio.
    """

    def __init__(self, studio: Studio, height: int) -> None:
        self._studio = studio
        self.height = height
        self.url = studio.url

    def stop(self) -> None:
        """End the server; the page then says so."""
        self._studio.stop()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.url)}" title="melodyvae studio" width="100%" height="{self.height}" '
            'allow="midi; autoplay; clipboard-write" style="border:0;border-radius:12px"></iframe>'
        )

    def __repr__(self) -> str:
        return f"melodyvae studio at {self.url}"


def open_studio(*files: str | Path, model: str = "auto", height: int = 860, port: int = 0) -> OpenStudio:
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
    paths = [Path(file) for file in files]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    studio = Studio(model, paths, port=port, framed=True)
    studio.start()
    return OpenStudio(studio, height)
