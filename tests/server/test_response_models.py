"""Requests by the API's own description, and some that nearly are: each is answered as described, none breaks it."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from retrieval.search.search_options import SearchOptions
from retrieval.server.app import create_app
from retrieval.server.problems import Limits
from retrieval.server.request_models import Wanted
from retrieval.server.service import Service
from tests.doubles import ColourEncoder

SIMPLE = ["GET /api/indexes", "GET /api/indexes/{index}", "GET /health", "GET /ready", "GET /metrics"]
OPERATIONS = [
    "GET /api/indexes/{index}/facets",
    "GET /api/indexes/{index}/figure",
    "GET /api/indexes/{index}/thumbnail",
    "GET /api/indexes/{index}/original",
    "GET /api/indexes/{index}/search",
    "POST /api/indexes/{index}/search",
    "POST /api/indexes/{index}/search/upload",
    "POST /api/indexes/{index}/search/batch",
    "POST /api/indexes/{index}/classify",
    "POST /api/indexes/{index}/score",
    "POST /api/export",
]


@pytest.fixture(scope="module")
def described(index_folder: Path) -> Iterator[schemathesis.BaseSchema]:
    """The API of a server on a port of this machine, by its own description."""
    service = Service({"colours": index_folder}, encoder=ColourEncoder(), originals=True, limits=Limits(k=20, text=500))
    service.open()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json")
    server.should_exit = True
    thread.join()


def test_every_operation_is_tried(described: schemathesis.BaseSchema) -> None:
    assert sorted(one.ok().label for one in described.get_all_operations()) == sorted(SIMPLE + OPERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "mode"),
    [(operation, GenerationMode.POSITIVE) for operation in SIMPLE + OPERATIONS]
    + [(operation, GenerationMode.NEGATIVE) for operation in OPERATIONS],
)
def test_no_request_breaks_the_server(described: schemathesis.BaseSchema, operation: str, mode: GenerationMode) -> None:
    (tried,) = (one.ok() for one in described.get_all_operations() if one.ok().label == operation)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(tried.as_strategy(generation_mode=mode))
    def try_it(case: schemathesis.Case) -> None:
        if "index" in (case.path_parameters or {}) and len(str(case.path_parameters["index"])) % 2:
            case.path_parameters["index"] = "colours"  # else hardly a request would get past the 404
        if "index" in (case.query or {}):
            case.query["index"] = "colours"
        case.call_and_validate(excluded_checks=[positive_data_acceptance])  # "exactly one of" is beyond a schema

    try_it()


def test_a_request_has_the_options_of_a_search_and_says_the_same_of_them() -> None:
    """Written once, for Python, the command line and HTTP."""
    for one in dataclasses.fields(SearchOptions):
        assert Wanted.model_fields[one.name].description == one.metadata["help"], one.name
        if one.name != "k":  # a page shows more at once than a terminal
            assert (Wanted.model_fields[one.name].default or None) == (one.default or None)
