"""The `overlap` command: what two indexes, or two parts of one, have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retrieval.cli.options import command, say


def declare(commands: Any) -> None:
    overlap = command(
        commands,
        "overlap",
        run,
        "say what two indexes, or two parts of one, have in common: articles, images, pictures, captions",
        "retrieval overlap indexes/train indexes/test --clean-ids clean.txt\n"
        "  retrieval export indexes/test test-clean --ids clean.txt",
    )
    overlap.add_argument("index", metavar="INDEX", help="a built index; alone it is compared with itself")
    overlap.add_argument("other", nargs="?", metavar="OTHER", help="the index whose figures are looked for in INDEX")
    overlap.add_argument("--by", metavar="COLUMN", help="compare the values of this column of INDEX with each other")
    overlap.add_argument(
        "--kind",
        action="append",
        default=[],
        choices=("article", "image", "picture", "caption", "words"),
        help="look at this kind only; repeatable (default: all, but not articles within one index)",
    )
    overlap.add_argument("--json", metavar="FILE", help="write the report with every pair")
    overlap.add_argument("--clean-ids", metavar="FILE", help="write the ids of the figures that nothing touches")


def run(args: argparse.Namespace) -> None:
    from retrieval.evaluation.overlap.compare_collections import clean_ids, overlap
    from retrieval.files import replacing, write_json

    found = overlap(args.index, args.other, by=args.by, kinds=args.kind)
    for comparison in found:
        print(comparison)
    if args.json:
        write_json(Path(args.json), {"comparisons": [comparison.as_json() for comparison in found]})
        say(f"wrote {args.json}")
    if args.clean_ids:
        ids = clean_ids(found)
        with replacing(Path(args.clean_ids)) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")
        say(f"wrote {len(ids)} ids of clean figures to {args.clean_ids}")
