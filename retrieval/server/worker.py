"""One thread for one encoder: the questions that wait are encoded together and searched together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from retrieval.search.query import Answer
from retrieval.search.search_options import SearchOptions
from retrieval.server.encoder_cache import RememberingEncoder
from retrieval.server.problems import Busy, Limits
from retrieval.server.prometheus import Metrics
from retrieval.server.request_models import PreparedQuery, encode_ahead
from retrieval.server.served_index import OpenIndex
from retrieval.types import Encoder, Pixels, Tokens, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question, and the seconds that it waited and that its batch then took in each stage."""

    answer: Answer
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One question to one index."""

    index: OpenIndex
    asked: PreparedQuery
    options: SearchOptions
    future: Future[Answered] = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Anything else that needs the encoder."""

    function: Callable[[Encoder], Any]
    future: Future[Any] = field(default_factory=Future)


Job = Search | Call


class Worker:
    """Runs jobs in the order they come, the searches among them in batches of what waits.

    Beyond the bound on jobs that wait, `submit` raises Busy. A job whose future was cancelled before its turn is not
    run. A bad question fails alone.
    """

    def __init__(self, encoder: RememberingEncoder, limits: Limits, metrics: Metrics) -> None:
        self.encoder = encoder
        self._limits, self._metrics = limits, metrics
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name=f"encoder {encoder.name}", daemon=True)
        self._thread.start()

    def submit(self, *jobs: Job) -> None:
        """All of them or, raising Busy, none. More at once than may wait are taken where nothing waits."""
        with self._changed:
            waiting = len(self._jobs)
            if self._closed:
                raise Busy("the server is stopping; ask again in a moment")
            if waiting and waiting + len(jobs) > self._limits.waiting:
                raise Busy(f"{waiting} queries are waiting already; ask again in a moment")
            self._jobs.extend(jobs)
            self._metrics.waiting.inc(len(jobs))
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            running = [job for job in batch if job.future.set_running_or_notify_cancel()]
            self._search([job for job in running if isinstance(job, Search)])
            for job in running:
                if isinstance(job, Call):
                    self._call(job)

    def _next(self) -> list[Job]:
        """What waits, as many as are encoded at once; nothing once the worker is closed."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), self._limits.together))]
            self._metrics.waiting.dec(len(batch))
            return batch

    def _call(self, job: Call) -> None:
        try:
            job.future.set_result(job.function(self.encoder))
        except Exception as error:
            job.future.set_exception(error)

    def _search(self, jobs: list[Search]) -> None:
        if not jobs:
            return
        self._metrics.batches.observe(len(jobs))
        began = time.perf_counter()
        with suppress(Exception):  # whose question it was shows when each is asked
            encode_ahead(self.encoder, [(job.asked, job.index.plan.long_captions) for job in jobs])
        encoded = time.perf_counter() - began
        self._metrics.encoding.inc(encoded)
        alike: dict[tuple[int, SearchOptions], list[Search]] = {}
        for job in jobs:
            alike.setdefault((id(job.index), job.options), []).append(job)
        for some in alike.values():
            self._answer(some, began, encoded)

    def _answer(self, jobs: list[Search], began: float, encoded: float) -> None:
        """Ask one index several questions with the same options; where one of them is bad, each by itself."""
        index, options = jobs[0].index, jobs[0].options
        at, looked_up = time.perf_counter(), index.built.looked_up
        try:
            queries = [job.asked.query(self.encoder) for job in jobs]
            answers = list(index.searcher.search_many(queries, options))
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
            else:
                for job in jobs:
                    self._answer([job], began, encoded)
            return
        look_up = index.built.looked_up - looked_up
        search = time.perf_counter() - at - look_up
        for job, answer in zip(jobs, answers, strict=True):
            seconds = {"wait": began - job.since, "encode": encoded, "search": search, "look_up": look_up}
            job.future.set_result(Answered(answer, seconds))


class ByWorker:
    """An Encoder for other threads: what it is asked for waits its turn in the worker's."""

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self._worker, self._seconds = worker, limits.seconds
        self.name, self.dim, self.fingerprint = worker.encoder.name, worker.encoder.dim, worker.encoder.fingerprint
        self.reads_images, self.logit_scale = worker.encoder.reads_images, worker.encoder.logit_scale

    def prepare(self, image: Image) -> Pixels:
        return self._worker.encoder.prepare(image)

    def encode_images(self, pixels: Pixels) -> Vectors:
        return self._done(lambda encoder: encoder.encode_images(pixels))

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self._done(lambda encoder: encoder.tokenize(texts))

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return self._done(lambda encoder: encoder.encode_texts(tokens))

    def _done(self, function: Callable[[Encoder], R]) -> R:
        job = Call(function)
        self._worker.submit(job)
        try:
            result: R = job.future.result(self._seconds)
        except TimeoutError:
            job.future.cancel()
            raise Busy(f"no answer within {self._seconds:g} seconds; ask again in a moment") from None
        return result
