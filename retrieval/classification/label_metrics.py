"""Measures of a classifier's probabilities where the labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """How often an encoder is right over `images` figures whose label is known.

    `confusion` (labels, labels) counts figures: rows are what is true, columns what was predicted. `auroc` is that of
    the label `positive` where there are two labels; with more it is the plain mean over labels of one against the rest
    and `positive` is None. Labels that no figure has are `absent` and take no part in the means over labels. `auroc` is
    None where all figures have one label.
    """

    labels: tuple[str, ...]
    images: int
    accuracy: float
    balanced_accuracy: float
    auroc: float | None
    positive: str | None
    absent: tuple[str, ...]
    confusion: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "auroc": self.auroc,
            "positive": self.positive,
            "absent": list(self.absent),
            "confusion": {"labels": list(self.labels), "true_by_predicted": self.confusion.tolist()},
        }


def classification_report(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]
) -> ClassificationReport:
    """The measures of (images, labels) probabilities against (images,) numbers of the true labels; one image or more.

    accuracy = share of images whose true label has the greatest probability. balanced accuracy = mean over labels of
    the share of their images that are right (Brodersen et al. 2010). A tie at the top counts against us. Of two labels
    the second is the positive one.
    """
    count = len(labels)
    rows = np.arange(len(truth))
    rivals = probabilities.copy()
    rivals[rows, truth] = -np.inf
    rival = rivals.argmax(axis=1)
    predicted = np.where(probabilities[rows, truth] > rivals[rows, rival], truth, rival)
    confusion = np.bincount(truth * count + predicted, minlength=count * count).reshape(count, count)
    images = confusion.sum(axis=1)
    right = confusion.diagonal()
    present = np.flatnonzero(images)
    one_against_rest = [auroc(probabilities[:, label], truth == label) for label in ([1] if count == 2 else present)]
    known = [area for area in one_against_rest if area is not None]
    return ClassificationReport(
        labels=tuple(labels),
        images=len(truth),
        accuracy=float(right.sum() / len(truth)),
        balanced_accuracy=float((right[present] / images[present]).mean()),
        auroc=float(np.mean(known)) if known else None,
        positive=labels[1] if count == 2 else None,
        absent=tuple(label for label, some in zip(labels, images, strict=True) if not some),
        confusion=confusion,
    )


def auroc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """The area under the ROC curve: how often a positive scores above a negative, half of the ties counted.

    From (n,) scores and truth values by the rank sum of the positives, (Σ r - P (P + 1) / 2) / (P N), where tied scores
    share the mean of their ranks (Hanley and McNeil 1982). None without a positive or without a negative.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))
