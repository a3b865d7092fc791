"""The part of a source that an index lacks: found by reading it once, and a corpus of its own for the encoder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora import keep_types
from retrieval.encoders.captions import captions_of
from retrieval.errors import CorpusError
from retrieval.files import replacing, sha256_json
from retrieval.shards.digests import NO_IMAGE, Content, content_of, contents
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.reuse import caption_key
from retrieval.types import NAMED, Corpus, Figure, Progress, Skip, Split

POSITIONS = "positions.npy"


@dataclass(frozen=True)
class Delta:
    """The `Corpus` of some figures of another: those at the positions `chosen` of its `splits`, in their order."""

    corpus: Corpus
    splits: tuple[Split, ...]
    chosen: NDArray[np.int64]  # counted over all figures of the splits
    columns: Mapping[str, str]
    fingerprint: str

    @property
    def kind(self) -> str:
        return self.corpus.kind

    def split(self, size: int) -> list[Split]:
        """Pieces of at most `size` of the chosen figures."""
        count = len(self.chosen)
        return [Split(n, start, min(start + size, count)) for n, start in enumerate(range(0, count, size))]

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        wanted = self.chosen[split.start : split.stop]
        starts = np.cumsum([0, *(piece.stop - piece.start for piece in self.splits)])
        for number in np.unique(np.searchsorted(starts, wanted, side="right") - 1).tolist():
            first, stop = np.searchsorted(wanted, starts[number : number + 2])
            left = (wanted[first:stop] - starts[number]).tolist()[::-1]
            for position, figure in enumerate(self.corpus.read(self.splits[number])):
                if position == left[-1]:
                    yield figure
                    left.pop()
                    if not left:
                        break

    def write_positions(self, step: Path) -> None:
        """Where in the source its figures lie, beside the plan of a step; so that they can be found there again."""
        with replacing(step / POSITIONS) as temporary, open(temporary, "wb") as file:
            np.save(file, self.chosen)


def source_again(plan: Plan, folder: Path, corpus: Corpus) -> Corpus:
    """What a plan in `folder` was made for, of the source that is `corpus`: all of it, or a step's part."""
    keep_types(corpus, plan.columns)
    if not (folder / POSITIONS).exists():
        return corpus
    chosen: NDArray[np.int64] = np.load(folder / POSITIONS)
    return Delta(corpus, tuple(corpus.split(plan.shard_size)), chosen, corpus.columns, plan.corpus_fingerprint)


@dataclass(frozen=True)
class SourceComparison:
    """A source beside an index: of its `figures` those `unchanged`, those that `differ` from the index's of that id
    (and the `others` of them, which have neither its image nor its captions),
    those the source has to skip; and the figures of the index that the source does not have, or has to skip."""

    delta: Delta
    figures: int
    unchanged: int
    differ: frozenset[str]
    others: tuple[str, ...]
    lacks: frozenset[str]
    skips: Counter[str]
    first_skips: tuple[Skip, ...]
    images: frozenset[str] = field(repr=False)  # sha256 of the delta's
    captions: frozenset[bytes] = field(repr=False)  # their keys

    @property
    def readable(self) -> int:
        """How many figures of the delta are there to be encoded."""
        return len(self.delta.chosen) - self.skips.total()


def compared(shards: Shards, corpus: Corpus, *, with_images: bool, progress: Progress) -> SourceComparison:
    """Read every figure of `corpus` and compare it with that of the same id in `shards`.

    Holds ids and digests, no figures. `with_images`: whether images count, as for an encoder that reads them.
    Raises CorpusError where two figures have one id.
    """
    before = contents(shards)
    declared = shards.plan.columns
    keep_types(corpus, declared)
    columns = {name: kind for name, kind in corpus.columns.items() if declared.get(name, kind) == kind}
    splits = tuple(corpus.split(shards.plan.shard_size))
    chosen: list[int] = []
    seen: set[str] = set()
    differ: set[str] = set()
    others: list[str] = []
    images: set[str] = set()
    captions: set[bytes] = set()
    skips: Counter[str] = Counter()
    first_skips: list[Skip] = []
    # of what the figures say, not of where they lie: it decides what the shards of the delta will hold
    digest = hashlib.sha256(sha256_json([shards.digest, sorted(columns.items())]).encode())
    for position, figure in enumerate(_read_all(corpus, splits, progress)):
        name = figure.figure_id.encode(errors="surrogatepass")
        if isinstance(figure, Skip):
            chosen.append(position)
            skips[figure.reason] += 1
            first_skips += [figure] if len(first_skips) < NAMED else []
            digest.update(b"\0".join([name, figure.reason.encode(), b""]))
            continue
        if figure.figure_id in seen:
            raise CorpusError(f"{figure.uri}: a second figure {figure.figure_id!r}; give every figure an id of its own")
        seen.add(figure.figure_id)
        sha256 = hashlib.sha256(figure.image).hexdigest() if with_images and figure.image is not None else None
        content = content_of(figure, columns, sha256)
        known = before.get(figure.figure_id)
        if known == content:
            continue
        if known is not None:
            differ.add(figure.figure_id)
            others += [figure.figure_id] if _is_another(known, content) else []
        chosen.append(position)
        digest.update(b"\0".join([name, content.image, content.captions, content.about]))
        if sha256 is not None:
            images.add(sha256)
        captions |= {caption_key(caption) for caption in captions_of(figure)}
    return SourceComparison(
        delta=Delta(corpus, splits, np.array(chosen, dtype=np.int64), columns, digest.hexdigest()),
        figures=len(seen) + skips.total(),
        unchanged=len(seen) + skips.total() - len(chosen),
        differ=frozenset(differ),
        others=tuple(others),
        lacks=frozenset(before.keys() - seen),
        skips=skips,
        first_skips=tuple(first_skips),
        images=frozenset(images),
        captions=frozenset(captions),
    )


def _is_another(before: Content, after: Content) -> bool:
    """Nothing that a person sees of the one figure is that of the other."""
    image = before.image != after.image or before.image == NO_IMAGE
    return image and (before.captions != after.captions or not before.captions)


def _read_all(corpus: Corpus, splits: Sequence[Split], progress: Progress) -> Iterator[Figure | Skip]:
    progress.start(sum(split.stop - split.start for split in splits), 0)
    try:
        for split in splits:
            for figure in corpus.read(split):
                progress.advance(1)
                yield figure
    finally:
        progress.finish()
