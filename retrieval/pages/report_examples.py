"""Examples of a study as markup: the query, where its answer stands, and the hits before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from retrieval.evaluation.study.study_results import Example, Examples
from retrieval.evaluation.study.study_tables import DIRECTIONS
from retrieval.render.contact_sheet import credit_line
from retrieval.render.html import Html, element, join, optional, picture, shorten
from retrieval.types import Hit

QUERY: Final = 260
"""Characters of a caption that asks, or that is the answer to an image."""
HIT: Final = 150
ALT: Final = 160


def examples_html(examples: Examples) -> list[Html]:
    """A section of the clearest answers and one of the worst."""
    looked_at = ", ".join(f"{number} {DIRECTIONS[way]}" for way, number in examples.looked_at.items())
    best = (
        "Queries whose answer came first, those in which it is furthest ahead of everything else by cosine "
        f"(of {looked_at} that were looked at), one of an article while there are enough."
    )
    worst = "Queries whose best answer stands last, with what came instead; one of an article while there are enough."
    return [
        _section("Clearest answers", best, examples.best),
        _section("Worst answers", worst, examples.worst),
    ]


def _section(title: str, note: str, examples: Sequence[Example]) -> Html:
    if not examples:
        return Html()
    cards = join(map(_card, examples), "\n")
    return element(
        "section",
        element("h2", title),
        element("p", note, class_="report-note"),
        element("div", cards, class_="report-cards"),
        class_="report-whole",
    )


def _card(example: Example) -> Html:
    ahead = f"{abs(example.margin):.3f} {'ahead of' if example.rank == 1 else 'behind'} the best other"
    line = f"{DIRECTIONS[example.direction]} · rank {example.rank} · {ahead}"
    shown = list(zip(example.hits, example.relevant, strict=True))
    if example.rank > len(shown):
        shown.append((example.answer, True))
    kind = "images" if example.direction == "t2i" else "captions"
    return element(
        "article",
        element("p", line, class_="retrieval-eyebrow"),
        _asked(example),
        element("ol", *(_hit(example, *each) for each in shown), class_=f"report-hits report-{kind}", role="list"),
        class_="report-card",
    )


def _asked(example: Example) -> Html:
    """The query: a caption as words, an image as a picture."""
    source = element("p", element("code", example.asked.figure_id, dir="auto"), class_="report-source")
    if example.direction == "t2i":
        words = element("h3", shorten(example.asked.caption, QUERY), dir="auto")
        return element("div", words, source, class_="report-asked")
    plate = picture(example.asked.thumbnail, f"the image asked with, {example.asked.figure_id}")
    credit = _credit(example.asked.metadata)
    return element("div", plate, element("div", source, credit), class_="report-asked report-asked-image")


def _hit(example: Example, hit: Hit, relevant: bool) -> Html:
    """A hit; a figure that its own caption found does not say that caption again."""
    own = hit.figure_id == example.asked.figure_id
    badge = element("span", "its own" if own else "an answer", class_="retrieval-badge") if relevant else Html()
    rank = element("span", f"{hit.rank}", class_="retrieval-rank")
    line = (rank, badge, element("span", f"{hit.score:.3f}", class_="retrieval-score"))
    words = "" if own and hit.caption == example.asked.caption else shorten(hit.caption, HIT)
    text = (
        element("p", *line, class_="retrieval-line"),
        optional("p", words, "report-words"),
        element("p", element("code", hit.figure_id, dir="auto"), class_="report-source"),
        _credit(hit.metadata),
    )
    plate = picture(hit.thumbnail, shorten(hit.caption, ALT) or hit.figure_id)
    return element("li", plate, element("div", *text), class_="retrieval-own" if relevant else "report-other")


def _credit(metadata: Mapping[str, object]) -> Html:
    return optional("p", credit_line(metadata), "retrieval-credit")
