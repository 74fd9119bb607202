"""``melodyvae digits``: the sanity models, and what a VAE can do, on handwritten digits."""

from __future__ import annotations

import click

from melodyvae.cli.digits.training import evaluate, train
from melodyvae.cli.digits.uses import anomaly, impute, interpolate, plot, sample


@click.group()
def digits() -> None:
    """Handwritten digits: the sanity check, and the picture book of what a VAE is.

    \b
    melodyvae digits plot                       the picture book, from shipped models
    melodyvae digits interpolate 3 8 -n 10      a walk from a 3 to an 8
    melodyvae digits train --latent 2           your own model, in a few minutes
    """


for command in (train, evaluate, plot, sample, interpolate, anomaly, impute):
    digits.add_command(command)
