"""Conditions on metadata columns, and the rows and figures that fulfil them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import FilterError
from retrieval.types import Modality

COMPARE = {
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
JOIN = {"and": pc.and_kleene, "or": pc.or_kleene}
INT64 = range(-(2**63), 2**63)
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)?)?)?)?", re.ASCII)
"""A year, a month, a day or a time as ISO 8601 writes them."""
ONLY_IN: dict[str, Modality] = {"caption": "text", "truncated": "text", "width": "image", "height": "image"}
"""The modality whose rows alone have a column; all others stand in both tables."""
Mask = Any  # (rows,) an Arrow array of true, false and null, which is neither: a missing value


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: `value` has the column's type, a tuple of them for `in`; for `is` it says whether there is one."""

    column: str
    operator: str
    value: Any

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def mask(self, table: pa.Table) -> Mask:
        """The rows that fulfil it. Raises FilterError where texts would be compared as numbers are."""
        column, value = table[self.column], self.value
        if pa.types.is_integer(column.type):
            column = column.cast(pa.int64())  # widths are int32: a value beyond that is larger, not an error
        match self.operator:
            case "is":
                return pc.is_valid(column) if value else pc.is_null(column)
            case "~" | "!~":
                found = pc.match_substring(column, value, ignore_case=True)
                return found if self.operator == "~" else pc.invert(found)
            case "like":
                return pc.match_like(column, value, ignore_case=True)
            case "in" | "not in":
                found = pc.is_in(column, pa.array(value, column.type))
                known = pc.if_else(pc.is_valid(column), found, None)
                return known if self.operator == "in" else pc.invert(known)
            case "<" | "<=" | ">" | ">=" if pa.types.is_string(column.type):
                column, value = self._dates(column), _plain_date(value)
        return COMPARE[self.operator](column, pa.scalar(value, column.type))

    def _dates(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """A column of dates, each as far as the value is written: all of 2018 is <= 2018. Raises FilterError."""
        column = pc.if_else(pc.equal(column, ""), None, column)
        dates = pc.all(pc.match_substring_regex(column, f"^(?:{DATE.pattern})$")).as_py()
        if dates is False or not DATE.fullmatch(self.value):
            raise FilterError(
                f"where {f'{self.column} {self.operator} {self.value}'!r}: {self.column} is text; < and > compare "
                "numbers and dates such as 2018-03-01, text is asked with =, in, like or ~"
            )
        value = _plain_date(self.value)
        return pc.utf8_slice_codeunits(pc.replace_substring(column, "T", " "), 0, len(value))


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions as one; of `not` there is one part."""

    word: Literal["and", "or", "not"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ArrowClause:
    """A condition as a pyarrow expression, and the columns that it reads."""

    expression: pc.Expression
    columns: tuple[str, ...]

    def mask(self, table: pa.Table) -> Mask:
        """The rows that fulfil it."""
        from pyarrow import acero

        steps = [
            acero.Declaration("table_source", acero.TableSourceNodeOptions(table)),
            acero.Declaration("project", acero.ProjectNodeOptions([self.expression], ["kept"])),
        ]
        return acero.Declaration.from_sequence(steps).to_table(use_threads=False)["kept"]


Condition = Clause | Joined | ArrowClause
ReadColumns = Callable[[Modality, Sequence[str]], pa.Table]


def typed_value(text: str, kind: str, *, ordered: bool = False) -> Any:
    """A value as its column has it. Raises ValueError or KeyError; for a date where it is `ordered` before others."""
    match kind:
        case "int64":
            number = int(text)
            if number not in INT64:
                raise ValueError(text)
            return number
        case "float64":
            return float(text)
        case "bool":
            return TRUTH[text.lower()]
        case "date" if ordered and not DATE.fullmatch(text):
            raise ValueError(text)
    return text


def clauses_in(condition: Condition, *, negated: bool = True) -> Iterator[Clause | ArrowClause]:
    """The clauses that a condition is made of; those under a NOT only where `negated`."""
    if not isinstance(condition, Joined):
        yield condition
    elif negated or condition.word != "not":
        for part in condition.parts:
            yield from clauses_in(part, negated=negated)


def fulfilled(condition: Condition, mask_of: Callable[[Clause | ArrowClause], Mask]) -> Mask:
    """What fulfils a condition; as in SQL, NOT of what is neither true nor false is neither."""
    if not isinstance(condition, Joined):
        return mask_of(condition)
    masks = [fulfilled(part, mask_of) for part in condition.parts]
    return pc.invert(masks[0]) if condition.word == "not" else reduce(JOIN[condition.word], masks)


def matching_rows(table: pa.Table, conditions: Sequence[Condition]) -> NDArray[np.int64]:
    """The rows of `table` that fulfil every condition, in order; a missing value fulfils `is missing` only."""
    return _rows(table.num_rows, conditions, lambda clause: clause.mask(table))


def rows_of_modality(
    modality: Modality,
    conditions: Sequence[Condition],
    figures: Mapping[Modality, NDArray[np.int32]],
    columns: ReadColumns,
) -> NDArray[np.int64]:
    """The rows of one modality that fulfil every condition; `figures` are the figure numbers of every row.

    An image fulfils a clause about captions where any caption of its figure does, and the reverse.
    """

    def mask_of(clause: Clause | ArrowClause) -> Mask:
        if modality in _having(clause):
            return clause.mask(columns(modality, clause.columns))
        return _figure_mask(clause, figures, columns).take(pa.array(figures[modality]))

    return _rows(len(figures[modality]), conditions, mask_of)


def fulfilling_figures(
    conditions: Sequence[Condition], figures: Mapping[Modality, NDArray[np.int32]], columns: ReadColumns
) -> NDArray[np.int64]:
    """The numbers of the figures that fulfil every condition; a clause, by their image or by any of their captions."""
    return _rows(_count(figures), conditions, lambda clause: _figure_mask(clause, figures, columns))


def _figure_mask(
    clause: Clause | ArrowClause, figures: Mapping[Modality, NDArray[np.int32]], columns: ReadColumns
) -> Mask:
    """For every figure number: true where any row fulfils a clause, null where nothing is known of any."""
    wanted = clause.value if isinstance(clause, Clause) and clause.operator == "is" else None
    asked = clause if wanted is None else Clause(clause.columns[0], "is", True)
    state = np.zeros(_count(figures), np.int8)  # 1 for false, 2 for true
    masks = {modality: asked.mask(columns(modality, asked.columns)) for modality in _having(clause)}
    for fulfil in (False, True):
        for modality, mask in masks.items():
            state[figures[modality][pc.fill_null(pc.equal(mask, fulfil), False).to_numpy()]] = 1 + fulfil
    if wanted is not None:
        return pa.array((state == 2) == wanted)
    return pa.array(state == 2, mask=state == 0)


def _having(clause: Clause | ArrowClause) -> tuple[Modality, ...]:
    """The modalities whose rows have all columns of a clause; there is one (filters.py)."""
    only = {ONLY_IN[name] for name in clause.columns if name in ONLY_IN}
    return tuple(only) or ("image", "text")


def _count(figures: Mapping[Modality, NDArray[np.int32]]) -> int:
    return 1 + max((int(some.max()) for some in figures.values() if len(some)), default=-1)


def _rows(
    count: int, conditions: Sequence[Condition], mask_of: Callable[[Clause | ArrowClause], Mask]
) -> NDArray[np.int64]:
    keep = np.ones(count, dtype=bool)
    for condition in conditions:
        keep &= pc.fill_null(fulfilled(condition, mask_of), False).to_numpy(zero_copy_only=False)
    return np.flatnonzero(keep)


def _plain_date(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z").removesuffix("+00:00")
