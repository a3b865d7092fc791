"""The `encode` command: figures and captions into the Parquet shards of an index."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli import panels
from retrieval.cli.options import at_least, command, default_encoder, precision, progress, share, trust_torchscript

if TYPE_CHECKING:
    from retrieval.corpora.panels.panels_corpus import PartsCorpus
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
    arguments(encode)


def arguments(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument(
        "--resize",
        choices=("crop", "pad", "squash"),
        help="how a figure is fitted into the encoder's square (default: as the encoder was published)",
    )
    precision(parser)
    trust_torchscript(parser)
    parser.add_argument(
        "--exact-preprocessing",
        action="store_true",
        help="prepare images by the encoder's official transform, to the bit; otherwise nearly always within one grey "
        "level of it, in a third of the time",
    )
    parser.add_argument(
        "--device",
        metavar="NAMES",
        help="cpu, cuda, or several with commas between them, such as cuda:0,cuda:1 (default: every GPU, else the CPU)",
    )
    parser.add_argument(
        "--long-captions",
        choices=("truncate", "chunk"),
        default="truncate",
        help="cut captions that are longer than the encoder reads, or read them in windows of whole sentences and "
        "average (default: %(default)s)",
    )
    parser.add_argument("--image-column", metavar="NAME", help="column of a table that holds the image")
    parser.add_argument(
        "--caption-column", metavar="NAME", action="append", default=[], help="column with a caption; may be repeated"
    )
    parser.add_argument("--image-root", metavar="FOLDER", help="folder that a table's image paths start from")
    parser.add_argument(
        "--mentions", action="store_true", help="of JATS articles: keep the paragraphs that point to a figure with it"
    )
    panels.option(parser)
    parser.add_argument("--shard-size", type=at_least(1), default=4096, help="figures a shard (default: %(default)s)")
    parser.add_argument("--batch-size", type=at_least(1), default=64, help="images a batch (default: %(default)s)")
    parser.add_argument(
        "--thumbnail", type=at_least(0), default=192, metavar="PIXELS", help="longer side, 0 for none (default: 192)"
    )
    parser.add_argument(
        "--max-skips", type=share, default=0.05, metavar="SHARE", help="unreadable figures allowed (default: 5%%)"
    )
    parser.add_argument("--max-pixels", type=at_least(1), metavar="N", help="larger images are skipped")
    parser.add_argument("--workers", type=at_least(1), metavar="N", help="threads that decode images (default: cores)")


def run(args: argparse.Namespace) -> None:
    source = {
        "image_column": args.image_column,
        "caption_columns": args.caption_column,
        "image_root": args.image_root,
        "mentions": args.mentions,
    }
    print(describe(_encoded(args, args.source, args.index, args.device, source)), flush=True)
    if args.panels:
        from retrieval.encoders import devices

        parts = panels.opened(args, mentions=args.mentions)
        summary = _encoded(args, parts, Path(args.index) / panels.PANELS, devices(args.device)[0], {})
        print(f"panels: {describe(summary)}", flush=True)


def _encoded(
    args: argparse.Namespace, source: str | PartsCorpus, out: str | Path, device: str | None, options: dict[str, Any]
) -> Summary:
    from retrieval.images.decode import MAX_PIXELS
    from retrieval.indexer.encode import encode

    return encode(
        source,
        out,
        args.encoder,
        resize=args.resize,
        precision=args.precision,
        exact_preprocessing=args.exact_preprocessing,
        trust_torchscript=args.trust_torchscript,
        device=device,
        long_captions=args.long_captions,
        shard_size=args.shard_size,
        batch_size=args.batch_size,
        thumbnail=args.thumbnail,
        max_skips=args.max_skips,
        max_pixels=args.max_pixels or MAX_PIXELS,
        workers=args.workers,
        progress=progress(args),
        **options,
    )


def describe(summary: Summary) -> str:
    lines = [
        f"{summary.figures} figures in {summary.shards} shards ({summary.resumed} from before): "
        f"{summary.images} images and {summary.captions} captions encoded, "
        f"{summary.skipped} figures skipped ({summary.skip_share:.1%})"
    ]
    lines += [f"  skipped {count}: {reason}" for reason, count in summary.skips.most_common()]
    lines += [f"  left out {count}: {reason}" for reason, count in summary.notes.most_common()]
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
