"""What a two-tower model is made of, whatever layout its authors published: configurations, tokenizer, weights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from retrieval.errors import EncoderError
from retrieval.files import replacing_folder, write_json

CONFIG, WEIGHTS, TEXT_CONFIG = "open_clip_config.json", "open_clip_model.safetensors", "config.json"
TOKENIZER_FILES = (
    *("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model"),
    *("sentencepiece.bpe.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)


@dataclass(frozen=True)
class Parts:
    """A model in open_clip's terms, ready to be made. Every published layout is read into this; nothing is loaded yet.

    `title` names the source in messages. `model_cfg` and `preprocess_cfg` are those of an `open_clip_config.json`.
    `load` puts the weights into the model made from `model_cfg` (strictly: every key, every shape) and raises
    whatever torch or safetensors raise. `tokenizer` lists the vocabulary files of a Hugging Face tokenizer (they all
    lie in one folder); none means CLIP's own byte pairs, which are part of open_clip. `text_config` is the
    config.json of a Hugging Face text tower, None for CLIP's own.
    """

    title: str
    model_cfg: Mapping[str, Any]
    preprocess_cfg: Mapping[str, Any]
    load: Callable[[torch.nn.Module], None]
    tokenizer: tuple[Path, ...] = ()
    text_config: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())
    """What a person should know of how the source was understood: an activation assumed, a file ignored."""


def make(parts: Parts) -> tuple[torch.nn.Module, Any]:
    """The model with its weights, in eval mode, float32, on the CPU, and its open_clip tokenizer.

    Raises EncoderError where the weights do not fit the configuration or are damaged.
    """
    with _assembled(parts) as folder:
        try:
            text = parts.model_cfg["text_cfg"]
            override = {}
            if parts.text_config is not None:
                override = {"text_cfg": dict(text) | {"hf_model_name": str(folder), "hf_model_pretrained": False}}
            model: torch.nn.Module = open_clip.create_model(
                f"local-dir:{folder}", load_weights=False, pretrained_text=False, precision="fp32", **override
            )
            parts.load(model)
        except Exception as error:  # torch, safetensors and pickle raise a dozen types, all meaning the same here
            if isinstance(error, EncoderError):
                raise
            raise EncoderError(
                f"{parts.title}: the weights do not load into the model of its config ({first_line(error)})"
            ) from error
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    return model.eval(), tokenizer  # open_clip returns models in train mode: dropout and batch statistics would be live


def write_bundle(parts: Parts, folder: Path) -> Path:
    """Write the canonical bundle of a model: configuration, safetensors (float32) and tokenizer files, no paths in it.

    Raises EncoderError as `make` does; `folder` appears whole or not at all.
    """
    model, _ = make(parts)
    with replacing_folder(folder) as temporary:
        _write_small_files(parts, temporary, link=False)
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(weights, temporary / WEIGHTS, metadata={"format": "pt"})
    return folder


@contextmanager
def _assembled(parts: Parts) -> Iterator[Path]:
    """A temporary open_clip local-dir without weights: all that open_clip reads for the model and the tokenizer."""
    with tempfile.TemporaryDirectory(prefix="retrieval-encoder-") as temporary:
        folder = Path(temporary)
        _write_small_files(parts, folder, link=True)
        yield folder


def _write_small_files(parts: Parts, folder: Path, *, link: bool) -> None:
    for path in parts.tokenizer:
        if link:
            (folder / path.name).symlink_to(path.resolve())
        else:
            (folder / path.name).write_bytes(path.read_bytes())
    write_json(folder / CONFIG, {"model_cfg": parts.model_cfg, "preprocess_cfg": parts.preprocess_cfg})
    if parts.text_config is not None:
        write_json(folder / TEXT_CONFIG, parts.text_config)


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The tokenizer's files in a published folder; raises EncoderError where the vocabulary itself is missing.

    Without one, a Hugging Face tokenizer would silently read every word as unknown.
    """
    vocabularies = TOKENIZER_FILES[:7]
    if not any((folder / name).is_file() for name in vocabularies):
        raise EncoderError(f"{folder}: the tokenizer's vocabulary is missing (tokenizer.json or vocab.txt)")
    return tuple(folder / name for name in TOKENIZER_FILES if (folder / name).is_file())


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object of a published model; raises EncoderError where it is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path}: cannot be read as JSON; fetch the file again") from error
    if not isinstance(value, dict):
        raise EncoderError(f"{path}: not a JSON object; fetch the file again")
    return value


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
