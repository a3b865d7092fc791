"""BIOMEDICA: the JSON beside an image in its WebDataset shards, with the names that other corpora have too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NO_CAPTION = "No caption found"
"""Stands in the text file of a figure without a caption."""

_NAMES = {"article_license": "licence", "article_journal": "journal"}
_EPOCH = re.compile(r"-?\d{9,10}")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?=\d{4}$|\D|$)")


def renamed(row: dict[str, Any]) -> dict[str, Any]:
    """The object with `licence`, `journal` and `year` if it is one of BIOMEDICA, else as it is."""
    if "article_accession_id" not in row or "image_file_name" not in row:
        return row
    return {_NAMES.get(key, key): value for key, value in row.items()} | _year(row)


def _year(row: Mapping[str, Any]) -> dict[str, int]:
    """The year in `article_date`: seconds since 1970 as text, or a written date."""
    text = str(row.get("article_date") or "").strip()
    if _EPOCH.fullmatch(text):
        return {"year": datetime.fromtimestamp(int(text), UTC).year}
    found = _YEAR.search(text)
    return {"year": int(found[1])} if found else {}
