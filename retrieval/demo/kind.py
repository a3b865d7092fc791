"""What a kind of figure is: the attributes it may have, how it is drawn and how it is described."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

Value = str | int
Attributes = Mapping[str, Any]
"""Attribute → its value, a `Value`; each drawing knows which of the two it is."""
Size = tuple[int, int]
"""(width, height) in pixels."""
Words = Mapping[str, Mapping[Any, str]]
"""Attribute → value → template."""
Draw = Callable[[Attributes, np.random.Generator, Size], Image.Image]

HELDOUT_SHARE = 0.18
"""Share of the figures of a kind whose attribute combination no training figure shows, at most."""
MOST_OF_A_VALUE = 0.4
"""Share of the figures with one attribute value that may be held out."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One figure of the demo collection: the image (RGB), what is said of it and what was drawn."""

    image: Image.Image = field(repr=False)
    captions: tuple[str, ...]
    kind: str
    attributes: Attributes
    heldout: bool


@dataclass(frozen=True, slots=True)
class FigurePlan:
    """What will be drawn, decided before the first pixel; `parts` are the panels of a multi-panel figure."""

    kind: str
    attributes: Attributes
    heldout: bool
    parts: tuple[FigurePlan, ...] = ()


@dataclass(frozen=True, eq=False)
class FigureKind:
    """One kind of figure, as a table of choices and three ways to use them.

    `options` lists the values of each attribute. `principal` names those whose combination decides what is held out.
    `leads` and `clauses` are caption templates (see `wording`): one lead, then any number of the clauses.
    `words` says attribute values in words; `derive` adds attributes that follow from the others.
    """

    name: str
    modality: str
    options: Mapping[str, tuple[Value, ...]]
    principal: tuple[str, ...]
    draw: Draw
    leads: tuple[str, ...]
    clauses: tuple[str, ...] = ()
    words: Words = field(default_factory=dict)
    sizes: tuple[Size, ...] = ((480, 360),)
    weight: float = 1.0
    derive: Callable[[Attributes], Attributes] | None = None

    @cached_property
    def heldout(self) -> frozenset[tuple[Value, ...]]:
        """The combinations of principal attributes that are kept from training."""
        return choose_heldout(self)


def choose_attributes(kind: FigureKind, rng: np.random.Generator) -> Attributes:
    """One value for each attribute of `kind`, and what follows from them."""
    chosen: dict[str, Value] = {name: values[rng.integers(len(values))] for name, values in kind.options.items()}
    if kind.derive is not None:
        chosen.update(kind.derive(chosen))
    return chosen


def is_heldout(kind: FigureKind, attributes: Attributes) -> bool:
    """Whether this combination of principal attributes is kept from training: for every seed, on every machine."""
    return combination(kind, attributes) in kind.heldout


def combination(kind: FigureKind, attributes: Attributes) -> tuple[Value, ...]:
    return tuple(attributes[name] for name in kind.principal)


def choose_heldout(kind: FigureKind) -> frozenset[tuple[Value, ...]]:
    """Combinations of principal attributes for HELDOUT_SHARE of the figures of `kind`, in the order of a stable hash.

    A combination is passed over where it would take too much at once, or leave too few training figures with one of
    its values: a model that trains on the rest has seen every value many times, but never these together.
    """
    names = [name for name in kind.options if name in kind.principal]
    weights: Counter[tuple[Value, ...]] = Counter()
    rest = {name: values[0] for name, values in kind.options.items()}
    for values in itertools.product(*(kind.options[name] for name in names)):
        attributes = rest | dict(zip(names, values, strict=True))
        attributes |= kind.derive(attributes) if kind.derive else {}
        weights[combination(kind, attributes)] += 1
    totals, held = Counter[tuple[int, Value]](), Counter[tuple[int, Value]]()
    for key, weight in weights.items():
        totals.update({pair: weight for pair in enumerate(key)})
    chosen: list[tuple[Value, ...]] = []
    room = HELDOUT_SHARE * weights.total()
    for key in sorted(weights, key=lambda key: stable_hash(kind.name, key)):
        weight = weights[key]
        if weight <= room and all(held[pair] + weight <= MOST_OF_A_VALUE * totals[pair] for pair in enumerate(key)):
            chosen.append(key)
            held.update({pair: weight for pair in enumerate(key)})
            room -= weight
    return frozenset(chosen)


def stable_hash(name: str, key: tuple[Value, ...]) -> bytes:
    return hashlib.sha256("|".join([name, *map(str, key)]).encode()).digest()
