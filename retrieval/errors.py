"""Everything that can go wrong on purpose.

RetrievalError
├── CorpusError        the source cannot be read at all (one bad figure is a Skip)
├── EncoderError       unknown, incomplete or unsafe encoder: says what would help
├── PlanMismatchError  resuming with another corpus, encoder or shard size
├── IndexLockedError   another process is writing the index
├── ShardError         a committed shard does not match its record
├── StaleIndexError    the index was built from other shards
├── FilterError        a where clause that cannot be understood
├── QueryError         a question that cannot be asked of this index
└── TooManySkipsError  more figures were left out than --max-skips allows

The message of each is one sentence that names the thing and the way out; the command line prints it and exits 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.types import Account


class RetrievalError(Exception):
    """Base of every error that this package raises on purpose."""


class CorpusError(RetrievalError):
    """The source cannot be read at all. `account` says what became of its files, where that is known."""

    def __init__(self, message: str, account: Account | None = None) -> None:
        super().__init__(message)
        self.account = account


class EncoderError(RetrievalError):
    """The encoder is unknown, incomplete or unsafe to load."""


class PlanMismatchError(RetrievalError):
    """An encoding run was resumed with another corpus, encoder or shard size."""


class IndexLockedError(RetrievalError):
    """Another process is writing the index."""


class ShardError(RetrievalError):
    """A committed shard does not match its record."""


class StaleIndexError(RetrievalError):
    """The index was built from other shards than those that are there now."""


class FilterError(RetrievalError):
    """A where clause cannot be understood or names an unknown column."""


class QueryError(RetrievalError):
    """A question cannot be asked of this index."""


class TooManySkipsError(RetrievalError):
    """More figures were left out than the run allows."""
