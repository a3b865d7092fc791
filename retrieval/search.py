"""Questions to an index: words, an image or one of its own figures; answers are figures or captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from retrieval.built import Built
from retrieval.captions import encode_captions
from retrieval.encoders import open_encoder
from retrieval.errors import EncoderError, QueryError
from retrieval.images import UnreadableImage, decode
from retrieval.indexes.cosine import unit
from retrieval.shards import OTHER, Kind
from retrieval.sheet import hits_html, hits_text
from retrieval.types import Encoder, Hit, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

Target = Literal["images", "captions"]
KIND_OF: dict[str, Kind] = {"images": "image", "captions": "text"}
QUERIES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Query:
    """One question: exactly one of a text, an image (path or file bytes), a figure's id, or a vector (dim,)."""

    text: str | None = None
    image: str | Path | bytes | None = None
    figure: str | None = None
    vector: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("text", "image", "figure", "vector") if getattr(self, name) is not None]
        if len(given) != 1:
            raise QueryError(f"a query is one of text, image, figure or vector, not {' and '.join(given) or 'nothing'}")
        if self.text is not None and not self.text.strip():
            raise QueryError("the query text is empty; write what the figure should show")

    @property
    def default_target(self) -> Target:
        """Words ask for figures, an image asks for captions, a figure for figures like it."""
        return "captions" if self.image is not None else "images"


class Answer(Sequence[Hit]):
    """The hits of one query, best first; prints as a table, and as pictures in a notebook.

    `query_cut` says that the query was longer than the encoder reads, and that its end was not asked.
    """

    def __init__(self, hits: Sequence[Hit], query_cut: bool = False) -> None:
        self._hits = tuple(hits)
        self.query_cut = query_cut

    @overload
    def __getitem__(self, item: int) -> Hit: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, item: int | slice) -> Hit | tuple[Hit, ...]:
        return self._hits[item]

    def __len__(self) -> int:
        return len(self._hits)

    def __repr__(self) -> str:
        return hits_text(self._hits, 120)

    def _repr_html_(self) -> str:
        return hits_html(self._hits)


class Searcher:
    """An index that can be asked. The encoder is opened at the first query that needs one."""

    def __init__(self, folder: str | Path, encoder: str | Encoder | None = None, *, device: str | None = None) -> None:
        """Raises ShardError or StaleIndexError where `folder` is no index that is up to date.

        `encoder` says where the index's own encoder is found, where its name no longer tells.
        """
        self.built = Built(folder)
        self._asked_encoder = encoder
        self._device = device

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder that the index names; another one is refused with EncoderError.

        Where vectors were imported from an encoder that could not be opened there, its dimension alone is compared.
        """
        plan = self.built.plan
        asked = self._asked_encoder or plan.encoder
        # one query gains nothing from half precision, and choosing it would cost more than the query
        encoder = open_encoder(
            asked, resize=plan.resize, device=self._device, precision="fp32", preprocessing=plan.preprocessing
        )
        if encoder.dim != plan.dim or plan.encoder_fingerprint not in ("", encoder.fingerprint):
            raise EncoderError(
                f"{self.built.folder}: built with encoder {plan.encoder} ({plan.encoder_fingerprint[:8] or plan.dim}), "
                f"which {encoder.name} ({encoder.fingerprint[:8]}) is not; ask with the same encoder, or index again"
            )
        return encoder

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | bytes | None = None,
        figure: str | None = None,
        vector: NDArray[np.float32] | None = None,
        target: Target | None = None,
        k: int = 10,
        where: Sequence[str] = (),
    ) -> Answer:
        """The k best hits for one query. `target` is images or captions; see `Query.default_target`.

        `where` clauses restrict the answers, exactly. A figure asking for images does not find itself.
        Raises QueryError for an impossible question, FilterError for a clause that is not understood.
        """
        query = Query(text, image, figure, vector)
        return next(self.search_many([query], target=target, k=k, where=where))

    def search_many(
        self, queries: Sequence[Query], *, target: Target | None = None, k: int = 10, where: Sequence[str] = ()
    ) -> Iterator[Answer]:
        """The answers to many queries, in order, encoded and searched in batches. Arguments as in `search`."""
        if k < 1:
            raise QueryError(f"k is {k}; ask for at least 1")
        if target is not None and target not in KIND_OF:
            raise QueryError(f"{target}: no such target; ask for images or captions")
        clauses = (where,) if isinstance(where, str) else tuple(where)
        kinds = sorted({self._kind(query, target) for query in queries})
        keep = {kind: self.built.matching(kind, clauses) for kind in kinds}
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[start : start + QUERIES_AT_ONCE]
            answers: list[Answer | None] = [None] * len(some)
            for kind, kept in keep.items():
                mine = [i for i, query in enumerate(some) if self._kind(query, target) == kind]
                if mine:
                    found = self._search(kind, [some[i] for i in mine], k, kept)
                    for i, answer in zip(mine, found, strict=True):
                        answers[i] = answer
            yield from (answer for answer in answers if answer is not None)

    def _kind(self, query: Query, target: Target | None) -> Kind:
        kind = KIND_OF[target or query.default_target]
        if target is None and not self.built.count(kind):
            kind = OTHER[kind]  # a collection of captions only answers with captions
        if not self.built.count(kind):
            raise QueryError(f"{self.built.folder}: holds no {target or query.default_target}; ask for the other kind")
        return kind

    def _search(self, kind: Kind, queries: Sequence[Query], k: int, keep: NDArray[np.int64] | None) -> list[Answer]:
        places = self._places([query.figure for query in queries if query.figure is not None])
        of_query = [None if query.figure is None else places[query.figure] for query in queries]
        own = [place[1] if place is not None and place[0] == kind == "image" else None for place in of_query]
        extra = int(any(row is not None for row in own))  # room to leave the asking figure out
        enough = min(k + extra, self.built.count(kind))  # all there are, however many were asked for
        vectors, cut = self._vectors(queries, places)
        hits = self.built.index(kind).search(vectors, enough, keep)
        rows: list[list[int]] = []
        scores: list[list[float]] = []
        for i, self_row in enumerate(own):
            wanted = [j for j, row in enumerate(hits.rows[i].tolist()) if row >= 0 and row != self_row][:k]
            rows.append(hits.rows[i, wanted].tolist())
            scores.append(hits.scores[i, wanted].tolist())
        return self._look_up(kind, rows, scores, cut)

    def _places(self, figures: Sequence[str]) -> dict[str, tuple[Kind, int]]:
        places = self.built.find(figures)
        for figure in figures:
            if figure not in places:
                raise QueryError(f"{figure}: no such figure in {self.built.folder}; ask for one of its figure ids")
        return places

    def _vectors(
        self, queries: Sequence[Query], places: Mapping[str, tuple[Kind, int]]
    ) -> tuple[Vectors, NDArray[np.bool_]]:
        """The queries (n, dim), and which of them (n,) are texts that were cut short."""
        cut = np.zeros(len(queries), dtype=bool)
        vectors = np.zeros((len(queries), self.built.plan.dim), dtype=np.float32)
        texts = [i for i, query in enumerate(queries) if query.text is not None]
        if texts:
            in_windows = self.built.plan.long_captions == "chunk"
            words = [queries[i].text or "" for i in texts]
            read = encode_captions(self.encoder, words, in_windows=in_windows, batch_size=QUERIES_AT_ONCE)
            vectors[texts], cut[texts] = read.vectors, read.truncated
        if any(query.image is not None for query in queries) and not self.encoder.reads_images:
            raise QueryError(f"{self.encoder.name}: reads captions only; ask with words, or with a figure of the index")
        images = {i: _open_image(query.image) for i, query in enumerate(queries) if query.image is not None}
        if images:
            pixels = [self.encoder.prepare(image) for image in images.values()]
            vectors[list(images)] = self.encoder.encode_images(np.stack(pixels))
        for i, query in enumerate(queries):
            if query.figure is not None:
                kind, row = places[query.figure]
                vectors[i] = unit(np.asarray(self.built.vectors(kind)[row : row + 1]))[0]
            elif query.vector is not None:
                vector = np.asarray(query.vector, dtype=np.float32)
                if vector.shape != (self.built.plan.dim,):
                    raise QueryError(f"the query vector is {vector.shape}, the index wants ({self.built.plan.dim},)")
                if not np.isfinite(vector).all():
                    raise QueryError("the query vector holds a value that is not finite; compute it again")
                vectors[i] = unit(vector[None])[0]
        return vectors, cut

    def _look_up(
        self, kind: Kind, rows: list[list[int]], scores: list[list[float]], cut: NDArray[np.bool_]
    ) -> list[Answer]:
        """Hits with everything that is known of their figures, read once for all queries."""
        unique = sorted({row for some in rows for row in some})
        found = dict(zip(unique, self.built.describe(kind, unique), strict=True))
        return [
            Answer(
                [
                    Hit(score=score, rank=rank, kind="image" if kind == "image" else "caption", **found[row])
                    for rank, (row, score) in enumerate(zip(some, its_scores, strict=True), start=1)
                ],
                query_cut=query_cut,
            )
            for some, its_scores, query_cut in zip(rows, scores, cut.tolist(), strict=True)
        ]


def _open_image(source: str | Path | bytes) -> Image:
    name = "the query image" if isinstance(source, bytes) else str(source)
    try:
        return decode(source if isinstance(source, bytes) else Path(source).read_bytes())
    except OSError as error:
        raise QueryError(f"{name}: cannot be read ({error.strerror}); give an image file") from error
    except UnreadableImage as error:
        raise QueryError(f"{name}: {error.reason}; give a JPEG, PNG, TIFF, GIF, BMP or WebP file") from error
