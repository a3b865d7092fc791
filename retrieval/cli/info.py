"""The `info` command: size, encoder and settings of an index."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli.build import describe_index
from retrieval.cli.options import command

if TYPE_CHECKING:
    from retrieval.indexes.opened_index import OpenedIndex
    from retrieval.shards.changes import Change


def declare(commands: Any) -> None:
    info = command(commands, "info", run, "say what an index is", "retrieval info indexes/mine")
    info.add_argument("index", metavar="INDEX", help="a built index")
    info.add_argument(
        "--skips",
        action="store_true",
        help="list every file and figure that was left out and why, also of a run that was refused or not finished",
    )
    info.add_argument("--json", action="store_true", help="as one JSON object")


def run(args: argparse.Namespace) -> None:
    if args.skips:
        return _list_skips(Path(args.index), args.json)
    from retrieval.indexer.panels_index import panels_folder
    from retrieval.indexes.opened_index import OpenedIndex
    from retrieval.shards.plan import captions_read

    built = OpenedIndex(args.index)
    plan, facts, records = built.plan, built.facts, built.shards.records
    long_captions = captions_read(plan, records)
    figures, skips = _figure_counts(built)
    if args.json:
        about = {
            "source": plan.source,
            "kind": plan.kind,
            "resize": plan.resize,
            "figures": figures,
            "skipped": skips,
            "columns": built.columns,
            "long_captions": asdict(long_captions),
            "changes": [asdict(change) for change in built.shards.changes],
        }
        print(json.dumps(facts | about, indent=2, ensure_ascii=False))
        return
    size = sum(path.stat().st_size for path in Path(args.index).rglob("*") if path.is_file())
    columns = ", ".join(f"{name} ({kind})" for name, kind in sorted(built.columns.items()))
    lines = [
        ("source", f"{plan.source} ({plan.kind})"),
        ("encoder", f"{plan.encoder} ({plan.encoder_fingerprint[:8] or 'never opened'}), {plan.dim} dimensions"),
        ("resize", plan.resize or "as the encoder was published"),
        ("figures", f"{figures}, of which {skips} skipped, in {len(records)} shards of up to {plan.shard_size}"),
        ("images", describe_index(facts["image"])),
        ("captions", describe_index(facts["text"])),
        ("long", f"{long_captions} ({plan.long_captions})"),
        ("columns", columns),
        *(("panels", f"in {folder}") for folder in filter(None, [panels_folder(Path(args.index))])),
        *(("change", _change(change)) for change in built.shards.changes),
        ("digest", facts["digest"]),
        ("on disk", f"{size / 2**20:.1f} MiB"),
        ("versions", ", ".join(f"{name} {number}" for name, number in facts["versions"].items())),
    ]
    for name, text in lines:
        print(f"{name:<10} {text}")


def _list_skips(folder: Path, as_json: bool) -> None:
    """What was left out, a line each: the path that was looked for, the figure's id, and the reason."""
    from retrieval.errors import ShardError
    from retrieval.shards.account import ACCOUNT, left_out, whole_account

    if not (folder / "plan.json").exists() and not (folder / ACCOUNT).exists():
        raise ShardError(
            f"{folder}: not an index, and no run was begun there; make one with: retrieval index SOURCE INDEX"
        )
    account = whole_account(folder)
    if account.files and not as_json:
        print(account, *account.notes, sep="\n")
    for item in left_out(folder):
        if as_json:
            print(json.dumps(item, ensure_ascii=False))
        else:
            named = "" if item["figure_id"] in (None, item["uri"]) else f" (figure {item['figure_id']})"
            print(f"{item['part']}\t{item['uri']}{named}\t{item['reason']}")


def _figure_counts(built: OpenedIndex) -> tuple[int, int]:
    """How many figures an index was made of, and how many of them were skipped."""
    shards = built.shards
    if not shards.changes:
        return built.plan.total, sum(sum(record.skips.values()) for record in shards.records)
    skips = shards.columns("skips", ["part"])["part"].to_pylist().count("figure")
    there = [int(built.figures(kind).max()) + 1 for kind in ("image", "text") if built.count(kind)]
    return max(there, default=0) + skips, skips


def _change(change: Change) -> str:
    what = ", ".join(f"{count} {what}" for what, count in change.figures.items() if count)
    given = [change.source, *change.where, change.reason and f"({change.reason})"]
    return f"{change.number} of {change.date[:10]}: {' '.join(filter(None, [change.command, *given]))}: {what}"
