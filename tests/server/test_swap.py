"""An index that is built anew is taken into service without a request being lost."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from retrieval.errors import ShardError
from retrieval.indexes.build import build
from retrieval.server.app import create_app
from retrieval.server.service import Service
from tests.doubles import ColourEncoder
from tests.server.conftest import draw, make_index, serving
from tests.server.test_together import wait_until


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two indexes of unlike sizes."""
    small = make_index(draw(tmp_path / "few", 6), tmp_path / "small")
    return small, make_index(draw(tmp_path / "many", 12), tmp_path / "large")


def test_a_link_turned_to_another_index_changes_the_answers_and_loses_none(
    two: tuple[Path, Path], tmp_path: Path, start: Callable[..., TestClient]
) -> None:
    small, large = two
    current = tmp_path / "current"
    current.symlink_to(small)
    client = start({"current": current}, poll=0.01)
    sizes = {client.get("/api/indexes/current").json()["digest"]: 6}
    seen: list[tuple[str, int]] = []
    stop = threading.Event()

    def ask(number: int) -> None:
        while not stop.is_set():
            answer = client.post("/api/indexes/current/search", json={"text": f"red {number}", "k": 50})
            assert answer.status_code == 200, answer.text
            seen.append((answer.json()["digest"], len(answer.json()["hits"])))

    with ThreadPoolExecutor(8) as pool:
        askers = [pool.submit(ask, number) for number in range(8)]
        for size, folder in ((12, large), (6, small), (12, large)):
            turned = tmp_path / "turned"
            turned.symlink_to(folder)
            os.replace(turned, current)
            wait_until(lambda size=size: client.get("/api/indexes/current").json()["images"] == size)  # type: ignore[misc]
            sizes[client.get("/api/indexes/current").json()["digest"]] = size
        stop.set()
        for asker in askers:
            asker.result()
    assert len(sizes) == 2
    assert {digest for digest, _ in seen} == set(sizes)
    assert all(sizes[digest] == hits for digest, hits in seen), "each answer is wholly of one state"


def test_an_index_rebuilt_in_its_place_is_opened_again(two: tuple[Path, Path]) -> None:
    small, _ = two
    service = Service({"small": small}, encoder=ColourEncoder())
    with serving(service) as client:
        before = service.of("small").index
        build(small)
        assert service.refresh("small")
        assert service.of("small").index is not before
        assert client.post("/api/indexes/small/search", json={"text": "red"}).status_code == 200
        assert not service.refresh("small"), "it is up to date"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files where the system lists them")
def test_states_that_were_replaced_leave_no_file_open(two: tuple[Path, Path]) -> None:
    small, _ = two
    service = Service({"small": small}, encoder=ColourEncoder())
    with serving(service) as client:

        def open_files() -> int:
            assert client.post("/api/indexes/small/search", json={"text": "red"}).status_code == 200
            links = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
            return sum(link.startswith(str(small)) for link in links)

        build(small)
        assert service.refresh("small")
        before = open_files()
        gc.disable()  # freed when the last request lets go, not when a collection comes by
        try:
            for _ in range(5):
                build(small)
                assert service.refresh("small")
            assert open_files() < 2 * before  # five states that were kept would make six times as many
        finally:
            gc.enable()


def test_while_an_index_is_being_built_the_old_state_answers(two: tuple[Path, Path]) -> None:
    small, _ = two
    service = Service({"small": small}, encoder=ColourEncoder())
    with serving(service) as client:
        facts = (small / "index.json").read_bytes()
        (small / "index.json").unlink()
        assert not service.refresh("small")
        assert client.post("/api/indexes/small/search", json={"text": "red"}).status_code == 200
        assert client.get("/ready").json()["indexes"]["small"]["not_served"] is None
        (small / "index.json").write_bytes(facts)


def test_a_damaged_index_is_not_taken_into_service_and_said_to_be_so(
    two: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    small, _ = two
    service = Service({"small": small}, encoder=ColourEncoder())
    with serving(service) as client:
        (small / "index.json").write_text("{", encoding="utf-8")
        assert not service.refresh("small")
        assert not service.refresh("small")
        assert client.post("/api/indexes/small/search", json={"text": "red"}).status_code == 200
        ready = client.get("/ready")
        assert ready.status_code == 200
        assert "index.json is damaged" in ready.json()["indexes"]["small"]["not_served"]
        metrics = client.get("/metrics").text
        assert 'retrieval_index_swaps_total{index="small",outcome="refused"} 1.0' in metrics
        assert sum("is not served" in record.getMessage() for record in caplog.records) == 1
        build(small)
        assert service.refresh("small")
        assert client.get("/ready").json()["indexes"]["small"]["not_served"] is None


def test_an_index_with_another_encoder_gets_its_own_and_the_old_one_is_let_go(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, _ = two
    other = make_index(draw(tmp_path / "other", 4), tmp_path / "other-index", ColourEncoder(2))
    encoders = {ColourEncoder(n).fingerprint: ColourEncoder(n) for n in (1, 2)}
    current = tmp_path / "current"
    current.symlink_to(small)
    opened: list[str] = []

    def load_encoder(name: str, **how: object) -> ColourEncoder:
        opened.append(name)
        return encoders[ColourEncoder(len(opened)).fingerprint]

    monkeypatch.setattr("retrieval.search.searcher.load_encoder", load_encoder)
    service = Service({"current": current})
    with serving(service) as client:
        old = service.of("current").worker
        current.unlink()
        current.symlink_to(other)
        assert service.refresh("current")
        assert service.of("current").worker is not old
        assert service.of("current").worker.encoder.fingerprint == ColourEncoder(2).fingerprint
        assert client.post("/api/indexes/current/search", json={"text": "red"}).status_code == 200


def test_before_the_indexes_are_open_the_server_says_so(index_folder: Path) -> None:
    service = Service({"colours": index_folder}, encoder=ColourEncoder())
    opening = threading.Event()
    real = service.open
    service.open = lambda: (opening.wait(10), real())[1]  # type: ignore[method-assign]
    with TestClient(create_app(service)) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        answer = client.post("/api/indexes/colours/search", json={"text": "red"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        opening.set()
        wait_until(lambda: client.get("/ready").status_code == 200)
        assert client.post("/api/indexes/colours/search", json={"text": "red"}).status_code == 200


def test_a_question_whose_files_are_gone_is_answered_by_the_next_state(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = two
    current = tmp_path / "current"
    current.symlink_to(small)
    service = Service({"current": current}, encoder=ColourEncoder())

    def gone(*args: object) -> None:
        raise ShardError("00000.images.parquet: cannot be read")

    with serving(service, poll=60.0) as client:
        monkeypatch.setattr(service.of("current").index.built, "describe", gone)
        answer = client.post("/api/indexes/current/search", json={"text": "red", "k": 50})
        assert answer.status_code == 503, "there is no next state yet"
        current.unlink()
        current.symlink_to(large)
        answer = client.post("/api/indexes/current/search", json={"text": "red", "k": 50})
        assert (answer.status_code, len(answer.json()["hits"])) == (200, 12)


def test_an_index_that_breaks_while_it_is_opened_ends_the_server_rather_than_leaving_it_unready(
    index_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service({"colours": index_folder}, encoder=ColourEncoder())
    failures: list[Exception] = []

    def broken() -> None:
        raise MemoryError

    monkeypatch.setattr(service, "open", broken)
    with TestClient(create_app(service, failed=failures.append)) as client:
        wait_until(lambda: len(failures) == 1)
        assert client.get("/ready").status_code == 503
    assert isinstance(failures[0], MemoryError)
