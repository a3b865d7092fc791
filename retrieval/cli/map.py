"""The `map` command: the collection in the plane, as a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retrieval.cli.options import at_least, command, progress


def declare(commands: Any) -> None:
    drawn = command(
        commands,
        "map",
        run,
        "draw images and captions as points, near where they are alike: a page with their pictures that opens offline",
        "retrieval map indexes/mine map.html --colour licence --colour year",
    )
    drawn.add_argument("index", metavar="INDEX", help="a built index")
    drawn.add_argument("out", metavar="OUT.html", nargs="?", help="the page to write (default: INDEX-map.html, here)")
    drawn.add_argument(
        "--colour",
        action="append",
        default=[],
        metavar="COLUMN",
        help="colour by this column; repeatable: the page asks",
    )
    drawn.add_argument(
        "--points",
        type=at_least(1),
        default=20_000,
        metavar="N",
        help="images and captions at most; of more, figures are drawn by lot (default: %(default)s)",
    )
    drawn.add_argument(
        "--thumbnails",
        type=at_least(0),
        default=128,
        metavar="PIXELS",
        help="longer side of the pictures on the page; 0 leaves them out (default: %(default)s)",
    )
    drawn.add_argument(
        "--raw", action="store_true", help="keep the gap between images and captions, whose means are removed otherwise"
    )
    drawn.add_argument("--seed", type=at_least(0), default=0, help="of the lot and the layout (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    from retrieval.pages.map.draw_map import draw_map

    out = args.out or f"{Path(args.index).resolve().name}-map.html"
    drawn = draw_map(
        args.index,
        out,
        colour=args.colour,
        points=args.points,
        thumbnails=args.thumbnails,
        raw=args.raw,
        seed=args.seed,
        placing=progress(args, "steps"),
        describing=progress(args),
    )
    size = Path(out).stat().st_size / 1e6
    share = "" if drawn.figures == drawn.of else f" of {drawn.of}"
    print(
        f"wrote {out}, {size:.1f} MB: {drawn.figures}{share} figures, {drawn.images} images and "
        f"{drawn.captions} captions, {drawn.pictures} pictures"
    )
