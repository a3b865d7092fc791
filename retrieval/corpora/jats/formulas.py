"""Formulas written on the line: MathML and TeX as text."""

from __future__ import annotations

import re

from retrieval.corpora.jats.elements import DEEPEST, Element, name_of

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
