"""The demo's story: draw figures, index them, ask with words and pictures, measure, and leave a page to look at."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.evaluation.report import Report
    from retrieval.indexes.opened_index import OpenedIndex
    from retrieval.render.contact_sheet import SheetTable, ShownQuery
    from retrieval.search.searcher import Searcher

SENTENCES = (
    "blood film with sickle-shaped red cells",
    "survival curves of two groups of patients",
    "western blot with a loading control",
    "CT of the head with a lesion",
)
HELD_OUT = "split=heldout"
HELD_OUT_QUERIES = 4
"""Held-out figures asked for by their caption, and as many by their picture."""


def run_story(folder: Path, encoder: str, count: int, seed: int, run_command: Callable[[list[str]], int]) -> int:
    """Run each step as a command that the user could have typed, printed first, then write `folder`/demo.html.

    `run_command` takes the words after `retrieval` and gives the exit code; the first that is not 0 ends the story
    and is returned.
    """
    figures, index = folder / "collections" / "demo", folder / "indexes" / "demo"

    def steps() -> Iterator[list[str]]:
        yield ["draw", str(figures), "--count", str(count), "--seed", str(seed)]
        yield ["index", str(figures), str(index), "--encoder", encoder]
        yield ["search", str(index), SENTENCES[0], "-k", "5"]
        yield ["search", str(index), "--image", first_picture(index, figures), "-k", "5"]
        yield ["evaluate", str(index), "--queries", HELD_OUT]

    for step in steps():
        print(f"\n$ retrieval {shlex.join(step)}", flush=True)
        code = run_command(step)
        if code:
            return code
    write_demo_page(folder / "demo.html", figures, index)
    return 0


def first_picture(index: Path, figures: Path) -> str:
    from retrieval.indexes.opened_index import OpenedIndex

    with OpenedIndex(index) as opened:
        return str(figures / heldout_figures(opened)[0]["source_uri"])


def heldout_figures(opened: OpenedIndex) -> list[dict[str, Any]]:
    """The held-out figures of the demo's index: the drawings whose combination the starter has never seen."""
    rows = opened.matching("image", (HELD_OUT,))
    return opened.describe("image", [] if rows is None else rows.tolist())


def write_demo_page(page: Path, figures: Path, index: Path) -> None:
    """Write one page: the questions with their answers first, the measured recall last."""
    from retrieval.evaluation.evaluate import evaluate
    from retrieval.files import replacing
    from retrieval.render.contact_sheet import contact_sheet
    from retrieval.search.searcher import Searcher

    report = evaluate(index, queries=HELD_OUT)
    with Searcher(index) as searcher:
        plan = searcher.built.plan
        html = contact_sheet(
            "What retrieval does",
            demo_queries(searcher, figures),
            subtitle=f"{plan.total} drawn figures, asked with words and with pictures",
            tables=[recall_table(report)],
            facts={"encoder": plan.encoder, "figures": str(plan.total), "index": str(index)},
        )
    with replacing(page) as temporary:
        temporary.write_text(html, encoding="utf-8")


def demo_queries(searcher: Searcher, figures: Path) -> list[ShownQuery]:
    """The sentences, then held-out captions, then held-out pictures, each with its answer."""
    from retrieval.search.query import Query, shown_query

    held_out = heldout_figures(searcher.built)
    step = max(1, len(held_out) // (2 * HELD_OUT_QUERIES))
    by_words, by_picture = held_out[::step][:HELD_OUT_QUERIES], held_out[step // 2 :: step][:HELD_OUT_QUERIES]
    queries: list[tuple[Query, str | None]] = [(Query(text=sentence), None) for sentence in SENTENCES]
    queries += [(Query(text=figure["caption"]), figure["figure_id"]) for figure in by_words]
    queries += [(Query(image=figures / figure["source_uri"]), figure["figure_id"]) for figure in by_picture]
    answers = searcher.search_many([query for query, _ in queries], k=5)
    return [
        replace(shown_query(query, answer), expected=expected)
        for (query, expected), answer in zip(queries, answers, strict=True)
    ]


def recall_table(report: Report) -> SheetTable:
    from retrieval.evaluation.study.study_tables import heading, pools, rows
    from retrieval.render.contact_sheet import SheetTable

    note = f"{'; '.join(pools(report))}. 95 % intervals over articles; ties count against us."
    return SheetTable("Held-out drawings", heading(report), tuple(rows(report)), note)
