"""Embeddings in: what others wrote is read, and what cannot be used is counted or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.errors import CorpusError
from retrieval.indexer.import_vectors import import_vectors
from retrieval.indexes.build import build
from retrieval.search.searcher import Searcher
from retrieval.shards.reader import Shards
from tests.indexer.vectors.tables import lists, stored, table
from tests.listed import PlainEncoder

F16, F32, F64 = pa.float16(), pa.float32(), pa.float64()


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.list_(F16), pa.list_(F32), pa.list_(F64), pa.large_list(F32), pa.list_(F16, 3), pa.list_(F32, 3)),
        *(pa.binary(6), pa.binary(12), pa.binary()),
    ],
    ids=str,
)
def test_embeddings_of_every_type_that_people_write_are_read(tmp_path: Path, type_: pa.DataType) -> None:
    rows = [[3.0, 0.0, 4.0], None, [0.0, -2.0, 0.0]]
    if pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_):
        dtype = "<f4" if type_ == pa.binary(12) else "<f2"
        column = pa.array([None if row is None else np.array(row, dtype).tobytes() for row in rows], type_)
    else:
        column = pa.array([None if row is None else np.array(row, "f2") for row in rows], pa.list_(F16)).cast(type_)
    path = table(tmp_path / "t.parquet", id=["a", "b", "c"], caption=["x", "y", "z"], text_embedding=column)
    imported = import_vectors(path, tmp_path / "i", PlainEncoder(), max_skips=1)
    assert (imported.captions, dict(imported.skips)) == (2, {"no embedding": 1})
    np.testing.assert_array_equal(stored(tmp_path / "i", "texts"), np.float16([[0.6, 0, 0.8], [0, -1, 0]]))


@pytest.mark.parametrize("type_", [pa.list_(F16), pa.list_(F32), pa.list_(F32, 3)], ids=str)
def test_shards_whose_embeddings_are_lists_are_read_as_well(exported_from: Path, type_: pa.DataType) -> None:
    before = stored(exported_from)
    for path in exported_from.glob("shards/*.images.parquet"):
        whole = pq.read_table(path)
        vectors = np.frombuffer(b"".join(whole["embedding"].to_pylist()), "<f2").reshape(-1, 3)
        column = pa.array([list(row) for row in vectors.astype(np.float32)], pa.list_(F32)).cast(type_)
        place = whole.schema.get_field_index("embedding")
        pq.write_table(whole.set_column(place, pa.field("embedding", type_), column), path)
    np.testing.assert_array_equal(stored(exported_from), before)


def test_a_row_is_an_image_a_caption_or_both_and_what_is_wrong_is_counted(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    path = table(
        tmp_path / "t.parquet",
        figure_id=["a", "a", "b", "c", "d", "e", "f", None],
        text=["a 1", " a 2 ", "b", None, "d", "e", "f", "g"],
        year=pa.array([1, 1, 2, 3, None, 5, 6, 7], pa.int16()),
        day=pa.array([0, 1, 2, 3, 4, 5, 6, 7], pa.date32()),
        boxes=[[1], [2], [], [], [], [], [], []],
        img_emb=lists([(1, 0, 0), None, (nan, 0, 0), (0, 9, 0), (0, 0, 0), (1, 2), None, (1, 1, 1)]),
        text_emb=lists([(1, 0, 0), (2, 0, 1), (0, 1, 0), (1, 1, 1), (0, 0, 1), (inf, 0, 0), None, (1, 1, 1)]),
    )
    imported = import_vectors(path, tmp_path / "i", PlainEncoder(), max_skips=0.5, shard_size=3)
    assert (imported.images, imported.captions, imported.shards) == (2, 4, 3)
    assert dict(imported.skips) == {"embedding has another length": 1, "no embedding": 1, "no figure id": 1}
    assert dict(imported.notes) == {"embedding is not finite": 1, "caption is empty": 1, "embedding is zero": 1}
    assert imported.left_out == ("boxes",)
    shards = Shards(tmp_path / "i")
    assert shards.plan.columns == {"year": "int64", "day": "date"}
    texts = shards.columns("texts", ["figure_id", "caption", "year", "day"]).to_pylist()
    assert [(row["figure_id"], row["caption"]) for row in texts] == [("a", "a 1"), ("a", "a 2"), ("b", "b"), ("d", "d")]
    assert texts[1] == {"figure_id": "a", "caption": "a 2", "year": 1, "day": "1970-01-02"}
    skips = shards.columns("skips", ["figure_id", "part", "reason"]).to_pylist()
    assert skips[0] == {"figure_id": "b", "part": "image", "reason": "embedding is not finite"}
    assert skips[-1] == {"figure_id": "t.parquet row 7", "part": "figure", "reason": "no figure id"}
    build(tmp_path / "i")
    hit = Searcher(tmp_path / "i", PlainEncoder()).search("1 9 1", k=1)[0]
    assert (hit.figure_id, hit.caption, hit.width, hit.thumbnail, hit.metadata) == (
        *("c", "", None, None),
        {"year": 3, "day": "1970-01-04"},
    )


def test_clip_retrievals_folder_is_read_piece_by_piece(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((25, 3)).astype(np.float16)
    for sub in ("img_emb", "text_emb", "metadata"):
        (tmp_path / "clip" / sub).mkdir(parents=True)
    for number, rows in enumerate(np.array_split(np.arange(25), 11)):
        np.save(tmp_path / "clip" / "img_emb" / f"img_emb_{number}.npy", vectors[rows])
        np.save(tmp_path / "clip" / "text_emb" / f"text_emb_{number}.npy", -vectors[rows])
        about = {"image_path": [f"{row}.jpg" for row in rows], "caption": [f"caption {row}" for row in rows]}
        table(tmp_path / "clip" / "metadata" / f"metadata_{number}.parquet", **about)
    imported = import_vectors(tmp_path / "clip", tmp_path / "i", PlainEncoder())
    assert (imported.images, imported.captions, imported.shards) == (25, 25, 11)
    shards = Shards(tmp_path / "i")
    assert shards.columns("images", ["figure_id"])["figure_id"].to_pylist() == [f"{row}.jpg" for row in range(25)]
    unit = vectors.astype(np.float32) / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    np.testing.assert_allclose(stored(tmp_path / "i").astype(np.float32), unit, atol=1e-3)
    np.testing.assert_array_equal(stored(tmp_path / "i", "texts"), -stored(tmp_path / "i"))
    build(tmp_path / "i")
    assert Searcher(tmp_path / "i").search(vector=unit[7], target="text", k=25)[24].figure_id == "7.jpg"


def test_tables_that_cannot_be_imported_are_refused_in_one_sentence(tmp_path: Path) -> None:
    rows = lists([(1, 1, 1)])
    cases = {
        "no embeddings in columns id, v; name one with --image-embedding": {"id": ["a"], "v": rows},
        "no column of figure ids among caption; call it figure_id": {"caption": ["a"], "img_emb": rows},
        "has vectors of captions but no captions among id": {"id": ["a"], "text_emb": rows},
        "column 'img_emb' is string; give lists": {"id": ["a"], "img_emb": ["x"]},
        "column width is no int32": {"id": ["a"], "img_emb": rows, "width": ["wide"]},
        "every row is without embedding": {"id": ["a"], "img_emb": lists([None])},
        "no rows to import": {"id": pa.array([], pa.string()), "img_emb": lists([])},
    }
    for number, (said, columns) in enumerate(cases.items()):
        path = table(tmp_path / f"{number}.parquet", **columns)
        with pytest.raises(CorpusError, match=said) as raised:
            import_vectors(path, tmp_path / "i", "plain")
        assert "\n" not in str(raised.value)
    (tmp_path / "rubbish.parquet").write_bytes(b"PAR1 rubbish")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("rubbish.parquet", "not a readable"),
        ("nowhere", "no such file"),
        ("empty", "no metadata/meta"),
    ):
        with pytest.raises(CorpusError, match=said):
            import_vectors(tmp_path / name, tmp_path / "i", PlainEncoder())
    path = table(tmp_path / "t.parquet", id=["a"], mine=rows)
    with pytest.raises(CorpusError, match=r"there is no column 'hers'; its columns are id, mine"):
        import_vectors(path, tmp_path / "i", PlainEncoder(), image_embedding="hers")
    assert import_vectors(path, tmp_path / "ok", PlainEncoder(), image_embedding="mine").images == 1


def test_columns_of_different_types_are_refused_and_damage_in_a_table_is_named(tmp_path: Path) -> None:
    one = table(tmp_path / "1.parquet", id=["a"], year=[1], img_emb=lists([(1, 1, 1)]))
    two = table(tmp_path / "2.parquet", id=["b"], year=["MM"], img_emb=lists([(1, 1, 1)]))
    with pytest.raises(CorpusError, match=r"2\.parquet: column year is string, and int64 in a table before"):
        import_vectors([one, two], tmp_path / "i", PlainEncoder())
    data = bytearray(one.read_bytes())
    data[4:60] = b"\xff" * 56
    one.write_bytes(data)
    with pytest.raises(CorpusError, match=r"1\.parquet: damaged near row 0; write or download it again"):
        import_vectors(one, tmp_path / "j", PlainEncoder())


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3), np.float16), "holds 2 vectors, metadata_0.parquet 1 rows"),
        (np.zeros(3, np.float16), r"holds float16 of shape \(3,\)"),
        (np.zeros((1, 3), np.int64), "holds int64"),
        (np.array([[{}]]), "cannot be read as an array"),
    ],
)
def test_arrays_that_do_not_fit_their_table_are_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    for sub in ("img_emb", "metadata"):
        (tmp_path / "clip" / sub).mkdir(parents=True)
    np.save(tmp_path / "clip" / "img_emb" / "img_emb_0.npy", array, allow_pickle=True)
    table(tmp_path / "clip" / "metadata" / "metadata_0.parquet", image_path=["a.jpg"])
    with pytest.raises(CorpusError, match=said):
        import_vectors(tmp_path / "clip", tmp_path / "i", PlainEncoder())
