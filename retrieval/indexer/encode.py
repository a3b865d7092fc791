"""Corpus to shards: the offline half. Safe to kill and run again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from retrieval.corpora import open_corpus
from retrieval.encoders import devices, load_encoder
from retrieval.errors import EncoderError, PlanMismatchError
from retrieval.files import locked
from retrieval.images.decode import MAX_PIXELS
from retrieval.indexer.executors import Task, run_here, run_on_devices
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexer.resume import Summary, carry_out, refuse_inside
from retrieval.shards.plan import LongCaptions, Plan, ShardRecord, make_plan
from retrieval.types import Corpus, Encoder, Progress, Silent

SHARD_SIZE = 4096
BATCH_SIZE = 64
THUMBNAIL = 192
MAX_SKIPS = 0.05


def encode(
    source: str | Path | Corpus,
    out: str | Path,
    encoder: str | Encoder = "biomedclip",
    *,
    resize: str | None = None,
    long_captions: LongCaptions = "truncate",
    precision: str = "auto",
    exact_preprocessing: bool = False,
    trust_torchscript: bool = False,
    device: str | None = None,
    shard_size: int = SHARD_SIZE,
    batch_size: int = BATCH_SIZE,
    thumbnail: int = THUMBNAIL,
    max_skips: float = MAX_SKIPS,
    max_pixels: int = MAX_PIXELS,
    image_column: str | None = None,
    caption_columns: Sequence[str] = (),
    image_root: str | Path | None = None,
    mentions: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Encode the figures of `source` into Parquet shards under the folder `out`.

    Killed anywhere and called again, it continues at the first missing shard, and the shards end up the same as
    those of one uninterrupted run. `shard_size` counts figures, `thumbnail` is the longer side in pixels (0: none),
    `max_skips` the share of figures that may be left out, `workers` the threads that decode (default: all cores).
    `device` is a torch device, or several with commas between them, each then a process of its own (default: every
    GPU that is visible, else the CPU); several need `source` and `encoder` by name.
    A caption that is longer than the encoder reads is cut ("truncate"), or read in windows of whole sentences whose
    vectors are averaged ("chunk"). An encoder that reads captions only encodes those, and leaves the images out.
    `precision` and `trust_torchscript` are those of `load_encoder`. Images are prepared fast, within a grey level or
    two of the encoder's official transform, unless `exact_preprocessing` or the encoder's config asks for that
    transform itself. A run that goes on keeps the precision and the preprocessing that it began in. The options of the
    source are those of `open_corpus`.

    Raises CorpusError and EncoderError where those cannot be opened, PlanMismatchError where `out` holds shards of
    another corpus, encoder or shard size, TooManySkipsError when more than `max_skips` of the figures are unreadable.
    """
    folder = Path(out)
    options: dict[str, Any] = {"image_column": image_column, "caption_columns": list(caption_columns)}
    if mentions:  # not stated otherwise: a plan of before there was the option is the same
        options["mentions"] = True
    corpus = open_corpus(source, image_root=image_root, **options)
    refuse_inside(corpus, source, folder)
    if not isinstance(encoder, str) and (resize, precision, exact_preprocessing, device) != (None, "auto", False, None):
        raise EncoderError(
            f"{encoder.name}: is open with a resize mode and precision, preprocessing and device of its own; "
            "give its name, or leave those out"
        )
    preprocessing = "exact" if exact_preprocessing else "auto"
    if (folder / "plan.json").exists():
        begun = Plan.read(folder)
        precision = begun.precision if precision == "auto" else precision
        preprocessing = begun.preprocessing if preprocessing == "auto" else preprocessing
    on = devices(device) if isinstance(encoder, str) else ["the encoder's"]
    if len(on) > 1 and not isinstance(source, str | Path):
        raise EncoderError(f"{', '.join(on)}: several devices need a corpus by its path; give that, or one device")
    model = load_encoder(
        encoder,
        resize=resize,
        device=on[0],
        precision=precision,
        preprocessing=preprocessing,
        trust_torchscript=trust_torchscript,
    )
    plan = make_plan(
        corpus,
        model,
        source=str(source if isinstance(source, str | Path) else getattr(source, "source", corpus.kind)),
        options=options,
        resize=resize,
        thumbnail=thumbnail,
        max_pixels=max_pixels,
        shard_size=shard_size,
        long_captions=long_captions,
    )
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    with locked(folder):
        plan = _freeze(plan, folder)
        workers = workers or max(1, (os.cpu_count() or 1) // len(on))
        if len(on) == 1:
            task = EncodeTask(folder, plan, corpus, model, batch_size, workers, progress or Silent())
            return carry_out(
                folder,
                plan,
                partial(run_here, lambda: task.run),
                max_skips=max_skips,
                workers=workers,
                progress=progress,
            )
        del model  # each process opens its own; this one was for the plan
        make_task = OnDevice(str(source), image_root, str(encoder), trust_torchscript, folder, batch_size, workers)
        return carry_out(
            folder,
            plan,
            partial(run_on_devices, make_task, devices=on),
            max_skips=max_skips,
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
