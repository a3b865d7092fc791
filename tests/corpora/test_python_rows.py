"""Rows from Python: the same figures as the same rows in a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Corpus, Figure

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
        ([{"x": 1}], "no column looks like images or captions"),
    ],
)
def test_what_is_no_corpus_is_refused_in_one_sentence(source: Any, sentence: str) -> None:
    with pytest.raises(CorpusError, match=sentence):
        open_corpus(source)
