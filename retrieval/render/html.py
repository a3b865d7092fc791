"""HTML that cannot be broken by what is put into it: whatever is not markup already is escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from typing import Final

_SIGNATURES: Final = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif"))
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FOOT: Final = (
    "Made with retrieval. Figures and captions belong to their authors; "
    "credit and licence are shown where the source names them."
)


class Html(str):
    """Markup; any other string is text."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """An element; children that are not Html are text, and are escaped. `class_` is class, `aria_label` aria-label."""
    pairs = "".join(f' {key.strip("_").replace("_", "-")}="{_escape(value)}"' for key, value in attributes.items())
    if name in ("img", "meta"):
        return Html(f"<{name}{pairs}>")
    return Html(f"<{name}{pairs}>{join(children)}</{name}>")


def document(title: str, style: Html, class_: str, *parts: Html) -> str:
    """A whole HTML page that loads and runs nothing: its head, the parts of its body and the foot of every page."""
    head = (
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    body = element("body", join((*parts, element("footer", element("p", _FOOT))), "\n"), class_=class_)
    markup = join((*head, body), "\n")
    return f'<!doctype html>\n<html lang="en">\n{markup}\n</html>\n'


def optional(name: str, text: str, class_: str) -> Html:
    return element(name, text, class_=class_, dir="auto") if text else Html()


def join(parts: Iterable[str], between: str = "") -> Html:
    return Html(between.join(part if isinstance(part, Html) else _escape(part) for part in parts))


def _escape(text: str) -> str:
    """Text as HTML may hold it, in an element or in an attribute; characters that HTML forbids become �."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where there are any."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words = cut.rsplit(" ", 1)[0]
    return (words if len(words) > limit // 2 else cut).rstrip(" ,;:.") + "…"


def picture(data: bytes | None, alt: str) -> Html:
    kind = _raster(data) if data else None
    if data is None or kind is None:
        empty = element("span", "no picture", aria_hidden="true")
        return element("div", empty, class_="retrieval-plate retrieval-empty", role="img", aria_label=alt)
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return element("div", element("img", src=uri, alt=alt), class_="retrieval-plate")


def _raster(data: bytes) -> str | None:
    """jpeg, png, gif or webp by the first bytes; None for anything else, such as SVG, which may hold script."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)
