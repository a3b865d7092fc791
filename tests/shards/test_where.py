"""Where clauses: what is understood, what is refused with a way out, and which rows are kept."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import FilterError
from retrieval.shards.conditions import matching_rows
from retrieval.shards.filters import nearest
from retrieval.shards.where import parse

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
        ("year>2010 and yaer<2015", "no column yaer; there are"),
        ("journal=brain or yaer = 3", "no column yaer; there are"),
        ("year=3 and a red thing", "'3 and a red thing' is not a value"),
        ("(year=3", "the bracket at character 1 is not closed; close it with )"),
        ("year in (3, 4", "the bracket at character 9 is not closed"),
        ("journal in ()", "the list is empty"),
        ("journal='brain", 'at "\'brain" (character 9): the quote is not closed'),
        ("journal='brain' x", "at 'x' (character 17): AND, OR or the end was expected"),
        ("year between 3", "BETWEEN takes two values, as in year BETWEEN 2 AND 5"),
        ("year between 3 and x", "'x' is not a value of column year"),
        ("not (year)", "at 'year)' (character 6): not understood"),
        ("`age`=3", "no column age; there are"),
        ("year like '2%'", "like looks inside text, and year is int64"),
        ("(" * 60 + "year=3" + ")" * 60, "more than 50 brackets and NOTs inside each other"),
        (" or ".join(["year=3"] * 300), "has more than 256 tests; several values of one column are asked as year IN"),
        ("a\nb = 3", "no column a b; there are"),
        ("not " * 60 + "year=3", "more than 50 brackets and NOTs inside each other"),
        ("journal=" + "x" * 2_000_000, "has more than 1,000,000 characters"),
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
    ("clause", "said"),
    [
        ("licence=cc-by", "no figure has licence 'cc-by'; nearest: 'CC-BY' (2)"),
        ("licence in cc-by,cc0", "no figure has licence 'cc-by' or 'cc0'; nearest: 'CC-BY' (2), 'CC0' (1)"),
        ("licence=CCBY", "no figure has licence 'CCBY'; nearest: 'CC-BY' (2)"),
        ("licence=public", "no figure has licence 'public'; there are 'CC-BY' (2), 'CC0' (1)"),
        ("licence in GPL,CC0", ""),
        ("licence~gpl", ""),
        ("licence is missing", ""),
        ("year=3", "no figure has year 3; nearest: 2 (1), 1 (3)"),
        ("year>7", "year is between 1 and 2"),
        ("year>1", ""),
    ],
)
def test_a_value_that_is_not_there_is_answered_with_those_that_are(clause: str, said: str) -> None:
    table = pa.table({"licence": ["CC0", "CC-BY", "CC-BY", None], "year": [1, 2, 1, 1]})
    asked = parse(clause, {"licence": "string", "year": "int64"})
    assert nearest(asked, table[asked.column]) == said


NAMED = {"time in days": "int64", "a=b": "int64", "a": "int64", "score<5": "bool", "score": "int64", "not seen": "bool"}


@pytest.mark.parametrize(
    ("text", "column", "operator", "value"),
    [
        ("time in days>=3", "time in days", ">=", 3),
        ("time in days is known", "time in days", "is", True),
        ("time in days in 3,4", "time in days", "in", (3, 4)),
        ("a=b>=3", "a=b", ">=", 3),
        ("a=3", "a", "=", 3),
        ("score<5=yes", "score<5", "=", True),
        ("score<50", "score", "<", 50),
        ("not seen=true", "not seen", "=", True),
        ("`score<5` = yes", "score<5", "=", True),
        ('"time in days"in(3,4)', "time in days", "in", (3, 4)),
        ("'a=b' IS NOT NULL", "a=b", "is", True),
    ],
)
def test_the_longest_name_that_a_test_follows_is_the_column(text: str, column: str, operator: str, value: Any) -> None:
    clause = parse(text, NAMED)
    assert (clause.column, clause.operator, clause.value) == (column, operator, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("journal in 'Radiology, Nuclear', \"O''Neil's\"", ("Radiology, Nuclear", "O''Neil's")),
        ("journal IN ('it''s', b c)", ("it's", "b c")),
        ("journal in (a), b", ("(a)", "b")),
        ("journal = 'year > 3 and year < 4'", "year > 3 and year < 4"),
        ("journal = Crohn's and colitis", "Crohn's and colitis"),
    ],
)
def test_values_with_commas_and_quotes(text: str, value: Any) -> None:
    assert parse(text, COLUMNS).value == value


LEAVES = [
    ("n > 1", "n > 1"),
    ("n <> 0", "n <> 0"),
    ("n in 0,2", "n in (0, 2)"),
    ("n not in (0, 2)", "n not in (0, 2)"),
    ("n between 0 and 1", "n between 0 and 1"),
    ("n not between 0 and 1", "n not between 0 and 1"),
    ("n is missing", "n is null"),
    ("n IS NOT NULL", "n is not null"),
    ("s = a", "s = 'a'"),
    ("s = 'a b'", "s = 'a b'"),
    ("s ~ B", "s like '%b%'"),
    ("s LIKE 'A_b'", "s like 'A_b'"),
    ("s not like '%b'", "s not like '%b'"),
    ("`s` in ('a', \"b\")", "s in ('a', 'b')"),
]


def conditions() -> st.SearchStrategy[tuple[str, str]]:
    """A condition in our words, and the same in SQL."""

    def grown(some: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
        joined = st.tuples(some, st.sampled_from(["and", "OR"]), some).map(
            lambda three: (f"({three[0][0]}) {three[1]} {three[2][0]}", f"({three[0][1]}) {three[1]} {three[2][1]}")
        )
        return joined | some.map(lambda one: (f"NOT({one[0]})", f"not ({one[1]})"))

    return st.recursive(st.sampled_from(LEAVES), grown, max_leaves=6)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(-1, 3), st.none() | st.sampled_from(["a", "b", "a b", "aXb", ""])), max_size=8
    ),
    conditions(),
)
def test_conditions_keep_what_sqlite_keeps(rows: list[tuple[int | None, str | None]], asked: tuple[str, str]) -> None:
    table = pa.table(
        {"n": pa.array([n for n, _ in rows], pa.int64()), "s": pa.array([s for _, s in rows], pa.string())}
    )
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("create table t (row, n, s)")
        database.executemany("insert into t values (?, ?, ?)", [(row, *values) for row, values in enumerate(rows)])
        wanted = [row for (row,) in database.execute(f"select row from t where {asked[1]} order by row")]
    found = matching_rows(table, [parse(asked[0], {"n": "int64", "s": "string"})])
    assert found.tolist() == wanted


def test_texts_are_not_compared_as_numbers_but_dates_are() -> None:
    table = pa.table(
        {
            "age": ["7", "60", "101"],
            "day": ["2018-12-31", "2019-01-01T10:00:00Z", None],
            "when": ["2018", "", "2020-02"],
        }
    )
    types = {"age": "string", "day": "date", "when": "string"}
    with pytest.raises(FilterError, match="age is text; < and > compare numbers and dates"):
        matching_rows(table, [parse("age>=60", types)])
    with pytest.raises(FilterError, match="age is text"):
        matching_rows(table, [parse("not (age between 6 and 70)", types)])
    with pytest.raises(FilterError, match="'last year' is not a value of column day, which is date; write it as 2018"):
        parse("day > last year", types)
    kept = {
        clause: matching_rows(table, [parse(clause, types)]).tolist()
        for clause in ("day<=2018", "day>2018", "day>=2019-01-01 10:00", "when<2019", "when between 2018 and 2020")
    }
    assert kept == {
        "day<=2018": [0],
        "day>2018": [1],
        "day>=2019-01-01 10:00": [1],
        "when<2019": [0],
        "when between 2018 and 2020": [0, 2],
    }
