"""The `encoders` command: list them, try one, import one into a folder."""

from __future__ import annotations

import argparse
import json
import shutil
from typing import Any

from retrieval.cli.options import add_fields, command, say
from retrieval.indexer.encode_options import EncodeOptions

COLUMNS = ("name", "dim", "context", "size", "licence", "cached", "loads here", "about")


def declare(commands: Any) -> None:
    encoders = command(
        commands,
        "encoders",
        run_list,
        "list the encoders, try one, or import one into a folder that needs nothing else",
        "retrieval encoders import hf-hub:flaviagiammarino/pubmed-clip-vit-base-patch32 mine\n"
        "  retrieval encoders check mine",
    )
    encoders.add_argument("--json", action="store_true", help="the list as JSON")
    actions = encoders.add_subparsers(title="actions", metavar="ACTION")
    listing = command(
        actions, "list", run_list, "list the encoders (the default action)", "retrieval encoders list --json"
    )
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")
    importing = command(
        actions,
        "import",
        run_import,
        "convert an encoder into a folder of its own, so that --encoder NAME needs no network",
        "retrieval encoders import PubMedCLIP_RN50.pth pubmedclip-local",
    )
    importing.add_argument("source", metavar="SOURCE", help="any encoder: a name, a hub repository, a folder or a file")
    importing.add_argument("name", metavar="NAME", help="its name from now on, or the folder to write: ./NAME")
    add_fields(importing, EncodeOptions, ["trust_torchscript"])
    check = command(
        actions,
        "check",
        run_check,
        "try an encoder: is it in eval mode, the same alone as in a batch, faithful in half precision?",
        "retrieval encoders check biomedclip --precision bf16",
    )
    check.add_argument("encoder", metavar="NAME", help="any encoder: a name, a hub repository, a folder or a file")
    add_fields(check, EncodeOptions, ["precision", "trust_torchscript"])


def run_list(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from retrieval.encoders.catalogue import catalogue

    entries = catalogue()
    if args.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
        return
    rows = [COLUMNS] + [
        (e.name, _or_unknown(e.dim), _or_unknown(e.context), e.size, e.licence, e.cached, e.loads, e.about)
        for e in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    room = shutil.get_terminal_size((1000, 24)).columns  # a pipe has room for all
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        print(line if len(line) <= room else line[: room - 1] + "…")


def run_import(args: argparse.Namespace) -> None:
    from retrieval.encoders.import_encoder import import_encoder

    folder, notes = import_encoder(args.source, args.name, trust_torchscript=args.trust_torchscript)
    for note in notes:
        say(f"note: {note}")
    print(f"imported {args.source} into {folder}; use it as --encoder {args.name}")


def run_check(args: argparse.Namespace) -> int:
    from retrieval.encoders import load_plain
    from retrieval.encoders.check import check

    encoder = load_plain(args.encoder, trust_torchscript=args.trust_torchscript)
    print(f"{args.encoder}: {encoder.dim} dimensions, {encoder.context_length} tokens, on {encoder.device}")
    failed = 0
    for finding in check(encoder, args.precision):
        verdict = {True: "ok", False: "FAILED", None: ""}[finding.ok]
        print(f"  {verdict:<6}  {finding.what:<35} {finding.detail}", flush=True)
        failed += finding.ok is False
    print(f"{failed} checks failed; do not index with it" if failed else "all checks passed")
    return int(failed > 0)


def _or_unknown(number: int | None) -> str:
    return "?" if number is None else str(number)
