"""Calls as people write them: they work, or one sentence says what is wanted."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import retrieval
from retrieval.encoders.batches import images_to_vectors, texts_to_vectors
from tests.doubles import ColourEncoder

RED = Image.new("RGB", (16, 16), "red")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> retrieval.Index:
    rows = [
        {"id": f"{number:03}", "image": Image.new("RGB", (16, 16), colour), "caption": f"a {colour} field"}
        for number, colour in enumerate(("red", "green", "blue"))
    ]
    folder = tmp_path_factory.mktemp("natural") / "index"
    return retrieval.index(rows, folder, encoder=ColourEncoder(), progress=False)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "lone", [png(RED), bytearray(png(RED)), memoryview(png(RED)), RED, np.asarray(RED)], ids=lambda lone: type(lone)
)
def test_a_lone_picture_is_one_picture(index: retrieval.Index, lone: Any) -> None:
    assert images_to_vectors(ColourEncoder(), lone).shape == images_to_vectors(ColourEncoder(), [lone]).shape
    assert len(images_to_vectors(ColourEncoder(), lone)) == 1
    (answer,) = index.search_many(lone, k=1)
    assert answer[0].figure_id == "000"
    assert [one[0].figure_id for one in index.search_many([lone, lone], k=1)] == ["000", "000"]


def test_an_arrow_column_of_texts_is_its_texts(index: retrieval.Index) -> None:
    column = pa.array(["a red field", "a blue field"])
    assert np.array_equal(
        texts_to_vectors(ColourEncoder(), column),  # type: ignore[arg-type]
        texts_to_vectors(ColourEncoder(), column.to_pylist()),
    )
    assert [answer[0].figure_id for answer in index.search_many(column, k=1)] == ["000", "002"]


def test_a_query_is_asked_like_its_words_and_vectors_like_queries(index: retrieval.Index) -> None:
    words = index.search("a red field", k=2)
    query = retrieval.Query(text="a red field")
    assert index.search(query, k=2) == words
    assert list(index.search_many(query, k=2)) == [words]
    vectors = [np.array(row, np.float32) for row in index.vectors("image")]
    assert [answer[0].score for answer in index.search_many(vectors, k=1)] == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_number_of_numpy_is_a_number(index: retrieval.Index) -> None:
    assert len(index.search("red", k=np.int64(2), per_article=np.int32(1))) == 2  # type: ignore[arg-type]
    assert len(index.search("red", min_percentile=np.float32(0))) == 3  # type: ignore[arg-type]


WRONG: list[tuple[Callable[[retrieval.Index], Any], str]] = [
    (lambda index: index.search("red", k="5"), "k is '5'; give a whole number"),
    (lambda index: index.search("red", k=5.0), r"k is 5\.0; give a whole number"),
    (lambda index: index.search("red", k=None), "k is None; give a whole number"),
    (lambda index: index.search("red", per_article="1"), "per_article is '1'; give a whole number"),
    (lambda index: index.search("red", min_percentile="9"), "min_percentile is 9; give one from 0 to 100"),
    (lambda index: index.search("red", where={"width": 3}), "a dict is no condition"),
    (lambda index: index.search(["red"]), "text is a str, not list; .* several queries to search_many"),
    (lambda index: index.search(RED), "text is a str, not Image; give a picture as image="),
    (lambda index: index.search(image=[RED]), "one image; search_many takes several"),
    (lambda index: index.search(figure=3), "figure is a str, not int"),
    (lambda index: index.search(vector="red"), "the query vector is a str, not"),
    (lambda index: index.search(retrieval.Query(text="red"), image=RED), "text is a str, not Query"),
    (lambda index: list(index.search_many(None)), "or several of them, not a NoneType"),
    (lambda index: list(index.search_many(3)), "or several of them, not a int"),
    (lambda index: list(index.search_many([io.BytesIO()])), "not BytesIO; give what its read"),
    (lambda index: images_to_vectors(ColourEncoder(), None), "or several of them, not a NoneType"),
    (lambda index: images_to_vectors(ColourEncoder(), io.BytesIO(b"a\nb")), "not a BytesIO"),
    (lambda index: texts_to_vectors(ColourEncoder(), None), "a text is wanted, or several of them"),
    (lambda index: index.figure(3), "3: no such figure"),
    (lambda index: index.remove(3), "an id is wanted, or several of them, not a int"),
    (lambda index: index.evaluate(queries="sample:0"), "ask for at least 1"),
    (lambda index: index.evaluate(queries="sample:many"), "not a number of figures; write it as sample:1000"),
    (lambda index: index.evaluate(seed="x"), "seed is 'x'; give a whole number"),
    (lambda index: index.evaluate(resamples="x"), "resamples is 'x'; give a whole number"),
    (lambda index: index.evaluate(ks=[1.5]), r"ks is 1\.5; give a whole number"),
    (lambda index: index.search("red", target=["image"]), "no such target; ask for image or text"),
    (lambda index: retrieval.load_encoder("starter", device="gpu"), "gpu: no such device here; use cpu"),
    (lambda index: retrieval.load_encoder("starter", device="cuda:77"), "cuda:77: no such device here; use cpu"),
    (lambda index: retrieval.open(None), "opened by its folder, not by a NoneType"),
    (lambda index: retrieval.open(index), "opened by its folder, not by a Index"),
    (lambda index: retrieval.open(index.path / "plan.json"), "not an index"),
    (lambda index: retrieval.build(index.path, target_recall=95), "target_recall is 95; give a share"),
    (lambda index: retrieval.build(index.path, memory="1GB"), "memory is '1GB'; give a whole number"),
    (lambda index: retrieval.encode([], index.path, shard_size="8"), "shard_size is '8'; give a whole number"),
    (lambda index: retrieval.encode([], index.path, max_skips="5%"), "max_skips is 5%; give a share"),
    (lambda index: retrieval.connect(None), "None: not the address of a server"),
    (lambda index: retrieval.encoder_from_functions(None, dim=3), "a function of texts, not a NoneType"),
    (lambda index: retrieval.encoder_from_functions(len, dim="3"), "dim is '3'; give a whole number"),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG)
def test_a_wrong_call_is_one_sentence(index: retrieval.Index, call: Callable[..., Any], sentence: str) -> None:
    with pytest.raises(retrieval.RetrievalError, match=sentence):
        call(index)


def test_what_comes_back_says_in_one_line_what_it_is(tmp_path: Path) -> None:
    rows = [{"id": colour, "image": Image.new("RGB", (8, 8), colour), "caption": colour} for colour in ("red", "blue")]
    folder = tmp_path / "index"
    summary = retrieval.encode(rows[:1], folder, encoder=ColourEncoder(), progress=False)
    assert repr(summary).endswith("1 images and 1 captions encoded, 0 figures skipped (0.0%)")
    retrieval.build(folder, progress=False)
    index = retrieval.open(folder, encoder=ColourEncoder())
    assert repr(index.add(rows, build=False, progress=False)).startswith("1 added, 0 updated")
    assert "run: retrieval build" in repr(index)
    index.build(progress=False)
    assert "2 figures" in repr(index)
    assert repr(index.remove("red", progress=False)) == "removed 1 figures, 1 images, 1 captions"
    assert "1 figures" in repr(index)
    index.close()
    assert repr(index).endswith("closed")
    assert repr(retrieval.load_encoder("starter")).startswith("Encoder starter: 256 dimensions, fp32 on ")


def test_ids_and_rows_are_what_an_evaluation_asks(index: retrieval.Index) -> None:
    some = index.evaluate(queries=["000", "002"], resamples=0)
    assert (some.queries, some.directions["t2i"].queries, some.directions["i2t"].gallery) == ("2 figures", 2, 3)
    with pytest.raises(retrieval.QueryError, match="queries: 1 of 2 figures are not in the index, such as nobody"):
        index.evaluate(queries=["000", "nobody"])
    rows: Any = [{"id": "000", "image": RED, "caption": "a red field"}]
    told = index.evaluate(queries=rows, resamples=0)
    assert (told.queries, told.directions["t2i"].queries) == ("a corpus of rows", 1)
    assert index.evaluate(queries=pa.table({"id": ["000"], "caption": ["a red field"]}), resamples=0).directions


def test_a_table_of_hits_has_every_column_whatever_the_first_hit_has(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "image": RED, "caption": "red", "organ": "heart"},
        {"id": "b", "image": Image.new("RGB", (8, 8), "blue"), "caption": "blue", "tags": ["x", "y"]},
        {"id": "c", "image": Image.new("RGB", (8, 8), "green"), "caption": "green", "tags": {"k": 1}},
    ]
    answer = retrieval.index(rows, tmp_path / "index", encoder=ColourEncoder(), progress=False).search("red")
    assert answer[0].figure_id == "a"
    table = answer.to_arrow()
    found = {row["figure_id"]: row["tags"] for row in table.to_pylist()}
    assert found == {"a": None, "b": '["x", "y"]', "c": '{"k": 1}'}  # of two kinds: as JSON
    assert table.schema.names == list(answer.to_pandas().columns)
    for part in (answer[:0], answer[:1], answer):
        assert part.to_arrow().schema.names[:12] == table.schema.names[:12]
        assert part.to_arrow().schema.types[:12] == table.schema.types[:12]
    assert len(answer[:0].to_pandas()) == 0
    assert "figure_id" in answer[:0].to_pandas().columns
