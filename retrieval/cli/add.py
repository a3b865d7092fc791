"""The `add` command: new figures, or newer versions of those there are, into an index."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from retrieval.cli import build
from retrieval.cli.options import add_fields, change_options, command, field_values, progress, reason_lines
from retrieval.indexer.encode_options import ADD_OPTIONS, EncodeOptions
from retrieval.types import name_first

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
    adding.add_argument(
        "--newer",
        action="store_true",
        help="figures of SOURCE may replace figures of their ids that have another image and other captions",
    )
    adding.add_argument("--encoder", metavar="NAME", help="where the index's encoder is now, if it was moved")
    add_fields(
        adding,
        EncodeOptions,
        ADD_OPTIONS,
        device={"metavar": "NAME", "help": "cpu or cuda (default: a GPU, else the CPU)"},
    )
    change_options(adding)


def run(args: argparse.Namespace) -> None:
    from retrieval.indexer.add import add

    added = add(
        args.index,
        args.source,
        args.encoder,
        EncodeOptions(**field_values(args, EncodeOptions, ADD_OPTIONS)),
        sync=args.sync,
        newer=args.newer,
        reason=args.reason,
        progress=progress(args),
    )
    print(describe_added(added), flush=True)
    build.update(args)


def describe_added(added: Added) -> str:
    lines = [repr(added)]
    if added.encoded or added.reused:
        work = (
            f"{what}: {added.encoded[what]} encoded, {added.reused[what]} reused" for what in ("images", "captions")
        )
        lines.append(f"  {'; '.join(work)}")
    if added.account.files:
        lines += [f"  {line}" for line in (added.account, *added.account.notes)]
    lines += [*reason_lines("skipped", added.skips), *reason_lines("left out", added.notes)]
    if added.first_skips:
        lines.append(f"  first skipped: {name_first(added.first_skips, added.skips.total())}")
    return "\n".join(lines)
