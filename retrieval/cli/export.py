"""The `export` command: figures out of an index, with their captions, metadata and attribution."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import at_least, command, progress
from retrieval.errors import QueryError
from retrieval.files import read_lines

if TYPE_CHECKING:
    from retrieval.export.export_figures import Exported
    from retrieval.types import Hit


def declare(commands: Any) -> None:
    export = command(
        commands,
        "export",
        run,
        "write figures with captions, metadata and attribution: a table, a WebDataset shard or a folder to index again",
        'retrieval export indexes/mine selection --where "licence in cc-by,cc0" --where "year>=2018"\n'
        '  retrieval export indexes/mine hits.csv --text "axial CT of the abdomen" -k 200',
    )
    export.add_argument("index", metavar="INDEX", help="a built index")
    export.add_argument(
        "out", metavar="OUT", help="new file .csv, .jsonl, .parquet or .tar; a name without suffix is a folder"
    )
    export.add_argument(
        "--where", action="append", default=[], metavar="CLAUSE", help="only figures where e.g. year>=2018; repeatable"
    )
    export.add_argument("--id", action="append", default=[], metavar="ID", help="only this figure; repeatable")
    export.add_argument("--ids", metavar="FILE", help="only figures whose ids are in this file, one a line")
    asked = export.add_mutually_exclusive_group()
    asked.add_argument("--text", help="the hits of a question in words")
    asked.add_argument("--image", metavar="FILE", help="the hits of an image")
    asked.add_argument("--figure", metavar="ID", help="the hits of a figure of the index")
    export.add_argument("-k", type=at_least(1), default=100, help="hits of a question (default: %(default)s)")
    export.add_argument("--encoder", help="where the index's encoder is found, if not under its own name")
    export.add_argument(
        "--format", choices=("csv", "jsonl", "parquet", "tar", "folder"), help="if the suffix of OUT does not tell"
    )
    export.add_argument("--embeddings", action="store_true", help="with .parquet: the images' vectors too")


def run(args: argparse.Namespace) -> None:
    from retrieval.export.export_figures import export

    hits = _hits(args)
    ids = [*args.id, *(read_lines(args.ids) if args.ids else [])]
    exported = export(
        args.index,
        args.out,
        where=() if hits is not None else args.where,
        ids=ids if args.id or args.ids else None,
        hits=hits,
        format=args.format,
        embeddings=args.embeddings,
        progress=progress(args),
    )
    print(describe_exported(exported, args.out))


def _hits(args: argparse.Namespace) -> Sequence[Hit] | None:
    """The hits of the question, figures also for an image; None where nothing was asked."""
    if args.text is None and args.image is None and args.figure is None:
        return None
    if args.id or args.ids:
        raise QueryError("the hits of a question are not chosen by id; leave out --id and --ids, or the question")
    from retrieval.search.searcher import Searcher

    searcher = Searcher(args.index, args.encoder)
    target = "image" if searcher.built.count("image") else "text"
    return searcher.search(args.text, image=args.image, figure=args.figure, target=target, k=args.k, where=args.where)


def describe_exported(exported: Exported, out: str) -> str:
    """What was written, and what whoever shows it should know."""
    said = f"wrote {exported.figures} figures with {exported.captions} captions to {out}"
    if exported.originals or exported.thumbnails:
        said += f": {exported.originals} original images, {exported.thumbnails} thumbnails"
    lines = [said]
    if exported.thumbnails:
        lines.append("  thumbnails stand where the source is gone or has changed since it was indexed")
    if exported.without_licence:
        lines.append(f"  no licence is known of {exported.without_licence}: ask before showing them")
    return "\n".join(lines)
