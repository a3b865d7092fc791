"""The figures of one article as the items of a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from retrieval.corpora.jats.article import Article
from retrieval.corpora.jats.elements import Element, Unreadable, attribute, child
from retrieval.corpora.jats.figures import Drawing, captions_of, described, drawings_in, hrefs_in, label_of
from retrieval.corpora.jats.licences import licence_in
from retrieval.corpora.jats.mentions import Mentions
from retrieval.corpora.jats.packages import Package, joined
from retrieval.corpora.jats.reading import text_in
from retrieval.corpora.naming import printable
from retrieval.types import Figure, Scalar, Skip

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


@dataclass(frozen=True, slots=True)
class Source:
    """An article that is being read: its element, its metadata, and where it stands."""

    article_id: str
    article: Element
    said: Article
    package: Package
    name: str


def items_of(source: Source, start: int, stop: int, *, mentions: bool) -> Iterator[Figure | Skip]:
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
        yield _item(source, drawing, captions_of(drawing, read), extra, bare)


def _item(
    source: Source, drawing: Drawing, captions: tuple[str, ...], extra: Mapping[str, Any], bare: bool
) -> Figure | Skip:
    figure_id = f"{source.article_id}/{drawing.name}"
    found = source.package.images.best(
        [(attribute(graphic, "href") or "", _is_thumbnail(graphic)) for graphic in drawing.graphics]
    )
    uri = printable(joined(source.package.place, found or source.name))
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
    return Figure(figure_id, image, captions, uri, source.article_id, _metadata(source, drawing), extra)


def _metadata(source: Source, drawing: Drawing) -> dict[str, Scalar]:
    metadata: dict[str, Scalar] = {name: getattr(source.said, name) for name in OF_ARTICLE}
    own = child(drawing.figure, "permissions")
    if own is not None:  # taken from elsewhere: the article's licence says nothing about it
        metadata["licence"], metadata["licence_url"] = licence_in(own)
    metadata["label"] = label_of(drawing)
    metadata["fig_type"] = drawing.figure.get("fig-type") or None
    return {name: metadata[name] for name in COLUMNS}


def _is_bare(source: Source) -> bool:
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
