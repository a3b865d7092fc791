"""How much one request may ask for, and why one is not answered: a status and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from retrieval.errors import FilterError, QueryError, RetrievalError
from retrieval.server.response_models import Problem

MIB = 1 << 20
RETRY_SECONDS = 1
MEANING = {
    400: "The question cannot be asked.",
    401: "A token is needed.",
    404: "There is no such index or figure.",
    413: "More than this server takes.",
    422: "The request is not understood.",
    503: "Not now: the same request may be answered later, see Retry-After.",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused beyond. Sizes are of one request or of what it holds."""

    k: int = 200
    """Hits a query."""
    upload: int = 20 * MIB
    """Bytes of an image file."""
    pixels: int = 40_000_000
    """Of an image: 120 MB when it is decoded."""
    text: int = 10_000
    """Characters of a query, and of all its where clauses."""
    terms: int = 32
    """Parts of a combined query, and where clauses."""
    queries: int = 256
    """Queries of a batch, images of a table, labels of a classification."""
    figures: int = 1000
    """Figures of an export."""
    waiting: int = 512
    """Queries in the queue of an encoder."""
    together: int = 64
    """Queries that are encoded at once."""
    seconds: float = 30.0
    """From here on a request is given up."""

    @property
    def body(self) -> int:
        """Bytes of a whole request: base64 makes an image larger by a third, and something stands around it."""
        return self.upload * 4 // 3 + MIB


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
