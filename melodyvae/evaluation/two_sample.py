"""A classifier two-sample test: the accuracy of a small network that separates samples from real windows.

The network is trained on one half of both and tested on the other. An accuracy of 0.5 means that it cannot separate
them; no histogram has to be chosen beforehand. "Revisiting Classifier Two-Sample Tests" (Lopez-Paz, Oquab, 2017),
https://arxiv.org/abs/1610.06545
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIN_WINDOWS = 4
TOKEN_FEATURES = 24
SIZE = 64  # LSTM units in each direction
EPOCHS = 12
BATCH = 32
LEARNING_RATE = 5e-3
TRANSPOSE = 5  # semitones up and down, random at every visit, so that windows cannot be memorised


class Judge(nn.Module):
    """Windows ``(B, T)`` to the logit that they are real, ``(B,)``."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, TOKEN_FEATURES)
        self.near = nn.Conv1d(TOKEN_FEATURES, SIZE, kernel_size=8, stride=4)  # beats, overlapping
        self.lstm = nn.LSTM(SIZE, SIZE, batch_first=True, bidirectional=True)
        self.output = nn.Linear(4 * SIZE, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        beats = F.relu(self.near(self.tokens(tokens).transpose(1, 2))).transpose(1, 2)
        outputs, _ = self.lstm(beats)
        logits: Tensor = self.output(torch.cat([outputs.amax(dim=1), outputs.mean(dim=1)], dim=-1))[:, 0]
        return logits


def two_sample_accuracy(
    samples: np.ndarray,
    real: np.ndarray,
    vocabulary_size: int,
    first_note_on: int = 2,
    seed: int = 0,
    others: np.ndarray | None = None,
) -> float:
    """The judge's accuracy on fresh windows, samples and real ones weighing the same.

    It learns from the first half of the samples and as many real windows, spread evenly: of ``others``, real ones from
    other files, and without them of the first half of ``real``. It is asked about the rest. In the order of a dataset
    the windows of a file stand together, so hardly a file is in both.

    Args:
        samples: token windows ``(M, T)``.
        real: token windows ``(N, T)``.
        vocabulary_size: of the tokens.
        first_note_on: the first token that is a note.
        seed: of the network and the order of learning.
        others: token windows ``(K, T)``; with few windows in ``real`` the judge learns more from these.

    Raises:
        ValueError: if there are fewer than four samples or real windows.
    """
    if min(len(samples), len(real)) < MIN_WINDOWS:
        raise ValueError(
            f"there are {len(samples)} samples and {len(real)} real windows; at least four of each are needed"
        )
    known, asked = (real[: len(real) // 2], real[len(real) // 2 :]) if others is None else (others, real)
    half = len(samples) // 2
    learned = [_spread(windows, min(half, len(known))) for windows in (samples[:half], known)]
    is_real = torch.arange(2 * len(learned[0])) >= len(learned[0])
    judge = _train(torch.cat(learned), is_real.float(), vocabulary_size, first_note_on, seed)
    shares = [_share_judged_real(judge, windows) for windows in (samples[half:], asked)]
    return (1 - shares[0] + shares[1]) / 2


def _spread(windows: np.ndarray, count: int) -> Tensor:
    """So many of ``windows`` ``(N, T)``, spread evenly."""
    return torch.from_numpy(windows[np.linspace(0, len(windows) - 1, count).astype(int)].astype(np.int64))


def _share_judged_real(judge: Judge, windows: np.ndarray) -> float:
    with torch.inference_mode():
        logits = torch.cat([judge(part) for part in torch.split(torch.from_numpy(windows.astype(np.int64)), 256)])
    return float((logits > 0).float().mean())


def _train(tokens: Tensor, is_real: Tensor, vocabulary_size: int, first_note_on: int, seed: int) -> Judge:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = Judge(vocabulary_size)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=0.05)
    total = EPOCHS * -(-len(tokens) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total)
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(tokens), generator=generator), BATCH):
            batch = tokens[rows]
            shift = torch.randint(-TRANSPOSE, TRANSPOSE + 1, (len(rows), 1), generator=generator)
            moved = (batch + shift).clamp(first_note_on, vocabulary_size - 1)
            logits = judge(torch.where(batch >= first_note_on, moved, batch))
            loss = F.binary_cross_entropy_with_logits(logits, is_real[rows])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return judge.eval()
