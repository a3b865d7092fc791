"""The self-attention of open_clip's own transformers, without torch's copies of its weights in half precision.

nn.MultiheadAttention turns its input to (places, n, width) first. torch takes a matrix product of such a view as one
product for each place, and under autocast on a CPU it copies the weights for every one of them: a ViT-B/32 in bf16 then
takes longer than in float32. With the product over all places together it takes half of the time (docs/log.md).
"""

from __future__ import annotations

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention


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
            attention: object = block.attn
            if type(attention) is nn.MultiheadAttention and _plain(attention):
                block.attn = SelfAttention(attention).eval()
                straightened += 1
    return straightened


def _plain(attention: nn.MultiheadAttention) -> bool:
    """Whether it does nothing that `SelfAttention` leaves out."""
    packed: torch.Tensor | None = attention.in_proj_weight
    return attention.batch_first and packed is not None and attention.bias_k is None and not attention.add_zero_attn
