"""Parquet and Arrow files, as the libraries that write them do, and folders of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpora.ways import PICTURES, TEXTS, Way, images

PAIRS = [{"image": PICTURES[n], "caption": TEXTS[n]} for n in range(3)]
NAMED = [{"image": f"{n}.png", "caption": TEXTS[n]} for n in range(3)]
FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FILES = [{"bytes": PICTURES[n], "path": f"{n}.png"} for n in range(3)]


def parquet(rows: Any, **options: Any) -> bytes:
    """The bytes of a Parquet file as Arrow writes it."""
    file = io.BytesIO()
    pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows), file, **options)
    return file.getvalue()


def written(write: Callable[[Path], object]) -> Mapping[str, bytes]:
    """The files that `write` leaves below a folder, by their names."""
    with TemporaryDirectory() as folder:
        write(Path(folder))
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }


def of_spark(rows: Any) -> bytes:
    return parquet(rows, compression="snappy", version="1.0", use_deprecated_int96_timestamps=True)


def of_duckdb(folder: Path) -> None:
    frame = pa.Table.from_pylist(PAIRS)  # noqa: F841 — DuckDB finds it by its name
    duckdb.sql(f"COPY (SELECT image::BLOB AS image, caption FROM frame) TO '{folder}/pairs.parquet' (COMPRESSION zstd)")


def saved(folder: Path, *, splits: bool = False) -> None:
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    rows = [{"image": file, "caption": TEXTS[n]} for n, file in enumerate(FILES)]
    dataset = datasets.Dataset.from_list(rows, features=features)
    parts = datasets.DatasetDict(train=dataset.select([0, 1]), test=dataset.select([2])) if splits else dataset
    parts.save_to_disk(str(folder))


def stored(kind: pa.DataType) -> pa.Table:
    return pa.table({"image": pa.array(FILES, FILE), "caption": pa.array(list(TEXTS[:3]), pa.string()).cast(kind)})


WAYS = [
    Way(
        "Parquet of Polars (views, Zstandard)", written(lambda at: pl.DataFrame(PAIRS).write_parquet(at / "p.parquet"))
    ),
    Way("Parquet of DuckDB", written(of_duckdb)),
    Way(
        "Parquet of pandas, images as paths",
        {**images("{}.png"), "t.parquet": parquet(pa.Table.from_pandas(pd.DataFrame(NAMED)))},
    ),
    Way(
        "Parquet of Hugging Face, several files of a split",
        {f"data/train-0000{n}-of-00003.parquet": parquet([{"image": FILES[n], "caption": TEXTS[n]}]) for n in range(3)},
    ),
    Way(
        "Parquet of lists of images, one in each row",
        {"t.parquet": parquet(pa.table({"images": [[file] for file in FILES], "caption": list(TEXTS[:3])}))},
    ),
    Way(
        "Parquet of lists of images, several in a row",
        {"t.parquet": parquet(pa.table({"images": [FILES[:2], FILES[2:]], "caption": list(TEXTS[:2])}))},
        ((0, (TEXTS[0],)), (1, (TEXTS[0],)), (2, (TEXTS[1],))),
    ),
    Way(
        "Parquet of dictionaries and large strings",
        {"t.parquet": parquet(stored(pa.dictionary(pa.int32(), pa.large_string())))},
    ),
    Way(
        "Parquet of Spark, a folder of parts with _SUCCESS",
        {**{f"pairs/part-0000{n}-c000.snappy.parquet": of_spark([PAIRS[n]]) for n in range(3)}, "pairs/_SUCCESS": ""},
    ),
    Way(
        "Parquet in folders by year (Hive, Spark, Polars)",
        {f"year={2020 + n}/part-0.parquet": parquet([PAIRS[n]]) for n in range(3)},
    ),
    Way(
        "Delta Lake table",
        {"part-0.parquet": parquet(PAIRS), "_delta_log/00000000000000000000.json": "{}"},
        refusal="a Delta Lake table, whose files hold deleted rows too; save its current version as Parquet",
    ),
    Way("Feather of pandas", written(lambda at: pd.DataFrame(PAIRS).to_feather(at / "pairs.feather"))),
    Way("Arrow stream of Polars", written(lambda at: pl.DataFrame(PAIRS).write_ipc_stream(at / "pairs.arrows"))),
    Way("folder of save_to_disk", written(saved)),
    Way("folder of save_to_disk with splits", written(lambda at: saved(at, splits=True))),
    Way(
        "Parquet of which the download broke off",
        {"t.parquet": parquet(PAIRS)[:-50]},
        refusal=r"t\.parquet: not a readable Parquet file .*write or download it again",
        source="t.parquet",
    ),
    Way(
        "Parquet of images in base64",
        {
            "t.parquet": parquet(
                [
                    {"image": "data:image/png;base64," + base64.b64encode(PICTURES[n]).decode(), "caption": TEXTS[n]}
                    for n in range(3)
                ]
            )
        },
    ),
    Way(
        "Parquet of images as read_blob of DuckDB reads them, without the files",
        {
            "t.parquet": parquet(
                [{"filename": f"/gone/{n}.png", "content": PICTURES[n], "caption": TEXTS[n]} for n in range(3)]
            )
        },
    ),
]
