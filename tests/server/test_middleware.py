"""Who may ask, what every answer carries, and what is noted of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from retrieval.server.middleware import SECURITY, Token

SEARCH = "/api/indexes/colours/search"
SECRET = "a-long-enough-token"


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/docs", "/openapi.json", f"{SEARCH}?text=red", "/none", "/metrics"]
)
def test_every_answer_carries_the_headers_of_safety(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in SECURITY} == SECURITY
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_another_site_gets_no_leave_to_read(client: TestClient) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    answer = client.options(SEARCH, headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_without_the_token_nothing_is_told(start: Callable[..., TestClient]) -> None:
    client = start(token=Token(SECRET))
    for path in ("/api/indexes", f"{SEARCH}?text=red", "/metrics", "/docs", "/openapi.json", "/none"):
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": SECRET},
            {"Cookie": "retrieval_token=x"},
        ):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "token" in answer.json()["error"]
    assert client.get("/health").json() == {"alive": True}
    assert client.get("/ready").json() == {"ready": True}


def test_with_the_token_all_is_told_and_pictures_need_no_header_from_then_on(start: Callable[..., TestClient]) -> None:
    client = start(token=Token(SECRET))
    answer = client.get(SEARCH, params={"text": "red", "k": 1}, headers={"Authorization": f"Bearer {SECRET}"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert SECRET not in cookie
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert client.get(answer.json()["hits"][0]["thumbnail"]).status_code == 200
    assert "colours" in client.get("/ready").json()["indexes"]


def test_the_cookie_of_another_token_opens_nothing(start: Callable[..., TestClient]) -> None:
    client = start(token=Token(SECRET))
    client.cookies.set("retrieval_token", Token("another-long-token").cookie)
    assert client.get("/api/indexes").status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ],
)
def test_a_server_for_this_machine_answers_to_its_names_only(
    start: Callable[..., TestClient], host: str, status: int
) -> None:
    client = start(hosts={"localhost", "::1"})
    assert client.get("/api/indexes", headers={"Host": host}).status_code == status


def test_a_request_is_noted_without_what_was_asked(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "retrieval.server"):
        client.get(SEARCH, params={"text": "private matter", "figure": "x"})
        client.post(SEARCH, json={"text": "private matter"})
    lines = [record.getMessage() for record in caplog.records if record.name == "retrieval.server"]
    assert [line.split()[:3] for line in lines] == [["GET", SEARCH, "400"], ["POST", SEARCH, "200"]]
    assert "private" not in " ".join(lines)


def test_prometheus_is_told_of_requests_stages_and_indexes(start: Callable[..., TestClient]) -> None:
    client = start()
    for _ in range(3):
        client.post(SEARCH, json={"text": "red"})
    client.get("/api/indexes/none")
    text = client.get("/metrics").text
    route = "/api/indexes/{index}/search"
    assert f'retrieval_requests_total{{route="{route}",status="200"}} 3.0' in text
    assert 'retrieval_requests_total{route="/api/indexes/{index}",status="404"} 1.0' in text
    for stage in ("decode", "wait", "encode", "search", "look_up"):
        assert f'retrieval_stage_seconds_count{{stage="{stage}"}} 3.0' in text
    assert "retrieval_batch_queries_count 3.0" in text
    assert 'retrieval_index_rows{index="colours",kind="image"} 20.0' in text
    assert "retrieval_waiting_queries 0.0" in text


def test_a_head_is_answered_like_a_get(client: TestClient) -> None:
    assert client.head("/health").status_code == 200
