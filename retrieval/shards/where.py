"""Where clauses over metadata columns: `year>=2018`, `licence in cc-by,cc0`, `journal~radiology`, `doi is missing`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import FilterError

CLAUSE = re.compile(
    r"\s*(?P<column>[^\s=<>!~][^=<>!~]*?)\s*"
    r"(?P<operator>==|!=|!~|>=|<=|=|>|<|~|\sin\s|\snot\s+in\s|\sis\s)\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
JOINED = re.compile(
    r"\s(?P<word>and|or)\s+(?P<column>[^\s=<>!~][^=<>!~]{0,100}?)\s*(?:[=<>~]|!=|!~|\sin\s|\snot\s+in\s|\sis\s)", re.I
)
SIGNS = "= != < <= > >= ~ !~ in, not in, is"
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # bytes of a command line that were no text
COMPARE = {
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
SHOWN = 5  # values of a column that is asked for another one
INT64 = range(-(2**63), 2**63)
STATES = {"missing": False, "known": True}
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: `value` has the column's type, a tuple of them for `in`; for `is` it says whether there is one."""

    column: str
    operator: str
    value: Any


def parse(text: str, columns: Mapping[str, str]) -> Clause:
    """Read one clause against the columns there are (name → string, int64, float64 or bool). Raises FilterError."""
    found = CLAUSE.fullmatch(text)
    if not found or HALF_CHARACTER.search(text):
        raise FilterError(f"where {text!r}: not understood; write column, one of {SIGNS}, and a value")
    _refuse_joined(text, found["value"], columns)
    column, sign, value = found["column"], " ".join(found["operator"].split()), found["value"]
    if column not in columns:
        raise FilterError(f"where {text!r}: no column {column}; there are {', '.join(sorted(columns))}")
    kind = columns[column]
    if sign == "is":
        if value not in STATES:
            raise FilterError(f"where {text!r}: a column is missing or is known, not {value!r}; use = for a value")
        return Clause(column, sign, STATES[value])
    if sign in ("~", "!~"):
        if kind not in ("string", "date"):
            raise FilterError(f"where {text!r}: ~ looks inside text, and {column} is {kind}; use = < > instead")
        return Clause(column, sign, value)
    if sign in ("in", "not in"):
        return Clause(column, sign, tuple(_typed(text, part.strip(), column, kind) for part in value.split(",")))
    return Clause(column, sign, _typed(text, value, column, kind))


def _refuse_joined(text: str, value: str, columns: Mapping[str, str]) -> None:
    """Refuse two conditions in one clause, whose second would else be part of a value. Raises FilterError."""
    joined = JOINED.search(value)
    if joined and joined["column"] in columns:
        way = (
            "give each condition as a clause of its own, all of which hold"
            if joined["word"].lower() == "and"
            else "there is no or between clauses; several values of one column are column in a,b"
        )
        raise FilterError(f"where {text!r}: is one condition a clause; {way}")


def other_values(clause: Clause, column: pa.ChunkedArray) -> list[str]:
    """Values that the column of a clause does have, where the clause asks for text that it does not have.

    Those that differ in upper and lower case alone, else the commonest.
    """
    asked = set(clause.value if clause.operator == "in" else [clause.value])
    if clause.operator not in ("=", "==", "in") or not pa.types.is_string(column.type):
        return []
    counts = sorted(
        zip(*(side.to_pylist() for side in column.drop_null().value_counts().flatten()), strict=True),
        key=lambda pair: (-pair[1], pair[0]),
    )
    there = [value for value, _ in counts]
    if not asked.isdisjoint(there):
        return []
    folded = {value.casefold() for value in asked}
    return ([value for value in there if value.casefold() in folded] or there)[:SHOWN]


def matching_rows(table: pa.Table, clauses: Sequence[Clause]) -> NDArray[np.int64]:
    """The rows of `table` that fulfil every clause, in order; a missing value fulfils `is missing` only, not `!=`."""
    keep = np.ones(table.num_rows, dtype=bool)
    for clause in clauses:
        column = table[clause.column]
        if pa.types.is_integer(column.type):
            column = column.cast(pa.int64())  # widths are int32: a value beyond that is larger, not an error
        keep &= pc.fill_null(_fulfils(column, clause), False).to_numpy()
    return np.flatnonzero(keep)


def _fulfils(column: pa.ChunkedArray, clause: Clause) -> pa.ChunkedArray:
    match clause.operator:
        case "is":
            return pc.is_valid(column) if clause.value else pc.is_null(column)
        case "~" | "!~":
            found = pc.match_substring(column, clause.value, ignore_case=True)
            return found if clause.operator == "~" else pc.invert(found)
        case "in" | "not in":
            found = pc.is_in(column, pa.array(clause.value, column.type))
            return pc.and_(found if clause.operator == "in" else pc.invert(found), pc.is_valid(column))
    return COMPARE[clause.operator](column, pa.scalar(clause.value, column.type))


def _typed(text: str, value: str, column: str, kind: str) -> Any:
    try:
        match kind:
            case "int64":
                number = int(value)
                if number not in INT64:
                    raise ValueError
                return number
            case "float64":
                return float(value)
            case "bool":
                return TRUTH[value.lower()]
        return value
    except (ValueError, KeyError) as error:
        raise FilterError(f"where {text!r}: {value!r} is not a value of column {column}, which is {kind}") from error
