"""The `index` command: `encode`, then `build`."""

from __future__ import annotations

import argparse
from typing import Any

from retrieval.cli import build, encode
from retrieval.cli.options import command


def declare(commands: Any) -> None:
    index = command(
        commands,
        "index",
        run,
        "build an index from a collection of figures: encode, then build",
        "retrieval index figures/ indexes/mine --encoder starter",
        goes_on=True,
    )
    encode.encode_arguments(index)
    build.build_arguments(index)


def run(args: argparse.Namespace) -> None:
    encode.run(args)
    build.run(args)
    print(f'ask it: retrieval search {args.index} "what the figure shows"')
