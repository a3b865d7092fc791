"""A tiny index of coloured fields, and a server over it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.server.app import create_app
from retrieval.server.problems import Limits
from retrieval.server.service import Service
from tests.conftest import draw_colours
from tests.doubles import COLOURS, ColourEncoder


def draw(folder: Path, figures: int) -> Path:
    """Coloured fields, three an article, with a year, a licence and a score each."""
    draw_colours(folder, figures)
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        about = {
            "year": 2000 + number % 5,
            "licence": "cc-by" if number % 3 else "cc0",
            "score": number / 2,
            "article_id": f"PMC{number // 3}",
        }
        path.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def make_index(source: Path, folder: Path, encoder: ColourEncoder | None = None) -> Path:
    encode(source, folder, encoder=encoder or ColourEncoder())
    build(folder)
    return folder


def picture(colour: str, size: tuple[int, int] = (32, 32)) -> bytes:
    """A PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


def serving(service: Service, **options: Any) -> TestClient:
    """A client of a server that is ready once the client is entered."""
    service.open()
    return TestClient(create_app(service, **options), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def index_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of twenty figures; nobody changes it."""
    folder = tmp_path_factory.mktemp("colours")
    return make_index(draw(folder / "figures", 20), folder / "colours")


@pytest.fixture(scope="session")
def shared_client(index_folder: Path) -> Iterator[TestClient]:
    """One server for all tests that only ask."""
    with serving(Service({"colours": index_folder}, encoder=ColourEncoder())) as client:
        yield client


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    shared_client.cookies.clear()
    return shared_client


@pytest.fixture
def start(index_folder: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts a server over the shared index, or over others, with limits and options of its own."""
    entered: list[TestClient] = []

    def started(
        folders: dict[str, Path] | None = None,
        *,
        encoder: Any = None,
        originals: bool = False,
        limits: Limits | None = None,
        **options: Any,
    ) -> TestClient:
        service = Service(
            folders or {"colours": index_folder}, encoder=encoder or ColourEncoder(), originals=originals, limits=limits
        )
        client = serving(service, **options)
        entered.append(client)
        client.__enter__()
        return client

    yield started
    for client in entered:
        client.__exit__(None, None, None)
