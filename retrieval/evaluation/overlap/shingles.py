"""Captions of nearly the same words: every pair whose pairs of adjacent words overlap enough, exactly."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NEAR = 0.8
"""Jaccard similarity of the sets of adjacent words: in a caption of 20 words one may be another one."""
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class _Sets:
    """Sets of numbers, one after the other in `members`, each sorted: the number of what is rarest is the least."""

    members: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        return self.members[self.starts[row] : self.starts[row + 1]]

    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.starts)


def near_captions(ours: Sequence[str], theirs: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (m, 2) of a caption of ours and one of theirs with a Jaccard similarity of at least `NEAR`, and that (m,).

    No pair is missed: of two such sets each has n - ceil(0.8 n) + 1 members, its rarest, one of which the other has
    among its own, so only captions that share a rare pair of words are compared (prefix filter of Chaudhuri, Ganti and
    Kaushik, ICDE 2006; Bayardo, Ma and Srikant, WWW 2007). Equal sets are found too.
    """
    sets = _shingled([*ours, *theirs])
    sizes = sets.sizes()
    prefixes = np.minimum(sizes, _prefix(sizes))
    owners, begins = _postings(sets, prefixes[: len(ours)])
    pairs = array("q")
    scores = array("d")
    for row in range(len(ours), len(sizes)):
        mine = sets[row]
        rare = mine[: prefixes[row]]
        begin, end = begins[rare].tolist(), begins[rare + 1].tolist()
        some = np.unique(np.concatenate([owners[:0], *(owners[a:b] for a, b in zip(begin, end, strict=True))]))
        size = len(mine)
        some = some[(sizes[some] >= NEAR * size - 1e-9) & (sizes[some] * NEAR <= size + 1e-9)]
        wanted = set(mine.tolist())
        for other in some.tolist():
            shared = len(wanted.intersection(sets[other].tolist()))
            score = shared / (size + int(sizes[other]) - shared)
            if score >= NEAR - 1e-9:
                pairs.extend((other, row - len(ours)))
                scores.append(score)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(scores, dtype=np.float64)


def _prefix(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of its rarest members a set must be looked for by."""
    rest: NDArray[np.int64] = sizes - np.ceil(NEAR * sizes - 1e-9).astype(np.int64)
    return rest + 1


def _shingled(texts: Iterable[str]) -> _Sets:
    """Number the adjacent words of every text, its ends counted as words, from the rarest to the most frequent.

    Words are numbered as they occur, so that a pair of them has the same code in every run and no two pairs share one.
    """
    number_of: dict[str, int] = {"": 0}
    codes = array("q")
    starts = array("q", [0])
    for text in texts:
        words = WORD.findall(text)
        numbers = [number_of.setdefault(word, len(number_of)) for word in ("", *words, "")]
        codes.extend({one << 32 | next_one for one, next_one in pairwise(numbers)} if words else ())
        starts.append(len(codes))
    _, inverse, counts = np.unique(np.asarray(codes), return_inverse=True, return_counts=True)
    number = np.empty(len(counts), dtype=np.int64)
    number[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    begins = np.asarray(starts)
    members = number[inverse]
    owner = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    return _Sets(members[np.lexsort((members, owner))], begins)


def _postings(sets: _Sets, prefixes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first sets, put together by each of their rarest members; and where those of a member begin."""
    owners = np.repeat(np.arange(len(prefixes)), prefixes)
    nth = np.arange(len(owners)) - np.repeat(np.cumsum(prefixes) - prefixes, prefixes)
    members = sets.members[sets.starts[owners] + nth]
    counts = np.bincount(members, minlength=int(sets.members.max(initial=0)) + 1)
    return owners[np.argsort(members, kind="stable")], np.append(0, np.cumsum(counts))
