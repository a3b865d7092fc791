"""The open_clip layout: `open_clip_config.json` beside weights and tokenizer files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from open_clip.factory import _find_checkpoint_in_dir, load_checkpoint

from retrieval.encoders.parts import CONFIG, TEXT_CONFIG, Parts, read_json_object, tokenizer_files
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
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _BIOMEDBERT,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract": _BIOMEDBERT,
}
RENAMED = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}  # text_cfg keys of bundles made before 2023-10


def read_openclip(folder: Path) -> Parts:
    """The parts of a folder with `open_clip_config.json`, unmodified, without asking the hub for anything.

    Raises EncoderError where configuration, weights, vocabulary or the text tower's configuration is missing.
    """
    config = read_json_object(folder / CONFIG)
    try:
        model_cfg: dict[str, Any] = config["model_cfg"]
        text: dict[str, Any] = model_cfg["text_cfg"]
    except (KeyError, TypeError) as error:
        raise EncoderError(f"{folder / CONFIG}: not an open_clip configuration with model_cfg and text_cfg") from error
    for old, new in RENAMED.items():
        if old in text:
            text[new] = text.pop(old)
    weights = _find_checkpoint_in_dir(folder)
    if weights is None:
        raise EncoderError(f"{folder}: no weights there (open_clip_model.safetensors or open_clip_pytorch_model.bin)")
    return Parts(
        title=str(folder),
        model_cfg=model_cfg,
        preprocess_cfg=config.get("preprocess_cfg", {}),
        load=partial(_load, path=str(weights)),
        tokenizer=tokenizer_files(folder) if text.get("hf_tokenizer_name") else (),
        text_config=_text_config(folder, text.get("hf_model_name")),
    )


def _load(model: Any, path: str) -> None:
    load_checkpoint(model, path, strict=True, weights_only=True, device="cpu")


def _text_config(folder: Path, name: str | None) -> dict[str, Any] | None:
    """The text tower's own configuration, which open_clip would look for on the hub."""
    if not name:
        return None
    if (folder / TEXT_CONFIG).is_file():
        return read_json_object(folder / TEXT_CONFIG)
    if name in TEXT_TOWERS:
        return TEXT_TOWERS[name]
    raise EncoderError(f"{folder}: config.json of the text tower {name} is missing; put it beside the weights")
