"""Options of a verb, given whole or as keywords: checked alike wherever they are taken."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import fields
from numbers import Real
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
        if smallest is not None and value is not None and whole_number(one.name, value, error) < smallest:
            raise error(f"{one.name} is {value}; give at least {smallest}")
        if one.metadata.get("share") and not (isinstance(value, Real) and 0 <= float(value) <= 1):
            raise error(f"{one.name} is {value}; give a share between 0 and 1, such as 0.05")


def whole_number(name: str, value: Any, error: type[RetrievalError] = QueryError) -> int:
    """A count as Python's int, also one of NumPy's. Raises `error` that names it for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise error(f"{name} is {value!r}; give a whole number") from None


def each_of(values: Any, single: type[Any] | tuple[type[Any], ...], expected: str) -> Iterable[Any]:
    """The items of a sequence, an iterator or an Arrow column; a lone item, which is of the types `single`, as itself.

    `expected` says in the error what an item is. Raises QueryError for what is neither.
    """
    if isinstance(values, single):
        return [values]
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()
    if isinstance(values, Iterable) and not hasattr(values, "read"):
        return values
    raise QueryError(f"{expected} is wanted, or several of them, not a {type(values).__name__}")


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Several values as a tuple; a single str or number, which nobody means as a sequence, as a tuple of it."""
    return (value,) if isinstance(value, str | int) else tuple(value or ())
