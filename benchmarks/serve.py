"""What a server answers a second to 1, 8 and 32 clients, with and without encoding together what waits.

python benchmarks/serve.py indexes/mine --seconds 10

Two servers of the same index run side by side on loopback: one encodes up to 64 waiting queries together, one each by
itself. Clients ask one after the other, always something new, in turns of a few seconds for each server. The clients'
own work is in the numbers: they share the machine with the servers.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from environment import describe_machine

from retrieval.files import write_json
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.server.problems import Limits
from retrieval.server.run import serve
from retrieval.server.service import Service

CLIENTS = (1, 8, 32)
TOGETHER = {"together": 64, "one at a time": 1}
WORDS = 8  # of a caption: about what people type
K = 20
"""Hits a query, as the page asks."""


@dataclass
class Turn:
    """What clients saw in one turn: seconds of each request, and milliseconds of its stages as the server told."""

    seconds: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    wall: float = 0.0
    in_model: float = 0.0
    processor: float = 0.0
    batches: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--encoder", help="where the index's encoder is found, if not under its own name")
    parser.add_argument("--seconds", type=float, default=10.0, help="a turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="turns for each server and number of clients")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/serve.json"))
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        run_server(args.index, args.encoder, args.child)
        return
    servers = {name: start(args, together) for name, together in TOGETHER.items()}
    try:
        queries = Queries(args.index)
        for server in servers.values():
            turn(server, queries, clients=8, seconds=2.0)  # what is slow the first time
        turns: dict[tuple[str, int], list[Turn]] = {}
        for _ in range(args.rounds):
            for clients in CLIENTS:
                for name, server in servers.items():
                    turns.setdefault((name, clients), []).append(turn(server, queries, clients, args.seconds))
    finally:
        for server in servers.values():
            server.process.terminate()
            server.process.wait()
    rows = [summary(name, clients, some) for (name, clients), some in turns.items()]
    write_json(args.out, {"machine": describe_machine(), "index": about(args.index), "rows": rows, "gain": gain(rows)})
    for row in rows:
        print(json.dumps(row))


def run_server(index: Path, encoder: str | None, together: int) -> None:
    service = Service({"index": index}, encoder=encoder, limits=Limits(together=together))
    serve(service, port=0, say=lambda line: print(line, flush=True))


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    port: int

    def counters(self) -> dict[str, float]:
        """What its metrics say, and its processor time in seconds."""
        lines = get(self.port, "/metrics")[1].decode().splitlines()
        told = {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return told | {"processor": sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")}


def start(args: argparse.Namespace, together: int) -> Server:
    """A server process that is ready."""
    command = [sys.executable, __file__, str(args.index), "--child", str(together)]
    command += ["--encoder", args.encoder] if args.encoder else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    port = int(re.search(r":(\d+)/", process.stdout.readline())[1])  # type: ignore[index]
    while get(port, "/ready")[0] != 200:
        time.sleep(0.2)
    return Server(process, port)


class Queries:
    """Texts of the length that people type, no two alike: the first words of captions, and a number."""

    def __init__(self, index: Path) -> None:
        captions = OpenedIndex(index).shards.columns("texts", ["caption"])["caption"].to_pylist()
        self._starts = [" ".join(caption.split()[:WORDS]) for caption in captions]
        random.Random(0).shuffle(self._starts)
        self._number = count()

    def next(self) -> str:
        number = next(self._number)
        return f"{self._starts[number % len(self._starts)]} {number}"


def turn(server: Server, queries: Queries, clients: int, seconds: float) -> Turn:
    """Let clients ask, each one question after the other, for some seconds."""
    result = Turn()
    before = server.counters()
    began = time.perf_counter()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while time.perf_counter() < began + seconds:
            at = time.perf_counter()
            connection.request("GET", f"/api/indexes/index/search?k={K}&text={quote(queries.next())}")
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise SystemExit(f"status {response.status}: {body[:200]!r}")
            result.seconds.append(time.perf_counter() - at)
            result.stages.append(json.loads(body)["milliseconds"])

    with ThreadPoolExecutor(clients) as pool:
        for asking in [pool.submit(ask) for _ in range(clients)]:
            asking.result()
    result.wall = time.perf_counter() - began
    after = server.counters()
    result.in_model = after["retrieval_encoding_seconds_total"] - before["retrieval_encoding_seconds_total"]
    result.processor = after["processor"] - before["processor"]
    result.batches = after["retrieval_batch_queries_count"] - before["retrieval_batch_queries_count"]
    return result


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def summary(name: str, clients: int, turns: list[Turn]) -> dict[str, Any]:
    """Over all turns. Outside of the model is the share of a request's time, and of the server's wall clock."""
    seconds = [value for some in turns for value in some.seconds]
    stages = [value for some in turns for value in some.stages]
    median = {stage: round(statistics.median(one[stage] for one in stages), 1) for stage in stages[0]}
    encode = statistics.fmean(one["encode"] for one in stages) / 1000
    wall = sum(some.wall for some in turns)
    milliseconds = 1000 * np.quantile(seconds, [0.5, 0.95, 0.99])
    return {
        "encoding": name,
        "clients": clients,
        "requests": len(seconds),
        "requests_a_second": round(len(seconds) / wall, 1),
        "by_turn": [round(len(some.seconds) / some.wall, 1) for some in turns],
        "p50_ms": round(float(milliseconds[0]), 1),
        "p95_ms": round(float(milliseconds[1]), 1),
        "p99_ms": round(float(milliseconds[2]), 1),
        "queries_a_batch": round(len(seconds) / sum(some.batches for some in turns), 2),
        "median_ms": median,
        "processor_ms_a_request": round(1000 * sum(some.processor for some in turns) / len(seconds), 1),
        "request_outside_model": round(1 - encode / statistics.fmean(seconds), 3),
        "wall_outside_model": round(1 - sum(some.in_model for some in turns) / wall, 3),
    }


def gain(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of encoding together, by clients: times the requests a second, and times less processor time a request."""
    by = {(row["encoding"], row["clients"]): row for row in rows}
    together, alone = TOGETHER
    return {
        str(clients): {
            "requests_a_second": round(
                by[together, clients]["requests_a_second"] / by[alone, clients]["requests_a_second"], 2
            ),
            "processor": round(
                by[alone, clients]["processor_ms_a_request"] / by[together, clients]["processor_ms_a_request"], 2
            ),
        }
        for clients in CLIENTS
    }


def about(index: Path) -> dict[str, Any]:
    built = OpenedIndex(index)
    kinds = {kind: built.count(kind) for kind in ("image", "text")}  # type: ignore[arg-type]
    return {"encoder": built.plan.encoder, "dim": built.plan.dim, "rows": kinds, "k": K}


if __name__ == "__main__":
    main()
