"""evaluate --report, --against, --strata: what stands behind the numbers, as tables, as JSON and as a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import QueryError
from retrieval.report.tables import aligned, comparison_names, paired_table, shared, strata_table

if TYPE_CHECKING:
    from retrieval.report.values import Study

EXAMPLES = 6
"""Of the best and of the worst queries, in each direction: some hundred thumbnails in all, less than a megabyte."""


def run(args: argparse.Namespace) -> None:
    from retrieval.cli.measuring import only_json
    from retrieval.cli.progress import watcher
    from retrieval.evaluate import KS
    from retrieval.report.page import write_page
    from retrieval.report.study import study

    if args.report and not Path(args.report).absolute().parent.is_dir():
        raise QueryError(f"{args.report}: there is no such folder to write into; choose another place for the report")
    found = study(
        args.index,
        against=args.against or (),
        strata=args.strata or (),
        examples=EXAMPLES if args.report else 0,
        queries=args.queries,
        relevant_by=args.relevant_by,
        ks=args.k or KS,
        resamples=args.resamples,
        seed=args.seed,
        trec=args.trec,
        depth=args.depth,
        encoder=args.encoder,
        progress=watcher(),
    )
    if args.report:
        write_page(found, args.report)
    if only_json(found, args.json):
        return
    print(tables(found))
    if args.report:
        print(f"\nopen {args.report} in a browser to see it drawn")


def tables(study: Study) -> str:
    """The plain report's table, then one for each column and each comparison."""
    from retrieval.cli.measuring import table

    parts = [table(study.report)]
    parts += ["\n".join(aligned(strata_table(found))) for found in study.strata]
    first, *names = comparison_names(study.report, study.against)
    for name, other in zip(names, study.against, strict=True):
        about = f"{other.report.index}, encoder {other.report.encoder}; differences are {first} minus {name}"
        parts.append(f"{first} against {name}: {about}")
        for way, its in other.paired.items():
            parts.append("\n".join([shared(its, first, name), *aligned(paired_table(way, its, first, name))]))
    return "\n\n".join(parts)
