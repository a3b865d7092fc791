"""Digest the content of a figure: the same for a figure of a source and for the rows that it became."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from retrieval.encoders.captions import captions_of
from retrieval.shards.plan import WHERE_FROM
from retrieval.shards.reader import Shards
from retrieval.shards.tables import parse_extra
from retrieval.types import Figure

NO_IMAGE = bytes(16)


@dataclass(frozen=True, slots=True)
class Content:
    """Digests of a figure's image, of its captions in their order, and of all else that is known about it."""

    image: bytes
    captions: bytes
    about: bytes


def content_of(figure: Figure, columns: Mapping[str, str], sha256: str | None) -> Content:
    """The content that a figure's rows will have in shards that declare `columns`; `sha256` of its image, None where
    it has none, or none that the encoder reads."""
    metadata = {
        name: float(value) if columns.get(name) == "float64" and value is not None else value
        for name, value in figure.metadata.items()
    }
    extra = json.loads(json.dumps(dict(figure.extra))) if figure.extra else {}
    captions = b""
    for caption in captions_of(figure):
        captions = _chained(captions, caption)
    return Content(_image_digest(sha256), captions, _metadata_digest(figure.article_id, figure.uri, metadata | extra))


def contents(shards: Shards) -> dict[str, Content]:
    """The content of every figure, by its id: some 300 bytes each in memory."""
    declared = list(shards.plan.columns)
    about = [*WHERE_FROM, *declared, "extra"]
    found: dict[str, Content] = {}
    for block in shards.blocks("images", [*about, "sha256"]):
        for row in block.to_pylist():
            found[row["figure_id"]] = Content(_image_digest(row["sha256"]), b"", _row_metadata_digest(row, declared))
    for block in shards.blocks("texts", [*about, "caption"]):
        ids = block["figure_id"].to_pylist()
        new = [number for number, figure in enumerate(ids) if figure not in found]
        for row in block.take(pa.array(new, pa.int64())).to_pylist() if new else ():
            found.setdefault(row["figure_id"], Content(NO_IMAGE, b"", _row_metadata_digest(row, declared)))
        for figure, caption in zip(ids, block["caption"].to_pylist(), strict=True):
            before = found[figure]
            found[figure] = Content(before.image, _chained(before.captions, caption), before.about)
    return found


def known_values(row: Mapping[str, Any], declared: list[str]) -> dict[str, Any]:
    """What a row says of its figure, declared or not, without what is missing."""
    values = {name: row[name] for name in declared} | parse_extra(row["extra"])
    return {name: value for name, value in values.items() if value is not None}


def _row_metadata_digest(row: Mapping[str, Any], declared: list[str]) -> bytes:
    return _metadata_digest(row["article_id"], row["source_uri"], known_values(row, declared))


def _metadata_digest(article_id: str | None, uri: str | None, values: Mapping[str, Any]) -> bytes:
    there = {name: value for name, value in values.items() if value is not None}
    return hashlib.blake2b(json.dumps([article_id, uri, there], sort_keys=True).encode(), digest_size=8).digest()


def _image_digest(sha256: str | None) -> bytes:
    return NO_IMAGE if sha256 is None else hashlib.blake2b(sha256.encode(), digest_size=16).digest()


def _chained(captions: bytes, caption: str) -> bytes:
    return hashlib.blake2b(captions + caption.encode(errors="surrogatepass"), digest_size=8).digest()


def normalised_caption(caption: str) -> str:
    """A caption as it is compared: compatibility characters, case and spacing do not matter."""
    return " ".join(unicodedata.normalize("NFKC", caption).casefold().split())
