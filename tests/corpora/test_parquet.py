"""Parquet, with images as paths and as bytes."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures, skips


def hugging_face(*paths: str | None) -> pa.Array:
    """Images as `datasets` embeds them."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": picture() + bytes([n]), "path": path} for n, path in enumerate(paths)], kind)


def test_paths_in_parquet_are_read(tmp_path, write):
    for name in "ab":
        write(f"images/{name}.png", picture())
    table = {"image_path": ["a.png", "b.png", "a.png"], "caption": ["1", "2", "3"], "pmcid": ["P", "Q", "P"]}
    pq.write_table(pa.table(table), tmp_path / "t.parquet", row_group_size=1)
    corpus = open_corpus(tmp_path / "t.parquet")
    assert captions(corpus) == {"a.png": ("1", "3"), "b.png": ("2",)}
    assert [figure.article_id for figure in figures(corpus).values()] == ["P", "Q"]


@pytest.mark.parametrize("size", [1, 2, 10])
def test_images_embedded_as_hugging_face_writes_them_are_read(tmp_path, size):
    table = pa.table({"image": hugging_face("x.png", "y.png", "z.png"), "text": [["1", "2"], ["3"], []]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    corpus = open_corpus(tmp_path / "t.parquet")
    assert captions(corpus) == {"x.png": ("1", "2"), "y.png": ("3",), "z.png": ()}
    items = everything(corpus, size)
    assert [item.image[-1] for item in items] == [0, 1, 2]
    assert items[1].uri == "t.parquet#2"


@pytest.mark.parametrize("paths", [(None, None), ("image.png", "image.png")])
def test_embedded_images_without_names_of_their_own_are_known_by_file_and_row(tmp_path, paths):
    for name in ("train-00000-of-00002", "train-00001-of-00002"):
        table = pa.table({"image": hugging_face(*paths), "caption": ["1", "2"]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    found = figures(open_corpus(tmp_path))
    assert list(found) == [f"train-0000{file}-of-00002.parquet#{row}" for file in (0, 1) for row in (1, 2)]


@pytest.mark.parametrize("name", ["image", "jpg", "image_bytes"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_images_as_plain_bytes_are_read(tmp_path, name, kind):
    table = pa.table({"id": ["p", "q"], name: pa.array([picture(), None], kind), "caption": ["1", "2"]})
    pq.write_table(table, tmp_path / "t.parquet")
    found = figures(open_corpus(tmp_path / "t.parquet"))
    assert found["p"].image == picture()
    assert (found["q"].image, found["q"].captions) == (None, ("2",))


def test_a_struct_without_bytes_names_a_file(tmp_path, write):
    write("a.png", picture())
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": None, "path": "a.png"}, {"bytes": None, "path": "gone.png"}], kind)
    pq.write_table(pa.table({"image": images, "caption": ["1", "2"]}), tmp_path / "t.parquet")
    corpus = open_corpus(tmp_path / "t.parquet")
    assert [getattr(item, "image", None) for item in everything(corpus)] == [picture(), None]
    assert skips(corpus) == {"t.parquet#2": "image file is missing"}


def test_a_column_of_other_bytes_is_not_taken_for_the_image(tmp_path, write):
    write("a.png", picture())
    table = pa.table({"checksum": [b"\x00"], "image": ["a.png"], "caption": ["1"]})
    pq.write_table(table, tmp_path / "t.parquet")
    corpus = open_corpus(tmp_path / "t.parquet")
    assert figures(corpus)["a.png"].image == picture()
    assert (corpus.columns, figures(corpus)["a.png"].extra) == ({}, {})


def test_types_come_from_the_schema(tmp_path):
    table = pa.table(
        {
            "caption": ["1"],
            "small": pa.array([1], pa.int8()),
            "unsigned": pa.array([2**64 - 1], pa.uint64()),
            "real": pa.array([0.5], pa.float32()),
            "flag": [True],
            "day": [datetime.date(2020, 1, 2)],
            "kind": pa.array(["CT"]).dictionary_encode(),
            "nothing": pa.nulls(1),
            "tags": [["x"]],
            "when": [[datetime.datetime(2020, 1, 2)]],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    corpus = open_corpus(tmp_path / "t.parquet")
    assert corpus.columns == {
        "small": "int64",
        "unsigned": "int64",
        "real": "float64",
        "flag": "bool",
        "day": "date",
        "kind": "string",
        "nothing": "string",
    }
    (figure,) = figures(corpus).values()
    assert figure.metadata == {
        "small": 1,
        "unsigned": None,
        "real": 0.5,
        "flag": True,
        "day": "2020-01-02",
        "kind": "CT",
        "nothing": None,
    }
    assert figure.extra == {"unsigned": 2**64 - 1, "tags": ["x"], "when": ["2020-01-02 00:00:00"]}


def test_an_empty_file_between_full_ones_changes_nothing(tmp_path):
    schema = pa.schema([("id", pa.string()), ("caption", pa.string())])
    for name, ids in (("0", ["a"]), ("1", []), ("2", ["b", "c"])):
        pq.write_table(pa.table({"id": ids, "caption": ids}, schema), tmp_path / f"{name}.parquet")
    assert list(figures(open_corpus(tmp_path))) == ["a", "b", "c"]


def test_a_damaged_row_group_costs_its_rows_only(tmp_path):
    noise = [f"{n} {'x' * 1000}" for n in range(3)]
    pq.write_table(
        pa.table({"id": ["a", "b", "c"], "caption": noise}),
        tmp_path / "t.parquet",
        row_group_size=1,
        compression="snappy",
        use_dictionary=False,
    )
    start = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(1).column(1).data_page_offset
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[start : start + 60] = b"\xff" * 60
    (tmp_path / "t.parquet").write_bytes(data)
    corpus = open_corpus(tmp_path / "t.parquet")
    assert [item.figure_id for item in everything(corpus)] == ["a", "t.parquet#2", "c"]
    assert skips(corpus) == {"t.parquet#2": "row cannot be read"}


def test_what_is_no_parquet_is_refused(write):
    with pytest.raises(CorpusError, match="not a readable Parquet file"):
        open_corpus(write("t.parquet", b"PAR1 and nothing else PAR1"))
