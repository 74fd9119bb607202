"""``melodyvae digits``: the sanity models, and what a VAE can do, on handwritten digits."""

from __future__ import annotations

import click

from melodyvae.commands.digits_training import train


@click.group()
def digits() -> None:
    """Handwritten digits: the sanity check, and the picture book.

    \b
    melodyvae digits train --latent 2
    """


digits.add_command(train)
