"""Image files to RGB pictures and thumbnails; whatever is wrong with a file becomes UnreadableImage."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 80_000_000
"""240 MB as RGB, and below the size from which Pillow itself warns (89 million pixels)."""

EMPTY = "image is empty"
NOT_AN_IMAGE = "not an image"
TRUNCATED = "image is truncated"
CORRUPT = "image is corrupt"
TOO_LARGE = "image is too large"
UNSUPPORTED = "image kind is not supported"

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


class UnreadableImage(Exception):
    """These bytes give no picture; `reason` says why in a few fixed words, fit to be counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `data` as upright RGB: JPEG, PNG, TIFF, GIF, BMP or WebP, told apart by content; the first frame.

    Transparent parts become white, because figures are drawn for paper. 16-bit, 32-bit and float pictures are stretched
    linearly from their least to their greatest value: a 12-bit scan kept in 16 bits would be nearly black under a fixed
    division, and floats have no fixed range at all. Raises UnreadableImage, and nothing else, for every other input.
    Thread-safe, and silent: no warning of Pillow's gets out.

    A picture of more than `max_pixels` is refused from its header, before memory is taken for it. Pillow's own limit is
    a global of its module; it is raised only where a caller asks for more pixels than it allows.
    """
    if not data:
        raise UnreadableImage(EMPTY)
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = _open(data, max_pixels)
        if image.width * image.height > max_pixels:
            raise UnreadableImage(TOO_LARGE)
        image.load()
        picture = _upright(_to_rgb(image), _orientation(image.info.get("exif")))
        picture.info.clear()  # comments and profiles would get into whatever is saved from it
        return picture
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise UnreadableImage(TOO_LARGE) from None
    except Exception as error:  # Pillow's readers raise nearly every built-in exception on damaged files
        raise UnreadableImage(_reason(error)) from error


def thumbnail(image: Image.Image, size: int) -> bytes:
    """`image` as a JPEG whose longer side has at most `size` pixels; never enlarged."""
    scale = min(1.0, size / max(image.size))
    small = image.convert("RGB")
    if scale < 1.0:
        small = small.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))), reducing_gap=2.0
        )
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


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
        return PngImageFile(io.BytesIO(_still(data)))
    if data.startswith((b"GIF87a", b"GIF89a")):
        if _pixels_of_gif(data) > max_pixels:
            raise UnreadableImage(TOO_LARGE)
        return GifImageFile(io.BytesIO(data))
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile(io.BytesIO(_only_picture_tags(data)))
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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_stretched(np.asarray(image))).convert("RGB")
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


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _orientation(exif: bytes | None) -> int:
    """Tag 274 of an EXIF block; 1 (upright) where there is none or the block is damaged. Pillow's parser would warn."""
    if not exif:
        return 1
    block = exif.removeprefix(b"Exif\0\0")
    try:
        order = {b"II": "<", b"MM": ">"}[block[:2]]
        (start,) = struct.unpack_from(order + "L", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", block, entry)
            if tag == 274 and kind == 3:
                return int(value)
    except (KeyError, struct.error):
        pass
    return 1


def _pixels_of_gif(gif: bytes) -> int:
    """The pixels of a GIF with its first frame, which may be larger than the header says: Pillow would warn of that."""
    try:
        width, height, flags = struct.unpack_from("<HHB", gif, 6)
        at = 13 + (6 << (flags & 7) if flags & 0x80 else 0)
        while gif[at] == 0x21:  # extensions, each a chain of blocks that ends with an empty one
            at += 2
            while gif[at]:
                at += 1 + gif[at]
            at += 1
        x, y, frame_width, frame_height = struct.unpack_from("<HHHH", gif, at + 1)
    except (struct.error, IndexError):
        raise UnreadableImage(TRUNCATED) from None
    return int(max(width, x + frame_width) * max(height, y + frame_height))


def _still(png: bytes) -> bytes:
    """A PNG file without the chunk that announces an animation: the default image is left, and Pillow does not warn."""
    at = 8
    while at + 8 <= len(png):
        length, kind = struct.unpack_from(">L4s", png, at)
        if kind == b"acTL":
            return png[:at] + png[at + 12 + length :]
        if kind == b"IDAT":
            break
        at += 12 + length
    return png


PICTURE_TAGS = {
    *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325),
    *(332, 338, 339, 347, 512, 513, 514, 529, 530, 531, 532),
}
"""The TIFF tags that say how pixels are stored (TIFF 6.0); all others describe, and are not needed to see."""
SINGLE_TAGS = {254, 256, 257, 259, 266, 274, 277, 278, 284, 292, 293, 317, 322, 323, 332, 512, 513, 514, 531}
VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def _only_picture_tags(tiff: bytes) -> bytes:
    """A TIFF file whose first directory keeps only sound tags that say how pixels are stored, and has no next one.

    Microscopes and scanners write damaged or private tags; Pillow warns about each, through a mechanism that cannot be
    silenced safely with several threads. Raises UnreadableImage where a needed tag points outside of the file.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    big = 43 in tiff[2:4]
    head, entry, inline = ("Q", "HHQ8s", 8) if big else ("H", "HHL4s", 4)
    offset = "Q" if big else "L"
    step = struct.calcsize("<" + entry)
    kept: list[bytes] = []
    elsewhere = 0
    try:
        (start,) = struct.unpack_from(order + offset, tiff, 8 if big else 4)
        (count,) = struct.unpack_from(order + head, tiff, start)
        first = start + struct.calcsize("<" + head)
        if first + step * count > len(tiff):
            raise UnreadableImage(TRUNCATED)
        for at in range(first, first + step * count, step):
            tag, kind, values, data = struct.unpack_from(order + entry, tiff, at)
            if tag not in PICTURE_TAGS or kind not in VALUE_BYTES:
                continue
            if values == 0 or (tag in SINGLE_TAGS and values != 1):
                raise UnreadableImage(CORRUPT)
            size = values * VALUE_BYTES[kind]
            if tag == 277 and int.from_bytes(data[:size], "little" if order == "<" else "big") > 6:
                raise UnreadableImage(UNSUPPORTED)  # of so many channels Pillow makes no picture
            if size > inline:
                elsewhere += size
                if struct.unpack(order + offset, data)[0] + size > len(tiff) or elsewhere > len(tiff):
                    raise UnreadableImage(TRUNCATED)
            kept.append(tiff[at : at + step])
    except struct.error:
        raise UnreadableImage(TRUNCATED) from None
    table = struct.pack(order + head, len(kept)) + b"".join(kept) + struct.pack(order + offset, 0)
    # Appended rather than written in place: a file may let tag values overlap its directory.
    where = len(tiff) + len(tiff) % 2
    place = struct.pack(order + offset, where)
    at = 8 if big else 4
    return tiff[:at] + place + tiff[at + len(place) :].ljust(where - at - len(place), b"\0") + table
