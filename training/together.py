"""One model trained by several processes of one thread: on a busy machine they beat one process of several threads."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

PORT = 29531


class Team:
    """This process' place among `size` that hold the same weights."""

    def __init__(self, rank: int, size: int, port: int = PORT) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            dist.init_process_group("gloo", rank=rank, world_size=size)

    def agree(self, value: float) -> float:
        """The first process' value."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def gather(self, mine: Tensor) -> Tensor:
        """Everybody's rows, in order of rank; only one's own carry gradients. All have as many rows."""
        if self.size == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(parts, mine.detach().contiguous())
        parts[self.rank] = mine
        return torch.cat(parts)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients with their mean over the processes."""
        if self.size == 1:
            return
        gradients = [value.grad for value in parameters if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
