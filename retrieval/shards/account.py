"""The account of a source: what became of its files, and every figure left out, also of a run that was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from retrieval.errors import ShardError
from retrieval.files import read_json, write_json
from retrieval.shards.changes import read_changes, step_folder
from retrieval.shards.plan import Plan, refuse_newer
from retrieval.shards.tables import read_record, shard_path
from retrieval.types import NAMED, Account, Skip

ACCOUNT = "account.json"
"""Beside plan.json, of the index and of each step. Not sealed: it may be absent, and no digest depends on it."""
FORMAT = 1


def write_account(folder: Path, account: Account) -> None:
    """Write the account beside the plan, whole or not at all."""
    write_json(folder / ACCOUNT, {"format": FORMAT, **_as_json(account)})


def read_account(folder: Path) -> Account:
    """The account in one folder; an empty one where there is none. Raises ShardError where it is damaged."""
    path = folder / ACCOUNT
    try:
        values = read_json(path)
        refuse_newer(path, values)
        return _from_json(values)
    except FileNotFoundError:
        return Account()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise ShardError(f"{path}: cannot be read; delete it, nothing else depends on it") from None


def whole_account(folder: Path) -> Account:
    """The account of an index: of what it was made from and of everything added since."""
    return _sum([read_account(part) for part in _parts(folder)])


def _as_json(account: Account) -> dict[str, Any]:
    unread = [[skip.uri, skip.reason] for skip in account.unread]
    values = {"files": account.files, "read": dict(account.read), "unread": unread}
    values |= {"notes": list(account.notes)} if account.notes else {}
    return values if account.inside is None else {**values, "inside": _as_json(account.inside)}


def _from_json(values: dict[str, Any]) -> Account:
    unread = tuple(Skip("", uri, reason) for uri, reason in values["unread"])
    inside = _from_json(values["inside"]) if values.get("inside") else None
    return Account(int(values["files"]), dict(values["read"]), unread, inside, tuple(values.get("notes", ())))


def _sum(accounts: list[Account]) -> Account:
    read: Counter[str] = sum((Counter(account.read) for account in accounts), Counter())
    unread = tuple(skip for account in accounts for skip in account.unread)
    inside = [account.inside for account in accounts if account.inside is not None]
    notes = tuple(dict.fromkeys(note for account in accounts for note in account.notes))
    files = sum(account.files for account in accounts)
    return Account(files, read, unread, _sum(inside) if inside else None, notes)


def left_out(folder: Path) -> Iterator[dict[str, Any]]:
    """Everything that an index, finished or not, left out: first files that were not read, then figures and parts.

    Each is a dict: `figure_id` (None for a file), `uri` (the path that was looked for, relative to the source), `part`
    (file, member of an archive, figure, image or caption) and `reason`. Raises ShardError where a table of skips cannot
    be read.
    """
    parts = list(_parts(folder))
    for part in parts:
        account = read_account(part)
        for what, skips in (("file", account.unread), ("member", account.inside.unread if account.inside else ())):
            for skip in skips:
                yield {"figure_id": None, "uri": skip.uri, "part": what, "reason": skip.reason}
    for part in parts:
        yield from _skips(part)


def first_left_out(folder: Path) -> list[Skip]:
    """The first few figures that the shards of one folder left out."""
    found = (Skip(row["figure_id"], row["uri"], row["reason"]) for row in _skips(folder) if row["part"] == "figure")
    return [skip for skip, _ in zip(found, range(NAMED), strict=False)]


def _parts(folder: Path) -> Iterator[Path]:
    """The folder of an index and those of its steps, the last one perhaps unfinished."""
    yield folder
    sealed = len(read_changes(folder)) if (folder / "plan.json").exists() else 0
    for number in range(1, sealed + 2):
        if step_folder(folder, number).is_dir():
            yield step_folder(folder, number)


def _skips(folder: Path) -> Iterator[dict[str, Any]]:
    if not (folder / "plan.json").exists():
        return
    for split in Plan.read(folder).splits:
        if read_record(folder, split.number) is None:
            continue
        path = shard_path(folder, split.number, "skips")
        try:
            table = pq.read_table(path, columns=["figure_id", "source_uri", "part", "reason"])
        except (OSError, ValueError) as error:
            raise ShardError(f"{path}: cannot be read ({error}); run retrieval verify {folder}") from None
        for row in table.to_pylist():
            yield {
                "figure_id": row["figure_id"],
                "uri": row["source_uri"] or "",
                "part": row["part"],
                "reason": row["reason"],
            }
