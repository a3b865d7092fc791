"""Hits to look at: a page that opens offline, and a fragment for notebooks."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Final

from retrieval.render.html import Html, document, element, join, optional, picture, shorten
from retrieval.render.terminal import percent
from retrieval.types import Hit

IMAGE_CAPTION: Final = 130
"""Characters of a caption that are shown under a figure before it is folded: about five lines of a column."""
CAPTION: Final = 420
"""The same where the caption is the answer."""
QUESTION: Final = 280
"""The same for what was asked."""
CREDIT: Final = 240
"""The same for credit and licence."""
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
    top = element(
        "header", element("h1", title, dir="auto"), optional("p", subtitle, "retrieval-subtitle"), _facts(facts)
    )
    numbers = element("div", *map(_table, tables), class_="retrieval-tables") if tables else Html()
    asked = (_question(number, question) for number, question in enumerate(questions, 1))
    return document(title, _style(), "retrieval-sheet", top, element("main", join(asked, "\n"), numbers))


def hits_html(hits: Sequence[Hit]) -> str:
    """The hits as a fragment for a notebook. Its style reaches nothing outside and takes its colours from around it."""
    return element("div", element("style", _style()), _hits(hits, None), class_="retrieval-fragment")


def _question(number: int, question: ShownQuery) -> Html:
    name = f"question-{number}"
    shown = picture(question.image, question.label or "the image asked with") if question.image else Html()
    words = question.text if question.text is not None else question.label or "an image"
    heading = element(
        "h2",
        shorten(words, QUESTION),
        id=name,
        dir="auto",
        class_="retrieval-asked-" + ("file" if question.text is None else "words"),
    )
    folded = element("details", element("summary", "the whole question"), element("p", words, dir="auto"))
    whole = folded if len(words) > QUESTION else Html()
    label = optional("p", question.label if question.text is not None else "", "retrieval-label")
    asked = element(
        "div", element("p", _direction(number, question), class_="retrieval-eyebrow"), heading, label, whole
    )
    header = element("header", shown, asked, class_="retrieval-asked")
    return element("section", header, _hits(question.hits, question.expected), aria_labelledby=name)


def _direction(number: int, question: ShownQuery) -> str:
    """One line over a question: its number, which way it was asked, and where the expected figure came."""
    source = " + ".join(word for word, part in (("text", question.text), ("image", question.image)) if part is not None)
    kinds = sorted({("captions" if hit.modality == "text" else "images") for hit in question.hits}, reverse=True)
    parts = [str(number), f"{source or 'image'} → {' + '.join(kinds)}" if kinds else source]
    if question.expected is not None:
        rank = next((hit.rank for hit in question.hits if hit.figure_id == question.expected), None)
        parts.append(f"own figure at rank {rank}" if rank else f"own figure not among these {len(question.hits)}")
    return " · ".join(part for part in parts if part)


def _hits(hits: Sequence[Hit], expected: str | None) -> Html:
    if not hits:
        return element("p", "No hits.", class_="retrieval-none")
    best = max((hit.score for hit in hits if math.isfinite(hit.score)), default=0.0)
    kind = "captions" if all(hit.modality == "text" for hit in hits) else "images"
    items = (_hit(hit, best, hit.figure_id == expected) for hit in hits)
    return element("ol", join(items, "\n"), class_=f"retrieval-hits retrieval-{kind}", role="list")


def _hit(hit: Hit, best: float, own: bool) -> Html:
    """One hit: an image hit shows its picture first, a caption hit its words."""
    share = min(max(hit.score / best, 0.0), 1.0) if best > 0 and math.isfinite(hit.score) else 0.0
    line = element(
        "p",
        element("span", f"{hit.rank}", class_="retrieval-rank"),
        element("span", "its own figure", class_="retrieval-badge") if own else Html(),
        element("span", f"{hit.score:.3f}{_share(hit)}", class_="retrieval-score"),
        class_="retrieval-line",
    )
    bar = element("span", element("span", style=f"width:{share:.1%}"), class_="retrieval-bar", aria_hidden="true")
    plate = picture(hit.thumbnail, shorten(hit.caption, ALT) if hit.caption.strip() else hit.figure_id)
    answer = "caption" if hit.modality == "text" else "image"
    words = _caption(hit, CAPTION if answer == "caption" else IMAGE_CAPTION)
    source = element(
        "p",
        element("code", hit.figure_id, dir="auto"),
        element("span", "panel ", element("bdi", hit.panel)) if hit.panel else Html(),
        element("span", "in ", element("bdi", hit.article_id)) if hit.article_id else Html(),
        class_="retrieval-source",
    )
    text = element("figcaption", line, bar, words, source, _credits(hit.metadata))
    order = (text, plate) if answer == "caption" else (plate, text)
    own_class = " retrieval-own" if own else ""
    return element("li", element("figure", *order), class_=f"retrieval-hit-{answer}{own_class}")


def _share(hit: Hit) -> str:
    return "" if hit.percentile is None else f" · nearer than {percent(hit.percentile)} %"


def _caption(hit: Hit, limit: int) -> Html:
    """The hit's caption, then the figure's other captions; folded where that is long."""
    others = [caption for caption in hit.captions if caption.strip() and caption != hit.caption]
    if not hit.caption.strip() and not others:
        return element("p", "no caption", class_="retrieval-nocaption")
    return _folded([hit.caption if hit.caption.strip() else others.pop(0), *others], limit, "retrieval-caption")


def credit_line(metadata: Mapping[str, object]) -> str:
    """Credit and licence of a figure as one line; empty where its metadata name neither."""
    found = {key.lower(): str(value) for key, value in metadata.items() if value is not None and str(value).strip()}
    return " · ".join(dict.fromkeys(found[key] for key in CREDITS if key in found))


def _credits(metadata: Mapping[str, object]) -> Html:
    credit = credit_line(metadata)
    return _folded([credit], CREDIT, "retrieval-credit") if credit else Html()


def _folded(texts: Sequence[str], limit: int, class_: str) -> Html:
    """Paragraphs; where they are more than one or the first is long, its beginning and all of them on demand."""
    paragraphs = [element("p", text, dir="auto") for text in texts]
    if len(texts) == 1 and len(texts[0]) <= limit * 1.2:
        return element("div", *paragraphs, class_=class_)
    more = "more" if len(texts) == 1 else f"{len(texts)} captions"
    beginning = element(
        "span",
        element("bdi", shorten(texts[0], limit)),
        " ",
        element("span", more, class_="retrieval-more"),
        class_="retrieval-closed",
    )
    summary = element("summary", beginning, element("span", "less", class_="retrieval-more retrieval-open"))
    return element("details", summary, *paragraphs, class_=class_)


def _facts(facts: Mapping[str, str]) -> Html:
    pairs = (element("div", element("dt", name), element("dd", value, dir="auto")) for name, value in facts.items())
    return element("dl", *pairs, class_="retrieval-facts") if facts else Html()


def _table(table: SheetTable) -> Html:
    head = (element("th", name, scope="col") for name in table.columns)
    rows = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in table.rows
        if row
    )
    body = (element("thead", element("tr", *head)), element("tbody", *rows))
    grid = element("table", element("caption", table.title), *body)
    scroll = element("div", grid, class_="retrieval-scroll", role="region", tabindex="0", aria_label=table.title)
    return element("div", scroll, optional("p", table.note, "retrieval-note"))


@functools.cache
def _style() -> Html:
    """The style sheet. Every selector in it starts at a class of ours."""
    return Html(resources.files("retrieval.render").joinpath("sheet.css").read_text(encoding="utf-8"))
