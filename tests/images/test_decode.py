"""What decode makes of every kind of image file, whole and broken."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from retrieval.images.decode import MAX_PIXELS, decode
from retrieval.images.image_bytes import UnreadableImage

RED = (255, 0, 0)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture in colours, so that lossy formats keep it nearly as it is."""
    y, x = np.mgrid[:height, :width]
    channels = [255 * x / width, 255 * y / height, 255 * (x + y) / (width + height)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


def reason(data: bytes, **options: int) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(data, **options)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"])
def test_every_kind_of_file_gives_the_picture_in_rgb(kind):
    image = decode(encoded(photograph(), kind))
    assert (image.mode, image.size) == ("RGB", (48, 32))
    assert difference(image, photograph()) < 12  # a GIF has 256 colours


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff_is_read(compression):
    assert difference(decode(encoded(photograph(), "TIFF", compression=compression)), photograph()) < 8


def test_big_tiff_is_read():
    assert difference(decode(encoded(photograph(), "TIFF", big_tiff=True)), photograph()) == 0


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_becomes_the_same_colours_in_rgb(kind):
    assert difference(decode(encoded(photograph().convert("CMYK"), kind)), photograph()) < 8


def test_ycck_jpeg_as_photoshop_writes_it_is_converted():
    inks = Image.merge("CMYK", [Image.new("L", (16, 16), ink) for ink in (55, 127, 127, 0)])
    as_cmyk = bytearray(encoded(inks, "JPEG", quality=100))
    marker = as_cmyk.index(b"Adobe\0")
    assert as_cmyk[marker + 11] == 0  # the values are not transformed
    assert np.abs(np.subtract(decode(bytes(as_cmyk)).getpixel((8, 8)), (200, 128, 128))).max() < 4
    as_ycck = as_cmyk.copy()
    as_ycck[marker + 11] = 2  # the same values, inverted as Adobe does, are now Y 200, Cb 128, Cr 128: a grey
    assert np.abs(np.subtract(decode(bytes(as_ycck)).getpixel((8, 8)), (55, 55, 55))).max() < 4


def test_lab_tiff_becomes_the_same_colours_in_rgb():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(photograph(), to_lab)
    assert difference(decode(encoded(lab, "TIFF")), photograph()) < 4


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_pictures_of_one_channel_become_rgb(mode):
    image = photograph().convert(mode)
    assert decode(encoded(image, "PNG")) == image.convert("RGB")


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (255, 0, 0, 0)), ("LA", (0, 0))])
def test_transparent_parts_are_white_like_paper(mode, clear):
    image = Image.new(mode, (4, 4), clear)
    assert decode(encoded(image, "PNG")).getcolors() == [(16, (255, 255, 255))]


def test_half_transparent_black_is_grey():
    assert decode(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "PNG")).getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize(("kind", "transparency"), [("PNG", 0), ("PNG", bytes([0, 255])), ("GIF", 0)])
def test_a_transparent_palette_entry_is_white(kind, transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((1, 0), 1)
    opened = decode(encoded(image, kind, transparency=transparency))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), RED]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_of_a_png_is_white(mode):
    image = Image.new(mode, (2, 1), "black")
    image.putpixel((1, 0), 200 if mode == "L" else RED)
    opened = decode(encoded(image, "PNG", transparency=0 if mode == "L" else (0, 0, 0)))
    assert opened.getpixel((0, 0)) == (255, 255, 255)
    assert opened.getpixel((1, 0)) == ((200, 200, 200) if mode == "L" else RED)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_12_bit_scan_in_16_bits_is_stretched_to_full_range(kind):
    scan = np.linspace(0, 4095, 256).astype(np.uint16).reshape(16, 16)
    values = np.asarray(decode(encoded(Image.fromarray(scan), kind)))[..., 0]
    assert values.ravel().tolist() == np.rint(scan.ravel() / 4095 * 255).tolist()


def test_big_endian_16_bit_tiff_is_stretched_too():
    scan = np.array([[0, 1000], [2000, 4000]], ">u2")
    header = struct.pack(">2sHL", b"MM", 42, 16) + scan.tobytes()
    tags = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 3, 1, 2), (279, 4, 1, 8)]
    directory = b"".join(
        struct.pack(">HHL", tag, kind, count) + value.to_bytes(2 if kind == 3 else 4, "big").ljust(4, b"\0")
        for tag, kind, count, value in tags
    )
    image = decode(header + struct.pack(">H", len(tags)) + directory + bytes(4))
    assert np.asarray(image)[..., 0].tolist() == [[0, 64], [128, 255]]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_wide_and_float_pictures_are_stretched_from_least_to_greatest(dtype):
    values = np.array([[-1000, 0], [500, 1000]], dtype)
    assert np.asarray(decode(encoded(Image.fromarray(values), "TIFF")))[..., 0].tolist() == [[0, 128], [191, 255]]


def test_not_a_number_and_infinity_do_not_spoil_a_float_picture():
    values = np.array([[0, 1], [np.nan, np.inf]], np.float32)
    assert np.asarray(decode(encoded(Image.fromarray(values), "TIFF")))[..., 0].tolist() == [[0, 255], [0, 255]]


def test_a_float_picture_of_extreme_range_is_stretched_without_overflow():
    values = np.array([[-3e38, 0, 3e38]], np.float32)
    assert np.asarray(decode(encoded(Image.fromarray(values), "TIFF")))[..., 0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("values", [np.full((3, 3), 7, np.uint16), np.full((3, 3), np.nan, np.float32)])
def test_a_picture_without_contrast_is_black(values):
    assert decode(encoded(Image.fromarray(values), "TIFF")).getcolors() == [(9, (0, 0, 0))]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data).getcolors() == [(64, RED)]


def test_exif_rotation_is_applied():
    stored = Image.new("RGB", (6, 4), "white")
    stored.paste(RED, (0, 0, 3, 2))  # upper left
    corners = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    for orientation, (right, low) in corners.items():
        exif = Image.Exif()
        exif[274] = orientation
        for kind in ("PNG", "TIFF", "JPEG", "WEBP"):
            options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}
            image = decode(encoded(stored, kind, exif=exif, **options))
            assert image.size == ((6, 4) if orientation < 5 else (4, 6)), (kind, orientation)
            place = (right * (image.width - 1), low * (image.height - 1))
            assert np.abs(np.subtract(image.getpixel(place), RED)).max() < 8, (kind, orientation)


DAMAGED_EXIF = [
    b"Exif\0\0",
    b"Exif\0\0MM\0*",
    b"Exif\0\0II*\0\xff\xff\xff\xff",
    b"\0",
    b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
]


@pytest.mark.parametrize("exif", DAMAGED_EXIF)
def test_a_damaged_exif_block_does_not_cost_the_picture(exif):
    for kind in ("JPEG", "PNG", "WEBP"):
        assert decode(encoded(photograph(), kind, exif=exif)).size == (48, 32)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1)])
def test_extremely_long_pictures_work(size):
    image = decode(encoded(Image.new("RGB", size, RED), "PNG"))
    assert image.size == size


def test_an_animation_that_is_announced_wrongly_does_not_cost_the_picture():
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, "blue")]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    at = data.index(b"acTL")
    broken = data[: at + 4] + bytes(4) + data[at + 8 :]
    broken = broken[: at + 12] + struct.pack(">L", zlib.crc32(broken[at : at + 12])) + broken[at + 16 :]
    assert decode(broken).getcolors() == [(64, RED)]


def test_private_and_damaged_tags_of_a_tiff_do_not_cost_the_picture():
    data = encoded(photograph(), "TIFF", tiffinfo={270: "a description", 305: "a microscope", 65000: "private"})
    at = data.index(struct.pack("<HHL", 305, 2, 13))
    damaged = data[: at + 8] + b"\xff\xff\xff\x7f" + data[at + 12 :]
    assert difference(decode(damaged), photograph()) == 0


def test_reasons_are_a_few_fixed_words():
    png, jpeg = encoded(photograph(), "PNG"), encoded(photograph(), "JPEG")
    assert reason(b"") == "image is empty"
    assert reason(b"<html>404 Not Found</html>") == "not an image"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0") == "not an image"
    assert reason(bytes(1000)) == "not an image"
    assert reason(png[: len(png) // 2]) == "image is truncated"
    assert reason(jpeg[: len(jpeg) // 2]) == "image is truncated"
    assert reason(png[:40] + b"\xff\xff" + png[42:]) == "image is corrupt"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF"])
def test_half_a_file_is_truncated(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, kind)
    assert reason(data[: len(data) // 2]) == "image is truncated"


def test_the_limit_on_pixels_is_checked_before_decoding():
    header_only = encoded(Image.new("L", (100, 100)), "PNG")[:50]
    assert reason(header_only, max_pixels=9_999) == "image is too large"
    assert decode(encoded(Image.new("L", (100, 100)), "PNG"), max_pixels=10_000).size == (100, 100)


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; its data are those of one row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 9_000), (20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_without_a_warning(size):
    assert reason(claiming(*size)) == "image is too large"


def test_a_frame_larger_than_its_gif_is_refused_before_decoding():
    gif = bytearray(encoded(Image.new("P", (4, 4)), "GIF"))
    frame = gif.index(b"\x2c\0\0\0\0\4\0\4\0")
    gif[frame + 5 : frame + 9] = struct.pack("<HH", 10_000, 9_000)
    assert reason(bytes(gif)) == "image is too large"


def tiff(samples: int, bits: int, photometric: int) -> bytes:
    """A TIFF of one pixel, little-endian and uncompressed."""
    tags = [
        (256, 4, 1, 1),
        (257, 4, 1, 1),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (277, 3, 1, samples),
    ]
    tags += [(279, 4, 1, samples * bits // 8)]
    bits_at = 8 + samples * bits // 8
    size_tag = (258, 3, samples, bits_at) if samples > 2 else (258, 3, samples, bits | bits << 16)
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in sorted([*tags, size_tag]))
    pixel = bytes(range(1, 1 + samples * bits // 8))
    start = bits_at + 2 * samples
    values = struct.pack("<H", bits) * samples
    header = b"II*\0" + start.to_bytes(4, "little")
    return header + pixel + values + struct.pack("<H", len(tags) + 1) + entries + bytes(4)


def test_tiff_with_16_bits_a_channel_keeps_the_upper_ones():
    assert decode(tiff(3, 16, 2)).getpixel((0, 0)) == (2, 4, 6)


def test_an_arrangement_of_channels_that_is_no_picture_is_not_supported():
    assert decode(tiff(3, 8, 2)).getpixel((0, 0)) == (1, 2, 3)
    assert reason(tiff(7, 8, 2)) == "image kind is not supported"


def test_a_caller_who_asks_for_more_gets_it_and_pillows_own_limit_stays(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)
    assert reason(claiming(10_000, 9_000)) == "image is too large"
    assert Image.MAX_IMAGE_PIXELS == 89_478_485
    assert MAX_PIXELS < 89_478_485
    assert reason(claiming(10_000, 9_000), max_pixels=100_000_000) == "image is truncated"
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


def samples() -> list[tuple[str, bytes]]:
    noisy = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 20, 3), np.uint8))
    exif = Image.Exif()
    exif[274] = 6
    exif[305] = "a long description that lies outside of the directory"
    frames = [noisy, noisy.rotate(90)]
    return [
        ("jpeg", encoded(noisy, "JPEG", exif=exif)),
        ("progressive jpeg", encoded(noisy, "JPEG", progressive=True)),
        ("cmyk jpeg", encoded(noisy.convert("CMYK"), "JPEG")),
        ("png", encoded(noisy, "PNG", exif=exif)),
        ("palette png", encoded(noisy.convert("P"), "PNG", transparency=3)),
        ("animated png", encoded(noisy, "PNG", save_all=True, append_images=frames[1:])),
        ("tiff", encoded(noisy, "TIFF", tiffinfo={270: "a description", 305: "a microscope"}, exif=exif)),
        ("deflated tiff", encoded(noisy, "TIFF", compression="tiff_adobe_deflate")),
        ("16-bit tiff", encoded(noisy.convert("I;16"), "TIFF")),
        ("gif", encoded(noisy, "GIF", save_all=True, append_images=frames[1:])),
        ("webp", encoded(noisy, "WEBP", exif=exif)),
        ("bmp", encoded(noisy, "BMP")),
    ]


REASONS = {
    "image is empty",
    "not an image",
    "image is truncated",
    "image is corrupt",
    "image is too large",
    "image kind is not supported",
}


def outcome(data: bytes) -> str:
    """The mode of the picture, or why there is none."""
    try:
        image = decode(data, max_pixels=1_000_000)
    except UnreadableImage as error:
        return error.reason
    return image.mode if image.width * image.height <= 1_000_000 else "beyond the limit"


@pytest.mark.slow
@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in samples()])
def test_whatever_is_cut_off_or_changed_gives_an_image_or_a_reason_and_no_warning(data):
    rng = np.random.default_rng(2)
    lengths = {*range(min(len(data), 120)), *rng.integers(0, len(data), 60).tolist()}
    broken = [data[:length] for length in sorted(lengths)]
    for _ in range(250):
        changed = bytearray(data)
        # Half of the changes fall into the headers, where they do most harm.
        reach = 200 if rng.random() < 0.5 else len(data)
        for at in rng.integers(0, min(reach, len(data)), rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        broken.append(bytes(changed))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcomes = {outcome(file) for file in broken}
    assert {"RGB", "image is empty", "image is truncated", "not an image"} <= outcomes <= {"RGB", *REASONS}
    assert caught == []


def test_threads_decode_without_disturbing_each_other_or_the_warnings():
    before = list(warnings.filters)
    files = [data for _, data in samples()]
    expected = [outcome(data) for data in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(outcome, files * 10)) == expected * 10
    assert warnings.filters == before
