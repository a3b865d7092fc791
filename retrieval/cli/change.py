"""add, remove, diff: an index that changes, and what two of them say differently."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli import encoders, panels
from retrieval.cli.build import describe_index
from retrieval.cli.options import at_least, command, progress, say, share
from retrieval.files import read_lines

if TYPE_CHECKING:
    from retrieval.indexer.add import Added

SHOWN = 10  # differences of each sort; --json has all


def add(commands: Any) -> None:
    adding = command(
        commands,
        "add",
        run_add,
        "add figures to an index, or newer versions of its own; only what changed is encoded; killed, it continues",
        "retrieval add indexes/mine new-figures/",
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
    encoders.trust_torchscript(adding)
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
    removing = command(
        commands,
        "remove",
        run_remove,
        "withdraw figures from an index: by id, by article, or all that a where clause describes",
        'retrieval remove indexes/mine --article PMC7096803 --reason "retracted"\n'
        '  retrieval remove indexes/mine --where "licence in cc-by-nc,cc-by-nd" --dry-run',
    )
    removing.add_argument("index", metavar="INDEX", help="an index")
    removing.add_argument("--id", metavar="ID", action="append", default=[], help="a figure; may be repeated")
    removing.add_argument("--ids", metavar="FILE", help="file of figure ids, one a line; - is the standard input")
    removing.add_argument(
        "--article", metavar="ID", action="append", default=[], help="all figures of an article; may be repeated"
    )
    removing.add_argument(
        "--where",
        metavar="CLAUSE",
        action="append",
        default=[],
        help='such as "year<1990" or "licence in cc-by-nc"; with several, figures that fulfil all of them',
    )
    removing.add_argument("--missing-ok", action="store_true", help="ids that the index does not have are no error")
    removing.add_argument("--dry-run", action="store_true", help="only say how many there are")
    for parser in (adding, removing):
        parser.add_argument("--reason", metavar="TEXT", help="why, to be kept with every figure withdrawn")
        parser.add_argument(
            "--no-build", action="store_true", help="leave the FAISS indexes to `retrieval build`, as for more changes"
        )
    differing = command(
        commands,
        "diff",
        run_diff,
        "say which figures two indexes do not have in common, and which changed; exit code 1 if there are any",
        "retrieval diff indexes/yesterday indexes/today --json",
    )
    differing.add_argument("first", metavar="A", help="an index, built or only encoded")
    differing.add_argument("second", metavar="B", help="another; their encoders need not be the same")
    differing.add_argument("--json", action="store_true", help="every difference as a line of JSON")


def run_add(args: argparse.Namespace) -> None:
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
    _update(args)


def run_remove(args: argparse.Namespace) -> None:
    from retrieval.indexer.remove import remove

    ids = [*args.id, *(read_lines(args.ids) if args.ids else [])]
    removed = remove(
        args.index,
        ids,
        articles=args.article,
        where=args.where,
        reason=args.reason,
        missing_ok=args.missing_ok,
        dry_run=args.dry_run,
    )
    what = f"{removed.figures} figures with {removed.images} images and {removed.captions} captions"
    if args.dry_run:
        print(f"{what} would be removed")
        return
    print(f"{what} removed" if removed.change else "no figure fulfils that; nothing was removed", flush=True)
    panels.remove(args.index, args.reason)
    _update(args)


def run_diff(args: argparse.Namespace) -> int:
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


def _update(args: argparse.Namespace) -> None:
    """Bring what is derived up to date, unless it is or shall wait."""
    from retrieval.errors import StaleIndexError
    from retrieval.indexes.build import rebuild
    from retrieval.indexes.opened_index import Built

    for folder in filter(None, (Path(args.index), panels.of(args.index))):
        try:
            Built(folder)
        except StaleIndexError:
            if args.no_build:
                print(f"build it: retrieval build {args.index}")
                return
            facts = rebuild(folder, say=say, progress=progress(args, "vectors"))
            for kind in ("image", "text"):
                print(f"{kind} index: {describe_index(facts[kind])}")


def _counted(parts: Any) -> str:
    return ", ".join(f"{count} in {part}" for part, count in parts.most_common())
