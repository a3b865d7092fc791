"""JATS elements as the text that a reader sees."""

from __future__ import annotations

from retrieval.corpora.jats.elements import DEEPEST, Element, child, name_of
from retrieval.corpora.jats.formulas import mathml, tex

BLOCKS = frozenset(
    {
        *("p", "title", "subtitle", "caption", "label", "sec", "list", "list-item", "def-list", "def-item"),
        *("def", "term", "break", "hr", "disp-formula", "disp-formula-group", "disp-quote", "boxed-text"),
        *("statement", "speech", "verse-group", "verse-line", "preformat", "code", "attrib", "tr", "td"),
        "th",
    }
)
"""What stands on a line of its own: its text never runs together with that of its neighbours."""

UNREAD = frozenset(
    {
        *("object-id", "permissions", "supplementary-material", "alt-text", "long-desc", "fn", "fn-group"),
        *("index-term", "graphic", "inline-graphic", "media", "fig", "fig-group", "table-wrap"),
        *("table-wrap-group", "floats-group", "bio"),
    }
)
"""What is not part of the running text, though it stands in it."""

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))


def text_in(element: Element | None, without: frozenset[str] = frozenset()) -> str:
    """The text of `element` on one line: white space collapsed, blocks apart, inline elements joined as they are.

    Sub- and superscripts are kept as plain text, formulas are written on the line. Elements named in `without` are
    left out, besides those that no reader takes for text. Empty where there is no element.
    """
    if element is None:
        return ""
    written: list[str] = []
    _write(element, written, UNREAD | without, 0)
    return " ".join("".join(written).translate(_INVISIBLE).split())


def _write(element: Element, written: list[str], unread: frozenset[str], depth: int) -> None:
    if depth > DEEPEST:
        written.append("".join(element.itertext()))
        return
    written.append(element.text or "")
    chosen = _one_of_alternatives(element)
    for inner in element:
        name = name_of(inner)
        if not name:  # a reference to an entity that only a DTD could tell
            written.append(inner.text)
        elif name not in unread and chosen in (None, inner):
            _write_inner(inner, name, written, unread, depth)
        written.append(inner.tail or "")


def _write_inner(inner: Element, name: str, written: list[str], unread: frozenset[str], depth: int) -> None:
    if name == "math":
        written.append(mathml(inner))
    elif name == "tex-math":
        written.append(tex("".join(inner.itertext())))
    elif name == "xref":
        before = "".join(written[-2:])[-1:]
        pieces: list[str] = []
        _write(inner, pieces, unread, depth + 1)
        written.append(_unindented("".join(pieces), before, inner.tail or ""))
    elif name in BLOCKS:
        written.append(" ")
        _write(inner, written, unread, depth + 1)
        written.append(" ")
    else:
        _write(inner, written, unread, depth + 1)


def _one_of_alternatives(element: Element) -> Element | None:
    """Where a formula is there as MathML and as TeX, the one to read: MathML; None where there is nothing to choose."""
    if name_of(element) not in ("alternatives", "inline-formula", "disp-formula"):
        return None
    kinds = [child(element, "math"), child(element, "tex-math")]
    return next((kind for kind in kinds if kind is not None), None)


def _unindented(text: str, before: str, after: str) -> str:
    """The text of a reference without the line break that a pretty-printer put between it and its bracket."""
    bare = text.strip()
    if before in ("(", "[") and "\n" in text[: len(text) - len(text.lstrip())]:
        text = text.lstrip()
    if after[:1] in (")", "]", ",", ".", ";") and "\n" in text[len(text.rstrip()) :]:
        text = text.rstrip()
    return text if bare else ""
