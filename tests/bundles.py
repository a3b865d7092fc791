"""Tiny encoder bundles with random weights, in the layouts that authors publish."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

WORDS = [
    *("the", "a", "of", "in", "and", "with", "cell", "tissue", "axial", "ct", "mri", "scan", "image"),
    *("shows", "red", "blue", "stained", "lung", "liver", "##s"),
]
BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "vocab_size": 5 + len(WORDS),
    "pad_token_id": 0,
}
PREPROCESS: dict[str, Any] = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}


def clip_bundle(folder: Path, **vision: Any) -> Path:
    """OpenAI's architecture: a vision transformer and a causal text transformer over CLIP's own vocabulary."""
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8} | vision,
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    return _write(folder, config, config)


def bert_bundle(folder: Path, *, text_config: bool = True, old_keys: bool = False) -> Path:
    """BiomedCLIP's architecture: a timm vision tower and a BERT with a projection.

    `text_config` False leaves config.json out and names BiomedBERT instead, as Microsoft's repository does;
    `old_keys` writes text_cfg with the key names from before October 2023.
    """
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64})
    )
    name = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    text = {
        "hf_model_name": name,
        "hf_tokenizer_name": name,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 16,
    }
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear", "image_size": 32}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    published = config
    if old_keys:
        renamed = {"hf_proj_type": "proj", "hf_pooler_type": "pooler_type"}
        published = config | {"text_cfg": {renamed.get(key, key): value for key, value in text.items()}}
    if text_config:
        (folder / "config.json").write_text(json.dumps(BERT))
    with tempfile.TemporaryDirectory() as bert:
        Path(bert, "config.json").write_text(json.dumps(BERT))
        local = config | {"text_cfg": text | {"hf_model_name": bert, "hf_model_pretrained": False}}
        return _write(folder, published, local)


SIGLIP = {
    "embed_dim": 64,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 160,
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 3 + len(WORDS),
        "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
    },
}


def siglip_bundle(folder: Path) -> Path:
    """SigLIP's architecture: attention pooling, no causal mask; padding is read, and looks like the end mark."""
    siglip_tokenizer(folder)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    return _write(folder, SIGLIP, SIGLIP, preprocess)


def siglip_tokenizer(folder: Path) -> None:
    """As timm/ViT-B-16-SigLIP publishes it: the end mark, 1, is also the padding."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **marks).save_pretrained(folder)


def coca_bundle(folder: Path) -> Path:
    """CoCa's architecture: a captioner whose two towers also make vectors."""
    towers = {"width": 64, "layers": 1}
    text = {"context_length": 20, "vocab_size": 49408, "heads": 2, **towers}
    config = {
        "embed_dim": 32,
        "custom_text": True,
        "vision_cfg": {"image_size": 32, "patch_size": 16, **towers}
        | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": text | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": text | {"attn_pooler_heads": 2},
    }
    return _write(folder, config, config)


def _write(
    folder: Path, published: dict[str, Any], buildable: dict[str, Any], preprocess: dict[str, Any] = PREPROCESS
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        settings = {"model_cfg": buildable, "preprocess_cfg": preprocess}
        Path(temporary, "open_clip_config.json").write_text(json.dumps(settings))
        model = open_clip.create_model(f"local-dir:{temporary}", pretrained_text=False)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": published, "preprocess_cfg": preprocess}))
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder
