"""An encoder that remembers what it encoded lately, so that what waits together is encoded together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.classification.classify import logit_scale
from retrieval.types import Encoder, Pixels, Tokens, Vectors

REMEMBERED = 4096  # vectors of 512 numbers: 8 MB


class RememberingEncoder:
    """An Encoder in front of another: the same vectors, those of its last inputs without the model.

    A batch of unlike questions is first encoded at once; each of them then finds its own vector here.
    """

    def __init__(self, encoder: Encoder, size: int = REMEMBERED) -> None:
        self.encoder = encoder
        self.name, self.dim, self.fingerprint = encoder.name, encoder.dim, encoder.fingerprint
        self.reads_images = encoder.reads_images
        self.logit_scale = logit_scale(encoder)
        self._size = size
        self._kept: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def prepare(self, image: Image.Image) -> Pixels:
        return self.encoder.prepare(image)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self.encoder.tokenize(texts)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return self._recalled(_keys(b"text", tokens.ids), lambda rows: self.encoder.encode_texts(tokens.take(rows)))

    def encode_images(self, pixels: Pixels) -> Vectors:
        return self._recalled(_keys(b"image", pixels), lambda rows: self.encoder.encode_images(pixels[rows]))

    def _recalled(self, keys: list[bytes], encode: Callable[[NDArray[np.int64]], Vectors]) -> Vectors:
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        missing = {key: row for row, key in enumerate(keys) if key not in found}
        if missing:
            encoded = dict(zip(missing, encode(np.array(list(missing.values()), dtype=np.int64)), strict=True))
            found |= encoded
            with self._lock:
                self._kept.update(encoded)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return np.array([found[key] for key in keys], dtype=np.float32).reshape(-1, self.dim)


def _keys(person: bytes, rows: NDArray[Any]) -> list[bytes]:
    return [blake2b(np.ascontiguousarray(row).data, digest_size=16, person=person).digest() for row in rows]
