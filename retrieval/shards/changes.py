"""The steps that changed an index since it was made: what each added and withdrew, sealed by its change.json."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.errors import PlanMismatchError, ShardError
from retrieval.files import read_json, replacing, sha256_file, sha256_json, sync_folder, write_json
from retrieval.shards.plan import FORMAT, Plan, ShardRecord, refuse_newer
from retrieval.shards.tables import TABLES, Table, read_record

WITHDRAWN = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("figure_id", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ]
)
"""Of removed.parquet, one row for each row withdrawn: `row` counts the rows of `table` that were ever written before
the step, withdrawn ones too, so that it stays true whatever follows."""


@dataclass(frozen=True)
class Change:
    """What a step did, as its change.json says.

    `parent` is the digest of the index before it, `added` that of the step's own plan and records, `removed` the
    sha256 of its removed.parquet; each None where there is none. `rows` counts withdrawn rows by table, `figures` what
    became of figures: added, updated, removed, unchanged, skipped.
    """

    number: int
    command: str
    parent: str
    added: str | None = None
    removed: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, int] = field(default_factory=dict)
    source: str | None = None
    where: Sequence[str] = ()
    reason: str | None = None
    date: str = ""
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """Of the index after it: of its rows, not of when and why."""
        return sha256_json([self.parent, self.added, self.removed])


@dataclass(frozen=True)
class Part:
    """Shards that one run wrote: those an index was made with, or those of a step."""

    folder: Path
    plan: Plan
    records: tuple[ShardRecord, ...]

    @property
    def digest(self) -> str:
        return sha256_json([self.plan.digest, [record.seal for record in self.records]])


def read_part(folder: Path, go_on: str) -> Part:
    """The shards in a folder. Raises ShardError where there is no plan or shards are missing; `go_on`: the way out."""
    plan = Plan.read(folder)
    records = [read_record(folder, split.number) for split in plan.splits]
    there = tuple(record for record in records if record is not None)
    if len(there) < len(records):
        raise ShardError(f"{folder}: {len(records) - len(there)} of {len(records)} shards are missing; {go_on}")
    return Part(folder, plan, there)


def step_folder(folder: Path, number: int) -> Path:
    return folder / "changes" / f"{number:05d}"


def way_back(step: Path) -> str:
    return f"delete {step} and the steps after it, and make those changes again"


def read_changes(folder: Path) -> list[Change]:
    """The sealed steps of an index, in order. Raises ShardError where one is damaged or those before it are gone."""
    sealed = sorted(folder.glob("changes/*/change.json"))
    for number, path in enumerate(sealed, 1):
        if path.parent != step_folder(folder, number):
            raise ShardError(f"{path.parent}: the step before it is missing; restore it, or {way_back(path.parent)}")
    return [_read_change(path, number) for number, path in enumerate(sealed, 1)]


def _read_change(path: Path, number: int) -> Change:
    try:
        values = read_json(path)
        refuse_newer(path, values)
        change = Change(**values)
        if change.number != number or not set(change.rows) <= set(TABLES):
            raise ValueError(f"step {change.number}")
    except (ValueError, TypeError) as error:
        raise ShardError(f"{path}: not this step's record; {way_back(path.parent)}") from error
    return change


def withdrawn(step: Path, table: Table) -> NDArray[np.int64]:
    """The rows of a table that a step withdraws, in order. Raises ShardError where they cannot be read."""
    try:
        removed = pq.read_table(step / "removed.parquet", columns=["table", "row"])
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{step / 'removed.parquet'}: cannot be read ({error}); {way_back(step)}") from error
    rows: NDArray[np.int64] = np.sort(removed.filter(pc.equal(removed["table"], table))["row"].to_numpy())
    return rows


def withdrawn_figures(step: Path) -> set[str]:
    """The ids of the figures whose rows a step withdraws. Raises ShardError where they cannot be read."""
    try:
        return set(pq.read_table(step / "removed.parquet", columns=["figure_id"])["figure_id"].to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{step / 'removed.parquet'}: cannot be read ({error}); {way_back(step)}") from error


def check_step(step: Path, change: Change) -> None:
    """Raises ShardError where a step's removed.parquet is not what was sealed."""
    path = step / "removed.parquet"
    if change.removed is not None and not (path.is_file() and sha256_file(path) == change.removed):
        raise ShardError(f"{path}: missing or differs from change.json; {way_back(step)}")


def unfinished_step(folder: Path, number: int, plan: Plan | None) -> Path:
    """The folder of the step to make next, which is `number`: as an interrupted run of the same plan left it, or empty.

    Raises PlanMismatchError where shards of another plan are in it: they cost hours, perhaps, and are not thrown away.
    """
    step = step_folder(folder, number)
    if (step / "plan.json").exists():
        begun = Plan.read(step)
        if plan is None or begun.digest != plan.digest:
            raise PlanMismatchError(
                f"{folder}: adding {begun.source} was interrupted, and this is another change; run that one again to "
                f"finish it, or delete {step} to give it up"
            )
    elif step.exists():
        shutil.rmtree(step)
    return step


def seal_step(step: Path, change: Change, tables: Mapping[Table, pa.Table]) -> Change:
    """Commit a step whose shards, if it has any, are sealed. `tables` have `row`, `figure_id` and perhaps `reason`."""
    step.mkdir(parents=True, exist_ok=True)
    rows = {table: some.num_rows for table, some in tables.items() if some.num_rows}
    values: dict[str, Any] = {"rows": rows, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    if rows:
        with replacing(step / "removed.parquet") as temporary:
            named = [some.append_column("table", pa.array([table] * some.num_rows)) for table, some in tables.items()]
            pq.write_table(
                pa.concat_tables([some.select(WITHDRAWN.names).cast(WITHDRAWN) for some in named]), temporary
            )
            values["removed"] = sha256_file(temporary)
    if (step / "plan.json").exists():
        values["added"] = read_part(step, way_back(step)).digest
    sealed = Change(**asdict(change) | values)
    sync_folder(step.parent)
    sync_folder(step.parent.parent)
    write_json(step / "change.json", asdict(sealed))
    return sealed
