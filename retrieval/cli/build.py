"""The `build` command: FAISS indexes over the shards, tuned and measured."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from retrieval.cli.options import command, progress, share
from retrieval.errors import RetrievalError

T = TypeVar("T")


def declare(commands: Any) -> None:
    build = command(
        commands,
        "build",
        run,
        "build the FAISS indexes from the shards and measure their recall",
        "retrieval build indexes/mine --target-recall 0.99",
        goes_on=True,
    )
    build.add_argument("index", metavar="INDEX", help="folder that was encoded into")
    build_arguments(build)


def build_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target-recall",
        type=share,
        default=0.95,
        metavar="SHARE",
        help="share of the exact 10 nearest that queries of the other modality must find (default: 0.95)",
    )
    parser.add_argument(
        "--memory",
        type=_amount,
        metavar="SIZE",
        help="what building and searching may hold, such as 8G (default: half of it all)",
    )
    parser.add_argument(
        "--factory",
        default="auto",
        help="FAISS factory string, such as Flat (exact) or IVF1024,PQ256x4fsr; auto is exact while that is fast, then "
        "the smallest codes that the memory asks for (default: auto)",
    )
    parser.add_argument(
        "--plot", type=_drawable, metavar="FILE", help="draw what recall costs in time, for each approximate index"
    )


def _amount(text: str) -> int:
    """An argument type: bytes, written as 8G."""
    from retrieval.memory import in_bytes

    return _typed(in_bytes, text)


def _drawable(text: str) -> Path:
    """An argument type: a file that can be drawn; asked before the long build, not after it."""
    from retrieval.indexes.tuning_plot import drawable

    return _typed(drawable, text)


def _typed(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except RetrievalError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> None:
    from retrieval.indexes.build import build

    facts = build(
        args.index,
        factory=args.factory,
        target_recall=args.target_recall,
        memory=args.memory,
        progress=progress(args, "vectors"),
    )
    for kind in ("image", "text"):
        print(f"{kind} index: {describe_index(facts[kind])}")
    if args.plot and not any(facts[kind]["tuning"] for kind in ("image", "text")):
        print("both indexes are exact: there is no curve to draw")
    elif args.plot:
        from retrieval.indexes.tuning_plot import draw

        draw(facts, args.plot)
        print(f"recall against time: {args.plot}")
    print(f"digest {facts['digest'][:16]}")
    if "panels" in facts:
        rows = {modality: made["rows"] for modality, made in facts["panels"].items()}
        print(f"panels: {rows['image']} images and {rows['text']} captions of them")


def update(args: argparse.Namespace) -> None:
    """Rebuild what a change made stale, also of the panels; with --no-build say the command instead."""
    from retrieval.indexes.build import is_stale, rebuild

    if not is_stale(Path(args.index)):
        return
    if args.no_build:
        print(f"build it: retrieval build {args.index}")
        return
    facts = rebuild(args.index, progress=progress(args, "vectors"))
    for modality in ("image", "text"):
        print(f"{modality} index: {describe_index(facts[modality])}")


def describe_index(facts: dict[str, Any]) -> str:
    text = f"{facts['rows']} vectors, {facts['factory']}"
    recall = facts["recall"]
    if not facts["rows"]:
        return "no vectors"
    if not recall["queries"]:
        return f"{text}, exact"
    settings = ", ".join(f"{name} {value}" for name, value in facts["parameters"].items())
    found = f"{recall['recall']:.1%}"
    if "low" in recall:
        found += f" [{recall['low']:.1%}, {recall['high']:.1%}]"
    text += f", {settings}: finds {found} of the exact {recall['k']} nearest"
    text += f" for {recall['queries']} {recall['queries_of']} queries"
    if recall.get("within") is not None:
        text += f", {recall['within']:.1%} for queries of its own kind"
    if recall.get("changed"):
        text += f", measured before the last {recall['changed']} rows were withdrawn or added"
    if recall["recall"] < recall.get("target", 0):
        text += f"; the target of {recall['target']:.1%} was out of reach"
    return text
