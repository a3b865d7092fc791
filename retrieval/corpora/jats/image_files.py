"""The image files that lie with an article, and which of them its graphics mean."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from retrieval.corpora.naming import IMAGE_SUFFIXES

LIKED = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""Of several files of one name, the earliest kind is read: PubMed Central puts a thumbnail .gif beside the .jpg."""

UNREAD_KINDS = {
    ".pdf": "PDF",
    ".svg": "SVG",
    ".svgz": "SVG",
    ".eps": "EPS",
    ".epsf": "EPS",
    ".ps": "EPS",
    ".ai": "Illustrator",
    ".wmf": "WMF",
    ".emf": "EMF",
    ".ppt": "PowerPoint",
    ".pptx": "PowerPoint",
    ".psd": "Photoshop",
    ".cdr": "Corel",
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".avif": "AVIF",
    ".jp2": "JPEG 2000",
    ".jxl": "JPEG XL",
    ".dcm": "DICOM",
}
"""Kinds of images that publishers send and that are not read, by suffix."""

GRAPHIC_SUFFIXES = IMAGE_SUFFIXES | set(UNREAD_KINDS)
"""What publishers call the originals of images that were since converted. Other endings belong to the name
("pone.0000217.g001")."""

OTHER_FILES = {
    *(".xml", ".nxml", ".jats", ".json", ".txt", ".html", ".htm", ".css", ".js", ".md", ".csv", ".tsv", ".xls", ".gz"),
    *(".xlsx", ".doc", ".docx", ".odt", ".rtf", ".tex", ".bib", ".zip", ".tar", ".tgz", ".meca", ".rar", ".7z"),
    *(".mp4", ".mov", ".avi", ".wmv", ".mpg", ".mpeg", ".mp3", ".wav", ".r", ".py", ".m", ".mat", ".fasta", ".pdb"),
}
"""What is no image without a suffix, though an article may name it."""


def is_article_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def stem_of(href: str) -> str:
    """The name without the suffix of a graphic, if it has one."""
    stem, suffix = posixpath.splitext(href)
    return stem if suffix.lower() in GRAPHIC_SUFFIXES else href


def unread_kind(name: str) -> str | None:
    """PDF, SVG and so on, of an image that is not read."""
    return UNREAD_KINDS.get(posixpath.splitext(name)[1].lower())


class ArticleImages:
    """The image files that lie with an article, to be found by what its graphics call them.

    `names` are those with the suffix of an image that can be read, `others` all other files: one that has none may be
    an image that its article calls so, and images of kinds that are not read are told apart from missing ones.
    """

    def __init__(self, names: Iterable[str], others: Iterable[str] = ()) -> None:
        self._names = _by_called(filter(is_article_image, names))
        self._others = _by_called(others)

    def __bool__(self) -> bool:
        return bool(self._names)

    def find(self, href: str) -> str | None:
        """The file that `href` means: the one of that name; else the one of its stem that is liked best; else one that
        is called so without a suffix. None where there is none. Upper and lower case are the same; a thumbnail is never
        taken where there is another."""
        for called in _spellings(href):
            if called in self._names and not called.endswith(".gif"):
                return self._names[called]
            for stem in (called, stem_of(called)):
                if found := next((stem + suffix for suffix in LIKED if stem + suffix in self._names), None):
                    return self._names[found]
        for called in _spellings(href):
            for stem in (called, stem_of(called)):
                if stem in self._others and posixpath.splitext(stem)[1] not in OTHER_FILES | set(UNREAD_KINDS):
                    return self._others[stem]
        return None

    def find_unread(self, href: str) -> str | None:
        """The file of a kind that is not read (`unread_kind`) that `href` means; None where there is none."""
        for called in _spellings(href):
            if called in self._others and unread_kind(called):
                return self._others[called]
            for stem in (called, stem_of(called)):
                if found := next((stem + suffix for suffix in UNREAD_KINDS if stem + suffix in self._others), None):
                    return self._others[found]
        return None

    def best(self, hrefs: Sequence[tuple[str, bool]]) -> str | None:
        """The file to read of one image in several formats, each (href, is a thumbnail); None where none is there."""
        found = [(thumbnail, self._rank(name), name) for href, thumbnail in hrefs if (name := self.find(href))]
        return min(found, default=(False, 0, None))[2]

    @staticmethod
    def _rank(name: str) -> int:
        suffix = posixpath.splitext(name)[1].lower()
        return LIKED.index(suffix) if suffix in LIKED else len(LIKED)


def _by_called(names: Iterable[str]) -> dict[str, str]:
    """The names by their small letters; those in folders can be called without them."""
    found: dict[str, str] = {}
    for name in sorted(names):
        found.setdefault(name.lower(), name)
    for name in list(found.values()):
        found.setdefault(posixpath.basename(name).lower(), name)
    return found


def _spellings(href: str) -> Iterator[str]:
    for said in dict.fromkeys((href, unquote(href), posixpath.basename(href), posixpath.basename(unquote(href)))):
        yield posixpath.normpath(said.strip()).lower()
