"""Routes that show indexes, their columns, their figures and the pictures of these."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from retrieval.server import response_models
from retrieval.server.hit_json import Json, figure_json
from retrieval.server.original_files import media_type, original
from retrieval.server.problems import Refused, Responses, answers, refusals
from retrieval.server.request_models import Clause
from retrieval.server.service import Service

FigureId = Annotated[str, Query(description="the id of a figure of the index")]
State = Annotated[str, Query(description="the index's digest or a part of it: with it a browser may keep the picture")]
Known = Annotated[str | None, Header(alias="If-None-Match")]
PICTURE: Responses = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture with the asker's ETag."},
}
WEEK = 7 * 24 * 3600


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/indexes", tags=["indexes and figures"], responses=refusals(404, 422, 503))

    @router.get("", summary="All indexes", responses=answers(list[response_models.IndexModel]))
    async def indexes() -> Json:
        return Json([service.of(name).index.about | {"max_k": service.limits.k} for name in service.folders])

    @router.get("/{index}", summary="One index", responses=answers(response_models.IndexDetails))
    async def one(index: str) -> Json:
        return Json(service.of(index).index.details | {"max_k": service.limits.k})

    @router.get(
        "/{index}/facets",
        summary="Values of its columns",
        responses=answers(response_models.Facets) | refusals(400, 413),
    )
    async def facets(
        index: str,
        where: Annotated[list[Clause], Query(description="only of figures that fulfil these clauses")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=1000, description="values a column")] = 20,
    ) -> Json:
        if len(where) > service.limits.terms or sum(map(len, where)) > service.limits.text:
            raise Refused(413, "too many or too long where clauses; leave some out")
        return Json(await service.apart(service.of(index).index.facets.of, tuple(where), limit))

    @router.get("/{index}/figure", summary="One figure", responses=answers(response_models.FigureModel))
    async def figure(index: str, id: FigureId) -> Json:
        opened = service.of(index).index
        found = await service.apart(opened.figure, id)
        if found is None:
            raise Refused(404, f"{id}: no such figure in {index}; ask for one of its figure ids")
        return Json(figure_json(opened, found))

    @router.get("/{index}/thumbnail", summary="A small picture of a figure", responses=PICTURE, response_class=Response)
    async def thumbnail(index: str, id: FigureId, v: State = "", known: Known = None) -> Response:
        opened = service.of(index).index
        return _picture(await service.apart(opened.thumbnail, id), f"{id}: has no thumbnail in {index}", v, known)

    @router.get("/{index}/original", summary="The file of a figure", responses=PICTURE, response_class=Response)
    async def whole(index: str, id: FigureId, v: State = "", known: Known = None) -> Response:
        opened = service.of(index).index
        if not opened.originals:
            raise Refused(404, "this server gives out no originals; it is started with --originals to do so")
        return _picture(
            await service.apart(original, opened, id), f"{id}: its file is gone or inside another", v, known
        )

    return router


def _picture(data: bytes | None, missing: str, state: str, known: str | None) -> Response:
    if data is None:
        raise Refused(404, f"{missing}; there is nothing to show")
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={WEEK}, immutable" if state else "private, no-cache"}
    if known is not None and etag in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type(data) or "application/octet-stream", headers=headers)
