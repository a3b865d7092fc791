"""XML elements: a parser that nothing can harm, and names without namespaces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from typing import Any

from lxml import etree

Element = Any
"""An lxml element, whose package has no types."""

LARGEST = 64 << 20
"""Bytes of an article's XML. The longest in PubMed Central have about 20 MB."""

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_OWN = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")


class Unreadable(ValueError):
    """A file that cannot be read as what it should be; `reason` is that of the Skip."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def articles_in(data: bytes) -> list[Element | Unreadable]:
    """The article elements of an XML file: its root, or those in a `pmc-articleset` or an OAI record. Of a set with
    articles that are not well-formed, these are Unreadable and the others are read.

    Nothing outside of the bytes is read, neither DTD nor entity; an entity that only a DTD defines stays as `&name;`,
    except those of HTML. Raises Unreadable where the XML is not well-formed, goes past libxml2's limits of depth and
    length, is of another dialect, or holds no article.
    """
    if len(data) > LARGEST:
        raise Unreadable("article is too large")
    data = _with_characters(data)
    try:
        root = _parsed(data)
    except Unreadable:
        if len(pieces := _pieces(data)) < 2:
            raise
        return [_article_or_fault(piece) for piece in pieces]
    if dialect := dialect_of(root):
        raise Unreadable(f"article is in {dialect}, which is not JATS")
    if name_of(root) == "article":
        return [root]
    found = [article for article in root.iter("{*}article") if next(article.iterancestors("{*}article"), None) is None]
    if not found:
        raise Unreadable("file is not a JATS article")
    return found


def dialect_of(root: Element) -> str | None:
    """What other publishers' XML than JATS is called; None for JATS, its forerunner and its extensions, and for XML of
    no article. They too call their root `article`, and have figures that are marked up in their own way."""
    name, space = name_of(root), root.tag.rpartition("}")[0] if isinstance(root.tag, str) else ""
    if "elsevier" in space or name in ("full-text-retrieval-response", "converted-article"):
        return "Elsevier's XML"
    if "wiley" in space:
        return "Wiley's XML"
    if name == "article" and child(root, "front") is None:
        if child(root, "pubfm") is not None or child(root, "fm") is not None:
            return "Nature's older XML"
        if "docbook" in space or child(root, "info") is not None or child(root, "articleinfo") is not None:
            return "DocBook"
    return DIALECTS.get(name)


def dialect_in(data: bytes) -> str | None:
    """As `dialect_of`, of a whole file; None where it cannot be parsed."""
    try:
        return dialect_of(_parsed(_with_characters(data[: LARGEST + 1])))
    except Unreadable:
        return None


DIALECTS = {
    "Publisher": "Springer's A++",
    "Article": "Springer's A++",
    "art": "BioMed Central's older XML",
    "TEI": "TEI",
    "teiCorpus": "TEI",
    "collection": "BioC",
    "PubmedArticleSet": "PubMed's XML of abstracts",
    "book": "BITS",
    "book-part": "BITS",
    "book-part-wrapper": "BITS",
    "html": "HTML",
}
"""By the name of the root."""


def _parsed(data: bytes) -> Element:
    # no collect_ids=False: with it libxml2 asks for the external DTD
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Unreadable("article is not well-formed XML") from None


_SET = re.compile(rb"<((?:[\w-]+:)?(?:pmc-articleset|articles|OAI-PMH))(?:\s[^<>]*)?>")
_START = re.compile(rb"<(?:[\w-]+:)?article[\s>]")
_END = re.compile(rb"</(?:[\w-]+:)?article\s*>")


def _pieces(data: bytes) -> list[bytes]:
    """The articles of a set, each in a set of its own."""
    found = _SET.search(data[:10_000])
    if found is None:
        return []
    declared = data[: data.find(b"?>") + 2] if data.startswith(b"<?xml") else b""
    starts = [one.start() for one in _START.finditer(data)]
    pieces = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    whole = [piece[: max((end.end() for end in _END.finditer(piece)), default=len(piece))] for piece in pieces]
    return [declared + found[0] + piece + b"</" + found[1] + b">" for piece in whole]


def _article_or_fault(data: bytes) -> Element | Unreadable:
    try:
        return next(_parsed(data).iter("{*}article"))
    except (Unreadable, StopIteration):
        return Unreadable("article is not well-formed XML")


def name_of(element: Element) -> str:
    """The element's name without its namespace; empty for a reference to an entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """The direct children of one of these names, whatever their namespace."""
    return iter(()) if element is None else element.iterchildren(*(f"{{*}}{name}" for name in names))


def child(element: Element | None, *path: str) -> Element | None:
    """The first child of the first name, its first child of the second, and so on."""
    for name in path:
        element = next(children(element, name), None)
    return element


def attribute(element: Element, name: str) -> str | None:
    """The attribute of this name, in a namespace or not, wherever it stands among the others."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def _with_characters(data: bytes) -> bytes:
    """`data` with the named characters of HTML as numbers: `&alpha;` means nothing in XML without its DTD."""
    return data if data[:2] in _WIDE else _ENTITY.sub(_character, data)


def _character(found: re.Match[bytes]) -> bytes:
    name = found[1]
    characters = None if name in _XML_OWN else html5.get(name.decode() + ";")
    return found[0] if characters is None else "".join(f"&#{ord(one)};" for one in characters).encode()
