"""Which articles a source has, and how many figures each: all that is kept in memory of them."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from retrieval.corpora.jats.article import Article, read_article
from retrieval.corpora.jats.article_files import ArticleFiles
from retrieval.corpora.jats.article_items import Piece, pieces_in
from retrieval.corpora.jats.detect_articles import Location, is_surely_article, says_article
from retrieval.corpora.jats.elements import Element, Unreadable, articles_in
from retrieval.corpora.jats.open_package import open_package
from retrieval.corpora.jats.packages import ZIPS, Package, is_archive
from retrieval.corpora.naming import join_path, printable
from retrieval.corpora.tars import SUFFIXES


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class ArticleEntry:
    """One article: where it lies, and the number of its figures. With a `reason` it is one Skip instead.

    `number` counts the articles of one XML file. `images` are those of its figures that are there. `known` says that
    `article_id` is a PMC id or a DOI: another article of the same one is a copy or another version.
    """

    location: str
    folder: str
    name: str
    number: int
    count: int
    article_id: str
    known: bool = False
    version: int = 0
    images: int = 0
    reason: str | None = None


def entries_at(root: Path, location: Location, digest: Digest, files: ArticleFiles) -> Iterator[ArticleEntry]:
    """The articles at a location and what cannot be read there. `digest` learns the names and sizes of its files, and
    `files` what became of each."""
    with open_package(root, location.path) as contents:
        found, fault = False, contents.fault
        for folder, package in contents.packages.items():
            _learn(digest, package)
            for name in package.articles if location.only is None else location.only:
                for entry in _in_file(package, location.path, folder, name, digest, files):
                    found = True
                    yield entry
        if not (root / location.path).is_dir():
            files.close_archive(location.path, contents)
        if fault is None and not found and location.only is None:
            fault = "archive without articles"
        if fault is not None:
            yield _skip(location.path, "", "", fault)


def newest(entries: Sequence[ArticleEntry]) -> list[ArticleEntry]:
    """The entries without older versions and copies: of one known id the greatest version, then the one with most of
    its images, then the one that is unpacked, then the first. Their ids are unique, and none is another one, a slash
    and more."""
    best: dict[str, ArticleEntry] = {}
    for entry in entries:
        if entry.known:
            best[entry.article_id] = max(best.get(entry.article_id, entry), entry, key=_preference)
    kept = [entry for entry in entries if not entry.known or best[entry.article_id] is entry]
    taken: dict[str, int] = {}
    for entry in kept:
        taken[entry.article_id] = taken.get(entry.article_id, 0) + 1
    return [
        replace(entry, article_id=_path_of(entry))
        if taken[entry.article_id] > 1 or any(outer in taken for outer in _beginnings(entry.article_id))
        else entry
        for entry in kept
    ]


def _preference(entry: ArticleEntry) -> tuple[int, int, bool]:
    return entry.version, entry.images, not is_archive(Path(entry.location))


def _in_file(
    package: Package, location: str, folder: str, name: str, digest: Digest, files: ArticleFiles
) -> Iterator[ArticleEntry]:
    try:
        data = package.read(name)
        if not is_surely_article(name) and not says_article(data):
            files.leave_xml(package, name, data)
            return
        articles = articles_in(data)
    except Unreadable as error:
        files.take_file(package, name, "article")
        yield _skip(location, folder, name, error.reason)
        return
    if any(isinstance(article, Unreadable) for article in articles):
        digest.update(printable(f"{package.place}\t{name}\tone by one\n").encode())
    for number, article in enumerate(articles):
        try:
            if isinstance(article, Unreadable):
                raise article
            pieces = pieces_in(article, package.images_of(name))
        except Unreadable as error:
            files.take_file(package, name, "article")
            yield _skip(location, folder, name, error.reason, number)
            continue
        files.take_article(package, name, article, pieces)
        if any(_is_joined(piece) for piece in pieces):
            digest.update(printable(f"{package.place}\t{name}\tjoined\n").encode())
        named = {piece.found for piece in pieces} | {piece.unread for piece in pieces}
        for other in sorted(name for name in package.others if name in named):
            digest.update(printable(f"{package.place}\t{other}\t{package.others[other]}\n").encode())
        said = identified(package, name, article)
        article_id, known = id_of(said, package, name, number)
        found = sum(piece.found is not None for piece in pieces)
        yield ArticleEntry(location, folder, name, number, len(pieces), article_id, known, said.version or 0, found)


def _is_joined(piece: Piece) -> bool:
    """Tell whether earlier versions read it as several items: a plan of theirs does not fit it."""
    return bool(piece.drawing.translations) or any(one.get("alternate-form-of") for one in piece.drawing.graphics)


def _learn(digest: Digest, package: Package) -> None:
    for name, size in sorted(package.sizes.items()):
        digest.update(printable(f"{package.place}\t{name}\t{size}\n").encode())


def _skip(location: str, folder: str, name: str, reason: str, number: int = 0) -> ArticleEntry:
    place = printable(join_path(location, folder, name)) + (f"-{number + 1}" if number else "")
    return ArticleEntry(location, folder, name, number, 1, place, reason=reason)


def _path_of(entry: ArticleEntry) -> str:
    path = printable(join_path(entry.location, entry.folder, entry.name))
    return path if entry.number == 0 else f"{path}-{entry.number + 1}"


def _beginnings(article_id: str) -> Iterator[str]:
    """ "a" and "a/b" of "a/b/c"."""
    for at, character in enumerate(article_id):
        if character == "/":
            yield article_id[:at]


def identified(package: Package, name: str, article: Element) -> Article:
    """The metadata of an article in the file `name`: of the XML, then of the JSON record of the same stem, then the PMC
    id and version that its folder or file is called by ("PMC123.1")."""
    stem = posixpath.splitext(name)[0]
    said = read_article(article).known_to(_record(package, f"{stem}.json"))
    return said.known_from(stem, *_folder(package))


def id_of(said: Article, package: Package, name: str, number: int) -> tuple[str, bool]:
    """(the article's id, whether it is known under it elsewhere): its PMC id, else its DOI, else the name of its folder
    or, where that has several articles, of its file."""
    known = said.pmcid or said.doi
    if known:
        return known, True
    stem = posixpath.splitext(name)[0]
    own = next(iter(_folder(package)), stem)
    return printable(own if number == 0 else f"{own}-{number + 1}"), False


def _folder(package: Package) -> list[str]:
    """The name of the article's own folder or archive; none where several share it or it is the corpus."""
    base = posixpath.basename(package.place)
    archive = next(
        (suffix for suffix in sorted((*SUFFIXES, *ZIPS), key=len, reverse=True) if base.lower().endswith(suffix)), ""
    )
    base = base[: len(base) - len(archive)]
    return [base] if base and len(package.articles) == 1 else []


def _record(package: Package, name: str) -> Mapping[str, Any]:
    """PMC's JSON record of an article; empty where there is none, or none that can be read."""
    if name not in package.sizes:
        return {}
    try:
        record = json.loads(package.read(name))
    except (Unreadable, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
