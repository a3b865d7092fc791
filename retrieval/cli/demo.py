"""draw and demo: the project's own figure collection, and the whole story on it."""

from __future__ import annotations

import argparse
from typing import Any

from retrieval.cli.options import at_least, command


def add(commands: Any) -> None:
    draw = command(
        commands,
        "draw",
        run_draw,
        "draw a collection of scientific-looking figures with captions",
        "retrieval draw collections/demo --count 600",
    )
    draw.add_argument("folder", metavar="FOLDER", help="where the images and captions.jsonl go")
    draw.add_argument("--count", type=at_least(1), default=600, help="how many figures (default: %(default)s)")
    draw.add_argument("--seed", type=int, default=0, help="another seed draws other figures (default: 0)")


def run_draw(args: argparse.Namespace) -> None:
    from pathlib import Path

    from retrieval.drawing import draw_collection

    draw_collection(Path(args.folder), count=args.count, seed=args.seed)
    print(f"drew {args.count} figures into {args.folder}")
