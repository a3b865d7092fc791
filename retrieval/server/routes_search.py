"""Routes that ask an index."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from retrieval.errors import QueryError, RetrievalError, ShardError, StaleIndexError
from retrieval.search.search_options import SearchOptions
from retrieval.server import response_models
from retrieval.server.hit_json import Json, hit_json
from retrieval.server.problems import Limits, Refused, answers, refusals, sentence, status_of
from retrieval.server.request_models import Batch, Linked, PreparedQuery, QueryRequest, read_query
from retrieval.server.served_index import OpenIndex
from retrieval.server.service import Served, Service
from retrieval.server.worker import Answered, Search
from retrieval.types import Encoder

UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "an image file to ask with"},
                        "query": {"type": "string", "description": "the other fields of a question, as JSON"},
                    },
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            }
        },
    }
}


def routes(service: Service) -> APIRouter:
    router = APIRouter(
        prefix="/api/indexes/{index}/search", tags=["search"], responses=refusals(400, 404, 413, 422, 503)
    )

    async def one(name: str, question: QueryRequest, files: Mapping[str, bytes] | None = None) -> Json:
        return Json((await ask(service, name, [question], files))[0])

    @router.get("", summary="Ask by link", responses=answers(response_models.AnswerModel))
    async def by_link(index: str, question: Annotated[Linked, Query()]) -> Json:
        return await one(index, QueryRequest(**question.model_dump(exclude_unset=True)))

    @router.post("", summary="Ask", responses=answers(response_models.AnswerModel))
    async def by_json(index: str, question: QueryRequest) -> Json:
        return await one(index, question)

    @router.post(
        "/upload", summary="Ask with image files", responses=answers(response_models.AnswerModel), openapi_extra=UPLOAD
    )
    async def by_form(index: str, request: Request) -> Json:
        service.of(index)
        question, files = await _form(request, service.limits.terms)
        return await one(index, question, files)

    @router.post("/batch", summary="Ask many at once", responses=answers(response_models.AnswersModel))
    async def by_batch(index: str, batch: Batch) -> Json:
        if len(batch.queries) > service.limits.queries:
            raise Refused(
                413, f"{len(batch.queries)} queries; this server takes at most {service.limits.queries} at once"
            )
        return await service.apart(Json, {"answers": await ask(service, index, batch.questions())})

    return router


async def ask(
    service: Service, name: str, questions: Sequence[QueryRequest], files: Mapping[str, bytes] | None = None
) -> list[dict[str, Any]]:
    """The answers to questions, all by one state of the index.

    Where its files were taken away under a state that still answered, the next one is asked.
    """
    while True:
        served = service.of(name)
        try:
            return await _ask(service, served, questions, files)
        except (ShardError, StaleIndexError, OSError):
            await service.apart(service.refresh, name)
            if service.of(name) is served:
                raise


async def _ask(
    service: Service, served: Served, questions: Sequence[QueryRequest], files: Mapping[str, bytes] | None
) -> list[dict[str, Any]]:
    began = time.perf_counter()
    index, encoder, limits = served.index, served.worker.encoder, service.limits
    read_here = functools.partial(_read, questions, index, encoder, limits, files)
    # a hop to another thread costs more than reading words does, and milliseconds where that thread has to wait
    has_images = bool(files) or any(question.image or question.images for question in questions)
    asked = await service.apart(read_here) if has_images else read_here()
    decoded = time.perf_counter() - began
    jobs = [Search(index, one, options) for one, options in asked]
    answered = await service.done(served.worker, *jobs)
    for one in answered:
        service.metrics.observe({"decode": decoded} | one.seconds)
    tell = functools.partial(_told, jobs, answered, began, decoded)
    empty = any(job.options.where and not len(one.answer) for job, one in zip(jobs, answered, strict=True))
    return await service.apart(tell) if len(jobs) > 1 or empty else tell()


def _told(jobs: Sequence[Search], answered: Sequence[Answered], began: float, decoded: float) -> list[dict[str, Any]]:
    """The answers as the API says them."""
    told = []
    for job, one in zip(jobs, answered, strict=True):
        hits = [hit_json(job.index, hit) for hit in one.answer]
        stages = {"decode": decoded} | {stage: one.seconds[stage] for stage in ("encode", "search", "look_up")}
        seconds = stages | {"total": time.perf_counter() - began}
        told.append(
            {
                "index": job.index.name,
                "digest": job.index.digest,
                "target": job.options.target,
                "mode": job.options.mode,
                "query_cut": one.answer.query_cut,
                "nearest": "" if hits else job.index.built.nearest_values(job.options.where),
                "milliseconds": {stage: round(1000 * value, 2) for stage, value in seconds.items()},
                "hits": hits,
            }
        )
    return told


def _read(
    questions: Sequence[QueryRequest],
    index: OpenIndex,
    encoder: Encoder,
    limits: Limits,
    files: Mapping[str, bytes] | None,
) -> list[tuple[PreparedQuery, SearchOptions]]:
    found = []
    for number, question in enumerate(questions):
        try:
            found.append(read_query(question, index, encoder, limits, files))
        except RetrievalError as error:
            if len(questions) == 1:
                raise
            raise Refused(status_of(error), f"queries.{number}: {error}") from None
    return found


async def _form(request: Request, files: int) -> tuple[QueryRequest, dict[str, bytes]]:
    """The field `query` and the files of a form. Raises QueryError or Refused."""
    async with request.form(max_files=files, max_fields=files) as form:
        parts = list(form.multi_items())
        pictures = {name: await part.read() for name, part in parts if isinstance(part, UploadFile)}
        fields = {name: part for name, part in parts if isinstance(part, str)}
    if fields.keys() - {"query"}:
        raise QueryError("a form has one field, query, as JSON; all else in it are image files")
    try:
        return QueryRequest.model_validate_json(fields.get("query", "{}")), pictures
    except ValidationError as error:
        raise Refused(422, f"query: {sentence(error.errors())}") from None
