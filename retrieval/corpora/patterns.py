"""Paths and patterns of paths: globs, and braces as a shell expands them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import CorpusError

_BRACES = re.compile(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}")


def expanded(source: str) -> list[Path]:
    """The paths that `source` stands for; none where nothing is there. A path that exists is itself, braces and all.

    Raises CorpusError where one of the files that braces name is missing: a corpus with a hole is another corpus.
    """
    if os.path.exists(source):
        return [Path(source)]
    names = list(braces_expanded(source))
    found = [path for name in names for path in (sorted(glob.glob(name)) or [name])]
    missing = [path for path in found if not os.path.exists(path)]
    if missing and len(names) > 1:
        raise CorpusError(f"{source}: {missing[0]} is missing; correct the range or restore the file")
    return [] if missing else [Path(path) for path in found]


def braces_expanded(text: str) -> Iterator[str]:
    """As a shell does: {a,b} and {000..012}, several of them, nested ones from the inside."""
    found = _BRACES.search(text)
    if found is None:
        yield text
        return
    for choice in _choices(found[1]):
        yield from braces_expanded(text[: found.start()] + choice + text[found.end() :])


def _choices(inside: str) -> list[str]:
    span = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if span is None:
        return inside.split(",")
    first, last = int(span[1]), int(span[2])
    width = max(len(span[1]), len(span[2])) if span[1].startswith("0") or span[2].startswith("0") else 0
    step = 1 if first <= last else -1
    return [f"{number:0{width}d}" for number in range(first, last + step, step)]
