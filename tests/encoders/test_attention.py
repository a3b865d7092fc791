"""open_clip's transformers give the same vectors with their attention over all places together."""

from __future__ import annotations

import copy
from typing import Any

import open_clip
import pytest
import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import nn
from torch.profiler import profile

from retrieval.encoders.fast_cpu import SelfAttention, straighten

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 64, "width": 32, "heads": 2, "layers": 3},
}
IDS = torch.tensor([[5, 6, 7, 63] + [0] * 8, [9] * 11 + [63]])


def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    coca = copy.deepcopy(TINY)
    coca["vision_cfg"] |= {"attentional_pool": True, "attn_pooler_heads": 2}
    coca["text_cfg"] |= {"embed_cls": True}
    decoder: Any = {"context_length": 12, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}
    return {
        "clip": open_clip.CLIP(**copy.deepcopy(TINY)).eval(),
        "coca": open_clip.CoCa(**coca, multimodal_cfg=decoder).eval(),
    }


@pytest.mark.parametrize(("name", "blocks"), [("clip", 2 + 3), ("coca", 2 + 3 + 1)])
def test_the_vectors_are_those_of_torchs_attention(name: str, blocks: int) -> None:
    model = models()[name]
    straight = copy.deepcopy(model)
    assert straighten(straight) == blocks
    assert sum(isinstance(module, SelfAttention) for module in straight.modules()) == blocks
    assert straighten(straight) == 0
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    ids = IDS[:, :-1] if name == "coca" else IDS
    with torch.inference_mode():
        for of, given in (("encode_image", images), ("encode_text", ids)):
            torch.testing.assert_close(getattr(straight, of)(given), getattr(model, of)(given), rtol=1e-4, atol=1e-6)


def test_blocks_that_look_at_something_else_are_left_alone() -> None:
    block = ResidualAttentionBlock(32, 2, is_cross_attention=True)
    assert straighten(nn.Sequential(block)) == 0
    assert type(block.attn) is nn.MultiheadAttention
    assert straighten(nn.Sequential(ResidualAttentionBlock(32, 2, batch_first=False))) == 0


def test_half_precision_takes_no_product_for_each_place() -> None:
    """torch makes a copy of the weights for each of them."""

    def stacked(model: Any) -> int:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16), profile() as profiled:
            model.encode_text(IDS)
        return sum(event.name == "aten::bmm" for event in profiled.events())

    model = models()["clip"]
    assert stacked(model) == 3
    straighten(model)
    assert stacked(model) == 0
