"""An encoder from its bundle: an open_clip local-dir with configuration, weights and tokenizer files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL.Image import Image

from retrieval.encoders.parts import Parts, make
from retrieval.files import sha256_file, sha256_json
from retrieval.types import Pixels, Tokens, Vectors

OPEN_CLIP_RESIZE = {"crop": "shortest", "pad": "longest", "squash": "squash"}
PAPER_WHITE = 255  # figures are drawn on white paper, open_clip pads with black


class BundleEncoder:
    """The `Encoder` over an open_clip model. In eval mode, float32; vectors are normalised in float32."""

    def __init__(self, parts: Parts, *, name: str, resize: str | None = None, device: str | None = None) -> None:
        self.name = name
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        model, self._tokenizer = make(parts)
        preprocess = dict(open_clip.get_model_preprocess_cfg(model))
        if resize is not None:
            preprocess |= {"resize_mode": OPEN_CLIP_RESIZE[resize], "fill_color": PAPER_WHITE}
        self._transform = image_transform_v2(PreprocessCfg(**preprocess), is_train=False)
        self.context_length = int(self._tokenizer.context_length)
        self.dim = int(parts.model_cfg["embed_dim"])
        self.fingerprint = sha256_json(
            {
                "weights": _digest(model),
                "tokenizer": {path.name: sha256_file(path) for path in parts.tokenizer},
                "model_cfg": parts.model_cfg,
                "preprocess": {key: list(v) if isinstance(v, tuple) else v for key, v in preprocess.items()},
            }
        )
        self._model: Any = model.to(self.device)

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


def _digest(model: torch.nn.Module) -> str:
    """Of the weights as they are used, so that a model is the same encoder whatever file it was read from."""
    sums = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        sums.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        sums.update(value.contiguous().reshape(-1).view(torch.uint8).numpy())
    return sums.hexdigest()
