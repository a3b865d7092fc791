"""What a build need not do again: what earlier ones left in the folder that is still good."""

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

    def note(self, folder: Path, kind: Modality, made: dict[str, Any]) -> None:
        """A FAISS file is done: remember it, should the build be interrupted after it."""
        self.made[kind] = made
        self.write(folder)

    def write(self, folder: Path) -> None:
        write_json(folder / BEGUN, {key: value for key, value in asdict(self).items() if key != "goes_on"})


def begin(folder: Path, digest: str, asked: Mapping[str, Any]) -> Checkpoint:
    """Note that a build begins, and forget what is not good any more; from here to its end the folder is not built."""
    finished, begun = _read(folder / "index.json"), _read(folder / BEGUN)
    kept = Checkpoint(digest, dict(asked), finished or begun.get("before") or {}, {})
    if begun.get("digest") == digest:
        kept.made, kept.goes_on = begun.get("made") or {}, True
    if finished.get("digest") == digest:
        kept.made = {kind: finished[kind] for kind in TABLE_OF if isinstance(finished.get(kind), dict)}
    kept.made = {kind: made for kind, made in kept.made.items() if _is_whole(folder, kind, made)}
    if not kept.goes_on:
        for kind in TABLE_OF:
            (folder / f"{kind}.npy").unlink(missing_ok=True)
            forget_others(folder, kind, None)
    kept.write(folder)
    (folder / "index.json").unlink(missing_ok=True)
    return kept


def asked_settings(folder: Path) -> dict[str, Any]:
    """What the last build of a folder was asked for, as arguments of `build`; nothing where there was none."""
    for name in ("index.json", BEGUN):
        asked = _read(folder / name).get("asked")
        if isinstance(asked, dict):
            return asked
    return {}


def forget_others(folder: Path, kind: Modality, checkpoint: Path | None) -> None:
    for other in folder.glob(f"{kind}.*.part"):
        if other != checkpoint:
            other.unlink()


def changed_since(
    kept: Checkpoint, folder: Path, shards: Shards, kind: Modality, factory: str, seed: int
) -> tuple[int, int] | None:
    """Where the FAISS file of the last build can be brought up to date: after how many steps it was built, and how many
    rows were withdrawn or added since. None where it is of another kind or of other shards, or too much changed."""
    built = kept.before.get(kind)
    if not isinstance(built, dict) or kept.before.get("digest") not in shards.digests:
        return None
    if (built.get("factory"), built.get("seed")) != (factory, seed) or not _is_whole(folder, kind, built):
        return None
    steps = shards.digests.index(kept.before["digest"])
    table = TABLE_OF[kind]
    gone = sum(change.rows.get(table, 0) for change in shards.changes[steps:])
    moved = shards.count(table) - built["rows"] + 2 * gone
    trained_on = built["trained_on"] if "trained_on" in built else built["rows"]
    if built.get("changed", 0) + moved > RETRAIN * trained_on:
        return None
    return steps, moved


def _is_whole(folder: Path, kind: str, made: Mapping[str, Any]) -> bool:
    path = folder / f"{kind}.faiss"
    return path.is_file() and sha256_file(path) == made.get("sha256")


def _read(path: Path) -> dict[str, Any]:
    try:
        values = read_json(path)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
