"""The load test of the server: what it makes of its turns, and how its table says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rendering
import serve
import serve_tables


def turn(seconds: float, requests: int, batches: float) -> serve.Turn:
    """A turn of ten seconds in which each request took as long and spent half of that in the model."""
    stages = {"encode": 500 * seconds, "total": 1000 * seconds}
    return serve.Turn([seconds] * requests, [stages] * requests, 10.0, 4.0, 2.0, batches)


def test_turns_are_added_up_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        serve.summary(name, clients, [turn(0.01, 100 * clients * (1 + (name == "together")), 50.0)] * 2)
        for clients in serve.CLIENTS
        for name in serve.TOGETHER
    ]
    first = rows[0]
    assert (first["requests"], first["requests_a_second"], first["p99_ms"]) == (400, 20.0, 10.0)
    assert (first["queries_a_batch"], first["processor_ms_a_request"]) == (4.0, 10.0)
    assert (first["request_outside_model"], first["wall_outside_model"]) == (0.5, 0.6)
    gain = serve.gain(rows)
    assert gain["1"] == {"requests_a_second": 2.0, "processor": 2.0}
    index = {"encoder": "starter", "dim": 8, "rows": {"image": 20, "text": 20}, "k": 20}
    machine = {"processor": "abacus", "cores": 2, "date": "today"}
    result = {"machine": machine, "index": index, "rows": rows, "gain": gain}
    (tmp_path / "serve.json").write_text(json.dumps(result), encoding="utf-8")
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    table = serve_tables.serving()
    assert "| 1 | together | 20 | 10, 10, 10 | 4.0 | 10.0 | 50% |" in table
    assert "2.0 times as many with 32 clients" in table
