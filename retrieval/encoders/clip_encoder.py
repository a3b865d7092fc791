"""An encoder from its bundle: an open_clip local-dir with configuration, weights and tokenizer files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.transform import PreprocessCfg
from PIL.Image import Image

from retrieval.encoders import preprocess
from retrieval.encoders.assemble import ModelParts, assemble_model
from retrieval.encoders.batches import images_to_vectors, is_pixels, texts_to_vectors
from retrieval.encoders.captions import nothing, tokens_of_rows
from retrieval.encoders.devices import one_device
from retrieval.encoders.fast_cpu import CAPTIONS, IMAGES, fold, in_lanes, straighten
from retrieval.encoders.precision import autocast
from retrieval.encoders.weights import digest
from retrieval.files import sha256_file, sha256_json
from retrieval.images.pictures import Picture
from retrieval.types import Pixels, Tokens, Vectors

OPEN_CLIP_RESIZE = {"crop": "shortest", "pad": "longest", "squash": "squash"}
WAYS = {"exact": preprocess.exact, "fast": preprocess.fast}
PAPER_WHITE = 255  # figures are drawn on white paper, open_clip pads with black


class ClipEncoder:
    """The `Encoder` over an open_clip model. In eval mode, computing in `precision`; vectors normalised in float32.

    `preprocessing` is "exact" (open_clip's own transform) or "fast" (preprocess.py). It is no part of the fingerprint,
    and neither is the precision: both are ways to compute one encoder.
    """

    reads_images = True

    def __init__(self, parts: ModelParts, *, name: str, resize: str | None = None, device: str | None = None) -> None:
        self.name = name
        self.precision = "fp32"
        self.preprocessing = "exact"
        self.device = one_device(device)
        model, self._tokenizer = assemble_model(parts)
        settled = dict(open_clip.get_model_preprocess_cfg(model))
        if resize is not None:
            settled |= {"resize_mode": OPEN_CLIP_RESIZE[resize], "fill_color": PAPER_WHITE}
        self._ways = {way: make_way(PreprocessCfg(**settled)) for way, make_way in WAYS.items()}
        self.context_length = int(self._tokenizer.context_length)
        self.dim = int(parts.model_cfg["embed_dim"])
        identity = {
            "weights": digest(model),
            "tokenizer": {path.name: sha256_file(path) for path in parts.tokenizer},
            "model_cfg": parts.model_cfg,
            "preprocess": {key: list(v) if isinstance(v, tuple) else v for key, v in settled.items()},
        }
        text_config = _config_of_text_tower(model)
        if text_config is not None:
            identity["text_tower"] = text_settings(text_config)
        self.fingerprint = sha256_json(identity)
        fold(model)
        straighten(model)
        # channels last: convolutions take half the time on a CPU, and vectors move by less than 1e-7 (docs/log.md)
        self._model: Any = model.to(self.device).to(memory_format=torch.channels_last)

    def __repr__(self) -> str:
        return f"Encoder {self.name}: {self.dim} dimensions, {self.precision} on {self.device}"

    def prepare(self, image: Image) -> Pixels:
        return self._ways[self.preprocessing](image)

    def encode_images(self, images: Pixels | Picture | Iterable[Picture]) -> Vectors:
        if not is_pixels(images):
            return images_to_vectors(self, images)
        pixels = images
        return in_lanes(lambda rows: self._encode_images(pixels[rows]), len(pixels), IMAGES, self.device)

    def _encode_images(self, pixels: Pixels) -> Vectors:
        with torch.inference_mode(), autocast(self.device, self.precision):
            batch = on_device(pixels, self.device).contiguous(memory_format=torch.channels_last)
            return normalised(self._model.encode_image(batch))

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        if not texts:
            return nothing(self.context_length)
        ids = self._tokenizer(list(texts)).numpy().astype(np.int64)
        hf = self._hf_tokenizer
        if hf is None:
            return tokens_of_rows(
                ids, 0, lambda row: len(self._tokenizer.encode(texts[row])) + 2
            )  # start and end of text
        return tokens_of_rows(
            ids,
            int(hf.pad_token_id),
            lambda row: self._untruncated_length(texts[row]),
            ends_like_padding=hf.pad_token_id == hf.eos_token_id or self._tokenizer.strip_sep_token,
        )

    def encode_texts(self, texts: Tokens | str | Sequence[str]) -> Vectors:
        if not isinstance(texts, Tokens):
            return texts_to_vectors(self, texts)
        tokens = texts
        if not len(tokens):
            return np.zeros((0, self.dim), dtype=np.float32)
        return in_lanes(lambda rows: self._encode_texts(tokens.take(rows)), len(tokens), CAPTIONS, self.device)

    def _encode_texts(self, tokens: Tokens) -> Vectors:
        ids, encode = tokens.ids, self._model.encode_text
        if self._padding_is_masked or self._looks_back_only:
            ids = ids[:, : tokens.lengths.max()]  # exact, and several times faster on short captions
        if self._looks_back_only:
            encode = partial(encode_places, self._model)
        with torch.inference_mode(), autocast(self.device, self.precision):
            return normalised(encode(on_device(ids, self.device)))

    @property
    def logit_scale(self) -> float:
        """What the model learned to multiply cosines by before a softmax (the exponential of its parameter)."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def _hf_tokenizer(self) -> Any:
        return getattr(self._tokenizer, "tokenizer", None)

    @property
    def _padding_is_masked(self) -> bool:
        """Whether the padding behind a caption cannot change its vector, as in BERT towers."""
        config, hf = _config_of_text_tower(self._model), self._hf_tokenizer
        return config is not None and hf is not None and config.pad_token_id == hf.pad_token_id

    @property
    def _looks_back_only(self) -> bool:
        """Whether each place of a caption sees only those before it, and its end is what is kept, as in CLIP's own."""
        model = self._model
        return (
            type(model) is open_clip.CLIP
            and all(hasattr(model, name) for name in PLACES)
            and model.attn_mask is not None
            and model.text_pool_type in ("argmax", "eos")
        )

    def _untruncated_length(self, text: str) -> int:
        clips = self._tokenizer.tokenizer_mode == "clips"  # open_clip then puts three marks of its own around the text
        ids: list[int] = self._hf_tokenizer(
            self._tokenizer.clean_fn(text), truncation=False, verbose=False, add_special_tokens=not clips
        ).input_ids
        return len(ids) + (3 if clips else 0)


PLACES = (
    *("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection"),
    *("attn_mask", "text_pool_type", "text_eos_id"),
)
"""Members of open_clip.CLIP that `encode_places` reads; a model without one of them encodes all of its places."""


def _config_of_text_tower(model: Any) -> Any:
    """The Hugging Face configuration of a text tower of transformers, which masks its padding; None for CLIP's own."""
    return getattr(getattr(model, "text", None), "config", None)


def encode_places(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """`open_clip.CLIP.encode_text` for rows (n, places) that may be shorter than the model's context.

    What stands behind the end of a text cannot change what stands there, so leaving it out is exact; open_clip itself
    adds the whole table of positions and so computes all 77 places for three words.
    """
    places = ids.shape[1]
    embedded = model.token_embedding(ids)
    dtype = getattr(model.transformer, "get_cast_dtype", lambda: embedded.dtype)()
    x = embedded.to(dtype) + model.positional_embedding[:places].to(dtype)
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:places, :places]))
    end = ids if model.text_pool_type == "argmax" else (ids == model.text_eos_id).int()
    ends: torch.Tensor = x[torch.arange(len(x), device=x.device), end.argmax(dim=-1)]
    projection = model.text_projection
    if projection is not None:
        ends = projection(ends) if isinstance(projection, torch.nn.Module) else ends @ projection
    return ends


def on_device(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """To a GPU from pinned memory, which it reads by itself while Python goes on."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def text_settings(config: Any) -> dict[str, Any]:
    """What in a Hugging Face configuration changes vectors without showing in the shapes of the weights."""
    names = ("model_type", "hidden_act", "num_attention_heads", "layer_norm_eps", "position_embedding_type")
    return {name: getattr(config, name, None) for name in names}


def normalised(vectors: torch.Tensor) -> Vectors:
    """Rows of length 1, computed in float32."""
    result: Vectors = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return result
