"""One rank of tests/training/test_ranks.py: an update without noise."""

import sys
from pathlib import Path

import torch

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.windows import open_dataset
from melodyvae.models.loss import LossTerms
from melodyvae.ranks import join_ranks
from melodyvae.training.melody import build_model_and_config, melody_trainer


def main(dataset_folder: str, folder: str) -> None:
    """Write the gradient of one update without noise to ``gradient.pt``, from the first rank."""
    torch.set_num_threads(1)
    dataset = open_dataset(dataset_folder)
    model, config = build_model_and_config("tiny", dataset=dataset, max_updates=1, evaluate_every=100)
    model.double()
    with join_ranks() as ranks:
        batches = TrainingBatches(dataset.splits["train"], 16, 0, 5, 6, ranks)

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
