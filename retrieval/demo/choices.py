"""Read the tables of choices in `kinds/*.toml`: what each kind of figure may show and what is said of it.

A file has one table for each kind, with the fields of `FigureKind`. Where `options` or `words` names a table of
`terms.toml` instead of listing values, that table's keys are the values and its texts are the words.
`copies` adds attributes that repeat another one under a name of their own, so that it can be worded twice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from retrieval.demo.kind import Attributes, Draw, FigureKind

Derive = Callable[[Attributes], Attributes]


def read_table(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("retrieval.demo") / "kinds" / name).read_text(encoding="utf-8"))


TERMS = read_table("terms.toml")
QUANTITIES: dict[str, str] = TERMS["quantities"]
"""Quantity in words → what the axis says."""
GROUPS: dict[str, list[str]] = TERMS["groups"]
"""What the categories of an axis are → their names."""
FAMILIES = ("assays", "charts", "curves", "diagrams", "microscopy", "radiology")


def read_kinds(drawings: Mapping[str, Draw], derived: Mapping[str, Derive]) -> tuple[FigureKind, ...]:
    """Every kind that `drawings` names, in its order; `derived` has the functions that add attributes to some."""
    tables = {name: table for family in FAMILIES for name, table in read_table(f"{family}.toml").items()}
    return tuple(figure_kind(name, tables[name], draw, derived.get(name)) for name, draw in drawings.items())


def figure_kind(name: str, table: dict[str, Any], draw: Draw, derive: Derive | None) -> FigureKind:
    copies = table.get("copies")
    return FigureKind(
        name=name,
        modality=table["modality"],
        options={key: tuple(values_of_term(values)) for key, values in table["options"].items()},
        principal=tuple(table["principal"]),
        draw=draw,
        leads=tuple(table["leads"]),
        clauses=tuple(table.get("clauses", ())),
        words={key: words_of_term(words) for key, words in table.get("words", {}).items()},
        sizes=tuple((width, height) for width, height in table["sizes"]),
        weight=table.get("weight", 1.0),
        derive=derive or (copier(copies) if copies else None),
    )


def values_of_term(values: Any) -> Any:
    return TERMS[values] if isinstance(values, str) else values


def words_of_term(words: Any) -> dict[Any, str]:
    table = values_of_term(words)
    return {int(value) if value.isdigit() else value: template for value, template in table.items()}


def copier(copies: Mapping[str, str]) -> Derive:
    return lambda attributes: {name: attributes[source] for name, source in copies.items()}
