"""bm25s, imported where words are first needed: that takes a second where numba is there, and it reports every step."""

from __future__ import annotations

import logging
from typing import Any


def bm25s() -> Any:
    """The module."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
