"""Text-only encoders, for caption search: a Hugging Face BERT, such as BiomedBERT, and a pooling of its states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from retrieval.encoders.assemble import Unset, explained, read_json_object, tokenizer_files
from retrieval.encoders.batches import texts_to_vectors
from retrieval.encoders.captions import nothing, tokens_of_rows
from retrieval.encoders.clip_encoder import normalised, text_settings
from retrieval.encoders.detect_layout import HF_WEIGHTS
from retrieval.encoders.devices import one_device
from retrieval.encoders.fast_cpu import CAPTIONS, in_lanes
from retrieval.encoders.precision import autocast
from retrieval.encoders.weights import digest, fill_model, find_weights, read_weights
from retrieval.errors import EncoderError
from retrieval.files import sha256_file, sha256_json
from retrieval.types import Pixels, Tokens, Vectors

POOLINGS = ("cls", "mean")
SENTENCE_TRANSFORMERS = ("1_Pooling/config.json", "modules.json", "sentence_bert_config.json")
_UNLIMITED = 512  # tokens, where neither tokenizer nor model sets a limit: BERT's


class TextOnlyEncoder:
    """The `Encoder` over a text encoder alone, read from a folder with config.json, weights and vocabulary.

    A caption's vector is its first state (`pooling` "cls") or the mean of its states without padding ("mean"), then
    normalised. Where `pooling` is not given, `1_Pooling/config.json` of sentence-transformers decides, and else it is
    the mean, which suits a model that was only trained to guess masked words. Asking for images raises EncoderError,
    and so do files that are missing, damaged or do not fit together.
    """

    reads_images = False

    def __init__(self, folder: Path, *, name: str, pooling: str | None = None, device: str | None = None) -> None:
        if pooling not in (None, *POOLINGS):
            raise EncoderError(f"{pooling}: no such pooling; use one of {', '.join(POOLINGS)}")
        self.name = name
        self.precision, self.preprocessing = "fp32", "exact"  # the latter says nothing: there are no images
        self.device = one_device(device)
        self.pooling = _published_pooling(folder) if pooling is None else pooling
        vocabulary = tokenizer_files(folder)
        model = _model(folder)
        with explained(f"{folder}: the tokenizer's files cannot be read"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if self._tokenizer.pad_token_id is None:
            raise EncoderError(f"{folder}: the tokenizer has no padding token; name one in tokenizer_config.json")
        self._tokenizer.padding_side = "right"
        self.context_length = _context(folder, model, self._tokenizer)
        self.dim = int(model.config.hidden_size)
        self.fingerprint = sha256_json(
            {
                "weights": digest(model),
                "tokenizer": {path.name: sha256_file(path) for path in vocabulary},
                "model": text_settings(model.config),
                "pooling": self.pooling,
                "context_length": self.context_length,
            }
        )
        self._model: Any = model.to(self.device)

    @property
    def logit_scale(self) -> float:
        raise self._captions_only()

    def prepare(self, image: Image) -> Pixels:
        raise self._captions_only()

    def encode_images(self, pixels: Pixels) -> Vectors:
        raise self._captions_only()

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        if not texts:
            return nothing(self.context_length)
        rows = self._tokenizer(
            list(texts), max_length=self.context_length, truncation=True, padding="max_length", return_tensors="np"
        ).input_ids
        return tokens_of_rows(
            rows.astype(np.int64),
            int(self._tokenizer.pad_token_id),
            lambda row: len(self._tokenizer(texts[row], truncation=False, verbose=False).input_ids),
        )

    def encode_texts(self, texts: Tokens | str | Sequence[str]) -> Vectors:
        if not isinstance(texts, Tokens):
            return texts_to_vectors(self, texts)
        tokens = texts
        if not len(tokens):
            return np.zeros((0, self.dim), dtype=np.float32)
        return in_lanes(lambda rows: self._encode_texts(tokens.take(rows)), len(tokens), CAPTIONS, self.device)

    def _encode_texts(self, tokens: Tokens) -> Vectors:
        longest = int(tokens.lengths.max())
        ids = torch.from_numpy(tokens.ids[:, :longest]).to(self.device)  # exact: padding is masked
        lengths = torch.from_numpy(tokens.lengths).to(self.device)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]
        with torch.inference_mode(), autocast(self.device, self.precision):
            states = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            return normalised(_pooled(states, mask, self.pooling))

    def _captions_only(self) -> EncoderError:
        return EncoderError(f"{self.name}: reads captions only; use an encoder with an image tower, such as biomedclip")


def _pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    if pooling == "cls":
        return states[:, 0]
    kept = mask[:, :, None]
    return (states.float() * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)


def _model(folder: Path) -> Any:
    """The encoder of a folder with its weights, in eval mode, float32, without heads."""
    with explained(f"{folder}: config.json is not that of a text encoder"):
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "hidden_size"):
        raise EncoderError(f"{folder}: a {config.model_type} model is no text encoder; use one such as BERT")
    weights = read_weights(find_weights(folder, HF_WEIGHTS))
    with explained(f"{folder}: transformers cannot make the model that config.json describes"), Unset():
        model: torch.nn.Module = _without_pooler(config)
    with explained(f"{folder}: the weights do not load into the model of config.json"):
        fill_model(model, _body(model, weights))
    return model.eval()


def _without_pooler(config: Any) -> Any:
    """BERT's pooler is a layer for another task, which masked-word checkpoints have no weights for."""
    try:
        return AutoModel.from_config(config, dtype=torch.float32, add_pooling_layer=False)
    except TypeError:  # DistilBERT, ELECTRA and others never had one
        return AutoModel.from_config(config, dtype=torch.float32)


def _body(model: Any, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the encoder itself, out of a checkpoint with heads on it (`bert.*` and `cls.*`) or without.

    What belongs to no part of the model is left out; a weight within one of its parts that has no place there stays, so
    that `fill` refuses it: a model of 12 layers is not to be read as one of 10.
    """
    prefix = f"{model.base_model_prefix}."
    if any(name.startswith(prefix) for name in weights):
        weights = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    renamed = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): value
        for name, value in weights.items()
    }
    parts = {name for name, _ in model.named_children()}
    return {
        name: value
        for name, value in renamed.items()
        if name.split(".")[0] in parts and not name.endswith("embeddings.position_ids")
    }


def _published_pooling(folder: Path) -> str:
    """What sentence-transformers' files say; the mean where there are none."""
    pooling, modules, _ = (folder / name for name in SENTENCE_TRANSFORMERS)
    if modules.is_file() and "Dense" in modules.read_text(encoding="utf-8"):
        raise EncoderError(f"{folder}: has a dense layer after pooling (modules.json), which is not supported")
    if not pooling.is_file():
        return "mean"
    config = read_json_object(pooling)
    prefix = "pooling_mode_"
    chosen = [key.removeprefix(prefix) for key, value in config.items() if key.startswith(prefix) and value is True]
    known = {"cls_token": "cls", "mean_tokens": "mean"}
    if len(chosen) != 1 or chosen[0] not in known:
        raise EncoderError(
            f"{pooling}: pooling {' and '.join(chosen) or 'of no kind'} is not supported; only cls or mean"
        )
    return known[chosen[0]]


def _context(folder: Path, model: Any, tokenizer: Any) -> int:
    """How many tokens a caption may have, marks included: the smallest of the limits that are published."""
    limits = [int(tokenizer.model_max_length)]
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions:
        table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
        offset = getattr(table, "padding_idx", None)  # RoBERTa counts positions from behind the padding's id
        limits.append(positions if offset is None else positions - offset - 1)
    published = folder / SENTENCE_TRANSFORMERS[2]
    if published.is_file() and read_json_object(published).get("max_seq_length"):
        limits.append(int(read_json_object(published)["max_seq_length"]))
    smallest = min(limits)
    return smallest if smallest < 1_000_000 else _UNLIMITED  # transformers writes 10^30 for "no limit"
