"""Reuse what earlier builds left in the folder: FAISS files that are whole, and an interrupted build's progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrieval.files import read_json, sha256_file, write_json
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

BEGUN = "building.json"
"""What an unfinished build is of: what it left is good as long as the shards are the same."""
RETRAIN = 0.3
"""Share of the rows an index was trained on that may be withdrawn or added before it is trained again."""


@dataclass
class Checkpoint:
    """What is good of earlier builds.

    `goes_on`: a build of the same shards was interrupted. `made`: of the same shards, what is known of each FAISS file
    that is whole. `before`: what the last build that ended wrote to index.json, perhaps of other shards.
    """

    digest: str
    asked: dict[str, Any]
    before: dict[str, Any]
    made: dict[str, dict[str, Any]]
    goes_on: bool = False

    def note(self, folder: Path, modality: Modality, made: dict[str, Any]) -> None:
        """A FAISS file is done: remember it, should the build be interrupted after it."""
        self.made[modality] = made
        self.write(folder)

    def write(self, folder: Path) -> None:
        write_json(folder / BEGUN, {key: value for key, value in asdict(self).items() if key != "goes_on"})


def begin(folder: Path, digest: str, asked: Mapping[str, Any]) -> Checkpoint:
    """Note that a build begins, and forget what is not good any more; from here to its end the folder is not built."""
    finished, begun = _read_facts(folder / "index.json"), _read_facts(folder / BEGUN)
    checkpoint = Checkpoint(digest, dict(asked), finished or begun.get("before") or {}, {})
    if begun.get("digest") == digest:
        checkpoint.made, checkpoint.goes_on = begun.get("made") or {}, True
    if finished.get("digest") == digest:
        checkpoint.made = {
            modality: finished[modality] for modality in TABLE_OF if isinstance(finished.get(modality), dict)
        }
    checkpoint.made = {
        modality: made for modality, made in checkpoint.made.items() if _is_whole(folder, modality, made)
    }
    if not checkpoint.goes_on:
        for modality in TABLE_OF:
            (folder / f"{modality}.npy").unlink(missing_ok=True)
            forget_others(folder, modality, None)
    checkpoint.write(folder)
    (folder / "index.json").unlink(missing_ok=True)
    return checkpoint


def asked_settings(folder: Path) -> dict[str, Any]:
    """What the last build of a folder was asked for, as arguments of `build`; nothing where there was none."""
    for name in ("index.json", BEGUN):
        asked = _read_facts(folder / name).get("asked")
        if isinstance(asked, dict):
            return asked
    return {}


def forget_others(folder: Path, modality: Modality, part: Path | None) -> None:
    for other in folder.glob(f"{modality}.*.part"):
        if other != part:
            other.unlink()


def changed_since(
    checkpoint: Checkpoint, folder: Path, shards: Shards, modality: Modality, factory: str, seed: int
) -> tuple[int, int] | None:
    """Where the FAISS file of the last build can be brought up to date: after how many steps it was built, and how many
    rows were withdrawn or added since. None where it is of another factory or of other shards, or too much changed."""
    built = checkpoint.before.get(modality)
    if not isinstance(built, dict) or checkpoint.before.get("digest") not in shards.digests:
        return None
    if (built.get("factory"), built.get("seed")) != (factory, seed) or not _is_whole(folder, modality, built):
        return None
    steps = shards.digests.index(checkpoint.before["digest"])
    table = TABLE_OF[modality]
    gone = sum(change.rows.get(table, 0) for change in shards.changes[steps:])
    moved = shards.count(table) - built["rows"] + 2 * gone
    trained_on = built["trained_on"] if "trained_on" in built else built["rows"]
    if built.get("changed", 0) + moved > RETRAIN * trained_on:
        return None
    return steps, moved


def _is_whole(folder: Path, modality: str, made: Mapping[str, Any]) -> bool:
    path = folder / f"{modality}.faiss"
    return path.is_file() and sha256_file(path) == made.get("sha256")


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        values = read_json(path)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
