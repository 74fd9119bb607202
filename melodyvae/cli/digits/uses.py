"""``melodyvae digits`` plot, sample, interpolate, anomaly and impute: what a trained digit model is good for."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.digits.options import (
    data_option,
    digits_at_hand,
    image_of,
    load_digit_model,
    picture_options,
)
from melodyvae.cli.options import input_files, known_errors

STAND_IN = "Folder of the four MNIST files.  [default: digits drawn from a shipped model]"
DRAWN = 10_000
DIGIT = click.IntRange(0, 9)


@click.command()
@data_option(STAND_IN)
@picture_options(None, "digit-pictures")
def plot(data: Path | None, output: Path, model_name: str | None, seed: int, device: str, force: bool) -> None:
    """Draw the picture book, or your own model.

    \b
    melodyvae digits plot
    melodyvae digits plot --data mnist -o pictures
    melodyvae digits plot --model runs/digits-dense-2d

    The folder gets reconstructions.png, samples.png, manifold.png and latent-map.png (z of two numbers), both-terms.png
    (why a VAE needs both terms), walk.png and arithmetic.png; of a run folder, curves.png, too.
    """
    import torch

    from melodyvae.digits.gallery import BOOK, draw_pictures, own_pictures
    from melodyvae.digits.plots import plot_digit_curves
    from melodyvae.rendering.output_folder import output_folder
    from melodyvae.training.trainer import METRICS_FILE, read_metrics

    with known_errors():
        pictures, generator = dict(BOOK), torch.Generator().manual_seed(seed)
        if model_name is not None:
            model = load_digit_model(model_name, device)
            pictures, generator = own_pictures(model), torch.Generator(model.device).manual_seed(seed)
            if (Path(model_name) / METRICS_FILE).is_file():
                lines = read_metrics(Path(model_name))
                pictures["curves.png"] = lambda _, __, path: plot_digit_curves(lines, path)
        digits = digits_at_hand(data, DRAWN, seed)
        with output_folder(output, list(pictures), force, input_files()) as staging:
            draw_pictures(pictures, digits, generator, staging)
    click.echo(f"Wrote {', '.join(pictures)} to {output}/")


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Digits.")
@click.option("--digit", type=DIGIT, help="Only this one; needs a model trained with --labels, such as digits-labels.")
@picture_options("digits-conv", "digit-samples")
def sample(count: int, digit: int | None, output: Path, model_name: str, seed: int, device: str, force: bool) -> None:
    """Draw new digits, into samples.png.

    \b
    melodyvae digits sample
    melodyvae digits sample --model digits-labels --digit 7 -n 20 -o sevens
    """
    import torch

    from melodyvae.digits.plots import plot_grid
    from melodyvae.rendering.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device)
        if digit is not None and not model.config.labels:
            raise click.UsageError(f"{model_name} knows no labels; --digit needs a model such as digits-labels")
        labels = None
        if model.config.labels:
            labels = torch.arange(count) % 10 if digit is None else torch.full((count,), digit)
            labels = labels.to(model.device)
        generator = torch.Generator(model.device).manual_seed(seed)
        with torch.inference_mode():
            images = model.decode(model.prior(count).sample(generator), labels).cpu()
        with output_folder(output, ["samples.png"], force, input_files()) as staging:
            columns = min(count, max(10, round(count**0.5)))
            plot_grid(images, staging / "samples.png", columns)
    click.echo(f"Wrote {output / 'samples.png'}")


@click.command()
@click.argument("a", type=DIGIT)
@click.argument("b", type=DIGIT)
@click.option("-n", "count", type=click.IntRange(min=2), default=10, show_default=True, help="Images, ends included.")
@data_option(STAND_IN)
@picture_options("digits-20d", "digit-walk")
def interpolate(
    a: int,
    b: int,
    count: int,
    data: Path | None,
    output: Path,
    model_name: str,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Walk in z from one digit to another.

    \b
    melodyvae digits interpolate 3 8 -n 10
    melodyvae digits interpolate 4 4 --seed 3 -o fours

    The folder gets walk.png: the way from a random A to a random B in z, and pixel by pixel for comparison.
    """
    import torch

    from melodyvae.digits.latent import walk
    from melodyvae.digits.plots import plot_rows
    from melodyvae.rendering.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device, unlabelled=True)
        digits = digits_at_hand(data, 200, seed)
        generator = torch.Generator().manual_seed(seed)
        ends = [image_of(digits, label, generator) for label in (a, b)]
        fade = torch.stack([torch.lerp(ends[0], ends[1], float(weight)) for weight in torch.linspace(0, 1, count)])
        with output_folder(output, ["walk.png"], force, input_files()) as staging:
            plot_rows({"in z": walk(model, ends[0], ends[1], count), "in pixels": fade}, staging / "walk.png")
    click.echo(f"Wrote {output / 'walk.png'}")


@click.command()
@click.option("-n", "count", type=click.IntRange(min=10), default=1000, show_default=True, help="Images of each kind.")
@data_option(STAND_IN)
@picture_options("digits-5d", "digit-anomalies")
def anomaly(count: int, data: Path | None, output: Path, model_name: str, seed: int, device: str, force: bool) -> None:
    """Tell what is no digit by its negative ELBO.

    \b
    melodyvae digits anomaly
    melodyvae digits anomaly --data mnist -n 10000

    Scores digits, letters, shuffled pixels and digits upside down, prints the ROC AUC of each kind against the digits
    (1 is perfect, 0.5 is guessing) and draws anomalies.png. Of the digits that can be
    told at all upside down (2, 3, 4, 5, 7) there is a figure of their own. Five numbers tell letters better than
    twenty do: what can draw more can draw letters, too.
    """
    import torch

    from melodyvae.digits.anomaly import TURNABLE, letters, noise, roc_auc, upside_down
    from melodyvae.digits.metrics import negative_elbos
    from melodyvae.digits.plots import plot_scores
    from melodyvae.rendering.output_folder import output_folder

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


@click.command()
@click.argument("digit", type=DIGIT, required=False)
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Fillings of each digit.")
@data_option(STAND_IN)
@picture_options("digits-20d", "digit-fillings")
def impute(
    digit: int | None,
    count: int,
    data: Path | None,
    output: Path,
    model_name: str,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Fill in the hidden half of a digit.

    \b
    melodyvae digits impute
    melodyvae digits impute 7 -n 10 -o sevens

    The lower half of a random DIGIT, of one of each by default, is hidden and filled in several times, into
    fillings.png. Each filling is found by gradient from a z of its own, on the visible pixels alone; the most probable
    comes first.
    """
    import torch

    from melodyvae.digits.latent import fill_in
    from melodyvae.digits.plots import plot_rows
    from melodyvae.rendering.output_folder import output_folder

    with known_errors():
        model = load_digit_model(model_name, device, unlabelled=True)
        digits = digits_at_hand(data, 200, seed)
        pick = torch.Generator().manual_seed(seed)
        starts = torch.Generator(model.device).manual_seed(seed)
        visible = torch.zeros(28, 28, dtype=torch.bool)
        visible[:14] = True
        rows = {}
        for label in range(10) if digit is None else [digit]:
            image = image_of(digits, label, pick)
            filled, _ = fill_in(model, image, visible, count, starts)
            rows[str(label)] = torch.cat([torch.stack([image, image * visible]), filled])
        with output_folder(output, ["fillings.png"], force, input_files()) as staging:
            columns = ["digit", "seen", *(str(index + 1) for index in range(count))]
            plot_rows(rows, staging / "fillings.png", columns=columns)
    click.echo(f"Wrote {output / 'fillings.png'}")
