"""Run shards in this process or in one process a device; an executor knows shard numbers and nothing else.

A task is a function of shard numbers to their records. It may take numbers before it has given the records of earlier
ones, so that the stages of its work overlap across shards, and it gives every record in the order of the numbers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

from retrieval.errors import RetrievalError


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


Record = TypeVar("Record", bound=Numbered)
Task = Callable[[Iterable[int]], Iterator[Record]]
ATTEMPTS = 2
"""How often a shard may lose its worker: once may be chance, as when memory is short; twice is the shard's doing."""


def run_here(make_task: Callable[[], Task[Record]], numbers: Iterable[int]) -> Generator[Record, None, None]:
    """Run the shards in this process. `make_task` is called once, and only where there is work."""
    todo = list(numbers)
    if todo:
        yield from make_task()(todo)


@dataclass
class _Worker:
    device: str
    process: BaseProcess
    pipe: Connection
    claimed: list[int] = field(default_factory=list)


def run_on_devices(
    make_task: Callable[[str], Task[Record]], numbers: Iterable[int], devices: Sequence[str]
) -> Generator[Record, None, None]:
    """Run the shards in one process for each device; records come as they are done.

    `make_task(device)` is called in each process and must be picklable, and so must be records. The shards of a process
    that dies are given to a new one, once; then RetrievalError says so. An exception of a task is raised here. However
    this ends, no process is left.
    """
    todo, deaths = deque(numbers), Counter[int]()
    workers: list[_Worker] = []
    try:
        if todo:
            workers += [_start(make_task, device) for device in devices[: len(todo)]]
        while workers:
            for pipe in wait([worker.pipe for worker in workers]):
                worker = next(one for one in workers if one.pipe is pipe)
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    workers.remove(worker)
                    _end(worker)
                    deaths.update(worker.claimed)
                    if worker.claimed:
                        _refuse_again(worker, deaths)
                    todo.extendleft(reversed(worker.claimed))
                    if todo:
                        workers.append(_start(make_task, worker.device))
                    continue
                if kind == "next":
                    number = todo.popleft() if todo else None
                    if number is not None:
                        worker.claimed.append(number)
                    worker.pipe.send(number)
                elif kind == "record":
                    worker.claimed.remove(value.number)
                    yield value
                else:
                    raise value
    finally:
        for worker in workers:
            _end(worker)


def _start(make_task: Callable[[str], Task[Any]], device: str) -> _Worker:
    # spawned, not forked: neither CUDA nor the threads of a parent survive a fork
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(make_task, device, there), daemon=True)
    process.start()
    there.close()  # so that the death of the process is the end of the pipe
    return _Worker(device, process, here)


def _end(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.terminate()
    worker.process.join()


def _refuse_again(worker: _Worker, deaths: Counter[int]) -> None:
    number, count = deaths.most_common(1)[0]
    if count >= ATTEMPTS:
        raise RetrievalError(
            f"{worker.device}: the process that encoded shard {number} died {count} times "
            f"(exit code {worker.process.exitcode}), perhaps for want of memory; "
            "run the same command again to go on, with a smaller --batch-size or fewer --workers"
        )


def _work(make_task: Callable[[str], Task[Any]], device: str, pipe: Connection) -> None:
    """What a worker process does: ask for numbers, send records, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    Thread(target=_follow_parent, daemon=True).start()
    sending = Lock()

    def send(kind: str, value: Any = None) -> None:
        with sending:  # numbers are asked for by the thread that reads ahead
            pipe.send((kind, value))

    def numbers() -> Iterator[int]:
        while True:
            send("next")
            number = pipe.recv()
            if number is None:
                return
            yield number

    try:
        for record in make_task(device)(numbers()):
            send("record", record)
    except Exception as error:
        try:
            send("error", error)
        except Exception:  # not every exception can be sent
            send("error", RetrievalError(f"{device}: {type(error).__name__}: {error}"))


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # killed, it could end nobody; the shard in hand is encoded again by the next run
