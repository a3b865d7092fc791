"""Captions and metadata that lie beside an image: a text file, a JSON object."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from retrieval.corpora.jats.rights import figure_licence
from retrieval.corpora.tables.column_types import ColumnTypes
from retrieval.corpora.tables.columns import ARTICLE_ID, CAPTIONS, first_of
from retrieval.corpora.tables.content_roles import WORDS, count_of_words
from retrieval.corpora.tables.plain_text import unmarked_utf16
from retrieval.corpora.tables.values import captions_in, name_in, sorted_out, text_of
from retrieval.types import Scalar


class BadSidecar(ValueError):
    """A sidecar that cannot be read; `reason` is that of the Skip."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a JSON object beside an image says."""

    captions: tuple[str, ...] = ()
    article_id: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_caption(data: bytes, encoding: str | None = None) -> str:
    """A text file as one caption, line breaks and all; only the line break that ends the file is taken off. Blank where
    the text says that there was none. Without an `encoding` it is UTF-8, or UTF-16 where it looks so."""
    marked = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else unmarked_utf16(data) if data else None
    try:
        text = data.decode("utf-8-sig" if data.startswith(BOM_UTF8) else marked or encoding or "utf-8")
    except UnicodeDecodeError:
        raise BadSidecar("caption is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    return "" if text == NO_CAPTION else text


def read_sidecar(
    data: bytes,
    columns: Mapping[str, str],
    caption: str | None = None,
    caption_keys: Sequence[str] = (),
) -> Sidecar:
    """A JSON object: its captions, article, values of the declared `columns`, and all the rest; or captions alone, as
    one text, a list of texts, or of objects with a text.

    The captions are under `caption_keys`, or where none are given under a key that is known to hold some.

    A `caption` that was found in a text file goes before those of the object, which are then kept in `extra`, unless
    they say the same.
    """
    row = _object(data)
    known, article_key = first_of(CAPTIONS, row), first_of(ARTICLE_ID, row)
    keys = [key for key in (caption_keys or (known,)) if key is not None and key in row]
    captions = tuple(text for key in keys for text in captions_in(row[key]))
    taken = [key for key in (*keys, article_key) if key]
    metadata, extra = sorted_out(row, columns, taken)
    if _is_biomedica(row) and metadata.get("licence"):
        metadata["licence"] = figure_licence(metadata["licence"], captions if caption is None else [caption])
    if caption is not None and captions != (caption,):
        extra |= {text_of(key): row[key] for key in keys}
    return Sidecar(captions, name_in(row[article_key]) if article_key else None, metadata, extra)


def observe(types: ColumnTypes, data: bytes, caption_keys: Sequence[str] = ()) -> None:
    """Let `types` learn from the object's keys other than its captions and its article."""
    row = _object(data)
    taken = {*(caption_keys or (first_of(CAPTIONS, row),)), first_of(ARTICLE_ID, row)}
    for key, value in row.items():
        if key not in taken:
            types.observe(key, value)


def keys_of_texts(data: bytes) -> list[str]:
    """The keys of an object whose values are texts of several words. Raises BadSidecar."""
    return [
        text_of(key)
        for key, value in _object(data).items()
        if any(max(len(text.split()), count_of_words(text)) >= WORDS for text in captions_in(value))
    ]


def _object(data: bytes) -> dict[str, Any]:
    try:
        row = json.loads(data.removeprefix(BOM_UTF8))  # UTF-8, UTF-16 or UTF-32, as JSON may be
    except (ValueError, RecursionError):
        raise BadSidecar("sidecar is not valid JSON") from None
    if isinstance(row, dict):
        return biomedica_names(row)
    texts = row if isinstance(row, list) else [row]
    if not texts or not all(isinstance(text, str) or (isinstance(text, dict) and captions_in(text)) for text in texts):
        raise BadSidecar("sidecar is not a JSON object")
    more = [text for text in texts if isinstance(text, dict) and len(text) > 1]
    return {"captions": row, **({"annotations": more} if more else {})}


NO_CAPTION = "No caption found"
"""Stands in the text file of a figure without a caption."""

_NAMES = {"article_license": "licence", "article_journal": "journal"}
_EPOCH = re.compile(r"-?\d{9,10}")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?=\d{4}$|\D|$)")


def biomedica_names(row: dict[str, Any]) -> dict[str, Any]:
    """The object with `licence`, `journal` and `year` if it is one of BIOMEDICA, else as it is."""
    if not _is_biomedica(row):
        return row
    return {_NAMES.get(key, key): value for key, value in row.items()} | _year(row)


def _is_biomedica(row: Mapping[str, Any]) -> bool:
    return "article_accession_id" in row and "image_file_name" in row


def _year(row: Mapping[str, Any]) -> dict[str, int]:
    """The year in `article_date`: seconds since 1970 as text, or a written date."""
    text = str(row.get("article_date") or "").strip()
    if _EPOCH.fullmatch(text):
        return {"year": datetime.fromtimestamp(int(text), UTC).year}
    found = _YEAR.search(text)
    return {"year": int(found[1])} if found else {}
