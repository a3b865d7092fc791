"""The server answers what the Searcher answers, however it is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.search.query import Query
from retrieval.search.searcher import Searcher
from tests.doubles import ColourEncoder
from tests.server.conftest import make_index, picture

SEARCH = "/api/indexes/colours/search"
RED = base64.b64encode(picture("red")).decode()
BLUE = base64.b64encode(picture("blue")).decode()


@pytest.fixture(scope="module")
def searcher(index_folder: Path) -> Searcher:
    return Searcher(index_folder, ColourEncoder())


def told(answer: dict[str, Any]) -> list[tuple[int, str, float, float | None]]:
    return [(hit["rank"], hit["figure_id"], hit["score"], hit["percentile"]) for hit in answer["hits"]]


def own(searcher: Searcher, query: Query, **options: Any) -> list[tuple[int, str, float, float | None]]:
    hits = next(iter(searcher.search_many([query], **options)))
    return [(hit.rank, hit.figure_id, round(hit.score, 6), hit.percentile) for hit in hits]


@pytest.mark.parametrize(
    ("question", "query", "options"),
    [
        ({"text": "a red field"}, Query(text="a red field"), {"target": "image", "k": 20}),
        ({"text": "green", "k": 3, "target": "captions"}, Query(text="green"), {"target": "text", "k": 3}),
        ({"figure": "003", "k": 5}, Query(figure="003"), {"target": "image", "k": 5}),
        ({"image": RED, "k": 4}, Query(image=picture("red")), {"target": "text", "k": 4}),
        ({"vector": [1, 0, 0, 0, 0, 0, 0, 0]}, Query(vector=[1, 0, 0, 0, 0, 0, 0, 0]), {"target": "image", "k": 20}),  # type: ignore[arg-type]
        (
            {"combine": "2 * red + image:it - figure:002", "images": {"it": BLUE}, "k": 6},
            Query.parse("2 * red + image:it - figure:002", images={"it": picture("blue")}),
            {"target": "image", "k": 6},
        ),
        (
            {"text": "red", "where": ["year>=2002", "licence=cc-by"]},
            Query(text="red"),
            {"target": "image", "k": 20, "where": ["year>=2002", "licence=cc-by"]},
        ),
        (
            {"text": "red", "per_article": 1, "unique": True, "k": 4},
            Query(text="red"),
            {"target": "image", "k": 4, "per_article": 1, "unique": True},
        ),
        (
            {"text": "magenta field", "mode": "lexical", "k": 3},
            Query(text="magenta field"),
            {"target": "image", "k": 3, "mode": "lexical"},
        ),
        (
            {"text": "blue field", "mode": "hybrid", "k": 9, "min_percentile": 50, "target": "captions"},
            Query(text="blue field"),
            {"target": "text", "k": 9, "mode": "hybrid", "min_percentile": 50},
        ),
    ],
    ids=["text", "captions", "figure", "image", "vector", "combine", "where", "grouped", "lexical", "hybrid"],
)
def test_every_way_to_ask_gives_the_searchers_own_answer(
    client: TestClient, searcher: Searcher, question: dict[str, Any], query: Query, options: dict[str, Any]
) -> None:
    answer = client.post(SEARCH, json=question)
    assert answer.status_code == 200, answer.text
    assert told(answer.json()) == own(searcher, query, **options) != []
    assert answer.json()["digest"] == searcher.built.facts["digest"]
    assert answer.json()["target"] == options["target"]


def test_a_link_asks_the_same_as_a_body(client: TestClient) -> None:
    question = {"text": "red", "k": 3, "where": ["year>=2001", "licence=cc-by"], "unique": True}
    by_link, by_body = client.get(SEARCH, params=question).json(), client.post(SEARCH, json=question).json()
    assert by_link["hits"] == by_body["hits"] != []


def test_a_condition_may_be_one_text_and_say_or_and_one_that_nothing_fulfils_is_told_of(client: TestClient) -> None:
    several = client.post(SEARCH, json={"text": "red", "k": 20, "where": ["year>=2001", "licence=cc-by"]}).json()
    one = client.post(SEARCH, json={"text": "red", "k": 20, "where": "year >= 2001 AND licence IN ('cc-by')"}).json()
    assert one["hits"] == several["hits"] != []
    assert one["nearest"] == ""
    none = client.post(SEARCH, json={"text": "red", "where": "licence = CC-BY OR licence = 'CC-BY'"}).json()
    assert none["hits"] == []
    assert none["nearest"].startswith("no figure has licence 'CC-BY'; nearest: 'cc-by' (")
    assert client.post(SEARCH, json={"text": "red", "where": "licence < cc"}).status_code == 400


def test_an_uploaded_image_asks_the_same_as_one_in_base64(client: TestClient) -> None:
    form = client.post(f"{SEARCH}/upload", files={"image": picture("red")}, data={"query": json.dumps({"k": 4})})
    assert form.json()["hits"] == client.post(SEARCH, json={"image": RED, "k": 4}).json()["hits"] != []


def test_uploaded_images_are_what_combine_calls_by_name(client: TestClient) -> None:
    combined = {"combine": "image:it - blue", "k": 3}
    form = client.post(f"{SEARCH}/upload", files={"it": picture("red")}, data={"query": json.dumps(combined)})
    body = client.post(SEARCH, json=combined | {"images": {"it": RED}})
    assert form.json()["hits"] == body.json()["hits"] != []


def test_a_batch_answers_each_query_in_order_and_shares_what_stands_beside(
    client: TestClient, searcher: Searcher
) -> None:
    batch = {"k": 2, "where": ["licence=cc-by"], "queries": [{"text": "red"}, {"figure": "004"}, {"text": "x", "k": 1}]}
    answers = client.post(f"{SEARCH}/batch", json=batch).json()["answers"]
    shared = {"target": "image", "where": ["licence=cc-by"]}
    assert told(answers[0]) == own(searcher, Query(text="red"), k=2, **shared)
    assert told(answers[1]) == own(searcher, Query(figure="004"), k=2, **shared)
    assert told(answers[2]) == own(searcher, Query(text="x"), k=1, **shared)


def test_a_hit_says_all_that_is_known_of_its_figure(client: TestClient) -> None:
    hit = client.get(SEARCH, params={"text": "red", "k": 1}).json()["hits"][0]
    assert hit["figure_id"] == "000"
    assert hit["caption"] == "a red field, number 0"
    assert hit["captions"] == ["a red field, number 0"]
    assert hit["article_id"] == "PMC0"
    assert hit["link"] == "https://pmc.ncbi.nlm.nih.gov/articles/PMC0/"
    assert hit["metadata"] == {"year": 2000, "licence": "cc0", "score": 0.0}
    assert (hit["width"], hit["height"]) == (40, 30)
    assert "PMC0" in hit["attribution"]
    assert "cc0" in hit["attribution"].lower()
    assert client.get(hit["thumbnail"]).status_code == 200
    assert hit["original"] is None


def test_an_answer_says_where_its_time_went(client: TestClient) -> None:
    spent = client.get(SEARCH, params={"text": "red"}).json()["milliseconds"]
    stages = ("decode", "encode", "search", "look_up")
    assert set(spent) == {*stages, "total"}
    assert 0 < sum(spent[stage] for stage in stages) <= spent["total"] + 0.05
    assert spent["look_up"] > 0


def test_a_query_longer_than_the_encoder_reads_is_said_to_be_cut(client: TestClient) -> None:
    assert client.get(SEARCH, params={"text": "red " * 40}).json()["query_cut"]
    assert not client.get(SEARCH, params={"text": "red"}).json()["query_cut"]


def test_a_figure_of_captions_only_has_no_pictures(start: Callable[..., TestClient], tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.txt").write_text("a red field", encoding="utf-8")
    client = start({"words": make_index(tmp_path / "figures", tmp_path / "words")})
    hit = client.get("/api/indexes/words/search", params={"text": "red"}).json()["hits"][0]
    assert hit["modality"] == "text"
    assert hit["thumbnail"] is None
    assert hit["width"] is None
    about = client.get("/api/indexes/words").json()
    assert about["targets"] == ["text"]
    assert (about["figures"], about["images"], about["captions"]) == (1, 0, 1)
