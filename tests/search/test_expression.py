"""The grammar of questions of several parts: what each expression means, and where a wrong one is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import QueryError
from retrieval.search.expression import Term, parse_terms
from tests.listed import png


def read(expression: str, **options: Any) -> list[tuple[float, str, Any]]:
    """Each term as its weight, what it is, and its value."""
    return [
        (term.weight, name, value)
        for term in parse_terms(expression, **options)
        for name in ("text", "image", "figure", "caption", "vector")
        if (value := getattr(term, name)) is not None
    ]


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("axial CT", [(1, "text", "axial CT")]),
        ('"axial CT"', [(1, "text", "axial CT")]),
        ("'axial CT'", [(1, "text", "axial CT")]),
        ("axial CT - MRI", [(1, "text", "axial CT"), (-1, "text", "MRI")]),
        ('2 * "axial CT" - "MRI"', [(2, "text", "axial CT"), (-1, "text", "MRI")]),
        ('"2 * axial CT" - "MRI"', [(2, "text", "axial CT"), (-1, "text", "MRI")]),
        ("2*axial CT + .5 * MRI", [(2, "text", "axial CT"), (0.5, "text", "MRI")]),
        ('3 * "2 * a"', [(3, "text", "2 * a")]),
        ("- MRI + 1.5 * CT", [(-1, "text", "MRI"), (1.5, "text", "CT")]),
        ('-"MRI"', [(-1, "text", "MRI")]),
        (
            "T1-weighted + CD4+ cells - IL-6",
            [(1, "text", "T1-weighted"), (1, "text", "CD4+ cells"), (-1, "text", "IL-6")],
        ),
        ("Crohn's disease", [(1, "text", "Crohn's disease")]),
        ("T2* map", [(1, "text", "T2* map")]),
        ('\'a "b" - c\' + "it\'s"', [(1, "text", 'a "b" - c'), (1, "text", "it's")]),
        ('figure:PMC1_2 - figure:"fig 1 - a"', [(1, "figure", "PMC1_2"), (-1, "figure", "fig 1 - a")]),
        ("caption:x + 2 * caption:'y z'", [(1, "caption", "x"), (2, "caption", "y z")]),
        ('"figure:1"', [(1, "text", "figure:1")]),
        ("  a  +  b  ", [(1, "text", "a"), (1, "text", "b")]),
        ("a\n- b", [(1, "text", "a"), (-1, "text", "b")]),
    ],
)
def test_an_expression_is_read_as_its_terms(expression: str, terms: list[tuple[float, str, str]]) -> None:
    assert read(expression) == terms


def test_images_are_files_or_given_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("image.png", "my scan.JPG", "scan"):
        Path(name).write_bytes(png((1, 2, 3)))
    assert read('"2 * axial CT" + image.png - "MRI"')[1] == (1, "image", Path("image.png"))
    assert read("0.5 * my scan.JPG - a")[0] == (0.5, "image", Path("my scan.JPG"))
    assert read('image:"my scan.JPG" + image:scan') == [
        (1, "image", Path("my scan.JPG")),
        (1, "image", Path("scan")),
    ]
    assert read('"image.png"') == [(1, "text", "image.png")]
    assert read("like the other scan.png") == [(1, "text", "like the other scan.png")]
    given = {"image.png": b"1", "upload 1": b"2"}
    assert read('image.png - image:"upload 1"', images=given, open_files=False) == [
        (1, "image", b"1"),
        (-1, "image", b"2"),
    ]


def test_without_permission_no_file_is_opened_or_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(png((1, 2, 3)))
    for expression in (str(path), f'image:"{path}"', f"a - {path}"):
        with pytest.raises(QueryError, match="no image of that name was given; quote it if it is meant as text"):
            parse_terms(expression, open_files=False)
        assert read(expression)[-1][1:] == ("image", path)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "column 1: expected a text, an image, figure:id or caption:id"),
        ("   ", "column 4: expected a text"),
        ("a - ", "column 5: expected a text"),
        ("a +", "column 4: expected a term after the sign"),
        ("-", "column 2: expected a text"),
        ('"a" "b"', "column 4: expected + or - with white space on both sides"),
        ('"a"+"b"', "column 4: expected + or - with white space on both sides"),
        ('a "b"', "column 3: expected + or - before a quoted text"),
        ('a + "b', 'column 5: the text that begins with " has no closing "'),
        ("2 *", "column 4: expected a text"),
        ("2 * + a", "column 5: expected a text"),
        ('"2 * "', "column 7: expected a text behind the weight"),
        ('""', "column 1: expected a text"),
        ("figure:", "column 8: expected a text"),
        ("a - nowhere.png", "column 5: nowhere.png: no such file; quote it if it is meant as text"),
        ("image:" + "x" * 5000, "column 7: x"),
        ("image:a\0b", "column 7: a\0b: no such file"),
    ],
)
def test_an_error_says_where_it_is_and_what_was_expected(expression: str, said: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse_terms(expression)
    assert said in str(raised.value)


@given(st.text())
def test_any_text_is_terms_or_one_sentence(expression: str) -> None:
    try:
        terms = parse_terms(expression, open_files=False)
    except QueryError as error:
        said = str(error)
        terms = ()
    else:
        said = ""
    assert terms or ": column " in said
    assert all(np.isfinite(term.weight) for term in terms)


QUOTABLE = st.text(st.characters(exclude_characters='"', categories=("L", "N", "P", "Zs")), min_size=1).filter(
    lambda text: text.strip() and text.lstrip()[0] not in "0123456789."
)


@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(1, 99), QUOTABLE), min_size=1))
def test_what_is_written_in_quotes_is_read_as_it_was_written(parts: list[tuple[str, int, str]]) -> None:
    expression = " ".join(f'{sign} {weight} * "{text}"' for sign, weight, text in parts)
    assert read(expression) == [(weight * (1 if sign == "+" else -1), "text", text) for sign, weight, text in parts]


def test_a_term_is_one_thing_with_a_finite_weight() -> None:
    with pytest.raises(QueryError, match="not text and figure"):
        Term(text="a", figure="b")
    with pytest.raises(QueryError, match="not nothing"):
        Term(2.0)
    with pytest.raises(QueryError, match="weight of inf"):
        Term(float("inf"), text="a")
