"""A table for each split: train.csv, valid.csv, test.csv in one folder, as PMC-OA and others have them, or
mine_train.json and mine_test.json."""

from __future__ import annotations

import re

from retrieval.corpora.datasets.folder_listing import Listing
from retrieval.corpora.tables.open_rows import open_rows, roles_in
from retrieval.corpora.tables.row_views import WithConstants
from retrieval.corpora.tables.table import TableRows

_SPLIT = re.compile(
    r"(.*[._-])?(train|training|valid|val|validation|dev|test)([._-].*)?\.(jsonl|ndjson|json|csv|tsv)(\.gz)?", re.I
)


def find_split_tables(listing: Listing) -> list[TableRows]:
    """At least two such tables in the folder, each with columns of images and captions and none of splits."""
    tables: list[TableRows] = []
    beside: set[tuple[str | None, ...]] = set()
    for name in listing.files.get("", []):
        split = _SPLIT.fullmatch(name)
        if split:
            path = listing.path("", name)
            roles = roles_in(path)
            rows = open_rows(path) if roles is not None and roles.image and roles.captions else None
            if rows is None or "split" in rows.columns:
                return []
            tables.append(WithConstants(rows, {"split": split[2].lower()}))
            beside.add((split[1], split[3]))
    return tables if len(tables) > 1 and len(beside) == 1 else []
