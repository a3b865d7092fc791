"""The running text of an element on one line, with its formulas."""

from __future__ import annotations

import re

from retrieval.corpora.jats.elements import Element, child, name_of

DEEPEST = 100
"""Nested deeper than this, an element is read as its bare text; articles nest ten or twenty deep."""

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


SPACED = frozenset(
    {
        *("=", "≠", "<", ">", "≤", "≥", "≈", "∼", "≃", "≅", "≡", "±", "×", "→", "↔", "⇒", "∈", "∝", "≪", "≫"),
        *("⩽", "⩾"),
    }
)
"""Operators that are set with a space on both sides."""

UNSEEN = frozenset("\u2061\u2062\u2063\u2064")
"""Operators that are not drawn: function application, invisible times, separator and plus."""

SCRIPTED = frozenset({"msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts"})

_WORD = re.compile(r"[^\W\d_]{2}")


def mathml(element: Element, depth: int = 0) -> str:
    """A `math` element on one line: fractions as a/b, roots as √a, sub- and superscripts as plain text."""
    name = name_of(element)
    if depth > DEEPEST:
        return "".join(element.itertext())
    if name == "mo":
        return _operator("".join(element.itertext()).strip())
    if name in ("mi", "mn", "ms"):
        return "".join(element.itertext()).strip()
    if name == "mtext":
        return "".join(element.itertext())
    if name in ("mspace", "none", "mprescripts", "mphantom", "annotation", "annotation-xml"):
        return " " if name == "mspace" else ""
    parts = [mathml(inner, depth + 1) for inner in element]
    if name == "semantics":
        return parts[0] if parts else ""
    if name == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    if name == "msqrt":
        return f"√{_grouped(_row(parts))}"
    if name == "mroot" and len(parts) == 2:
        return f"{parts[1]}√{_grouped(parts[0])}"
    if name == "mfenced":
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    if name in SCRIPTED:
        return "".join(parts)
    return f" {' '.join(parts)} " if name in ("mtable", "mtr", "mlabeledtr") else _row(parts)


def tex(text: str) -> str:
    """TeX as it stands in the article, without the document and the dollars around it."""
    _, begun, inside = text.partition(r"\begin{document}")
    return (inside.partition(r"\end{document}")[0] if begun else text).strip().strip("$").strip()


def _operator(sign: str) -> str:
    if sign in UNSEEN:
        return ""
    if sign == ",":
        return ", "
    return f" {sign} " if sign in SPACED else sign


def _row(parts: list[str]) -> str:
    """Parts side by side; a name of several letters (log, max) keeps a space to what it would run into."""
    row = ""
    for part in parts:
        touching = row[-1:].isalnum() and part[:1].isalnum()
        row += f" {part}" if touching and (_WORD.search(row[-2:]) or _WORD.match(part)) else part
    return row


def _grouped(part: str) -> str:
    part = part.strip()
    return part if part.replace(".", "").isalnum() or re.fullmatch(r"\(.*\)", part) else f"({part})"
