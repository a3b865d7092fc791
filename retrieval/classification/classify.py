"""Zero-shot classification: which of some labels, put into words, describes an image best."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.classification.sources import figures_of
from retrieval.classification.truth import plain_label
from retrieval.encoders import load_encoder
from retrieval.errors import EncoderError, QueryError
from retrieval.images.decode import MAX_PIXELS, decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.images.pictures import Picture
from retrieval.prefetch import map_ahead
from retrieval.types import Encoder, Figure, Pixels, Skip, Vectors

Probabilities = NDArray[np.float64]
"""(labels,) of one image, or (images, labels); they sum to 1 over the labels."""

TEMPLATE = "this is a photo of {}"
"""The words of BiomedCLIP's model card."""
LOGIT_SCALE = 100.0
"""CLIP's training keeps its learned scale at or below this (Radford et al. 2021, section 2.5), and ends there."""
BATCH_SIZE = 64


@dataclass(frozen=True, slots=True, repr=False)
class Prediction:
    """What an encoder says of one figure: a probability for each label, in the order of the labels."""

    figure_id: str
    uri: str
    probabilities: Probabilities
    labels: Sequence[str] = ()

    @property
    def best(self) -> str:
        """The likeliest label."""
        return self.labels[int(np.argmax(self.probabilities))]

    def __repr__(self) -> str:
        ranked = sorted(zip(self.labels, self.probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
        return f"Prediction {self.figure_id}: " + ", ".join(f"{label} {share:.1%}" for label, share in ranked[:3])


class _Prepared(NamedTuple):
    figure_id: str
    uri: str
    pixels: Pixels


def classify(
    images: Picture | Iterable[Figure | Skip | Picture],
    labels: Sequence[str],
    encoder: str | Encoder = "biomedclip",
    *,
    templates: str | Sequence[str] = (TEMPLATE,),
    resize: str | None = None,
    batch_size: int = BATCH_SIZE,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Prediction | Skip]:
    """A Prediction for each image, in order; a Skip with the reason where it is missing or cannot be read.

    Images are paths (a folder gives its figures), bytes of files, PIL images, arrays or Figures; one, or any number.
    A template is a sentence with {} for the label; with several a label's vector is their mean (`label_vectors`). The
    probabilities are the softmax over the labels of cosine times `logit_scale`: relative to each other, so that the
    best of labels that are all wrong may still get most of it. Figures are read as predictions are asked for and
    prepared ahead in `workers` threads (default: cores); an image of more than `max_pixels` is a Skip.

    Raises QueryError for labels or templates that cannot be told apart, EncoderError where there is no such encoder.
    """
    check_labels(labels)
    templates = (templates,) if isinstance(templates, str) else templates
    check_templates(templates)
    model = image_encoder(encoder, resize)
    classes = label_vectors(model, labels, templates, batch_size=batch_size)
    figures = figures_of(images)
    return _predictions(figures, list(labels), model, classes, batch_size, workers or os.cpu_count() or 1, max_pixels)


def check_labels(labels: Sequence[str]) -> None:
    """QueryError unless these are two or more labels that differ in more than case, hyphens and underscores."""
    labels = [labels] if isinstance(labels, str) else labels
    if any(not label.strip() for label in labels):
        raise QueryError("one of the labels is empty; leave it out")
    if len(labels) < 2:
        given = "; ".join(labels) or "none"
        raise QueryError(f"at least two labels are needed to choose from, not {len(labels)} ({given}); give another")
    seen = set()
    for label in labels:
        if plain_label(label) in seen:
            raise QueryError(f"the label {label} is there twice (case, hyphens and underscores do not count); drop one")
        seen.add(plain_label(label))


def check_templates(templates: Sequence[str]) -> None:
    """QueryError unless there is a template, and in each a {} for the label."""
    if not templates:
        raise QueryError("no template to put the labels in; {} alone takes them as they are")
    for template in templates:
        if "{}" not in template:
            raise QueryError(f"the template {template!r} has no {{}} for the label; write e.g. 'a photo of {{}}'")


def image_encoder(encoder: str | Encoder, resize: str | None) -> Encoder:
    """The encoder of that name, or the object itself. Raises EncoderError for one that has no image tower, and for a
    resize mode that comes too late."""
    if resize is not None and not isinstance(encoder, str):
        raise EncoderError(f"{encoder.name}: is open with a resize mode of its own; give its name, or leave resize out")
    model = load_encoder(encoder, resize=resize)
    if not model.reads_images:
        raise EncoderError(f"{model.name}: reads captions only; use an encoder of images, such as biomedclip")
    return model


def label_vectors(
    encoder: Encoder, labels: Sequence[str], templates: Sequence[str], *, batch_size: int = BATCH_SIZE
) -> Vectors:
    """(labels, dim): each label put into each template, encoded to length 1, averaged and brought to length 1 again.

    This is what open_clip's `build_zero_shot_classifier` does (Radford et al. 2021, section 3.1.4). Raises QueryError
    where the encoder would cut a prompt short: labels that differ in their ends would become one.
    """
    prompts = [template.replace("{}", label) for label in labels for template in templates]
    tokens = encoder.tokenize(prompts)
    if tokens.truncated.any():
        longest = prompts[int(np.argmax(tokens.truncated))]
        raise QueryError(f"{longest!r} is longer than {encoder.name} reads; shorten the label or the template")
    rows = np.arange(len(prompts))
    batches = [rows[start : start + batch_size] for start in range(0, len(prompts), batch_size)]
    vectors = np.concatenate([encoder.encode_texts(tokens.take(batch)) for batch in batches])
    means: Vectors = vectors.reshape(len(labels), len(templates), -1).mean(axis=1)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    if not (np.isfinite(means).all() and lengths.all()):
        raise EncoderError(f"{encoder.name}: gives a label a vector that is not finite; use another encoder")
    unit: Vectors = means / lengths
    return unit


def logit_scale(encoder: Encoder) -> float:
    """What the encoder multiplies cosines by before the softmax: what it learned, `LOGIT_SCALE` where it does not say.

    A constant bias, as SigLIP adds, does not change a softmax and is left out.
    """
    return float(getattr(encoder, "logit_scale", LOGIT_SCALE))


def probabilities(images: Vectors, classes: Vectors, scale: float) -> Probabilities:
    """(images, labels): the softmax over labels of scale · cosine, for vectors (images, dim) and (labels, dim)."""
    logits = scale * (images.astype(np.float64) @ classes.astype(np.float64).T)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))  # the greatest becomes 1: nothing overflows
    shares: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _predictions(
    figures: Iterable[Figure | Skip],
    labels: list[str],
    encoder: Encoder,
    classes: Vectors,
    batch_size: int,
    workers: int,
    max_pixels: int,
) -> Iterator[Prediction | Skip]:
    scale = logit_scale(encoder)
    ahead = map_ahead(partial(_prepare, encoder, max_pixels), figures, workers=workers, ahead=2 * batch_size)
    while batch := list(islice(ahead, batch_size)):
        prepared = [item for item in batch if isinstance(item, _Prepared)]
        rows = iter(probabilities(_encode(encoder, prepared), classes, scale) if prepared else ())
        for item in batch:
            yield item if isinstance(item, Skip) else Prediction(item.figure_id, item.uri, next(rows), labels)


def _prepare(encoder: Encoder, max_pixels: int, figure: Figure | Skip) -> _Prepared | Skip:
    if isinstance(figure, Skip):
        return figure
    if figure.image is None:
        return Skip(figure.figure_id, figure.uri, "no image")
    try:
        return _Prepared(figure.figure_id, figure.uri, encoder.prepare(decode(figure.image, max_pixels)))
    except UnreadableImage as error:
        return Skip(figure.figure_id, figure.uri, error.reason)


def _encode(encoder: Encoder, prepared: Sequence[_Prepared]) -> Vectors:
    vectors = encoder.encode_images(np.stack([item.pixels for item in prepared]))
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        uri = prepared[broken[0]].uri
        raise EncoderError(f"{encoder.name}: gives {uri} a vector that is not finite; use another encoder")
    return vectors
