"""What tests/test_parallel.py starts on each rank: an update without noise, or two levels learning one by one."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.windows import open_dataset
from melodyvae.models.loss import LossTerms
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS
from melodyvae.ranks import join_ranks
from melodyvae.training.melody import build_model_and_config, melody_trainer


def main(what: str, dataset_folder: str, folder: str) -> None:
    """Train in ``folder``."""
    torch.set_num_threads(1)
    {"gradient": save_gradient, "two-levels": train_two_levels}[what](dataset_folder, folder)


def train_two_levels(dataset_folder: str, folder: str) -> None:
    """Two updates of the upper level alone, and two of both."""
    model = MelodyModel(replace(PRESETS["tiny"].model, segment_bars=1))
    config = replace(PRESETS["tiny"].training, upper_level_updates=2, max_updates=4)
    with join_ranks() as ranks:
        trainer = melody_trainer(model, config, open_dataset(dataset_folder), Path(folder), ranks=ranks)
        for _ in trainer.run():
            pass


def save_gradient(dataset_folder: str, folder: str) -> None:
    """One update without noise, whose gradient the first rank writes to ``gradient.pt``."""
    dataset = open_dataset(dataset_folder)
    model, config = build_model_and_config("tiny", dataset=dataset, max_updates=1, evaluate_every=100)
    model.double()
    with join_ranks() as ranks:
        batches = TrainingBatches(dataset.splits["train"], 16, 0, 5, 6, model.vocabulary, ranks)

        def loss_terms(update: int, generator: torch.Generator) -> LossTerms:
            tokens = batches(update)
            posterior = model.encode(tokens)
            log_likelihood = model.decoder(posterior.mean, tokens).log_softmax(-1).gather(2, tokens.unsqueeze(2))
            return LossTerms(-log_likelihood.sum((1, 2)), posterior.kl_to_standard_normal())

        trainer = melody_trainer(model, config, dataset, Path(folder), precision="fp32", ranks=ranks)
        trainer.task.loss_terms = loss_terms
        for _ in trainer.run():
            pass
        if ranks.is_first:
            gradient = {name: weight.grad for name, weight in model.named_parameters()}
            torch.save(gradient, Path(folder) / "gradient.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
