"""Measures worked by hand, and the area under the curve against counting pairs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.classification.label_metrics import auroc, classification_report

SCORED = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=40)


def counted_pairs(scores: list[int], positive: list[bool]) -> float | None:
    """The definition, pair by pair."""
    above = [s for s, p in zip(scores, positive, strict=True) if p]
    below = [s for s, p in zip(scores, positive, strict=True) if not p]
    if not above or not below:
        return None
    return sum((a > b) + (a == b) / 2 for a in above for b in below) / (len(above) * len(below))


@given(SCORED)
def test_the_area_is_the_share_of_pairs_in_the_right_order_ties_counted_half(scored: list[tuple[int, bool]]) -> None:
    scores, positive = [s for s, _ in scored], [p for _, p in scored]
    assert auroc(scores, positive) == pytest.approx(counted_pairs(scores, positive))


def test_equal_scores_have_the_area_of_a_coin() -> None:
    assert auroc([0.3] * 7, [True, False, True, True, False, False, True]) == 0.5


# five images, three labels, the last label never true; the fourth is a tie between truth and a rival
SHARES = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.2, 0.4, 0.4], [0.6, 0.3, 0.1]])
TRUTH = np.array([0, 0, 1, 1, 1])


def test_a_report_worked_by_hand() -> None:
    report = classification_report(SHARES, TRUTH, ["a", "b", "c"])
    assert report.images == 5
    assert report.confusion.tolist() == [[2, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert report.accuracy == 3 / 5
    assert report.balanced_accuracy == pytest.approx((1 + 1 / 3) / 2)
    assert report.absent == ("c",)
    assert report.positive is None
    first = counted_pairs(SHARES[:, 0].tolist(), (TRUTH == 0).tolist())
    second = counted_pairs(SHARES[:, 1].tolist(), (TRUTH == 1).tolist())
    assert report.auroc == pytest.approx((first + second) / 2)


def test_an_encoder_that_cannot_choose_is_never_right() -> None:
    report = classification_report(np.full((6, 3), 1 / 3), np.array([0, 0, 1, 1, 2, 2]), ["a", "b", "c"])
    assert report.accuracy == report.balanced_accuracy == 0
    assert report.auroc == 0.5


def test_of_two_labels_the_second_is_positive_and_the_first_would_give_the_same_area() -> None:
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.2, 0.8]])
    truth = np.array([0, 0, 1, 1])
    report = classification_report(shares, truth, ["healthy", "ill"])
    assert report.positive == "ill"
    assert report.auroc == 3 / 4
    assert classification_report(shares[:, ::-1], 1 - truth, ["ill", "healthy"]).auroc == 3 / 4


def test_one_kind_of_truth_has_an_accuracy_and_no_area() -> None:
    for labels, shares in ((["a", "b"], SHARES[:2, :2]), (["a", "b", "c"], SHARES[:2])):
        report = classification_report(shares, np.array([0, 0]), labels)
        assert report.accuracy == 1
        assert report.auroc is None
        assert report.absent == tuple(labels[1:])


def test_a_report_is_json_with_the_matrix_and_its_labels() -> None:
    report = json.loads(json.dumps(classification_report(SHARES, TRUTH, ["a", "b", "c"]).to_json()))
    assert report["confusion"] == {"labels": ["a", "b", "c"], "true_by_predicted": [[2, 0, 0], [1, 1, 1], [0, 0, 0]]}
    assert (report["images"], report["accuracy"], report["absent"]) == (5, 0.6, ["c"])
