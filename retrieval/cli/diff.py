"""The `diff` command: the figures that two indexes do not have in common."""

from __future__ import annotations

import argparse
import json
from typing import Any

from retrieval.cli.options import command

SHOWN = 10  # differences of each sort; --json has all


def declare(commands: Any) -> None:
    differing = command(
        commands,
        "diff",
        run,
        "say which figures two indexes do not have in common, and which changed; exit code 1 if there are any",
        "retrieval diff indexes/yesterday indexes/today --json",
    )
    differing.add_argument("first", metavar="A", help="an index, built or only encoded")
    differing.add_argument("second", metavar="B", help="another; their encoders need not be the same")
    differing.add_argument("--json", action="store_true", help="every difference as a line of JSON")


def run(args: argparse.Namespace) -> int:
    from collections import Counter, defaultdict
    from dataclasses import asdict

    from retrieval.indexer.diff import diff

    shown: defaultdict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for found in diff(args.first, args.second):
        counts[found.what] += 1
        parts.update(found.changed)
        if args.json:
            print(json.dumps(asdict(found), ensure_ascii=False))
        elif len(shown[found.what]) < SHOWN:
            shown[found.what].append(found.figure_id + "".join(f" [{', '.join(found.changed)}]" * bool(found.changed)))
    if args.json:
        return int(bool(counts))
    where = {"only in the first": f"only in {args.first}", "only in the second": f"only in {args.second}"}
    for what, count in counts.items():
        print(f"{count} figures {where.get(what) or f'{what}: {_counted(parts)}'}")
        for figure in shown[what]:
            print(f"  {figure}")
        if count > SHOWN:
            print(f"  and {count - SHOWN} more; --json has them all")
    if not counts:
        print("the same figures, saying the same")
    return int(bool(counts))


def _counted(parts: Any) -> str:
    return ", ".join(f"{count} in {part}" for part, count in parts.most_common())
