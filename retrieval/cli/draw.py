"""The `draw` command: a collection of scientific-looking figures with captions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retrieval.cli.options import at_least, command


def declare(commands: Any) -> None:
    draw = command(
        commands,
        "draw",
        run,
        "draw a collection of scientific-looking figures with captions",
        "retrieval draw collections/demo --count 600",
    )
    draw.add_argument("folder", metavar="FOLDER", help="where the images and captions.jsonl go")
    draw_arguments(draw)


def draw_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=at_least(1), default=600, help="how many figures (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other figures (default: 0)")


def run(args: argparse.Namespace) -> None:
    from retrieval.demo.collection import draw_collection

    draw_collection(Path(args.folder), count=args.count, seed=args.seed)
    print(f"drew {args.count} figures into {args.folder}")
