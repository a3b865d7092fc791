"""The HTTP application: its routes, and how whatever goes wrong is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from retrieval import __version__
from retrieval.errors import RetrievalError
from retrieval.server import routes_classify, routes_export, routes_figures, routes_health, routes_search
from retrieval.server.hit_json import Json
from retrieval.server.middleware import Guard, Token
from retrieval.server.problems import RETRY_SECONDS, sentence, status_of
from retrieval.server.service import Service

log = logging.getLogger("retrieval.server")
POLL_SECONDS = 2.0
SENTENCES = {
    "Not Found": "there is nothing at this address; /docs says what there is",
    "Method Not Allowed": "this address is not asked so; /docs says how",
    "There was an error parsing the body": "the body cannot be read; send JSON in UTF-8, or a form",
}
"""What the framework says, as a sentence with a way out."""


def create_app(
    service: Service,
    *,
    token: Token | None = None,
    hosts: Collection[str] = (),
    poll: float = POLL_SECONDS,
    ready: Callable[[], None] = lambda: None,
    failed: Callable[[Exception], None] = lambda error: None,
) -> FastAPI:
    """The application over a service, which it opens, refreshes every `poll` seconds, and closes in the end.

    Requests must name one of `hosts`, if there are any. `ready` is called once the service is
    open, `failed` with the reason why it cannot be opened.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keeping_up = asyncio.create_task(_keep_up(service, poll, ready, failed))
        yield
        keeping_up.cancel()
        with suppress(asyncio.CancelledError):
            await keeping_up
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="retrieval",
        version=__version__,
        description='Ask indexes of figures and captions. Errors are {"error": one sentence}.',
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
    )
    app.add_middleware(Guard, limits=service.limits, metrics=service.metrics, token=token, hosts=hosts)
    for part in (routes_figures, routes_search, routes_classify, routes_export):
        app.include_router(part.routes(service))
    app.include_router(routes_health.routes(service, app))
    app.mount("/static", StaticFiles(directory=routes_health.WEB, check_dir=False))

    @app.exception_handler(RetrievalError)
    async def refused(request: Request, error: RetrievalError) -> Json:
        return problem(status_of(error), service.told(error))

    @app.exception_handler(RequestValidationError)
    async def misunderstood(request: Request, error: RequestValidationError) -> Json:
        return problem(422, sentence(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Json:
        answer = problem(error.status_code, SENTENCES.get(error.detail, error.detail))
        answer.headers.update(error.headers or {})
        return answer

    return app


def problem(status: int, message: str) -> Json:
    return Json({"error": message}, status, {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None)


async def _keep_up(
    service: Service, poll: float, ready: Callable[[], None], failed: Callable[[Exception], None]
) -> None:
    """Open the service, then look for indexes that were built anew, until cancelled."""
    try:
        await asyncio.to_thread(service.open)
    except Exception as error:
        failed(error)
        return
    log.info("ready: %s", ", ".join(service.folders))
    ready()
    while True:
        await asyncio.sleep(poll)
        for name in service.folders:
            await asyncio.to_thread(service.refresh, name)
