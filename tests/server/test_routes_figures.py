"""Indexes, their columns, their figures and the pictures of these."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from retrieval.images.decode import decode
from retrieval.search.searcher import Searcher
from retrieval.server.facets import BINS, FEW, facet
from retrieval.server.hit_json import link
from retrieval.types import Hit
from tests.doubles import ColourEncoder
from tests.server.conftest import draw, make_index

INDEX = "/api/indexes/colours"


def test_an_index_says_what_it_is_and_what_can_be_asked_of_it(client: TestClient, index_folder: Path) -> None:
    (about,) = client.get("/api/indexes").json()
    facts = json.loads((index_folder / "index.json").read_text(encoding="utf-8"))
    assert about["digest"] == facts["digest"]
    assert (about["name"], about["encoder"], about["dim"]) == ("colours", "colours", 8)
    assert (about["figures"], about["images"], about["captions"], about["articles"]) == (20, 20, 18, 7)
    assert about["targets"] == ["image", "text"]
    assert about["columns"]["year"] == "int64"
    details = client.get(INDEX).json()
    assert {name: details[name] for name in about} == about
    assert details["modalities"]["image"]["factory"] == "Flat"
    assert details["modalities"]["text"]["recall"]["recall"] == 1.0


def test_facets_count_what_a_filter_would_find(client: TestClient) -> None:
    facets = client.get(f"{INDEX}/facets").json()
    assert facets["licence"]["values"] == [{"value": "cc-by", "count": 13}, {"value": "cc0", "count": 7}]
    for column in ("licence", "year", "article_id"):
        for entry in facets[column]["values"]:
            where = f"{column}={entry['value']}"
            found = client.get(f"{INDEX}/search", params={"text": "red", "k": 100, "where": where}).json()["hits"]
            assert len(found) == entry["count"]
    assert (facets["score"]["min"], facets["score"]["max"]) == (0.0, 9.5)
    assert sum(bin["count"] for bin in facets["score"]["histogram"]) == 20


def test_facets_are_of_the_figures_that_fulfil_the_clauses(client: TestClient) -> None:
    facets = client.get(f"{INDEX}/facets", params={"where": ["year>=2003", "licence=cc-by"], "limit": 1}).json()
    assert [entry["value"] for entry in facets["licence"]["values"]] == ["cc-by"]
    assert (facets["year"]["min"], facets["year"]["max"]) == (2003, 2004)
    words = client.get(f"{INDEX}/facets", params={"where": "caption~red"}).json()
    assert sum(entry["count"] for entry in words["year"]["values"]) == 3
    none = client.get(f"{INDEX}/facets", params={"where": "year>3000"}).json()
    assert none["year"] == {
        "type": "int64", "missing": 0, "distinct": 0, "values": [], "min": None, "max": None, "histogram": []
    }  # fmt: skip


NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), max_size=80)
FRACTIONS = st.lists(st.none() | st.floats(), max_size=80)
WORDS = st.lists(st.none() | st.sampled_from(["a", "b", "ç", ""]), max_size=80)
TRUTHS = st.lists(st.none() | st.booleans(), max_size=20)


@given(st.one_of(
    st.tuples(NUMBERS, st.just(("int64", pa.int64()))),
    st.tuples(FRACTIONS, st.just(("float64", pa.float64()))),
    st.tuples(WORDS, st.just(("string", pa.string()))),
    st.tuples(TRUTHS, st.just(("bool", pa.bool_()))),
))  # fmt: skip
def test_a_facet_counts_every_value_once(case: tuple[list[Any], tuple[str, pa.DataType]]) -> None:
    values, (name, type_) = case
    found = facet(pa.chunked_array([pa.array(values, type_)]), name, 7)
    known = [value for value in values if value is not None]
    assert found["missing"] == len(values) - len(known)
    counts = Counter("nan" if value != value else value for value in known)
    assert found["distinct"] == len(counts)
    if name in ("string", "bool") or len(counts) <= FEW:
        listed = [(entry["value"], entry["count"]) for entry in found["values"]]
        assert [count for _, count in listed] == sorted(counts.values(), reverse=True)[:7]
        assert all(counts["nan" if value != value else value] == count for value, count in listed)
    if name in ("int64", "float64"):
        finite = [value for value in known if abs(value) < float("inf")]
        assert sum(bin["count"] for bin in found["histogram"]) == len(finite)
        assert len(found["histogram"]) <= BINS
        if finite:
            assert (found["min"], found["max"]) == (min(finite), max(finite))


def test_a_figure_says_all_that_is_known_of_it(client: TestClient) -> None:
    figure = client.get(f"{INDEX}/figure", params={"id": "005"}).json()
    assert figure["captions"] == ["a magenta field, number 5"]
    assert figure["metadata"]["year"] == 2000
    assert not {"rank", "score"} & set(figure)


def test_a_thumbnail_is_the_indexs_own_and_may_be_kept(client: TestClient, index_folder: Path) -> None:
    (hit,) = Searcher(index_folder, ColourEncoder()).search(figure="004", k=1, where=["figure_id=012"])
    place = client.get(f"{INDEX}/figure", params={"id": "012"}).json()["thumbnail"]
    answer = client.get(place)
    assert answer.content == hit.thumbnail
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    etag = answer.headers["etag"]
    again = client.get(place, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(place, headers={"If-None-Match": '"other"'}).status_code == 200
    assert "immutable" not in client.get(f"{INDEX}/thumbnail?id=012").headers["cache-control"]


def test_originals_are_given_out_only_where_the_server_was_told_to(
    client: TestClient, start: Callable[..., TestClient], index_folder: Path
) -> None:
    assert client.get(f"{INDEX}/original?id=000").status_code == 404
    generous = start(originals=True)
    place = generous.get(f"{INDEX}/figure?id=000").json()["original"]
    data = generous.get(place)
    assert data.content == (index_folder.parent / "figures" / "000.png").read_bytes()
    assert data.headers["content-type"] == "image/png"


def test_an_original_is_the_file_that_was_indexed_and_lies_below_the_source(
    start: Callable[..., TestClient], tmp_path: Path
) -> None:
    figures = draw(tmp_path / "figures", 4)
    secret = tmp_path / "secret.png"
    shutil.copy(figures / "001.png", secret)
    client = start({"mine": make_index(figures, tmp_path / "mine")}, originals=True)
    (figures / "000.png").write_bytes(secret.read_bytes())  # another picture
    (figures / "001.png").unlink()
    (figures / "001.png").symlink_to(secret)  # the same picture, elsewhere
    (figures / "002.png").unlink()  # gone
    statuses = [client.get("/api/indexes/mine/original", params={"id": f"00{n}"}).status_code for n in range(4)]
    assert statuses == [404, 404, 404, 200]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_keeps_what_is_shown_in_its_order_with_attribution(client: TestClient, format: str) -> None:
    answer = client.post("/api/export", params={"index": "colours", "format": format}, json={"ids": ["004", "000"]})
    assert answer.headers["content-disposition"] == f'attachment; filename="figures.{format}"'
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    else:
        rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["figure_id"] for row in rows] == ["004", "000"]
    for row in rows:
        shown = client.get(f"{INDEX}/figure", params={"id": row["figure_id"]}).json()
        assert row["attribution"] == shown["attribution"] != ""
        assert str(row["year"]) == str(shown["metadata"]["year"])


def test_an_export_of_an_unknown_figure_is_refused(client: TestClient) -> None:
    answer = client.post("/api/export?index=colours", json={"ids": ["000", "nobody"]})
    assert (answer.status_code, "nobody" in answer.json()["error"]) == (404, True)


@pytest.mark.parametrize(
    ("article", "metadata", "expected"),
    [
        ("PMC123", {}, "https://pmc.ncbi.nlm.nih.gov/articles/PMC123/"),
        ("PMC123", {"DOI": "10.1/a b"}, "https://doi.org/10.1/a%20b"),
        (None, {"doi": "https://doi.org/10.1/x"}, "https://doi.org/10.1/x"),
        (None, {"pmcid": "PMC9"}, "https://pmc.ncbi.nlm.nih.gov/articles/PMC9/"),
        ("javascript:alert(1)", {"doi": "javascript:alert(1)"}, None),
        ("PMC1/../x", {}, None),
        (None, {"doi": None}, None),
    ],
)
def test_a_link_leads_to_the_articles_page_and_nowhere_else(
    article: str | None, metadata: dict[str, Any], expected: str | None
) -> None:
    assert link(Hit("f", "", 0.0, 0, "image", article_id=article, metadata=metadata)) == expected


def test_metadata_that_json_cannot_say_is_said_anyway(start: Callable[..., TestClient], tmp_path: Path) -> None:
    figures = draw(tmp_path / "figures", 3)
    odd = '{"score": NaN, "deep": {"x": [Infinity, "\\ud800"]}}'
    (figures / "000.json").write_text(odd, encoding="utf-8")
    client = start({"odd": make_index(figures, tmp_path / "odd")})
    answer = client.get("/api/indexes/odd/search", params={"text": "red", "k": 1})
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).digest()
    assert answer.json()["hits"][0]["figure_id"] == "000"
    assert decode(client.get("/api/indexes/odd/thumbnail?id=000").content).size == (40, 30)
