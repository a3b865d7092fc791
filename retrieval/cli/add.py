"""The `add` command: new figures, or newer versions of those there are, into an index."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from retrieval.cli import build, panels
from retrieval.cli.options import at_least, change_options, command, progress, say, share, trust_torchscript

if TYPE_CHECKING:
    from retrieval.indexer.add import Added


def declare(commands: Any) -> None:
    adding = command(
        commands,
        "add",
        run,
        "add figures to an index, or newer versions of its own; only what changed is encoded; killed, it continues",
        "retrieval add indexes/mine new-figures/",
        goes_on=True,
    )
    adding.add_argument("index", metavar="INDEX", help="an index")
    adding.add_argument("source", metavar="SOURCE", help="figures, as for `retrieval index`; known ids are compared")
    adding.add_argument(
        "--sync",
        action="store_true",
        help="SOURCE is a newer version of all that the index was made from: withdraw figures that it has no longer",
    )
    adding.add_argument("--encoder", metavar="NAME", help="where the index's encoder is now, if it was moved")
    adding.add_argument("--device", metavar="NAME", help="cpu or cuda (default: a GPU, else the CPU)")
    trust_torchscript(adding)
    adding.add_argument("--image-column", metavar="NAME", help="column of a table that holds the image")
    adding.add_argument(
        "--caption-column", metavar="NAME", action="append", default=[], help="column with a caption; may be repeated"
    )
    adding.add_argument("--image-root", metavar="FOLDER", help="folder that a table's image paths start from")
    adding.add_argument("--batch-size", type=at_least(1), default=64, help="images a batch (default: %(default)s)")
    adding.add_argument(
        "--max-skips", type=share, default=0.05, metavar="SHARE", help="unreadable figures of SOURCE allowed (5%%)"
    )
    adding.add_argument("--workers", type=at_least(1), metavar="N", help="threads that decode images (default: cores)")
    change_options(adding)


def run(args: argparse.Namespace) -> None:
    from retrieval.indexer.add import add

    added = add(
        args.index,
        args.source,
        args.encoder,
        sync=args.sync,
        reason=args.reason,
        device=args.device,
        trust_torchscript=args.trust_torchscript,
        batch_size=args.batch_size,
        max_skips=args.max_skips,
        image_column=args.image_column,
        caption_columns=args.caption_column,
        image_root=args.image_root,
        workers=args.workers,
        say=say,
        progress=progress(args),
    )
    print(describe(added), flush=True)
    panels.add(args)
    build.update(args)


def describe(added: Added) -> str:
    figures = added.figures
    told = ", ".join(f"{figures[what]} {what}" for what in ("added", "updated", "removed", "unchanged", "skipped"))
    lines = [f"{told}" if added.change else f"nothing changed: {told}"]
    if added.encoded or added.reused:
        work = (
            f"{what}: {added.encoded[what]} encoded, {added.reused[what]} reused" for what in ("images", "captions")
        )
        lines.append(f"  {'; '.join(work)}")
    lines += [f"  skipped {count}: {reason}" for reason, count in added.skips.most_common()]
    return "\n".join(lines)
