"""Routes for whoever runs the server: does it live, is it ready, what does it do, what can be asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import FileResponse, HTMLResponse, Response

from retrieval.render.html import STYLE, asset
from retrieval.server.api_page import api_manual
from retrieval.server.hit_json import Json
from retrieval.server.service import Service

WEB = Path(__file__).parent / "web"


def routes(service: Service, app: FastAPI) -> APIRouter:
    router = APIRouter()

    @router.get("/health", tags=["server"], summary="The process lives")
    async def health() -> Json:
        return Json({"alive": True})

    @router.get(
        "/ready", tags=["server"], summary="Indexes are open and warm", responses={503: {"description": "Not yet."}}
    )
    async def ready(request: Request) -> Json:
        about: dict[str, Any] = {"ready": service.ready}
        if request.scope.get("known"):
            about["indexes"] = {name: service.state(name) for name in service.folders}
        return Json(about, 200 if service.ready else 503)

    @router.get("/metrics", tags=["server"], summary="For Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_manual(app.openapi()))

    @router.get("/static/style.css", include_in_schema=False)
    async def style() -> Response:
        return Response(asset(STYLE), media_type="text/css")

    @router.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html")

    return router
