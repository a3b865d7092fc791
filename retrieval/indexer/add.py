"""More figures into an index, and newer versions of those that it has: only what changed is encoded."""

from __future__ import annotations

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
from retrieval.encoders import load_encoder
from retrieval.errors import EncoderError
from retrieval.files import locked
from retrieval.images.decode import MAX_PIXELS
from retrieval.indexer.encode_options import AddKeywords, EncodeOptions
from retrieval.indexer.executors import run_here
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexer.resume import Summary, carry_out, check_skips, refuse_inside
from retrieval.indexer.subset import Comparison, Delta, compared
from retrieval.shards.changes import Change, seal_step, unfinished_step
from retrieval.shards.plan import Plan, make_plan
from retrieval.shards.reader import Shards, rows_of_figures
from retrieval.shards.reuse import Reusable
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Corpus, Encoder, Progress, Silent

REPLACED = "replaced by a newer version"
NOT_LISTED = "no longer in the source"


@dataclass(frozen=True)
class Added:
    """What became of figures: added, updated, removed, unchanged, skipped; and of images and captions, where any were
    added: encoded, or reused. `change` is the step that was sealed, None where nothing changed."""

    change: Change | None
    figures: Mapping[str, int]
    skips: Counter[str] = field(default_factory=Counter)
    encoded: Counter[str] = field(default_factory=Counter)
    reused: Counter[str] = field(default_factory=Counter)


def add(
    folder: str | Path,
    source: str | Path | Corpus,
    encoder: str | Encoder | None = None,
    options: EncodeOptions | None = None,
    *,
    sync: bool | Callable[[str], bool] = False,
    reason: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress | None = None,
    **keywords: Unpack[AddKeywords],
) -> Added:
    """Add the figures of `source` to the index in `folder`, as one step that happens whole or not at all.

    A figure whose id the index has is left alone if its image, captions, metadata, article and uri are the same, else
    replaced. With `sync` the source is a newer version of all that the index was made from: figures that it does not
    have, or that can no longer be read there, are withdrawn; without, they stay. It may also say by their ids which of
    them are withdrawn. Images and captions that the index
    holds anywhere are not encoded again, nor decoded. How figures are encoded is the index's own; `encoder` says where
    its encoder is found if its name no longer tells. Killed, the same call goes on where it was.

    Until `build` has run, the index says that it is out of date. `options`, whole or as keywords, are those of
    `encode`; of them the index's own decide how a figure is encoded.

    Raises what `encode` does, EncoderError for another encoder than the index's own, and PlanMismatchError where
    another change was interrupted.
    """
    folder = Path(folder)
    options = replace(EncodeOptions.of(options, keywords), mentions=False)
    corpus = open_corpus(source, image_root=options.image_root, **options.of_source)
    if corpus.kind == "jats" and isinstance(source, str | Path) and Plan.read(folder).options.get("mentions"):
        options = replace(options, mentions=True)
        corpus = open_corpus(source, image_root=options.image_root, **options.of_source)
    refuse_inside(corpus, source, folder)
    model = _own_encoder(folder, encoder, options.device, options.trust_torchscript)
    progress = progress or Silent()
    told = str(source if isinstance(source, str | Path) else getattr(source, "source", corpus.kind))
    with locked(folder):
        shards = Shards(folder)
        say(f"comparing {told} with the index")
        found = compared(shards, corpus, with_images=model.reads_images, progress=progress)
        check_skips(folder, found.figures, found.skips, options.max_skips)
        plan = _plan(shards.plan, found.delta, model, told, options.of_source) if found.readable else None
        number = len(shards.changes) + 1
        step = unfinished_step(folder, number, plan)
        summary = None
        if plan is not None:
            say(f"encoding {found.readable} figures that are new or differ")
            step.mkdir(parents=True, exist_ok=True)
            plan.write(step)
            found.delta.write_positions(step)
            workers = options.workers or os.cpu_count() or 1
            reusable = Reusable(shards, found.images, found.captions)
            task = EncodeTask(step, plan, found.delta, model, options.batch_size, workers, progress, reusable)
            run = partial(run_here, lambda: task.run)
            summary = carry_out(
                step, plan, run, max_skips=options.max_skips, figures=found.figures, workers=workers, progress=progress
            )
        command = "sync" if sync is True else "add"
        change = Change(number=number, command=command, parent=shards.digest, source=told, reason=reason)
        withdraw = sync if callable(sync) else lambda figure: bool(sync)
        return _seal(shards, step, change, found, summary, withdraw)


def _seal(
    shards: Shards,
    step: Path,
    change: Change,
    found: Comparison,
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
    return Added(sealed, figures, skips, encoded, reused)


def _own_encoder(folder: Path, encoder: str | Encoder | None, device: str | None, trust_torchscript: bool) -> Encoder:
    """The encoder of an index, as it was used there. Raises EncoderError where another one is found."""
    plan = Plan.read(folder)
    model = load_encoder(
        encoder or plan.encoder,
        resize=plan.resize,
        device=device,
        precision=plan.precision,
        preprocessing=plan.preprocessing,
        trust_torchscript=trust_torchscript,
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
