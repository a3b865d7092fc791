"""Every way in which writers of Parquet and Arrow store texts, images, numbers and dates; and what is damaged."""

from __future__ import annotations

import base64
import datetime
import io
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import everything, figures, skips

PICTURES = [picture("red"), picture("blue"), picture("green")]
TEXTS = ["one", "zwei é", "三"]
FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def told(corpus: Any) -> list[Any]:
    return [
        (item.image, item.captions) if isinstance(item, Figure) else item.reason for item in everything(corpus, size=2)
    ]


def write(path: Path, table: pa.Table) -> Path:
    """`table` as the suffix of `path` says, in groups of two rows."""
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path, row_group_size=None if "view" in str(table.schema) else 2)
        case ".arrows":
            with pa.ipc.new_stream(path, table.schema) as writer:
                writer.write_table(table, max_chunksize=2)
        case _:
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table, max_chunksize=2)
    return path


TEXT_KINDS = {
    "string": pa.array(TEXTS),
    "large": pa.array(TEXTS, pa.large_string()),
    "view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "dictionary of large": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
    "list": pa.array([[text] for text in TEXTS]),
    "large list": pa.array([[text] for text in TEXTS], pa.large_list(pa.string())),
    "fixed list": pa.array([[text] for text in TEXTS], pa.list_(pa.string(), 1)),
    "struct": pa.array([{"raw": text, "tokens": [text]} for text in TEXTS]),
    "list of structs": pa.array([[{"caption": text, "id": 1}] for text in TEXTS]),
    "by language": pa.array([{"en": text, "de": None} for text in TEXTS]),
    "map": pa.array([[("en", text)] for text in TEXTS], pa.map_(pa.string(), pa.string())),
}
IMAGE_KINDS = {
    "binary": pa.array(PICTURES),
    "large": pa.array(PICTURES, pa.large_binary()),
    "view": pa.array(PICTURES, pa.binary_view()),
    "dictionary": pa.array(PICTURES).dictionary_encode(),
    "struct": pa.array([{"bytes": data, "path": None} for data in PICTURES], FILE),
    "struct of views": pa.array(
        [{"bytes": data, "path": "x.png"} for data in PICTURES],
        pa.struct([("bytes", pa.binary_view()), ("path", pa.string_view())]),
    ),
    "struct of other names": pa.array([{"data": data, "filename": "x.png", "size": 3} for data in PICTURES]),
    "list": pa.array([[{"bytes": data, "path": None}] for data in PICTURES], pa.list_(FILE)),
    "list of bytes": pa.array([[data] for data in PICTURES], pa.list_(pa.binary())),
    "large list of bytes": pa.array([[data] for data in PICTURES], pa.large_list(pa.large_binary())),
}
RUNS = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), pa.array(TEXTS))


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows"])
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_texts_are_read_however_they_are_stored(tmp_path: Path, kind: str, suffix: str) -> None:
    table = pa.table({"image": PICTURES, "caption": TEXT_KINDS[kind]})
    found = told(open_corpus(write(tmp_path / f"t.{suffix}", table)))
    assert found == [(data, (text,)) for data, text in zip(PICTURES, TEXTS, strict=True)]


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrows"])
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_images_are_read_however_they_are_stored(tmp_path: Path, kind: str, suffix: str) -> None:
    for name in ("image", "whatever"):
        table = pa.table({"caption": TEXTS, name: IMAGE_KINDS[kind]})
        found = told(open_corpus(write(tmp_path / f"{name}.{suffix}", table)))
        assert found == [(data, (text,)) for data, text in zip(PICTURES, TEXTS, strict=True)]


def test_runs_of_equal_texts_are_read(tmp_path: Path) -> None:
    table = pa.table({"caption": RUNS, "image": pa.array(PICTURES)})
    assert [texts for _, texts in told(open_corpus(write(tmp_path / "t.arrow", table)))] == [(t,) for t in TEXTS]


def test_pixels_of_sparks_image_source_are_a_picture(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[..., 0] = 255  # blue, in OpenCV's order
    image = {"origin": "file:/x.png", "height": 2, "width": 3, "nChannels": 3, "mode": 16, "data": pixels.tobytes()}
    (figure,) = figures(open_corpus(write(tmp_path / "t.parquet", pa.table({"image": [image]})))).values()
    with Image.open(io.BytesIO(figure.image or b"")) as found:
        assert (found.size, found.getpixel((0, 0))) == ((3, 2), (0, 0, 255))


def test_each_image_of_a_list_is_a_figure_with_the_captions_of_its_row(tmp_path: Path) -> None:
    files = [{"bytes": data, "path": None} for data in PICTURES]
    table = pa.table({"images": pa.array([files[:2], [], files[2:], None], pa.list_(FILE)), "caption": list("abcd")})
    for suffix in ("parquet", "arrow"):
        corpus = open_corpus(write(tmp_path / f"t.{suffix}", table))
        assert list(figures(corpus)) == [f"t.{suffix}#{row}" for row in ("1.1", "1.2", "2", "3", "4")]
        expected = [(PICTURES[0], "a"), (PICTURES[1], "a"), (None, "b"), (PICTURES[2], "c"), (None, "d")]
        assert told(corpus) == [(data, (text,)) for data, text in expected]


def test_as_many_captions_as_images_in_every_row_are_one_each(tmp_path: Path) -> None:
    images = [PICTURES[:2], PICTURES[2:]]
    table = pa.table({"images": images, "captions": [["a", "b"], ["c", "d"]]})
    expected = [(PICTURES[0], ("a",)), (PICTURES[1], ("b",)), (PICTURES[2], ("c", "d"))]
    assert told(open_corpus(write(tmp_path / "t.parquet", table))) == expected


def test_lists_of_paths_name_an_image_each(tmp_path: Path) -> None:
    for name, data in zip("ab", PICTURES, strict=False):
        (tmp_path / f"{name}.png").write_bytes(data)
    table = pa.table({"image": [["a.png", "b.png"], ["gone.png"]], "caption": ["1", "2"]})
    expected = [(PICTURES[0], ("1",)), (PICTURES[1], ("1",)), "image file is missing"]
    assert told(open_corpus(write(tmp_path / "t.parquet", table))) == expected


def test_of_several_columns_of_bytes_the_one_that_holds_images_is_taken(tmp_path: Path) -> None:
    table = pa.table({"embedding": [b"\0" * 8] * 3, "thumb": PICTURES, "caption": TEXTS})
    assert [data for data, _ in told(open_corpus(write(tmp_path / "t.parquet", table)))] == PICTURES


def test_numbers_dates_and_names_have_the_type_that_they_mean(tmp_path: Path) -> None:
    day, moment = datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4, 5)
    name = uuid.uuid4()
    columns = {
        "caption": ["c"],
        "money": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
        "count": pa.array([Decimal(7)], pa.decimal256(38, 0)),
        "half": pa.array([np.float16(0.5)], pa.float16()),
        "day": pa.array([day], pa.date64()),
        "exact": pa.array([1577934245000000001], pa.timestamp("ns")),
        "zoned": pa.array([moment], pa.timestamp("s", "Europe/Berlin")),
        "far": pa.array([2**40], pa.timestamp("s")),
        "clock": pa.array([1], pa.time64("ns")),
        "whose": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([name.bytes], pa.binary(16))),
        "ok": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
    }
    corpus = open_corpus(write(tmp_path / "t.parquet", pa.table(columns)))
    (figure,) = figures(corpus).values()
    assert dict(corpus.columns) == {
        "money": "float64",
        "count": "int64",
        "half": "float64",
        "day": "date",
        "exact": "date",
        "zoned": "date",
        "far": "date",
        "clock": "string",
        "whose": "string",
        "ok": "bool",
    }
    assert dict(figure.metadata) == {
        "money": 12.5,
        "count": 7,
        "half": 0.5,
        "day": "2020-01-02",
        "exact": "2020-01-02 03:04:05",
        "zoned": "2020-01-02 03:04:05+00:00",
        "far": None,
        "clock": "00:00:00",
        "whose": str(name),
        "ok": True,
    }
    assert "far" in figure.extra
    json.dumps(figure.extra)


def test_a_text_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    broken = pa.array([b"one", b"caf\xe9", b"three"]).view(pa.string())
    for kind in (broken, broken.dictionary_encode(), pa.array([[x] for x in range(3)])):
        texts = kind if not pa.types.is_list(kind.type) else pa.ListArray.from_arrays([0, 1, 2, 3], broken)
        for column in ("caption", "note"):
            rest = {"caption": TEXTS} if column == "note" else {}
            corpus = open_corpus(write(tmp_path / "t.parquet", pa.table({"image": PICTURES, column: texts, **rest})))
            assert [isinstance(item, Figure) for item in everything(corpus)] == [True, False, True]
            assert skips(corpus) == {"t.parquet#2": "row is not UTF-8 text"}


def test_a_row_group_of_fewer_rows_than_it_says_costs_the_rows_that_are_not_there(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path = write(tmp_path / "t.parquet", pa.table({"caption": TEXTS}))
    corpus = open_corpus(path)
    read = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *a, **k: (batch[:1] for batch in read(*a, **k)))
    assert [item if isinstance(item, str) else item[1] for item in told(corpus)] == [
        ("one",),
        "row cannot be read",
        ("三",),
    ]


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_images_written_as_base64_are_read(tmp_path: Path, prefix: str) -> None:
    texts = [prefix + base64.b64encode(data).decode() for data in PICTURES]
    rows = [{"image": text, "caption": caption} for text, caption in zip(texts, TEXTS, strict=True)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(tmp_path / "t.parquet", pa.Table.from_pylist(rows))
    for name in ("t.jsonl", "t.parquet"):
        corpus = open_corpus(tmp_path / name)
        assert told(corpus) == [(data, (text,)) for data, text in zip(PICTURES, TEXTS, strict=True)]
        assert list(figures(corpus)) == [f"{name}#{row}" for row in (1, 2, 3)]


def test_numbers_in_a_list_are_no_images(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path / "t.parquet", pa.table({"image": [[1, 2, 3]], "caption": ["c"]})))
    assert told(corpus) == ["image is not a path"]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows"])
def test_any_damage_is_skips_or_one_sentence(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"caption": [f"text {n}" for n in range(9)], "image": [picture()] * 9, "age": range(9)})
    whole = write(tmp_path / f"whole.{suffix}", table).read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole[: rng.integers(0, len(whole))] if rng.random() < 0.2 else whole)
        for place in rng.integers(0, max(1, len(data)), 4):
            data[place : place + 1] = bytes(rng.integers(0, 256, 1, dtype=np.uint8))
        (tmp_path / f"t.{suffix}").write_bytes(data)
        try:
            outcomes.add(len(everything(open_corpus(tmp_path / f"t.{suffix}"))) > 0)
        except CorpusError as error:
            outcomes.add("refused" if "\n" not in str(error) else str(error))
    assert outcomes == {True, "refused"}


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["c"]), pa.array([1]), pa.array([2])], names=["caption", "x", "x"])
    (figure,) = figures(open_corpus(write(tmp_path / "t.parquet", table))).values()
    assert dict(figure.metadata) == {"x": 1, "x_2": 2}


def test_folders_of_partitions_are_columns(tmp_path: Path) -> None:
    for folder, text in (("year=2020/site=A%20B", "one"), ("year=2021/site=__HIVE_DEFAULT_PARTITION__", "two")):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(
            pa.table({"image": PICTURES[:1], "caption": [text]}), tmp_path / folder / "part-0.snappy.parquet"
        )
        (tmp_path / folder / ".part-0.snappy.parquet.crc").write_bytes(b"crc")
    (tmp_path / "_SUCCESS").touch()
    corpus = open_corpus(tmp_path)
    assert dict(corpus.columns) == {"year": "int64", "site": "string"}
    found = [(figure.captions, dict(figure.metadata)) for figure in figures(corpus).values()]
    assert found == [(("one",), {"year": 2020, "site": "A B"}), (("two",), {"year": 2021, "site": None})]


def test_feather_of_the_first_version_and_other_files_are_refused(tmp_path: Path) -> None:
    for content, words in ((b"FEA1 and so on", "first version"), (b"", "not a readable Arrow"), (b"x" * 50, "Arrow")):
        (tmp_path / "t.feather").write_bytes(content)
        with pytest.raises(CorpusError, match=words):
            open_corpus(tmp_path / "t.feather")


@pytest.mark.parametrize("stored", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())])
def test_texts_that_are_stored_as_bytes_are_texts(tmp_path, write, stored):
    """Hive, Impala and older Spark do not say in the file that its strings are such."""
    write("images/a.png", picture())
    write("images/b.png", picture("blue"))
    cells = {
        "image": [b"a.png", b"b.png", b"b.png"],
        "caption": ["Brustkorb seitlich ü".encode(), b"\xff\xfe", b"thorax"],
    }
    pq.write_table(
        pa.table({name: pa.array(some).cast(stored) for name, some in cells.items()}), tmp_path / "a.parquet"
    )
    found = figures(open_corpus(tmp_path))
    assert [(figure.captions, figure.image) for figure in found.values()] == [
        (("Brustkorb seitlich ü",), picture()),
        (("thorax",), picture("blue")),
    ]
    (second,) = [figure for figure in found.values() if figure.captions == ("thorax",)]
    assert second.extra == {"unread_rows": ["a.parquet#2: row is not UTF-8 text"]}


def test_a_second_column_of_images_is_told(tmp_path):
    columns = {
        "front": [picture()],
        "side": [picture("blue")],
        "digest": [b"\x00\xff"],
        "befund": ["a shadow on the left"],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert [note for note in open_corpus(tmp_path).account.notes if "too" in note] == [
        "a.parquet: column 'side' holds images, too, which are not read"
    ]


def test_bytes_under_a_name_of_captions_that_are_no_texts_are_no_captions(tmp_path):
    columns = {"image": [picture()], "caption": ["a red square"], "text": [b"\xff\xfe\x00"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (figure,) = figures(open_corpus(tmp_path)).values()
    assert figure.captions == ("a red square",)
    pq.write_table(pa.table({"image": [picture()], "caption": [b"\xff\xfe\x00"]}), tmp_path / "a.parquet")
    (figure,) = figures(open_corpus(tmp_path, images_only=True)).values()
    assert figure.captions == ()
