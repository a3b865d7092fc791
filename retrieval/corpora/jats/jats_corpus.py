"""Articles in JATS, as PubMed Central and preprint servers give them out: every figure with its caption."""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from retrieval.corpora.jats.article import Article
from retrieval.corpora.jats.elements import Element, Unreadable, articles_in, attribute, text_in
from retrieval.corpora.jats.figures import (
    Drawing,
    Mentions,
    described,
    drawings_in,
    figure_captions,
    hrefs_in,
    label_of,
)
from retrieval.corpora.jats.listing import ArticleEntry, entries_at, identified, newest
from retrieval.corpora.jats.packages import Package, join_path, located, open_package
from retrieval.corpora.jats.rights import figure_rights
from retrieval.corpora.naming import cut_evenly, printable
from retrieval.errors import CorpusError
from retrieval.types import Figure, Scalar, Skip, Split

CHANGED = "article has changed"


COLUMNS: Mapping[str, str] = {
    "label": "string",
    "title": "string",
    "journal": "string",
    "year": "int64",
    "doi": "string",
    "pmid": "string",
    "pmcid": "string",
    "version": "int64",
    "licence": "string",
    "licence_url": "string",
    "retracted": "bool",
    "fig_type": "string",
}

OF_ARTICLE = ("title", "journal", "year", "doi", "pmid", "pmcid", "version", "licence", "licence_url", "retracted")

NOT_THERE = "image is not in the package"
NO_GRAPHIC = "figure names no image"


class JatsCorpus:
    """The figures of the articles at `paths`: folders, archives and XML files below `root`.

    Ids are "PMC123/F1": the article's PMC id (else its DOI, else the name of its folder or file) and the id of the
    figure in the XML (else its position in the article); further images of one figure are "PMC123/F1/2". Of several
    versions and copies of an article the newest is read; `superseded` counts the others. An article that cannot be read
    is one Skip, and so is a break in an archive. `mentions` adds the paragraphs that point to a figure to its `extra`.
    """

    kind = "jats"
    columns: Mapping[str, str] = COLUMNS

    def __init__(self, root: Path, paths: Sequence[Path], *, mentions: bool = False) -> None:
        self._root = root
        self._mentions = mentions
        digest = hashlib.sha256(f"{self.kind}, mentions {mentions}\n".encode())
        found = [
            entry for location in dict.fromkeys(located(root, paths)) for entry in entries_at(root, location, digest)
        ]
        kept = newest(found)
        self.superseded = len(found) - len(kept)
        self.fingerprint = digest.hexdigest()
        self._entries = [entry for entry in kept if entry.count]
        self._ends = list(itertools.accumulate(entry.count for entry in self._entries))
        if all(entry.reason for entry in self._entries):
            why = min((f" ({entry.reason})" for entry in self._entries if entry.reason), default="")
            raise CorpusError(f"{root}: no article here has figures{why}; give JATS articles with figures")

    def split(self, size: int) -> list[Split]:
        return cut_evenly(self._ends[-1], size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        for location, wanted in itertools.groupby(self._wanted(split), key=lambda item: item[0].location):
            try:
                with open_package(self._root, location) as (packages, _):
                    for entry, start, stop in wanted:
                        yield from self._items(packages.get(entry.folder), entry, start, stop)
            except OSError as error:
                raise CorpusError(
                    f"{self._root / location}: cannot be read any more ({error.strerror}); restore it"
                ) from None

    def _wanted(self, split: Split) -> Iterator[tuple[ArticleEntry, int, int]]:
        """The articles of a split, each with the range of its figures that the split has."""
        for at in range(bisect_right(self._ends, split.start), len(self._entries)):
            entry = self._entries[at]
            begin = self._ends[at] - entry.count
            if begin >= split.stop:
                return
            yield entry, max(split.start - begin, 0), min(split.stop - begin, entry.count)

    def _items(self, package: Package | None, entry: ArticleEntry, start: int, stop: int) -> Iterator[Figure | Skip]:
        number = start
        if entry.reason is None and package is not None:
            for item in self._figures(package, entry, start, stop):
                yield item
                number += 1
        place = printable(join_path(entry.location, entry.folder, entry.name))
        for missing in range(number, stop):
            name = entry.article_id if entry.reason else f"{entry.article_id}/{missing + 1}"
            yield Skip(name, place, entry.reason or CHANGED)

    def _figures(self, package: Package, entry: ArticleEntry, start: int, stop: int) -> Iterator[Figure | Skip]:
        try:
            article = articles_in(package.read(entry.name))[entry.number]
        except (Unreadable, LookupError):
            return
        said = identified(package, entry.name, article)
        source = ArticleSource(entry.article_id, article, said, package, entry.name)
        yield from items_of(source, start, stop, mentions=self._mentions)


@dataclass(frozen=True, slots=True)
class ArticleSource:
    """An article that is being read: its element, its metadata, and where it stands."""

    article_id: str
    article: Element
    said: Article
    package: Package
    name: str


def items_of(source: ArticleSource, start: int, stop: int, *, mentions: bool) -> Iterator[Figure | Skip]:
    """The figures `start` to `stop` of an article.

    One whose image is missing is a Skip where its article comes with images. An article of bare XML gives figures of
    captions only.
    """
    drawings = drawings_in(source.article)[start:stop]
    pointing = Mentions(source.article) if mentions else None
    bare = _is_bare(source)
    read = cache(text_in)  # members of a group share its caption
    for drawing in drawings:
        extra: dict[str, Any] = described(drawing)
        if source.said.authors:
            extra["authors"] = source.said.authors
        if pointing is not None and (paragraphs := pointing.of(drawing)):
            extra["mentions"] = paragraphs
        yield _item(source, drawing, figure_captions(drawing, read), extra, bare)


def _item(
    source: ArticleSource, drawing: Drawing, captions: tuple[str, ...], extra: Mapping[str, Any], bare: bool
) -> Figure | Skip:
    figure_id = f"{source.article_id}/{drawing.name}"
    found = source.package.images.best(
        [(attribute(graphic, "href") or "", _is_thumbnail(graphic)) for graphic in drawing.graphics]
    )
    uri = printable(join_path(source.package.place, found or source.name))
    if not drawing.graphics:
        return Skip(figure_id, uri, NO_GRAPHIC)
    if found is None and not bare:
        return Skip(figure_id, uri, source.package.fault or NOT_THERE)
    if found is None and not any(captions):
        return Skip(figure_id, uri, "neither image nor caption")
    try:
        image = None if found is None else source.package.read(found)
    except Unreadable as error:
        return Skip(figure_id, uri, error.reason)
    metadata: dict[str, Scalar] = {name: getattr(source.said, name) for name in OF_ARTICLE}
    metadata["licence"], metadata["licence_url"], statement = figure_rights(drawing, captions, source.said)
    metadata["label"] = label_of(drawing)
    metadata["fig_type"] = drawing.figure.get("fig-type") or None
    said = {**extra, "licence_statement": statement} if statement else extra
    ordered = {name: metadata[name] for name in COLUMNS}
    return Figure(figure_id, image, captions, uri, source.article_id, ordered, said)


def _is_bare(source: ArticleSource) -> bool:
    """Whether the article came without images: none in a package of its own, or, where articles share a folder, none of
    those that it names."""
    if source.package.fault:
        return False
    if len(source.package.articles) == 1:
        return not source.package.images
    return not any(source.package.images.find(href) for href in hrefs_in(source.article))


def _is_thumbnail(graphic: Element) -> bool:
    return any(
        word in (graphic.get(key) or "") for key in ("specific-use", "content-type") for word in ("thumb", "icon")
    )
