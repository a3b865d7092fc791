"""info and verify: what an index is, and whether it still is."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrieval.cli.building import describe_index
from retrieval.cli.options import command


def add(commands: Any) -> None:
    info = command(commands, "info", run_info, "say what an index is", "retrieval info indexes/mine")
    info.add_argument("index", metavar="INDEX", help="a built index")
    info.add_argument("--json", action="store_true", help="as one JSON object")
    verify = command(
        commands, "verify", run_verify, "check every digest and count of an index", "retrieval verify indexes/mine"
    )
    verify.add_argument("index", metavar="INDEX", help="a built index")


def run_info(args: argparse.Namespace) -> None:
    from retrieval.built import Built
    from retrieval.plan import captions_read

    built = Built(args.index)
    plan, facts, records = built.plan, built.facts, built.shards.records
    long_captions = captions_read(plan, records)
    skips = sum(sum(record.skips.values()) for record in records)
    if args.json:
        about = {
            "source": plan.source,
            "kind": plan.kind,
            "resize": plan.resize,
            "figures": plan.total,
            "skipped": skips,
            "columns": built.columns,
            "long_captions": asdict(long_captions),
        }
        print(json.dumps(facts | about, indent=2, ensure_ascii=False))
        return
    size = sum(path.stat().st_size for path in Path(args.index).rglob("*") if path.is_file())
    columns = ", ".join(f"{name} ({kind})" for name, kind in sorted(built.columns.items()))
    lines = [
        ("source", f"{plan.source} ({plan.kind})"),
        ("encoder", f"{plan.encoder} ({plan.encoder_fingerprint[:8] or 'never opened'}), {plan.dim} dimensions"),
        ("resize", plan.resize or "as the encoder was published"),
        ("figures", f"{plan.total}, of which {skips} skipped, in {len(records)} shards of up to {plan.shard_size}"),
        ("images", describe_index(facts["image"])),
        ("captions", describe_index(facts["text"])),
        ("long", f"{long_captions} ({plan.long_captions})"),
        ("columns", columns),
        ("digest", facts["digest"]),
        ("on disk", f"{size / 2**20:.1f} MiB"),
        ("versions", ", ".join(f"{name} {number}" for name, number in facts["versions"].items())),
    ]
    for name, text in lines:
        print(f"{name:<10} {text}")


def run_verify(args: argparse.Namespace) -> None:
    from retrieval.verify import verify

    verify(args.index, say=print)
    print(f"{args.index} is whole")
