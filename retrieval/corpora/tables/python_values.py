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
from retrieval.images.image_bytes import UnreadableImage
from retrieval.images.pictures import NormalisedArray, is_array, picture_of_array

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An image as Hugging Face writes it: the bytes of a file, or its path."""

FILES = pa.list_(FILE)

JSON = {b"values": b"json"}
"""The metadata of a column whose values are of several types."""

WITHOUT_FIELDS = "struct<>"
"""The type of objects that are all empty, which Parquet does not know."""

TEXTS = {*CAPTIONS, *FIGURE_ID, *ARTICLE_ID}


def column(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    """One column of some rows and its description."""
    values = [_simple(value) for value in values]
    if plain_name(name) in TEXTS:
        values = [_text(value) for value in values]
    if any(isinstance(value, list | tuple) and any(map(holds_picture, value)) for value in values):
        return _described(name, as_files(values, FILES))
    if any(map(holds_picture, values)):
        return _described(name, as_files(values, FILE))
    try:
        made = pa.array(values, from_pandas=True)
        if WITHOUT_FIELDS not in str(made.type):
            return _described(name, made)
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


def holds_picture(value: Any) -> bool:
    """Tell whether a value is a picture itself: the bytes of a file, a PIL image, an array or tensor of pixels."""
    return isinstance(value, Image.Image | bytes | bytearray | memoryview) or is_array(value)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _simple(value: Any) -> Any:
    """A value as Arrow knows it: paths as text, open files as what they hold, arrays
    and their scalars as lists and numbers, missing ones as None."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str):
        return text_of(value)
    if holds_picture(value):
        return value
    if hasattr(value, "read") and hasattr(value, "seek"):  # an open file
        return value.read()
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor
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
        case _ if is_array(value):
            return _png(_picture(value))
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


def _picture(pixels: Any) -> Image.Image | None:
    """An array as a picture, None where it is none. Raises CorpusError for what was normalised for a model."""
    try:
        return picture_of_array(pixels)
    except NormalisedArray as error:
        raise CorpusError(
            f"{error.reason}; give pixels from 0 to 255 or from 0 to 1, before they are normalised for a model"
        ) from None
    except UnreadableImage:
        return None
