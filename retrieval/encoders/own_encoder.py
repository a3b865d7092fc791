"""Encoders of one's own: an object with an encoder's members, functions and a dimension, or a name `module:object`."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.encoders.batches import images_to_vectors, is_pixels, texts_to_vectors
from retrieval.errors import EncoderError
from retrieval.files import sha256_json
from retrieval.images.pictures import Picture
from retrieval.keywords import whole_number
from retrieval.types import Encoder, Pixels, Tokens, Vectors

MEMBERS = ("name", "dim", "fingerprint", "reads_images", "prepare", "encode_images", "tokenize", "encode_texts")
MODULE_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def checked_encoder(encoder: Any) -> Encoder:
    """An object that has the members of an encoder. Raises EncoderError naming those that it lacks."""
    lacks = [member for member in MEMBERS if not hasattr(encoder, member)]
    if lacks:
        raise EncoderError(
            f"a {type(encoder).__name__} is no encoder: it lacks {', '.join(lacks)}; "
            "retrieval.encoder_from_functions makes one of two functions"
        )
    own: Encoder = encoder
    return own


def encoder_of_module(name: str) -> Encoder:
    """The encoder that `module:object` names: an encoder, or a function without arguments that gives one.

    The module is imported from the working directory or the Python path, because the user named it.
    Raises EncoderError where the module or the object is not there, or is no encoder.
    """
    module, _, attribute = name.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise EncoderError(
            f"{name}: cannot be imported ({error}); give a module of this folder or an installed one"
        ) from error
    except Exception as error:
        raise EncoderError(f"{name}: {module} fails while it is imported ({_told(error)}); mend it") from error
    if not hasattr(imported, attribute):
        raise EncoderError(f"{name}: the module {module} has no {attribute}; name one of its encoders")
    found = getattr(imported, attribute)
    if callable(found) and not all(hasattr(found, member) for member in MEMBERS):
        try:
            found = found()
        except Exception as error:
            raise EncoderError(
                f"{name}: {attribute}() gives no encoder ({_told(error)}); name an encoder, or a function without "
                "arguments that gives one"
            ) from error
    return NamedEncoder(checked_encoder(found), name)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class NamedEncoder:
    """An encoder under the name that finds it again: an index records the name, and a later search loads by it."""

    def __init__(self, encoder: Encoder, name: str) -> None:
        self.name = name
        self._encoder = encoder

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._encoder, attribute)


def encoder_from_functions(
    texts: Callable[[list[str]], NDArray[Any]],
    images: Callable[[list[Image.Image]], NDArray[Any]] | None = None,
    *,
    dim: int,
    name: str | None = None,
    version: str = "1",
    size: int = 384,
) -> FunctionEncoder:
    """Make an encoder of plain functions.

    Args:
        texts: a list of n texts to an array (n, dim).
        images: a list of n square RGB pictures of `size` pixels a side to an array (n, dim); None for captions only.
            Wider or taller figures are padded with white.
        dim: the length of a vector.
        name: what indexes record, by default the name of `texts`; give the encoder itself, or `module:object`, to
            search them later.
        version: change it whenever the functions give other vectors: indexes refuse another version's queries.
        size: pixels.
    """
    if not callable(texts):
        raise EncoderError(f"an encoder needs a function of texts, not a {type(texts).__name__}")
    dim, size = whole_number("dim", dim, EncoderError), whole_number("size", size, EncoderError)
    if min(dim, size) < 1:
        raise EncoderError(f"dim is {dim} and size {size}; give at least 1 of each")
    own = getattr(texts, "__qualname__", type(texts).__name__)
    return FunctionEncoder(texts, images, dim, name or own, version, size)


class FunctionEncoder:
    """The `Encoder` over two functions; vectors are brought to length 1. See `encoder_from_functions`."""

    def __init__(
        self,
        texts: Callable[[list[str]], NDArray[Any]],
        images: Callable[[list[Image.Image]], NDArray[Any]] | None,
        dim: int,
        name: str,
        version: str,
        size: int,
    ) -> None:
        self._texts, self._images, self._size = texts, images, size
        self.dim, self.name, self.reads_images = dim, name, images is not None
        self.fingerprint = sha256_json(["functions", name, version, dim, size, self.reads_images])

    def __repr__(self) -> str:
        return f"Encoder {self.name}: {self.dim} dimensions, of functions"

    def prepare(self, image: Image.Image) -> Pixels:
        side = max(image.size)
        square = Image.new("RGB", (side, side), "white")
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        pixels = np.asarray(square.resize((self._size, self._size), Image.Resampling.BICUBIC), dtype=np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1) / 255)

    def encode_images(self, images: Pixels | Picture | Iterable[Picture]) -> Vectors:
        if self._images is None:
            raise EncoderError(f"{self.name}: reads captions only; give encoder_from_functions a function of images")
        if not is_pixels(images):
            return images_to_vectors(self, images)
        pictures = [Image.fromarray(np.rint(pixels.transpose(1, 2, 0) * 255).astype(np.uint8)) for pixels in images]
        return self._unit(self._images, pictures)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """The bytes of each text, padded with -1: whole texts reach the function."""
        encoded = [np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8) for text in texts]
        lengths = np.array([len(some) for some in encoded], dtype=np.int64)
        ids = np.full((len(texts), int(lengths.max(initial=1))), -1, dtype=np.int64)
        for row, some in zip(ids, encoded, strict=True):
            row[: len(some)] = some
        return Tokens(ids, lengths, np.zeros(len(texts), dtype=bool))

    def encode_texts(self, texts: Tokens | str | Sequence[str]) -> Vectors:
        if not isinstance(texts, Tokens):
            return texts_to_vectors(self, texts)
        read = [row[row >= 0].astype(np.uint8).tobytes().decode("utf-8", "replace") for row in texts.ids]
        return self._unit(self._texts, read) if read else np.zeros((0, self.dim), np.float32)

    def _unit(self, function: Callable[[list[Any]], NDArray[Any]], items: list[Any]) -> Vectors:
        count = len(items)
        try:
            vectors = np.asarray(function(items), dtype=np.float32)
        except Exception as error:
            raise EncoderError(f"{self.name}: a function fails ({_told(error)}); mend it") from error
        if vectors.shape != (count, self.dim):
            raise EncoderError(
                f"{self.name}: a function gave {vectors.shape} for {count} items, not ({count}, {self.dim})"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return unit
