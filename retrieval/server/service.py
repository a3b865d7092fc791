"""The open indexes, their encoders' threads, and what keeps both up to date while requests are answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from retrieval.errors import RetrievalError
from retrieval.server.encoder_cache import RememberingEncoder
from retrieval.server.problems import Busy, Limits, Refused
from retrieval.server.prometheus import Metrics
from retrieval.server.served_index import OpenIndex, Signature, signature
from retrieval.server.worker import Job, Worker
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Encoder

R = TypeVar("R")
log = logging.getLogger("retrieval.server")
THREADS = 4  # for decoding images and looking figures up: neither may hold the event loop


@dataclass(frozen=True, slots=True)
class Served:
    """The state of an index that answers now, and the thread of its encoder."""

    index: OpenIndex
    worker: Worker


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why what stands in an index's folder now is not served."""

    signature: Signature
    reason: str


class Service:
    """Several indexes, opened and warm. `open` them first, `refresh` them now and then, `close` in the end.

    Indexes of one encoder share it and its thread. Thread-safe.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        *,
        encoder: str | Encoder | None = None,
        device: str | None = None,
        originals: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.folders = dict(folders)
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.troubles: dict[str, Trouble] = {}
        self._served: dict[str, Served] = {}
        self._workers: dict[str, Worker] = {}
        self._leaving: list[tuple[float, Worker]] = []
        self._opening = Lock()
        self._how: dict[str, Any] = {"encoder": encoder, "device": device, "originals": originals}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="retrieval")

    @property
    def ready(self) -> bool:
        return len(self._served) == len(self.folders)

    def open(self) -> None:
        """Open all indexes and their encoders. Raises RetrievalError for the first that cannot be."""
        for name in self.folders:
            if name not in self._served:
                self._serve(name)

    def of(self, name: str) -> Served:
        """Raises Refused where there is no index of that name, or none yet."""
        if name not in self.folders:
            raise Refused(404, f"{name}: no such index; there are {', '.join(self.folders)}")
        if name not in self._served:
            raise Busy(f"{name}: is still being opened; ask again in a moment")
        return self._served[name]

    def state(self, name: str) -> dict[str, Any]:
        """What whoever runs the server wants to know of an index."""
        served, trouble = self._served.get(name), self.troubles.get(name)
        return {"digest": served and served.index.digest, "not_served": trouble and trouble.reason}

    def told(self, error: RetrievalError) -> str:
        """An error's sentence for a client, whom the places of folders do not concern."""
        sentence = str(error)
        for name, served in self._served.items():
            sentence = sentence.replace(str(served.index.built.folder), name)
        return sentence

    def refresh(self, name: str) -> bool:
        """Take an index into service that was built anew. Gives whether one was.

        One that cannot be opened leaves the old state in service, and `troubles` says why. Requests that have the old
        state keep it; its encoder, if no index needs it now, is let go when no such request can be left.
        """
        with self._opening:
            self._let_go()
            now = signature(self.folders[name])
            trouble = self.troubles.get(name)
            if now in (None, self._served[name].index.signature) or (trouble and trouble.signature == now):
                return False
            try:
                self._serve(name)
            except Exception as error:
                if signature(self.folders[name]) == now:  # else it was caught in the middle of being built
                    reason = str(error) if isinstance(error, RetrievalError) else f"cannot be opened ({error!r})"
                    self.troubles[name] = Trouble(now, reason)
                    self.metrics.swaps.labels(name, "refused").inc()
                    log.warning("index %s was built anew but is not served: %s", name, reason)
                return False
            self.troubles.pop(name, None)
            self.metrics.swaps.labels(name, "served").inc()
            log.info("index %s was built anew, now digest %s", name, self._served[name].index.digest[:16])
            return True

    def _serve(self, name: str) -> None:
        index = OpenIndex(name, self.folders[name], **self._how)
        worker = self._worker(index)
        index.searcher.use_encoder(worker.encoder)
        index.warm()
        self._served[name] = Served(index, worker)
        self.metrics.tell(
            name, {kind: index.built.count(kind) for kind in TABLE_OF}, digest=index.digest, encoder=index.plan.encoder
        )

    def _worker(self, index: OpenIndex) -> Worker:
        key = index.plan.encoder_fingerprint or f"{index.plan.encoder} {index.plan.dim}"
        if key not in self._workers:
            self._workers[key] = Worker(RememberingEncoder(index.searcher.encoder), self.limits, self.metrics)
        return self._workers[key]

    def _let_go(self) -> None:
        now = time.monotonic()
        used = {served.worker for served in self._served.values()}
        for key, worker in list(self._workers.items()):
            if worker not in used:
                self._leaving.append((now + 2 * self.limits.seconds, self._workers.pop(key)))
        for due, worker in list(self._leaving):
            if due <= now:
                self._leaving.remove((due, worker))
                worker.close()

    async def done(self, worker: Worker, *jobs: Job) -> list[Any]:
        """The results of jobs in an encoder's thread. Raises Busy where there is no room, or no answer in time."""
        worker.submit(*jobs)
        return await self._in_time(asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs)))

    async def apart(self, function: Callable[..., R], *arguments: Any) -> R:
        """Run something in the pool, away from the event loop."""
        return await self._in_time(asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments))

    async def _in_time(self, future: asyncio.Future[R]) -> R:
        try:
            return await asyncio.wait_for(future, self.limits.seconds)
        except TimeoutError:
            raise Busy(f"no answer within {self.limits.seconds:g} seconds; ask again in a moment") from None

    def close(self) -> None:
        """Finish what waits."""
        for worker in [*self._workers.values(), *(worker for _, worker in self._leaving)]:
            worker.close()
        self._pool.shutdown()
