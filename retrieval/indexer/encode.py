"""Corpus to shards: the offline half. Safe to kill and run again."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Unpack

from retrieval.corpora import open_corpus
from retrieval.encoders import devices, load_encoder
from retrieval.errors import EncoderError, PlanMismatchError
from retrieval.files import locked
from retrieval.images.decode import MAX_PIXELS
from retrieval.indexer.encode_options import EncodeKeywords, EncodeOptions
from retrieval.indexer.executors import Task, run_here, run_on_devices
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexer.resume import Summary, carry_out, refuse_inside
from retrieval.shards.plan import Plan, ShardRecord, make_plan
from retrieval.types import Corpus, Encoder, Progress, Silent


def encode(
    source: str | Path | Corpus,
    out: str | Path,
    encoder: str | Encoder = "biomedclip",
    options: EncodeOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[EncodeKeywords],
) -> Summary:
    """Encode the figures of `source` into Parquet shards under the folder `out`.

    Killed anywhere and called again, it continues at the first missing shard, and the shards end up the same as
    those of one uninterrupted run. A run that goes on keeps the precision and the preprocessing that it began in.
    An encoder that reads captions only encodes those, and leaves the images out.

    Args:
        source: a folder, table, archive or published corpus, or an open corpus.
        out: the folder of the index.
        encoder: a name, or an open encoder; several devices need `source` and `encoder` by name.
        options: see EncodeOptions; or give its fields as keywords: `encode(source, out, shard_size=512)`.
        progress: told of every figure.

    Raises CorpusError and EncoderError where those cannot be opened, PlanMismatchError where `out` holds shards of
    another corpus, encoder or shard size, TooManySkipsError when more than `max_skips` of the figures are unreadable,
    RetrievalError for an option that cannot be.
    """
    options = EncodeOptions.of(options, keywords)
    folder = Path(out)
    corpus = open_corpus(source, image_root=options.image_root, **options.of_source)
    refuse_inside(corpus, source, folder)
    own = options.resize, options.precision, options.exact_preprocessing, options.device
    if not isinstance(encoder, str) and own != (None, "auto", False, None):
        raise EncoderError(
            f"{encoder.name}: is open with a resize mode and precision, preprocessing and device of its own; "
            "give its name, or leave those out"
        )
    precision, preprocessing = options.precision, "exact" if options.exact_preprocessing else "auto"
    if (folder / "plan.json").exists():
        begun = Plan.read(folder)
        precision = begun.precision if precision == "auto" else precision
        preprocessing = begun.preprocessing if preprocessing == "auto" else preprocessing
    on = devices(options.device) if isinstance(encoder, str) else ["the encoder's"]
    if len(on) > 1 and not isinstance(source, str | Path):
        raise EncoderError(f"{', '.join(on)}: several devices need a corpus by its path; give that, or one device")
    model = load_encoder(
        encoder,
        resize=options.resize,
        device=on[0],
        precision=precision,
        preprocessing=preprocessing,
        trust_torchscript=options.trust_torchscript,
    )
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
    with locked(folder):
        plan = _freeze(plan, folder)
        workers = options.workers or max(1, (os.cpu_count() or 1) // len(on))
        if len(on) == 1:
            task = EncodeTask(folder, plan, corpus, model, options.batch_size, workers, progress or Silent())
            return carry_out(
                folder,
                plan,
                partial(run_here, lambda: task.run),
                max_skips=options.max_skips,
                workers=workers,
                progress=progress,
            )
        del model  # each process opens its own; this one was for the plan
        make_task = OnDevice(
            str(source),
            options.image_root,
            str(encoder),
            options.trust_torchscript,
            folder,
            options.batch_size,
            workers,
        )
        return carry_out(
            folder,
            plan,
            partial(run_on_devices, make_task, devices=on),
            max_skips=options.max_skips,
            workers=workers * len(on),
            progress=progress,
            advance=True,
        )


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
        model = load_encoder(
            self.encoder,
            resize=plan.resize,
            device=device,
            precision=plan.precision,
            preprocessing=plan.preprocessing,
            trust_torchscript=self.trust_torchscript,
        )
        return EncodeTask(self.folder, plan, corpus, model, self.batch_size, self.workers, Silent()).run


def _freeze(plan: Plan, folder: Path) -> Plan:
    """Write the plan at the first run; later runs must ask for the same thing. Gives the plan on disk."""
    if not (folder / "plan.json").exists():
        plan.write(folder)
        return plan
    frozen = Plan.read(folder)
    if frozen.digest == plan.digest:
        return frozen
    for item in fields(Plan):
        before, now = getattr(frozen, item.name), getattr(plan, item.name)
        if item.name in DIFFERENCES and before != now:
            what = DIFFERENCES[item.name].format(before=before, now=now, frozen=frozen, plan=plan)
            way_out = "go on with the former or encode into a new folder"
            if item.name == "corpus_fingerprint":
                way_out = f"{way_out}; a finished index takes what is new with retrieval add"
            raise PlanMismatchError(f"{folder}: begun with {what}; {way_out}")
    raise PlanMismatchError(f"{folder}: begun with another plan (plan.json); encode into a new folder")


# In the order in which they are looked at: the first difference is the one that is told.
DIFFERENCES = {
    "kind": "a {before} corpus, not a {now} corpus",
    "options": "other options of the source {before}, not {now}",
    "resize": "resize mode {before}, not {now}",
    "thumbnail": "thumbnails of {before} pixels, not {now}",
    "max_pixels": "a limit of {before} pixels, not {now}",
    "shard_size": "{before} figures a shard, not {now}",
    "long_captions": "--long-captions {before}, not {now}",
    "precision": "precision {before}, not {now}",
    "preprocessing": "{before} preprocessing, not {now}",
    "encoder_fingerprint": "encoder {frozen.encoder} ({before:.8}), not {plan.encoder} ({now:.8})",
    "corpus_fingerprint": "another corpus or other content: {frozen.source} with {frozen.total} figures ({before:.8}), "
    "not {plan.source} with {plan.total} ({now:.8})",
}
