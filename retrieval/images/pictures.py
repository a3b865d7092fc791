"""Pictures as people hold them: a path, the bytes of a file, a PIL image or an array."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.errors import QueryError
from retrieval.images.decode import MAX_PIXELS, decode, to_rgb, upright
from retrieval.images.image_bytes import UnreadableImage, orientation
from retrieval.keywords import each_of

Picture = str | Path | bytes | Image.Image | NDArray[Any]
"""An image by its path, by the bytes of its file, open in PIL, or as an array."""


LONE = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)
"""Types of which one value is one picture."""
EXPECTED = "a path, bytes, a PIL image or an array"


class NormalisedArray(UnreadableImage):
    """An array of floats that was prepared for a model, or holds what is no number."""


def open_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The upright RGB picture of a path, the bytes of an image file, a PIL image, or an array.

    Arrays are as `picture_of_array` has them.
    Raises QueryError, naming the picture, where it cannot be read.
    """
    name = str(source) if isinstance(source, str | Path) else "the image"
    if isinstance(source, str) and "://" in source:
        raise QueryError(f"{source}: only files on this machine are read; download it first and give its path")
    try:
        if isinstance(source, str | Path):
            return decode(Path(source).read_bytes(), max_pixels)
        if isinstance(source, bytes | bytearray | memoryview):
            return decode(bytes(source), max_pixels)
        if not isinstance(source, Image.Image) and not hasattr(source, "__array__"):
            way_out = "; give what its read() returns" if hasattr(source, "read") else ""
            raise QueryError(f"an image is {EXPECTED}, not {type(source).__name__}{way_out}")
        image = source if isinstance(source, Image.Image) else picture_of_array(source)
        return upright(to_rgb(image), orientation(image.info.get("exif")))
    except UnreadableImage as error:
        raise QueryError(f"{name}: {error.reason}; {_way_out(source)}") from error
    except OSError as error:
        raise QueryError(f"{name}: cannot be read ({error.strerror or error}); give an image file") from error


def _way_out(source: Picture) -> str:
    if isinstance(source, np.ndarray):
        return "give (height, width), (height, width, 3) or (height, width, 4), of pixels from 0 to 255 or from 0 to 1"
    return "give a JPEG, PNG, TIFF, GIF, BMP or WebP file"


def each_picture(pictures: Any) -> Iterable[Any]:
    """Several pictures one by one, a single one as a list of it. Raises QueryError for what is neither."""
    return [pictures] if is_array(pictures) else each_of(pictures, LONE, EXPECTED)


def is_array(value: Any) -> bool:
    """Tell whether a value has the dimensions of a picture: an array, or a tensor of torch."""
    return hasattr(value, "__array__") and hasattr(value, "dtype") and getattr(value, "ndim", 0) in (2, 3)


def picture_of_array(source: Any) -> Image.Image:
    """An array or tensor as a picture: rows, columns and channels, or channels first as torch has them; whole numbers,
    or shares of 1. Raises UnreadableImage where it is none, such as one that was normalised for a model."""
    pixels = np.asarray(source.detach().cpu() if hasattr(source, "detach") else source)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise UnreadableImage(f"an array of shape {pixels.shape} is no picture")
    if pixels.dtype.kind == "f":
        least, most = float(pixels.min()), float(pixels.max())
        if not 0 <= least <= most <= 255:
            raise NormalisedArray(f"an array from {least:.3g} to {most:.3g} is no picture")
        pixels = np.round(pixels * 255 if most <= 1 else pixels)
    if pixels.dtype.kind in "iuf" and pixels.min() >= 0 and pixels.max() <= 255:
        pixels = pixels.astype(np.uint8)
    try:
        return Image.fromarray(np.ascontiguousarray(pixels))
    except (TypeError, ValueError):
        raise UnreadableImage(f"an array of {pixels.dtype} is no picture") from None
