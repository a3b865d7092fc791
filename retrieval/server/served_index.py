"""An index as it is served: its Searcher, and which files it was opened from."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, local
from typing import Any

import numpy as np
import pyarrow.compute as pc

from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.query import Query
from retrieval.search.rank import FUSION
from retrieval.search.search_options import MODES, Mode
from retrieval.search.searcher import Searcher
from retrieval.server.facets import Facets
from retrieval.shards.plan import Plan
from retrieval.shards.tables import TABLE_OF, VECTORS
from retrieval.types import MODALITIES, Encoder, Hit, Modality

Signature = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and time of the files that say how an index answers: when they change it was built, or tuned, anew."""
PLACES = 1 << 16  # figures whose row is remembered, some 10 MB: a page asks for the thumbnails of what it was just told


class ServedOpenedIndex(OpenedIndex):
    """Leaves thumbnails for later, and remembers where figures are and how long describing them took."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, thumbnails=False)
        self._spent = local()
        self._places: OrderedDict[str, tuple[Modality, int]] = OrderedDict()
        self._placing = Lock()

    @property
    def looked_up(self) -> float:
        """Seconds that the calling thread has spent on looking figures up, in all."""
        return float(getattr(self._spent, "seconds", 0.0))

    def describe(self, modality: Modality, rows: list[int], *, thumbnails: bool = True) -> list[dict[str, Any]]:
        began = time.perf_counter()
        try:
            described = super().describe(modality, rows, thumbnails=thumbnails)
            self._remember(modality, rows, [about["figure_id"] for about in described])
            return described
        finally:
            self._spent.seconds = self.looked_up + time.perf_counter() - began

    def find(self, figure_ids: Sequence[str]) -> dict[str, tuple[Modality, int]]:
        with self._placing:
            known = {figure: self._places[figure] for figure in figure_ids if figure in self._places}
        others = [figure for figure in figure_ids if figure not in known]
        return known | (super().find(others) if others else {})

    def thumbnail(self, row: int) -> bytes | None:
        """The thumbnail of an image's row."""
        found: bytes | None = self.shards.take("images", [row], ["thumbnail"])[0]["thumbnail"]
        return found

    def _remember(self, kind: Modality, rows: list[int], ids: list[str]) -> None:
        numbers = np.asarray(self.figures(kind)[rows])
        images = self.rows_of("image", numbers)
        with self._placing:
            for figure, number in zip(ids, numbers.tolist(), strict=True):
                if images[number]:
                    self._places[figure] = ("image", images[number][0])
                    self._places.move_to_end(figure)
            while len(self._places) > PLACES:
                self._places.popitem(last=False)


class OpenIndex:
    """One state of an index: whoever holds it gets the answers of one digest."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        encoder: str | Encoder | None = None,
        device: str | None = None,
        originals: bool = False,
    ) -> None:
        """Raises ShardError or StaleIndexError where the folder is no index that is up to date.

        A folder that is a link is followed once: turned to another index later, it leaves this state its own files.
        """
        self.name, self.originals = name, originals
        self.signature = signature(folder)
        self.built = ServedOpenedIndex(folder.resolve())
        self.searcher = Searcher(self.built, encoder, device=device)
        self.facets = Facets(self.built)
        self.digest = str(self.built.facts["digest"])
        self.about = self._about()
        """What the list of indexes says of it."""

    @property
    def plan(self) -> Plan:
        return self.built.plan

    @property
    def targets(self) -> list[Modality]:
        return [modality for modality in MODALITIES if self.built.count(modality)]

    @property
    def modes(self) -> list[Mode]:
        """Without captions, or built before words were, an index knows vectors only."""
        return list(MODES) if "lexical" in self.built.facts and self.built.count("text") else ["dense"]

    @property
    def has_thumbnails(self) -> bool:
        return self.plan.thumbnail > 0 and self.plan.kind != VECTORS

    def target(self, asked: Modality | None, usual: Modality) -> Modality:
        """What is asked for, else what such a question usually asks for, else what there is."""
        return asked or (usual if usual in self.targets or not self.targets else self.targets[0])

    def figure(self, figure_id: str) -> Hit | None:
        """What is known of a figure, as a hit without score or rank; None where there is no such figure."""
        place = self.built.find([figure_id]).get(figure_id)
        if place is None:
            return None
        kind, row = place
        about = self.built.describe(kind, [row])[0]
        return Hit(score=0.0, rank=0, modality=kind, **about)

    def thumbnail(self, figure_id: str) -> bytes | None:
        place = self.built.find([figure_id]).get(figure_id)
        return self.built.thumbnail(place[1]) if place is not None and place[0] == "image" else None

    def _about(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "figures": self._figures(),
            "images": self.built.count("image"),
            "captions": self.built.count("text"),
            "articles": self._articles(),
            "encoder": self.plan.encoder,
            "dim": self.plan.dim,
            "targets": self.targets,
            "modes": self.modes,
            "columns": self.built.columns,
            "built_at": self._built_at,
            "digest": self.digest,
            "originals": self.originals,
            "panels": (self.built.folder / PANELS / "plan.json").exists(),
        }

    @property
    def details(self) -> dict[str, Any]:
        """`about`, and for each target what index.json says: rows, factory, search parameters, measured recall."""
        told = ("rows", "factory", "parameters", "recall")
        return self.about | {
            "modalities": {kind: {name: self.built.facts[kind].get(name) for name in told} for kind in MODALITIES}
        }

    @property
    def _built_at(self) -> str | None:
        index = self.signature and self.signature[0]
        return datetime.fromtimestamp(index[2] / 1e9, UTC).isoformat(timespec="seconds") if index else None

    def _figures(self) -> int:
        numbers = [np.asarray(self.built.figures(kind)) for kind in TABLE_OF if self.built.count(kind)]
        return len(np.unique(np.concatenate(numbers))) if numbers else 0

    def _articles(self) -> int | None:
        """How many articles the figures are of; None where none names its own."""
        kind: Modality = "image" if self.built.count("image") else "text"
        articles = self.built.shards.columns(TABLE_OF[kind], ["article_id"])["article_id"]
        return int(pc.count_distinct(articles, mode="only_valid").as_py()) or None

    def warm(self) -> None:
        """Open every file that a question may need: the first one does not wait, and none is missed later."""
        vector = np.zeros(self.plan.dim, dtype=np.float32)
        vector[0] = 1.0
        for target in self.targets:
            list(self.searcher.search_many([Query(vector=vector)], target=target, k=1))
            if "lexical" in self.modes:
                list(self.searcher.search_many([Query(text="warm")], target=target, k=1, mode="lexical"))


def signature(folder: Path) -> Signature | None:
    """None while there is no index.json, as during a build."""
    index, fusion = _status(folder / "index.json"), _status(folder / FUSION)
    return (index, fusion) if index else None


def _status(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
