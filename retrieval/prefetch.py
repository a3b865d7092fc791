"""Work ahead of the consumer, in order and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Semaphore
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int) -> Generator[R, None, None]:
    """`map(function, items)` in order, computed by `workers` threads at most `ahead` items before they are asked for.

    `items` is read by one thread of its own, so that reading goes on while the consumer is busy. An exception of
    `function` or of `items` is raised where its result would be.
    """
    ready: SimpleQueue[Future[R] | None] = SimpleQueue()
    room, stopped = Semaphore(ahead), Event()

    def feed(pool: ThreadPoolExecutor) -> None:
        room.acquire()  # before an item is read: what was read and not asked for is what takes memory
        try:
            for item in items:
                if stopped.is_set():
                    return
                ready.put(pool.submit(function, item))
                room.acquire()
            ready.put(None)
        except BaseException as error:  # whatever ends the source reaches the consumer
            failed: Future[R] = Future()
            failed.set_exception(error)
            ready.put(failed)

    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as feeder:
        feeder.submit(feed, pool)
        try:
            while (future := ready.get()) is not None:
                result = future.result()
                room.release()
                del future  # it would keep its result until the next one is there
                yield result
        finally:
            stopped.set()
            room.release()
            feeder.shutdown()
            pool.shutdown(cancel_futures=True)
