"""Resources that are opened once."""

from __future__ import annotations

import threading
import time

import pytest

from retrieval.once import Once


def test_simultaneous_first_callers_make_one_value() -> None:
    once: Once[str, object] = Once()
    made: list[str] = []
    found: list[object] = []
    gate = threading.Barrier(8)

    def make(key: str) -> object:
        made.append(key)
        time.sleep(0.02)
        return object()

    def ask() -> None:
        gate.wait()
        found.append(once.get("a", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    assert len(set(map(id, found))) == 1


def test_one_key_does_not_wait_for_another() -> None:
    once: Once[str, str] = Once()
    assert once.get("slow", lambda key: once.get("quick", str.upper) + key) == "QUICKslow"


def test_what_fails_is_tried_again() -> None:
    once: Once[int, int] = Once()
    with pytest.raises(ZeroDivisionError):
        once.get(0, lambda key: 1 // key)
    assert once.get(0, lambda key: 7) == 7


def test_the_one_used_longest_ago_is_forgotten_first() -> None:
    once: Once[int, int] = Once(size=2)
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in (1, 2, 1, 3, 1, 2):
        once.get(key, make)
    assert made == [1, 2, 3, 2]
    assert sorted(once.clear()) == [1, 2]
    assert once.clear() == []


def test_a_value_made_elsewhere_takes_the_place_of_another() -> None:
    once: Once[str, int] = Once()
    assert once.get("a", len) == 1
    once.put("a", 7)
    assert once.get("a", len) == 7
