"""Files as the libraries that people write them with do: Polars, DuckDB, pandas, datasets of Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Corpus, Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import everything

COLOURS = ["red", "blue", "green", "white"]
ROWS = [
    {"id": f"f{n}", "image": picture(colour), "caption": f"a {colour} é", "age": n, "weight": n / 2, "ok": n > 1}
    for n, colour in enumerate(COLOURS)
]


def told(corpus: Corpus) -> list[tuple[Any, ...]]:
    return [
        (figure.figure_id, figure.image, figure.captions, dict(figure.metadata))
        for figure in everything(corpus, 3)
        if isinstance(figure, Figure)
    ]


EXPECTED = [
    (row["id"], row["image"], (row["caption"],), {name: row[name] for name in ("age", "weight", "ok")}) for row in ROWS
]
FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "image": datasets.Image(),
        "caption": datasets.Value("string"),
        "age": datasets.Value("int32"),
        "weight": datasets.Value("float32"),
        "ok": datasets.Value("bool"),
    }
)


@pytest.fixture
def dataset() -> Any:
    rows = [row | {"image": {"bytes": row["image"], "path": None}} for row in ROWS]
    return datasets.Dataset.from_list(rows, features=FEATURES)


@pytest.fixture(autouse=True)
def quiet() -> None:
    datasets.disable_progress_bars()


def by_polars(path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(path)


def by_polars_stream(path: Path) -> None:
    pl.DataFrame(ROWS).lazy().sink_parquet(path)


def by_polars_feather(path: Path) -> None:
    pl.DataFrame(ROWS).write_ipc(path, compression="zstd")


def by_polars_arrows(path: Path) -> None:
    pl.DataFrame(ROWS).write_ipc_stream(path, compression="lz4")


def by_duckdb(path: Path) -> None:
    frame = pl.DataFrame(ROWS).to_arrow()  # noqa: F841 — DuckDB finds it by its name
    query = (
        "SELECT id, image::BLOB AS image, caption, age::HUGEINT AS age, weight::DECIMAL(5, 2) AS weight, ok FROM frame"
    )
    duckdb.sql(query).write_parquet(str(path), compression="snappy")


def by_pandas(path: Path) -> None:
    pd.DataFrame(ROWS).set_index("id").to_parquet(path)


def by_pandas_feather(path: Path) -> None:
    pd.DataFrame(ROWS).to_feather(path)


@pytest.mark.parametrize(
    ("write", "suffix"),
    [
        *((write, "parquet") for write in (by_polars, by_polars_stream, by_duckdb, by_pandas)),
        *((by_polars_feather, "feather"), (by_polars_arrows, "arrows"), (by_pandas_feather, "feather")),
    ],
)
def test_a_file_says_what_its_rows_do(tmp_path: Path, write: Any, suffix: str) -> None:
    write(tmp_path / f"t.{suffix}")
    assert sorted(told(open_corpus(tmp_path / f"t.{suffix}"))) == EXPECTED
    assert sorted(told(open_corpus(tmp_path))) == EXPECTED


def test_files_that_duckdb_read_whole_are_there_without_the_files(tmp_path: Path) -> None:
    for row in ROWS:
        (tmp_path / f"{row['id']}.png").write_bytes(row["image"])
    query = f"SELECT filename, content, 'x ' || size AS caption FROM read_blob('{tmp_path}/*.png')"
    duckdb.sql(query).write_parquet(str(tmp_path / "t.parquet"))
    for row in ROWS:
        (tmp_path / f"{row['id']}.png").unlink()
    found = told(open_corpus(tmp_path / "t.parquet"))
    assert {Path(name).stem: image for name, image, _, _ in found} == {row["id"]: row["image"] for row in ROWS}


@pytest.mark.parametrize("by", ["polars", "duckdb", "pandas"])
def test_partitions_are_columns_as_their_writers_read_them_back(tmp_path: Path, by: str) -> None:
    rows = [
        row | {"site": site, "month": month}
        for row, site, month in zip(ROWS, ["A/B", "c d", "é", None], [1, 2, 11, 12], strict=True)
    ]
    folder = tmp_path / "parts"
    if by == "polars":
        pl.DataFrame(rows).write_parquet(folder, partition_by=["site", "month"], mkdir=True)
    elif by == "pandas":
        pd.DataFrame(rows).to_parquet(folder, partition_cols=["site", "month"])
    else:
        frame = pl.DataFrame(rows).to_arrow()  # noqa: F841
        duckdb.sql(f"COPY frame TO '{folder}' (FORMAT parquet, PARTITION_BY (site, month))")
    corpus = open_corpus(folder)
    found = {figure[0]: (figure[1], figure[3]["site"], figure[3]["month"]) for figure in told(corpus)}
    wanted = {row["id"]: (row["image"], row["site"], row["month"]) for row in rows}
    if by == "pandas":  # leaves out of what it writes as a folder the rows whose key is missing, or keeps them
        wanted = {key: value for key, value in wanted.items() if key in found}
    assert found == wanted
    assert corpus.columns["month"] == "int64"


def test_a_saved_dataset_is_read_with_its_splits(tmp_path: Path, dataset: Any) -> None:
    dataset.save_to_disk(tmp_path / "one", num_shards=2)
    corpus = open_corpus(tmp_path / "one")
    assert told(corpus) == EXPECTED
    assert str(corpus.account) == "4 files: 2 listings, 2 tables"
    datasets.DatasetDict(train=dataset.select([0, 1]), test=dataset.select([3, 2])).save_to_disk(tmp_path / "two")
    corpus = open_corpus(tmp_path / "two")
    splits = {"f0": "train", "f1": "train", "f2": "test", "f3": "test"}
    assert sorted(told(corpus)) == [(*one[:3], one[3] | {"split": splits[one[0]]}) for one in EXPECTED]
    assert not corpus.account.unread
    (tmp_path / "two" / "test" / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(CorpusError, match="lists this file and it is missing"):
        open_corpus(tmp_path / "two")


def test_a_dataset_in_parquet_is_read(tmp_path: Path, dataset: Any) -> None:
    dataset.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    assert told(open_corpus(tmp_path)) == EXPECTED


def test_versions_of_a_table_are_not_read_as_one(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "part-0.parquet")
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(CorpusError, match="a Delta Lake table, whose files hold deleted rows too"):
        open_corpus(tmp_path)
