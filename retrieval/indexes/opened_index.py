"""A built index, opened read-only: its shards, memory-mapped vectors, figure numbers and FAISS indexes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import StaleIndexError
from retrieval.files import read_json
from retrieval.once import Once
from retrieval.shards.conditions import fulfilling_figures, rows_of_modality
from retrieval.shards.filters import Where, nearest_values, read_where, where_columns
from retrieval.shards.plan import FORMAT, WHERE_FROM
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF, parse_extra
from retrieval.types import Modality

if TYPE_CHECKING:
    from retrieval.indexes.faiss_index import FaissIndex

KEPT_BYTES = 1 << 29  # of columns that questions named: figure ids of 15 million rows and a few numbers


class OpenedIndex:
    """What `build` left in a folder. Raises ShardError or StaleIndexError where it is incomplete or out of date.

    Without `thumbnails` it describes figures without theirs, which are most of what is read.
    """

    def __init__(self, folder: str | Path, *, thumbnails: bool = True) -> None:
        self.folder = Path(folder)
        self._pictures = ["thumbnail"] if thumbnails else []
        self.shards = Shards(self.folder)
        self.plan = self.shards.plan
        try:
            self.facts: dict[str, Any] = read_json(self.folder / "index.json")
        except FileNotFoundError as error:
            raise StaleIndexError(f"{folder}: encoded but not built; run: retrieval build {folder}") from error
        except ValueError as error:
            raise StaleIndexError(f"{folder}: index.json is damaged; run: retrieval build {folder}") from error
        if not isinstance(self.facts, dict) or not self.facts.keys() >= {"format", "digest", *TABLE_OF}:
            raise StaleIndexError(f"{folder}: index.json is damaged; run: retrieval build {folder}")
        if self.facts["format"] > FORMAT:
            raise StaleIndexError(f"{folder}: built by a newer version of retrieval; upgrade, or run retrieval build")
        if self.facts["digest"] != self.shards.digest:
            raise StaleIndexError(
                f"{folder}: built from other shards than are there now; run: retrieval build {folder}"
            )
        self._indexes: Once[Modality, FaissIndex] = Once()
        self._vectors: Once[Modality, NDArray[np.float16]] = Once()
        self._figures: Once[Modality, NDArray[np.int32]] = Once()
        self._by_figure: Once[Modality, tuple[NDArray[np.int32], NDArray[np.int64]]] = Once()
        self._kept: OrderedDict[tuple[Modality, str], pa.ChunkedArray] = OrderedDict()
        self._keeping = Lock()

    def count(self, modality: Modality) -> int:
        return self.shards.count(TABLE_OF[modality])

    def close(self) -> None:
        """Free the memory maps, indexes and files; the next use opens them again."""
        for resource in (self._indexes, self._vectors, self._figures, self._by_figure):
            resource.clear()
        with self._keeping:
            self._kept.clear()
        self.shards.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def index(self, modality: Modality) -> FaissIndex:
        """The FAISS index of a modality."""
        return self._indexes.get(modality, self._open_index)

    def vectors(self, modality: Modality) -> NDArray[np.float16]:
        """The stored vectors (rows, dim) float16, memory-mapped."""
        return self._vectors.get(modality, self._open_vectors)

    def figures(self, modality: Modality) -> NDArray[np.int32]:
        """The figure number of each row: the same number in both tables means the same figure."""
        return self._figures.get(modality, self._open_figures)

    def _open_index(self, modality: Modality) -> FaissIndex:
        from retrieval.indexes.faiss_index import open_index  # faiss is loaded where it searches

        return open_index(self.folder / f"{modality}.faiss", self.vectors(modality), self.facts[modality]["parameters"])

    def _open_vectors(self, modality: Modality) -> NDArray[np.float16]:
        return _mapped(self.folder / f"{modality}.npy", (self.count(modality), self.plan.dim))

    def _open_figures(self, modality: Modality) -> NDArray[np.int32]:
        return _mapped(self.folder / f"{modality}.figures.npy", (self.count(modality),))

    def rows_of(self, modality: Modality, figures: NDArray[np.int32]) -> dict[int, list[int]]:
        """The rows of each of some figure numbers, in row order."""
        numbers, rows = self._by_figure.get(modality, self._sorted_by_figure)
        starts = np.searchsorted(numbers, figures, side="left").tolist()
        stops = np.searchsorted(numbers, figures, side="right").tolist()
        return {
            figure: rows[start:stop].tolist()
            for figure, start, stop in zip(figures.tolist(), starts, stops, strict=True)
        }

    def _sorted_by_figure(self, modality: Modality) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The figure numbers in order, and the row of each: looking a figure up must not read all of them."""
        numbers = np.asarray(self.figures(modality))
        rows = np.argsort(numbers, kind="stable")
        return numbers[rows], rows

    def find(self, figure_ids: Sequence[str]) -> dict[str, tuple[Modality, int]]:
        """Where the vectors of some figures are: at their image's row, or their first caption's if they have none."""
        found: dict[str, tuple[Modality, int]] = {}
        for modality in TABLE_OF:
            wanted = {figure.encode(errors="replace").decode() for figure in figure_ids} - found.keys()
            if wanted:
                ids = self._column(modality, "figure_id")
                rows = np.flatnonzero(pc.is_in(ids, pa.array(sorted(wanted), pa.string())).to_numpy())
                for figure, row in zip(ids.take(rows).to_pylist(), rows.tolist(), strict=True):
                    found.setdefault(figure, (modality, row))
        return found

    def describe(self, modality: Modality, rows: list[int], *, thumbnails: bool = True) -> list[dict[str, Any]]:
        """What is known of the figures behind some rows, as the fields of a Hit (all but score, rank and modality).

        `thumbnails` False leaves theirs out, as an index that was opened without does.
        """
        pictures = self._pictures if thumbnails else []
        figures = np.asarray(self.figures(modality)[rows])
        declared = list(self.plan.columns)
        about = [*WHERE_FROM, *declared, "extra"]
        captions, captions_of = self._of_figures("text", figures, ["caption"])
        images, images_of = self._of_figures("image", figures, [*about, "width", "height", *pictures])
        texts = dict(zip(rows, self.shards.take("texts", rows, about), strict=True)) if modality == "text" else {}
        described = []
        for row, figure in zip(rows, figures.tolist(), strict=True):
            values = next((images[image] for image in images_of[figure]), None) or texts[row]
            its_captions = tuple(captions[text]["caption"] for text in captions_of[figure])
            described.append(
                {name: values[name] for name in WHERE_FROM}
                | {"source_uri": values["source_uri"] or ""}  # vectors may be of figures whose place is not known
                | {name: values.get(name) for name in ("width", "height", "thumbnail")}
                | {
                    "caption": captions[row]["caption"] if modality == "text" else next(iter(its_captions), ""),
                    "captions": its_captions,
                    "metadata": {name: values[name] for name in declared} | parse_extra(values["extra"]),
                }
            )
        return described

    def _of_figures(
        self, modality: Modality, figures: NDArray[np.int32], names: list[str]
    ) -> tuple[dict[int, dict[str, Any]], dict[int, list[int]]]:
        """The rows of some figures, by row number, and the row numbers of each figure."""
        rows_of = self.rows_of(modality, figures)
        rows = sorted(row for its_rows in rows_of.values() for row in its_rows)
        return dict(zip(rows, self.shards.take(TABLE_OF[modality], rows, names), strict=True)), rows_of

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns that a where clause can name, with their types."""
        return where_columns(self.plan)

    def matching(self, modality: Modality, where: Where) -> NDArray[np.int64] | None:
        """The rows that fulfil every condition, in order; None where there is none. Raises FilterError.

        An image fulfils a clause about captions where any caption of its figure does, and the reverse.
        """
        conditions = read_where(where, self.columns)
        if not conditions:
            return None
        return rows_of_modality(modality, conditions, self._all_figures, self._columns_of)

    def matching_figures(self, where: Where) -> NDArray[np.int64]:
        """The numbers of the figures that fulfil every condition, by their image or any caption. Raises FilterError."""
        return fulfilling_figures(read_where(where, self.columns), self._all_figures, self._columns_of)

    def nearest_values(self, where: Where) -> str:
        """For conditions that nothing fulfils: the values asked for that are not there, and those nearest to them."""
        usual: Modality = "image" if self.count("image") else "text"
        return nearest_values(read_where(where, self.columns), usual, self._columns_of)

    @property
    def _all_figures(self) -> dict[Modality, NDArray[np.int32]]:
        return {modality: self.figures(modality) for modality in TABLE_OF}

    def _columns_of(self, modality: Modality, names: Sequence[str]) -> pa.Table:
        return pa.table({name: self._column(modality, name) for name in names})

    def _column(self, modality: Modality, name: str) -> pa.ChunkedArray:
        """A whole column, kept for the next question where there is room: reading it costs more than filtering."""
        key = (modality, name)
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        column = self.shards.columns(TABLE_OF[modality], [name])[name]
        with self._keeping:
            self._kept[key] = column
            while sum(kept.nbytes for kept in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return column


@contextmanager
def borrowed(index: str | Path | OpenedIndex) -> Iterator[OpenedIndex]:
    """An index that is open already, and stays open; or the one in a folder, closed behind its use."""
    if isinstance(index, OpenedIndex):
        yield index
        return
    with OpenedIndex(index) as opened:
        yield opened


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if 0 not in shape else None)
    except (OSError, ValueError, EOFError) as error:
        raise StaleIndexError(f"{path}: missing or damaged; run retrieval build again") from error
    if array.shape != shape:
        raise StaleIndexError(f"{path}: holds {array.shape}, the shards {shape}; run retrieval build again")
    return array
