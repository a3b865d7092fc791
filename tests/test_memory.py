"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest

from retrieval.errors import QueryError
from retrieval.memory import half_of_the_machine, in_bytes, in_words


@pytest.mark.parametrize(
    ("text", "amount"),
    [("8G", 8 << 30), ("500M", 500 << 20), ("1.5GiB", 3 << 29), ("64 kB", 64 << 10), ("4096", 4096), ("1T", 1 << 40)],
)
def test_amounts_are_read_in_powers_of_1024(text: str, amount: int) -> None:
    assert in_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "0", "0G", "much", "-1G", "8X", "G", "1e9", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="not an amount of memory; write 8G or 500M"):
        in_bytes(text)


@pytest.mark.parametrize("amount", [1, 1024, 1 << 20, (5 << 30) + 1, 123_456_789, 1 << 35])
def test_an_amount_in_words_is_no_less_than_it_was(amount: int) -> None:
    assert amount <= in_bytes(in_words(amount)) <= 1.11 * amount + 1024


def test_the_machine_has_some() -> None:
    assert half_of_the_machine() > 1 << 28
