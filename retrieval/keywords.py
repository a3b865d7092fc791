"""Options of a verb, given whole or as keywords: checked alike wherever they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from retrieval.errors import QueryError, RetrievalError

Options = TypeVar("Options")


def whole_or_keywords(
    cls: type[Options],
    options: Options | None,
    keywords: Mapping[str, Any],
    verb: str,
    error: type[RetrievalError] = QueryError,
) -> Options:
    """The options as they were given, or made of keywords. `verb` says in errors what they are of.

    Raises `error` where both are given and for a keyword that is not known.
    """
    if options is not None:
        if keywords:
            raise error("give options or keywords, not both")
        return options
    known = [one.name for one in fields(cls)]  # type: ignore[arg-type]
    for name in keywords:
        if name not in known:
            raise error(f"{name}: no such option of {verb}; there are {', '.join(known)}")
    return cls(**keywords)


def refuse_impossible(options: Any, error: type[RetrievalError] = QueryError) -> None:
    """Raise `error` for a field that is smaller than its metadata's `at_least`, or no share where it says `share`."""
    for one in fields(options):
        value, smallest = getattr(options, one.name), one.metadata.get("at_least")
        if smallest is not None and value is not None and value < smallest:
            raise error(f"{one.name} is {value}; give at least {smallest}")
        if one.metadata.get("share") and not 0 <= value <= 1:
            raise error(f"{one.name} is {value}; give a share between 0 and 1, such as 0.05")


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Several values as a tuple; a single str or number, which nobody means as a sequence, as a tuple of it."""
    return (value,) if isinstance(value, str | int) else tuple(value or ())
