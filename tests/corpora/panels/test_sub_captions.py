"""Captions of compound figures: every usual way to mark panels, what only looks like one, and that nothing is lost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.corpora.panels.sub_captions import SubCaption, split_caption
from retrieval.demo.figure import describe_figure, plan_figure
from retrieval.demo.multi_panel import PANELS

MARKS = ["({})", "{}:", "{})", "{}.", "Panel {}:", "[{}]", "({}) :"]
WORDS = st.lists(st.sampled_from(["liver", "section", "stained", "with", "eosin", "showing", "foci"]), min_size=4)


def said(caption: str) -> list[tuple[str, str]]:
    return [(",".join(sub.labels), sub.text) for sub in split_caption(caption)]


@pytest.mark.parametrize(
    ("caption", "panels"),
    [
        ("Liver. (A) Normal tissue. (B) Fibrosis.", [("A", "Normal tissue."), ("B", "Fibrosis.")]),
        ("(a) Axial CT, (b) coronal CT.", [("a", "Axial CT"), ("b", "coronal CT.")]),
        ("(A) CT (B) MRI (C) PET", [("A", "CT"), ("B", "MRI"), ("C", "PET")]),
        ("[A] CT. [B] MRI.", [("A", "CT."), ("B", "MRI.")]),
        ("A) CT. B) MRI.", [("A", "CT."), ("B", "MRI.")]),
        ("A: axial CT; B: coronal CT.", [("A", "axial CT"), ("B", "coronal CT.")]),
        ("A - axial CT of mice. B - coronal CT of mice.", [("A", "axial CT of mice."), ("B", "coronal CT of mice.")]),
        (
            "a, Axial view of the liver; b, coronal view of the spleen.",
            [("a", "Axial view of the liver"), ("b", "coronal view of the spleen.")],
        ),
        (
            "Mice. a Weight of control mice. b Weight of treated mice.",
            [("a", "Weight of control mice."), ("b", "Weight of treated mice.")],
        ),
        ("A Axial CT of mice. B Coronal CT of mice.", [("A", "Axial CT of mice."), ("B", "Coronal CT of mice.")]),
        (
            "A. Total RNA of cells. B. Protein of the cells.",
            [("A", "Total RNA of cells."), ("B", "Protein of the cells.")],
        ),
        ("In A, the raw signal. In B, the spectrum.", [("A", "the raw signal."), ("B", "the spectrum.")]),
        ("Panel A shows bone. Panel B shows skin.", [("A", "Panel A shows bone."), ("B", "Panel B shows skin.")]),
        ("(Panel A) Bone. (Panel B) Skin.", [("A", "Bone."), ("B", "Skin.")]),
        ("(i) Before. (ii) After. (iii) Later.", [("i", "Before."), ("ii", "After."), ("iii", "Later.")]),
        ("I: Before. II: After.", [("I", "Before."), ("II", "After.")]),
        ("Left: CT. Right: MRI.", [("left", "CT."), ("right", "MRI.")]),
        ("Bone (left) and skin (right).", [("left", "Bone"), ("right", "skin.")]),
        (
            "The left panel shows bone. The right panel shows skin.",
            [("left", "The left panel shows bone."), ("right", "The right panel shows skin.")],
        ),
        ("Bone (upper left), skin (upper right).", [("upper left", "Bone"), ("upper right", "skin.")]),
    ],
)
def test_panels_are_found_however_journals_mark_them(caption: str, panels: list[tuple[str, str]]) -> None:
    assert said(caption) == panels


@pytest.mark.parametrize(
    ("caption", "labels"),
    [
        ("(A–C) Blots. (D) Gel.", ["A,B,C", "D"]),
        ("(A to C) Blots. (D, E) Gels.", ["A,B,C", "D,E"]),
        ("(a)-(c) Blots. (d) and (e) Gels.", ["a,b,c", "d,e"]),
        ("A - C: Blots. D, E: Gels.", ["A,B,C", "D,E"]),
        ("a, b, Blots of the cells. c, Gel of the cells.", ["a,b", "c"]),
        ("(A–C, E) Blots. (D, F) Gels.", ["A,B,C,E", "D,F"]),
        ("(A, HE ×100) Liver. (B, PAS ×40) Kidney.", ["A", "B"]),
        ("A – E: Histograms. F) Curve.", ["A,B,C,D,E", "F"]),
    ],
)
def test_one_marker_may_name_several_panels(caption: str, labels: list[str]) -> None:
    assert [label for label, _ in said(caption)] == labels


@pytest.mark.parametrize(
    ("caption", "panels"),
    [
        ("CT scan (a) and MRI (b).", [("a", "CT scan"), ("b", "MRI.")]),
        (
            "The knee. The bone of a mouse (a) and its model (b) are shown.",
            [("a", "The bone of a mouse"), ("b", "its model are shown.")],
        ),
        (
            "Weight (a) and length (b) of mice. (c) Age of mice.",
            [("a", "Weight"), ("b", "length of mice."), ("c", "Age of mice.")],
        ),
    ],
)
def test_markers_may_stand_behind_their_words(caption: str, panels: list[tuple[str, str]]) -> None:
    assert said(caption) == panels


@pytest.mark.parametrize(
    "caption",
    [
        "A 45-year-old man with E. coli and S. aureus in the blood.",
        "Foods with vitamin (C), phosphate (P) and calcium (n = 3).",
        "H&E (H&E), as in (Fig. 2A), (2B) and (95% CI).",
        "Hepatitis B: course of the disease in group A: weeks.",
        "Lesion in the left lung and the right kidney.",
        "Chest radiograph (left side) of a woman.",
        "During gripping, compare (b) with (a), bones are pulled.",
        "Sketches of f(a) and g(b).",
        "Muscles of the arm: a, deltoid; b, biceps; c, triceps; d, anconeus.",
        "Tissue (A).",
        "A biopsy shows T cells. B cells are few in it.",
        "Only (B) and (C) are here, and (D).",
        "A. thaliana. B. napus.",
        "",
        "(a)(b)",
        "()[] :::",
    ],
)
def test_what_only_looks_like_a_marker_splits_nothing(caption: str) -> None:
    assert split_caption(caption) == ()


def test_what_comes_before_the_first_panel_is_the_lead_of_all() -> None:
    first, second = split_caption("Rats. Temperature after (a) saline or (b) morphine in rats.")
    assert first.lead == second.lead == "Rats. Temperature after"
    assert (first.whole, second.whole) == (
        "Rats. Temperature after saline",
        "Rats. Temperature after morphine in rats.",
    )


def test_a_later_reference_starts_no_panel_again() -> None:
    caption = "(A) Bone. (B) Skin of the mouse in (A), scaled as in (A). (C) Hair of (B)."
    assert said(caption) == [
        ("A", "Bone."),
        ("B", "Skin of the mouse in (A), scaled as in (A)."),
        ("C", "Hair of (B)."),
    ]


def test_where_panels_are_named_twice_the_place_that_describes_them_counts() -> None:
    caption = "Images of (a) Vesta and (b) Ceres. (a) Vesta is not round. (b) Ceres has a bright crater."
    assert said(caption) == [("a", "Vesta is not round."), ("b", "Ceres has a bright crater.")]


def test_a_marker_of_all_panels_introduces_them() -> None:
    subs = split_caption("(A, B) Livers of mice. (A) Control. (B) Treated.")
    assert [sub.whole for sub in subs] == [
        "(A, B) Livers of mice. Control.",
        "(A, B) Livers of mice. Treated.",
    ]


@settings(deadline=None)
@given(
    st.lists(WORDS, min_size=2, max_size=8),
    st.sampled_from(MARKS),
    st.sampled_from(["ABCDEFGH", "abcdefgh"]),
    st.sampled_from(["", "Histology of the liver. "]),
)
def test_a_caption_put_together_comes_apart_again(texts: list[list[str]], mark: str, letters: str, lead: str) -> None:
    sentences = [" ".join(words).capitalize() + "." for words in texts]
    caption = lead + " ".join(f"{mark.format(label)} {text}" for label, text in zip(letters, sentences, strict=False))
    subs = split_caption(caption)
    assert [(sub.labels, sub.text) for sub in subs] == [
        ((label,), text) for label, text in zip(letters, sentences, strict=False)
    ]
    assert {sub.lead for sub in subs} == {lead.strip()}


MARKERS = [
    "(A)",
    "(B)",
    "(a)",
    "(b)",
    "(C, D)",
    "(a–c)",
    "A:",
    "B:",
    "a,",
    "Left:",
    "(right)",
    "left panel",
    "(i)",
    "(ii)",
]
OTHERS = [
    "liver.",
    "Cells",
    "and",
    "(credit: x)",
    ",",
    ";",
    ".",
    "\n\n",
    "E. coli",
    "MRI of the knee",
    "Panel B",
    "b Two",
]
PIECES = st.sampled_from([*MARKERS, *OTHERS])


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=60))
def test_nothing_of_a_caption_is_lost_and_no_label_stands_twice(caption: str) -> None:
    subs = split_caption(caption)
    if not subs:
        return
    assert len(subs) > 1
    assert caption[: subs[0].start].strip() == subs[0].lead
    assert [sub.start for sub in subs[1:]] + [len(caption)] == [sub.stop for sub in subs]
    labels = [label for sub in subs for label in sub.labels]
    assert len(labels) == len(set(labels))
    for sub in subs:
        assert sub.text
        assert letters_of(sub.text) <= letters_of(caption[sub.start : sub.stop])


def letters_of(text: str) -> set[str]:
    return set(re.findall(r"\w", text))


def test_the_captions_that_the_demo_draws_come_apart() -> None:
    plans = [(number, plan_figure(number)) for number in range(600)]
    compound = [(number, plan) for number, plan in plans if plan.kind == PANELS.name]
    right = sum(
        len(split_caption(caption)) == len(plan.parts)
        for number, plan in compound
        for caption in describe_figure(plan, number)
    )
    assert len(compound) > 50
    assert right >= 0.97 * len(compound)


@pytest.mark.parametrize(
    "caption",
    [
        "a b " * 8_000,
        "i, ii, " * 2_000,
        "A: b " * 4_000,
        "A–" * 8_000 + "B",
        "(a) x" + " " * 3_000 + "y. (b) z" + " and" * 2_000 + " (c).",
        "(a) and " * 2_000 + "(b)",
    ],
)
def test_no_caption_takes_a_time_that_grows_with_more_than_its_length(caption: str) -> None:
    started = time.process_time()
    split_caption(caption)
    assert time.process_time() - started < 2  # a tenth of this; a pattern that backtracks takes minutes


def test_a_sub_caption_without_a_lead_is_its_own_whole() -> None:
    assert SubCaption(("A",), "Bone.", "", 0, 9).whole == "Bone."
