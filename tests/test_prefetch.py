"""Work ahead: in order, within bounds, and nothing is lost when something fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.prefetch import map_ahead


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers()), st.integers(1, 4), st.integers(1, 9))
def test_it_is_map(items: list[int], workers: int, ahead: int) -> None:
    assert list(map_ahead(lambda x: x * 2, items, workers=workers, ahead=ahead)) == [x * 2 for x in items]


def test_slow_items_do_not_lose_their_place() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.01 * (number % 2 == 0))
        return number

    assert list(map_ahead(slow_when_even, range(20), workers=4, ahead=8)) == list(range(20))


def test_no_more_items_are_read_than_it_may_be_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_ahead(lambda x: x, items(), workers=2, ahead=5)
    for number in range(3):
        assert next(results) == number
        until(lambda number=number: len(taken) == number + 6)
        time.sleep(0.02)
        assert len(taken) == number + 6
    results.close()


def until(true: Callable[[], bool]) -> None:
    """Wait for it; a test that it fails hangs no longer than this."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.001)
    assert true()


def test_reading_goes_on_while_the_consumer_is_busy() -> None:
    taken: list[int] = []
    results = map_ahead(lambda x: x, (taken.append(x) for x in range(9)), workers=1, ahead=3)
    next(results)  # and does not come back
    until(lambda: len(taken) == 4)
    results.close()


def test_items_are_read_by_one_thread_that_is_not_the_callers() -> None:
    threads = set()

    def items() -> Iterator[int]:
        for number in range(10):
            threads.add(threading.get_ident())
            yield number

    list(map_ahead(lambda x: x, items(), workers=3, ahead=4))
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_an_exception_comes_where_its_result_would_be() -> None:
    results = map_ahead(lambda x: 1 // x, [1, 1, 0, 1], workers=2, ahead=3)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_exception_of_the_source_ends_the_work() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the tape broke")

    with pytest.raises(OSError, match="the tape broke"):
        list(map_ahead(lambda x: x, items(), workers=2, ahead=3))


def test_threads_end_when_the_consumer_stops_early() -> None:
    before = threading.active_count()
    results = map_ahead(lambda x: x, range(1000), workers=3, ahead=6)
    next(results)
    results.close()
    assert threading.active_count() == before
