"""Add figures to an index, and newer versions of those that it has: only what changed is encoded."""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from retrieval.corpora import open_corpus
from retrieval.corpora.listing import account_of
from retrieval.encoders import load_encoder
from retrieval.errors import CorpusError, EncoderError
from retrieval.files import locked
from retrieval.images.decode import MAX_PIXELS
from retrieval.indexer.encode_options import AddKeywords, EncodeOptions
from retrieval.indexer.executors import run_here
from retrieval.indexer.panels_index import begin_to_follow, follow, panels_folder, panels_of
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexer.resume import Summary, carry_out, check_skips, refuse_inside
from retrieval.indexer.subset import Delta, SourceComparison, compared
from retrieval.shards.account import write_account
from retrieval.shards.changes import Change, read_changes, seal_step, step_folder, unfinished_step
from retrieval.shards.figure_numbers import rows_of_figures
from retrieval.shards.plan import Plan, make_plan
from retrieval.shards.reader import Shards
from retrieval.shards.reuse import Reusable
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Account, Corpus, Encoder, Progress, Silent, Skip

log = logging.getLogger("retrieval")
REPLACED = "replaced by a newer version"
NOT_LISTED = "no longer in the source"


@dataclass(frozen=True, repr=False)
class Added:
    """What became of figures: added, updated, removed, unchanged, skipped; and of images and captions, where any were
    added: encoded, or reused. `change` is the step that was sealed, None where nothing changed. `account` says what
    became of the source's files, `first_skips` names the first figures left out, `notes` counts what these lack."""

    change: Change | None
    figures: Mapping[str, int]
    skips: Counter[str] = field(default_factory=Counter)
    encoded: Counter[str] = field(default_factory=Counter)
    reused: Counter[str] = field(default_factory=Counter)
    account: Account = field(default_factory=Account)
    first_skips: tuple[Skip, ...] = ()
    notes: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in self.figures.items())
        return told if self.change else f"nothing changed: {told}"


def add(
    folder: str | Path,
    source: Any,
    encoder: str | Encoder | None = None,
    options: EncodeOptions | None = None,
    *,
    sync: bool = False,
    newer: bool = False,
    reason: str | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[AddKeywords],
) -> Added:
    """Add the figures of a source to an index, as one step that happens whole or not at all.

    Args:
        folder: an index.
        source: whatever `open_corpus` takes.
        encoder: where the index's encoder is found if its name no longer tells; how figures are encoded is the index's.
        sync: take the source as a newer version of all that the index was made from: figures that it does not have, or
            that can no longer be read there, are withdrawn.
        newer: figures of another source than those that the index was made from may replace what they have nothing in
            common with but the id.
        options: of those of `encode` the ones that the index leaves open: `max_skips`, `device`, `caption_columns`,
            ...; or give them as keywords.
        reason: recorded with what is replaced or withdrawn.
        progress: told how far the run is.

    A figure whose id the index has is left alone if its image, captions, metadata, article and uri are the same, else
    replaced. Images and captions that the index holds anywhere are not encoded again, nor decoded. Panels follow their
    figures. Killed, the same call goes on where it was. Until `build` has run, the index says that it is out of date.

    Raises what `encode` does, CorpusError where ids of another source are those of other figures (`id_prefix` tells
    them apart), EncoderError for another encoder than the index's own, and PlanMismatchError where another change was
    interrupted.
    """
    folder = Path(folder)
    options = replace(EncodeOptions.of_addition(options, keywords), mentions=False, panels=False)
    corpus = open_corpus(source, image_root=options.image_root, **options.of_source)
    if corpus.kind == "jats" and isinstance(source, str | Path) and Plan.read(folder).options.get("mentions"):
        options = replace(options, mentions=True)
        corpus = open_corpus(source, image_root=options.image_root, **options.of_source)
    refuse_inside(corpus, source, folder)
    model = _own_encoder(folder, encoder, options)
    told = str(source if isinstance(source, str | Path) else getattr(source, "source", corpus.kind))
    progress = progress or Silent()
    careful = not (sync or newer or _is_known(folder, source, options.id_prefix))
    step = _Step("sync" if sync else "add", told, reason, options, progress, account_of(corpus), careful)
    panels = panels_folder(folder)
    if panels is not None:
        begin_to_follow(folder)
    added = _add(folder, corpus, model, step, lambda figure: sync)
    if panels is not None:
        log.info("looking for panels")
        parts = panels_of(corpus, folder, progress)
        own = replace(
            options,
            image_column=None,
            caption_columns=(),
            encoding=None,
            id_prefix=None,
            image_root=None,
            mentions=False,
        )
        gone = (lambda part: True) if sync else (lambda part: part.rpartition("#")[0] in parts.figures)
        of_parts = replace(step, options=own, source=parts.source, account=Account(), refuse_others=False)
        _add(panels, parts, model, of_parts, gone)
        follow(folder, told, options.id_prefix, everything=sync)
    return added


@dataclass(frozen=True)
class _Step:
    """What a step is called, where its figures are from, and how they are encoded."""

    command: str
    source: str
    reason: str | None
    options: EncodeOptions
    progress: Progress
    account: Account
    refuse_others: bool


def _add(folder: Path, corpus: Corpus, model: Encoder, doing: _Step, withdraw: Callable[[str], bool]) -> Added:
    """Add a corpus; of the figures that it lacks, `withdraw` says by their ids which are withdrawn."""
    options, progress = doing.options, doing.progress
    with locked(folder):
        shards = Shards(folder)
        log.info("comparing %s with the index", doing.source)
        found = compared(shards, corpus, with_images=model.reads_images, progress=progress)
        if doing.refuse_others and found.others:
            raise CorpusError(
                f"{doing.source}: {len(found.others)} of its ids are those of other figures in the index, such as "
                f"{found.others[0]} with another image and other captions; tell them apart with --id-prefix PREFIX, or "
                "say --newer if they are newer versions of these"
            )
        check_skips(folder, found.figures, found.skips, options.max_skips, lambda: found.first_skips)
        plan = _plan(shards.plan, found.delta, model, doing.source, options.of_source) if found.readable else None
        number = len(shards.changes) + 1
        step = unfinished_step(folder, number, plan)
        summary = None
        if plan is not None:
            log.info("encoding %d figures that are new or differ", found.readable)
            step.mkdir(parents=True, exist_ok=True)
            plan.write(step)
            write_account(step, doing.account)
            found.delta.write_positions(step)
            workers = options.workers or os.cpu_count() or 1
            reusable = Reusable(shards, found.images, found.captions)
            task = EncodeTask(step, plan, found.delta, model, options.batch_size, workers, progress, reusable)
            summary = carry_out(
                step,
                plan,
                partial(run_here, lambda: task.run),
                max_skips=options.max_skips,
                figures=found.figures,
                workers=workers,
                progress=progress,
            )
        change = Change(
            number=number, command=doing.command, parent=shards.digest, source=doing.source, reason=doing.reason
        )
        sealed = _seal(shards, step, change, found, summary, withdraw)
        return replace(sealed, account=doing.account, first_skips=found.first_skips)


def _is_known(folder: Path, source: Any, prefix: str | None) -> bool:
    """The index was made from this very source, or got figures of it before, with this prefix of ids."""
    steps = [step_folder(folder, change.number) for change in read_changes(folder)]
    plans = [Plan.read(one) for one in (folder, *steps) if (one / "plan.json").exists()]
    known = {plan.source for plan in plans if plan.options.get("id_prefix") == prefix}
    if isinstance(source, str | Path):
        return str(source) in known or os.path.realpath(source) in {os.path.realpath(one) for one in known if one}
    return getattr(source, "source", None) in known


def _seal(
    shards: Shards,
    step: Path,
    change: Change,
    found: SourceComparison,
    summary: Summary | None,
    withdraw: Callable[[str], bool],
) -> Added:
    """Withdraw what the new rows replace, and seal both; where there is neither, leave no step."""
    made = None if summary is None else Shards(step)
    new, skipped = (set[str](), set[str]()) if made is None else _figures(made)
    updated = new & found.differ
    removed = {figure for figure in (found.lacks | found.differ) - new if withdraw(figure)}
    skips = found.skips if summary is None else summary.skips
    figures = {
        "added": len(new - updated),
        "updated": len(updated),
        "removed": len(removed),
        "unchanged": found.unchanged,
        "skipped": skips.total(),
    }
    if not new and not removed:
        if step.exists():
            shutil.rmtree(step)
        return Added(None, figures, skips)
    why = {
        **dict.fromkeys(updated, change.reason or REPLACED),
        **dict.fromkeys(removed, change.reason or NOT_LISTED),
    }
    tables = rows_of_figures(shards, why, skipped=new | skipped)
    sealed = seal_step(step, replace(change, figures=figures), tables)
    if summary is None or made is None:
        return Added(sealed, figures, skips)
    reused: Counter[str] = sum((Counter(record.reused) for record in made.records), Counter())
    encoded = Counter(images=summary.images, captions=summary.captions) - summary.repeated - reused
    return Added(sealed, figures, skips, encoded, reused, notes=summary.notes)


def _own_encoder(folder: Path, encoder: str | Encoder | None, options: EncodeOptions) -> Encoder:
    """The encoder of an index, as it was used there. Raises EncoderError where another one is found."""
    plan = Plan.read(folder)
    model = load_encoder(
        encoder or plan.encoder,
        resize=plan.resize,
        device=options.device,
        precision=plan.precision,
        preprocessing=plan.preprocessing,
        trust_torchscript=options.trust_torchscript,
    )
    if not plan.encoder_fingerprint:
        raise EncoderError(
            f"{folder}: its vectors were imported where encoder {plan.encoder} could not be opened, so it is not "
            "known to be the same; import all vectors again into a new index where it can be"
        )
    if model.fingerprint != plan.encoder_fingerprint:
        raise EncoderError(
            f"{folder}: made with encoder {plan.encoder} ({plan.encoder_fingerprint:.8}), which {model.name} "
            f"({model.fingerprint:.8}) is not; give the same one with --encoder, or index again"
        )
    return model


def _plan(own: Plan, delta: Delta, model: Encoder, source: str, options: dict[str, Any]) -> Plan:
    """To encode a delta as the index itself was."""
    return make_plan(
        delta,
        model,
        source=source,
        options=options,
        resize=own.resize,
        thumbnail=own.thumbnail,
        max_pixels=own.max_pixels or MAX_PIXELS,  # vectors were imported without looking at images
        shard_size=own.shard_size,
        long_captions=own.long_captions,
    )


def _figures(made: Shards) -> tuple[set[str], set[str]]:
    """The figures that a step has rows of, and those that it skipped."""
    rows = {figure for table in TABLE_OF.values() for figure in _ids(made.columns(table, ["figure_id"]))}
    skips = made.columns("skips", ["figure_id", "part"])
    return rows, set(_ids(skips.filter(pc.equal(skips["part"], "figure"))))


def _ids(rows: pa.Table) -> list[str]:
    ids: list[str] = rows["figure_id"].to_pylist()
    return ids
