"""An encoder from its bundle: an open_clip local-dir with configuration, weights and tokenizer files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.factory import _find_checkpoint_in_dir
from open_clip.hf_model import HFTextEncoder
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL.Image import Image

from retrieval.errors import EncoderError
from retrieval.files import sha256_file, sha256_json
from retrieval.types import Pixels, Tokens, Vectors

OPEN_CLIP_RESIZE = {"crop": "shortest", "pad": "longest", "squash": "squash"}
PAPER_WHITE = 255  # figures are drawn on white paper, open_clip pads with black

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


class BundleEncoder:
    """The `Encoder` over an open_clip model. In eval mode, float32; vectors are normalised in float32."""

    def __init__(self, folder: Path, *, name: str, resize: str | None = None, device: str | None = None) -> None:
        self.name = name
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        config = _read_config(folder)
        weights = _find_weights(folder)
        tokenizer_files = _find_tokenizer(folder, config["model_cfg"]["text_cfg"])
        self._model: Any = _load_model(folder, config).to(self.device)
        self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        preprocess = dict(open_clip.get_model_preprocess_cfg(self._model))
        if resize is not None:
            preprocess |= {"resize_mode": OPEN_CLIP_RESIZE[resize], "fill_color": PAPER_WHITE}
        self._transform = image_transform_v2(PreprocessCfg(**preprocess), is_train=False)
        self.context_length = int(self._tokenizer.context_length)
        self.dim = int(config["model_cfg"]["embed_dim"])
        self.fingerprint = sha256_json(
            {
                "weights": sha256_file(weights),
                "tokenizer": [sha256_file(path) for path in tokenizer_files],
                "model_cfg": config["model_cfg"],
                "preprocess": {key: list(v) if isinstance(v, tuple) else v for key, v in preprocess.items()},
            }
        )

    def prepare(self, image: Image) -> Pixels:
        pixels: Pixels = self._transform(image).numpy()
        return pixels

    def encode_images(self, pixels: Pixels) -> Vectors:
        with torch.inference_mode():
            return _normalised(self._model.encode_image(torch.from_numpy(pixels).to(self.device)))

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        if not texts:
            empty = np.zeros(0, dtype=np.int64)
            return Tokens(np.zeros((0, self.context_length), dtype=np.int64), empty, empty.astype(bool))
        ids = self._tokenizer(list(texts)).numpy().astype(np.int64)
        lengths = np.count_nonzero(ids != self._padding, axis=1)
        truncated = np.zeros(len(texts), dtype=bool)
        for row in np.flatnonzero(lengths >= ids.shape[1]).tolist():  # only a full row can have lost something
            truncated[row] = self._untruncated_length(texts[row]) > ids.shape[1]
        return Tokens(ids, lengths.astype(np.int64), truncated)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        ids = tokens.ids
        if self._padding_is_masked and len(tokens):
            ids = ids[:, : tokens.lengths.max()]  # exact, and several times faster on short captions
        with torch.inference_mode():
            return _normalised(self._model.encode_text(torch.from_numpy(ids).to(self.device)))

    @property
    def _hf_tokenizer(self) -> Any:
        return getattr(self._tokenizer, "tokenizer", None)

    @property
    def _padding(self) -> int:
        return int(self._hf_tokenizer.pad_token_id or 0) if self._hf_tokenizer else 0

    @property
    def _padding_is_masked(self) -> bool:
        """Whether the padding behind a caption cannot change its vector, as in BERT towers."""
        return isinstance(getattr(self._model, "text", None), HFTextEncoder)

    def _untruncated_length(self, text: str) -> int:
        if self._hf_tokenizer:
            return len(self._hf_tokenizer(self._tokenizer.clean_fn(text), truncation=False, verbose=False).input_ids)
        return len(self._tokenizer.encode(text)) + 2  # start and end of text


def _normalised(vectors: torch.Tensor) -> Vectors:
    result: Vectors = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return result


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "open_clip_config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        text = config["model_cfg"]["text_cfg"]
    except FileNotFoundError as error:
        raise EncoderError(f"{folder}: no open_clip_config.json there, so this is not an encoder bundle") from error
    except (ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{path}: not an open_clip configuration with model_cfg and text_cfg") from error
    for old, new in RENAMED.items():
        if old in text:
            text[new] = text.pop(old)
    return config


def _find_weights(folder: Path) -> Path:
    found = _find_checkpoint_in_dir(folder)
    if found is None:
        raise EncoderError(f"{folder}: no weights there (open_clip_model.safetensors or open_clip_pytorch_model.bin)")
    return Path(found)


def _find_tokenizer(folder: Path, text: dict[str, Any]) -> list[Path]:
    """The vocabulary files, without which a Hugging Face tokenizer would silently read every word as unknown."""
    if not text.get("hf_tokenizer_name"):
        return []  # CLIP's own byte-pair vocabulary, part of open_clip
    names = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model")
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise EncoderError(f"{folder}: the tokenizer's vocabulary is missing (tokenizer.json or vocab.txt)")
    return found + [folder / "tokenizer_config.json"] * (folder / "tokenizer_config.json").is_file()


@contextmanager
def _text_tower(folder: Path, text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`text` with its text tower's configuration on this disk, as open_clip looks for it on the hub otherwise."""
    name = text.get("hf_model_name")
    if not name:
        yield text
    elif (folder / "config.json").is_file():
        yield text | {"hf_model_name": str(folder.resolve()), "hf_model_pretrained": False}
    elif name in TEXT_TOWERS:
        with tempfile.TemporaryDirectory() as temporary:
            Path(temporary, "config.json").write_text(json.dumps(TEXT_TOWERS[name]), encoding="utf-8")
            yield text | {"hf_model_name": temporary, "hf_model_pretrained": False}
    else:
        raise EncoderError(f"{folder}: config.json of the text tower {name} is missing; put it beside the weights")


def _load_model(folder: Path, config: dict[str, Any]) -> torch.nn.Module:
    with _text_tower(folder, config["model_cfg"]["text_cfg"]) as text:
        try:
            model: torch.nn.Module = open_clip.create_model(
                f"local-dir:{folder}", text_cfg=text, require_pretrained=True, precision="fp32"
            )
        except Exception as error:  # torch, safetensors and pickle raise a dozen types, all meaning the same here
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise EncoderError(f"{folder}: the weights do not load into the model of its config ({reason})") from error
    return model.eval()  # open_clip returns models in train mode: dropout and batch statistics would be live
