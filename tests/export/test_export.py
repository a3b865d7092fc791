"""What leaves an index comes back as it was, says whose it is, and appears whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval.errors import FilterError, QueryError
from retrieval.export.export_figures import export
from retrieval.export.writers import FORMATS
from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexer.import_vectors import import_vectors
from retrieval.indexer.remove import remove
from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.searcher import Searcher
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder
from tests.listed import figure, index_of

ADDED = {"attribution", "image_from", "source_uri", "figure_id", "rank", "score"}
NAMES = {"csv": "out.csv", "jsonl": "out.jsonl", "parquet": "out.parquet", "tar": "out.tar", "folder": "out"}
ROWS: list[dict[str, Any]] = [
    {
        "id": "PMC1/F1",
        "image": "a.png",
        "caption": "a red field",
        "article_id": "PMC1",
        "year": 2019,
        "licence": "cc-by",
    },
    {
        "id": "PMC1/F2",
        "image": "b.jpg",
        "caption": ["blue", 'a second, "quoted"\nblue'],
        "article_id": "PMC1",
        "year": 2020,
        "licence": "cc0",
        "label": "Fig. 2",
        "authors": ["A. Weber", "B. Roy"],
        "boxes": [[1, 2], [3, 4]],
    },
    {"id": "alone", "image": "sub/c.png", "caption": "=green", "share": 0.5, "width": 7, "image_from": "?"},
    {"id": "no caption.v2", "image": "d.png", "caption": None, "article_id": "PMC3", "open": True},
    {"id": "words", "image": None, "caption": "yellow words only", "article_id": "PMC3", "rank": "first"},
]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def csv_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def written(folder: Path) -> Path:
    """A folder of a table and five figures: one of several captions, one without any, one without an image."""
    (folder / "sub").mkdir(parents=True)
    for row, colour in zip(ROWS, ("red", "blue", "green", "black", ""), strict=True):
        if row["image"]:
            Image.new("RGB", (40, 30), colour).save(folder / row["image"])
    (folder / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return folder


def indexed(source: Path, index: Path, **options: Any) -> Path:
    encode(source, index, ColourEncoder(), **{"shard_size": 2, "max_skips": 1.0} | options)
    build(index)
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of that folder, for tests that leave both as they are."""
    home = tmp_path_factory.mktemp("shared")
    return indexed(written(home / "source"), home / "index")


def told(index: Path) -> dict[str, Any]:
    """Every figure of an index, with the bytes it was made of and nothing that an export adds."""
    built = OpenedIndex(index)
    sums = built.shards.columns("images", ["figure_id", "sha256"]).to_pydict()
    figures: dict[str, Any] = {}
    for kind in TABLE_OF:
        for about in built.describe(kind, list(range(built.count(kind)))):
            metadata = {
                name: value for name, value in about["metadata"].items() if name not in ADDED and value is not None
            }
            figures[about["figure_id"]] = [about["captions"], about["article_id"], about["width"], metadata]
    digests = dict(zip(sums["figure_id"], sums["sha256"], strict=True))
    return {name: [*values, digests.get(name)] for name, values in figures.items()}


def renamed(figures: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("no caption.v2", "no_caption_v2~3"): values for name, values in figures.items()}


@pytest.mark.parametrize("format", ["folder", "tar", "parquet"])
def test_an_export_is_indexed_again_to_the_same_figures(index: Path, tmp_path: Path, format: str) -> None:
    before = told(index)
    assert len(before) == 5
    out = tmp_path / NAMES[format]
    assert export(index, out).format == format
    after = told(indexed(out, tmp_path / "again"))
    if format == "tar":
        assert after == renamed(before)
    elif format == "parquet":  # nested and undeclared values stand in one column of JSON there
        assert {name: values[:3] + values[4:] for name, values in after.items()} == {
            name: values[:3] + values[4:] for name, values in before.items()
        }
    else:
        assert after == before


def test_a_second_export_says_of_each_figure_what_the_first_one_said(index: Path, tmp_path: Path) -> None:
    export(index, tmp_path / "one")
    export(indexed(tmp_path / "one", tmp_path / "again"), tmp_path / "two")
    lines = [lines_of(tmp_path / name / "captions.jsonl") for name in ("one", "two")]
    for row in (*lines[0], *lines[1]):
        row["image"] = row["image"] is not None
    assert sorted(lines[0], key=str) == sorted(lines[1], key=str)


def test_originals_are_written_where_the_source_still_has_them_and_thumbnails_otherwise(
    tmp_path: Path,
) -> None:
    source = written(tmp_path / "source")
    index = indexed(source, tmp_path / "index")
    Image.new("RGB", (40, 30), "white").save(source / "a.png")
    (source / "b.jpg").unlink()
    done = export(index, tmp_path / "out")
    assert (done.figures, done.originals, done.thumbnails, done.captions) == (5, 2, 2, 5)
    rows = {row["figure_id"]: row for row in lines_of(tmp_path / "out" / "captions.jsonl")}
    assert {name: row["image_from"] for name, row in rows.items()} == {
        "PMC1/F1": "thumbnail", "PMC1/F2": "thumbnail", "alone": "original", "no caption.v2": "original", "words": None,
    }  # fmt: skip
    assert (tmp_path / "out" / rows["alone"]["image"]).read_bytes() == (source / "sub" / "c.png").read_bytes()
    assert rows["PMC1/F1"]["image"].endswith(".jpg")
    shutil.rmtree(source)
    done = export(index, tmp_path / "later")
    assert (done.originals, done.thumbnails) == (0, 4)
    again = indexed(tmp_path / "later", tmp_path / "again")
    assert export(again, tmp_path / "third").thumbnails == 4


@pytest.mark.parametrize("size", [3, 50])
def test_originals_are_found_behind_figures_that_were_skipped(tmp_path: Path, size: int) -> None:
    draw_colours(tmp_path / "source", 24)
    for number in (0, 4, 5, 11, 23):
        (tmp_path / "source" / f"{number:03d}.png").write_bytes(b"broken")
    encode(tmp_path / "source", tmp_path / "index", ColourEncoder(), shard_size=size, max_skips=1.0, thumbnail=0)
    build(tmp_path / "index")
    done = export(tmp_path / "index", tmp_path / "all.parquet")
    assert (done.figures, done.originals) == (19, 19)
    some = ["022", "001", "006"]
    done = export(tmp_path / "index", tmp_path / "some.parquet", ids=some)
    rows = pq.read_table(tmp_path / "some.parquet").to_pylist()
    assert [row["figure_id"] for row in rows] == ["001", "006", "022"]
    for row in rows:
        assert row["image"] == (tmp_path / "source" / f"{row['figure_id']}.png").read_bytes()


def test_every_row_of_every_format_has_its_attribution(index: Path, tmp_path: Path) -> None:
    wanted = {
        "PMC1/F1": "PMC1/F1, 2019, cc-by",
        "PMC1/F2": "PMC1, Fig. 2, A. Weber, B. Roy, 2020, cc0",
        "alone": "alone, licence unknown",
        "no caption.v2": "PMC3, no caption.v2, licence unknown",
        "words": "PMC3, words, licence unknown",
    }
    for format in FORMATS:
        assert export(index, tmp_path / NAMES[format]).without_licence == 3
    lines = {line["figure_id"]: line["attribution"] for line in lines_of(tmp_path / "out.jsonl")}
    assert lines == wanted
    assert {row["figure_id"]: row["attribution"] for row in csv_of(tmp_path / "out.csv")} == wanted
    table = pq.read_table(tmp_path / "out.parquet")
    assert dict(zip(table["figure_id"].to_pylist(), table["attribution"].to_pylist(), strict=True)) == wanted
    text = (tmp_path / "out" / "ATTRIBUTION.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1] for line in text] == list(wanted.values())
    assert text[4].split("\t")[0] == "words"
    assert (tmp_path / "out" / text[0].split("\t")[0]).is_file()
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert tar.extractfile("ATTRIBUTION").read().decode().splitlines()[1] == f"PMC1/F2\t{wanted['PMC1/F2']}"  # type: ignore[union-attr]
        assert json.load(tar.extractfile("PMC1/F2.json"))["attribution"] == wanted["PMC1/F2"]  # type: ignore[arg-type]


def test_a_table_says_everything_in_columns(index: Path, tmp_path: Path) -> None:
    export(index, tmp_path / "out.csv")
    export(index, tmp_path / "out.parquet", embeddings=True)
    assert (tmp_path / "out.csv").read_bytes().count(b"\r\n") == 6
    rows = csv_of(tmp_path / "out.csv")
    assert (rows[1]["caption"], json.loads(rows[1]["captions"])) == ("blue", ROWS[1]["caption"])
    assert (rows[2]["caption"], rows[2]["captions"], rows[2]["year"], rows[2]["share"]) == ("=green", "", "", "0.5")
    assert json.loads(rows[1]["extra"]) == {"authors": ["A. Weber", "B. Roy"], "boxes": [[1, 2], [3, 4]]}
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("year").type) == "int64"
    assert table["caption"].to_pylist()[1] == ROWS[1]["caption"]
    embeddings = table["image_embedding"].to_pylist()
    stored = np.asarray(OpenedIndex(index).vectors("image"), dtype=np.float32)
    np.testing.assert_array_equal(np.array(embeddings[:4], dtype=np.float32), stored)
    assert embeddings[4] is None
    export(index, tmp_path / "plain.parquet")
    assert "image_embedding" not in pq.read_schema(tmp_path / "plain.parquet").names


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (["year>=2020"], ["PMC1/F2"]),
        (["article_id=PMC3"], ["no caption.v2", "words"]),
        (["caption~blue", "licence=cc0"], ["PMC1/F2"]),
        (["caption~yellow"], ["words"]),
        (["width=40", "article_id=PMC1"], ["PMC1/F1", "PMC1/F2"]),
    ],
)
def test_clauses_choose_figures_by_their_image_or_any_of_their_captions(
    index: Path, tmp_path: Path, where: list[str], left: list[str]
) -> None:
    assert export(index, tmp_path / "out.jsonl", where=where).figures == len(left)
    assert [row["figure_id"] for row in lines_of(tmp_path / "out.jsonl")] == left


def test_ids_and_clauses_hold_together_in_the_order_of_the_index(index: Path, tmp_path: Path) -> None:
    ids = ["words", "PMC1/F2", "PMC1/F1", "words"]
    export(index, tmp_path / "out.jsonl", ids=ids, where=["article_id=PMC1"])
    assert [row["figure_id"] for row in lines_of(tmp_path / "out.jsonl")] == ["PMC1/F1", "PMC1/F2"]


def test_hits_come_out_best_first_with_rank_and_score(index: Path, tmp_path: Path) -> None:
    hits = Searcher(index, ColourEncoder()).search("blue", k=3)
    export(index, tmp_path / "out.csv", hits=hits)
    rows = csv_of(tmp_path / "out.csv")
    assert [row["figure_id"] for row in rows] == [hit.figure_id for hit in hits]
    assert [int(row["rank"]) for row in rows] == [1, 2, 3]
    assert float(rows[0]["score"]) == pytest.approx(hits[0].score)
    captions = Searcher(index, ColourEncoder()).search("blue", target="text", k=4)
    assert [hit.figure_id for hit in captions].count("PMC1/F2") == 2
    done = export(index, tmp_path / "captions.parquet", hits=captions)
    assert done.figures == 3
    best = {hit.figure_id: hit.rank for hit in reversed(captions)}
    table = pq.read_table(tmp_path / "captions.parquet").to_pydict()
    assert dict(zip(table["figure_id"], table["rank"], strict=True)) == best
    assert table["rank"] == sorted(table["rank"])


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_breaks_off_leaves_nothing(
    index: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("retrieval.export.figure_rows.attribution", breaking_after(2))
    with pytest.raises(OSError, match="No space"):
        export(index, tmp_path / NAMES[format])
    assert sorted(tmp_path.iterdir()) == before


def breaking_after(count: int) -> Any:
    calls = iter(range(count))

    def attribution(row: Any) -> str:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        return "line"

    return attribution


@pytest.mark.parametrize("format", FORMATS)
def test_two_exports_of_one_index_are_the_same_bytes(index: Path, tmp_path: Path, format: str) -> None:
    for place in ("one", "two"):
        export(index, tmp_path / place / NAMES[format])
    files = [sorted((tmp_path / place).rglob("*")) for place in ("one", "two")]
    assert [path.name for path in files[0]] == [path.name for path in files[1]]
    for one, two in zip(*files, strict=True):
        assert one.is_dir() or one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("there.csv", {}, QueryError, "there.csv: exists; export to a new name"),
        ("out.xlsx", {}, QueryError, "out.xlsx: no format is called xlsx; name it .csv, .jsonl, .parquet or .tar"),
        ("out.csv", {"embeddings": True}, QueryError, "embeddings go into a .parquet table only"),
        ("out.csv", {"ids": ["words", "nobody"]}, QueryError, "1 of 2 figure ids are not in it, first 'nobody'"),
        ("out.csv", {"where": ["year>3000"]}, QueryError, "no figure is left to export"),
        ("out.csv", {"where": ["colour=red"]}, FilterError, "no column colour"),
    ],
)
def test_an_impossible_export_is_refused(
    index: Path, tmp_path: Path, name: str, options: Any, error: type[Exception], said: str
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(error, match=said.replace(".", r"\.")):
        export(index, tmp_path / name, **options)
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert not (tmp_path / "out.csv").exists()


def test_a_format_can_be_named_where_the_suffix_does_not_tell(index: Path, tmp_path: Path) -> None:
    assert export(index, tmp_path / "figures.v2", format="folder").format == "folder"
    assert (tmp_path / "figures.v2" / "captions.jsonl").is_file()


def test_an_index_of_one_picture_without_a_source_or_thumbnail_is_exported_without_it(tmp_path: Path) -> None:
    index_of(tmp_path / "index", [figure("red", (255, 0, 0), "255 0 0")])
    done = export(tmp_path / "index", tmp_path / "out")
    assert (done.figures, done.originals, done.thumbnails) == (1, 0, 0)
    assert json.loads((tmp_path / "out" / "captions.jsonl").read_text())["image"] is None


@pytest.mark.parametrize("format", ["folder", "tar"])
def test_real_figures_come_back_as_they_went_out(shared_data: Path, tmp_path: Path, format: str) -> None:
    index = indexed(shared_data / "papers-modern", tmp_path / "index", shard_size=100)
    before = told(index)
    done = export(index, tmp_path / NAMES[format])
    assert (done.figures, done.originals, done.without_licence) == (len(before), len(before), 0)
    after = told(indexed(tmp_path / NAMES[format], tmp_path / "again", shard_size=100))
    assert len(after) == len(before) > 300
    assert sorted(map(repr, after.values())) == sorted(map(repr, before.values()))


def test_figures_of_an_index_that_has_changed_keep_their_originals(tmp_path: Path) -> None:
    """Rows withdrawn do not shift those behind them; what was added later is found in its own source."""
    for name, count in (("source", 12), ("more", 14)):
        draw_colours(tmp_path / name, count)
    index = indexed(tmp_path / "source", tmp_path / "index", shard_size=5)
    remove(index, ["001", "002", "007"])
    add(index, tmp_path / "more", ColourEncoder())
    build(index)
    done = export(index, tmp_path / "out.parquet")
    rows = {row["figure_id"]: row for row in pq.read_table(tmp_path / "out.parquet").to_pylist()}
    assert len(rows) == done.figures == 14
    originals = {name for name, row in rows.items() if row["image_from"] == "original"}
    assert originals == rows.keys()
    added = {"001", "002", "007", "012", "013"}
    for name in originals:
        source = tmp_path / ("more" if name in added else "source")
        assert rows[name]["image"] == (source / f"{name}.png").read_bytes()
    shutil.rmtree(tmp_path / "more")
    assert export(index, tmp_path / "again.parquet").thumbnails == len(added)


@pytest.mark.parametrize("kept", [1, 3])
def test_a_source_that_holds_less_than_it_did_gives_what_it_has(tmp_path: Path, kept: int) -> None:
    source = written(tmp_path / "source")
    index = indexed(source, tmp_path / "index")
    lines = (source / "captions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (source / "captions.jsonl").write_text("".join(lines[:kept]), encoding="utf-8")
    done = export(index, tmp_path / "out")
    assert (done.originals, done.thumbnails) == (kept, 4 - kept)


def test_an_exported_table_with_embeddings_is_imported_as_vectors_of_the_same_encoder(
    index: Path, tmp_path: Path
) -> None:
    export(index, tmp_path / "out.parquet", embeddings=True)
    imported = import_vectors(tmp_path / "out.parquet", tmp_path / "again", max_skips=1)
    before, after = Shards(index), Shards(tmp_path / "again")
    assert after.plan.encoder_fingerprint == before.plan.encoder_fingerprint
    assert imported.images == before.count("images")
    assert [row["figure_id"] for row in after.take("images", range(imported.images), ["figure_id"])] == [
        row["figure_id"] for row in before.take("images", range(imported.images), ["figure_id"])
    ]


def test_one_clause_and_one_id_may_be_given_as_a_string(index: Path, tmp_path: Path) -> None:
    exported = export(index, tmp_path / "out.jsonl", where="year >= 2020", ids="PMC1/F2")
    assert [line["figure_id"] for line in lines_of(tmp_path / "out.jsonl")] == ["PMC1/F2"]
    assert repr(exported) == "<Exported jsonl: 1 figure, 2 captions>"
