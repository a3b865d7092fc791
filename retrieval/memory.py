"""Amounts of memory: what the machine has, and how people write them."""

from __future__ import annotations

import os
import re

from retrieval.errors import QueryError

UNITS = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}
AMOUNT = re.compile(r"\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>[KMGT]?)(iB|B)?\s*", re.IGNORECASE)
UNKNOWN = 8 * 2**30  # assumed of a machine that does not tell


def in_bytes(text: str) -> int:
    """`8G`, `500M`, `1.5GiB`: bytes, in powers of 1,024. Raises QueryError for anything else."""
    found = AMOUNT.fullmatch(text)
    value = int(float(found["number"]) * 2 ** UNITS[found["unit"].upper()]) if found else 0
    if not value:
        raise QueryError(f"{text!r}: not an amount of memory; write 8G or 500M")
    return value


def in_words(amount: int) -> str:
    """Bytes as people write them, rounded up to a tenth, so that it can be asked for."""
    for unit, power in (("G", 30), ("M", 20)):
        if amount >= 2**power:
            return f"{-(-amount * 10 // 2**power) / 10:g}{unit}"
    return f"{max(1, -(-amount // 1024))}K"


def half_of_the_machine() -> int:
    """Half of the physical memory in bytes: the rest is for the page cache, which exact ranking lives on."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):
        return UNKNOWN
