"""Whatever is wrong with a request is said in one sentence, with a status that fits, and opens no file."""

from __future__ import annotations

import asyncio
import base64
import json
import mimetypes
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.testclient import TestClient

import retrieval
from retrieval.server.problems import Limits
from retrieval.server.request_models import Batch, QueryRequest
from retrieval.server.service import Service
from tests.doubles import ColourEncoder
from tests.server.conftest import picture, serving

INDEX = "/api/indexes/colours"
SEARCH = f"{INDEX}/search"
RED = base64.b64encode(picture("red")).decode()
SMALL = Limits(k=5, upload=2000, pixels=2000, text=50, terms=3, queries=2, figures=2)


@pytest.fixture(scope="module")
def small(index_folder: Path) -> Iterator[TestClient]:
    """A server that takes little."""
    with serving(Service({"colours": index_folder}, encoder=ColourEncoder(), limits=SMALL)) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "not nothing"),
        ({"text": "a", "figure": "000"}, 400, "text and figure"),
        ({"text": "  "}, 400, "empty"),
        ({"text": "a", "k": 0}, 422, "k: "),
        ({"text": "a", "k": 6}, 400, "at most 5"),
        ({"text": "a", "kk": 5}, 422, "kk: "),
        ({"text": 7}, 422, "text: "),
        ({"text": "x" * 51}, 413, "longer than 50"),
        ({"combine": "red - " * 20 + "blue"}, 413, "longer than 50"),
        ({"combine": "a - b - c - d"}, 413, "at most 3"),
        ({"combine": "red -"}, 400, "column"),
        ({"combine": "image:it"}, 400, "no image of that name"),
        ({"combine": "red - red"}, 400, "cancel"),
        ({"figure": "nobody"}, 400, "no such figure in colours"),
        ({"text": "a", "target": "videos"}, 422, "target: "),
        ({"text": "a", "where": ["year>=x"]}, 400, "not a value of column year"),
        ({"text": "a", "where": ["yeer=1"]}, 400, "no column yeer; there are"),
        ({"text": "a", "where": ["year=1"] * 4}, 413, "where"),
        ({"text": "a", "where": ["year" + " " * 100 + "=1"]}, 422, "100 spaces in a row"),
        ({"combine": "red" + " " * 100 + "- blue"}, 422, "100 spaces in a row"),
        ({"text": "a", "mode": "psychic"}, 422, "mode: "),
        ({"text": "a", "per_article": 0}, 422, "per_article: "),
        ({"text": "a", "min_percentile": 101}, 422, "min_percentile: "),
        ({"vector": [1.0, 2.0]}, 400, "the index wants (8,)"),
        ({"vector": []}, 400, "the index wants (8,)"),
        ({"vector": [1e999] * 8}, 400, "not finite"),
        ({"image": "§"}, 400, "image is not base64"),
        ({"image": ""}, 400, "the query image: image is empty"),
        ({"image": base64.b64encode(b"hello").decode()}, 400, "not an image"),
        ({"image": base64.b64encode(bytes(2001)).decode()}, 413, "larger than"),
        ({"image": base64.b64encode(picture("red", (50, 50))).decode()}, 400, "too large"),
        ({"text": "a", "images": {"it": RED}}, 400, "no combine names this image"),
        ([1], 422, "the request: "),
        ("text", 422, "the request: "),
    ],
)
def test_what_is_wrong_with_a_question_is_said(small: TestClient, body: object, status: int, words: str) -> None:
    answer = small.post(SEARCH, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (status, ["error"]), answer.text
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert len(answer.json()["error"]) < 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/indexes/none", 404),
        ("/api/indexes/none/search?text=a", 404),
        (f"{SEARCH}?text=a&image=x", 422),
        (f"{INDEX}/figure?id=none", 404),
        (f"{INDEX}/figure", 422),
        (f"{INDEX}/thumbnail?id=none", 404),
        (f"{INDEX}/original?id=000", 404),
        (f"{INDEX}/facets?where=none=1", 400),
        (f"{INDEX}/facets?limit=0", 422),
        (f"{INDEX}/facets?" + "&".join(["where=year=1"] * 40), 413),
        ("/api/none", 404),
        ("/static/none.js", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"]), answer.text


def test_a_body_that_is_no_json_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    for body, status in ((b"{", 422), (b"\xff", 400), (b'{"text": "\\ud800"}', 422), (b"", 422)):
        answer = client.post(SEARCH, content=body, headers=headers)
        assert (answer.status_code, list(answer.json())) == (status, ["error"]), (body, answer.text)


def test_a_form_that_is_not_understood_is_refused(client: TestClient) -> None:
    upload = f"{SEARCH}/upload"
    assert client.post(upload, data={"other": "x"}).status_code == 400
    assert client.post(upload, data={"query": "{"}).status_code == 422
    assert client.post(upload, data={"query": '{"k": "x"}'}).status_code == 422
    assert client.post(upload, content=b"--x", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    many = {f"f{number}": b"x" for number in range(40)}
    assert client.post(upload, files=many).status_code == 400


def test_a_batch_says_which_of_its_queries_is_wrong(client: TestClient) -> None:
    batch = {"queries": [{"text": "red"}, {"combine": "red -"}]}
    answer = client.post(f"{SEARCH}/batch", json=batch)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("queries.1: ")
    assert client.post(f"{SEARCH}/batch", json={"queries": []}).status_code == 422


def test_a_batch_and_an_export_have_their_limits(small: TestClient) -> None:
    assert small.post(f"{SEARCH}/batch", json={"queries": [{"text": "a"}] * 3}).status_code == 413
    assert small.post("/api/export?index=colours", json={"ids": ["000"] * 3}).status_code == 413


def test_a_body_that_says_it_is_too_large_is_refused(small: TestClient) -> None:
    headers = {"Content-Length": str(SMALL.body + 1)}
    assert small.post(SEARCH, content=b"x", headers=headers).status_code == 413


def test_a_body_that_grows_too_large_is_not_read_to_its_end(small: TestClient) -> None:
    app = small.app
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1 << 16
        return {"type": "http.request", "body": bytes(1 << 16), "more_body": True}

    assert asyncio.run(status_of(app, receive)) == 413
    assert SMALL.body < read <= SMALL.body + (1 << 16)


def test_a_body_that_does_not_arrive_is_not_waited_for(start: Callable[..., TestClient]) -> None:
    app = start(limits=replace(SMALL, seconds=0.05)).app

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    assert asyncio.run(status_of(app, receive)) == 408


async def status_of(app: Any, receive: Callable[[], Awaitable[dict[str, Any]]]) -> int:
    """Of the answer to a POST whose body comes from `receive`."""
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": SEARCH, "raw_path": b"", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return statuses[0]


def test_sentences_do_not_tell_where_the_index_lies(client: TestClient, index_folder: Path) -> None:
    answer = client.get(SEARCH, params={"figure": "nobody"})
    assert str(index_folder) not in answer.text
    assert str(index_folder.parent) not in answer.text


def test_a_defect_of_the_server_is_no_traceback(
    start: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ColourEncoder):
        def encode_texts(self, tokens: Any) -> Any:
            raise ZeroDivisionError("secret")

    answer = start(encoder=Broken()).get(SEARCH, params={"text": "red"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "log says what" in answer.json()["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "ZeroDivisionError" in caplog.text


PATHS = st.one_of(
    st.sampled_from(
        ["/etc/passwd", "../../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x.png", "C:\\x.png", "~/x.png"]
    ),
    st.text(max_size=20),
    st.lists(
        st.sampled_from(["..", "/", "etc", "passwd", "\0", "%2e%2e", ".png", "image:", "figure:"]), max_size=8
    ).map("".join),
)


class Opened:
    """The names of files that this process opens, while it is entered; an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.names: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, about: tuple[Any, ...]) -> None:
        if event == "open" and self.names is not None:
            self.names.append(str(about[0]))


OPENED = Opened()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS)
def test_no_path_that_a_client_names_is_ever_opened(client: TestClient, index_folder: Path, path: str) -> None:
    questions: list[dict[str, Any]] = [
        {"combine": path},
        {"combine": f"image:{path}"},
        {"combine": f'image:"{path}"'},
        {"combine": f"red + {path}.png"},
        {"figure": path},
        {"image": path},
        {"combine": "image:it", "images": {"it": path}},
    ]
    form = {"files": {"image": (path, picture("red"))}, "data": {"query": "{}"}}
    OPENED.names = []
    answers = [client.post(SEARCH, json=question) for question in questions]
    answers += [client.get(f"{INDEX}/{place}", params={"id": path}) for place in ("figure", "thumbnail", "original")]
    answers.append(client.post(f"{SEARCH}/upload", **form))  # type: ignore[arg-type]
    names, OPENED.names = OPENED.names, None
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    ours = (str(index_folder), sys.prefix, sys.base_prefix, str(Path(retrieval.__file__).parent), *mimetypes.knownfiles)
    assert [name for name in names if not name.startswith(ours)] == []


def test_what_is_opened_is_noticed(tmp_path: Path) -> None:
    OPENED.names = []
    (tmp_path / "file").write_bytes(b"")
    names, OPENED.names = OPENED.names, None
    assert names == [str(tmp_path / "file")]


@pytest.mark.parametrize("body", [{"vector": ["x"] * 70_000}, {"queries": [1] * 100_000}, {"where": [1] * 100_000}])
def test_the_first_thing_that_is_wrong_with_a_long_list_is_enough(body: dict[str, Any]) -> None:
    model = Batch if "queries" in body else QueryRequest
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(body)
    assert refusal.value.error_count() == 1
