"""The types of columns: numbers among words for what is missing, decimal commas, dates, names that look like them."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import keep_types, open_corpus
from retrieval.corpora.tables.column_types import MISSING, ColumnTypes
from retrieval.corpora.tables.values import fitted
from tests.corpora.reading import figures


def column(folder: Path, cells: Sequence[str]) -> tuple[str, list[Any], list[Any]]:
    """Of a column of a CSV table: its type, its values, and what is kept beside them."""
    with open(folder / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerows([("id", "caption", "value"), *((n, "c", cell) for n, cell in enumerate(cells))])
    corpus = open_corpus(folder / "t.csv")
    found = list(figures(corpus).values())
    kind = corpus.columns["value"]
    return kind, [figure.metadata["value"] for figure in found], [figure.extra.get("value") for figure in found]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["34", "NA", " 7 ", "", "unknown", "-"], "int64", [34, None, 7, None, None, None]),
        (["3.5", "N/A", "4", "Not  reported", "–", "?"], "float64", [3.5, None, 4.0, None, None, None]),
        (["12,5", "7", "-0,25", "k.A."], "float64", [12.5, 7.0, -0.25, None]),
        (["1,234", "5,678"], "string", ["1,234", "5,678"]),
        (["1,234", "5,6"], "float64", [1.234, 5.6]),
        (["12,5", "12.5"], "string", ["12,5", "12.5"]),
        (["1,234.5", "7"], "string", ["1,234.5", "7"]),
        (["yes", "No", "unknown", "TRUE"], "bool", [True, False, None, True]),
        (["2020-01-02", "n.d.", "1999-12-31"], "date", ["2020-01-02", None, "1999-12-31"]),
        (["2020-01-02T03:04:05Z", "2021-01-02T03:04:05Z"], "date", ["2020-01-02T03:04:05Z", "2021-01-02T03:04:05Z"]),
        (["2020-01-02", "2020-01-02 03:04"], "string", ["2020-01-02", "2020-01-02 03:04"]),
        (["2020-13-02", "2020-01-02"], "string", ["2020-13-02", "2020-01-02"]),
        (["02.01.2020", "03.01.2020"], "string", ["02.01.2020", "03.01.2020"]),
        (["007", "12"], "string", ["007", "12"]),
        (["1", "45 y", "NA"], "string", ["1", "45 y", "NA"]),
        (["NA", "unknown"], "string", ["NA", "unknown"]),
        ([str(2**63), "1"], "string", [str(2**63), "1"]),
        (["٣", "1"], "string", ["٣", "1"]),
    ],
)
def test_a_column_of_text_has_the_type_that_it_means(
    tmp_path: Path, cells: list[str], kind: str, values: list[Any]
) -> None:
    found = column(tmp_path, cells)
    assert found[:2] == (kind, values)
    beside = [
        cell.strip() if kind != "string" and cell.strip() and value is None else None
        for cell, value in zip(cells, values, strict=True)
    ]
    assert [None if text is None else text.strip() for text in found[2]] == beside, (
        "a word for what is missing is kept beside it"
    )


@given(
    numbers=st.lists(
        st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=5,
    ),
    words=st.lists(st.sampled_from(sorted(MISSING)), max_size=3),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_numbers_among_words_for_what_is_missing_come_back(
    tmp_path: Path, numbers: list[Any], words: list[str]
) -> None:
    kind, values, _ = column(tmp_path, [*map(str, numbers), *words])
    assert kind == ("int64" if all(isinstance(number, int) for number in numbers) else "float64")
    assert values == [*numbers, *[None] * len(words)]


@pytest.mark.slow
@given(days=st.lists(st.dates(), min_size=2, max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_texts_of_dates_are_in_the_order_of_the_days(tmp_path: Path, days: list[datetime.date]) -> None:
    kind, values, _ = column(tmp_path, [str(day) for day in days])
    assert kind == "date"
    assert sorted(values) == [str(day) for day in sorted(days)]


def test_values_of_json_are_numbers_among_words_too() -> None:
    types = ColumnTypes()
    for value in (34, "NA", None, " ", 2.5):
        types.observe("age", value)
    for value in ("2020-01-02", "", "unknown"):
        types.observe("day", value)
    for value in ("12", "13"):
        types.observe("code", value)
    assert types.declared() == {"age": "float64", "day": "date", "code": "string"}
    assert fitted(" ", "float64") is None


def test_a_source_keeps_the_types_that_an_index_declared(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,caption,age,day,code\na,x,34,2020-01-02,7\nb,y,NA,2020-01-03,yes\n")
    corpus = open_corpus(tmp_path / "t.csv")
    assert corpus.columns == {"age": "int64", "day": "date", "code": "string"}
    keep_types(corpus, {"age": "string", "day": "string", "code": "int64"})
    one, two = figures(corpus).values()
    assert (one.metadata, one.extra) == ({"age": "34", "day": "2020-01-02", "code": 7}, {})
    assert (two.metadata, two.extra) == ({"age": "NA", "day": "2020-01-03", "code": None}, {"code": "yes"})
