"""The API's description and its page, which both work offline."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from starlette.testclient import TestClient

from retrieval.server.api_page import api_manual

VOID = {"meta", "link", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed in its place; keeps names, links and targets."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        about = dict(attrs)
        self.ids |= {about["id"] or ""} if "id" in about else set()
        self.links |= {value for name, value in attrs if name in ("href", "src") and value}
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs), "the policy forbids it"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_has_every_route_and_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/docs")
    page = Balanced()
    page.feed(answer.text)
    assert page.open == []
    assert not {"script", "style", "img", "iframe"} & page.tags
    places = {link for link in page.links if link.startswith("#")}
    assert {place[1:] for place in places} <= page.ids
    assert page.links - places == {"static/style.css", "static/icon.svg", "openapi.json"}
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in answer.text
    for link in page.links - places:
        assert client.get(f"/{link}").status_code == 200
    assert client.get("/static/style.css").headers["content-type"].startswith("text/css")


def test_the_page_escapes_what_it_is_given() -> None:
    bad = "<b>&"
    document = {
        "info": {"title": bad, "version": bad, "description": bad},
        "paths": {"/x": {"get": {"summary": bad, "tags": [bad], "responses": {"200": {"description": bad}}}}},
        "components": {"schemas": {"X": {"description": bad, "properties": {bad: {"enum": [bad]}}}}},
    }
    assert "<b>&" not in api_manual(document)


def test_every_route_says_what_it_is_for_and_what_else_it_may_answer(client: TestClient) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for about in methods.values():
            assert about["summary"], path
            assert not re.search("Validation", str(about["responses"])), path
            if path.startswith("/api/"):
                assert {"404", "422", "503"} <= set(about["responses"]), path
