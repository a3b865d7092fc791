"""The OpenAPI document as a page: without scripts, and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retrieval.render.html import render

Document = Mapping[str, Any]


def api_manual(document: Document) -> str:
    """The page of an OpenAPI document (version 3)."""
    tags: dict[str, list[tuple[str, str, Document]]] = {}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            tags.setdefault(about.get("tags", ["other"])[0], []).append((method, path, _route(about)))
    return render(
        "server/api_page.html",
        info={"description": ""} | document["info"],
        tags=tags,
        shapes=[
            (name, schema.get("description", ""), _fields(schema))
            for name, schema in document.get("components", {}).get("schemas", {}).items()
        ],
        shape_words=_shape_words,
    )


def _route(about: Document) -> Document:
    body = about.get("requestBody", {}).get("content", {})
    return {
        "summary": about.get("summary", ""),
        "parameters": [
            (one["name"], one["schema"], one["in"], one.get("description", "")) for one in about.get("parameters", [])
        ],
        "bodies": [(kind, media.get("schema", {})) for kind, media in body.items()],
        "answers": [
            (
                status,
                answer.get("description", ""),
                [media["schema"] for media in answer.get("content", {}).values() if media.get("schema")],
            )
            for status, answer in about.get("responses", {}).items()
        ],
    }


def _fields(schema: Document) -> list[tuple[str, Document, str, str]]:
    required = schema.get("required", [])
    return [
        (name, about, "" if name in required else "optional", about.get("description", ""))
        for name, about in schema.get("properties", {}).items()
    ]


def _shape_words(schema: Document) -> Iterator[tuple[str, str]]:
    """What a schema admits, in pieces of a kind each: the "name" of another shape, a "value", or "words" between."""
    if "$ref" in schema:
        yield "name", schema["$ref"].rpartition("/")[2]
    elif "anyOf" in schema:
        for number, one in enumerate(schema["anyOf"]):
            yield "words", " or " if number else ""
            yield from _shape_words(one)
    elif "enum" in schema or "const" in schema:
        for number, value in enumerate(schema.get("enum", [schema.get("const")])):
            yield "words", " or " if number else ""
            yield "value", str(value)
    elif schema.get("type") == "array":
        yield "words", "list of "
        yield from _shape_words(schema.get("items", {}))
    elif isinstance(schema.get("additionalProperties"), dict):
        named = schema.get("properties", {}) | {"any name": schema["additionalProperties"]}
        for number, (name, one) in enumerate(named.items()):
            yield "words", f"{', ' if number else ''}{name}: "
            yield from _shape_words(one)
    else:
        yield "words", str(schema.get("format") or schema.get("type") or "anything")
