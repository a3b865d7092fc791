"""Small things that corpora share: suffixes, names that stay unique, and cutting into splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from retrieval.types import Split

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".gif", ".bmp", ".webp"}


def shortest_names(names: Sequence[str]) -> list[str]:
    """Each of these different paths without its suffix, or with it where another one would be called the same."""
    short = [os.path.splitext(name)[0] for name in names]
    while True:
        uses = Counter(short)
        widened = [name if uses[now] > 1 else now for now, name in zip(short, names, strict=True)]
        if widened == short:
            return short
        short = widened


def is_hidden(path: str) -> bool:
    """A part of the path begins with a dot, or is the folder that macOS puts into archives."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.split("/"))


def join_path(*parts: str) -> str:
    """A path of these parts, of which some may be empty."""
    return "/".join(filter(None, parts))


def relative_path(path: Path, root: Path) -> str:
    """The path below `root`, empty for itself."""
    relative = path.relative_to(root).as_posix()
    return "" if relative == "." else relative


def raise_it(error: OSError) -> None:
    """Raise what os.walk would pass over."""
    raise error


def printable(name: str) -> str:
    """A file name as text that UTF-8 can write: bytes that are no UTF-8 become \\xe9 and the like."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def cut_evenly(count: int, size: int, first: int = 0, source: str = "") -> list[Split]:
    """Splits of `size` figures out of `count`, the last one shorter; numbered from `first`."""
    if size < 1:
        raise ValueError(f"a split holds at least one figure, not {size}")
    starts = range(0, count, size)
    return [Split(first + n, start, min(start + size, count), source) for n, start in enumerate(starts)]
