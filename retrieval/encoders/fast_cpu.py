"""A batch on a CPU: in small pieces, several of them at a time on cores of their own.

The states of a large batch leave the processor's caches after every layer, and threads that share one product wait for
the slowest of them, spinning on cores on which others want to decode (measured in docs/log.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.nn.utils.fusion import fuse_conv_bn_eval

from retrieval.encoders.foreign_parts import Bottleneck, ConvNormAct, ModifiedResNet, ResidualAttentionBlock
from retrieval.encoders.torch_threads import own_count, settle
from retrieval.types import Vectors

IMAGES, CAPTIONS = 16, 32  # in a piece; the same on every machine, whatever cores it has
LANES = 4  # more of them would wait for Python's lock between their layers; each takes its share of the cores


def in_lanes(encode: Callable[[slice], Vectors], count: int, piece: int, device: torch.device) -> Vectors:
    """The vectors of the `count` rows of a batch, at least one; on a CPU `piece` of them at a time, from threads."""
    if device.type != "cpu" or count <= piece:
        return encode(slice(0, count))
    threads = own_count()
    lanes = min(LANES, threads, -(-count // piece))

    def compute(start: int) -> Vectors:
        settle(threads // lanes)
        return encode(slice(start, min(count, start + piece)))

    return np.concatenate(list(_pool(lanes, threads // lanes).map(compute, range(0, count, piece))))


@cache
def _pool(lanes: int, threads: int) -> ThreadPoolExecutor:
    """Threads of their own for each way to share the cores, so that each is settled once."""
    return ThreadPoolExecutor(lanes, f"lane-{threads}")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a fork


PAIRS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ConvNormAct: (("conv", "bn"),),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    ModifiedResNet: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
}
"""Blocks known to run each convolution right before its norm. Names alone do not say so: some run the norm first."""


def fold(model: nn.Module) -> int:
    """Fold every known pair of a convolution and its batch norm, in place; gives how many. `model` is in eval mode."""
    folded = 0
    for module in list(model.modules()):
        pairs = PAIRS.get(type(module), ())
        if type(module) is nn.Sequential:
            names = list(module._modules)
            pairs = tuple(pairwise(names))
        for first, second in pairs:
            conv, norm = getattr(module, first, None), getattr(module, second, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                # what timm's norms do besides: their activation (their dropout does nothing in eval mode)
                setattr(module, second, getattr(norm, "act", None) or nn.Identity())
                folded += 1
    return folded


class SelfAttention(nn.Module):
    """An `nn.MultiheadAttention` of a block in eval mode, over its weights: vectors move by float32 rounding."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.in_proj_weight, self.in_proj_bias = attention.in_proj_weight, attention.in_proj_bias
        self.out_proj = attention.out_proj

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, None]:
        """(n, places, width) to the same; key and value are the query's. A mask is added to the scores:
        (places, places) for all, or (n·heads, places, places).
        """
        if attn_mask is not None and attn_mask.ndim == 3:
            attn_mask = attn_mask.view(-1, self.heads, *attn_mask.shape[1:])
        together = linear(query, self.in_proj_weight, self.in_proj_bias)
        queries, keys, values = together.view(*query.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(queries, keys, values, attn_mask=attn_mask)
        return self.out_proj(attended.transpose(1, 2).flatten(2)), None


def straighten(model: nn.Module) -> int:
    """Put `SelfAttention` into every block that attends to itself, in place; gives how many."""
    straightened = 0
    for block in model.modules():
        if type(block) is ResidualAttentionBlock and not hasattr(block, "ln_1_kv"):  # that one looks at something else
            attention: object = getattr(block, "attn", None)
            if type(attention) is nn.MultiheadAttention and _plain(attention):
                block.attn = SelfAttention(attention).eval()
                straightened += 1
    return straightened


def _plain(attention: nn.MultiheadAttention) -> bool:
    """Whether it does nothing that `SelfAttention` leaves out."""
    packed: torch.Tensor | None = attention.in_proj_weight
    return attention.batch_first and packed is not None and attention.bias_k is None and not attention.add_zero_attn
