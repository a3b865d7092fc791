"""Filters: combined in Python, of where clauses and pyarrow expressions alike."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from retrieval import Filter
from retrieval.errors import FilterError
from retrieval.shards.conditions import fulfilling_figures, matching_rows, rows_of_modality
from retrieval.shards.filters import as_clauses, read_where

COLUMNS = {"year": "int64", "journal": "string", "width": "int64", "caption": "string"}
TABLE = pa.table({"year": [2017, 2018, None, 2020], "journal": ["Brain", None, "Heart", "Brain"]})
YEAR = pc.field("year") >= 2018


def rows(where: Any) -> list[int]:
    return matching_rows(TABLE, read_where(where, COLUMNS)).tolist()


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (None, [0, 1, 2, 3]),
        ("year >= 2018", [1, 3]),
        (Filter("year >= 2018"), [1, 3]),
        (YEAR, [1, 3]),
        ([YEAR, "journal=Brain"], [3]),
        (Filter("year >= 2018") & "journal = Brain", [3]),
        (Filter(YEAR) & Filter("journal = Brain"), [3]),
        (Filter(YEAR) | "journal = Heart", [1, 2, 3]),
        (~Filter(YEAR), [0]),
        (~(Filter("journal = Brain") | YEAR), []),
        (Filter(Filter("year=2017")), [0]),
        (pc.scalar(True), [0, 1, 2, 3]),
    ],
)
def test_filters_keep_rows(where: Any, found: list[int]) -> None:
    table = TABLE.append_column("figure_id", pa.array(list("abcd")))
    columns = COLUMNS | {"figure_id": "string"}
    assert matching_rows(table, read_where(where, columns)).tolist() == found


def test_a_filter_is_written_as_a_where_clause_that_means_the_same() -> None:
    filter_ = (Filter("year >= 2018") | "journal = Heart") & ~Filter("journal = Brain")
    assert str(filter_) == "((year >= 2018) OR (journal = Heart)) AND (NOT (journal = Brain))"
    assert rows(str(filter_)) == rows(filter_) == [2]
    assert repr(Filter("year=3")) == "Filter('year=3')"
    assert filter_.is_text
    assert not (filter_ & YEAR).is_text


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (3, "a int is no condition"),
        ([3], "a int is no condition; give a str, a Filter or a pyarrow expression"),
        (pc.field("yaer") > 3, "yaer.*; there are caption, journal, width, year"),
        (pc.field("journal") > 3, "there are caption"),
        (pc.field("year"), "gives int64, not true or false"),
        ((pc.field("width") > 3) & (pc.field("caption") == "x"), "reads images and captions at once; combine two"),
    ],
)
def test_what_is_no_condition_is_refused(where: Any, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        read_where(where, COLUMNS)


def test_python_s_own_words_do_not_combine_filters() -> None:
    with pytest.raises(FilterError, match=r"combined with & \| ~"):
        bool(Filter("year=3") and Filter("year=4"))
    assert as_clauses(Filter("year=3"))[0] is not None


def test_clauses_about_images_and_captions_meet_in_their_figure() -> None:
    tables = {
        "image": pa.table({"width": pa.array([10, 20, 30], pa.int32())}),
        "text": pa.table({"caption": ["a CT", "an MRI", "a CT"]}),
    }
    figures: Any = {"image": pa.array([0, 1, 2], pa.int32()).to_numpy(), "text": pa.array([0, 0, 3]).to_numpy()}

    def found(text: str) -> tuple[list[int], list[int], list[int]]:
        asked = read_where(text, COLUMNS)
        read: Any = lambda modality, names: tables[modality].select(list(names))  # noqa: E731
        images, texts = (rows_of_modality(kind, asked, figures, read).tolist() for kind in ("image", "text"))
        return images, texts, fulfilling_figures(asked, figures, read).tolist()

    assert found("caption ~ ct") == ([0], [0, 2], [0, 3])
    assert found("not caption ~ ct") == ([], [1], [])  # of a figure, none of its captions; one without any is not known
    assert found("caption !~ ct") == ([0], [1], [0])
    assert found("caption is missing") == ([1, 2], [], [1, 2])
    assert found("width is known") == ([0, 1, 2], [0, 1], [0, 1, 2])
    assert found("caption ~ ct or width > 15") == ([0, 1, 2], [0, 2], [0, 1, 2, 3])
    assert found("caption ~ mri and width < 15") == ([0], [1], [0])
