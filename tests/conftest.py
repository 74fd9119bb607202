"""Fixtures of all tests: small tunes, a dataset and a trained model made in code, and hypothesis without deadlines."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start, before NumPy and torch are imported

import numpy as np
import pytest
import torch
from hypothesis import settings

from data_prep.prepare import PrepOptions, prepare
from melodyvae.config import MelodyConfig
from melodyvae.datasets.windows import open_dataset
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import Vocabulary
from melodyvae.training.finishing import finish_melody_run
from melodyvae.training.melody import build_model_and_config, melody_trainer
from tests.windows import random_windows

# The machines are shared and noisy, so no test depends on how long something takes.
settings.register_profile("melodyvae", deadline=None, derandomize=True)
settings.load_profile("melodyvae")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file, and all of the studio, in one worker; the studio's take longest and begin."""
    for item in items:
        file = item.path.relative_to(Path(__file__).parent)
        item.add_marker(pytest.mark.xdist_group("studio" if file.parts[0] == "studio" else file.as_posix()))
    items.sort(key=lambda item: "studio" not in item.path.parts)


def tune(seed: int, bars: int = 8, **fields) -> Melody:
    """A melody of random notes."""
    tokens = random_windows(1, 16 * bars, seed)[0]
    return Vocabulary().decode(tokens, **fields)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small models are no faster on more threads, and other processes may need the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def midi_folder(tmp_path_factory) -> Path:
    """Thirty tunes of eight bars as MIDI files."""
    folder = tmp_path_factory.mktemp("tunes")
    for seed in range(30):
        tune(seed, quarters_per_minute=90 + seed).write(folder / f"tune-{seed:02d}.mid")
    return folder


@pytest.fixture(scope="session")
def dataset_folder(midi_folder, tmp_path_factory) -> Path:
    """Their dataset of 2-bar windows."""
    folder = tmp_path_factory.mktemp("datasets") / "tunes-dataset"
    prepare([midi_folder], folder, PrepOptions(), workers=1)
    return folder


@pytest.fixture(scope="session")
def run_folder(dataset_folder, tmp_path_factory) -> Path:
    """A finished run of the preset ``tiny`` on it."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    dataset = open_dataset(dataset_folder)
    model, config = build_model_and_config("tiny", max_updates=60)
    for _ in melody_trainer(model, config, dataset, folder).run():
        pass
    finish_melody_run(folder, dataset)
    return folder


@pytest.fixture
def windows() -> np.ndarray:
    """Sixty-four legal windows."""
    return random_windows(64)


def tiny_composer() -> MelodyModel:
    """An untrained model that looks back, of four bars."""
    torch.manual_seed(0)
    sizes = {"latent_size": 8, "conductor_size": 8, "decoder_size": 16, "decoder_features": 4}
    found = MelodyModel(MelodyConfig(bars=4, segment_bars=2, look_back=True, **sizes)).eval()
    with torch.no_grad():
        found.decoder.output.bias[0] = 3.0  # most steps have no event, as in tunes
    return found
