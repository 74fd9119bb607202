"""Training by several processes at once, each on its part of every batch, as ``torchrun`` starts them.

Every rank holds the whole model; the gradients are averaged by DistributedDataParallel ("PyTorch Distributed", Li et
al., 2020, https://arxiv.org/abs/2006.15704), over NCCL between GPUs and gloo between CPUs. The first rank alone
evaluates and writes files; before each update all agree on how much of the budget is spent and whether to stop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """One process among those that train together.

    Attributes:
        rank: its number, from 0.
        count: how many there are, on all machines.
        local_rank: its number on this machine.
        local_count: how many there are on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, module: nn.Module) -> nn.Module:
        """``module``, whose gradients from now on are the means over all ranks."""
        return module if self.count == 1 else DistributedDataParallel(module)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the ranks of ``values``, which stay as they are, on their device."""
        if self.count == 1:
            return values
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total / self.count

    def largest(self, values: list[float]) -> list[float]:
        """Element-wise maximum of the values over all ranks."""
        if self.count == 1:
            return values
        agreed = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(agreed, distributed.ReduceOp.MAX)
        maxima: list[float] = agreed.tolist()
        return maxima


ALONE = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """The ranks that ``torchrun`` started this process among; :data:`ALONE` without it."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    rank, local_rank, local_count = (int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ranks(rank, count, local_rank, local_count)
    finally:
        distributed.destroy_process_group()
