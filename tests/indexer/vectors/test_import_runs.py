"""An import that was stopped goes on; one that asks for something else, or for the wrong encoder, is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval import files
from retrieval.errors import (
    CorpusError,
    EncoderError,
    IndexLockedError,
    PlanMismatchError,
    ShardError,
    TooManySkipsError,
)
from retrieval.export.export_vectors import export_vectors
from retrieval.indexer.import_vectors import import_vectors
from retrieval.indexes.build import build
from retrieval.search.searcher import Searcher
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import record_path
from tests.indexer.vectors.tables import lists, stored, table
from tests.listed import PlainEncoder


def test_large_tables_are_read_in_pieces_that_end_where_shards_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.indexer.vector_tables.BATCH", 7)
    vectors = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    whole = pa.table({"id": [str(n) for n in range(100)], "image_embedding": lists(vectors)})
    pq.write_table(whole, tmp_path / "t.parquet", row_group_size=32)
    import_vectors(tmp_path / "t.parquet", tmp_path / "i", PlainEncoder(), shard_size=9)
    complete = stored(tmp_path / "i")
    ids = Shards(tmp_path / "i").columns("images", ["figure_id"])["figure_id"].to_pylist()
    assert ids == [str(n) for n in range(100)]
    for missing in ([0], [11], [3, 4, 9], range(12)):
        for number in missing:
            record_path(tmp_path / "i", number).unlink()
        with pytest.raises(ShardError, match="run retrieval vectors import again to continue"):
            Shards(tmp_path / "i")
        again = import_vectors(tmp_path / "t.parquet", tmp_path / "i", PlainEncoder(), shard_size=9)
        assert again.resumed == 12 - len(missing)
        np.testing.assert_array_equal(stored(tmp_path / "i"), complete)


class PowerCut(BaseException):
    """Nothing in the package may catch this."""


@pytest.mark.parametrize("number", range(13))
def test_an_import_stopped_at_any_rename_goes_on_to_the_same_shards(
    exported_from: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    export_vectors(exported_from, tmp_path / "c.parquet", "captions")
    import_vectors(tmp_path / "c.parquet", tmp_path / "whole", shard_size=2)
    renames, replace = iter(range(99)), os.replace

    def stopping(before: Any, after: Any) -> None:
        if next(renames) == number:
            raise PowerCut
        replace(before, after)

    monkeypatch.setattr(files.os, "replace", stopping)
    with pytest.raises(PowerCut):
        import_vectors(tmp_path / "c.parquet", tmp_path / "i", shard_size=2)
    monkeypatch.undo()
    import_vectors(tmp_path / "c.parquet", tmp_path / "i", shard_size=2)
    assert Shards(tmp_path / "i").digest == Shards(tmp_path / "whole").digest
    assert list((tmp_path / "i").rglob("*.tmp")) == []


def test_an_import_begun_with_other_vectors_is_refused(tmp_path: Path) -> None:
    one, other = (table(tmp_path / f"{n}.parquet", id=["a"], image_embedding=lists([(n, 1, 1)])) for n in (1, 2))
    import_vectors(one, tmp_path / "i", PlainEncoder())
    for path, options in ((other, {}), (one, {"shard_size": 7})):
        with pytest.raises(PlanMismatchError, match=r"begun with .*1\.parquet, encoder plain and 16384 rows a shard"):
            import_vectors(path, tmp_path / "i", PlainEncoder(), **options)


class Wider(PlainEncoder):
    dim = 4
    name = "wider"


class Another(PlainEncoder):
    fingerprint = "2" * 64
    name = "another"


def test_vectors_of_another_encoder_than_the_named_one_are_refused(exported_from: Path, tmp_path: Path) -> None:
    export_vectors(exported_from, tmp_path / "i.parquet", "images")
    with pytest.raises(EncoderError, match=r"made by encoder plain \(11111111\), which another \(22222222\) is not"):
        import_vectors(tmp_path / "i.parquet", tmp_path / "i", Another())
    path = table(tmp_path / "t.parquet", id=["a"], image_embedding=lists([(1, 1, 1)]))
    with pytest.raises(
        CorpusError, match="image_embedding holds vectors of 3 numbers, and those of encoder wider have 4"
    ):
        import_vectors(path, tmp_path / "i", Wider())
    with pytest.raises(EncoderError, match="does not say which encoder made its vectors; name it: --encoder NAME"):
        import_vectors(path, tmp_path / "i")
    with pytest.raises(CorpusError, match="have 3; name the encoder and the column that belong together"):
        import_vectors([path, table(tmp_path / "u.parquet", id=["a"], img_emb=lists([(1, 1)]))], tmp_path / "i", "none")
    assert not (tmp_path / "i").exists()


def test_an_encoder_that_cannot_be_opened_is_named_and_trusted_later_where_its_dimension_fits(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", id=["a", "b"], image_embedding=lists([(1, 0, 0), (0, 1, 0)]))
    imported = import_vectors(path, tmp_path / "i", "no-such-encoder")
    assert imported.unopened is not None
    assert "no such encoder" in imported.unopened
    assert Plan.read(tmp_path / "i").encoder_fingerprint == ""
    build(tmp_path / "i")
    assert Searcher(tmp_path / "i").search(figure="a")[0].figure_id == "b"
    assert Searcher(tmp_path / "i", PlainEncoder()).search("1 9 1", k=1)[0].figure_id == "b"
    with pytest.raises(EncoderError, match=r"built with encoder no-such-encoder \(3\), which wider"):
        Searcher(tmp_path / "i", Wider()).search("1 9 1")


def test_too_many_rows_without_a_usable_vector_stop_the_import(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.parquet", id=list("abcd"), image_embedding=lists([(1, 1, 1), None, (0, 0, 0), (1, 0, 0)])
    )
    with pytest.raises(TooManySkipsError, match=r"2 of 4 rows have no usable vector \(1 no embedding, 1 embedding is"):
        import_vectors(path, tmp_path / "i", PlainEncoder())


def test_whoever_writes_this_index_has_it_alone(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", id=["a"], image_embedding=lists([(1, 1, 1)]))
    (tmp_path / "i").mkdir()
    with files.locked(tmp_path / "i"), pytest.raises(IndexLockedError, match="another process"):
        import_vectors(path, tmp_path / "i", PlainEncoder())
