"""The plan of a run, frozen at the first call: what goes on with it, what is refused, and what begins again."""

from __future__ import annotations

import logging
import shutil
from dataclasses import fields
from pathlib import Path

from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.errors import PlanMismatchError, ShardError
from retrieval.indexer.encode_options import EncodeOptions
from retrieval.indexer.resume import REFUSED, is_refused, is_unfinished
from retrieval.shards.account import ACCOUNT
from retrieval.shards.plan import Plan
from retrieval.types import MODALITIES

log = logging.getLogger("retrieval")


def freeze(plan: Plan, folder: Path, options: EncodeOptions) -> Plan:
    """Write the plan at the first run; later runs must ask for the same thing. Gives the plan on disk.

    A run that was refused has left nothing of use: another plan takes its place. So it does with `overwrite`, which
    goes on where it was killed itself.
    """
    if not (folder / "plan.json").exists():
        plan.write(folder)
        return plan
    if options.overwrite and not (is_unfinished(folder) and (folder / BEGUN_AGAIN).exists() and _same(folder, plan)):
        return _begin_again(plan, folder)
    frozen = Plan.read(folder)
    if frozen.digest == plan.digest:
        return frozen
    if is_refused(folder, frozen):
        return _begin_again(plan, folder)
    for item in fields(Plan):
        before, now = getattr(frozen, item.name), getattr(plan, item.name)
        if item.name in DIFFERENCES and before != now:
            what = DIFFERENCES[item.name].format(before=before, now=now, frozen=frozen, plan=plan)
            way_out = "go on with the former, begin again with --overwrite, or give a new folder"
            if item.name == "corpus_fingerprint":
                way_out = f"{way_out}; a finished index takes what is new with retrieval add"
            raise PlanMismatchError(f"{folder}: begun with {what}; {way_out}")
    raise PlanMismatchError(
        f"{folder}: begun with another plan (plan.json); begin again with --overwrite, or give a new folder"
    )


BEGUN_AGAIN = ".overwritten"
"""A file that says that all of the shards beside it were made since --overwrite was asked for."""
OWN_FILES = (
    *("index.json", "building.json", ACCOUNT, "shards/[0-9]*.json", "shards/[0-9]*.parquet"),
    *(
        f"{modality}.{end}"
        for modality in MODALITIES
        for end in ("faiss", "npy", "figures.npy", "background.npy", "*.part")
    ),
)
OWN_FOLDERS = ("changes", "lexical", PANELS)


def _same(folder: Path, plan: Plan) -> bool:
    try:
        return Plan.read(folder).digest == plan.digest
    except ShardError:
        return False


def _begin_again(plan: Plan, folder: Path) -> Plan:
    """Take away what an index's own commands wrote there, what names it first and the plan last, and freeze a new plan.

    Killed in between, the same command goes on. Files that nobody here wrote stay.
    """
    log.info("beginning again in %s", folder)
    for pattern in OWN_FILES:
        for path in folder.glob(pattern):
            path.unlink()
    for name in OWN_FOLDERS:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    plan.write(folder)
    (folder / REFUSED).unlink(missing_ok=True)
    (folder / BEGUN_AGAIN).touch()
    return plan


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
