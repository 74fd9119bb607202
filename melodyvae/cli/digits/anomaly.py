"""``melodyvae digits anomaly``: detect images that are not digits, by their negative ELBO."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import (
    STAND_IN_HELP,
    data_option,
    digits_at_hand,
    load_digit_model,
    picture_options,
)
from melodyvae.cli.options import input_files, known_errors


@click.command()
@click.option("-n", "count", type=click.IntRange(min=10), default=1000, show_default=True, help="Images of each kind.")
@data_option(STAND_IN_HELP)
@picture_options("digits-5d", "digit-anomalies")
def anomaly(count: int, data: Path | None, output: Path, model_name: str, seed: int, device: str, force: bool) -> None:
    """Detect images that are not digits, by their negative ELBO.

    \b
    melodyvae digits anomaly
    melodyvae digits anomaly --data mnist -n 10000

    Scores digits, letters, shuffled pixels and digits upside down, prints the ROC AUC of each kind against the digits
    (1 is perfect, 0.5 is guessing) and draws anomalies.png. The digits that look strange
    upside down (2, 3, 4, 5, 7) have an AUC of their own. A z of five numbers separates letters from digits better than
    one of twenty: a model that can draw more can draw letters, too.
    """
    import torch

    from melodyvae.digits.anomaly import TURNABLE, letters, noise, roc_auc, upside_down
    from melodyvae.digits.metrics import negative_elbos
    from melodyvae.digits.plots import plot_scores
    from melodyvae.writing.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device, unlabelled=True)
        if not model.config.variational:
            raise click.UsageError(f"{model_name} is a plain autoencoder, which has no ELBO to score with")
        generator = torch.Generator().manual_seed(seed)
        digits = digits_at_hand(data, count, seed)[:count]
        turnable = torch.isin(digits.labels, torch.tensor(TURNABLE, dtype=torch.uint8))
        kinds = {
            "digits": digits,
            "letters": letters(len(digits), generator),
            "shuffled pixels": noise(len(digits), digits, generator),
            "upside down": upside_down(digits),
            "2 3 4 5 7 upside down": upside_down(digits[turnable]),
        }
        scores = {name: negative_elbos(model, images, seed) for name, images in kinds.items()}
        examples = {name: images[:8].grey() for name, images in kinds.items()}
        with output_folder(output, ["anomalies.png"], force, input_files()) as staging:
            plot_scores(scores, examples, staging / "anomalies.png")
    click.echo(f"{'':24}{'mean -ELBO':>12}{'ROC AUC':>10}")
    for name, values in scores.items():
        area = "" if name == "digits" else f"{roc_auc(scores['digits'], values):10.4f}"
        click.echo(f"{name:24}{float(values.mean()):12.1f}{area}")
    click.echo(f"Wrote {output / 'anomalies.png'}")
