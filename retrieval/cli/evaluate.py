"""The `evaluate` command: recall on held-out pairs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import add_fields, at_least, command, field_values, progress, say
from retrieval.errors import QueryError
from retrieval.evaluation.evaluate_options import EvaluateOptions
from retrieval.evaluation.study.study_tables import (
    DIRECTIONS,
    aligned,
    cell,
    comparison_names,
    heading,
    paired_table,
    pools,
    rows,
    shared,
    strata_table,
)

if TYPE_CHECKING:
    from retrieval.evaluation.compare_modes import ModesReport
    from retrieval.evaluation.report import Report
    from retrieval.evaluation.study.study_results import Study


def declare(commands: Any) -> None:
    evaluate = command(
        commands,
        "evaluate",
        run,
        "measure recall in both directions, exactly, with 95 % intervals",
        "retrieval evaluate indexes/mine --queries split=heldout --json recall.json",
    )
    evaluate.add_argument("index", metavar="INDEX", help="a built index; all of it is the gallery")
    add_fields(evaluate, EvaluateOptions)
    evaluate.add_argument(
        "--mode",
        choices=("dense", "hybrid"),
        default="dense",
        help="hybrid: dense, lexical and hybrid search side by side, asked with texts of another corpus",
    )
    evaluate.add_argument(
        "--tune",
        action="store_true",
        help="with --mode hybrid: half of the articles choose the weight of the vectors, which the index then keeps",
    )
    evaluate.add_argument("--json", metavar="FILE", help="write the report as JSON; - prints it instead of the table")
    evaluate.add_argument(
        "--report", metavar="FILE.html", help="draw curves, strata, comparisons, best and worst answers as a page"
    )
    evaluate.add_argument(
        "--against", metavar="INDEX", nargs="+", action="extend", help="other indexes, asked the same and compared"
    )
    evaluate.add_argument(
        "--strata", metavar="COLUMN", nargs="+", action="extend", help="metadata columns to measure by the values of"
    )
    evaluate.add_argument("--trec", metavar="FOLDER", help="write TREC run and qrels files for trec_eval")
    evaluate.add_argument("--depth", type=at_least(1), default=1000, help="hits a query in a run (default: 1000)")


def run(args: argparse.Namespace) -> None:
    from retrieval.evaluation.evaluate import evaluate

    deeper = bool(args.report or args.against or args.strata)
    if args.mode == "hybrid":
        if deeper:
            raise QueryError("--report, --against and --strata look into dense search; leave --mode hybrid out")
        return _run_modes(args)
    if args.tune:
        raise QueryError("--tune chooses the weight of hybrid search; give --mode hybrid with it")
    if deeper:
        return _run_study(args)
    report = evaluate(
        args.index,
        EvaluateOptions(**field_values(args, EvaluateOptions)),
        trec=args.trec,
        depth=args.depth,
        progress=progress(args),
    )
    if not only_json(report, args.json):
        print(table(report))
    if args.trec:
        say(f"wrote run and qrels files into {args.trec}")


def only_json(report: Report | ModesReport | Study, place: str | None) -> bool:
    """Write a report as JSON where that was asked for; whether it went to the output (-), which then says no more."""
    from retrieval.files import write_json

    if place == "-":
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    elif place:
        write_json(Path(place), report.to_json())
        say(f"wrote {place}")
    return place == "-"


def _run_modes(args: argparse.Namespace) -> None:
    from retrieval.evaluation.compare_modes import compare_modes

    if args.queries is None or args.trec is not None:
        raise QueryError("--mode hybrid is measured with other texts of the figures; give --queries CORPUS, no --trec")
    report = compare_modes(args.index, EvaluateOptions(**field_values(args, EvaluateOptions)), tune=args.tune)
    if not only_json(report, args.json):
        print(modes_table(report))


def modes_table(report: ModesReport) -> str:
    """A table a direction: each mode, and what hybrid gains on dense."""
    chosen = f"chosen on {report.tuned_on} queries of other articles" if report.tuned_on else "not tuned here"
    lines = [
        f"{report.index}, encoder {report.encoder}, queries {report.queries}, relevant by {report.relevant_by}",
        f"hybrid: weight of the vectors {report.dense_weight:g}, {chosen}",
    ]
    for name, modes in report.modes.items():
        measured = {**modes, "hybrid - dense": report.gain[name]}
        names = list(report.gain[name])
        cells = [(DIRECTIONS[name], *names)]
        cells += [(mode, *(cell(its[measure], measure) for measure in names)) for mode, its in measured.items()]
        lines += ["", f"{report.asked[name]} queries", *aligned(cells)]
    return "\n".join([*lines, "", "95 % intervals over articles; ties count against us"])


def table(report: Report) -> str:
    drawn = aligned([heading(report), *rows(report)])
    about = f"{report.index}, encoder {report.encoder}, queries {report.queries}, relevant by {report.relevant_by}"
    long = [f"{name}: {read} ({read.policy})" for name, read in report.long_captions.items()]
    return "\n".join(
        [about, *pools(report), *long, "", *drawn, "", "95 % intervals over articles; ties count against us"]
    )


EXAMPLES = 6
"""Of the best and of the worst queries, in each direction: some hundred thumbnails in all, less than a megabyte."""


def _run_study(args: argparse.Namespace) -> None:
    from retrieval.evaluation.study.study import study
    from retrieval.pages.report_page import write_page

    if args.report and not Path(args.report).absolute().parent.is_dir():
        raise QueryError(f"{args.report}: there is no such folder to write into; choose another place for the report")
    found = study(
        args.index,
        EvaluateOptions(**field_values(args, EvaluateOptions)),
        against=args.against or (),
        strata=args.strata or (),
        examples=EXAMPLES if args.report else 0,
        trec=args.trec,
        depth=args.depth,
        progress=progress(args),
    )
    if args.report:
        write_page(found, args.report)
    if args.trec:
        say(f"wrote run and qrels files into {args.trec}")
    if only_json(found, args.json):
        return
    print(tables(found))
    if args.report:
        print(f"\nopen {args.report} in a browser to see it drawn")


def tables(study: Study) -> str:
    """The plain report's table, then one for each column and each comparison."""

    parts = [table(study.report)]
    parts += ["\n".join(aligned(strata_table(found))) for found in study.strata]
    first, *names = comparison_names(study.report, study.against)
    for name, other in zip(names, study.against, strict=True):
        about = f"{other.report.index}, encoder {other.report.encoder}; differences are {first} minus {name}"
        parts.append(f"{first} against {name}: {about}")
        for way, its in other.paired.items():
            parts.append("\n".join([shared(its, first, name), *aligned(paired_table(way, its, first, name))]))
    return "\n\n".join(parts)
