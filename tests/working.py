"""A task for processes of their own, in a module that is quick to import there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import CorpusError


@dataclass(frozen=True)
class Done:
    number: int
    device: str
    process: int


@dataclass(frozen=True)
class Work:
    """A task for any process: what befalls it is written down in files of the folder, which the processes share."""

    folder: str
    kills: tuple[int, ...] = ()
    once: bool = True
    fails: int | None = None
    slow: float = 0.0

    def __call__(self, device: str) -> Callable[[Iterable[int]], Iterator[Done]]:
        def task(numbers: Iterable[int]) -> Iterator[Done]:
            (Path(self.folder) / f"process-{os.getpid()}").touch()
            for number in numbers:
                killed = Path(self.folder) / f"killed-{number}"
                if number in self.kills and not (self.once and killed.exists()):
                    killed.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                if number == self.fails:
                    raise CorpusError("the tape broke; mend it")
                time.sleep(self.slow)
                yield Done(number, device, os.getpid())

        return task
