"""The `encode` command: figures and captions into the Parquet shards of an index."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import add_fields, command, default_encoder, field_values, progress, reason_lines
from retrieval.indexer.encode_options import EncodeOptions
from retrieval.types import name_first

if TYPE_CHECKING:
    from retrieval.indexer.resume import Summary

STAGES = ("read", "tokenize", "prepare", "encode", "wait", "write")
LIMITS = {
    "encode": "the model limited the run: it was busy, and figures waited for it",
    "prepare": "decoding and preparing images limited the run: the model waited for them; more --workers may help",
    "read": "reading the source limited the run: the model waited for it",
    "tokenize": "tokenizing captions limited the run: the model waited for it",
}


def declare(commands: Any) -> None:
    encode = command(
        commands,
        "encode",
        run,
        "encode figures and captions into Parquet shards; killed, it continues where it was",
        "retrieval encode captions.jsonl indexes/mine --encoder starter",
        goes_on=True,
    )
    encode_arguments(encode)


def encode_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of images, CSV, TSV, JSONL or Parquet table, WebDataset tar(s), JATS articles or PMC packages, or "
        "a published corpus",
    )
    parser.add_argument("index", metavar="INDEX", help="folder to write; the same command continues an interrupted run")
    parser.add_argument(
        "--encoder", default=default_encoder(), help="encoder name, folder or module:object (default: %(default)s)"
    )
    add_fields(parser, EncodeOptions)


def run(args: argparse.Namespace) -> None:
    from retrieval.indexer.encode import encode

    options = EncodeOptions(**field_values(args, EncodeOptions))
    summary = encode(args.source, args.index, args.encoder, options, progress=progress(args))
    print(describe_summary(summary), flush=True)
    if summary.panels is not None:
        print(f"panels: {describe_summary(summary.panels)}", flush=True)


def describe_summary(summary: Summary) -> str:
    lines = [repr(summary)]
    if summary.account.files:
        lines += [f"  {line}" for line in (summary.account, *summary.account.notes)]
    lines += [*reason_lines("skipped", summary.skips), *reason_lines("left out", summary.notes)]
    if summary.skipped:
        lines.append(f"  first skipped: {name_first(summary.first_skips, summary.skipped)}")
    if summary.images and summary.without_caption:
        none = "" if summary.captions else ": words find images, but recall cannot be measured"
        lines.append(f"  {summary.without_caption} figures have no caption{none}")
    if summary.long_captions.long:
        lines.append(f"  {summary.long_captions}")
    if summary.repeated:
        repeated = " and ".join(f"{count} {what}" for what, count in sorted(summary.repeated.items(), reverse=True))
        lines.append(f"  {repeated} occurred before in their shard and were encoded once")
    if summary.resumed < summary.shards:
        stages = ", ".join(f"{stage} {summary.seconds.get(stage, 0.0):.1f}" for stage in STAGES)
        lines.append(f"  seconds by stage (prepare summed over {summary.workers} threads): {stages}")
        lines.append(f"  {LIMITS[summary.limit]}")
    return "\n".join(lines)
