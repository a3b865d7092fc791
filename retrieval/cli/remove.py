"""The `remove` command: withdraw figures from an index."""

from __future__ import annotations

import argparse
from typing import Any

from retrieval.cli import build
from retrieval.cli.options import change_options, command
from retrieval.files import read_lines


def declare(commands: Any) -> None:
    removing = command(
        commands,
        "remove",
        run,
        "withdraw figures from an index: by id, by article, or all that a where clause describes",
        'retrieval remove indexes/mine --article PMC7096803 --reason "retracted"\n'
        '  retrieval remove indexes/mine --where "licence in cc-by-nc,cc-by-nd" --dry-run',
    )
    removing.add_argument("index", metavar="INDEX", help="an index")
    removing.add_argument("--id", metavar="ID", action="append", default=[], help="a figure; may be repeated")
    removing.add_argument("--ids", metavar="FILE", help="file of figure ids, one a line; - is the standard input")
    removing.add_argument(
        "--article", metavar="ID", action="append", default=[], help="all figures of an article; may be repeated"
    )
    removing.add_argument(
        "--where",
        metavar="CLAUSE",
        action="append",
        default=[],
        help='such as "year<1990" or "licence in cc-by-nc"; with several, figures that fulfil all of them',
    )
    removing.add_argument("--missing-ok", action="store_true", help="ids that the index does not have are no error")
    removing.add_argument("--dry-run", action="store_true", help="only say how many there are")
    change_options(removing)


def run(args: argparse.Namespace) -> None:
    from retrieval.indexer.remove import remove

    ids = [*args.id, *(read_lines(args.ids) if args.ids else [])]
    removed = remove(
        args.index,
        ids,
        articles=args.article,
        where=args.where,
        reason=args.reason,
        missing_ok=args.missing_ok,
        dry_run=args.dry_run,
    )
    what = f"{removed.figures} figures with {removed.images} images and {removed.captions} captions"
    near = f" ({removed.nearest})" if removed.nearest else ""
    if args.dry_run:
        print(f"{what} would be removed{near}")
        return
    print(f"{what} removed" if removed.change else f"no figure fulfils that{near}; nothing was removed", flush=True)
    build.update(args)
