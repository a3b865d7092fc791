"""Filters: conditions on metadata as people give them, and what to say where nothing fulfils them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from retrieval.errors import FilterError
from retrieval.shards.conditions import ONLY_IN, ArrowClause, Clause, Condition, Joined, ReadColumns, clauses_in
from retrieval.shards.plan import WHERE_FROM, Plan
from retrieval.shards.tables import ARROW_TYPES
from retrieval.shards.where import parse
from retrieval.types import Modality

SHOWN = 5  # values of a column that is asked for another one
COMPARED = 2000  # values, the commonest, that are compared with a misspelt one


class Filter:
    """A condition on metadata, which `&`, `|` and `~` combine: `Filter("year >= 2018") & ~Filter("licence = CC0")`.

    It is made of a where clause (docs/questions.md) or a pyarrow expression such as `pc.field("year") >= 2018`, and is
    read once an index's columns are known. `str` gives it back as a where clause.
    """

    __slots__ = ("_parts", "_word")

    def __init__(self, condition: str | pc.Expression | Filter) -> None:
        """Raises FilterError for anything else."""
        if not isinstance(condition, str | pc.Expression | Filter):
            raise FilterError(
                f"where: a {type(condition).__name__} is no condition; give a str, a Filter or a pyarrow expression"
            )
        self._word: str = ""
        self._parts: tuple[Any, ...] = (condition,)

    def __and__(self, other: str | pc.Expression | Filter) -> Filter:
        return _combined("and", self, Filter(other))

    def __or__(self, other: str | pc.Expression | Filter) -> Filter:
        return _combined("or", self, Filter(other))

    def __invert__(self) -> Filter:
        return _combined("not", self)

    def __bool__(self) -> bool:
        raise FilterError("where: filters are combined with & | ~; `and`, `or` and `not` of Python cannot combine them")

    def __str__(self) -> str:
        if not self._word:
            return str(self._parts[0])
        sides = [f"({part})" for part in self._parts]
        return f"NOT {sides[0]}" if self._word == "not" else f" {self._word.upper()} ".join(sides)

    def __repr__(self) -> str:
        return f"Filter({str(self)!r})"

    @property
    def is_text(self) -> bool:
        """Whether it can be written as a where clause: there is no pyarrow expression in it."""
        return all(part.is_text if isinstance(part, Filter) else isinstance(part, str) for part in self._parts)

    def read(self, columns: Mapping[str, str]) -> Condition:
        """The condition on the columns there are. Raises FilterError."""
        if self._word:
            return Joined(self._word, tuple(part.read(columns) for part in self._parts))  # type: ignore[arg-type]
        (part,) = self._parts
        if isinstance(part, Filter):
            return part.read(columns)
        return parse(part, columns) if isinstance(part, str) else _of_expression(part, columns)


Where: TypeAlias = str | Filter | pc.Expression | Sequence[str | Filter | pc.Expression] | None
"""What a caller may give to say which figures: one condition, or several that all hold."""


def as_clauses(where: Where) -> tuple[str | Filter, ...]:
    """One condition or several as a tuple. Raises FilterError for what is none."""
    if where is None:
        return ()
    if isinstance(where, Mapping):
        raise FilterError("where: a dict is no condition; write its columns and values as 'year >= 2018'")
    if isinstance(where, str | Filter | pc.Expression) or not isinstance(where, Iterable):
        where = [where]
    return tuple(one if isinstance(one, str) else Filter(one) for one in where)


def read_where(where: Where, columns: Mapping[str, str]) -> list[Condition]:
    """The conditions that somebody gave, read against the columns there are. Raises FilterError."""
    return [Filter(one).read(columns) for one in as_clauses(where)]


def where_columns(plan: Plan) -> dict[str, str]:
    """The columns that a condition can name, with their types."""
    own = dict.fromkeys(WHERE_FROM, "string")
    return own | {"width": "int64", "height": "int64", "caption": "string", "truncated": "bool"} | dict(plan.columns)


def nearest_values(conditions: Iterable[Condition], usual: Modality, columns: ReadColumns) -> str:
    """For conditions that nothing fulfils: the values asked for that are not there, and those nearest to them.

    `usual` is the modality whose rows are looked at, where both have the column.
    """
    told = [
        nearest(clause, columns(ONLY_IN.get(clause.column, usual), clause.columns)[clause.column])
        for condition in conditions
        for clause in clauses_in(condition, negated=False)
        if isinstance(clause, Clause)
    ]
    return "; ".join(filter(None, dict.fromkeys(told)))


def nearest(clause: Clause, column: pa.ChunkedArray) -> str:
    """A clause that no value of its column fulfils, and the values nearest to it that are there; else nothing."""
    known = column.drop_null()
    if clause.operator in ("<", "<=", ">", ">=") and len(known) and not pa.types.is_boolean(known.type):
        if matching_any(clause, column):
            return ""
        ends = pc.min_max(known).as_py()
        return f"{clause.column} is between {ends['min']} and {ends['max']}"
    if clause.operator not in ("=", "==", "in") or not len(known) or matching_any(clause, column):
        return ""
    asked = list(clause.value) if clause.operator == "in" else [clause.value]
    counts = known.value_counts()
    table = pa.table({"value": counts.field(0), "count": counts.field(1)})
    there, word = _nearest_rows(table.sort_by([("count", "descending"), ("value", "ascending")]), asked)
    values = ", ".join(f"{row['value']!r} ({row['count']:,})" for row in there.slice(0, SHOWN).to_pylist())
    return f"no figure has {clause.column} {' or '.join(map(repr, asked[:SHOWN]))}; {word} {values}"


def matching_any(clause: Clause, column: pa.ChunkedArray) -> bool:
    """Whether any value of a column fulfils a clause."""
    return bool(pc.any(clause.mask(pa.table({clause.column: column}))).as_py())


def _nearest_rows(table: pa.Table, asked: Sequence[Any]) -> tuple[pa.Table, str]:
    """Of values with their counts, commonest first, those nearest to any that is asked, and what they are called."""
    kind = table.schema.field("value").type
    if not pa.types.is_string(kind):
        if pa.types.is_boolean(kind):
            return table, "there are"
        near = [(abs(float(row["value"]) - float(asked[0])), n) for n, row in enumerate(table.to_pylist())]
        return table.take([n for _, n in sorted(near)[:SHOWN]]), "nearest:"
    folded = pa.array([value.casefold() for value in asked])
    same = table.filter(pc.is_in(pc.utf8_lower(table["value"]), folded))
    if same.num_rows:
        return same, "nearest:"
    values = {str(value).casefold(): n for n, value in enumerate(table["value"].slice(0, COMPARED).to_pylist())}
    found = [
        values[like] for value in folded.to_pylist()[:SHOWN] for like in difflib.get_close_matches(value, values, SHOWN)
    ]
    return (table.take(list(dict.fromkeys(found))), "nearest:") if found else (table, "there are")


def _combined(word: str, *parts: Filter) -> Filter:
    found = Filter(parts[0])
    found._word, found._parts = word, parts
    return found


def _of_expression(expression: pc.Expression, columns: Mapping[str, str]) -> ArrowClause:
    """A pyarrow expression, tried on a table without rows. Raises FilterError where it does not fit the columns."""
    empty = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()]).empty_table()
    try:
        kind = ArrowClause(expression, ()).mask(empty).type
    except (pa.ArrowException, TypeError) as error:
        said = str(error).partition("\n")[0]
        raise FilterError(f"where {expression}: {said}; there are {', '.join(sorted(columns))}") from error
    if not pa.types.is_boolean(kind):
        raise FilterError(f'where {expression}: gives {kind}, not true or false; compare it, as in field("year") > 3')
    used = tuple(name for name in columns if _reads(expression, empty, name))
    if len({ONLY_IN[name] for name in used if name in ONLY_IN}) > 1:
        raise FilterError(f"where {expression}: reads images and captions at once; combine two Filters with & or |")
    return ArrowClause(expression, used or ("figure_id",))


def _reads(expression: pc.Expression, empty: pa.Table, name: str) -> bool:
    try:
        ArrowClause(expression, ()).mask(empty.drop_columns([name]))
    except pa.ArrowException:
        return True
    return False
