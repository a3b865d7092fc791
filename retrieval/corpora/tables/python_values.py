"""Columns of Python values for Arrow: pictures as the files that hold them, values of several types as JSON."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from retrieval.corpora.tables.columns import ARTICLE_ID, CAPTIONS, FIGURE_ID, plain_name
from retrieval.corpora.tables.values import clean, text_of
from retrieval.errors import CorpusError

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An image as Hugging Face writes it: the bytes of a file, or its path."""

FILES = pa.list_(FILE)

JSON = {b"values": b"json"}
"""The metadata of a column whose values are of several types."""

TEXTS = {*CAPTIONS, *FIGURE_ID, *ARTICLE_ID}


def column(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    """One column of some rows and its description."""
    values = [_simple(value) for value in values]
    if plain_name(name) in TEXTS:
        values = [_text(value) for value in values]
    if any(isinstance(value, list | tuple) and any(map(is_picture, value)) for value in values):
        return _described(name, as_files(values, FILES))
    if any(map(is_picture, values)):
        return _described(name, as_files(values, FILE))
    try:
        return _described(name, pa.array(values, from_pandas=True))
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        if any(isinstance(value, Mapping) and value and value.keys() <= {"bytes", "path"} for value in values):
            return _described(name, as_files(values, FILE))
        return pa.field(name, pa.string(), metadata=JSON), as_json(values)


def _described(name: str, made: pa.Array) -> tuple[pa.Field, pa.Array]:
    return pa.field(name, made.type), made


def as_json(values: Sequence[Any]) -> pa.Array:
    """Values as lines of JSON."""
    return pa.array([None if value is None else json.dumps(clean(value)) for value in values], pa.string())


def as_files(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Paths, files or lists of them as a column of `kind`: files, or lists of files."""
    if kind == FILE:
        return pa.array([_file(value) for value in values], FILE)
    return pa.array([None if value is None else [_file(one) for one in _listed(value)] for value in values], kind)


def is_picture(value: Any) -> bool:
    """Tell whether a value is a picture itself: the bytes of a file, a PIL image, an array or tensor of pixels."""
    return isinstance(value, Image.Image | bytes | bytearray | memoryview) or _is_pixels(value)


def _is_pixels(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "dtype") and getattr(value, "ndim", 0) in (2, 3)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _simple(value: Any) -> Any:
    """A value as Arrow knows it: paths as text, arrays and their scalars as lists and numbers, missing ones as None."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str):
        return text_of(value)
    if is_picture(value):
        return value
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu().numpy()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _text(value: Any) -> Any:
    """A text that came as bytes."""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray | memoryview) else value


def _file(value: Any) -> dict[str, Any] | None:
    match value:
        case None:
            return None
        case Mapping():
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        case str():
            return {"bytes": None, "path": value}
        case bytes() | bytearray() | memoryview():
            return {"bytes": bytes(value), "path": None}
        case Image.Image():
            return _png(value)
        case _ if _is_pixels(value):
            return _png(_picture(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)))
    return {"bytes": b"", "path": None}


def _png(picture: Image.Image | None) -> dict[str, Any]:
    """A picture as a file; one that is none as an empty file, which is skipped by that reason."""
    file = io.BytesIO()
    if picture is not None:
        try:
            picture.save(file, "PNG")
        except (OSError, ValueError):
            picture.convert("RGB").save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def _picture(pixels: np.ndarray[Any, Any]) -> Image.Image | None:
    """An array as a picture: rows, columns and channels, or channels first as torch has them; whole numbers, or shares
    of 1. None where it is neither. Raises CorpusError for what was normalised for a model."""
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype.kind == "f" and pixels.size:
        least, most = float(pixels.min()), float(pixels.max())
        if least < 0 or most > 255:
            raise CorpusError(
                f"an array from {least:.3g} to {most:.3g} is no picture; give pixels from 0 to 255 or from 0 to 1, "
                "before they are normalised for a model"
            )
        pixels = np.round(pixels * 255 if most <= 1 else pixels)
    if pixels.dtype.kind not in "bu" and pixels.size and pixels.min() >= 0 and pixels.max() <= 255:
        pixels = pixels.astype(np.uint8)
    try:
        return Image.fromarray(np.ascontiguousarray(pixels))
    except (TypeError, ValueError):
        return None
