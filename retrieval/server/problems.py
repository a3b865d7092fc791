"""Why a request is not answered: a status and one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic_core import ErrorDetails

from retrieval.errors import FilterError, QueryError, RetrievalError
from retrieval.server.response_models import Problem

RETRY_SECONDS = 1
MEANING = {
    400: "The question cannot be asked.",
    401: "A token is needed.",
    404: "There is no such index or figure.",
    413: "More than this server takes.",
    422: "The request is not understood.",
    503: "Not now: the same request may be answered later, see Retry-After.",
}


class Refused(RetrievalError):
    """A request that is not answered, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Busy(Refused):
    """There is no room or no time now; the same request may be answered later."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)


def status_of(error: RetrievalError) -> int:
    """400 for what the asker can mend, 503 for what only the server's owner can."""
    if isinstance(error, Refused):
        return error.status
    return 400 if isinstance(error, QueryError | FilterError) else 503


Responses = dict[int | str, dict[str, Any]]
"""What a route may answer, as FastAPI puts it into the OpenAPI document."""


def answers(shape: object) -> Responses:
    """What a route answers when all is well."""
    return {200: {"model": shape}}


def refusals(*statuses: int) -> Responses:
    """What it answers instead."""
    return {status: {"model": Problem, "description": MEANING[status]} for status in statuses}


def sentence(errors: Iterable[ErrorDetails | dict[str, Any]]) -> str:
    """The first thing that is wrong with a request, and where; not the value, which may be large."""
    first = next(iter(errors))
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return f"{where or 'the request'}: {first['msg'][:1].lower()}{first['msg'][1:]}; see /docs"
