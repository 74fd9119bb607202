"""``melodyvae studio``: play the latent space in the browser."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from melodyvae.cli.options import midi_file


@click.command()
@click.argument("files", nargs=-1, type=midi_file)
@click.option(
    "--model",
    "model_name",
    default="auto",
    show_default=True,
    help="auto (by what is asked), a shipped model, a checkpoint file, or a run folder.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; loopback is this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def studio(files: tuple[Path, ...], model_name: str, host: str, port: int, no_browser: bool) -> None:
    """Open a page in the browser that plays the latent space, with FILES (MIDI files or scores) on its shelf.

    \b
    melodyvae studio
    melodyvae studio a.mid b.mid
    melodyvae studio --no-browser --port 8421

    The page works with the network unplugged: everything comes from this machine. Ctrl-C ends it. The address holds a
    token, without which nobody else on this machine can use it.
    """
    from melodyvae.cli.options import known_errors
    from melodyvae.studio.security import LOOPBACK_NAMES
    from melodyvae.studio.server import Studio

    with known_errors():
        found = Studio(model_name, files, host=host, port=port)
    if host not in LOOPBACK_NAMES:
        click.echo(
            f"Anyone who can reach {host} on the network and has the address below can use this studio, and the "
            "connection is not encrypted.",
            err=True,
        )
    click.echo(f"The studio is open at {found.url}")
    click.echo("Ctrl-C ends it.")
    if not no_browser:
        _open_browser(found.url)
    with suppress(KeyboardInterrupt):  # it is how the studio ends
        found.run()


def _open_browser(url: str) -> None:
    """Open the page without its token in any process list: by way of a file that only this user can read."""
    import atexit
    import os
    import shutil
    import tempfile
    import webbrowser
    from html import escape

    folder = tempfile.mkdtemp(prefix="melodyvae-studio-")  # for this user only
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    page = Path(folder) / "open.html"
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(url)}"><title>melodyvae</title>')
    webbrowser.open(page.as_uri())
