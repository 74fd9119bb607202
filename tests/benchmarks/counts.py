"""Facts that are counted, not timed, and so the same on every machine: what no change may make worse unseen."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.models.loss import weighted_loss
from melodyvae.models.melody import MelodyModel
from melodyvae.network.decoder import Choice
from melodyvae.presets import PRESETS
from melodyvae.vae import MelodyVAE
from tests.benchmarks.gemm_flops import training_flops
from tests.windows import random_windows

TUNES = Path(__file__).parent.parent.parent / "examples" / "tunes"
BATCH = 4
HEAVY = ("torch", "numpy", "music21", "matplotlib", "symusic", "pretty_midi", "tqdm")
MAX_ON_A_WALK = 129 + 2  # the points of a path that are decoded first, and the two given tunes


@dataclass(frozen=True)
class Count:
    """One fact.

    Attributes:
        what: was counted.
        counted: how many.
        expected: how many there should be, computed from the sizes; or at most, if ``is_limit``.
        is_limit: see there.
    """

    what: str
    counted: int
    expected: int
    is_limit: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return self.counted <= self.expected if self.is_limit else self.counted == self.expected

    def __str__(self) -> str:
        relation = "at most " if self.is_limit else ""
        return f"{'ok  ' if self.holds else 'FAIL'} {self.what}: {self.counted:,} ({relation}{self.expected:,})"


def counts() -> Iterator[Count]:
    """All of them, in seconds."""
    for name in ("melody-2bar", "musicvae-small"):
        model = MelodyModel(replace(PRESETS[name].model, output="tokens", pitch_inputs=False))  # as is shipped
        steps = model.config.steps
        yield Count(f"steps of the decoder for {BATCH} melodies of {name}", _steps_of(model), steps)
        yield Count(f"GEMM FLOPs of a window in training, {name}", _training_flops(model), training_flops(model.config))
    yield Count(
        "steps of the decoder for 16 bars, segment by segment",
        _steps_of(MelodyModel(PRESETS["melody-16bar"].model)),
        256,
    )
    yield Count("melodies decoded for a walk of eight tunes", _melodies_of_a_walk(), MAX_ON_A_WALK, is_limit=True)
    windows = random_windows(50).view(_Counting)
    TrainingBatches(windows, BATCH)(0)
    yield Count(f"bytes read for a batch of {BATCH} windows", windows.bytes_read, BATCH * 32)
    yield Count("heavy packages that `melodyvae --help` imports", _heavy_imports(), 0)


class _Counting(np.ndarray):
    """An array that knows how many bytes were taken out of it."""

    bytes_read = 0

    def __getitem__(self, places: np.ndarray) -> np.ndarray:  # type: ignore[override]
        taken = np.asarray(super().__getitem__(places))
        self.bytes_read += taken.nbytes
        return taken


def _rows_of_steps(write: Callable[[], object]) -> list[int]:
    """How many rows each step had that a decoder took in ``write``."""
    rows, choose = [], Choice.choose

    def counted(choice: Choice, legal: np.ndarray, *others: Any) -> np.ndarray:
        rows.append(len(legal))
        return choose(choice, legal, *others)

    with mock.patch.object(Choice, "choose", counted):
        write()
    return rows


def _steps_of(model: MelodyModel) -> int:
    network = model.network()
    return len(_rows_of_steps(lambda: network.decode(network.prior(BATCH).mean)))


def _melodies_of_a_walk() -> int:
    vae = MelodyVAE.from_pretrained("melody-2bar")
    start, end, *_ = sorted(TUNES.glob("*.mid"))
    return sum(_rows_of_steps(lambda: vae.interpolate(start, end, 8))) // vae.config.steps


def _training_flops(model: MelodyModel) -> int:
    tokens = torch.from_numpy(random_windows(BATCH)).long()
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),  # on leaving: that there is no Intel GPU
        torch.backends.mkldnn.flags(enabled=False),  # whose LSTM is one call, in which nothing is counted
        FlopCounterMode(display=False) as counter,
    ):
        weighted_loss(model.loss_terms(tokens), 1.0).backward()
    return counter.get_total_flops() // BATCH


def _heavy_imports() -> int:
    code = (
        "import sys; from click.testing import CliRunner; from melodyvae.cli.main import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        f"print(sum(name in sys.modules for name in {HEAVY}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)
