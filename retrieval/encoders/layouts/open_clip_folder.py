"""The open_clip layout: `open_clip_config.json` beside weights and tokenizer files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retrieval.encoders.assemble import CONFIG, TEXT_CONFIG, WEIGHTS, ModelParts, read_json_object, tokenizer_files
from retrieval.encoders.detect_layout import HF_WEIGHTS
from retrieval.encoders.foreign_parts import needed
from retrieval.encoders.weights import fill_model, find_weights, read_weights
from retrieval.errors import EncoderError

# Configurations of text towers whose published bundles do not hold them (BiomedCLIP's): without these open_clip
# would ask the hub for a file of 400 bytes. The numbers are those of BERT-base with PubMedBERT's vocabulary.
_BIOMEDBERT = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "vocab_size": 30522,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
}
TEXT_TOWERS = {
    f"microsoft/BiomedNLP-{name}-base-uncased-{corpus}": _BIOMEDBERT
    for name in ("BiomedBERT", "PubMedBERT")  # renamed in 2023
    for corpus in ("abstract", "abstract-fulltext")
}
RENAMED = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}  # text_cfg keys of bundles made before 2023-10
NAMES = (
    *(WEIGHTS, "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"),
    *HF_WEIGHTS,
)


def read_openclip(folder: Path) -> ModelParts:
    """The parts of a folder with `open_clip_config.json`, unmodified, without asking the hub for anything.

    Raises EncoderError where configuration, weights, vocabulary or the text tower's configuration is missing.
    """
    config = read_json_object(folder / CONFIG)
    model_cfg = config.get("model_cfg")
    text = model_cfg.get("text_cfg") if isinstance(model_cfg, dict) else None
    if not isinstance(model_cfg, dict) or not isinstance(text, dict):
        raise EncoderError(f"{folder / CONFIG}: not an open_clip configuration with model_cfg and text_cfg")
    for old, new in RENAMED.items():
        if old in text:
            text[new] = text.pop(old)
    weights = find_weights(folder, NAMES)
    text_config, notes = _text_config(folder, text.get("hf_model_name"))
    for name in ("hf_model_name", "hf_tokenizer_name"):  # somebody's own path means nothing elsewhere
        if Path(text.get(name) or "").is_absolute():
            text[name] = Path(text[name]).name
    return ModelParts(
        title=str(folder),
        model_cfg=model_cfg,
        preprocess_cfg=config.get("preprocess_cfg") or {},
        load=partial(load_openclip, path=weights),
        tokenizer=tokenizer_files(folder) if text.get("hf_tokenizer_name") else (),
        text_config=text_config,
        notes=notes,
    )


def load_openclip(model: torch.nn.Module, path: Path, *, trust_torchscript: bool = False) -> None:
    """Fill a model from weights in open_clip's names, with all the adaptations of older files that open_clip makes."""
    state: dict[str, Tensor] = needed("open_clip.convert", "convert_state_dict")(
        model, read_weights(path, trust_torchscript=trust_torchscript)
    )
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = needed("open_clip.model", "convert_to_custom_text_state_dict")(state)
    own: Mapping[str, Tensor] = model.state_dict()
    for name in ("logit_scale", "logit_bias"):  # published as a number or as a list of one
        if name in state and name in own:
            state[name] = state[name].reshape(own[name].shape)
    if "logit_bias" in own:
        state.setdefault("logit_bias", torch.zeros_like(own["logit_bias"]))  # not in use when ranking
    for name in [name for name in state if name.endswith("embeddings.position_ids") and name not in own]:
        del state[name]  # BERT's count from 0, saved by transformers before 4.31
    needed("open_clip.model", "resize_pos_embed")(state, model)
    needed("open_clip.model", "resize_text_pos_embed")(state, model)
    fill_model(model, state)


def _text_config(folder: Path, name: str | None) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The text tower's own configuration, which open_clip would look for on the hub, and what to say of it."""
    if not name:
        return None, ()
    if (folder / TEXT_CONFIG).is_file():
        return read_json_object(folder / TEXT_CONFIG), ()
    if name in TEXT_TOWERS:
        return TEXT_TOWERS[name], (f"{TEXT_CONFIG} of the text tower {name} is not there; the known one is used",)
    raise EncoderError(f"{folder}: config.json of the text tower {name} is missing; put it beside the weights")
