"""What kind of encoder a folder or a hub repository holds, and what it lacks: by file names and config.json alone."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

Kind = Literal["bundle", "clip-model", "text-only"]

CONFIGS = ("open_clip_config.json", "config.json")
STATE_DICTS = (".safetensors", ".pth", ".pt", ".bin")
LOOKED_FOR = (
    "neither open_clip_config.json, nor the config.json of a CLIPModel or a text encoder, "
    f"nor a state dict ({', '.join(STATE_DICTS)})"
)
VOCABULARIES = (
    *("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model"),
    "sentencepiece.bpe.model",
)
HF_WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
OPEN_CLIP_WEIGHTS = (  # in the order in which open_clip itself prefers them
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"),
    *("open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"),
    *("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"),
)
NO_TEXT = {"vision_config", "image_size", "patch_size", "num_channels", "architecture"}
"""Keys of a config.json that say it is of something else than a text encoder."""


def recognise(folder: Path) -> Kind | None:
    """The layout of a folder; open_clip's wins where both are there. None: of no known layout."""
    if (folder / "open_clip_config.json").is_file():
        return "bundle"
    config = _json(folder / "config.json")
    if config.get("model_type") == "clip" or {"text_config", "vision_config"} <= config.keys():
        return "clip-model"  # SigLIP's and others' look alike: the reader tells them apart and says what they are
    return "text-only" if config and not NO_TEXT & config.keys() else None


def lacks(folder: Path, kind: Kind) -> list[str]:
    """What a folder of this kind needs and does not have, in words: empty where it can be loaded."""
    missing = []
    weights = OPEN_CLIP_WEIGHTS if kind == "bundle" else HF_WEIGHTS
    chosen = next((name for name in weights if (folder / name).is_file()), None)
    if chosen is None and not (kind == "bundle" and state_dicts(folder)):
        missing.append(f"weights ({weights[0]})")
    elif chosen is not None and chosen.endswith(".index.json"):
        shards = sorted(set(_json(folder / chosen).get("weight_map", {}).values()))
        missing += [name for name in shards if not (folder / name).is_file()]
    if _reads_vocabulary(folder, kind) and not any((folder / name).is_file() for name in VOCABULARIES):
        missing.append("vocabulary (tokenizer.json)")
    return missing


def state_dicts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in STATE_DICTS and path.is_file())


def needed_files(names: Collection[str]) -> list[str]:
    """The files to fetch of a repository that has these: one kind of weights and the small files, nothing else.

    Empty where the repository is of no known layout. Weights in shards are all fetched, as the names do not say which.
    """
    if not set(CONFIGS) & set(names):
        return []
    preferred = OPEN_CLIP_WEIGHTS if "open_clip_config.json" in names else HF_WEIGHTS
    weights = [name for name in preferred if name in names][:1]
    if weights and weights[0].endswith(".index.json"):
        stem, suffix = weights[0].removesuffix(".index.json").split(".")
        weights = [name for name in names if name.startswith(f"{stem}-") and name.endswith(suffix)]
    small = [
        name
        for name in names
        if ("/" not in name and name.endswith((".json", ".txt", ".model"))) or name == "1_Pooling/config.json"
    ]
    return sorted({*weights, *small})


def _reads_vocabulary(folder: Path, kind: Kind) -> bool:
    """CLIP's own byte pairs are part of open_clip; whoever uses another tokenizer needs its vocabulary."""
    if kind == "bundle":
        model = _json(folder / "open_clip_config.json").get("model_cfg")
        text = model.get("text_cfg") if isinstance(model, dict) else None
        return isinstance(text, dict) and bool(text.get("hf_tokenizer_name"))
    return kind == "text-only"


def _json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none: whoever loads the model says what is wrong with the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
