"""A small training on a dataset folder, as a function and as a program that can be killed.

python -m tests.training.one_run DATASET FOLDER [finish]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from melodyvae.cli.progress import run_folder
from melodyvae.datasets.windows import open_dataset
from melodyvae.training.finishing import finish_melody_run
from melodyvae.training.melody import build_model_and_config, melody_trainer


def train(dataset_folder: Path, folder: Path, finish: bool) -> None:
    """Train into ``folder``, or go on with what is there."""
    torch.set_num_threads(1)
    model, config = build_model_and_config("tiny", max_updates=12, evaluate_every=3, save_every_minutes=0.0)
    dataset = open_dataset(dataset_folder)
    trainer = melody_trainer(model, config, dataset, folder)
    print("ready", flush=True)
    with run_folder(folder):
        if (folder / "metrics.jsonl").exists():
            trainer.resume()
        for _ in trainer.run():
            pass
        if finish:
            finish_melody_run(folder, dataset)


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]), "finish" in sys.argv)
