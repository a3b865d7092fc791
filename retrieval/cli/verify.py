"""The `verify` command: every digest and count of an index, checked."""

from __future__ import annotations

import argparse
from typing import Any

from retrieval.cli.options import command


def declare(commands: Any) -> None:
    verify = command(
        commands, "verify", run, "check every digest and count of an index", "retrieval verify indexes/mine"
    )
    verify.add_argument("index", metavar="INDEX", help="a built index")


def run(args: argparse.Namespace) -> None:
    from retrieval.indexes.verify import verified

    for line in verified(args.index):
        print(line, flush=True)
    print(f"{args.index} is whole")
