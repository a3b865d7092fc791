"""The OpenAPI document as a page: without scripts, and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Document = Mapping[str, Any]


def manual(document: Document) -> str:
    """The page of an OpenAPI document (version 3)."""
    info = document["info"]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{escape(info["title"])}: API</title><link rel="stylesheet" href="docs.css"></head><body><main>',
            f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
            f'<p>{escape(info.get("description", ""))} For programs: <a href="openapi.json">openapi.json</a>.</p>',
            *_routes(document),
            "<h2>Shapes</h2>",
            *_shapes(document.get("components", {}).get("schemas", {})),
            "</main></body></html>",
        ]
    )


def _routes(document: Document) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            by_tag.setdefault(about.get("tags", ["other"])[0], []).append("".join(_route(path, method, about)))
    for tag, routes in by_tag.items():
        yield f"<h2>{escape(tag[:1].upper() + tag[1:])}</h2>"
        yield from routes


def _route(path: str, method: str, about: Document) -> Iterator[str]:
    yield f"<section><h3><code>{method.upper()} {escape(path)}</code> {escape(about.get('summary', ''))}</h3>"
    if about.get("parameters"):
        yield "<table><tr><th>where</th><th>name</th><th>what</th><th></th></tr>"
        for one in about["parameters"]:
            cells = (one["in"], one["name"], _type(one["schema"]), one.get("description", ""))
            yield (
                "<tr>"
                + "".join(f"<td>{cell if n == 2 else escape(cell)}</td>" for n, cell in enumerate(cells))
                + "</tr>"
            )
        yield "</table>"
    for kind, media in about.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(kind)}</code>: {_type(media.get('schema', {}))}</p>"
    yield "<ul>"
    for status, answer in about.get("responses", {}).items():
        shapes = [_type(media["schema"]) for media in answer.get("content", {}).values() if media.get("schema")]
        yield f"<li><b>{escape(status)}</b> {escape(answer.get('description', ''))} {' or '.join(shapes)}</li>"
    yield "</ul></section>"


def _shapes(schemas: Document) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<section id="{escape(name)}"><h3>{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
        yield "<table>"
        for field, about in schema.get("properties", {}).items():
            needed = "" if field in schema.get("required", []) else "optional"
            yield f"<tr><td>{escape(field)}</td><td>{_type(about)}</td><td>{needed}</td>"
            yield f"<td>{escape(about.get('description', ''))}</td></tr>"
        yield "</table></section>"


def _type(schema: Document) -> str:
    """What a schema admits, in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        inner = _type(schema["additionalProperties"])
        return ", ".join(
            [
                *(f"{escape(name)}: {_type(one)}" for name, one in schema.get("properties", {}).items()),
                f"any name: {inner}",
            ]
        )
    return escape(str(schema.get("format") or schema.get("type") or "anything"))
