"""Tiny models with random weights in the layouts of others: OpenAI's files, transformers' folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import _tokenizer as clip_words
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, CLIPConfig, CLIPModel

from tests.bundles import BERT, WORDS

CLIP_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
}
CLIP_VISION = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
PREPROCESSOR = {
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": {"shortest_edge": 32},
}


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights large enough that activations and norms are felt; a fresh model is nearly linear."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim:
                scale = 0.3 if value.ndim > 1 else 0.1
                value.copy_(torch.randn(value.shape, generator=generator) * scale + (1 if _is_gain(name) else 0))
    return model.eval()


def _is_gain(name: str) -> bool:
    return name.endswith("weight") and any(part in name.lower() for part in ("norm", "ln_", ".bn", "layrnorm"))


def clip_model(
    folder: Path, *, bare: bool = False, shards: bool = False, binary: bool = False, **both: Any
) -> CLIPModel:
    """A CLIPModel folder as transformers saves it, with OpenAI's vocabulary. `both` changes both towers.

    `bare` leaves everything out of config.json that equals transformers' default, as files of 2022 do; `binary` writes
    pytorch_model.bin, and `shards` cuts the safetensors in several.
    """
    config = CLIPConfig(text_config=CLIP_TEXT | both, vision_config=CLIP_VISION | both, projection_dim=16)
    model = randomised(CLIPModel(config))
    model.save_pretrained(folder, max_shard_size="1MB" if shards else "50GB")
    if binary:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    if bare:
        towers = {"text_config": CLIP_TEXT | both, "vision_config": CLIP_VISION | both}
        (folder / "config.json").write_text(json.dumps({"model_type": "clip", "projection_dim": 16, **towers}))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    clip_vocabulary(folder)
    return model


def clip_vocabulary(folder: Path) -> None:
    """OpenAI's byte pairs in Hugging Face's two files."""
    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    words = {marks.get(word, word): number for word, number in clip_words.encoder.items()}
    (folder / "vocab.json").write_text(json.dumps(words))
    merges = "\n".join(" ".join(pair) for pair in clip_words.bpe_ranks)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON object; a value of None takes the key out."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: item for key, item in value.items() if item is not None}))


def masked_lm(folder: Path, *, prefix: bool = True) -> BertForMaskedLM:
    """A BERT as BiomedBERT is published: pytorch_model.bin with `bert.*` and `cls.*`, vocab.txt, a short config."""
    folder.mkdir(parents=True)
    config = BertConfig(**BERT)
    model = randomised(BertForMaskedLM(config))
    state = {name: value for name, value in model.state_dict().items() if prefix or name.startswith("bert.")}
    state = {name if prefix else name.removeprefix("bert."): value for name, value in state.items()}
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(BERT | {"architectures": ["BertForMaskedLM"]}))
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    return model


def openai_file(path: Path, weights: dict[str, Tensor]) -> Path:
    """As PubMedCLIP's .pth: float16 where OpenAI's `convert_weights` has it, in a checkpoint with optimizer state."""
    half = {name: value.half() if _halved(name) else value for name, value in weights.items()}
    step = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4), "exp_avg_sq": torch.zeros(4)}
    optimizer = {"state": {0: step}, "param_groups": [{"lr": 1e-5, "betas": (0.9, 0.999), "params": [0]}]}
    torch.save({"best_epoch": 7, "state_dict": half, "optimizer_state_dict": optimizer, "best_loss": 0.5}, path)
    return path


def _halved(name: str) -> bool:
    """Linear, convolution, attention and projections, but not the norms and embeddings."""
    kept = ("ln_", "bn", "downsample.1", "embedding", "logit_scale", "num_batches", "running")
    return not any(part in name for part in kept)
