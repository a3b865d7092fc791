"""The route that gives what is shown as a file to keep, each figure with its attribution line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from retrieval.export.attribution import attribution
from retrieval.search.hit_dict import json_value
from retrieval.server.hit_json import link
from retrieval.server.problems import Refused, Responses, refusals
from retrieval.server.request_models import Strict, Text
from retrieval.server.served_index import OpenIndex
from retrieval.server.service import Service

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class Chosen(Strict):
    """The figures to keep, in this order."""

    ids: Annotated[list[Text], Field(min_length=1)]


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["indexes and figures"])
    whole: Responses = {
        200: {"content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()}}
    }

    @router.post(
        "/export",
        summary="Figures as a file to keep",
        response_class=Response,
        responses=whole | refusals(400, 404, 413, 422, 503),
    )
    async def export(
        index: Annotated[str, Query(description="the index of the figures")],
        chosen: Chosen,
        format: Annotated[Literal["csv", "jsonl"], Query(description="a table, or an object a line")] = "csv",
    ) -> Response:
        opened = service.of(index).index
        if len(chosen.ids) > service.limits.figures:
            raise Refused(
                413, f"{len(chosen.ids)} figures; this server exports at most {service.limits.figures} at once"
            )
        rows = await service.apart(_rows, opened, chosen.ids)
        write: Callable[[Sequence[dict[str, Any]]], str] = {"csv": _csv, "jsonl": _jsonl}[format]
        return Response(
            write(rows).encode("utf-8", "replace"),
            media_type=MEDIA_TYPES[format],
            headers={"Content-Disposition": f'attachment; filename="figures.{format}"'},
        )

    return router


def _rows(index: OpenIndex, ids: Sequence[str]) -> list[dict[str, Any]]:
    """One a figure. Raises Refused where the index lacks one."""
    rows = []
    for figure_id in ids:
        figure = index.figure(figure_id)
        if figure is None:
            raise Refused(404, f"{figure_id}: no such figure in {index.name}; leave it out")
        own = {
            "figure_id": figure.figure_id,
            "article_id": figure.article_id,
            "captions": figure.captions,
            "source_uri": figure.source_uri,
            "attribution": attribution(figure),
            "link": link(figure),
        }
        rows.append(own | {name: value for name, value in figure.metadata.items() if name not in own})
    return rows


def _jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(json_value(row), ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    """RFC 4180, a column for every key that any row has; several captions are lines of one cell."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, names, restval="")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return "\n".join(value)
    return json.dumps(json_value(value), ensure_ascii=False) if isinstance(value, list | dict) else value
