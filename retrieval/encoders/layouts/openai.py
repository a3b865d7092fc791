"""OpenAI's layout: one file of weights, whose shapes say what the model is. CLIP and PubMedCLIP came like this."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from retrieval.encoders.assemble import CLIP_PREPROCESS, ModelParts, mlp_ratio
from retrieval.encoders.weights import fill_model, read_weights
from retrieval.errors import EncoderError

# A head's width cannot be seen in the weights. OpenAI's are 64 wide; of the models with the same names of weights only
# these widths have others: open_clip's ViT-H, ViT-g, ViT-bigG and ViT-e.
HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104, 1792: 112}
_OTHERS = {
    "text_model.": "a Hugging Face CLIPModel's; name the folder that holds its config.json",
    "text.": "an open_clip model's with towers of its own; name the folder that holds its open_clip_config.json",
}


def read_openai(path: Path, *, trust_torchscript: bool = False, activation: str | None = None) -> ModelParts:
    """The parts of a file of weights with OpenAI's names: a vision transformer's or a ModifiedResNet's.

    The architecture follows from the shapes, as in `build_model` of github.com/openai/CLIP. The activation does not: it
    is OpenAI's `quick_gelu` unless `activation` says `gelu`. `trust_torchscript` admits OpenAI's own archives, which
    may run code. Raises EncoderError where the file cannot be read or holds something else.
    """
    weights = read_weights(path, trust_torchscript=trust_torchscript)
    try:
        vision = _transformer(weights) if "visual.proj" in weights else _resnet(weights)
        text = _text(weights)
        embed_dim = weights["text_projection"].shape[1]
    except (KeyError, IndexError, ValueError) as error:
        raise EncoderError(_not_clip(path, weights)) from error
    notes = () if activation else ("activation quick_gelu assumed, OpenAI's; a file of weights does not say",)
    return ModelParts(
        title=str(path),
        model_cfg={
            "embed_dim": embed_dim,
            "quick_gelu": activation != "gelu",
            "vision_cfg": vision,
            "text_cfg": text,
        },
        preprocess_cfg=CLIP_PREPROCESS,
        load=partial(fill_model, weights=weights),
        notes=notes,
    )


def _transformer(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    width, _, patch, _ = weights["visual.conv1.weight"].shape
    return {
        "image_size": patch * _side(weights["visual.positional_embedding"]),
        "layers": _count(weights, "visual.transformer.resblocks."),
        "width": width,
        "head_width": HEAD_WIDTHS.get(width, 64),
        "patch_size": patch,
        "mlp_ratio": mlp_ratio(len(weights["visual.transformer.resblocks.0.mlp.c_fc.weight"]), width),
    }


def _resnet(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "image_size": 32 * _side(weights["visual.attnpool.positional_embedding"]),
        "layers": [_count(weights, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)],
        "width": len(weights["visual.layer1.0.conv1.weight"]),
        "head_width": 64,
    }


def _text(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    width = len(weights["ln_final.weight"])
    return {
        "context_length": len(weights["positional_embedding"]),
        "vocab_size": len(weights["token_embedding.weight"]),
        "width": width,
        "heads": width // 64,
        "layers": _count(weights, "transformer.resblocks."),
        "mlp_ratio": mlp_ratio(len(weights["transformer.resblocks.0.mlp.c_fc.weight"]), width),
    }


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered blocks have weights under this name."""
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def _side(positions: Tensor) -> int:
    """Of the square grid whose places, and one more for the whole image, have these positional embeddings."""
    side = math.isqrt(len(positions) - 1)
    if side**2 + 1 != len(positions):
        raise ValueError("not a square grid")
    return side


def _not_clip(path: Path, weights: Mapping[str, Tensor]) -> str:
    for prefix, whose in _OTHERS.items():
        if any(name.startswith(prefix) for name in weights):
            return f"{path}: weights with names like {prefix}* are {whose}"
    return (
        f"{path}: not weights in OpenAI's naming (expected visual.proj or visual.attnpool.positional_embedding, "
        "token_embedding.weight, positional_embedding, ln_final.weight, text_projection and transformer.resblocks.*; "
        f"found {', '.join(sorted(weights)[:3])})"
    )
