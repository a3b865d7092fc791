"""Whether an opened encoder keeps its contract: each way of being silently wrong is tried, and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from retrieval.encoders import probes
from retrieval.encoders.precision import FAITHFUL, PRECISIONS, Adjustable, Fidelity, choose_precision, measure
from retrieval.types import Pixels, Vectors

ROUNDING = 1e-4
"""How far a component of a unit vector may move in float32 with the size of the batch: a large model on a GPU moves it
by some 1e-5. A dropout or batch statistics that are still live move it by 1e-2 and more."""
SAME = 0.9999  # cosine from which two vectors are one: a tokenizer without its vocabulary reads all captions alike
LONG = "cell " * 3000
EXTREMES = ["", " ", "\n\t", "?", "图 Ä \N{DNA DOUBLE HELIX} β-actin", LONG]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `ok` is None where there is nothing to pass, only something to know."""

    what: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Prepared images (None where only captions are read) and captions, with the vectors of each as one batch."""

    pixels: Pixels | None
    texts: list[str]
    image_vectors: Vectors | None
    text_vectors: Vectors


def check(encoder: Adjustable, precision: str = "auto") -> Iterator[Finding]:
    """Try an encoder, cheapest first; gives one finding after the other, the last ones about precisions.

    The contract is tried in float32. `precision` is what indexing will be asked for: other than auto, it must be
    faithful (precision.py). The encoder's own precision is left as it was.
    """
    before, encoder.precision = encoder.precision, "fp32"
    try:
        yield eval_mode(encoder)
        try:
            probe = _probe(encoder)
        except Exception as error:  # whatever a model raises in its forward pass
            yield _broken("probes", error)
            return
        for tried in (dimension, unit_length, repeatable, alone, any_order, padding, extremes, distinct):
            yield _safely(tried, encoder, probe)
    finally:
        encoder.precision = before
    yield from precisions(encoder, precision)


def eval_mode(encoder: Any) -> Finding:
    training = [name or type(module).__name__ for name, module in encoder._model.named_modules() if module.training]
    detail = f"in train mode: {', '.join(training[:3])}" if training else "no dropout, no batch statistics"
    return Finding("eval mode everywhere", not training, detail)


def dimension(encoder: Adjustable, probe: Probe) -> Finding:
    """Both towers must end in the dimension that the encoder announces."""
    text = probe.text_vectors.shape[1]
    image = None if probe.image_vectors is None else probe.image_vectors.shape[1]
    detail = f"texts {text}, " + ("no images" if image is None else f"images {image}") + f", announced {encoder.dim}"
    return Finding("one dimension", text == encoder.dim and image in (None, encoder.dim), detail)


def unit_length(encoder: Adjustable, probe: Probe) -> Finding:
    worst = max(float(np.abs(np.linalg.norm(v.astype(np.float64), axis=1) - 1).max()) for v in _vectors(probe))
    return Finding("vectors of length 1", worst < 1e-5, f"off by {worst:.1e} at most, allowed 1e-05")


def repeatable(encoder: Adjustable, probe: Probe) -> Finding:
    again = [] if probe.pixels is None else [encoder.encode_images(probe.pixels)]
    again.append(encoder.encode_texts(encoder.tokenize(probe.texts)))
    moved = max(_moved(*both) for both in zip(again, _vectors(probe), strict=True))
    return Finding("the same twice", moved == 0, "bit for bit" if moved == 0 else f"moved by {moved:.1e}")


def alone(encoder: Adjustable, probe: Probe) -> Finding:
    singly = np.concatenate([encoder.encode_texts(encoder.tokenize([text])) for text in probe.texts])
    moved = _moved(singly, probe.text_vectors)
    if probe.pixels is not None and probe.image_vectors is not None:
        pictures = np.split(probe.pixels, len(probe.pixels))
        moved = max(moved, _moved(np.concatenate([*map(encoder.encode_images, pictures)]), probe.image_vectors))
    return _within("alone as in a batch", moved)


def any_order(encoder: Adjustable, probe: Probe) -> Finding:
    order = np.random.default_rng(0).permutation(len(probe.texts))
    shuffled = encoder.encode_texts(encoder.tokenize(probe.texts).take(order))
    return _within("texts in any order", _moved(shuffled, probe.text_vectors[order]))


def padding(encoder: Adjustable, probe: Probe) -> Finding:
    """A very long caption in the batch stops the padding of short ones from being trimmed: they must not notice."""
    short = sorted(probe.texts, key=len)[:4]
    trimmed = encoder.encode_texts(encoder.tokenize(short))
    full = encoder.encode_texts(encoder.tokenize([*short, LONG]))[:-1]
    return _within("padding trimmed as padding full", _moved(full, trimmed))


def extremes(encoder: Adjustable, probe: Probe) -> Finding:
    vectors = [encoder.encode_texts(encoder.tokenize(EXTREMES))]
    what = "empty and very long captions"
    if probe.pixels is not None:
        sizes = [(64, 64), (1, 1), (2000, 3)]
        pictures = [Image.new("RGB", size, colour) for size in sizes for colour in ("black", "white")]
        vectors.append(encoder.encode_images(np.stack([encoder.prepare(picture) for picture in pictures])))
        what += ", black, white and very thin images"
    finite = all(bool(np.isfinite(some).all()) for some in vectors)
    return Finding("finite on extremes", finite, what if finite else f"not a number among {what}")


def distinct(encoder: Adjustable, probe: Probe) -> Finding:
    nearest = max(_nearest(vectors) for vectors in _vectors(probe))
    detail = f"nearest two of the probes have cosine {nearest:.4f}, allowed {SAME}"
    return Finding("different inputs, different vectors", nearest < SAME, detail)


def precisions(encoder: Adjustable, asked: str) -> Iterator[Finding]:
    """How faithful each precision is and what it costs, then the one that indexing will use."""
    try:
        measured = measure(encoder, PRECISIONS)
        used = choose_precision(encoder) if asked == "auto" else asked
    except Exception as error:
        yield _broken("precisions", error)
        return
    for item in measured:
        yield Finding(
            f"precision {item.precision}", item.faithful if item.precision == asked else None, _described(item)
        )
    yield Finding("precision for indexing", None, f"{used} on {encoder.device.type}")


def _described(item: Fidelity) -> str:
    images = "" if item.images is None else f"images {item.images:.5f}, "
    seconds = "" if item.images is None else f"{item.image_seconds:.2f} s for 32 images, "
    verdict = "faithful" if item.faithful else f"not faithful, as that is below {FAITHFUL}"
    return (
        f"least cosine to fp32, centred: {images}texts {item.texts:.5f}, {verdict}; "
        f"{seconds}{item.text_seconds:.2f} s for 64 captions"
    )


def _probe(encoder: Adjustable) -> Probe:
    texts = probes.captions(8)
    pixels = np.stack([encoder.prepare(image) for image in probes.images(8)]) if encoder.reads_images else None
    images = None if pixels is None else encoder.encode_images(pixels)
    return Probe(pixels, texts, images, encoder.encode_texts(encoder.tokenize(texts)))


def _safely(tried: Callable[[Any, Probe], Finding], encoder: Adjustable, probe: Probe) -> Finding:
    """A check that a broken model cannot even run has failed; the others still have something to say."""
    try:
        return tried(encoder, probe)
    except Exception as error:
        return _broken(tried.__name__.replace("_", " "), error)


def _broken(what: str, error: Exception) -> Finding:
    return Finding(what, False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _vectors(probe: Probe) -> list[Vectors]:
    return [some for some in (probe.image_vectors, probe.text_vectors) if some is not None]


def _moved(vectors: Vectors, others: Vectors) -> float:
    return float(np.nan_to_num(np.abs(vectors - others), nan=np.inf).max())


def _within(what: str, moved: float) -> Finding:
    return Finding(what, moved <= ROUNDING, f"moved by {moved:.1e} at most, allowed {ROUNDING:.0e}")


def _nearest(vectors: Vectors) -> float:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return float(cosines.max())
