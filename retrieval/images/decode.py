"""Image files to RGB pictures; whatever is wrong with a file becomes UnreadableImage."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from retrieval.images.image_bytes import (
    CORRUPT,
    EMPTY,
    NOT_AN_IMAGE,
    TOO_LARGE,
    TRUNCATED,
    UNSUPPORTED,
    UnreadableImage,
    only_picture_tags,
    orientation,
    pixels_of_gif,
    still,
)

__all__ = ["MAX_PIXELS", "UnreadableImage", "decode"]

MAX_PIXELS = 80_000_000
"""240 MB as RGB, and below the size from which Pillow itself warns (89 million pixels)."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what makes the picture upright (CIPA DC-008, tag 274)."""


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `data` as upright RGB: JPEG, PNG, TIFF, GIF, BMP or WebP, told apart by content; the first frame.

    Transparent parts become white, because figures are drawn for paper. 16-bit, 32-bit and float pictures are stretched
    linearly from their least to their greatest value: a 12-bit scan kept in 16 bits would be nearly black under a fixed
    division, and floats have no fixed range at all. Raises UnreadableImage, and nothing else, for every other input.
    Thread-safe, and silent: no warning of Pillow's gets out.

    A picture of more than `max_pixels` is refused from its header, before memory is taken for it. Pillow's own limit, a
    global of its module, is left alone: it holds for Image.open, which is not used here.
    """
    if not data:
        raise UnreadableImage(EMPTY)
    try:
        image = _open(data, max_pixels)
        if image.width * image.height > max_pixels:
            raise UnreadableImage(TOO_LARGE)
        as_stored = _numbers_of_tiff(image) if isinstance(image, TiffImageFile) else np.asarray
        image.load()
        picture = upright(to_rgb(image, as_stored), orientation(image.info.get("exif")))
        picture.info.clear()  # comments and profiles would get into whatever is saved from it
        return picture
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise UnreadableImage(TOO_LARGE) from None
    except Exception as error:  # Pillow's readers raise nearly every built-in exception on damaged files
        raise UnreadableImage(_reason(error)) from error


class _Jpeg(JpegImageFile):
    """A JPEG file whose EXIF block Pillow does not parse while opening: it warns about damaged ones."""

    def _read_dpi_from_exif(self) -> None:
        return


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """The opened file, header read, pixels not yet. The readers are called directly, past Image.open: its limit on
    pixels is a global with a warning, and it would try forty formats, some of which start other programs."""
    if data.startswith(b"\xff\xd8\xff"):
        return _Jpeg(io.BytesIO(data))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile(io.BytesIO(still(data)))
    if data.startswith((b"GIF87a", b"GIF89a")):
        if pixels_of_gif(data) > max_pixels:
            raise UnreadableImage(TOO_LARGE)
        return GifImageFile(io.BytesIO(data))
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile(io.BytesIO(only_picture_tags(data)))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        if len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise UnreadableImage(TRUNCATED)
        return WebPImageFile(io.BytesIO(data))
    if data.startswith(b"BM"):
        return BmpImageFile(io.BytesIO(data))
    raise UnreadableImage(NOT_AN_IMAGE)


def _reason(error: Exception) -> str:
    message = str(error).lower()
    if isinstance(error, EOFError) or "truncated" in message or "end of file" in message:
        return TRUNCATED
    if "unknown pixel mode" in message or "unsupported" in message or "not supported" in message:
        return UNSUPPORTED
    return CORRUPT


INVERTED, SEPARATE, SIGNED = 0, 2, 2
"""Values of the tags PhotometricInterpretation (262, WhiteIsZero), PlanarConfiguration (284) and SampleFormat (339)."""


def _numbers_of_tiff(image: TiffImageFile) -> Callable[[Image.Image], NDArray[Any]]:
    """What makes the stored numbers of a TIFF file's pixels out of Pillow's, which mistakes some of them: it leaves out
    that white is zero where there are more than 8 bits, and takes unsigned 32 bits for signed and signed 8 bits for
    unsigned. Raises UnreadableImage for wide channels that are stored apart, which it mixes up.
    """
    bits, numbers = image.tag_v2.get(258, (1,)), image.tag_v2.get(339, (1,))
    if image.tag_v2.get(284) == SEPARATE and len(bits) > 1 and max(bits) > 8:
        raise UnreadableImage(UNSUPPORTED)
    wide_and_inverted = image.tag_v2.get(262) == INVERTED and max(bits) > 8

    def as_stored(loaded: Image.Image) -> NDArray[Any]:
        pixels = np.asarray(loaded)
        if loaded.mode == "I" and max(bits) == 32 and SIGNED not in numbers:
            pixels = pixels.view(np.uint32)
        elif loaded.mode == "L" and max(bits) == 8 and SIGNED in numbers:
            pixels = pixels.view(np.int8)
        return -pixels.astype(np.float64) if wide_and_inverted else pixels

    return as_stored


def to_rgb(image: Image.Image, as_stored: Callable[[Image.Image], NDArray[Any]] = np.asarray) -> Image.Image:
    pixels = as_stored(image) if image.mode in ("L", "I", "F") or image.mode.startswith("I;16") else None
    if pixels is not None and (image.mode != "L" or pixels.dtype == np.int8):
        grey = Image.fromarray(_stretched(pixels))
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            grey.paste("white", mask=Image.fromarray(np.asarray(image) == clear))
        return grey.convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info or _has_clear_palette(image):
        rgba = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(rgba, mask=rgba.getchannel("A"))
        return paper
    return image.convert("RGB")


def _has_clear_palette(image: Image.Image) -> bool:
    return image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"


def _stretched(pixels: np.ndarray) -> np.ndarray:
    """(height, width) of any numbers to uint8: least to 0, greatest to 255; not-a-number to 0."""
    values = pixels.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = values[finite].min(), values[finite].max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    # Halved, because the difference of the two greatest floats overflows.
    scaled = (np.clip(values, low, high) / 2 - low / 2) / (high / 2 - low / 2) * 255
    return np.where(np.isnan(scaled), 0, np.rint(scaled)).astype(np.uint8)


def upright(image: Image.Image, exif_orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[exif_orientation]) if exif_orientation in UPRIGHT else image
