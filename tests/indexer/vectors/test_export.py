"""Embeddings out: others read them, they come back to the bit, and nothing is half there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.errors import QueryError
from retrieval.export.export_vectors import LAYOUTS, export_vectors
from retrieval.indexer.import_vectors import import_vectors
from retrieval.indexes.build import build
from retrieval.indexes.verify import verify
from retrieval.search.searcher import Searcher
from tests.indexer.vectors.tables import stored
from tests.listed import PlainEncoder, png


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shard_size", [2, 16384])
def test_what_is_exported_and_imported_gives_the_same_answers(
    exported_from: Path, tmp_path: Path, layout: Any, shard_size: int
) -> None:
    ways = [tmp_path / "images", tmp_path / "captions"]
    assert export_vectors(exported_from, ways[0], "images", layout=layout) == 4
    assert export_vectors(exported_from, ways[1], "captions", layout=layout) == 6
    imported = import_vectors(ways, tmp_path / "to", shard_size=shard_size)
    assert (imported.rows, imported.images, imported.captions, imported.skips.total()) == (10, 4, 6, 0)
    assert (imported.encoder, imported.unopened, imported.left_out) == ("plain", None, ())
    for of in ("images", "texts"):
        np.testing.assert_array_equal(stored(tmp_path / "to", of), stored(exported_from, of))
    build(tmp_path / "to")
    verify(tmp_path / "to")
    before, after = (Searcher(folder, PlainEncoder()) for folder in (exported_from, tmp_path / "to"))
    for question in (
        {"text": "9 1 1"},
        {"image": png((1, 9, 1))},
        {"figure": "red"},
        {"figure": "words", "target": "captions"},
        {"text": "1 1 9", "where": ["year>=2010", "width<9"]},
        {"vector": np.ones(3), "target": "captions"},
    ):
        assert list(after.search(**question)) == list(before.search(**question))  # type: ignore[arg-type]
    assert after.built.plan.encoder_fingerprint == PlainEncoder.fingerprint


def test_an_exported_table_holds_ids_and_lists_that_others_read_and_says_where_they_come_from(
    exported_from: Path, tmp_path: Path
) -> None:
    export_vectors(exported_from, tmp_path / "out" / "c.parquet", "captions", columns=["figure_id", "caption"])
    written = pq.read_table(tmp_path / "out" / "c.parquet")
    assert written.column_names == ["figure_id", "caption", "caption_embedding"]
    assert written["figure_id"].to_pylist() == ["red", "red", "green", "words", "words", "grey"]
    assert written.schema.field("caption_embedding").type.value_type == pa.float32()
    np.testing.assert_array_equal(written["caption_embedding"].to_pylist(), stored(exported_from, "texts"))
    assert written.schema.metadata[b"dim"] == b"3"
    assert b'"encoder": "plain"' in written.schema.metadata[b"retrieval"]


def test_an_export_as_arrays_is_what_clip_retrieval_writes(exported_from: Path, tmp_path: Path) -> None:
    export_vectors(exported_from, tmp_path / "out", "images", layout="npy")
    array = np.load(tmp_path / "out" / "img_emb" / "img_emb_0.npy")
    np.testing.assert_array_equal(array, stored(exported_from))
    rows = pq.read_table(tmp_path / "out" / "metadata" / "metadata_0.parquet")
    assert rows["figure_id"].to_pylist() == ["red", "green", "blue", "grey"]
    assert "embedding" not in rows.column_names
    with pytest.raises(QueryError, match=r"out: exists; export into a new folder"):
        export_vectors(exported_from, tmp_path / "out", "images", layout="npy")


def test_an_export_that_breaks_off_leaves_what_was_there(
    exported_from: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.parquet").write_bytes(b"what was there")

    def breaking(column: Any, dim: int) -> Any:
        raise OSError("the disk went away")

    monkeypatch.setattr("retrieval.export.export_vectors.to_vectors", breaking)
    for out, layout in (("old.parquet", "list"), ("new.parquet", "binary"), ("folder", "npy")):
        with pytest.raises(OSError, match="went away"):
            export_vectors(exported_from, tmp_path / out, "images", layout=layout)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "old.parquet"]
    assert (tmp_path / "old.parquet").read_bytes() == b"what was there"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": ["caption"]}, "no column caption; there are figure_id, article_id"),
        ({"layout": "arrow"}, "images as arrow: no such export; export images or captions as list, binary, npy"),
    ],
)
def test_an_impossible_export_is_refused(exported_from: Path, tmp_path: Path, options: Any, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        export_vectors(exported_from, tmp_path / "out.parquet", "images", **options)
    assert not (tmp_path / "out.parquet").exists()
