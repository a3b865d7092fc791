"""Many askers at once: encoded together, answered as if alone, refused in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from retrieval.search.query import Query
from retrieval.search.searcher import Searcher
from retrieval.server.encoder_cache import RememberingEncoder
from retrieval.server.problems import Limits
from retrieval.types import Pixels, Tokens, Vectors
from tests.doubles import COLOURS, ColourEncoder
from tests.server.conftest import picture

SEARCH = "/api/indexes/colours/search"


class Slow(ColourEncoder):
    """Notes its batches; waits for `open` in each where it is given."""

    def __init__(self, gate: threading.Event | None = None, seconds: float = 0.0) -> None:
        super().__init__()
        self.texts: list[int] = []
        self.images: list[int] = []
        self._gate, self._seconds = gate, seconds

    def encode_texts(self, tokens: Tokens) -> Vectors:
        self.texts.append(len(tokens))
        time.sleep(self._seconds)
        if self._gate is not None:
            assert self._gate.wait(20)
        return super().encode_texts(tokens)

    def encode_images(self, pixels: Pixels) -> Vectors:
        self.images.append(len(pixels))
        time.sleep(self._seconds)
        return super().encode_images(pixels)


def told(answer: dict[str, Any]) -> list[tuple[str, float]]:
    return [(hit["figure_id"], hit["score"]) for hit in answer["hits"]]


def test_32_askers_at_once_get_the_searchers_own_answers(start: Callable[..., TestClient], index_folder: Path) -> None:
    searcher = Searcher(index_folder, ColourEncoder())
    names = list(COLOURS)
    encoder = Slow(seconds=0.005)
    client = start(encoder=encoder)

    def ask(number: int) -> None:
        colour, k, target = names[number % 8], 1 + number % 4, ("images", "captions")[number % 2]
        if number % 3 == 0:
            files = {"image": picture(colour)}
            answer = client.post(f"{SEARCH}/upload", files=files, data={"query": f'{{"k":{k},"target":"{target}"}}'})
            query = Query(image=picture(colour))
        else:
            answer = client.post(SEARCH, json={"text": f"{colour} {number}", "k": k, "target": target})
            query = Query(text=f"{colour} {number}")
        assert answer.status_code == 200, answer.text
        own = next(iter(searcher.search_many([query], k=k, target=target)))  # type: ignore[arg-type]
        assert [figure for figure, _ in told(answer.json())] == [hit.figure_id for hit in own]
        assert [score for _, score in told(answer.json())] == pytest.approx([hit.score for hit in own], abs=2e-6)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(ask, range(128)))
    assert max(encoder.texts) > 1, "texts that waited were encoded together"


def test_what_waits_while_the_model_is_busy_is_its_next_batch(start: Callable[..., TestClient]) -> None:
    gate = threading.Event()
    encoder = Slow(gate)
    client = start(encoder=encoder, limits=Limits(together=4))
    with ThreadPoolExecutor(7) as pool:
        first = pool.submit(client.post, SEARCH, json={"text": "white"})
        wait_until(lambda: encoder.texts == [1])
        others = [pool.submit(client.post, SEARCH, json={"text": colour}) for colour in list(COLOURS)[:6]]
        wait_until(lambda: "retrieval_waiting_queries 6.0" in client.get("/metrics").text)
        gate.set()
        assert {answer.result().status_code for answer in [first, *others]} == {200}
    assert encoder.texts == [1, 4, 2]


def test_a_full_queue_says_come_back(start: Callable[..., TestClient]) -> None:
    gate = threading.Event()
    encoder = Slow(gate)
    client = start(encoder=encoder, limits=Limits(waiting=2))
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(client.post, SEARCH, json={"text": "white"})]
        wait_until(lambda: encoder.texts == [1])
        taken += [pool.submit(client.post, SEARCH, json={"text": colour}) for colour in ("red", "blue")]
        wait_until(lambda: "retrieval_waiting_queries 2.0" in client.get("/metrics").text)
        refused = client.post(SEARCH, json={"text": "green"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"] == "2 queries are waiting already; ask again in a moment"
        assert client.get("/health").status_code == 200, "the event loop is free"
        gate.set()
        assert [answer.result().status_code for answer in taken] == [200, 200, 200]
    assert client.post(SEARCH, json={"text": "green"}).status_code == 200


def test_a_request_is_given_up_in_time_and_not_encoded_later(start: Callable[..., TestClient]) -> None:
    gate = threading.Event()
    encoder = Slow(gate)
    client = start(encoder=encoder, limits=Limits(seconds=0.3))
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(client.post, SEARCH, json={"text": "white"})
        wait_until(lambda: encoder.texts == [1])
        late = client.post(SEARCH, json={"text": "red"})
        assert (late.status_code, "no answer within 0.3 seconds" in late.text) == (503, True)
        assert busy.result().status_code == 503
    gate.set()
    assert client.post(SEARCH, json={"text": "blue"}).status_code == 200
    assert encoder.texts == [1, 1], "nobody waits for the late one any more"


def test_a_bad_question_in_a_batch_fails_alone(start: Callable[..., TestClient]) -> None:
    gate = threading.Event()
    encoder = Slow(gate)
    client = start(encoder=encoder)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.post, SEARCH, json={"text": "white"})
        wait_until(lambda: encoder.texts == [1])
        questions = ({"text": "red"}, {"figure": "nobody"}, {"text": "blue"})
        rest = [pool.submit(client.post, SEARCH, json=question) for question in questions]
        wait_until(lambda: "retrieval_waiting_queries 3.0" in client.get("/metrics").text)
        gate.set()
        assert [answer.result().status_code for answer in [first, *rest]] == [200, 200, 400, 200]


def test_indexes_of_one_encoder_share_it(start: Callable[..., TestClient], index_folder: Path) -> None:
    encoder = Slow()
    client = start({"one": index_folder, "two": index_folder}, encoder=encoder)
    first = client.post("/api/indexes/one/search", json={"text": "red"}).json()
    second = client.post("/api/indexes/two/search", json={"text": "red"}).json()
    assert told(first) == told(second)
    assert encoder.texts == [1], "the second time its vector was remembered"


def test_an_encoder_that_remembers_gives_the_same_vectors() -> None:
    plain, encoder = ColourEncoder(), Slow()
    remembering = RememberingEncoder(encoder, size=2)
    texts = ["red", "blue", "red", "green"]
    for _ in range(2):
        vectors = remembering.encode_texts(remembering.tokenize(texts))
        np.testing.assert_array_equal(vectors, plain.encode_texts(plain.tokenize(texts)))
    assert encoder.texts == [3, 1], "twice the same is encoded once, and of three two are kept"
    pixels = np.random.default_rng(0).random((3, 3, 4, 4), dtype=np.float32)
    np.testing.assert_array_equal(remembering.encode_images(pixels), plain.encode_images(pixels))
    np.testing.assert_array_equal(remembering.encode_images(pixels[1:]), plain.encode_images(pixels[1:]))
    assert encoder.images == [3]


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail("it did not come about")
        time.sleep(0.005)
