"""A BM25 index, opened read-only: the score of every caption for some words."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import StaleIndexError
from retrieval.files import read_json, sha256_file, sync_folder, write_json
from retrieval.indexes.bm25.terms import caption_terms, query_terms, terms_of


class Lexical:
    """The words of all captions of an index, memory-mapped. Thread-safe."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Raises StaleIndexError where it is missing, damaged or of other captions than `digest` says."""
        about = read_about(folder)
        again = "run retrieval build again"
        if about is not None and (about["format"] not in QUERY_TERMS or about["digest"] != digest):
            raise StaleIndexError(f"{folder}: of other captions than are there now; {again}")
        try:
            if about is None:
                raise ValueError("no lexical.json")
            self.rows = int(about["rows"])
            self._terms_of = QUERY_TERMS[about["format"]]
            self._index = bm25s().BM25.load(folder, mmap=True, show_progress=False) if about["terms"] else None
            if self._index is not None and self._index.scores["num_docs"] != self.rows:
                raise ValueError("files of different builds")
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise StaleIndexError(f"{folder}: the words of the captions are missing or damaged; {again}") from error

    def scores(self, asked: Sequence[tuple[str, float]]) -> NDArray[np.float32]:
        """(captions,) The sum of weight times BM25 over some texts; a term that a text repeats counts as often."""
        scores = np.zeros(self.rows, np.float32)
        for text, weight in asked:
            known = sorted(number for term in self._terms_of(text) if (number := self._number(term)) is not None)
            if known and self._index is not None:
                scores += np.float32(weight) * self._index.get_scores_from_ids(known)
        return scores

    def frequency(self, term: str) -> int:
        """How many captions hold a term."""
        number = self._number(term)
        if number is None or self._index is None:
            return 0
        first, stop = self._index.scores["indptr"][number : number + 2]
        return int(stop - first)

    def _number(self, term: str) -> int | None:
        return None if self._index is None else self._index.vocab_dict.get(term)


FORMAT = 2  # of the files, and of what `caption_terms` gives
QUERY_TERMS = {1: terms_of, 2: query_terms}
"""How an index of each format is asked: one of format 1 holds runs without spaces whole, until it is built again."""
K1, B = 1.2, 0.75  # Lucene's; Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), section 3.5
ABOUT = "lexical.json"
BYTES_A_CAPTION = 1200
"""Of memory while words are indexed: 1,130 for captions of 40 words (benchmarks/hybrid.py)."""


def write_lexical(folder: Path, captions: Iterable[Sequence[str]], digest: str) -> dict[str, Any]:
    """Write the BM25 index of all captions, given in row order a block at a time, into `folder`.

    Gives what index.json says of it. One that is there, whole and of the same `digest`, is kept. lexical.json comes
    last: killed anywhere, the next call writes all of it again. Takes `BYTES_A_CAPTION` of memory.
    """
    about = _kept(folder, digest)
    if about is not None:
        return about
    folder.mkdir(exist_ok=True)
    (folder / ABOUT).unlink(missing_ok=True)
    for old in folder.iterdir():
        old.unlink()
    numbers: dict[str, int] = {}
    terms = [
        array("i", [numbers.setdefault(term, len(numbers)) for term in caption_terms(caption)])
        for block in captions
        for caption in block
    ]
    if numbers:
        index = bm25s().BM25(k1=K1, b=B, method="lucene")
        index.index((terms, numbers), create_empty_token=False, show_progress=False)
        index.save(folder, show_progress=False)
        for path in folder.iterdir():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    about = {
        "format": FORMAT,
        "digest": digest,
        "k1": K1,
        "b": B,
        "rows": len(terms),
        "terms": len(numbers),
        "bm25s": version("bm25s"),
        "sha256": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
    }
    sync_folder(folder)
    write_json(folder / ABOUT, about)
    return about


def _kept(folder: Path, digest: str) -> dict[str, Any] | None:
    about = read_about(folder)
    if about is None or about["format"] != FORMAT or about["digest"] != digest:
        return None
    try:
        return about if all(sha256_file(folder / name) == sum for name, sum in about["sha256"].items()) else None
    except OSError:
        return None


def read_about(folder: Path) -> dict[str, Any] | None:
    """What lexical.json says; None where it is missing or damaged."""
    try:
        about = read_json(folder / ABOUT)
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.keys() >= {"format", "digest", "rows", "sha256"} else None


def bm25s() -> Any:
    """The module."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
