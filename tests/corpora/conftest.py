"""Small real files that the tests of corpora put together."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


def picture(colour: str = "red", kind: str = "PNG") -> bytes:
    """A whole image file of two by two pixels; other colours, other bytes."""
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), colour).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Writes text or bytes to a path below tmp_path, with its folders, and gives the path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
