"""A BM25 index, opened read-only: the score of every caption for some words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import StaleIndexError
from retrieval.lexical.loading import bm25s
from retrieval.lexical.words import terms_of
from retrieval.lexical.writing import FORMAT, read_about


class Lexical:
    """The words of all captions of an index, memory-mapped. Thread-safe."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Raises StaleIndexError where it is missing, damaged or of other captions than `digest` says."""
        about = read_about(folder)
        again = "run retrieval build again"
        if about is not None and (about["format"] != FORMAT or about["digest"] != digest):
            raise StaleIndexError(f"{folder}: of other captions than are there now; {again}")
        try:
            if about is None:
                raise ValueError("no lexical.json")
            self.rows = int(about["rows"])
            self._index = bm25s().BM25.load(folder, mmap=True, show_progress=False) if about["terms"] else None
            if self._index is not None and self._index.scores["num_docs"] != self.rows:
                raise ValueError("files of different builds")
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise StaleIndexError(f"{folder}: the words of the captions are missing or damaged; {again}") from error

    def scores(self, asked: Sequence[tuple[str, float]]) -> NDArray[np.float32]:
        """(captions,) The sum of weight times BM25 over some texts; a term that a text repeats counts as often."""
        scores = np.zeros(self.rows, np.float32)
        for text, weight in asked:
            known = sorted(number for term in terms_of(text) if (number := self._number(term)) is not None)
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
