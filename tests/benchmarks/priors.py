"""Similarity of samples to held-out melodies by prior: N(0, I), mixtures and a normalising flow, and Gibbs steps.

    python -m tests.benchmarks.priors DATASET [--model melody-2bar] [--split valid] [--samples 2000]

DATASET is the one that the model was trained on: the priors are fitted to its training windows (in their own keys) and
compared with those of the split. Printed for each are the density of held-out codes in nats per window (of draws from
q(z | x)), and the Jensen-Shannon divergences in bits of samples at temperature 1, drawn straight from the prior and
after ten Gibbs steps (melodyvae.verbs.prior). The line "training windows" is what a perfect prior and decoder would
reach.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from torch import Tensor, nn

from melodyvae.datasets.windows import open_dataset
from melodyvae.device import use_threads
from melodyvae.evaluation.samples import histograms, jensen_shannon_bits
from melodyvae.models.latent import standard_normal
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import in_parts
from melodyvae.verbs.codec import decode_tokens
from melodyvae.verbs.prior import BATCH, GIBBS_STEPS, MAX_WINDOWS, FittedGaussian, fit_gaussian

NAMES = ("pitch_class", "interval", "duration", "onset", "notes")
FLOW_UPDATES = 3000
FLOW_BATCH = 512
FLOW_RATE = 1e-3


class Coupling(nn.Module):
    """An affine coupling layer: half of z, unchanged, says how the other half is scaled and shifted."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(size))
        half = size // 2
        layers = [nn.Linear(half, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()]
        self.network = nn.Sequential(*layers, nn.Linear(hidden, 2 * (size - half)))
        nn.init.zeros_(self.network[-1].weight)  # it begins as the identity
        nn.init.zeros_(self.network[-1].bias)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, Z)`` towards the noise, and the logarithm of the volume's change ``(B,)``."""
        kept, other = z[:, self.order].tensor_split([z.shape[1] // 2], dim=1)
        log_scale, shift = self.network(kept).tensor_split(2, dim=1)
        log_scale = 1.5 * torch.tanh(log_scale)
        return torch.cat([kept, other * log_scale.exp() + shift], dim=1), log_scale.sum(dim=1)

    def inverse(self, noise: Tensor) -> Tensor:
        """``(B, Z)`` from the noise."""
        kept, other = noise.tensor_split([noise.shape[1] // 2], dim=1)
        log_scale, shift = self.network(kept).tensor_split(2, dim=1)
        log_scale = 1.5 * torch.tanh(log_scale)
        return torch.cat([kept, (other - shift) * (-log_scale).exp()], dim=1)[:, self.order.argsort()]


class RealNVP(nn.Module):
    """A normalising flow of affine couplings (Dinh, Sohl-Dickstein, Bengio, 2016), https://arxiv.org/abs/1605.08803."""

    def __init__(self, size: int, layers: int = 6, hidden: int = 256) -> None:
        super().__init__()
        self.size = size
        self.couplings = nn.ModuleList(Coupling(size, hidden) for _ in range(layers))

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density at ``(B, Z)``: ``(B,)``."""
        volume = torch.zeros(len(z))
        for coupling in self.couplings:
            z, change = coupling(z)
            volume = volume + change
        return -0.5 * z.square().sum(dim=1) - 0.5 * self.size * math.log(2 * math.pi) + volume

    @torch.inference_mode()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` draws, ``(count, Z)``."""
        z = torch.randn(count, self.size, generator=generator)
        for coupling in reversed(self.couplings):
            z = coupling.inverse(z)
        return z


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--model", default="melody-2bar")
    parser.add_argument("--split", choices=["valid", "test"], default="valid")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    use_threads(1)
    torch.manual_seed(arguments.seed)
    model = MelodyNetwork.read(arguments.model)
    splits = open_dataset(arguments.dataset).splits
    held_out, train = np.asarray(splits[arguments.split]), np.asarray(splits["train"])
    some = np.random.default_rng(arguments.seed).permutation(len(train))[:MAX_WINDOWS]
    codes, held_out_codes = (
        _draws(model, windows, Draws(arguments.seed)) for windows in (train[np.sort(some)], held_out)
    )
    size = codes.shape[1]
    normal = standard_normal(1, size, like=codes)
    priors = {
        "N(0, I)": (lambda z: normal.log_density(z), lambda n, g: torch.randn(n, size, generator=g)),
        "diagonal mixture, 64": _diagonal_mixture(codes, 64),
        "Gaussian": _full_mixture(codes, 1, 1),
        **{f"full mixture, {count}": _full_mixture(codes, count) for count in (4, 8, 16)},
        "RealNVP, 6 x 256": _flow(codes),
    }
    wanted = histograms(held_out, model.vocabulary, model.config.steps_per_bar)
    print(f"{arguments.model}, {arguments.samples} samples against {len(held_out)} windows ({arguments.split})")
    print(f"{'':<24}{'nats':>9}  {'steps':>8}" + "".join(f"{name:>13}" for name in NAMES))
    _print_line("training windows", None, "", train, wanted, model)
    for name, (log_density, sample) in priors.items():
        nats = float(log_density(held_out_codes).mean())
        for steps in (0, GIBBS_STEPS):
            generator, draws = torch.Generator().manual_seed(arguments.seed), Draws(arguments.seed)
            z = sample(arguments.samples, generator).numpy()
            for _ in range(steps):
                z = _draws(model, decode_tokens(model, z, 1.0, draws), draws).numpy()
            _print_line(name, nats, str(steps), decode_tokens(model, z, 1.0, draws), wanted, model)


def _print_line(
    name: str, nats: float | None, steps: str, windows: np.ndarray, wanted: dict, model: MelodyNetwork
) -> None:
    found = histograms(windows, model.vocabulary, model.config.steps_per_bar)
    cells = "".join(f"{jensen_shannon_bits(found[name], wanted[name]):13.4f}" for name in NAMES)
    print(f"{name:<24}{'' if nats is None else f'{nats:.1f}':>9}  {steps:>8}{cells}", flush=True)


def _draws(model: MelodyNetwork, windows: np.ndarray, draws: Draws) -> Tensor:
    """One draw from q(z | x) of each window ``(N, T)``: ``(N, Z)``."""
    return torch.from_numpy(np.concatenate([model.encode(part).sample(draws) for part in in_parts(windows, BATCH)]))


def _full_mixture(codes: Tensor, components: int, rounds: int = 8, borrowed: float = 200.0):
    """Full covariances, by expectation and maximisation from k-means; each borrows some of the overall covariance."""
    overall = fit_gaussian(codes.numpy())
    covariance = torch.from_numpy(overall.factor @ overall.factor.T)
    whitened = torch.from_numpy(np.linalg.solve(overall.factor, (codes.numpy() - overall.mean).T).T)
    shares = nn.functional.one_hot(_k_means(whitened, components), components).float()
    for _ in range(rounds):
        held = shares.sum(dim=0)
        means = shares.T @ codes / held[:, None]
        parts = []
        for share, weight, mean in zip(shares.T, held, means, strict=True):
            scatter = ((codes - mean) * share[:, None]).T @ (codes - mean)
            factor = torch.linalg.cholesky((scatter + borrowed * covariance) / (weight + borrowed))
            parts.append(FittedGaussian(mean.numpy(), factor.numpy()))
        weights = held / held.sum()
        shares = torch.softmax(_joint(codes, weights, parts), dim=1)

    def sample(count: int, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(weights, count, replacement=True, generator=generator)
        z = torch.empty(count, codes.shape[1])
        for index, part in enumerate(parts):
            draws = Draws(generator.initial_seed() + index)
            z[chosen == index] = torch.from_numpy(part.sample(int((chosen == index).sum()), draws))
        return z

    return lambda z: _joint(z, weights, parts).logsumexp(dim=1), sample


def _joint(z: Tensor, weights: Tensor, parts: list[FittedGaussian]) -> Tensor:
    nats = np.stack([_log_density(part, z.numpy()) for part in parts], axis=1)
    return weights.log() + torch.from_numpy(nats)


def _log_density(part: FittedGaussian, z: np.ndarray) -> np.ndarray:
    """Natural logarithm of the density at ``z`` ``(N, Z)``: ``(N,)``."""
    noise = np.linalg.solve(part.factor, (z - part.mean).T)
    log_volume = np.log(part.factor.diagonal()).sum() + 0.5 * len(part.mean) * math.log(2 * math.pi)
    return np.asarray(-0.5 * np.square(noise).sum(axis=0) - log_volume)


def _k_means(points: Tensor, clusters: int, rounds: int = 10) -> Tensor:
    centres = points[torch.randperm(len(points))[:clusters]].clone()
    for _ in range(rounds):
        nearest = (points @ centres.T - 0.5 * centres.square().sum(dim=1)).argmax(dim=1)
        for cluster in set(nearest.tolist()):
            centres[cluster] = points[nearest == cluster].mean(dim=0)
    return nearest


def _diagonal_mixture(codes: Tensor, components: int, rounds: int = 20):
    order = torch.randperm(len(codes))[:components]
    means, variances = codes[order].clone(), codes.var(dim=0).repeat(components, 1)
    weights = torch.full((components,), 1 / components)

    def joint(z: Tensor) -> Tensor:
        squares = (
            z.square() @ (1 / variances).T - 2 * z @ (means / variances).T + (means.square() / variances).sum(dim=1)
        )
        return weights.log() - 0.5 * (squares + variances.log().sum(dim=1) + z.shape[1] * math.log(2 * math.pi))

    for _ in range(rounds):
        shares = torch.softmax(joint(codes), dim=1)
        held = shares.sum(dim=0) + 1e-3
        weights, means = held / held.sum(), shares.T @ codes / held[:, None]
        variances = (shares.T @ codes.square() / held[:, None] - means.square()).clamp(min=1e-3)

    def sample(count: int, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(weights, count, replacement=True, generator=generator)
        return means[chosen] + variances[chosen].sqrt() * torch.randn(count, means.shape[1], generator=generator)

    return lambda z: joint(z).logsumexp(dim=1), sample


def _flow(codes: Tensor):
    flow = RealNVP(codes.shape[1])
    optimizer = torch.optim.Adam(flow.parameters(), FLOW_RATE)
    for update in range(FLOW_UPDATES):
        optimizer.param_groups[0]["lr"] = FLOW_RATE * 0.5 * (1 + math.cos(math.pi * update / FLOW_UPDATES))
        batch = codes[torch.randint(0, len(codes), (FLOW_BATCH,))]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = -flow.log_density(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def log_density(z: Tensor) -> Tensor:
        with torch.inference_mode():
            return flow.log_density(z)

    return log_density, flow.sample


if __name__ == "__main__":
    main()
