"""Rows from Python: the same figures as the same rows in a file."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.indexer.encode import encode
from retrieval.types import Corpus, Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import everything, figures
from tests.listed import PlainEncoder

ROWS = [
    {"image": "a.png", "caption": "first", "year": 2001},
    {"image": "a.png", "caption": "second", "year": 2001},
    {"image": "b.png", "caption": "third", "year": None},
    {"image": "c.png", "caption": "no picture there", "year": 2003},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(corpus: Corpus) -> list[Any]:
    return [item for split in corpus.split(2) for item in corpus.read(split)]


def told(corpus: Corpus) -> list[Any]:
    return [
        (item.captions, item.image, dict(item.metadata)) if isinstance(item, Figure) else item.reason
        for item in read(corpus)
    ]


def test_rows_say_what_the_same_rows_in_a_file_say(folder: Path) -> None:
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    expected = told(open_corpus(folder / "t.jsonl"))
    assert len(expected) == 3
    assert expected[2] == "image file is missing"
    sources = (ROWS, iter(ROWS), (row for row in ROWS), pa.Table.from_pylist(ROWS))
    for source in (*sources, pa.Table.from_pylist(ROWS).to_reader()):
        corpus = open_corpus(source)
        assert told(corpus) == expected
        assert told(corpus) == expected, "a corpus is read more than once"
        assert corpus.kind == "rows"
        assert dict(corpus.columns) == {"year": "int64"}


def test_an_image_is_a_path_bytes_a_picture_or_pixels(folder: Path) -> None:
    pixels = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    images = [folder / "a.png", str(folder / "a.png"), file.getvalue(), Image.fromarray(pixels), pixels]
    figures = read(open_corpus([{"image": image, "caption": "red"} for image in [*images, {"path": "a.png"}]]))
    assert len(figures) == 6
    for figure in figures:
        with Image.open(io.BytesIO(figure.image)) as picture:
            assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_rows_of_one_path_are_one_figure_however_the_path_is_written(folder: Path) -> None:
    figures = read(open_corpus([{"image": path, "caption": f"{path}"} for path in (Path("a.png"), "a.png")]))
    assert [figure.captions for figure in figures] == [("a.png", "a.png")]


def test_a_frame_is_a_corpus(folder: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas, which the project does not depend on")
    assert told(open_corpus(pandas.DataFrame(ROWS)))[0][0] == ("first", "second")


def test_columns_are_named_where_they_are_unusual(folder: Path) -> None:
    corpus = open_corpus([{"pic": "a.png", "legend": "red"}], image_column="pic", caption_columns="legend")
    assert told(corpus)[0][0] == ("red",)


def test_rows_of_changing_types_lose_no_row(folder: Path) -> None:
    rows = [{"caption": f"text {number}", "age": number if number < 700 else f"{number} y"} for number in range(1400)]
    figures = read(open_corpus(rows))
    assert [figure.captions for figure in figures] == [(row["caption"],) for row in rows]
    assert [figure.metadata["age"] for figure in figures[::650]] == ["0", "650", "1300 y"]


def test_numbers_among_words_for_what_is_missing_are_numbers(folder: Path) -> None:
    ages = [34, "NA", None, 2.5, float("nan"), "unknown"]
    rows = [{"caption": f"text {number}", "age": age} for number, age in enumerate(ages)]
    pandas = pytest.importorskip("pandas", reason="needs pandas, which the project does not depend on")
    for source in (rows, pandas.DataFrame(rows), [{"caption": "c", "age": 1}] * 600 + rows):
        corpus = open_corpus(source)
        figures = read(corpus)[-6:]
        assert dict(corpus.columns) == {"age": "float64"}
        assert [figure.metadata["age"] for figure in figures] == [34.0, None, None, 2.5, None, None]
        assert [figure.extra.get("age") for figure in figures] == [None, "NA", None, None, None, "unknown"]


def test_values_that_arrow_has_no_type_for_are_kept(folder: Path) -> None:
    rows = [
        {"caption": "c", "big": 2**70, "half": "\ud800", "any": {"a": 1}, "one": 1, "day": datetime.date(2020, 1, 2)}
    ]
    rows += [{"caption": "c", "big": 1, "half": "x", "any": {"a": "b"}, "one": [1], "day": None}]
    corpus = open_corpus(rows)
    first, second = read(corpus)
    assert dict(corpus.columns) == {"big": "string", "half": "string", "day": "date"}
    assert dict(first.metadata) == {"big": str(2**70), "half": "\ufffd", "day": "2020-01-02"}
    assert (first.extra, second.extra) == ({"any": {"a": 1}, "one": 1}, {"any": {"a": "b"}, "one": [1]})


def test_images_are_files_where_any_row_has_one(folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    rows: list[dict[str, Any]] = [{"image": "a.png", "caption": str(number)} for number in range(600)]
    rows += [{"image": data, "caption": "bytes"}, {"image": None, "caption": "none"}]
    rows += [{"image": [data, "b.png"], "caption": "two"}]
    figures = read(open_corpus(rows))
    assert [figure.image == data for figure in figures] == [True] * 601 + [False, True, False]
    assert [figure.captions[0] for figure in figures[-4:]] == ["bytes", "none", "two", "two"]


RED = np.full((8, 8, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        *(RED, RED.astype(np.int64), RED.astype(np.float32), RED / 255, (RED / 255).transpose(2, 0, 1)),
        *(torch.tensor(RED).permute(2, 0, 1), torch.tensor(RED).permute(2, 0, 1) / 255),
    ],
)
def test_pixels_of_every_kind_are_a_picture(pixels: Any) -> None:
    (figure,) = read(open_corpus([{"image": pixels, "caption": "red"}]))
    with Image.open(io.BytesIO(figure.image)) as picture:
        assert (picture.size, picture.convert("RGB").getpixel((3, 3))) == ((8, 8), (255, 0, 0))


def test_grey_pixels_of_16_bits_are_kept() -> None:
    pixels = np.full((4, 4), 40_000, np.uint16)
    (figure,) = read(open_corpus([{"image": pixels, "caption": "grey"}]))
    with Image.open(io.BytesIO(figure.image)) as picture:
        assert (np.asarray(picture) == pixels).all()


def test_pixels_that_were_normalised_for_a_model_are_refused() -> None:
    with pytest.raises(CorpusError, match=r"an array from -2.1 to -2.1 is no picture; give pixels from 0 to 255"):
        open_corpus([{"image": np.full((3, 8, 8), -2.1, np.float32), "caption": "c"}])


class OfTorch(torch.utils.data.Dataset[Any]):
    """Items by number, as torch has them: no iterator."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __getitem__(self, number: int) -> Any:
        return self.items[number]

    def __len__(self) -> int:
        return len(self.items)


class StreamOfTorch(torch.utils.data.IterableDataset[Any]):
    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


@dataclasses.dataclass
class Record:
    image: Any
    caption: str
    label: int


Pair = collections.namedtuple("Pair", ["image", "caption", "label"])


@pytest.mark.parametrize("wrap", [list, iter, OfTorch, StreamOfTorch])
def test_pairs_records_and_samples_are_rows(folder: Path, wrap: Any) -> None:
    red = Image.fromarray(RED)
    items: list[Any] = [(red, "red"), ("red", red), (red, {"caption": "red", "label": 3}), (red, "red", {"label": 3})]
    items += [(red, ["red"]), Record(red, "red", 3), Pair(red, "red", 3), {"jpg": red, "caption": "red", "label": 3}]
    items += [{"__key__": "k", "__url__": "x.tar", "png": red, "txt": b"red", "json": b'{"label": 3}'}]
    found = read(open_corpus(wrap(items[:7] + items[8:])))
    assert [figure.captions for figure in found] == [("red",)] * 8
    assert {figure.image for figure in found} == {found[0].image}
    assert [figure.metadata.get("label") for figure in found] == [None, None, 3, 3, None, 3, 3, 3]
    assert read(open_corpus(wrap(items[7:8])))[0].captions == ("red",)


def test_pictures_alone_and_labels_are_rows(folder: Path) -> None:
    red = Image.fromarray(RED)
    for items in ([red, red], [folder / "a.png", Path("b.png")]):
        assert [figure.captions for figure in read(open_corpus(items, images_only=True))] == [(), ()]
    corpus = open_corpus(OfTorch([(red, 3)]), images_only=True)
    assert (read(corpus)[0].captions, dict(corpus.columns)) == ((), {"label": "int64"})


def test_json_of_a_sample_that_cannot_be_read_is_kept_as_it_is() -> None:
    sample = {"__key__": "k", "txt": b"red", "json": b'{"label": 3'}
    (figure,) = read(open_corpus([sample]))
    assert (figure.captions, dict(figure.metadata)["json"]) == (("red",), '{"label": 3')


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its files open
def test_the_pipeline_of_webdataset_is_a_corpus(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="the library webdataset is not installed")
    files = {"jpg": b"\xff\xd8 a", "txt": b"one", "json": b'{"year": 2020, "caption": "other"}'}
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for suffix, data in files.items():
            info = tarfile.TarInfo(f"000.{suffix}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    url = (tmp_path / "s.tar").as_posix()
    pipeline = webdataset.WebDataset(url, shardshuffle=False)
    for source in (pipeline, pipeline.to_tuple("jpg", "txt", "json")):
        (figure,) = read(open_corpus(source))
        assert (figure.image, figure.captions) == (b"\xff\xd8 a", ("one",))
    (figure,) = read(open_corpus(webdataset.WebDataset(url, shardshuffle=False)))
    assert (figure.figure_id, dict(figure.metadata)) == ("000", {"year": 2020, "json.caption": "other"})


def test_what_speaks_arrow_is_a_corpus(folder: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, folder / "t.parquet")
    expected = told(open_corpus(ROWS))
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 4], pa.int32()), pa.array(["a.png", "b.png", "c.png"]))
    sources = [
        *(table.to_batches()[0], pa.dataset.dataset(folder / "t.parquet"), pa.dataset.dataset(table).scanner()),
        *(duckdb.from_arrow(table), polars.DataFrame(ROWS), polars.DataFrame(ROWS).lazy()),
        pa.table({"image": runs, "caption": table["caption"], "year": table["year"]}),
    ]
    for source in sources:
        assert told(open_corpus(source)) == expected
    duckdb_cursor = duckdb.connect().execute("SELECT 'a.png' AS image, 'one' AS caption")
    assert told(open_corpus(duckdb_cursor))[0][0] == ("one",)
    cursor = sqlite3.connect(":memory:").execute("SELECT 'a.png' AS image, 'one' AS caption, 5 AS year")
    assert told(open_corpus(cursor))[0] == (("one",), (folder / "a.png").read_bytes(), {"year": 5})


def test_frames_of_pictures_are_corpora(folder: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas, which the project does not depend on")
    columns = {"image": [Image.fromarray(RED), RED], "caption": ["one", "two"]}
    frame = pandas.DataFrame(columns, index=pandas.Index(["x", "y"], name="id"))
    for source in (frame, polars.DataFrame({"id": ["x", "y"], **columns}, schema_overrides={"image": polars.Object})):
        found = read(open_corpus(source))
        assert [(figure.figure_id, figure.captions) for figure in found] == [("x", ("one",)), ("y", ("two",))]
        assert all(figure.image == found[0].image for figure in found)
    frame = pandas.DataFrame({"image": [folder / "a.png", None], "caption": ["c", pandas.NA], "n": [pandas.NA, 1]})
    (figure, skip) = read(open_corpus(frame))
    assert (figure.captions, figure.metadata, skip.reason) == (("c",), {"n": None}, "neither image nor caption")


def test_a_dataset_of_hugging_face_is_read_as_it_is_stored(folder: Path) -> None:
    stored = (folder / "a.png").read_bytes() + b"and more"
    rows = [{"image": {"bytes": stored, "path": None}, "caption": str(number)} for number in range(3)]
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    dataset = datasets.Dataset.from_list(rows, features=features)
    for source in (
        dataset,
        dataset.to_iterable_dataset(),
        datasets.DatasetDict(a=dataset.select([0, 1]), b=dataset.select([2])),
    ):
        corpus = open_corpus(source)
        assert [(figure.image, figure.captions) for figure in read(corpus)] == [(stored, (str(n),)) for n in range(3)]
    assert [figure.metadata["split"] for figure in read(corpus)] == ["a", "a", "b"]
    assert [figure.captions for figure in read(open_corpus(dataset.select([2, 0])))] == [("2",), ("0",)]


def test_a_run_of_rows_goes_on_where_it_was_killed(folder: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"caption": f"1 2 {number}"} for number in range(20))

    class Killed(PlainEncoder):
        left = 2

        def encode_texts(self, texts: Any, /) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    with pytest.raises(KeyboardInterrupt):
        encode(rows(), folder / "i", Killed(), shard_size=4)
    summary = encode(rows(), folder / "i", PlainEncoder(), shard_size=4)
    assert (summary.resumed, summary.captions) == (2, 20)


def test_the_fingerprint_is_of_the_content(folder: Path) -> None:
    assert open_corpus(ROWS).fingerprint == open_corpus(iter(ROWS)).fingerprint
    changed = [*ROWS[:3], {**ROWS[3], "caption": "another"}]
    assert open_corpus(changed).fingerprint != open_corpus(ROWS).fingerprint


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ([], "there are no rows; give a path"),
        ([["a.png", "red"]], "a row is a dict of columns, not a list"),
        ({"image": ["a.png"]}, "a dict is no collection of figures; give a path, a list of dicts"),
        (7, "a int is no collection of figures"),
        (["a.png"], "a row is a dict of columns, not a str"),
        ([(1, 2)], "a row of int and int is no pair of image and caption"),
        (b"bytes", "a bytes is no collection of figures"),
        (torch.utils.data.DataLoader([1]), "a DataLoader gives batches of tensors; give the dataset that it loads"),
        ([{"x": 1}], "no column looks like images or captions"),
    ],
)
def test_what_is_no_corpus_is_refused_in_one_sentence(source: Any, sentence: str) -> None:
    with pytest.raises(CorpusError, match=sentence):
        open_corpus(source)


def test_open_files_are_what_they_hold():
    rows = [{"image": io.BytesIO(picture()), "caption": "a red square"}]
    (figure,) = figures(open_corpus(rows)).values()
    assert (figure.image, figure.captions) == (picture(), ("a red square",))


@pytest.mark.parametrize("as_rows", [list, pa.Table.from_pylist])
def test_objects_that_are_all_empty_are_kept_beside_the_figure(as_rows):
    rows = [{"image": "a.png", "caption": "one", "meta": {}}, {"image": "b.png", "caption": "two", "meta": {}}]
    assert len(everything(open_corpus(as_rows(rows)))) == 2


def test_a_column_alone_is_no_collection():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(CorpusError, match="a row is a dict of columns, not a str"):
        open_corpus(pandas.Series(["one", "two"]))
