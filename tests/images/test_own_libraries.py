"""JPEG, WebP, GIF, BMP and PNG as libjpeg-turbo, libwebp, giflib and others decode them, not as Pillow does."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from retrieval.images.decode import decode

HEIGHT, WIDTH = 24, 33
SMOOTH = np.stack(np.broadcast_arrays(np.arange(WIDTH)[None, :] * 7, np.arange(HEIGHT)[:, None] * 10, 128), -1).astype(
    np.uint8
)


def saved(mode: str, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(file, kind, **options)
    return file.getvalue()


def on_paper(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(height, width, 3), transparent parts over white."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    values = pixels.astype(np.int64)
    if pixels.shape[-1] == 2:
        values = np.concatenate([np.repeat(values[..., :1], 3, axis=-1), values[..., 1:]], axis=-1)
    if values.shape[-1] == 4:
        alpha = values[..., 3:] / 255
        return np.rint(values[..., :3] * alpha + 255 * (1 - alpha)).astype(np.int64)
    return values


def assert_like(data: bytes, theirs: NDArray[np.uint8], levels: int = 0) -> None:
    np.testing.assert_allclose(np.asarray(decode(data)).astype(np.int64), on_paper(theirs), atol=levels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2, "quality": 60}, {"restart_marker_rows": 1}],
)
def test_jpeg(mode: str, options: dict[str, Any]) -> None:
    data = saved(mode, "JPEG", **options)
    assert_like(data, imagecodecs.jpeg8_decode(data), levels=2)  # the last bit of the upsampling is the library's


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 70}])
def test_webp(options: dict[str, Any]) -> None:
    data = saved("RGB", "WEBP", **options)
    assert_like(data, imagecodecs.webp_decode(data))


def test_webp_with_clear_parts_lies_on_paper() -> None:
    clear = np.dstack([SMOOTH, np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)])
    data = imagecodecs.webp_encode(clear, lossless=True)
    assert_like(data, imagecodecs.webp_decode(data), levels=1)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_gif(mode: str) -> None:
    data = saved(mode, "GIF")
    assert_like(data, imagecodecs.gif_decode(data)[..., :3])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_png(mode: str) -> None:
    data = saved(mode, "PNG")
    theirs = imagecodecs.png_decode(data)
    assert_like(data, theirs * 255 if theirs.dtype == bool else theirs)


def test_bmp() -> None:
    data = saved("RGB", "BMP")
    assert_like(data, imagecodecs.bmp_decode(data, asrgb=True))
