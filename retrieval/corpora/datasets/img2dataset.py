"""What img2dataset downloaded: shards of folders or archives, each with a table of what could not be had."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path

from retrieval.corpora.datasets.folder_listing import Listing
from retrieval.corpora.folder import FolderCorpus
from retrieval.corpora.naming import cut_evenly
from retrieval.corpora.tables.columnar_rows import ColumnarRows
from retrieval.corpora.tables.parquet_rows import parquet_rows
from retrieval.corpora.tables.values import name_in
from retrieval.corpora.webdataset import WebDatasetCorpus
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Account, Corpus, Figure, Skip, Split

FAILED = "*.parquet"
"""What the splits of rows that failed have as their source."""

_TABLE = re.compile(r"\d+\.parquet")
_ARCHIVE = re.compile(r"\d+\.tar")
LACKING = "archive of this table is missing"
_REASONS = {"failed_to_download": "image could not be downloaded", "failed_to_resize": "image could not be resized"}


def find_img2dataset(listing: Listing) -> Corpus | None:
    """Tables 00000.parquet with `url`, `key` and `status`, each with a 00000_stats.json beside it."""
    tables = []
    for folder, name in listing.named(_TABLE):
        if f"{name.removesuffix('.parquet')}_stats.json" in listing.files[folder]:
            path = listing.path(folder, name)
            rows = _opened(path)
            if rows is not None and {"url", "key", "status"} <= set(rows.columns):
                tables.append(rows)
    if not tables:
        return None
    archives = [listing.path(folder, name) for folder, name in listing.named(_ARCHIVE)]
    if any(rows.path.with_suffix(".tar") in archives for rows in tables):
        corpus = WebDatasetCorpus(listing.root, archives, whole_folder=True, images_only=True)
        return Img2datasetCorpus(listing.root, corpus, tables, frozenset(archives))
    if any(rows.path.with_suffix("").is_dir() for rows in tables):
        return Img2datasetCorpus(listing.root, FolderCorpus(listing.root), tables)
    return None


def _opened(path: Path) -> ColumnarRows | None:
    try:
        return parquet_rows(path)
    except CorpusError:
        return None


class Img2datasetCorpus:
    """The figures that were downloaded, as those of folders or archives; then one Skip for each row that failed, or
    that lies in none of the `archives`, where there are any."""

    kind = "img2dataset"

    def __init__(
        self,
        root: Path,
        downloaded: WebDatasetCorpus | FolderCorpus,
        tables: list[ColumnarRows],
        archives: frozenset[Path] = frozenset(),
    ) -> None:
        self._downloaded = downloaded
        self._tables = [(rows.path.relative_to(root).as_posix(), rows) for rows in tables]
        self._lacking = {
            name for name, rows in self._tables if archives and rows.path.with_suffix(".tar") not in archives
        }
        self._ends = list(accumulate(sum(1 for _ in self._failures(name, rows)) for name, rows in self._tables))
        self.columns: Mapping[str, str] = downloaded.columns
        digests = [[name, rows.digest] for name, rows in self._tables]
        self.fingerprint = sha256_json([self.kind, downloaded.fingerprint, digests])

    def split(self, size: int) -> list[Split]:
        splits = self._downloaded.split(size)
        return splits + cut_evenly(self._ends[-1], size, len(splits), FAILED)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        if split.source != FAILED:
            yield from self._downloaded.read(split)
            return
        start = 0
        for (name, rows), end in zip(self._tables, self._ends, strict=True):
            if start < split.stop and end > split.start:
                yield from islice(self._failures(name, rows), max(0, split.start - start), split.stop - start)
            start = end

    @property
    def account(self) -> Account:
        """What became of the files: as the folder or the archives say, and the tables with their statistics."""
        known = {name: "table" for name, _ in self._tables}
        known |= {f"{name.removesuffix('.parquet')}_stats.json": "listing" for name in known}
        account = self._downloaded.account
        read = Counter(account.read) + Counter(known[skip.uri] for skip in account.unread if skip.uri in known)
        return replace(account, read=read, unread=tuple(skip for skip in account.unread if skip.uri not in known))

    def _failures(self, name: str, rows: ColumnarRows) -> Iterator[Skip]:
        for number, row in enumerate(rows.scan(("key", "status")), start=1):
            place = f"{name}#{number}"
            if isinstance(row, str):
                yield Skip(place, place, row)
                continue
            reason = _REASONS.get(row["status"], "image was not downloaded")
            if row["status"] == "success":
                if name not in self._lacking:
                    continue
                reason = LACKING
            yield Skip(f"{name.removesuffix('.parquet')}/{name_in(row['key']) or number}", place, reason)
