"""Corpus to shards: the offline half. Safe to kill and run again."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from retrieval.corpora import keep_types, open_corpus
from retrieval.corpora.listing import account_of
from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.encoders import devices, load_encoder
from retrieval.errors import CorpusError, EncoderError
from retrieval.files import locked
from retrieval.images.decode import MAX_PIXELS
from retrieval.indexer.encode_options import EncodeKeywords, EncodeOptions
from retrieval.indexer.executors import Task, run_here, run_on_devices
from retrieval.indexer.freeze import freeze
from retrieval.indexer.panels_index import panels_of
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexer.resume import Summary, carry_out, refuse_inside
from retrieval.shards.account import write_account
from retrieval.shards.plan import Plan, ShardRecord, make_plan
from retrieval.types import Corpus, Encoder, Progress, Silent

log = logging.getLogger("retrieval")


def encode(
    source: Any,
    out: str | Path,
    encoder: str | Encoder = "biomedclip",
    options: EncodeOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[EncodeKeywords],
) -> Summary:
    """Encode the figures of a source into Parquet shards. Safe to kill and call again: it continues where it was.

    Args:
        source: whatever `open_corpus` takes.
        out: the folder of the index.
        encoder: a name or an Encoder.
        options: how figures are read, prepared and encoded; or give its fields as keywords: `shard_size=512`.
        progress: told how far the run is.

    The shards end up the same as those of one uninterrupted run. Several devices are a process each, and need `source`
    and `encoder` by name. An encoder that reads captions only encodes those. A run that goes on keeps the precision and
    the preprocessing that it began in.

    Raises CorpusError and EncoderError where those cannot be opened, PlanMismatchError where `out` holds shards of
    another corpus, encoder or shard size, IndexLockedError where another process writes there, TooManySkipsError when
    more than `max_skips` of the figures are unreadable.
    """
    options = EncodeOptions.of(options, keywords)
    folder = Path(out)
    corpus = _opened_corpus(source, folder, options)
    refuse_inside(corpus, source, folder)
    on = devices(options.device) if isinstance(encoder, str) else ["the encoder's"]
    if len(on) > 1 and not isinstance(source, str | Path):
        raise EncoderError(f"{', '.join(on)}: several devices need a corpus by its path; give that, or one device")
    model = _opened_encoder(folder, encoder, options, on[0])
    summary = _encode(corpus, source, folder, encoder, model, options, on, progress)
    if not options.panels:
        return summary
    log.info("looking for panels")
    parts = panels_of(corpus, folder, progress)
    own = replace(
        options,
        panels=False,
        image_root=None,
        image_column=None,
        caption_columns=(),
        encoding=None,
        id_prefix=None,
        mentions=False,
    )
    panels = _encode(parts, parts, folder / PANELS, encoder, model, own, on[:1], progress)
    return replace(summary, panels=panels)


def _opened_corpus(source: Any, folder: Path, options: EncodeOptions) -> Corpus:
    """The corpus of a run. Where it is refused, the account of its files is left for `retrieval info INDEX --skips`."""
    try:
        return open_corpus(source, image_root=options.image_root, **options.of_source)
    except CorpusError as error:
        if error.account is not None and not (folder / "plan.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_account(folder, error.account)
        raise


def _opened_encoder(folder: Path, encoder: str | Encoder, options: EncodeOptions, device: str) -> Encoder:
    """The encoder of a run; one that goes on keeps the precision and preprocessing that it began in."""
    own = (options.resize, options.precision, options.exact_preprocessing, options.device)
    if not isinstance(encoder, str) and own != (None, "auto", False, None):
        raise EncoderError(
            f"{encoder.name}: is open with a resize mode and precision, preprocessing and device of its own; "
            "give its name, or leave those out"
        )
    precision, preprocessing = options.precision, "exact" if options.exact_preprocessing else "auto"
    if (folder / "plan.json").exists() and not options.overwrite:
        begun = Plan.read(folder)
        precision = begun.precision if precision == "auto" else precision
        preprocessing = begun.preprocessing if preprocessing == "auto" else preprocessing
    return load_encoder(
        encoder,
        resize=options.resize,
        device=device,
        precision=precision,
        preprocessing=preprocessing,
        trust_torchscript=options.trust_torchscript,
    )


def _encode(
    corpus: Corpus,
    source: Any,
    folder: Path,
    encoder: str | Encoder,
    model: Encoder,
    options: EncodeOptions,
    on: Sequence[str],
    progress: Progress | None,
) -> Summary:
    """Freeze the plan and make the shards that are missing."""
    if (folder / "plan.json").exists() and not options.overwrite:
        begun = Plan.read(folder)
        if begun.corpus_fingerprint == corpus.fingerprint:
            keep_types(corpus, begun.columns)
    plan = make_plan(
        corpus,
        model,
        source=str(source if isinstance(source, str | Path) else getattr(source, "source", corpus.kind)),
        options=options.of_source,
        resize=options.resize,
        thumbnail=options.thumbnail,
        max_pixels=options.max_pixels or MAX_PIXELS,
        shard_size=options.shard_size,
        long_captions=options.long_captions,
    )
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    workers = options.workers or max(1, (os.cpu_count() or 1) // len(on))
    account = account_of(corpus)
    with locked(folder):
        plan = freeze(plan, folder, options)
        write_account(folder, account)
        if len(on) == 1:
            task = EncodeTask(folder, plan, corpus, model, options.batch_size, workers, progress or Silent())
            run = partial(run_here, lambda: task.run)
        else:
            image_root, trust = options.image_root, options.trust_torchscript
            opened = OnDevice(str(source), image_root, str(encoder), trust, folder, options.batch_size, workers)
            run = partial(run_on_devices, opened, devices=on)
        summary = carry_out(
            folder,
            plan,
            run,
            max_skips=options.max_skips,
            workers=workers * len(on),
            progress=progress,
            advance=len(on) > 1,
        )
    return replace(summary, account=account)


@dataclass(frozen=True)
class OnDevice:
    """Opens corpus and encoder again in a process that encodes on one of several devices, as the plan has them."""

    source: str
    image_root: str | Path | None
    encoder: str
    trust_torchscript: bool
    folder: Path
    batch_size: int
    workers: int

    def __call__(self, device: str) -> Task[ShardRecord]:
        plan = Plan.read(self.folder)
        corpus = open_corpus(self.source, image_root=self.image_root, **plan.options)
        keep_types(corpus, plan.columns)
        model = load_encoder(
            self.encoder,
            resize=plan.resize,
            device=device,
            precision=plan.precision,
            preprocessing=plan.preprocessing,
            trust_torchscript=self.trust_torchscript,
        )
        return EncodeTask(self.folder, plan, corpus, model, self.batch_size, self.workers, Silent()).run
