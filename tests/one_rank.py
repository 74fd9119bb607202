"""What tests/test_parallel.py starts on each rank: one update without noise, whose gradient the first rank saves."""

import sys
from pathlib import Path

import torch

from melodyvae.dataset import TrainingBatches, open_dataset
from melodyvae.melody_training import melody_trainer, starting_point
from melodyvae.objective import LossTerms
from melodyvae.parallel import join_ranks


def main(dataset_folder: str, folder: str) -> None:
    """Train in ``folder`` and write ``gradient.pt`` there."""
    torch.set_num_threads(1)
    dataset = open_dataset(dataset_folder)
    model, config = starting_point("tiny", dataset=dataset, max_updates=1, evaluate_every=100)
    model.double()
    with join_ranks() as ranks:
        batches = TrainingBatches(dataset.splits["train"], 16, 0, 5, 6, model.vocabulary, ranks)

        def loss_terms(update: int, generator: torch.Generator) -> LossTerms:
            tokens = batches(update)
            posterior = model.encode(tokens)
            log_likelihood = model.decoder(posterior.mean, tokens).log_softmax(-1).gather(2, tokens.unsqueeze(2))
            return LossTerms(-log_likelihood.sum((1, 2)), posterior.kl_to_standard_normal())

        trainer = melody_trainer(model, config, dataset, Path(folder), precision="fp32", ranks=ranks)
        trainer.loss_terms = loss_terms
        for _ in trainer.run():
            pass
        if ranks.is_first:
            gradient = {name: weight.grad for name, weight in model.named_parameters()}
            torch.save(gradient, Path(folder) / "gradient.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
