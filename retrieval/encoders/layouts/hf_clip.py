"""Hugging Face's `CLIPModel` layout: config.json, weights in its own names, preprocessor and tokenizer files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retrieval.encoders.assemble import ModelParts, mlp_ratio, read_json_object
from retrieval.encoders.detect_layout import HF_WEIGHTS
from retrieval.encoders.layouts.hf_clip_files import read_preprocessor, read_tokenizer
from retrieval.encoders.weights import fill_model, find_weights, read_weights
from retrieval.errors import EncoderError

# What transformers assumes of a config.json that does not say (CLIPTextConfig, CLIPVisionConfig): published files often
# list only what differs.
_COMMON = {"num_hidden_layers": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
DEFAULTS: dict[str, dict[str, Any]] = {
    "text": _COMMON
    | {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8}
    | {"vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": 49407},
    "vision": _COMMON
    | {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    | {"num_channels": 3, "image_size": 224, "patch_size": 32},
}
ACTIVATIONS = ("quick_gelu", "gelu")
INSTEAD = {
    "siglip": "use open_clip:ViT-B-16-SigLIP/webli or an open_clip bundle of it",
    "siglip2": "use open_clip:ViT-B-16-SigLIP2/webli or an open_clip bundle of it",
    "clip_text_model": "the other tower is missing; use the whole model",
    "clip_vision_model": "the other tower is missing; use the whole model",
}

_NAMES = {
    "logit_scale": "logit_scale",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}
_STEMS = {  # with .weight and .bias; "layrnorm" is how transformers spells it
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
}
_LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_LAYER_STEMS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_QKV = ("q_proj", "k_proj", "v_proj")


def read_clip_model(folder: Path, *, activation: str | None = None) -> ModelParts:
    """The parts of a `CLIPModel` folder, converted to open_clip's names; the vectors are those of transformers.

    config.json decides, and what it leaves out is transformers' default: `quick_gelu` for the activation, whatever the
    model was fine-tuned from. `activation` overrides that. Raises EncoderError for another kind of model, and for what
    open_clip's architecture cannot express.
    """
    config = read_json_object(folder / "config.json")
    kind = config.get("model_type", "clip" if _tower_keys(config) else "unknown")
    if kind != "clip":
        instead = INSTEAD.get(kind, "use a CLIPModel folder, an open_clip bundle or open_clip:<model>/<tag>")
        raise EncoderError(f"{folder}: a {kind} model, not a CLIPModel; {instead}")
    vision, text = (DEFAULTS[side] | _given(config, side) for side in ("vision", "text"))
    if vision["num_channels"] != 3:
        raise EncoderError(f"{folder}: images of {vision['num_channels']} channels; only RGB models are supported")
    image_size = _square(folder, "image_size", vision["image_size"])
    tokenizer, tokenizer_cfg, tokenizer_notes = read_tokenizer(folder, text)
    preprocess, preprocess_notes = read_preprocessor(folder, image_size)
    chosen, activation_notes = _activation(folder, config, activation, text["hidden_act"], vision["hidden_act"])
    return ModelParts(
        title=str(folder),
        model_cfg={
            "embed_dim": config.get("projection_dim") or 512,
            "quick_gelu": chosen == "quick_gelu",
            "vision_cfg": {
                "image_size": image_size,
                "layers": vision["num_hidden_layers"],
                "width": vision["hidden_size"],
                "head_width": vision["hidden_size"] // vision["num_attention_heads"],
                "patch_size": _square(folder, "patch_size", vision["patch_size"]),
                "mlp_ratio": mlp_ratio(vision["intermediate_size"], vision["hidden_size"]),
                **_norm(vision),
            },
            "text_cfg": {
                "context_length": text["max_position_embeddings"],
                "vocab_size": text["vocab_size"],
                "width": text["hidden_size"],
                "heads": text["num_attention_heads"],
                "layers": text["num_hidden_layers"],
                "mlp_ratio": mlp_ratio(text["intermediate_size"], text["hidden_size"]),
                **_norm(text),
                **tokenizer_cfg,
            },
        },
        preprocess_cfg=preprocess,
        load=partial(_load, path=find_weights(folder, HF_WEIGHTS)),
        tokenizer=tokenizer,
        notes=(*activation_notes, *preprocess_notes, *tokenizer_notes),
    )


def open_clip_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A CLIPModel's weights in open_clip's names; names that are not known stay, and are refused when loaded."""
    result: dict[str, Tensor] = {}
    for name, value in weights.items():
        layer = _LAYER.fullmatch(name)
        stem, _, end = name.rpartition(".")
        if name.endswith("embeddings.position_ids"):
            continue  # the count from 0, saved by transformers before 4.31
        if name in _NAMES:
            result[_NAMES[name]] = value.T if name.endswith("_projection.weight") else value
        elif stem in _STEMS:
            result[f"{_STEMS[stem]}.{end}"] = value
        elif layer and layer[3] in _LAYER_STEMS:
            result[f"{_block(layer)}.{_LAYER_STEMS[layer[3]]}.{end}"] = value
        elif layer and layer[3] == "self_attn.q_proj":
            three = [weights[name.replace("q_proj", part)] for part in _QKV if name.replace("q_proj", part) in weights]
            result[f"{_block(layer)}.attn.in_proj_{end}"] = torch.cat(three)
        elif not (layer and layer[3] in ("self_attn.k_proj", "self_attn.v_proj")):
            result[name] = value
    return result


def _load(model: torch.nn.Module, path: Path) -> None:
    fill_model(model, open_clip_names(read_weights(path)))


def _block(layer: re.Match[str]) -> str:
    return f"{'visual.' if layer[1] == 'vision' else ''}transformer.resblocks.{layer[2]}"


def _tower_keys(config: Mapping[str, Any]) -> bool:
    return all(f"{side}_config" in config or f"{side}_config_dict" in config for side in ("text", "vision"))


def _given(config: Mapping[str, Any], side: str) -> dict[str, Any]:
    """What config.json says of one tower. A `*_config_dict`, of 2022, decides alone, as it does in transformers."""
    section = config.get(f"{side}_config_dict") or config.get(f"{side}_config") or {}
    return {key: value for key, value in section.items() if value is not None}


def _activation(
    folder: Path, config: Mapping[str, Any], asked: str | None, text: str, vision: str
) -> tuple[str, tuple[str, ...]]:
    """The activation of both towers, and what to say of how it was found."""
    if asked is not None:
        return asked, ()
    if text != vision or text not in ACTIVATIONS:
        both = text if text == vision else f"{text} in one tower and {vision} in the other"
        raise EncoderError(f"{folder}: the activation {both} is not supported, only {' or '.join(ACTIVATIONS)} in both")
    if all("hidden_act" in _given(config, side) for side in ("text", "vision")):
        return text, ()
    return text, (f"activation {text}: config.json leaves it out, and this is what that means to transformers",)


def _norm(tower: Mapping[str, Any]) -> dict[str, Any]:
    """open_clip's own is 1e-5."""
    return {} if tower["layer_norm_eps"] == 1e-5 else {"norm_kwargs": {"eps": tower["layer_norm_eps"]}}


def _square(folder: Path, name: str, value: Any) -> int:
    sides = value if isinstance(value, list) else [value]
    if len(set(sides)) != 1 or not isinstance(sides[0], int):
        raise EncoderError(f"{folder}: {name} {value} is not supported, only squares")
    return sides[0]
