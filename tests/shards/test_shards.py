"""The truth on disk: plans and records that are refused when they are not what they should be, rows that come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import ShardError
from retrieval.indexer.encode import encode
from retrieval.shards import tables as tables_module
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import parse_extra, read_record, record_path, schema, shard_path
from retrieval.shards.vectors import to_bytes, to_vectors
from retrieval.types import Split
from tests.listed import ListedCorpus, PlainEncoder, figure


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    """Seven figures in three shards, the middle one with two captions each."""
    figures = [figure(f"f{n}", (n, 9, 1), *[f"{n} {c} 1" for c in range(1 + n % 2)]) for n in range(7)]
    encode(ListedCorpus(figures), tmp_path / "i", PlainEncoder(), shard_size=3, thumbnail=0)
    return tmp_path / "i"


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(1, 9), st.integers(0, 5), st.integers(0, 2**31))
def test_vectors_come_back_from_their_bytes_even_from_a_slice(rows: int, dim: int, start: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float16)
    np.testing.assert_array_equal(to_vectors(to_bytes(vectors).slice(start), dim), vectors[start:])


def test_embeddings_are_fixed_size_float16_with_their_shape_in_the_schema(encoded: Path) -> None:
    written = pq.read_schema(shard_path(encoded, 0, "images"))
    assert written.field("embedding").type == pa.binary(2 * 3)
    assert not written.field("embedding").nullable
    assert {key: written.metadata[key] for key in (b"dim", b"dtype", b"normalised")} == {
        b"dim": b"3",
        b"dtype": b"float16",
        b"normalised": b"true",
    }
    assert pq.read_schema(shard_path(encoded, 0, "skips")).names == [
        "figure_id",
        "article_id",
        "source_uri",
        "part",
        "reason",
    ]


def test_a_plan_read_back_is_the_plan_that_was_written(encoded: Path, tmp_path: Path) -> None:
    plan = Plan.read(encoded)
    plan.write(tmp_path)
    assert Plan.read(tmp_path) == plan
    assert plan.total == 7
    assert plan.splits[2] == Split(2, 6, 7)


def test_the_digest_is_of_what_decides_the_rows_and_of_nothing_else(encoded: Path) -> None:
    before = Shards(encoded).digest
    edit(encoded / "plan.json", source="elsewhere", encoder="the same by another name")
    edit(record_path(encoded, 1), seconds={"read": 99.0})
    assert Shards(encoded).digest == before
    edit(record_path(encoded, 1), truncated=1)
    assert Shards(encoded).digest != before


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"format": 1}', '{"splits": [3]}', "\x00\x01"])
def test_a_plan_that_is_none_is_refused_with_its_name(encoded: Path, content: str) -> None:
    (encoded / "plan.json").write_text(content)
    with pytest.raises(ShardError, match=r"plan\.json.*encode into a new folder"):
        Plan.read(encoded)


def test_a_folder_without_a_plan_says_how_to_make_an_index(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ShardError, match=r"not an index .*make one with: retrieval index SOURCE"):
            Shards(folder)


def test_a_newer_format_is_refused_even_where_it_has_fields_we_do_not_know(encoded: Path) -> None:
    edit(encoded / "plan.json", format=2, quantised=True)
    with pytest.raises(ShardError, match=r"newer version of retrieval \(format 2\); upgrade"):
        Shards(encoded)


def test_a_record_of_a_newer_format_is_refused_and_not_called_damaged(encoded: Path) -> None:
    edit(record_path(encoded, 0), format=2, codebook="x")
    with pytest.raises(ShardError, match=r"newer version of retrieval \(format 2\); upgrade"):
        Shards(encoded)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "7", '{"number": 1}', "\x00garbage"])
def test_a_record_that_is_garbage_is_refused_with_its_name_and_the_way_out(encoded: Path, content: str) -> None:
    record_path(encoded, 1).write_text(content)
    with pytest.raises(ShardError, match=r"00001\.json: .*delete it and encode again"):
        read_record(encoded, 1)


@pytest.mark.parametrize("changes", [{"number": 0}, {"rows": {}}, {"sha256": {"images": "x"}}, {"unknown": 1}])
def test_a_record_that_is_not_of_this_shard_is_refused(encoded: Path, changes: dict[str, Any]) -> None:
    edit(record_path(encoded, 1), **changes)
    with pytest.raises(ShardError, match=r"00001\.json: not this shard's record; delete it and encode again"):
        Shards(encoded)


def test_missing_shards_are_counted_and_the_way_on_is_told(encoded: Path) -> None:
    record_path(encoded, 1).unlink()
    with pytest.raises(ShardError, match="1 of 3 shards are missing; run retrieval index again"):
        Shards(encoded)


@pytest.mark.parametrize("table", ["images", "texts", "skips"])
@pytest.mark.parametrize("damage", ["deleted", "flipped", "cut"])
def test_a_damaged_table_is_found_and_named(encoded: Path, table: Any, damage: str) -> None:
    path = shard_path(encoded, 1, table)
    whole = bytearray(path.read_bytes())
    Shards(encoded).check()
    if damage == "deleted":
        path.unlink()
    elif damage == "flipped":
        whole[len(whole) // 2] ^= 1
        path.write_bytes(whole)
    else:
        path.write_bytes(whole[:-1])
    with pytest.raises(ShardError, match=rf"00001\.{table}\.parquet: .*delete .*00001\.json and encode again"):
        Shards(encoded).check()


def test_rows_are_taken_in_the_order_asked_for_across_shards_and_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_module, "ROW_GROUP", 4)
    figures = [figure(f"f{n:02d}", (n, 1, 1), *[f"{n} {c} 1" for c in range(n % 3)]) for n in range(30)]
    encode(ListedCorpus(figures), tmp_path, PlainEncoder(), shard_size=11, thumbnail=0)
    shards = Shards(tmp_path)
    captions = shards.columns("texts", ["caption"])["caption"].to_pylist()
    assert captions == [f"{n} {c} 1" for n in range(30) for c in range(n % 3)]
    rows = np.random.default_rng(0).permutation(len(captions)).tolist()
    assert [row["caption"] for row in shards.take("texts", rows, ["caption"])] == [captions[row] for row in rows]
    assert shards.take("texts", [5, 5, 0], ["caption"])[1]["caption"] == captions[5]
    assert shards.take("images", [], ["figure_id"]) == []
    vectors = np.concatenate(list(shards.vectors("texts")))
    assert vectors.shape == (len(captions), 3)
    expected = PlainEncoder().encode_texts(PlainEncoder().tokenize(captions)).astype(np.float16)
    np.testing.assert_array_equal(vectors, expected)


@pytest.mark.parametrize("size", [1, 5, 4096])
def test_rows_are_taken_whatever_the_size_of_the_row_groups_they_were_written_in(encoded: Path, size: int) -> None:
    captions = Shards(encoded).columns("texts", ["caption"])["caption"].to_pylist()
    for number in range(3):
        path = shard_path(encoded, number, "texts")
        pq.write_table(pq.read_table(path), path, row_group_size=size)
    rows = list(range(len(captions)))[::-1]
    assert [row["caption"] for row in Shards(encoded).take("texts", rows, ["caption"])] == captions[::-1]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"12345678"], pa.binary(8)),
        pa.array([None], pa.binary(6)),
        pa.array([[1.0, 2.0]], pa.list_(pa.float32())),
        pa.array([[1.0, 2.0], [1.0, 2.0, 3.0, 4.0]], pa.list_(pa.float32())),
        pa.array([[1, 2, 3]], pa.list_(pa.int64())),
        pa.array(["abc"]),
    ],
    ids=lambda column: str(column.type),
)
def test_an_embedding_column_that_does_not_hold_the_plans_dimension_is_refused(column: pa.Array) -> None:
    with pytest.raises(ShardError, match=r"an embedding column of .* does not hold 3 numbers a row"):
        to_vectors(column, 3)


def test_a_table_without_rows_has_its_columns_all_the_same(encoded: Path) -> None:
    empty = Shards(encoded).columns("skips", ["figure_id", "reason"])
    assert (empty.num_rows, empty.column_names) == (0, ["figure_id", "reason"])


def test_declared_columns_stand_in_both_tables_with_their_types() -> None:
    plan = Plan("s", "k", {}, "c", {"year": "int64", "open": "bool"}, "e", "f", 3, None, 0, 1, 1, ())
    for table in ("images", "texts"):
        assert schema(table, plan).field("year").type == pa.int64()  # type: ignore[arg-type]
        assert schema(table, plan).field("open").type == pa.bool_()  # type: ignore[arg-type]


def test_extra_is_json_or_nothing() -> None:
    assert parse_extra(None) == {}
    assert parse_extra('{"a": [1, null]}') == {"a": [1, None]}
