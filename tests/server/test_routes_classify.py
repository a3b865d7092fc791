"""Labels over HTTP are those of the command line."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.classification.azure_table import classify_table
from retrieval.classification.classify import Prediction, classify
from retrieval.classification.presets import classify_config
from retrieval.server.problems import Limits
from retrieval.server.service import Service
from retrieval.types import Figure
from tests.doubles import ColourEncoder
from tests.server.conftest import picture, serving

INDEX = "/api/indexes/colours"
LABELS = ["red", "green", "blue"]
RED = base64.b64encode(picture("red")).decode()


def test_an_images_labels_are_those_of_classify(client: TestClient) -> None:
    (own,) = classify([Figure("f", picture("red"), (), "f")], LABELS, ColourEncoder(), templates=["a {} field"])
    assert isinstance(own, Prediction)
    answer = client.post(f"{INDEX}/classify", json={"labels": LABELS, "image": RED, "template": "a {} field"})
    assert answer.json()["probs"] == pytest.approx(dict(zip(LABELS, own.probabilities.tolist(), strict=True)))
    assert max(answer.json()["probs"], key=answer.json()["probs"].get) == "red"


def test_a_figure_of_the_index_is_labelled_by_its_vector(client: TestClient) -> None:
    probs = client.post(f"{INDEX}/classify", json={"labels": LABELS, "figure": "002", "template": "{}"}).json()["probs"]
    assert max(probs, key=probs.get) == "blue"
    assert sum(probs.values()) == pytest.approx(1)


def test_a_preset_brings_labels_and_templates(client: TestClient) -> None:
    preset = classify_config("rsna")
    probs = client.post(f"{INDEX}/classify", json={"preset": "rsna", "image": RED}).json()["probs"]
    figures = [Figure("f", picture("red"), (), "f")]
    (own,) = classify(figures, preset.labels, ColourEncoder(), templates=preset.templates)
    assert isinstance(own, Prediction)
    assert probs == pytest.approx(dict(zip(preset.labels, own.probabilities.tolist(), strict=True)))
    unknown = client.post(f"{INDEX}/classify", json={"preset": "none-such", "image": RED})
    assert (unknown.status_code, "none-such" in unknown.text) == (400, True)


def test_a_table_is_answered_as_by_the_endpoint(client: TestClient) -> None:
    table = {"input_data": {"columns": ["image", "text"], "data": [[RED, "red, green, blue"], [RED]]}}
    answer = client.post(f"{INDEX}/score", json=table)
    assert answer.json() == classify_table(table, ColourEncoder())
    assert answer.json()[1]["labels"] == LABELS


@pytest.fixture(scope="module")
def small(index_folder: Path) -> Iterator[TestClient]:
    """A server that takes four labels, and four rows."""
    with serving(Service({"colours": index_folder}, encoder=ColourEncoder(), limits=Limits(queries=4))) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("classify", {"labels": ["red"], "image": RED}, 400, "at least two labels"),
        ("classify", {"labels": LABELS}, 400, "either an image or a figure"),
        ("classify", {"labels": LABELS, "image": RED, "figure": "000"}, 400, "either an image or a figure"),
        ("classify", {"labels": LABELS, "figure": "nobody"}, 404, "nobody"),
        ("classify", {"labels": LABELS, "image": RED, "template": "a field"}, 400, "no {}"),
        ("classify", {"labels": [f"l{n}" for n in range(5)], "image": RED}, 413, "more than 4 labels"),
        ("classify", {"labels": LABELS, "image": "%"}, 400, "not base64"),
        ("score", {}, 400, "the request has no table"),
        ("score", {"input_data": {"columns": ["image", "text"], "data": [[RED, "red,blue"]] * 5}}, 413, "5 rows"),
        (
            "score",
            {"input_data": {"columns": ["image", "text"], "data": [["http://x/y.png", "a,b"]]}},
            400,
            "not base64",
        ),
        ("score", [], 422, "the request"),
    ],
)
def test_what_cannot_be_labelled_is_said(small: TestClient, path: str, body: Any, status: int, words: str) -> None:
    answer = small.post(f"{INDEX}/{path}", json=body)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text


def test_a_tables_images_have_the_servers_limit_of_pixels(start: Callable[..., TestClient]) -> None:
    table = {"input_data": {"columns": ["image", "text"], "data": [[RED, "red,blue"]]}}
    answer = start(limits=Limits(pixels=100)).post(f"{INDEX}/score", json=table)
    assert (answer.status_code, "too large" in answer.text) == (400, True)
