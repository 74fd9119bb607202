"""The sanity run: a VAE of handwritten digits in two numbers, through the same code that trains the melodies.

    python examples/digits.py            downloads MNIST (11 MB) once
    python examples/digits.py FOLDER     reads its four files from there

On one CPU core in about half a minute; what one should see, give or take a nat:

    held-out digits: negative ELBO 146 = reconstruction 140 + KL 6.2 nats
    named right by the nearest training digit in z: 0.65 (by chance: 0.10)

and, in digits-example/, the digits that lie in the plane of z, from corner to corner, and where the digits lie in it.
A loss that stops falling near 206 nats says that z is ignored (then: is beta above 1? is the KL a sum, and the
reconstruction a mean?). A KL of hundreds of nats says that nothing holds q to the prior.
"""

import sys
from pathlib import Path

import torch

from melodyvae.device import use_threads
from melodyvae.digits.data import download_digits, read_digits
from melodyvae.digits.metrics import posterior_means
from melodyvae.digits.plots import manifold, plot_grid, plot_latent_map
from melodyvae.digits.training import build_digits_model_and_config, digits_trainer

OUTPUT = Path("digits-example")


def main() -> None:
    use_threads(1)
    digits = read_digits(sys.argv[1] if len(sys.argv) > 1 else download_digits())
    model, training = build_digits_model_and_config("dense", latent_size=2, hidden_size=256, max_updates=4000)
    trainer = digits_trainer(model, training, digits, OUTPUT / "run")
    for progress in trainer.run():
        if progress.update % 500 == 0:
            print(f"update {progress.update}: negative ELBO {progress.metrics['held_out_negative_elbo_nats']:.1f} nats")

    model.eval()
    found = trainer.metrics
    print(
        f"held-out digits: negative ELBO {found['held_out_negative_elbo_nats']:.0f} = reconstruction "
        f"{found['held_out_reconstruction_nats']:.0f} + KL {found['held_out_kl_nats']:.1f} nats"
    )
    known, asked = posterior_means(model, digits.train), posterior_means(model, digits.test)
    nearest = torch.cat([torch.cdist(part, known).argmin(dim=1) for part in asked.split(500)])
    right = (digits.train.labels[nearest] == digits.test.labels).float().mean()
    print(f"named right by the nearest training digit in z: {right:.2f} (by chance: 0.10)")
    plot_grid(manifold(model), OUTPUT / "manifold.png", columns=20, gap=0)
    plot_latent_map(asked, digits.test.labels, OUTPUT / "latent-map.png", "The test digits in z")


if __name__ == "__main__":
    main()
