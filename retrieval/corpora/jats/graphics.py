"""Which file shows a graphic: articles name images without suffixes, with wrong ones, or in another case."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from retrieval.corpora.naming import IMAGE_SUFFIXES

LIKED = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""Of several files of one name, the earliest kind is read: PubMed Central puts a thumbnail .gif beside the .jpg."""

GRAPHIC_SUFFIXES = IMAGE_SUFFIXES | {".eps", ".ps", ".pdf", ".svg", ".ai", ".wmf", ".emf", ".ppt", ".pptx"}
"""What publishers call the originals of images that were since converted. Other endings belong to the name
("pone.0000217.g001")."""


def is_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def stem_of(href: str) -> str:
    """The name without the suffix of a graphic, if it has one."""
    stem, suffix = posixpath.splitext(href)
    return stem if suffix.lower() in GRAPHIC_SUFFIXES else href


class Images:
    """The image files that lie with an article, to be found by what its graphics call them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, str] = {}
        for name in sorted(filter(is_image, names)):
            self._names.setdefault(name.lower(), name)
        for name in list(self._names.values()):  # those in folders can be called without them
            self._names.setdefault(posixpath.basename(name).lower(), name)

    def __bool__(self) -> bool:
        return bool(self._names)

    def find(self, href: str) -> str | None:
        """The file that `href` means: the one of that name; else the one of its stem that is liked best. None where
        there is none. Upper and lower case are the same; a thumbnail is never taken where there is another."""
        for said in dict.fromkeys((href, unquote(href), posixpath.basename(href), posixpath.basename(unquote(href)))):
            called = posixpath.normpath(said.strip()).lower()
            if called in self._names and not called.endswith(".gif"):
                return self._names[called]
            for stem in (called, stem_of(called)):
                if found := next((stem + suffix for suffix in LIKED if stem + suffix in self._names), None):
                    return self._names[found]
        return None

    def best(self, hrefs: Sequence[tuple[str, bool]]) -> str | None:
        """The file to read of one image in several formats, each (href, is a thumbnail); None where none is there."""
        found = [(thumbnail, self._rank(name), name) for href, thumbnail in hrefs if (name := self.find(href))]
        return min(found, default=(False, 0, None))[2]

    @staticmethod
    def _rank(name: str) -> int:
        return LIKED.index(posixpath.splitext(name)[1].lower())
