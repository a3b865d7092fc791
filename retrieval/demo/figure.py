"""From a number to a figure: plan its attributes, draw them, describe them."""

from __future__ import annotations

import numpy as np

from retrieval.demo.all_kinds import KINDS
from retrieval.demo.kind import Drawn, FigurePlan, choose_attributes, is_heldout
from retrieval.demo.multi_panel import PANELS, describe_panels, draw_panels, plan_panels
from retrieval.demo.wording import drawn_captions

PLAN, DRAW, DESCRIBE, STORE = range(4)
"""Streams of randomness of one figure: drawing never disturbs the wording."""
ALL_KINDS = (*KINDS, PANELS)
BY_NAME = {kind.name: kind for kind in ALL_KINDS}
WEIGHTS = np.cumsum([kind.weight for kind in ALL_KINDS])


def stream(seed: int, number: int, which: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, which])


def plan_figure(number: int, seed: int = 0) -> FigurePlan:
    """The kind and attributes of figure `number`, without drawing it."""
    rng = stream(seed, number, PLAN)
    kind = ALL_KINDS[int(np.searchsorted(WEIGHTS, rng.random() * WEIGHTS[-1], side="right"))]
    if kind is PANELS:
        return plan_panels(BY_NAME, rng)
    attributes = choose_attributes(kind, rng)
    return FigurePlan(kind.name, attributes, is_heldout(kind, attributes))


def draw_figure(number: int, seed: int = 0) -> Drawn:
    """Figure `number` (from 0) of the endless collection `seed` (from 0): always the same image and captions."""
    plan = plan_figure(number, seed)
    rng = stream(seed, number, DRAW)
    if plan.parts:
        image = draw_panels(plan, BY_NAME, rng)
    else:
        kind = BY_NAME[plan.kind]
        image = kind.draw(plan.attributes, rng, kind.sizes[rng.integers(len(kind.sizes))])
    return Drawn(image, describe_figure(plan, number, seed), plan.kind, plan.attributes, plan.heldout)


def describe_figure(plan: FigurePlan, number: int, seed: int = 0) -> tuple[str, ...]:
    """The captions of figure `number`, without drawing it."""
    rng = stream(seed, number, DESCRIBE)
    if plan.parts:
        return describe_panels(plan, BY_NAME, rng)
    return drawn_captions(BY_NAME[plan.kind], plan.attributes, rng)
