"""Where clauses: what is understood, what is refused with a way out, and which rows are kept."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import FilterError
from retrieval.shards.where import matching_rows, other_values, parse

COLUMNS = {
    "year": "int64",
    "score": "float64",
    "open": "bool",
    "journal": "string",
    "dc.title": "string",
    "image-type": "string",
    "Patient Age": "int64",
    "größe": "int64",
    "within": "string",
}


@pytest.mark.parametrize(
    ("text", "column", "operator", "value"),
    [
        ("year=2018", "year", "=", 2018),
        ("year==2018", "year", "==", 2018),
        (" year >= 2018 ", "year", ">=", 2018),
        ("year<=2018", "year", "<=", 2018),
        ("year>-3", "year", ">", -3),
        ("year<2018", "year", "<", 2018),
        ("year!=2018", "year", "!=", 2018),
        ("year in 2018, 2019", "year", "in", (2018, 2019)),
        ("score<1e-3", "score", "<", 0.001),
        ("score>-inf", "score", ">", -math.inf),
        ("open=true", "open", "=", True),
        ("open = NO", "open", "=", False),
        ("open in yes,0", "open", "in", (True, False)),
        ("journal=Nature Methods", "journal", "=", "Nature Methods"),
        ("journal~brain", "journal", "~", "brain"),
        ("journal ~ a=b > c", "journal", "~", "a=b > c"),
        ("journal=", "journal", "=", ""),
        ("journal in a b, c", "journal", "in", ("a b", "c")),
        ("journal=x in y", "journal", "=", "x in y"),
        ("journal=two\nlines", "journal", "=", "two\nlines"),
        ("dc.title=x", "dc.title", "=", "x"),
        ("image-type in ct,mri", "image-type", "in", ("ct", "mri")),
        ("Patient Age>=40", "Patient Age", ">=", 40),
        ("Patient Age in 4,5", "Patient Age", "in", (4, 5)),
        ("größe>3", "größe", ">", 3),
        ("within~x", "within", "~", "x"),
        ("within in a,b", "within", "in", ("a", "b")),
        ("year not in 2018, 2019", "year", "not in", (2018, 2019)),
        ("journal not  in a b, c", "journal", "not in", ("a b", "c")),
        ("journal!~brain", "journal", "!~", "brain"),
        ("journal !~ is missing", "journal", "!~", "is missing"),
        ("year is missing", "year", "is", False),
        (" Patient Age is known ", "Patient Age", "is", True),
        ("journal=this is missing", "journal", "=", "this is missing"),
        ("journal=Science and Nature", "journal", "=", "Science and Nature"),
        ("journal~heart or volume=3", "journal", "~", "heart or volume=3"),
    ],
)
def test_clauses_that_are_understood(text: str, column: str, operator: str, value: Any) -> None:
    clause = parse(text, COLUMNS)
    assert (clause.column, clause.operator, clause.value) == (column, operator, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not understood"),
        ("year", "not understood"),
        ("a red thing", "not understood"),
        ("=3", "not understood"),
        ("journal=\udcff", "not understood"),
        ("yaer=3", "no column yaer; there are Patient Age, dc.title, größe"),
        ("year=two", "'two' is not a value of column year, which is int64"),
        ("year=2.5", "is not a value"),
        ("year=", "is not a value"),
        ("year in 1,,2", "'' is not a value"),
        ("year=99999999999999999999", "is not a value"),
        ("year=-9223372036854775809", "is not a value"),
        ("score=high", "which is float64"),
        ("open=perhaps", "which is bool"),
        ("year~20", "looks inside text"),
        ("year!~20", "looks inside text"),
        ("year is 2018", "a column is missing or is known, not '2018'; use = for a value"),
        ("year not in 1,x", "'x' is not a value"),
        ("yaer is missing", "no column yaer; there are"),
        ("year>2010 and year<2015", "is one condition a clause; give each condition as a clause of its own"),
        ("journal=brain or journal!=x", "there is no or between clauses; several values of one column are column in"),
        ("journal=brain AND Patient Age in 4,5", "give each condition as a clause of its own"),
    ],
)
def test_clauses_that_are_refused_say_what_would_do(text: str, said: str) -> None:
    with pytest.raises(FilterError, match="where") as raised:
        parse(text, COLUMNS)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


TABLE = pa.table(
    {
        "year": pa.array([2017, 2018, None, 2020], pa.int64()),
        "score": pa.array([0.5, None, math.nan, -1.0], pa.float64()),
        "open": pa.array([True, False, None, True], pa.bool_()),
        "journal": pa.array(["Brain", "brain research", None, "Ärzte (a.b)"], pa.string()),
        "width": pa.array([10, 20, 30, 40], pa.int32()),
    }
)
TYPES = {"year": "int64", "score": "float64", "open": "bool", "journal": "string", "width": "int64"}


@pytest.mark.parametrize(
    ("clauses", "rows"),
    [
        ([], [0, 1, 2, 3]),
        (["year>=2018"], [1, 3]),
        (["year!=2018"], [0, 3]),
        (["year in 2017,2020,1"], [0, 3]),
        (["score<1"], [0, 3]),
        (["score!=0.5"], [2, 3]),
        (["open=true"], [0, 3]),
        (["open<true"], [1]),
        (["journal~BRAIN"], [0, 1]),
        (["journal~(a.b)"], [3]),
        (["journal~ärzte"], [3]),
        (["journal~"], [0, 1, 3]),
        (["journal=brain"], []),
        (["journal in Brain,x"], [0]),
        (["journal!~BRAIN"], [3]),
        (["year not in 2017,1"], [1, 3]),
        (["journal not in Brain,x"], [1, 3]),
        (["open not in true"], [1]),
        (["year is missing"], [2]),
        (["score is known"], [0, 2, 3]),
        (["score is missing", "year is known"], [1]),
        (["year>2000", "open=true", "journal~a"], [0, 3]),
        (["year>2000", "year<2000"], []),
        (["width<5000000000"], [0, 1, 2, 3]),
        (["width in 20,5000000000"], [1]),
        (["width>-9223372036854775808"], [0, 1, 2, 3]),
    ],
)
def test_rows_that_fulfil_every_clause_are_kept_and_a_missing_value_fulfils_is_missing_only(
    clauses: list[str], rows: list[int]
) -> None:
    assert matching_rows(TABLE, [parse(text, TYPES) for text in clauses]).tolist() == rows


def test_a_table_of_several_chunks_and_one_of_none_are_filtered_alike() -> None:
    clause = parse("year>=2018", TYPES)
    assert matching_rows(pa.concat_tables([TABLE, TABLE.slice(0, 0), TABLE]), [clause]).tolist() == [1, 3, 5, 7]
    assert matching_rows(TABLE.schema.empty_table(), [clause]).tolist() == []


PYTHON = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.integers(-3, 3), max_size=12),
    st.sampled_from(sorted(PYTHON)),
    st.integers(-3, 3),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3),
)
def test_numbers_are_kept_as_python_would_keep_them(
    values: list[int | None], operator: str, value: int, among: list[int]
) -> None:
    for kind, type_ in (("int64", pa.int64()), ("float64", pa.float64())):
        table = pa.table({"n": pa.array(values, type_)})
        compared = matching_rows(table, [parse(f"n{operator}{value}", {"n": kind})])
        assert compared.tolist() == [i for i, v in enumerate(values) if v is not None and PYTHON[operator](v, value)]
        listed = matching_rows(table, [parse(f"n in {','.join(map(str, among))}", {"n": kind})])
        assert listed.tolist() == [i for i, v in enumerate(values) if v in among]
        others = matching_rows(table, [parse(f"n not in {','.join(map(str, among))}", {"n": kind})])
        missing = matching_rows(table, [parse("n is missing", {"n": kind})])
        assert sorted([*listed, *others, *missing]) == list(range(len(values)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text("abAB .%_", max_size=4), max_size=10), st.text("abAB.%_", min_size=1, max_size=2))
def test_text_is_kept_as_python_would_keep_it(values: list[str | None], value: str) -> None:
    table = pa.table({"s": pa.array(values, pa.string())})
    inside = matching_rows(table, [parse(f"s~{value}", {"s": "string"})])
    assert inside.tolist() == [i for i, v in enumerate(values) if v is not None and value.lower() in v.lower()]
    outside = matching_rows(table, [parse(f"s!~{value}", {"s": "string"})])
    assert outside.tolist() == [i for i, v in enumerate(values) if v is not None and value.lower() not in v.lower()]
    equal = matching_rows(table, [parse(f"s={value}", {"s": "string"})])
    assert equal.tolist() == [i for i, v in enumerate(values) if v == value]


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ("licence=cc-by", ["CC-BY"]),
        ("licence in cc-by,cc0", ["CC-BY", "CC0"]),
        ("licence=GPL", ["CC-BY", "CC0"]),
        ("licence in GPL,CC0", []),
        ("licence~gpl", []),
        ("licence is missing", []),
        ("year=3", []),
    ],
)
def test_a_value_that_is_not_there_is_answered_with_those_that_are(clause: str, found: list[str]) -> None:
    table = pa.table({"licence": ["CC0", "CC-BY", "CC-BY", None], "year": [1, 2, 1, 1]})
    asked = parse(clause, {"licence": "string", "year": "int64"})
    assert other_values(asked, table[asked.column]) == found
