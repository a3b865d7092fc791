"""Ways in which people keep figures with captions, each made in its authors' layout; `test_ways.py` opens them all.

A module holds the ways of one kind in a list `WAYS`. Each has its row in docs/corpora.md, by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.corpora.conftest import picture

PICTURES = tuple(picture(colour) for colour in ("red", "green", "blue", "white"))
TEXTS = (
    "axial CT of the abdomen",
    "frontal radiograph of the chest",
    "Western blot of three proteins",
    "stained section of a kidney",
)
Pair = tuple[int | None, tuple[str, ...]]
"""The number of a picture, and its captions."""

WHOLE: tuple[Pair, ...] = tuple((n, (TEXTS[n],)) for n in range(3))
"""The first three pictures with one caption each."""


@dataclass(frozen=True)
class Way:
    """One way: its files, where it is opened, and what comes out: pairs, or the words of a refusal."""

    name: str
    files: Mapping[str, str | bytes]
    pairs: tuple[Pair, ...] = WHOLE
    refusal: str = ""
    """A regular expression that the refusal matches; then there are no pairs."""
    source: str = "."
    options: Mapping[str, Any] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    """Files that the account names, with the reason of each."""
    skips: Mapping[str, str] = field(default_factory=dict)
    """Figures that are left out, by where they are, with the reason of each."""


def images(pattern: str, count: int = 3) -> dict[str, bytes]:
    """The first pictures under numbered names: images/{}.png."""
    return {pattern.format(n): PICTURES[n] for n in range(count)}
