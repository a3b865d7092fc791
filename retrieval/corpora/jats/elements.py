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

DEEPEST = 100
"""Nested deeper than this, an element is read as its bare text; articles nest ten or twenty deep."""

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_OWN = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")


class Unreadable(ValueError):
    """A file that cannot be read as what it should be; `reason` is that of the Skip."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def articles_in(data: bytes) -> list[Element]:
    """The article elements of an XML file: its root, or those in a `pmc-articleset` or an OAI record.

    Nothing outside of the bytes is read, neither DTD nor entity; an entity that only a DTD defines stays as `&name;`,
    except those of HTML. Raises Unreadable where the XML is not well-formed, goes past libxml2's limits of depth and
    length, or holds no article.
    """
    if len(data) > LARGEST:
        raise Unreadable("article is too large")
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
        root = etree.fromstring(_with_characters(data), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Unreadable("article is not well-formed XML") from None
    if name_of(root) == "article":
        return [root]
    found = [article for article in root.iter("{*}article") if next(article.iterancestors("{*}article"), None) is None]
    if not found:
        raise Unreadable("file is not a JATS article")
    return found


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
