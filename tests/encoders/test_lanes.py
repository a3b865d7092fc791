"""Batches in pieces: every row once and in order, each lane with its share of the cores, and nothing left changed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from retrieval.encoders.fast_cpu import LANES, in_lanes
from retrieval.types import Vectors

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 9])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 4, 5, 8, 23])
def test_every_row_is_computed_once_and_in_order_in_pieces(threads: int, count: int) -> None:
    asked: list[tuple[int, int]] = []
    lanes: set[int] = set()

    def encode(rows: slice) -> Vectors:
        asked.append((rows.start, rows.stop))
        lanes.add(torch.get_num_threads())
        return np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]

    assert in_lanes(encode, count, 4, CPU)[:, 0].tolist() == list(range(count))
    assert sorted(asked) == [(start, min(count, start + 4)) for start in range(0, count, 4)]
    together = min(LANES, threads, len(asked))
    assert lanes == {threads // together}
    assert torch.get_num_threads() == threads
    started: list[int] = []
    late = threading.Thread(target=lambda: started.append(torch.get_num_threads()))
    late.start()
    late.join()
    assert started == [threads]


def test_another_device_gets_the_whole_batch() -> None:
    asked: list[slice] = []
    in_lanes(lambda rows: asked.append(rows) or np.zeros((23, 1), np.float32), 23, 4, torch.device("meta"))
    assert asked == [slice(0, 23)]


def test_what_goes_wrong_in_a_lane_is_raised_and_the_threads_are_put_back(threads: int) -> None:
    def encode(rows: slice) -> Vectors:
        raise ValueError(f"row {rows.start}")

    with pytest.raises(ValueError, match="row 0"):
        in_lanes(encode, 9, 4, CPU)
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_two_encoders_at_work_leave_every_thread_its_count() -> None:
    """A thread whose first use of torch falls into another one's lanes began with a lane's count, for good."""
    code = """
import threading, time
import numpy as np, torch
from retrieval.encoders.fast_cpu import in_lanes
torch.set_num_threads(2)
counts = []
def encode(rows):
    time.sleep(0.002)
    (torch.ones(64, 64) @ torch.ones(64, 64)).sum()
    return np.zeros((rows.stop - rows.start, 1), np.float32)
def work():
    for _ in range(8):
        in_lanes(encode, 12, 2, torch.device("cpu"))
    counts.append(torch.get_num_threads())
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
    time.sleep(0.003)
for thread in threads:
    thread.join()
late = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
late.start()
late.join()
print(counts, torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[2,", "2,", "2,", "2,", "2,", "2,", "2]", "2"]
