"""TREC run and qrels files, so that trec_eval can check every measure.

A run line is `query Q0 row rank score tag`, a qrels line `query 0 row relevance`. Blanks separate the ids, so blanks,
control characters and `%` inside an id are percent-encoded when written, and decoded when read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.ranks.order import Positives
from retrieval.files import replacing
from retrieval.types import Hits

UNSAFE = re.compile(r"[\s%\x00-\x1f\x7f-\x9f\ud800-\udfff]")
SUBNORMAL = 0x007FFFFF  # the greatest one, as bits; some processes flush these numbers to 0, so they are not written


def write_run(
    path: Path, query_ids: Sequence[str], gallery_ids: Sequence[str], hits: Hits, tag: str = "retrieval"
) -> None:
    """Write the hits of every query; the ids belong to the rows of queries and gallery.

    trec_eval ignores the rank, reads the score as float32 and orders equal ones by id. The written scores are therefore
    the cosines nudged down to the next float32 wherever they would not be strictly decreasing in our order.
    """
    queries, rows = _written_ids(query_ids, "query"), _written_ids(gallery_ids, "gallery")
    if len(hits.rows) != len(queries):
        raise QueryError(f"{len(hits.rows)} queries have {len(queries)} ids; give one id a query")
    tag = _escaped(tag)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for query, found, scores in zip(queries, hits.rows, hits.scores, strict=True):
            found, scores = found[found >= 0], decreasing(scores[found >= 0])
            for rank, (row, score) in enumerate(zip(found, scores, strict=True), 1):
                file.write(f"{query} Q0 {rows[row]} {rank} {score:.9g} {tag}\n")


def write_qrels(path: Path, query_ids: Sequence[str], gallery_ids: Sequence[str], positives: Positives) -> None:
    """Write every relevant row of every query; a query without one has no line, and trec_eval leaves it out."""
    queries, rows = _written_ids(query_ids, "query"), _written_ids(gallery_ids, "gallery")
    if (len(positives), positives.gallery_size) != (len(queries), len(rows)):
        raise QueryError(
            f"{len(positives)} queries and {positives.gallery_size} gallery rows have {len(queries)} and {len(rows)} "
            "ids; give one id a row"
        )
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for number, query in enumerate(queries):
            file.writelines(f"{query} 0 {rows[row]} 1\n" for row in positives[number])


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """query id → row id → score, as pytrec_eval takes it."""
    run: dict[str, dict[str, float]] = {}
    for query, _, row, _, score, _ in _trec_fields(path, "query Q0 row rank score tag", 4, float):
        run.setdefault(query, {})[row] = float(score)
    return run


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """query id → row id → relevance, as pytrec_eval takes it."""
    qrels: dict[str, dict[str, int]] = {}
    for query, _, row, relevance in _trec_fields(path, "query 0 row relevance", 3, int):
        qrels.setdefault(query, {})[row] = int(relevance)
    return qrels


def decreasing(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The greatest strictly decreasing float32 sequence that exceeds `scores` nowhere; subnormal scores count as 0."""
    bits = np.asarray(scores, np.float32).view(np.int32).astype(np.int64)
    size = np.maximum((bits & 0x7FFFFFFF) - SUBNORMAL, 0)  # floats of one sign are ordered as their bits are
    levels = np.where(bits < 0, -size, size)
    place = np.arange(len(levels))
    levels = np.minimum.accumulate(levels + place) - place
    size = np.where(levels == 0, 0, np.abs(levels) + SUBNORMAL)
    magnitudes = size.astype(np.int32).view(np.float32)
    return np.where(levels < 0, -magnitudes, magnitudes)


def _written_ids(ids: Sequence[str], side: str) -> list[str]:
    written = [_escaped(identifier) for identifier in ids]
    if len(set(written)) < len(written):
        twice = Counter(written).most_common(1)[0][0]
        raise QueryError(f"{side} id {twice} stands for several rows; a TREC file needs one id each")
    return written


def _escaped(text: str) -> str:
    if not text:
        raise QueryError("a TREC file cannot hold an empty id or tag; give it a name")
    return UNSAFE.sub(lambda found: quote(found.group(), safe="", errors="surrogatepass"), text)


def _trec_fields(path: Path, columns: str, number_column: int, number: type) -> Iterator[list[str]]:
    """The fields of every line, ids decoded, the number checked."""
    width = len(columns.split())
    with open(path, encoding="utf-8") as file:
        for count, line in enumerate(file, 1):
            fields = line.split()
            try:
                if len(fields) != width:
                    raise ValueError
                number(fields[number_column])
            except ValueError:
                raise QueryError(f"{path} line {count} is not `{columns}`; is this the right file?") from None
            yield [unquote(field, errors="surrogatepass") for field in fields]
