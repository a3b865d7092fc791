"""What a two-tower model is made of, whatever layout its authors published: configurations, tokenizer, weights."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode

from retrieval.encoders.detect_layout import VOCABULARIES
from retrieval.errors import EncoderError
from retrieval.files import replacing_folder

CONFIG, WEIGHTS, TEXT_CONFIG = "open_clip_config.json", "open_clip_model.safetensors", "config.json"
TOKENIZER_FILES = (
    *VOCABULARIES,
    *("merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
CLIP_PREPROCESS = {
    "mean": list(OPENAI_DATASET_MEAN),
    "std": list(OPENAI_DATASET_STD),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
"""How CLIP itself sees an image; the size is the vision tower's."""


@dataclass(frozen=True)
class ModelParts:
    """A model in open_clip's terms, ready to be made: what every published layout is read, if need be converted, into.

    `title` names the source in messages. `model_cfg` and `preprocess_cfg` are those of an `open_clip_config.json`.
    `load` puts the weights into the model made from `model_cfg`, strictly: it raises (EncoderError, or ValueError as
    `weights.fill` does) unless it has set every parameter and every buffer that is saved. `tokenizer` lists the files
    of a Hugging Face tokenizer (they all lie in one folder); none means CLIP's own byte pairs, which are part of
    open_clip. `text_config` is the config.json of a Hugging Face text tower, None for CLIP's own.
    """

    title: str
    model_cfg: Mapping[str, Any]
    preprocess_cfg: Mapping[str, Any]
    load: Callable[[torch.nn.Module], None]
    tokenizer: tuple[Path, ...] = ()
    text_config: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())
    """What a person should know of how the source was understood: an activation assumed, a file ignored."""


def assemble_model(parts: ModelParts) -> tuple[torch.nn.Module, Any]:
    """The model with its weights, in eval mode, float32, on the CPU, and its open_clip tokenizer.

    Raises EncoderError where configuration, weights and tokenizer do not fit together, are damaged, or would have code
    or weights fetched from elsewhere.
    """
    _refuse_code_from_elsewhere(parts)
    with _assembled(parts) as folder:
        with explained(f"{parts.title}: open_clip cannot make the model that the configuration describes"):
            override = {}
            if parts.text_config is not None:
                text = dict(parts.model_cfg["text_cfg"])
                override = {"text_cfg": text | {"hf_model_name": str(folder), "hf_model_pretrained": False}}
            with Unset(), _without_open_clips_log():
                model: torch.nn.Module = open_clip.create_model(
                    f"local-dir:{folder}", load_weights=False, pretrained_text=False, precision="fp32", **override
                )
        with explained(f"{parts.title}: the weights do not load into the model of its configuration"):
            parts.load(model)
        with explained(f"{parts.title}: the tokenizer's files cannot be read"):
            tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    if parts.tokenizer and tokenizer.tokenizer.pad_token_id is None:
        raise EncoderError(f"{parts.title}: the tokenizer has no padding token; name one in tokenizer_config.json")
    return model.eval(), tokenizer  # open_clip returns models in train mode: dropout and batch statistics would be live


def write_bundle(parts: ModelParts, folder: Path) -> Path:
    """Write the canonical bundle of a model: configuration, safetensors (float32) and tokenizer files, no paths in it.

    Raises EncoderError as `make` does; `folder` appears whole or not at all.
    """
    model, _ = assemble_model(parts)
    with replacing_folder(folder) as temporary:
        _write_small_files(parts, temporary, link=False)
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(weights, temporary / WEIGHTS, metadata={"format": "pt"})
    return folder


class Unset(TorchFunctionMode):
    """Leaves what would be initialised at random unset: it takes 15 times as long as the rest of making ViT-L/14.

    `Parts.load` sets every parameter afterwards or raises. Buffers, which are computed, are not touched.
    """

    RANDOM = (
        *("normal_", "uniform_", "trunc_normal_", "erfinv_", "orthogonal_"),
        *("kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"),
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in self.RANDOM:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def _without_open_clips_log() -> Iterator[None]:
    """open_clip warns that a model without weights is random: true at that point, and alarming on a screen.

    It warns through the root logger; what other threads say meanwhile still gets through.
    """
    here = threading.get_ident()

    def not_of_this_thread(record: logging.LogRecord) -> bool:
        return record.thread != here or record.levelno > logging.WARNING

    root = logging.getLogger()
    root.addFilter(not_of_this_thread)
    try:
        yield
    finally:
        root.removeFilter(not_of_this_thread)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes an EncoderError that begins with `what`."""
    try:
        yield
    except EncoderError:
        raise
    except (
        Exception
    ) as error:  # torch, timm, transformers and tokenizers raise a dozen types, all meaning the same here
        raise EncoderError(f"{what} ({first_line(error)})") from error


def _refuse_code_from_elsewhere(parts: ModelParts) -> None:
    """A configuration is data of its author: it must not make open_clip run their code or ask the network."""
    try:
        vision, text = parts.model_cfg["vision_cfg"], parts.model_cfg["text_cfg"]
        tower = str(vision.get("timm_model_name") or "")
        options = text.get("tokenizer_kwargs") or {}
        asks_for_code = bool(options.get("trust_remote_code"))
    except (KeyError, TypeError, AttributeError) as error:
        raise EncoderError(
            f"{parts.title}: not a configuration with vision_cfg and text_cfg; fetch it again"
        ) from error
    if ":" in tower:
        raise EncoderError(f"{parts.title}: timm would fetch the vision tower {tower}; name one that timm itself knows")
    if asks_for_code:
        raise EncoderError(
            f"{parts.title}: the tokenizer would run code of its author; use one without trust_remote_code"
        )


@contextmanager
def _assembled(parts: ModelParts) -> Iterator[Path]:
    """A temporary open_clip local-dir without weights: all that open_clip reads for the model and the tokenizer."""
    with tempfile.TemporaryDirectory(prefix="retrieval-encoder-") as temporary:
        folder = Path(temporary)
        _write_small_files(parts, folder, link=True)
        yield folder


def _write_small_files(parts: ModelParts, folder: Path, *, link: bool) -> None:
    for path in parts.tokenizer:
        if link:
            (folder / path.name).symlink_to(path.resolve())
        else:
            (folder / path.name).write_bytes(path.read_bytes())
    written = {CONFIG: {"model_cfg": parts.model_cfg, "preprocess_cfg": parts.preprocess_cfg}}
    if parts.text_config is not None:  # its author's path to it means nothing elsewhere
        written[TEXT_CONFIG] = {key: value for key, value in parts.text_config.items() if key != "_name_or_path"}
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def mlp_ratio(hidden: int, width: int) -> float:
    """What open_clip has to multiply `width` by to get `hidden`, cutting the rest off as it does."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The tokenizer's files in a published folder; raises EncoderError where the vocabulary itself is missing.

    Without one, a Hugging Face tokenizer would silently read every word as unknown.
    """
    if not any((folder / name).is_file() for name in VOCABULARIES):
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
