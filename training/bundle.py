"""The starter's bundle: its shape, its vocabulary, and saving and loading it as an open_clip folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import BertWordPieceTokenizer
from tokenizers.processors import BertProcessing

SIZE = 192  # pixels, squashed: fine lines decide; the stages before the last see less and cost less
CONTEXT = 128
DIM = 256
VOCABULARY = 8192
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WEIGHTS = "open_clip_model.safetensors"
TEXT = {
    "hf_model_name": ".",
    "hf_model_pretrained": False,
    "hf_tokenizer_name": ".",
    "hf_pooler_type": "mean_pooler",
    "hf_proj_type": "linear",
    "context_length": CONTEXT,
}
BERT = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.15,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": CONTEXT,
    "type_vocab_size": 1,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


def model_cfg(trunk: str) -> dict[str, Any]:
    vision = {
        "timm_model_name": trunk,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": SIZE,
    }
    return {"embed_dim": DIM, "vision_cfg": vision, "text_cfg": TEXT}


def write_skeleton(folder: Path, trunk: str, texts: Iterable[str]) -> None:
    """Everything of a bundle but its weights: configurations and a WordPiece vocabulary learned from `texts`."""
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
        "size": [SIZE, SIZE],
    }
    _write(folder / "open_clip_config.json", {"model_cfg": model_cfg(trunk), "preprocess_cfg": preprocess})
    _write(folder / "config.json", BERT)
    tokenizer = BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(texts, VOCABULARY, min_frequency=2, special_tokens=SPECIAL, show_progress=False)
    tokenizer.post_processor = BertProcessing(("[SEP]", SPECIAL.index("[SEP]")), ("[CLS]", SPECIAL.index("[CLS]")))
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.save_model(str(folder))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    names |= {"sep_token": "[SEP]", "mask_token": "[MASK]"}
    _write(folder / "special_tokens_map.json", names)
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": CONTEXT}
    _write(folder / "tokenizer_config.json", settings | names)


def build(folder: Path) -> Any:
    """The model that `folder` describes, with random weights."""
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    text = config["text_cfg"] | {"hf_model_name": str(folder.resolve())}
    return open_clip.CustomTextCLIP(config["embed_dim"], config["vision_cfg"], text)


def save(model: Any, folder: Path) -> None:
    """Write the weights as float16 safetensors; counters stay integers."""
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
        if not name.endswith("position_ids")
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)


def load(folder: Path) -> tuple[Any, Any, Any]:
    """The finished bundle as any user of open_clip would load it: model in eval mode, transform, tokenizer."""
    path = str(folder.resolve())
    text = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]
    model, _, transform = open_clip.create_model_and_transforms(
        f"local-dir:{path}", text_cfg=text | {"hf_model_name": path}, require_pretrained=True
    )
    return model.eval(), transform, open_clip.get_tokenizer(f"local-dir:{path}", context_length=CONTEXT)


@torch.inference_mode()
def encode(model: Any, pixels: torch.Tensor | None = None, ids: torch.Tensor | None = None) -> torch.Tensor:
    """Unit vectors of (n, 3, 128, 128) images or (n, context) token ids, 64 at a time, texts without idle padding."""
    rows = []
    source = pixels if pixels is not None else ids
    assert source is not None
    for part in source.split(64):
        if pixels is None:
            part = part[:, : int((part != 0).sum(1).max())]
        vectors = model.encode_image(part) if pixels is not None else model.encode_text(part)
        rows.append(torch.nn.functional.normalize(vectors.float(), dim=-1))
    return torch.cat(rows)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
