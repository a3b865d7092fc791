"""--panels: the panels of compound figures, indexed beside them in the folder `panels` of their index."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.cli.options import progress, say

if TYPE_CHECKING:
    from retrieval.corpora.panels.panels_corpus import PartsCorpus
    from retrieval.shards.reader import Shards
    from retrieval.shards.tables import Table

PANELS = "panels"  # as retrieval.corpora.panels.panels_corpus has it, which takes long to import


def option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--panels",
        action="store_true",
        help="cut compound figures and their captions into panels as well, for `retrieval search --panels`",
    )


def of(index: str) -> Path | None:
    """The index of an index's panels, where it has one."""
    folder = Path(index) / PANELS
    return folder if (folder / "plan.json").exists() else None


def opened(args: argparse.Namespace, mentions: bool = False) -> PartsCorpus:
    """The panels of the figures of SOURCE."""
    from retrieval.corpora import open_corpus
    from retrieval.corpora.panels.panels_corpus import PartsCorpus
    from retrieval.shards.plan import Plan

    corpus = open_corpus(
        args.source,
        image_column=args.image_column,
        caption_columns=args.caption_columns,
        image_root=args.image_root,
        mentions=mentions,
    )
    say("looking for panels")
    return PartsCorpus(corpus, max_pixels=Plan.read(Path(args.index)).max_pixels, progress=progress(args))


def add(args: argparse.Namespace) -> None:
    """Bring the panels to the newer version of their figures that the index was brought to: those that are new or
    differ are added, those that a figure of SOURCE no longer has are withdrawn; with --sync, those of other figures
    too."""
    from retrieval.indexer.add import add

    folder = of(args.index)
    if folder is None:
        return
    parts = opened(args, mentions=_mentions(args))
    add(
        folder,
        parts,
        args.encoder,
        sync=args.sync or (lambda part: part.rpartition("#")[0] in parts.figures),
        reason=args.reason,
        device=args.device,
        trust_torchscript=args.trust_torchscript,
        batch_size=args.batch_size,
        max_skips=args.max_skips,
        workers=args.workers,
        progress=progress(args),
    )


def remove(index: str, reason: str | None) -> None:
    """Withdraw the panels of figures that the index has no longer."""
    from retrieval.corpora.panels.panels_corpus import PANEL_OF
    from retrieval.indexer.remove import remove
    from retrieval.shards.reader import Shards

    folder = of(index)
    if folder is None:
        return
    tables: tuple[Table, ...] = ("images", "texts")
    shards, panels = Shards(Path(index)), Shards(folder)
    figures = {figure for table in tables for figure in _column(shards, table, "figure_id")}
    gone = {
        part
        for table in tables
        for part, figure in zip(_column(panels, table, "figure_id"), _column(panels, table, PANEL_OF), strict=True)
        if figure not in figures
    }
    if gone:
        remove(folder, sorted(gone), reason=reason)


def _mentions(args: argparse.Namespace) -> bool:
    from retrieval.corpora import open_corpus
    from retrieval.shards.plan import Plan

    return bool(Plan.read(Path(args.index)).options.get("mentions")) and open_corpus(args.source).kind == "jats"


def _column(shards: Shards, table: Table, name: str) -> list[str]:
    values: list[str] = shards.columns(table, [name])[name].to_pylist()
    return values
