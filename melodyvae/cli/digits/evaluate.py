"""``melodyvae digits evaluate``: a digit model, measured on the test digits."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import MNIST_HELP, data_option, open_digits
from melodyvae.cli.options import SEED, device_option, known_errors

LABELS = {
    "negative_elbo_nats": "negative ELBO, binarised, nats",
    "reconstruction_nats": "  reconstruction, nats",
    "kl_nats": "  KL, nats",
    "importance_weighted_nats": "importance-weighted bound, {samples} samples, nats",
    "mean_squared_error": "reconstruction of grey digits: mean squared error per pixel",
    "cross_entropy_nats": "reconstruction of grey digits: cross-entropy, nats",
    "active_units": "active units",
    "nearest_neighbour_accuracy": "1-nearest-neighbour accuracy on z",
    "logistic_accuracy": "logistic regression accuracy on z",
}


@click.command()
@click.argument("model_name", metavar="[MODEL]", default="digits-conv")
@data_option(MNIST_HELP)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="Draws of z an image for the importance-weighted bound; 0 leaves it out.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of everything random.")
@click.option("--save", is_flag=True, help="Write the metrics into the header of MODEL, a file or a run folder.")
@device_option
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the cores it may use]")
def evaluate(
    model_name: str,
    data: Path | None,
    samples: int,
    seed: int,
    save: bool,
    device: str,
    threads: int | None,
) -> None:
    """Measure a model on the test digits.

    \b
    melodyvae digits evaluate --data mnist
    melodyvae digits evaluate runs/digits-dense-2d --samples 0

    Prints the metrics of MODEL, digits-conv by default, on the 10,000 test digits beside published ones. The bounds
    are of binarised digits, drawn once from the grey ones with --seed, and computed in full precision. A
    nearest neighbour and a logistic regression on the posterior means are added where scikit-learn is installed.
    """
    from tqdm import tqdm

    from melodyvae.device import choose_device, use_threads
    from melodyvae.digits.metrics import PUBLISHED, classifier_accuracies, digit_metrics
    from melodyvae.digits.model import DigitVAE
    from melodyvae.network.checkpoint import locate

    if save and not Path(model_name).exists():
        raise click.UsageError(f"--save writes into a file or a run folder; {model_name} is neither")
    use_threads(threads)
    with known_errors():
        model = DigitVAE.from_pretrained(model_name).to(choose_device(device))
        digits = open_digits(data)
        bounded = bool(samples) and model.config.variational
        with tqdm(total=len(digits.test), unit=" digits", disable=None if bounded else True) as bar:
            metrics = digit_metrics(model, digits.test, samples, seed, bar.update)
        try:
            metrics |= classifier_accuracies(model, digits.train, digits.test)
        except ImportError:
            click.echo("scikit-learn is not installed (pip install scikit-learn): no classifiers on z.", err=True)
        if save:
            model.metrics["test"] = metrics | {"importance_samples": samples, "seed": seed}
            model.save(locate(model_name))
    click.echo(f"{model_name} on {len(digits.test)} test digits")
    for name, label in LABELS.items():
        if name in metrics:
            value = metrics[name]
            shown = f"{value:d}" if isinstance(value, int) else f"{value:.4f}"
            click.echo(f"  {label.format(samples=samples):58}{shown:>10}")
    if not model.config.variational:
        click.echo("  A plain autoencoder has no distribution over z: it has no negative ELBO, KL or bound.")
        return
    click.echo("Published, on binarised test digits: -log p(x) in nats, estimated")
    for published in PUBLISHED:
        click.echo(f"  {published.model:58}{published.nats:10.2f}")
    for source in dict.fromkeys(published.source for published in PUBLISHED):
        click.echo(f"  {source}")
