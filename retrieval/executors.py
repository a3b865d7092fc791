"""Who does the shards: an executor knows shard numbers and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Record = TypeVar("Record")


def run_here(make_task: Callable[[], Callable[[int], Record]], shard_numbers: Iterable[int]) -> Iterator[Record]:
    """Run the shards one after another in this process. `make_task` is called once: it opens model and corpus."""
    numbers = list(shard_numbers)
    if not numbers:
        return
    task = make_task()
    for number in numbers:
        yield task(number)
