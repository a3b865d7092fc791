"""Bit depths and photometric interpretations, as the formats' own libraries write and read them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from numpy.typing import NDArray

from retrieval.images.decode import UnreadableImage, decode

HEIGHT, WIDTH = 24, 32
RAMP = np.tile(np.linspace(0, 1, WIDTH), (HEIGHT, 1))
COLOURS = np.stack([RAMP, RAMP[:, ::-1], np.tile(np.linspace(0, 1, HEIGHT)[:, None], (1, WIDTH))], -1)
GREATEST = {"u1": 255, "u2": 65535, "u4": 2**32 - 1, "i1": 127, "i2": 32767, "f4": 1.0}


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(file.getvalue())), pixels)
    return file.getvalue()


def assert_shown(data: bytes, expected: NDArray[np.float64], levels: int = 1) -> None:
    """`expected` is (height, width) or (height, width, 3), from 0 (black) to 1 (white)."""
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=-1)
    np.testing.assert_allclose(np.asarray(decode(data)).astype(int), expected * 255, atol=levels)


NOT_SUPPORTED = {
    ("minisblack", ">u4"),
    *(("miniswhite", numbers) for numbers in ("<i1", ">i1", "<i2", ">i2", "<u4", ">u4", ">u2")),
}
"""Kinds of grey that Pillow does not open, and that are skips therefore."""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("numbers", sorted(GREATEST))
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_grey_of_any_numbers_is_shown_the_right_way_round(photometric: str, numbers: str, order: str) -> None:
    pixels = (RAMP * GREATEST[numbers]).astype(numbers)
    data, shown = tiff(pixels, photometric=photometric, byteorder=order), pixels / GREATEST[numbers]
    if (photometric, order + numbers) in NOT_SUPPORTED:
        with pytest.raises(UnreadableImage, match="image kind is not supported"):
            decode(data)
    else:
        assert_shown(data, shown if photometric == "minisblack" else 1 - shown)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize(
    "options", [{"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}]
)
def test_compressed_and_tiled_16_bits_too(photometric: str, options: dict[str, Any]) -> None:
    pixels = (RAMP * 65535).astype("u2")
    assert_shown(tiff(pixels, photometric=photometric, **options), RAMP if photometric == "minisblack" else 1 - RAMP)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_one_bit(photometric: str) -> None:
    bits = RAMP > 0.5
    assert_shown(tiff(bits, photometric=photometric), (bits if photometric == "minisblack" else ~bits).astype(float))


@pytest.mark.parametrize("numbers", ["u1", "u2"])
@pytest.mark.parametrize("extra", [None, "unassalpha", "assocalpha", "unspecified"])
def test_colours_side_by_side(numbers: str, extra: str | None) -> None:
    pixels = (COLOURS * GREATEST[numbers]).astype(numbers)
    options: dict[str, Any] = {"photometric": "rgb"}
    if extra is not None:
        opaque = np.full((HEIGHT, WIDTH, 1), GREATEST[numbers], numbers)
        pixels, options["extrasamples"] = np.concatenate([pixels, opaque], -1), [extra]
    assert_shown(tiff(pixels, **options), COLOURS)


def test_colours_stored_apart_are_right_or_refused() -> None:
    planes = COLOURS.transpose(2, 0, 1)
    assert_shown(tiff((planes * 255).astype("u1"), photometric="rgb", planarconfig="separate"), COLOURS)
    for numbers in ("u2", "u4", "f4"):
        data = tiff((planes * GREATEST[numbers]).astype(numbers), photometric="rgb", planarconfig="separate")
        with pytest.raises(UnreadableImage, match="image kind is not supported"):
            decode(data)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("clear", [False, True])
def test_grey_png_of_any_depth(bits: int, interlaced: bool, clear: bool) -> None:
    values = np.rint(RAMP * (2**bits - 1)).astype(int)
    shown = values / (2**bits - 1)
    options: dict[str, Any] = {"transparent": 0} if clear else {}
    file = io.BytesIO()
    png.Writer(WIDTH, HEIGHT, greyscale=True, bitdepth=bits, interlace=interlaced, **options).write(
        file, values.tolist()
    )
    assert_shown(file.getvalue(), np.where(clear & (values == 0), 1.0, shown))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [None, 0, 1])
def test_colour_png_of_any_depth(bits: int, alpha: int | None) -> None:
    values = np.rint(COLOURS * (2**bits - 1)).astype(int)
    if alpha is not None:
        values = np.concatenate([values, np.full((HEIGHT, WIDTH, 1), alpha * (2**bits - 1))], -1)
    file = io.BytesIO()
    writer = png.Writer(WIDTH, HEIGHT, greyscale=False, alpha=alpha is not None, bitdepth=bits)
    writer.write(file, values.reshape(HEIGHT, -1).tolist())
    assert_shown(file.getvalue(), np.ones_like(COLOURS) if alpha == 0 else COLOURS)
