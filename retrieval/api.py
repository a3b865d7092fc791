"""The public face: an `Index` to search, measure and change, and the functions that make and open one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from retrieval.errors import QueryError, RetrievalError
from retrieval.keywords import each_of
from retrieval.types import MODALITIES, Figure, Modality, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrieval.evaluation.evaluate_options import EvaluateKeywords
    from retrieval.evaluation.report import Report
    from retrieval.export.export_figures import Exported
    from retrieval.images.pictures import Picture
    from retrieval.indexer.add import Added
    from retrieval.indexer.encode_options import AddKeywords, EncodeKeywords
    from retrieval.indexer.remove import Removed
    from retrieval.indexer.resume import Summary
    from retrieval.search.query import Answer, Query
    from retrieval.search.search_options import SearchKeywords
    from retrieval.search.searcher import Searcher
    from retrieval.shards.filters import Where
    from retrieval.types import Encoder

__all__ = ["Index", "build", "encode", "index", "open"]


def index(
    source: Any,
    folder: str | Path,
    *,
    encoder: str | Encoder = "biomedclip",
    factory: str | None = None,
    target_recall: float | None = None,
    memory: int | None = None,
    progress: bool | Progress = True,
    **options: Unpack[EncodeKeywords],
) -> Index:
    """Build an index from a collection of figures: `encode`, then `build`, then `open`.

    Killed at any point, the same call continues where it was.

    Args:
        source: a folder, table, archive or published corpus (docs/corpora.md), or rows: dicts, an Arrow table, a frame.
        folder: where the index is written.
        encoder: a name (docs/encoders.md) or an object with an encoder's members.
        factory, target_recall, memory: as for `build`.
        progress: show a bar (True), nothing (False), or report to a Progress.
        options: as for `encode`.

    Raises:
        CorpusError, EncoderError, PlanMismatchError, TooManySkipsError, IndexLockedError.
    """
    encode(source, folder, encoder=encoder, progress=progress, **options)
    build(folder, factory=factory, target_recall=target_recall, memory=memory, progress=progress)
    return open(folder, encoder=encoder)


def encode(
    source: Any,
    folder: str | Path,
    *,
    encoder: str | Encoder = "biomedclip",
    progress: bool | Progress = True,
    **options: Unpack[EncodeKeywords],
) -> Summary:
    """Encode figures and captions into the Parquet shards of an index; the first half of `index`."""
    from retrieval.indexer.encode import encode

    return encode(source, folder, encoder, progress=_progress(progress), **options)


def build(
    folder: str | Path,
    *,
    factory: str | None = None,
    target_recall: float | None = None,
    memory: int | None = None,
    progress: bool | Progress = True,
) -> dict[str, Any]:
    """Build the FAISS indexes over the shards of an index; the second half of `index`.

    Args:
        folder: an index that was encoded.
        factory: a FAISS factory string; None chooses by the number of vectors and `memory`.
        target_recall: the share of the exact neighbours that an approximate index must find; 0.95 by default.
        memory: bytes that the index may take; half of the machine's by default.

    Returns:
        The facts written to index.json: rows, factory, search parameters and measured recall per modality.
    """
    from retrieval.indexes.build import build

    asked = {"factory": factory, "target_recall": target_recall, "memory": memory}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    return build(folder, progress=_progress(progress, "vectors"), **given)


def open(folder: str | Path, *, encoder: str | Encoder | None = None, device: str | None = None) -> Index:
    """Open an index to search it.

    Args:
        folder: a built index.
        encoder: where the index's encoder is found, if its name no longer tells; or the encoder itself.
        device: the torch device for queries; a GPU where there is one.

    Raises:
        ShardError, StaleIndexError: the folder is no index, or it is not up to date.
    """
    return Index(folder, encoder=encoder, device=device)


class Index:
    """A built index on disk: search it, measure it, change it. Thread-safe for searching.

    `len(index)` is the number of figures. Use it as a context manager, or call `close`, to free its files at once.
    """

    def __init__(self, folder: str | Path, *, encoder: str | Encoder | None = None, device: str | None = None) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise QueryError(f"an index is opened by its folder, not by a {type(folder).__name__}")
        self.path = Path(folder)
        self._encoder_given, self._device = encoder, device
        self._lock = RLock()
        self._searcher: Searcher | None = None
        self._closed = False
        self._open()

    def _open(self) -> Searcher:
        """The open searcher, opened anew after a change."""
        from retrieval.search.searcher import Searcher

        with self._lock:
            if self._searcher is None:
                self._searcher = Searcher(self.path, self._encoder_given, device=self._device)
                self._closed = False
            return self._searcher

    # -- looking at it

    def __len__(self) -> int:
        """The number of figures."""
        import numpy as np

        opened = self._open().built
        numbers = [np.asarray(opened.figures(modality)) for modality in MODALITIES if opened.count(modality)]
        return len(np.unique(np.concatenate(numbers))) if numbers else 0

    def __bool__(self) -> bool:
        return True

    @property
    def images(self) -> int:
        """The number of images."""
        return self._open().built.count("image")

    @property
    def captions(self) -> int:
        """The number of captions."""
        return self._open().built.count("text")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that a where clause can name, with their types."""
        return dict(self._open().built.columns)

    @property
    def encoder(self) -> Encoder:
        """The index's own encoder, loaded at first use. Raises EncoderError where it cannot be found."""
        return self._open().encoder

    @property
    def encoder_name(self) -> str:
        """The name of the encoder that made the index; known without loading it."""
        return self._open().built.plan.encoder

    def figure(self, figure_id: str) -> Figure:
        """One figure by its id: captions, metadata, and as `image` the small picture that the index keeps, or None.

        Raises:
            QueryError: the index has no such figure.
        """
        opened = self._open().built
        found = opened.find([figure_id]).get(figure_id) if isinstance(figure_id, str) else None
        if found is None:
            raise QueryError(f"{figure_id}: no such figure in {self.path}; search for it, or list index.ids()")
        modality, row = found
        about = opened.describe(modality, [row])[0]
        return Figure(
            figure_id=about["figure_id"],
            image=about["thumbnail"],
            captions=tuple(about["captions"]),
            uri=about["source_uri"] or "",
            article_id=about["article_id"],
            metadata=about["metadata"],
            extra={"width": about["width"], "height": about["height"]},
        )

    def vectors(self, modality: Modality = "image") -> NDArray[np.float16]:
        """The stored vectors (rows, dim), float16, mapped from disk: row i belongs to `ids(modality)[i]`."""
        return self._open().built.vectors(_modality(modality))

    def ids(self, modality: Modality = "image") -> list[str]:
        """The figure id of every row of `vectors(modality)`."""
        from retrieval.shards.tables import TABLE_OF

        shards = self._open().built.shards
        found: list[str] = shards.columns(TABLE_OF[_modality(modality)], ["figure_id"])["figure_id"].to_pylist()
        return found

    def skips(self) -> list[dict[str, Any]]:
        """Every file, figure, image and caption that was left out: `part`, `figure_id`, `uri`, `reason`."""
        from retrieval.shards.account import left_out

        return list(left_out(self.path))

    def __repr__(self) -> str:
        if self._closed:
            return f"Index {self.path}: closed"
        try:
            self._open()
        except RetrievalError as error:  # such as built from other shards, before build() is called
            return f"Index {error}"
        return (
            f"Index {self.path}: {len(self):,} figures, {self.images:,} images, {self.captions:,} captions; "
            f"encoder {self.encoder_name}"
        )

    def _repr_html_(self) -> str:
        from retrieval.render.html import render

        told = repr(self)
        columns = {} if self._searcher is None else self.columns
        return render("render/table.html", caption=told, columns=("column", "type"), rows=columns.items())

    # -- asking it

    def search(
        self,
        text: str | Query | None = None,
        *,
        image: Picture | None = None,
        figure: str | None = None,
        vector: NDArray[np.float32] | None = None,
        combine: str | None = None,
        **options: Unpack[SearchKeywords],
    ) -> Answer:
        """Search with one query; the best hits come first.

        Args:
            text: words that say what to find; or a Query.
            image: find captions for a picture: a path, the bytes of a file, a PIL image or an array.
            figure: find what is like a figure of the index, by its id.
            vector: find what is near a vector (dim,) of the index's encoder.
            combine: a sum such as `2 * "axial CT" + scan.png - "MRI"`.
            options: k=10, target="image" or "text", where="year >= 2018" (or several clauses), mode="dense", "lexical"
                or "hybrid", per_article, per_figure, unique, min_percentile, panels.

        Returns:
            An Answer: a sequence of Hit, a table when printed, pictures in a notebook.

        Raises:
            QueryError, FilterError: the query or a clause is not understood.
        """
        return self._open().search(text, image=image, figure=figure, vector=vector, combine=combine, **options)

    def search_many(
        self, queries: Query | Picture | Iterable[Query | Picture], **options: Unpack[SearchKeywords]
    ) -> Iterator[Answer]:
        """The answers to many queries, in order, encoded and searched in batches; options as of `search`.

        A query is a str (words), a Query, or a picture: a path, bytes, a PIL image or an array.
        """
        return self._open().search_many(queries, **options)

    def evaluate(self, **options: Unpack[EvaluateKeywords]) -> Report:
        """Measure recall@k, text to image and image to text, exactly, with intervals.

        Args:
            options: queries="split=heldout", "sample:1000", ids of figures or a .txt file of them, or another corpus
                (everything by default); relevant_by="figure_id"; ks=(1, 5, 10); resamples=1000; seed=0.

        Returns:
            A Report, which prints as a table; `report.recall(10).value` is one number of it.

        Raises:
            QueryError, FilterError: nothing can be asked, or a clause is not understood.
        """
        from retrieval.evaluation.evaluate import evaluate

        if self._encoder_given is not None:
            options.setdefault("encoder", self._encoder_given)
        return evaluate(self._open().built, **options)

    # -- changing it

    def add(
        self,
        source: Any,
        *,
        sync: bool = False,
        newer: bool = False,
        build: bool = True,
        progress: bool | Progress = True,
        **options: Unpack[AddKeywords],
    ) -> Added:
        """Add new figures and newer versions of those there are, then build; nothing is encoded twice.

        `sync=True` also removes what `source` no longer has. Figures of another source whose ids are those of other
        figures are refused: `id_prefix` tells them apart, `newer=True` says that they are newer versions. With
        `build=False` call `build()` before searching again.
        """
        from retrieval.indexer.add import add

        self._free()
        given = self._encoder_given
        added = add(self.path, source, given, sync=sync, newer=newer, progress=_progress(progress), **options)
        if build:
            self._build_if_stale(progress)
        return added

    def remove(
        self,
        ids: str | Sequence[str] = (),
        *,
        articles: str | Sequence[str] = (),
        where: Where = (),
        reason: str | None = None,
        build: bool = True,
        progress: bool | Progress = True,
    ) -> Removed:
        """Remove figures by id, by article or by what a clause describes, in one step, then build."""
        from retrieval.indexer.remove import remove

        self._free()
        removed = remove(self.path, _many(ids), articles=_many(articles), where=where, reason=reason)
        if build:
            self._build_if_stale(progress)
        return removed

    def build(self, *, progress: bool | Progress = True) -> None:
        """Bring the FAISS indexes up to date with the shards, with the settings of the last build."""
        from retrieval.indexes.build import rebuild

        self._free()
        rebuild(self.path, progress=_progress(progress, "vectors"))

    def _build_if_stale(self, progress: bool | Progress) -> None:
        """Build what this change made stale, or an earlier one that was stopped before its build."""
        from retrieval.indexes.build import is_stale

        if is_stale(self.path):
            self.build(progress=progress)

    # -- taking things out, and checking

    def export(self, out: str | Path, *, where: Where = (), **options: Any) -> Exported:
        """Write figures with captions, metadata and attribution to a table, a tar or a folder, by the name of `out`."""
        from retrieval.export.export_figures import export

        return export(self._open().built, out, where=where, **options)

    def verify(self) -> None:
        """Read every byte and check every digest and count. Raises ShardError or StaleIndexError at a difference."""
        from retrieval.indexes.verify import verify

        verify(self.path)

    def close(self) -> None:
        """Free the files and memory maps; the next search opens them again."""
        self._free()
        self._closed = True

    def _free(self) -> None:
        """Let go of the files, as before a change, which replaces them."""
        with self._lock:
            opened, self._searcher = self._searcher, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _many(values: str | Sequence[str]) -> Sequence[str]:
    """A single string as a sequence of one: a str is a Sequence[str] of its letters, which nobody means."""
    return list(each_of(values, str, "an id"))


def _modality(value: str) -> Modality:
    for modality in MODALITIES:
        if value in (modality, f"{modality}s"):
            return modality
    raise QueryError(f"{value}: no such modality; ask for image or text")


def _progress(wanted: bool | Progress, unit: str = "figures") -> Progress | None:
    if not isinstance(wanted, bool):
        return wanted
    from retrieval.indexer.progress import watcher

    return watcher(unit) if wanted else None
