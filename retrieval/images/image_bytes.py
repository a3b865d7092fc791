"""What is read or mended in the bytes of an image file before Pillow sees it, so that it neither warns nor bursts."""

from __future__ import annotations

import struct

EMPTY = "image is empty"
NOT_AN_IMAGE = "not an image"
TRUNCATED = "image is truncated"
CORRUPT = "image is corrupt"
TOO_LARGE = "image is too large"
UNSUPPORTED = "image kind is not supported"


class UnreadableImage(Exception):
    """These bytes give no picture; `reason` says why in a few fixed words, fit to be counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def orientation(exif: bytes | None) -> int:
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


def pixels_of_gif(gif: bytes) -> int:
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


def still(png: bytes) -> bytes:
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


def only_picture_tags(tiff: bytes) -> bytes:
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
