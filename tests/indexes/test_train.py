"""Training and filling: killed anywhere, the same index comes out in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.indexes import train as filling
from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.faiss_index import open_index
from retrieval.indexes.train import build_index
from retrieval.shards.vectors import unit


def vectors(rows: int = 1000) -> np.ndarray:
    return unit(np.random.default_rng(0).standard_normal((rows, 16))).astype(np.float16)


class PowerCut(BaseException):
    """Nothing in the package may catch this."""


class Watching:
    """A Progress that stops the run once so many rows were added, and remembers what it was told."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.started, self.done = stop_after, (0, 0), 0

    def start(self, total: int, done: int) -> None:
        self.started, self.done = (total, done), done

    def advance(self, figures: int) -> None:
        self.done += figures
        if self.stop_after is not None and self.done >= self.stop_after:
            raise PowerCut

    def finish(self) -> None: ...


@pytest.fixture
def by_hundreds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "ADD_ROWS", 100)
    monkeypatch.setattr(filling, "WORTH_TELLING", 0)
    monkeypatch.setattr(filling, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.usefixtures("by_hundreds")
@pytest.mark.parametrize("factory", ["IVF8,Flat", "IVF8,PQ8x4fsr", "OPQ8,IVF8,SQ8"])
def test_a_build_that_was_stopped_goes_on_and_gives_the_same_file(tmp_path: Path, factory: str) -> None:
    stored, checkpoint, path = vectors(), tmp_path / "i.part", tmp_path / "i.faiss"
    whole = build_index(stored, factory, tmp_path / "whole.faiss")
    for stop_after in (100, 400, 1000):
        with pytest.raises(PowerCut):
            build_index(stored, factory, path, checkpoint=checkpoint, progress=Watching(stop_after))
        assert not path.exists()
    watching = Watching()
    build_index(stored, factory, path, checkpoint=checkpoint, progress=watching)
    assert watching.started == (1000, 900)  # the last hundred were added and not yet saved
    assert path.read_bytes() == (tmp_path / "whole.faiss").read_bytes()
    assert not checkpoint.exists()
    assert len(whole) == 1000


@pytest.mark.usefixtures("by_hundreds")
def test_a_graph_begins_again_as_its_random_levels_are_not_kept(tmp_path: Path) -> None:
    stored, checkpoint = vectors(), tmp_path / "i.part"
    build_index(stored, "HNSW8,Flat", tmp_path / "whole.faiss")
    with pytest.raises(PowerCut):
        build_index(stored, "HNSW8,Flat", tmp_path / "i.faiss", checkpoint=checkpoint, progress=Watching(300))
    assert not checkpoint.exists()


@pytest.mark.usefixtures("by_hundreds")
@pytest.mark.parametrize("content", [b"", b"rubbish", "of another dimension", "of more rows"])
def test_a_checkpoint_that_cannot_be_used_costs_time_only(tmp_path: Path, content: bytes | str) -> None:
    checkpoint = tmp_path / "i.part"
    if isinstance(content, bytes):
        checkpoint.write_bytes(content)
    else:
        other = faiss.IndexFlatIP(8 if "dimension" in content else 16)
        other.add(np.zeros((2000, other.d), np.float32))
        faiss.write_index(other, str(checkpoint))
    build_index(vectors(), "IVF8,SQ8", tmp_path / "i.faiss", checkpoint=checkpoint)
    assert len(open_index(tmp_path / "i.faiss", vectors())) == 1000


def test_training_passes_are_told_with_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(filling, "SAY_SECONDS", -1.0)
    caplog.set_level("INFO", "retrieval")
    build_index(vectors(), "IVF8,Flat", tmp_path / "i.faiss")
    assert len(caplog.messages) == filling.PASSES
    assert caplog.messages[0].startswith("  8 lists: pass 1 of 10 over 512 rows, ")


def test_lists_are_as_good_as_those_that_faiss_trains(tmp_path: Path) -> None:
    stored = vectors(4000)
    sample = unit(stored)

    def fit(index: Any) -> float:
        return float(index.quantizer.search(sample, 1)[0].mean())

    theirs = faiss.index_factory(16, "IVF32,Flat", faiss.METRIC_INNER_PRODUCT)
    theirs.train(sample)
    assert fit(build_index(stored, "IVF32,Flat", tmp_path / "i")._index) == pytest.approx(fit(theirs), abs=0.01)


def test_less_memory_trains_on_fewer_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(filling, "SAY_SECONDS", -1.0)
    caplog.set_level("INFO", "retrieval")
    build_index(vectors(), "IVF8,Flat", tmp_path / "i.faiss", memory=4 * 4 * 16 * 100)
    assert "over 100 rows" in caplog.messages[0]
