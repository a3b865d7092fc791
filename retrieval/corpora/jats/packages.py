"""The files that lie together with articles, in a folder or in an archive."""

from __future__ import annotations

import gzip
import io
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from retrieval.corpora.compression import UNREADABLE
from retrieval.corpora.jats.elements import LARGEST, Unreadable
from retrieval.corpora.jats.image_files import ArticleImages, is_article_image
from retrieval.corpora.naming import is_hidden, join_path
from retrieval.corpora.tars import is_tar

ARTICLE_SUFFIXES = (".nxml", ".xml", ".jats", ".nxml.gz", ".xml.gz")
ZIPS = (".zip", ".meca")
"""MECA is the zip in which manuscripts travel between journals and preprint servers."""

LARGEST_FILE = 1 << 30
"""Bytes of one image; a header that promises more is not believed."""


@dataclass(frozen=True)
class Package:
    """The files that lie together with one or several articles: XML, JSON and images, by their names in the folder.

    `place` is where they lie in the corpus. `read` gives a file's bytes and raises Unreadable. `fault` says what
    breaks off the archive that they come from. `others` are the files of other kinds, `away` the paths in the corpus of
    those that lie elsewhere: records in a folder `metadata`, images in a folder of their own.
    """

    place: str
    sizes: Mapping[str, int]
    read: Callable[[str], bytes]
    fault: str | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)

    def path_of(self, name: str) -> str:
        """The path in the corpus of a file."""
        return self.away.get(name) or join_path(self.place, name)

    @cached_property
    def articles(self) -> tuple[str, ...]:
        """The names of what may be articles, those in the folder itself."""
        return tuple(sorted(name for name in self.sizes if "/" not in name and name.lower().endswith(ARTICLE_SUFFIXES)))

    @cached_property
    def files(self) -> Mapping[str, int]:
        """All of them."""
        return {**self.sizes, **self.others}

    def images_of(self, article: str) -> ArticleImages:
        """The images of one of the articles: all but those in a folder that is called like another one."""
        if not self._by_article:
            return self._images
        names = [*self._shared, *self._by_article.get(stem_of_article(article), ())]
        return ArticleImages(
            (name for name in names if name in self.sizes), (name for name in names if name in self.others)
        )

    @cached_property
    def _images(self) -> ArticleImages:
        return ArticleImages(self.sizes, self.others)

    @cached_property
    def _by_article(self) -> Mapping[str, list[str]]:
        """The files in folders that are called like articles, where there are several, by the name of the article."""
        stems = {stem_of_article(name) for name in self.articles} if len(self.articles) > 1 else set()
        found: dict[str, list[str]] = {}
        for name in self.files if stems else ():
            for part in posixpath.dirname(name).lower().split("/"):
                if part in stems:
                    found.setdefault(part, []).append(name)
                    break
        return found

    @cached_property
    def _shared(self) -> list[str]:
        owned = {name for names in self._by_article.values() for name in names}
        return [name for name in self.files if name not in owned]


@dataclass(frozen=True, slots=True)
class PackageContents:
    """The packages of a location by their folders in it, one of a folder, any number of an archive.

    Of an archive: what breaks it off, if anything does, its members with their sizes, and what in it is no file.
    """

    packages: Mapping[str, Package]
    fault: str | None = None
    members: Mapping[str, int] = field(default_factory=dict)
    strays: Sequence[tuple[str, str]] = ()


def stem_of_article(name: str) -> str:
    """The name of an article's file in small letters, without its suffixes."""
    small = posixpath.basename(name).lower()
    return small.removesuffix(max((one for one in ARTICLE_SUFFIXES if small.endswith(one)), key=len, default=""))


def is_zip(path: Path) -> bool:
    return path.name.lower().endswith(ZIPS)


def is_archive(path: Path) -> bool:
    return is_tar(path) or is_zip(path)


def is_of_use(name: str) -> bool:
    base = posixpath.basename(name).lower()
    return not is_hidden(name) and (base.endswith((*ARTICLE_SUFFIXES, ".json")) or is_article_image(base))


def bounded(read: Callable[[str], bytes], sizes: Mapping[str, int]) -> Callable[[str], bytes]:
    """As `read`, but Unreadable for what is too large; packed XML comes unpacked."""

    def within(name: str) -> bytes:
        is_xml = name.lower().endswith((*ARTICLE_SUFFIXES, ".json"))
        if sizes.get(name, 0) > (LARGEST if is_xml else LARGEST_FILE):
            raise Unreadable("article is too large" if is_xml else "image is too large")
        data = read(name)
        if not name.lower().endswith(".gz"):
            return data
        try:
            with gzip.open(io.BytesIO(data)) as packed:
                return packed.read(LARGEST + 1)
        except UNREADABLE:
            raise Unreadable("article is damaged") from None

    return within
