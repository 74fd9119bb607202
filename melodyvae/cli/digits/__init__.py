"""``melodyvae digits``: the sanity models, and what a VAE can do, on handwritten digits."""

from __future__ import annotations

import click

from melodyvae.cli.digits.anomaly import anomaly
from melodyvae.cli.digits.evaluate import evaluate
from melodyvae.cli.digits.impute import impute
from melodyvae.cli.digits.interpolate import interpolate
from melodyvae.cli.digits.plot import plot
from melodyvae.cli.digits.sample import sample
from melodyvae.cli.digits.train import train


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
