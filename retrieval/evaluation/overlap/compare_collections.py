"""Which figures of one side are on the other too: in the same article, as the same image, picture or caption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.overlap.shingles import near_captions
from retrieval.evaluation.overlap.sides import CodedValues, Collection, CollectionSide, Numbers, parts, whole
from retrieval.images.near_duplicates import likeness, near_pairs
from retrieval.indexes.opened_index import OpenedIndex

KINDS = {
    "article": "figures of the same article",
    "image": "the same image file, byte for byte",
    "picture": "near-equal pictures",
    "caption": "the same caption",
    "words": "captions of nearly the same words",
}
"""Each holds what is equal as well as what is near: whoever has the same image has a near-equal picture."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A figure with the figure of the other side that is most like it in one way; `score` is 1 where they are equal."""

    figure_id: str
    other_id: str
    kind: str
    score: float


@dataclass(frozen=True, slots=True)
class OverlapMatch:
    """Of one kind: how many figures were compared, and for those touched (m,) the best counterpart with its score."""

    compared: int
    figures: Numbers
    others: Numbers
    scores: NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Overlap:
    """What of `side` is in `against` too; where both are one collection, what of it occurred earlier in it."""

    against: CollectionSide
    side: CollectionSide
    found: dict[str, OverlapMatch]

    @property
    def figures(self) -> int:
        return self.side.count

    @property
    def touched(self) -> Numbers:
        """The numbers of the figures that are touched in any way, in order."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *(found.figures for found in self.found.values())]))

    @property
    def share(self) -> float:
        return len(self.touched) / max(1, self.figures)

    def touches(self) -> Iterator[Touch]:
        """Every touched figure once a kind, in the order of the index."""
        ids, others = self.side.collection.ids, self.against.collection.ids
        for kind, found in self.found.items():
            for figure, other, score in zip(found.figures, found.others, found.scores.tolist(), strict=True):
                yield Touch(str(ids[figure]), str(others[other]), kind, score)

    @property
    def verdict(self) -> str:
        touched, name = len(self.touched), self.side.name
        if self.against is self.side:
            if not touched:
                return f"{name}: none of {self.figures} figures repeats an earlier one"
            return f"{name}: {touched} of {self.figures} figures ({self.share:.1%}) repeat an earlier one in some way"
        if not touched:
            return f"{name}: none of {self.figures} figures is in {self.against.name} in any way"
        return f"{name}: {touched} of {self.figures} figures ({self.share:.1%}) are in {self.against.name} in some way"

    def __repr__(self) -> str:
        lines = [
            f"  {kind:8} {len(found.figures):8} of {found.compared:8} compared: {KINDS[kind]}"
            for kind, found in self.found.items()
        ]
        return "\n".join([self.verdict, *lines])

    def as_json(self) -> dict[str, Any]:
        kinds = {k: {"compared": found.compared, "touched": len(found.figures)} for k, found in self.found.items()}
        return {
            "against": self.against.name,
            "side": self.side.name,
            "figures": self.figures,
            "touched": len(self.touched),
            "kinds": kinds,
            "touches": [
                {"figure_id": touch.figure_id, "other_id": touch.other_id, "kind": touch.kind, "score": touch.score}
                for touch in self.touches()
            ],
        }


def overlap(
    folder: str | Path, other: str | Path | None = None, *, by: str | None = None, kinds: Sequence[str] = ()
) -> list[Overlap]:
    """Compare the index `other` against the index `folder`; without it `folder` with itself: each figure with earlier
    ones, or, with `by`, every two values of a column, the one of fewer figures against the one of more.

    `kinds` are those of `KINDS` to look at (default: all but article within one index, whose figures are meant to
    share articles). Pictures are compared by their thumbnails. Raises QueryError for an unknown kind or column.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise QueryError(f"{unknown[0]}: no such kind of overlap; there are {', '.join(KINDS)}")
    if other is not None and by is not None:
        raise QueryError(f"{by}: a column splits one index; leave out {other} or --by")
    one = Collection(OpenedIndex(folder))
    within = other is None and by is None
    wanted = [kind for kind in KINDS if kind in kinds or (not kinds and not (within and kind == "article"))]
    if by is not None:
        return [_compare(against, side, wanted) for against, side in combinations(parts(one, by), 2)]
    against = whole(one)
    return [_compare(against, against if other is None else whole(Collection(OpenedIndex(other))), wanted)]


def clean_ids(overlaps: Sequence[Overlap]) -> list[str]:
    """The figures that no comparison touches: of the sides that were compared against another, in their order."""
    left: dict[int, tuple[Collection, NDArray[np.bool_]]] = {}
    for overlap in overlaps:
        collection = overlap.side.collection
        chosen = left.setdefault(id(collection), (collection, np.zeros(collection.count, dtype=bool)))[1]
        chosen |= overlap.side.chosen
    for overlap in overlaps:
        left[id(overlap.side.collection)][1][overlap.touched] = False
    return [str(name) for collection, chosen in left.values() for name in collection.ids[chosen].tolist()]


def _compare(against: CollectionSide, side: CollectionSide, kinds: Sequence[str]) -> Overlap:
    compare = {"picture": _near_pictures, "words": _near_captions}
    found = {
        kind: compare[kind](against, side) if kind in compare else _equal_values(against, side, kind) for kind in kinds
    }
    return Overlap(against, side, found)


def _equal_values(against: CollectionSide, side: CollectionSide, kind: str) -> OverlapMatch:
    theirs = side.values(kind)
    codes, first = _first_of(against.values(kind))
    at = np.minimum(np.searchsorted(codes, theirs.codes), max(0, len(codes) - 1))
    same = codes[at] == theirs.codes if len(codes) else np.zeros(len(theirs.codes), dtype=bool)
    return _best(
        first[at[same]], theirs.figures[same], np.ones(int(same.sum())), _distinct(theirs.figures), side is against
    )


def _near_pictures(against: CollectionSide, side: CollectionSide) -> OverlapMatch:
    (hashes, figures), (their_hashes, their_figures) = against.pictures(), side.pictures()
    ours, our_code = np.unique(hashes, axis=0, return_inverse=True)
    theirs, their_code = np.unique(their_hashes, axis=0, return_inverse=True)
    pairs = near_pairs(ours, theirs)
    scores = likeness(ours[pairs[:, 0]], theirs[pairs[:, 1]])
    return _near(CodedValues(figures, our_code), CodedValues(their_figures, their_code), pairs, scores, side is against)


def _near_captions(against: CollectionSide, side: CollectionSide) -> OverlapMatch:
    ours, theirs = against.values("caption"), side.values("caption")
    our_codes, our_code = np.unique(ours.codes, return_inverse=True)
    their_codes, their_code = np.unique(theirs.codes, return_inverse=True)
    pairs, scores = near_captions(against.collection.texts(our_codes), side.collection.texts(their_codes))
    return _near(
        CodedValues(ours.figures, our_code), CodedValues(theirs.figures, their_code), pairs, scores, side is against
    )


def _near(
    ours: CodedValues, theirs: CodedValues, pairs: Numbers, scores: NDArray[np.float64], within: bool
) -> OverlapMatch:
    """Pairs of values (m, 2), numbered from 0 on each side, as pairs of the figures that have them."""
    _, first = _first_of(ours)
    order = np.argsort(theirs.codes, kind="stable")
    starts = np.searchsorted(theirs.codes[order], pairs[:, 1], side="left")
    counts = np.searchsorted(theirs.codes[order], pairs[:, 1], side="right") - starts
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    figures = theirs.figures[order[np.repeat(starts, counts) + nth]]
    others = np.repeat(first[pairs[:, 0]], counts)
    return _best(others, figures, np.repeat(scores, counts), _distinct(theirs.figures), within)


def _first_of(coded: CodedValues) -> tuple[Numbers, Numbers]:
    """Every code once, in order, and the least number of the figures that say it."""
    order = np.lexsort((coded.figures, coded.codes))
    codes, places = np.unique(coded.codes[order], return_index=True)
    return codes, coded.figures[order][places]


def _best(others: Numbers, figures: Numbers, scores: NDArray[np.float64], compared: int, within: bool) -> OverlapMatch:
    """Each figure once, with its best counterpart, of several the least; `within` one side only with earlier ones."""
    if within:
        earlier = others < figures
        others, figures, scores = others[earlier], figures[earlier], scores[earlier]
    order = np.lexsort((others, -scores, figures))
    unique, places = np.unique(figures[order], return_index=True)
    return OverlapMatch(compared, unique, others[order][places], scores[order][places])


def _distinct(figures: Numbers) -> int:
    return len(np.unique(figures))
