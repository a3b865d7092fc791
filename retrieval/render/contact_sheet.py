"""Hits to look at: a page that opens offline, and a fragment for notebooks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from retrieval.render.html import STYLE, render, shorten
from retrieval.render.terminal import percent
from retrieval.types import Hit

IMAGE_CAPTION: Final = 130
"""Characters of a caption that are shown under a figure before it is folded: about five lines of a column."""
CAPTION: Final = 420
"""The same where the caption is the answer."""
QUESTION: Final = 280
"""The same for what was asked."""
ALT: Final = 200
"""Characters of a caption that a picture gives to those who cannot see it; the whole stands beside it."""
CREDITS: Final = ("credit", "attribution", "licence", "license", "license_code")
"""Metadata that is shown wherever the figure is, in this order, whatever its case."""


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """What was asked, and what came back.

    `text` and `image` (the encoded thumbnail of a query image) are the query, `label` is printed with it: a file name
    or a figure id. `expected` is the figure id that would be right; its hit gets a badge.
    """

    text: str | None = None
    image: bytes | None = None
    label: str = ""
    hits: Sequence[Hit] = ()
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A few numbers to print below the questions; the first column names the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def contact_sheet(
    title: str,
    questions: Sequence[ShownQuery],
    *,
    subtitle: str = "",
    tables: Sequence[SheetTable] = (),
    facts: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A whole HTML document: the `facts` (name → value), every question with its hits, and the `tables`.

    It needs no network and no script, pictures are in it, and the same input gives the same bytes.
    """
    return render(
        "render/contact_sheet.html",
        styles=[STYLE],
        title=title,
        subtitle=subtitle,
        about=facts,
        tables=tables,
        queries=[_query(question) for question in questions],
    )


def hits_html(hits: Sequence[Hit]) -> str:
    """The hits as a fragment for a notebook. Its style reaches nothing outside and takes its colours from around it."""
    return render("render/fragment.html", styles=[STYLE], found=_shown_hits(hits, None))


def credit_line(metadata: Mapping[str, object]) -> str:
    """Credit and licence of a figure as one line; empty where its metadata name neither."""
    found = {key.lower(): str(value) for key, value in metadata.items() if value is not None and str(value).strip()}
    return " · ".join(dict.fromkeys(found[key] for key in CREDITS if key in found))


def _query(question: ShownQuery) -> dict[str, Any]:
    """A question as the template shows it; `whole` is what its heading cuts."""
    words = question.text if question.text is not None else question.label or "an image"
    return {
        "text": question.text,
        "image": question.image,
        "label": question.label,
        "heading": shorten(words, QUESTION),
        "whole": words if len(words) > QUESTION else "",
        "direction": _direction(question),
        "hits": _shown_hits(question.hits, question.expected),
    }


def _direction(question: ShownQuery) -> str:
    """Which way a question was asked, and where the expected figure came."""
    source = " + ".join(word for word, part in (("text", question.text), ("image", question.image)) if part is not None)
    kinds = sorted({("captions" if hit.modality == "text" else "images") for hit in question.hits}, reverse=True)
    parts = [f"{source or 'image'} → {' + '.join(kinds)}" if kinds else source]
    if question.expected is not None:
        rank = next((hit.rank for hit in question.hits if hit.figure_id == question.expected), None)
        parts.append(f"own figure at rank {rank}" if rank else f"own figure not among these {len(question.hits)}")
    return " · ".join(part for part in parts if part)


def _shown_hits(hits: Sequence[Hit], expected: str | None) -> list[dict[str, Any]]:
    """Hits as the template shows them; `share` is the length of a bar, the best hit's being whole."""
    best = max((hit.score for hit in hits if math.isfinite(hit.score)), default=0.0)
    return [_shown_hit(hit, best, own=hit.figure_id == expected) for hit in hits]


def _shown_hit(hit: Hit, best: float, *, own: bool) -> dict[str, Any]:
    is_caption = hit.modality == "text"
    share = min(max(hit.score / best, 0.0), 1.0) if best > 0 and math.isfinite(hit.score) else 0.0
    nearer = "" if hit.percentile is None else f" · nearer than {percent(hit.percentile)} %"
    others = [caption for caption in hit.captions if caption.strip() and caption != hit.caption]
    return {
        "hit": hit,
        "own": own,
        "is_caption": is_caption,
        "standing": f"{hit.score:.3f}{nearer}",
        "share": f"{share:.1%}",
        "alt": shorten(hit.caption, ALT) if hit.caption.strip() else hit.figure_id,
        "captions": [hit.caption, *others] if hit.caption.strip() else others,
        "limit": CAPTION if is_caption else IMAGE_CAPTION,
        "credit": credit_line(hit.metadata),
    }
