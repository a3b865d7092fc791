"""build: shards to indexes, tuned and measured."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from retrieval.cli.options import command, share


def add(commands: Any) -> None:
    build = command(
        commands,
        "build",
        run,
        "build the FAISS indexes from the shards and measure their recall",
        "retrieval build indexes/mine --factory IVF64,Flat",
    )
    build.add_argument("index", metavar="INDEX", help="folder that was encoded into")
    arguments(build)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--factory", default="Flat", help="FAISS factory string: Flat (exact) or IVF<lists>,<codec> (default: Flat)"
    )
    parser.add_argument(
        "--target-recall", type=share, default=0.95, help="what an approximate index is tuned to (default: 0.95)"
    )


def run(args: argparse.Namespace) -> None:
    from retrieval.build import build

    facts = build(
        args.index,
        factory=args.factory,
        target_recall=args.target_recall,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    for kind in ("image", "text"):
        print(f"{kind} index: {describe_index(facts[kind])}")
    print(f"digest {facts['digest'][:16]}")


def describe_index(facts: dict[str, Any]) -> str:
    text = f"{facts['rows']} vectors, {facts['factory']}"
    recall = facts["recall"]
    if not facts["rows"]:
        return "no vectors"
    if not recall["queries"]:
        return f"{text}, exact"
    settings = ", ".join(f"{name} {value}" for name, value in facts["parameters"].items())
    return (
        f"{text}, {settings}: finds {recall['recall']:.1%} of the exact {recall['k']} nearest "
        f"for {recall['queries']} {recall['queries_of']} queries"
    )
