"""What draw_figure promises: the same figure every time, words that fit, combinations that stay unseen."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections import defaultdict

import numpy as np
import PIL
import pytest

from retrieval.demo.figure import ALL_KINDS, BY_NAME, describe_figure, draw_figure, plan_figure
from retrieval.demo.kind import Attributes, FigureKind, FigurePlan, choose_attributes, combination, is_heldout
from retrieval.demo.multi_panel import PANELS
from retrieval.demo.wording import caption_texts

DIGEST = """
import hashlib
from retrieval.demo.figure import draw_figure
digest = hashlib.sha256()
for number in range(40):
    drawn = draw_figure(number, seed=3)
    digest.update(drawn.image.tobytes() + repr((drawn.captions, drawn.kind, drawn.attributes, drawn.heldout)).encode())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def plans() -> list[FigurePlan]:
    return [plan_figure(number) for number in range(8000)]


@pytest.fixture(scope="module")
def captions() -> list[tuple[str, ...]]:
    return [describe_figure(plan_figure(number), number) for number in range(600)]


def digest_in_another_process(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.slow
def test_every_process_draws_the_same_figures_whatever_its_hash_seed() -> None:
    here = hashlib.sha256()
    for number in range(40):
        drawn = draw_figure(number, seed=3)
        said = repr((drawn.captions, drawn.kind, drawn.attributes, drawn.heldout)).encode()
        here.update(drawn.image.tobytes() + said)
    assert {here.hexdigest()} == {digest_in_another_process("1"), digest_in_another_process("4242")}


def test_the_collection_is_the_one_that_the_starter_was_trained_and_measured_on() -> None:
    """A figure that changes changes the held-out numbers; then the starter has to be measured again."""
    words = hashlib.sha256()
    for number in range(600):
        plan = plan_figure(number, seed=3)
        said = (plan.kind, dict(plan.attributes), plan.heldout, describe_figure(plan, number, seed=3))
        words.update(repr(said).encode())
    assert words.hexdigest() == "613a1303f022e6804cde390d786e429c22862c6ccf188bf894371ca3c4c43e37"


@pytest.mark.skipif(
    (PIL.__version__, np.__version__) != ("13.0.0", "2.4.6"),
    reason="the pixels' digest was taken with one Pillow (smoothing, font) and one numpy (random numbers)",
)
def test_the_first_figures_are_the_same_to_the_bit() -> None:
    pixels = hashlib.sha256()
    for number in range(40):
        pixels.update(draw_figure(number, seed=3).image.tobytes())
    assert pixels.hexdigest() == "013d54d62c74e51164436e37625167a43f53d53d7771eee91fa7ad820aba0e01"


def test_a_figure_does_not_depend_on_which_were_drawn_before() -> None:
    alone = draw_figure(17)
    for number in (3, 17, 5):
        again = draw_figure(number)
        if number == 17:
            assert again.image.tobytes() == alone.image.tobytes()
            assert again.captions == alone.captions


def test_another_seed_gives_other_figures() -> None:
    assert [plan_figure(n, 0).attributes for n in range(20)] != [plan_figure(n, 1).attributes for n in range(20)]


@pytest.mark.slow
def test_images_are_rgb_of_moderate_size_and_not_blank() -> None:
    seen = set()
    for number in range(150):
        drawn = draw_figure(number)
        seen.add(drawn.kind)
        assert drawn.image.mode == "RGB"
        assert 200 <= max(drawn.image.size) <= 640
        assert min(drawn.image.size) >= 150
        assert len(np.unique(np.asarray(drawn.image.resize((32, 32)).convert("L")))) > 3, (number, drawn.kind)
    assert len(seen) >= 30


def test_a_plan_without_drawing_is_the_plan_of_the_drawn_figure() -> None:
    for number in range(10):
        plan, drawn = plan_figure(number), draw_figure(number)
        assert (plan.kind, plan.attributes, plan.heldout) == (drawn.kind, drawn.attributes, drawn.heldout)
        assert describe_figure(plan, number) == drawn.captions


def test_what_is_held_out_follows_from_the_principal_attributes_alone(plans: list[FigurePlan]) -> None:
    seen: dict[tuple[object, ...], bool] = {}
    for plan in [*plans, *(plan_figure(number, seed=9) for number in range(1000))]:
        kind = BY_NAME[plan.kind]
        assert plan.heldout == is_heldout(kind, plan.attributes)
        key = (plan.kind, *(plan.attributes[name] for name in kind.principal))
        assert seen.setdefault(key, plan.heldout) == plan.heldout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_about_a_sixth_of_each_kind_is_held_out(kind: FigureKind, plans: list[FigurePlan]) -> None:
    rng = np.random.default_rng(0)
    share = np.mean([is_heldout(kind, choose_attributes(kind, rng)) for _ in range(3000)])
    assert 0.13 < share < 0.21
    assert {plan.heldout for plan in plans[:4000] if plan.kind == kind.name} == {True, False}


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_every_principal_value_of_a_held_out_figure_is_seen_in_training(
    kind: FigureKind, plans: list[FigurePlan]
) -> None:
    trained, held = defaultdict(set), defaultdict(set)
    for plan in plans:
        if plan.kind == kind.name:
            for name in (*kind.principal, *kind.options):
                (held if plan.heldout else trained)[name].add(plan.attributes[name])
    for name, values in held.items():
        assert values <= trained[name], name


def test_panels_of_a_training_figure_are_training_figures_too(plans: list[FigurePlan]) -> None:
    of_panels = [plan for plan in plans if plan.parts]
    assert of_panels
    for plan in of_panels:
        assert {part.heldout for part in plan.parts} == {plan.heldout}
        assert [part.kind for part in plan.parts] == [plan.attributes[f"panel_{c}"] for c in "abcd"[: len(plan.parts)]]


def test_captions_are_whole_sentences_of_four_to_eighty_words(captions: list[tuple[str, ...]]) -> None:
    for caption in (caption for several in captions for caption in several):
        assert 4 <= len(caption.split()) <= 80, caption
        assert not re.search(r"[\[\]{}|]|  |,,|,\)|;;|\(\)|\.\.|\s[.,;]|\b[Aa] (?!one\b)[aeio]\w", caption), caption
        assert caption.endswith(".")
        assert caption[0].isupper() or caption[0].isdigit() or re.match(r"\(|[a-d][:,] ", caption), caption


def test_captions_of_six_hundred_figures_are_distinct(captions: list[tuple[str, ...]]) -> None:
    firsts = [several[0] for several in captions]
    assert len(set(firsts)) == len(firsts)  # exactly all; 0.99 would still serve


def test_some_figures_have_two_captions_that_differ(captions: list[tuple[str, ...]]) -> None:
    twice = [several for several in captions if len(several) == 2]
    assert 40 <= len(twice) <= 140
    assert all(first != second for first, second in twice)


SAID = {
    "bar chart": ("colour",),
    "scatter plot": ("colour", "marks"),
    "fluorescence channels": ("colour",),
    "fluorescence micrograph": ("colour",),
    "head CT": ("side", "region"),
    "chest CT": ("side",),
    "abdominal CT": ("organ",),
    "tree": ("colour",),
    "flow chart": ("colour",),
    "pathway": ("colour",),
    "Venn diagram": ("first", "second"),
    "survival curve": ("worse",),
    "volcano plot": ("up", "down"),
    "western blot": ("protein",),
    "well plate": ("wells", "colour"),
}
"""Attributes that every caption of a kind names with their own word."""


def test_captions_name_what_was_drawn() -> None:
    checked = 0
    for number in range(1200):
        plan = plan_figure(number)
        for name in SAID.get(plan.kind, ()):
            for caption in describe_figure(plan, number):
                assert str(plan.attributes[name]).lower() in caption.lower(), (number, name, caption)
                checked += 1
    assert checked > 300


@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind is not PANELS], ids=lambda kind: kind.name)
def test_captions_tell_apart_figures_that_differ_in_a_principal_attribute(kind: FigureKind) -> None:
    attributes = choose_attributes(kind, np.random.default_rng(1))
    here = readings(kind, attributes)
    for name in kind.principal:
        for value in set(kind.options[name]) - {attributes[name]}:
            changed = {**attributes, name: value}
            changed |= kind.derive(changed) if kind.derive else {}
            if combination(kind, changed) == combination(kind, attributes):
                continue  # a side where the finding has none
            there = readings(kind, changed)
            assert max(own_share(here, there), own_share(there, here)) > 0.7, (name, attributes[name], value)


def readings(kind: FigureKind, attributes: Attributes) -> list[set[tuple[str, str]]]:
    """The pairs of neighbouring words in many captions of the same figure."""
    rng = np.random.default_rng(2)
    texts = [re.findall(r"[\w-]+", caption_texts(kind, attributes, rng, clauses=9).lower()) for _ in range(120)]
    return [set(itertools.pairwise(words)) for words in texts]


def own_share(some: list[set[tuple[str, str]]], others: list[set[tuple[str, str]]]) -> float:
    """The share of `some` readings that say something that no reading of the `others` says."""
    known = set().union(*others)
    return sum(bool(reading - known) for reading in some) / len(some)
