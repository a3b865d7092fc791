"""What Prometheus is told: requests, stages of a search, batches, the queue and the indexes."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
QUERIES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One registry an application: two in a process do not share their numbers."""

    def __init__(self) -> None:
        self.registry = on = CollectorRegistry()
        self.requests = Counter("retrieval_requests", "Requests", ["route", "status"], registry=on)
        self.seconds = Histogram(
            "retrieval_request_seconds", "Time of a request", ["route"], buckets=SECONDS, registry=on
        )
        self.stages = Histogram(
            "retrieval_stage_seconds",
            "Time of a search in each stage: decode images, wait, encode and search with its batch, look_up figures",
            ["stage"],
            buckets=SECONDS,
            registry=on,
        )
        self.batches = Histogram("retrieval_batch_queries", "Queries encoded together", buckets=QUERIES, registry=on)
        self.encoding = Counter("retrieval_encoding_seconds", "Time that encoders spent on searches", registry=on)
        self.waiting = Gauge("retrieval_waiting_queries", "Queries that wait for their encoder", registry=on)
        self.rows = Gauge("retrieval_index_rows", "Rows of an index", ["index", "kind"], registry=on)
        self.state = Info("retrieval_index", "What an index is now", ["index"], registry=on)
        self.swaps = Counter(
            "retrieval_index_swaps", "Indexes built anew: served or refused", ["index", "outcome"], registry=on
        )

    def observe(self, stages: Mapping[str, float]) -> None:
        """The seconds of one search by stage."""
        for stage, seconds in stages.items():
            self.stages.labels(stage).observe(seconds)

    def tell(self, index: str, rows: Mapping[str, int], **about: str) -> None:
        """What an index is from now on."""
        for kind, count in rows.items():
            self.rows.labels(index, kind).set(count)
        self.state.labels(index).info(about)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self.registry)
