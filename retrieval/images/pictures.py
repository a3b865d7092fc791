"""Pictures as people hold them: a path, the bytes of a file, a PIL image or an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.errors import QueryError
from retrieval.images.decode import MAX_PIXELS, decode, to_rgb, upright
from retrieval.images.image_bytes import UnreadableImage, orientation

Picture = str | Path | bytes | Image.Image | NDArray[Any]
"""An image by its path, by the bytes of its file, open in PIL, or as (height, width[, 3 or 4])."""


def open_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The upright RGB picture of a path, the bytes of an image file, a PIL image, or an array.

    Arrays are (height, width), (height, width, 3) or (height, width, 4): uint8, or floats from 0 to 1.
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
        image = source if isinstance(source, Image.Image) else _of_array(source)
        return upright(to_rgb(image), orientation(image.info.get("exif")))
    except UnreadableImage as error:
        raise QueryError(f"{name}: {error.reason}; give a JPEG, PNG, TIFF, GIF, BMP or WebP file") from error
    except OSError as error:
        raise QueryError(f"{name}: cannot be read ({error.strerror or error}); give an image file") from error


def _of_array(source: NDArray[Any]) -> Image.Image:
    if not isinstance(source, np.ndarray):
        raise QueryError(f"an image is a path, bytes, a PIL image or an array, not {type(source).__name__}")
    shown = f"an image array is (height, width), (height, width, 3) or (height, width, 4), not {source.shape}"
    if source.ndim not in (2, 3) or 0 in source.shape or (source.ndim == 3 and source.shape[2] not in (3, 4)):
        raise QueryError(shown)
    if source.dtype == np.uint8:
        return Image.fromarray(source)
    if not np.issubdtype(source.dtype, np.floating) or not (source.min() >= 0 and source.max() <= 1):
        raise QueryError(f"an image array holds uint8, or floats from 0 to 1, not {source.dtype} of other values")
    return Image.fromarray(np.rint(source * 255).astype(np.uint8))
