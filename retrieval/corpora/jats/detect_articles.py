"""Where the articles of a path lie, and whether it has any, found out by looking at as little of it as will tell."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.corpora.compression import open_unpacked
from retrieval.corpora.jats.image_files import is_article_image
from retrieval.corpora.jats.packages import ARTICLE_SUFFIXES, ZIPS, is_archive, is_zip
from retrieval.corpora.naming import is_hidden, raise_it, relative_path
from retrieval.corpora.tars import SUFFIXES, is_tar

FEW = 3
"""So many .xml files of a folder are looked into, and as many archives, until one turns out to be an article."""

MEMBERS = 200
"""So many members of an archive are looked at. A package of PubMed Central rarely has a hundred; a shard of images is
not to be read to its end to learn that it is none."""

_ARTICLE = re.compile(
    rb"<(?:[\w-]+:)?(?:article|pmc-articleset|full-text-retrieval-response)[\s>]"
    rb"|<Publisher>\s*<PublisherInfo|<art>\s*<ui>|<component\s[^>]*wiley\.com"
)
"""Of JATS and of other publishers' XML, which is told by name that it is not read."""
_SNIFFED = 1 << 16
_SURE = (".nxml", ".jats", ".nxml.gz")
"""Suffixes of nothing but articles."""

PMC_ARCHIVE = re.compile(r"PMC\d+\b.*|.*\.meca", re.I)


@dataclass(frozen=True, slots=True)
class Location:
    """A folder with articles, or an archive: its path below the corpus, and the articles to read where not all are."""

    path: str
    only: tuple[str, ...] | None = None


def says_article(start: bytes) -> bool:
    """Whether XML that begins like this is an article, and not a report or a drawing."""
    return _ARTICLE.search(start[:_SNIFFED].replace(b"\0", b"")) is not None


def is_surely_article(name: str) -> bool:
    return name.lower().endswith(_SURE)


def is_article(path: Path) -> bool:
    """A file that is or should be an article: any .nxml, and a .xml that looks like one or cannot be looked into."""
    name = path.name.lower()
    if not name.endswith(ARTICLE_SUFFIXES) or not path.is_file():
        return False
    if is_surely_article(name):
        return True
    try:
        with gzip.open(path) if name.endswith(".gz") else open(path, "rb") as file:
            return says_article(file.read(_SNIFFED))
    except (OSError, EOFError):
        return True


def is_jats(path: Path) -> bool:
    """An article, an archive with one, or a folder that has either somewhere below it. May raise OSError."""
    if path.is_dir():
        return _has_articles(path)
    return path.is_file() and _is_package(path) if is_archive(path) else is_article(path)


def located(root: Path, paths: Sequence[Path]) -> Iterator[Location]:
    """All places below `root` where the articles of `paths` (folders, archives, articles) lie, in a fixed order."""
    loose: dict[str, list[str]] = {}
    for path in paths:
        if path.is_dir():
            yield from _below(root, path)
        elif is_archive(path) and path.is_file():
            yield Location(relative_path(path, root))
        elif is_article(path):
            loose.setdefault(relative_path(path.parent, root), []).append(path.name)
    for folder, names in sorted(loose.items()):
        yield Location(folder, tuple(sorted(names)))


def walked(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below `top` with the names of its files, all sorted, without hidden ones. Links to folders are
    followed, each folder is entered once. OSError where one is unreadable."""
    entered: set[tuple[int, int]] = set()
    for folder, below, names in os.walk(top, followlinks=True, onerror=raise_it):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            below.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not is_hidden(name))
        yield Path(folder), sorted(name for name in names if not is_hidden(name))


def _below(root: Path, top: Path) -> Iterator[Location]:
    for folder, names in walked(top):
        has_articles = any(is_article(folder / name) for name in names)
        if has_articles:
            yield Location(relative_path(folder, root))
        for name in names:
            # beside an article, an archive may be a supplement of it
            is_package = is_archive(folder / name) and (folder / name).is_file()
            if is_package and (not has_articles or PMC_ARCHIVE.fullmatch(name)):
                yield Location(relative_path(folder / name, root))


def _has_articles(top: Path) -> bool:
    looked_at = 0
    for folder, names in walked(top):
        zips = () if any(map(is_article_image, names)) else ZIPS  # beside images, a zip may be anything
        for path in (folder / name for name in names if name.lower().endswith((*ARTICLE_SUFFIXES, *SUFFIXES, *zips))):
            if is_surely_article(path.name) and path.is_file():
                return True
            if looked_at < FEW and not is_surely_article(path.name):
                looked_at += 1
                if is_jats(path):
                    return True
    return False


def _is_package(path: Path) -> bool:
    try:
        for name, start in _members(path):
            if is_surely_article(name) or (name.endswith(ARTICLE_SUFFIXES) and says_article(start)):
                return True
    except Exception:  # tarfile and zipfile raise nearly every built-in exception on damaged archives
        return PMC_ARCHIVE.fullmatch(path.name) is not None
    return False


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The first members of an archive that may be articles: their names in small letters, and how they begin."""
    if is_tar(path):
        with open_unpacked(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as tar:
            for _, item in zip(range(MEMBERS), tar, strict=False):
                name = item.name.lower()
                if item.isreg() and not is_hidden(item.name) and name.endswith(ARTICLE_SUFFIXES):
                    file = tar.extractfile(item)
                    yield name, b"" if file is None else file.read(_SNIFFED)
    elif is_zip(path):
        with zipfile.ZipFile(path) as archive:
            named = [one for one in archive.infolist() if one.filename.lower().endswith(ARTICLE_SUFFIXES)]
            for member in named[:MEMBERS]:
                if not is_hidden(member.filename):
                    with archive.open(member) as opened:
                        yield member.filename.lower(), opened.read(_SNIFFED)
