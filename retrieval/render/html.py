"""Pages from templates: one environment for all rooms, in which whatever is not markup already is escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE: Final = "render/style.css"
"""The style that every page shares: its colours, type and spacing, and what more than one page shows."""

_SIGNATURES: Final = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif"))
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def render(template: str, /, **values: Any) -> str:
    """Fill in a template, which is named by its place in the package, as `pages/report.html`.

    A template puts in text with `{{ }}`, which escapes it; a value that it names and was not given is an error.
    """
    return _environment().get_template(template).render(values)


@functools.cache
def asset(*names: str) -> str:
    """Files of the package as one text, named as templates are: style sheets and scripts that a page holds."""
    return "\n".join(resources.files("retrieval").joinpath(name).read_text(encoding="utf-8") for name in names)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where there are any."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words = cut.rsplit(" ", 1)[0]
    return (words if len(words) > limit // 2 else cut).rstrip(" ,;:.") + "…"


def picture_url(data: bytes | None) -> str:
    """A picture as the address that holds it; empty for none, and for what is not JPEG, PNG, GIF or WebP.

    The first bytes decide: SVG, which may hold script, is not among them.
    """
    if not data:
        return ""
    webp = "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""
    kind = next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), webp)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}" if kind else ""


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("retrieval", ""),
        autoescape=True,
        auto_reload=False,
        finalize=_readable,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    made.globals["asset"] = asset
    made.filters.update(csp_hash=_csp_hash, picture_url=picture_url, shorten=shorten)
    return made


def _readable(value: Any) -> Any:
    """Text without the characters that HTML forbids, for each of which stands �; anything else as it is."""
    return _FORBIDDEN.sub("\ufffd", value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _csp_hash(text: str) -> str:
    """What a content security policy names a style or a script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
