"""Questions to a served index, as they are sent."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.request import Request

import numpy as np
import pytest
from PIL import Image

import retrieval
from retrieval.server.client import RemoteIndex, _Server

RED = Image.new("RGB", (4, 4), "red")


class Recorder:
    """A server that keeps what it is asked and finds nothing."""

    url = "http://served/"

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def post(self, place: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.bodies.append(dict(body))
        return {"hits": [], "answers": [{"hits": []} for _ in body.get("queries", ())]}

    def picture(self, place: str | None) -> None:
        return None


def remote(recorder: Recorder) -> RemoteIndex:
    return RemoteIndex(recorder, "one", {})  # type: ignore[arg-type]


def sent_picture(body: Mapping[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(body["image"])))


@pytest.mark.parametrize("picture", [RED, np.asarray(RED), np.asarray(RED) / 255.0], ids=["pil", "array", "shares"])
def test_a_picture_is_sent_as_a_file(picture: Any) -> None:
    recorder = Recorder()
    with remote(recorder) as index:
        index.search(image=picture)
        list(index.search_many(picture))
        list(index.search_many([picture, "words", retrieval.Query(figure="a")]))
    alone, (one,), (first, words, figure) = recorder.bodies[0], *(body["queries"] for body in recorder.bodies[1:])
    for body in (alone, one, first):
        assert sent_picture(body).convert("RGB").getpixel((1, 1)) == (255, 0, 0)
    assert (words, figure) == ({"text": "words"}, {"figure": "a"})


def test_one_text_or_query_is_one_question() -> None:
    recorder = Recorder()
    index = remote(recorder)
    assert [len(answer) for answer in index.search_many("red")] == [0]
    index.search(retrieval.Query(combine="red + blue"), k=3)
    assert recorder.bodies == [{"queries": [{"text": "red"}]}, {"k": 3, "combine": "red + blue"}]


def test_numbers_of_numpy_are_sent_as_numbers() -> None:
    class Server(_Server):
        def _read(self, request: Request) -> bytes:
            sent.append(json.loads(request.data))  # type: ignore[arg-type]
            return b'{"hits": []}'

    sent: list[dict[str, Any]] = []
    index = RemoteIndex(Server("http://served/", None, 1), "one", {})
    index.search("red", k=np.int64(3), min_percentile=np.float32(0.5))
    index.search(vector=np.ones(2, np.float16))
    assert sent == [{"k": 3, "min_percentile": 0.5, "text": "red"}, {"vector": [1, 1]}]
    with pytest.raises(retrieval.QueryError, match="the query vector is a str, not numbers"):
        index.search(vector="red")
    with pytest.raises(retrieval.QueryError, match="a set cannot be sent to a server"):
        index.search("red", mode={"dense"})


def test_what_is_no_picture_is_one_sentence() -> None:
    with pytest.raises(retrieval.QueryError, match="or several of them, not a int"):
        list(remote(Recorder()).search_many(3))  # type: ignore[arg-type]
    with pytest.raises(retrieval.QueryError, match=r"an array of shape \(0,\) is no picture"):
        remote(Recorder()).search(image=np.zeros(0))
