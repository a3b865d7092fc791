"""A table for each split: train.csv, valid.csv, test.csv in one folder, as PMC-OA and others have them."""

from __future__ import annotations

import re

from retrieval.corpora.datasets.folder_listing import Listing
from retrieval.corpora.tables.open_rows import open_rows, roles_in
from retrieval.corpora.tables.row_views import WithConstants
from retrieval.corpora.tables.table import TableRows

_SPLIT = re.compile(r"(train|valid|val|validation|dev|test)\.(jsonl|ndjson|csv|tsv)(\.gz)?", re.I)


def find_split_tables(listing: Listing) -> list[TableRows]:
    """At least two such tables in the folder, each with columns of images and captions and none of splits."""
    tables: list[TableRows] = []
    for name in listing.files.get("", []):
        split = _SPLIT.fullmatch(name)
        if split:
            path = listing.path("", name)
            roles = roles_in(path)
            rows = open_rows(path) if roles is not None and roles.image and roles.captions else None
            if rows is None or "split" in rows.columns:
                return []
            tables.append(WithConstants(rows, {"split": split[1].lower()}))
    return tables if len(tables) > 1 else []
