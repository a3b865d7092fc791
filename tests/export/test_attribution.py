"""The line that goes with a figure says what the columns say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.export.attribution import UNKNOWN, attribution
from retrieval.types import Hit

LINES: list[tuple[dict[str, Any], str]] = [
    (
        {"article_id": "PMC123", "label": "Fig. 2", "authors": "A. Weber, B. Roy", "licence": "cc-by"},
        "PMC123, Fig. 2, A. Weber, B. Roy, cc-by",
    ),
    (
        {
            "article_id": "PMC1",
            "label": "3A",
            "authors": ["Ann Weber", "B", "C", "D"],
            "title": "On  cells",
            "journal": "Cells",
            "year": 2019,
            "doi": "doi:10.1/x,y",
            "licence": "CC BY 4.0",
            "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        },
        "PMC1, Fig. 3A, Ann Weber et al., “On cells”, Cells 2019, https://doi.org/10.1/x,y, "
        "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
    ),
    ({"figure_id": "f7", "article_id": None, "year": float("nan")}, f"f7, {UNKNOWN}"),
    ({"figure_id": "f7", "credit": "(credit: NASA)", "License": "PD"}, "f7, (credit: NASA), PD"),
    ({"article_id": "10.1/x", "doi": "https://doi.org/10.1/x", "figure_id": "a", "licence": " "},
     f"a, https://doi.org/10.1/x, {UNKNOWN}"),
    ({"article_id": "PMC1", "figure_id": "PMC1/F2", "licence": "CC0"}, "PMC1/F2, CC0"),
    ({"article_id": "PMC1", "figure_id": "PMC12/F2", "licence": "CC0"}, "PMC1, PMC12/F2, CC0"),
    (
        {"figure_id": "a", "licence": "third-party", "licence_statement": "© 2010 Elsevier."},
        "a, third-party (© 2010 Elsevier.)",
    ),
    ({"figure_id": "a", "licence": "NO-CC CODE"}, f"a, {UNKNOWN}"),
    ({}, UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("row", "line"), LINES)
def test_a_line_says_what_is_known_in_one_order(row: dict[str, Any], line: str) -> None:
    assert attribution(row) == line


def test_a_hit_has_the_line_of_its_metadata() -> None:
    hit = Hit(
        "f1", "a caption", 0.5, 1, "image", article_id="PMC9", metadata={"figure_label": "Figure 1.", "licence": "CC0"}
    )
    assert attribution(hit) == "PMC9, Figure 1, CC0"


VALUES = st.none() | st.text() | st.integers() | st.floats() | st.lists(st.text())


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["article_id", "figure_id", "label", "authors", "doi", "credit", "year"]), VALUES)
)
def test_whatever_the_columns_hold_it_is_one_line_that_names_no_licence_of_its_own(row: dict[str, Any]) -> None:
    line = attribution(row)
    assert len(line.splitlines()) == 1
    assert line.endswith(UNKNOWN)
