"""The figures of one article as a corpus yields them: with image, captions and metadata, or skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from retrieval.corpora.jats.article import Article, said_in, title_of
from retrieval.corpora.jats.elements import Element, Unreadable, attribute
from retrieval.corpora.jats.figures import (
    Drawing,
    Mentions,
    described,
    drawings_in,
    figure_captions,
    hrefs_in,
    label_of,
)
from retrieval.corpora.jats.image_files import ArticleImages, unread_kind
from retrieval.corpora.jats.languages import caption_in
from retrieval.corpora.jats.packages import Package
from retrieval.corpora.jats.rights import figure_rights
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
class ArticleSource:
    """An article that is being read: its element, its metadata, and where it stands."""

    article_id: str
    article: Element
    said: Article
    package: Package
    name: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One item of an article: an image, the file that it is read from, or the file of a kind that is not read.

    `is_skip`: the item that counts an unread image whose captions are kept by the item before.
    """

    drawing: Drawing
    found: str | None
    unread: str | None = None
    is_skip: bool = False


def pieces_in(article: Element, images: ArticleImages) -> list[Piece]:
    """The items of an article, in the order of its text. Raises Unreadable where there are far too many.

    An image of a kind that is not read (PDF, SVG, EPS) is skipped. Where its figure has no other image, its captions
    are a figure without an image, which comes first.
    """
    pieces: list[Piece] = []
    drawings = drawings_in(article)
    files = [images.best([(_href(graphic), _is_thumbnail(graphic)) for graphic in one.graphics]) for one in drawings]
    told = {one.figure for one, found in zip(drawings, files, strict=True) if found}
    for drawing, found in zip(drawings, files, strict=True):
        others = (images.find_unread(_href(graphic)) for graphic in drawing.graphics if found is None)
        unread = next(filter(None, others), None)
        if unread and drawing.figure not in told and any(text for text, _ in figure_captions(drawing)):
            pieces.append(Piece(drawing, None, unread))
            told.add(drawing.figure)
        pieces.append(Piece(drawing, found, unread, unread is not None))
    return pieces


def items_of(source: ArticleSource, start: int, stop: int, *, mentions: bool) -> Iterator[Figure | Skip]:
    """The items `start` to `stop` of an article.

    One whose image is missing is a Skip where its article comes with images. An article of bare XML gives figures of
    captions only.
    """
    pieces = pieces_in(source.article, source.package.images_of(source.name))[start:stop]
    pointing = Mentions(source.article) if mentions else None
    bare = _is_bare(source)
    read = cache(caption_in)  # members of a group share its caption
    for piece in pieces:
        drawing = piece.drawing
        extra: dict[str, Any] = described(drawing)
        said = source.said
        if (part := next(drawing.figure.iterancestors("{*}sub-article", "{*}response"), None)) is not None:
            said, extra["sub_article"] = said_in(part, said), title_of(part)
        if said.authors:
            extra["authors"] = said.authors
        if pointing is not None and (paragraphs := pointing.of(drawing)):
            extra["mentions"] = paragraphs
        captions = figure_captions(drawing, read)
        if len(captions) > 1 and any(language for _, language in captions):
            extra["caption_languages"] = [language for _, language in captions]
        yield _item(replace(source, said=said), piece, tuple(text for text, _ in captions), extra, bare)


def _item(
    source: ArticleSource, piece: Piece, captions: tuple[str, ...], extra: Mapping[str, Any], bare: bool
) -> Figure | Skip:
    drawing, found = piece.drawing, piece.found
    figure_id = f"{source.article_id}/{drawing.name}"
    uri = printable(source.package.path_of(found or piece.unread or source.name))
    if piece.is_skip:
        kind = unread_kind(piece.unread or "")
        return Skip(f"{figure_id}/{kind}", uri, f"{kind} images are not read")
    if not drawing.graphics:
        return Skip(figure_id, uri, NO_GRAPHIC)
    if found is None and not bare and piece.unread is None:
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
    images = source.package.images_of(source.name)
    if len(source.package.articles) == 1 and images:
        return False
    return not any(images.find(href) for href in hrefs_in(source.article))


def _href(graphic: Element) -> str:
    return attribute(graphic, "href") or ""


def _is_thumbnail(graphic: Element) -> bool:
    return any(
        word in (graphic.get(key) or "") for key in ("specific-use", "content-type") for word in ("thumb", "icon")
    )
