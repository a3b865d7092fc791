"""The `demo` command: the whole story on drawn figures."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli import draw
from retrieval.cli.options import command

if TYPE_CHECKING:
    from retrieval.evaluation.report import Report
    from retrieval.render.contact_sheet import ShownQuery
    from retrieval.search.searcher import Searcher

SENTENCES = (
    "blood film with sickle-shaped red cells",
    "survival curves of two groups of patients",
    "western blot with a loading control",
    "CT of the head with a lesion",
)
HELD_OUT = "split=heldout"
PICTURES = 4


def declare(commands: Any) -> None:
    demo = command(
        commands,
        "demo",
        run,
        "draw figures, index them, ask both ways, measure recall, leave a page to look at",
        "retrieval demo .",
    )
    demo.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where it all goes (default: here)")
    demo.add_argument("--encoder", default="starter", help="encoder to show (default: starter)")
    draw.draw_arguments(demo)


def run(args: argparse.Namespace) -> int:
    """Every step is a command that the user could have typed; it is printed before it runs."""
    from retrieval.cli import main

    folder = Path(args.folder)
    figures, index, page = folder / "collections" / "demo", folder / "indexes" / "demo", folder / "demo.html"

    def steps() -> Iterator[list[str]]:
        yield ["draw", str(figures), "--count", str(args.count), "--seed", str(args.seed)]
        yield ["index", str(figures), str(index), "--encoder", args.encoder]
        yield ["search", str(index), SENTENCES[0], "-k", "5"]
        yield ["search", str(index), "--image", str(figures / _held_out(index)[0]["source_uri"]), "-k", "5"]
        yield ["evaluate", str(index), "--queries", HELD_OUT]

    for step in steps():
        print(f"\n$ retrieval {shlex.join(step)}", flush=True)
        code = main(step)
        if code:
            return code
    _write_page(page, figures, index)
    print(f"\nopen {page} in a browser to see the answers, or ask yourself, on a page of its own:")
    print(f"{_command()} serve {shlex.quote(str(index))}")
    return 0


def _held_out(index: Path) -> list[dict[str, Any]]:
    """The held-out figures of the demo's index: the drawings whose combination the starter has never seen."""
    from retrieval.indexes.opened_index import Built

    built = Built(index)
    rows = built.matching("image", (HELD_OUT,))
    return built.describe("image", [] if rows is None else rows.tolist())


def _write_page(page: Path, figures: Path, index: Path) -> None:
    from retrieval.evaluation.evaluate import evaluate
    from retrieval.files import replacing
    from retrieval.render.contact_sheet import contact_sheet
    from retrieval.search.searcher import Searcher

    searcher = Searcher(index)
    report = evaluate(index, queries=HELD_OUT)
    plan = searcher.built.plan
    html = contact_sheet(
        "What retrieval does",
        list(_questions(searcher, figures, _held_out(index))),
        subtitle=f"{plan.total} drawn figures, asked with words and with pictures",
        tables=[_table(report)],
        facts={"encoder": plan.encoder, "figures": str(plan.total), "index": str(index)},
    )
    with replacing(page) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _questions(searcher: Searcher, figures: Path, held_out: list[dict[str, Any]]) -> list[ShownQuery]:
    from dataclasses import replace

    from retrieval.cli.search import question
    from retrieval.search.query import Query

    step = max(1, len(held_out) // (2 * PICTURES))
    by_words, by_picture = held_out[::step][:PICTURES], held_out[step // 2 :: step][:PICTURES]
    queries: list[tuple[Query, str | None]] = [(Query(text=sentence), None) for sentence in SENTENCES]
    queries += [(Query(text=figure["caption"]), figure["figure_id"]) for figure in by_words]
    queries += [(Query(image=figures / figure["source_uri"]), figure["figure_id"]) for figure in by_picture]
    answers = searcher.search_many([query for query, _ in queries], k=5)
    return [
        replace(question(query, answer), expected=expected)
        for (query, expected), answer in zip(queries, answers, strict=True)
    ]


def _command() -> str:
    """As this one was called, where it is not on the path: .venv/bin/retrieval."""
    called = Path(sys.argv[0])
    return "retrieval" if shutil.which("retrieval") or called.name != "retrieval" else str(called)


def _table(report: Report) -> Any:
    from retrieval.evaluation.study.study_tables import heading, pools, rows
    from retrieval.render.contact_sheet import SheetTable

    note = f"{'; '.join(pools(report))}. 95 % intervals over articles; ties count against us."
    return SheetTable("Held-out drawings", heading(report), tuple(rows(report)), note)
