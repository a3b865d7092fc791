"""How many threads torch computes with in a thread: set for one thread, and left alone for all others.

`torch.set_num_threads` sets the count of the calling thread, and also the count that every thread begins with later.

A process that was forked after torch computed in its parent computes with one thread: torch's other threads do not live
on in a fork, and OpenMP waits for them for ever (pytorch issue 17199).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

import torch

Value = TypeVar("Value")
_settling = threading.Lock()
_settled = threading.local()
_forked = False


def _compute_alone() -> None:
    global _settling, _forked
    _settling, _forked = threading.Lock(), True  # another thread may have held the lock when this process began
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_compute_alone)


def own_count() -> int:
    """The calling thread's count; settled here if this is the thread's first use of torch."""
    with _settling:  # a thread that begins while another is being settled would begin with that one's count
        return torch.get_num_threads()


def settle(count: int) -> None:
    """Let torch compute with `count` threads in this thread. Other threads, also later ones, keep their count."""
    if _forked or getattr(_settled, "count", None) == count:
        return
    with _settling:
        others = _in_a_new_thread(torch.get_num_threads)
        torch.get_num_threads()  # settles what this thread begins with, which would undo what is set next
        torch.set_num_threads(count)
        _in_a_new_thread(lambda: torch.set_num_threads(others))
    _settled.count = count


def _in_a_new_thread(compute: Callable[[], Value]) -> Value:
    made: list[Value] = []
    thread = threading.Thread(target=lambda: made.append(compute()))
    thread.start()
    thread.join()
    return made[0]
