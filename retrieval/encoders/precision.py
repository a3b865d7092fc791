"""In which numbers an encoder computes: half precision where it is faster and loses nothing that a ranking shows."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.encoders import probes
from retrieval.types import Encoder, Vectors

PRECISIONS = ("fp32", "bf16", "fp16")
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
FAITHFUL = 0.999
"""Cosine to float32, after the mean of the probes is taken out of both. Vectors of one encoder share a large part (two
random captions often have cosine 0.8), which would hide what precision does to the small part that ranks them."""


class Adjustable(Encoder, Protocol):
    """An encoder of this package: its precision can be set, and it knows where it computes."""

    precision: str
    device: torch.device


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near to float32 a precision is on the probes, and what a batch of them takes.

    `images` and `texts` are the least cosine to float32 after centring; None for images where only captions are read.
    """

    precision: str
    images: float | None
    texts: float
    image_seconds: float
    text_seconds: float

    @property
    def faithful(self) -> bool:
        return min(self.texts, 1.0 if self.images is None else self.images) >= FAITHFUL


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Compute in this precision inside: weights stay float32, torch lowers those operations that bear it."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=HALVES[precision])


def worth_trying(device: torch.device) -> tuple[str, ...]:
    """The half precisions that a device computes faster than float32; the exacter first.

    With AVX-512 bf16 alone, without AMX, models of a dozen kinds take 0.4 to 0.7 of the time (docs/log.md).
    """
    if device.type == "cuda":
        return ("fp16", "bf16")
    return ("bf16",) if device.type == "cpu" and (_has("amx_tile") or _has("avx512_bf16")) else ()


def _has(feature: str) -> bool:
    """Whether the processor has it, as far as this version of torch can tell."""
    return bool(getattr(torch.cpu, f"_is_{feature}_supported", bool)())


def choose_precision(encoder: Adjustable) -> str:
    """What `auto` means for an encoder: the first precision worth trying that is faithful, else fp32. Sets nothing.

    No clock decides, so the same encoder on the same machine always gets the same.
    """
    return next((item.precision for item in measure(encoder, worth_trying(encoder.device)) if item.faithful), "fp32")


def measure(encoder: Adjustable, precisions: tuple[str, ...]) -> list[Fidelity]:
    """The fidelity of some precisions on the probes; the encoder's own precision is left as it was."""
    if not precisions:
        return []
    pixels = np.stack([encoder.prepare(image) for image in probes.images()]) if encoder.reads_images else None
    tokens = encoder.tokenize(probes.captions())
    before = encoder.precision

    def encoded(precision: str) -> tuple[Vectors | None, Vectors, float, float]:
        encoder.precision = precision
        if pixels is not None:
            encoder.encode_images(pixels[:1])  # the first batch pays for what is set up once
        encoder.encode_texts(tokens.take(np.arange(1)))
        begin = time.perf_counter()
        images = None if pixels is None else encoder.encode_images(pixels)
        middle = time.perf_counter()
        texts = encoder.encode_texts(tokens)
        return images, texts, middle - begin, time.perf_counter() - middle

    try:
        exact_images, exact_texts, *_ = exact = encoded("fp32")
        found = []
        for precision in precisions:
            images, texts, image_seconds, text_seconds = exact if precision == "fp32" else encoded(precision)
            least = None
            if images is not None and exact_images is not None:
                least = float(centred_cosines(images, exact_images).min())
            least_text = float(centred_cosines(texts, exact_texts).min())
            found.append(Fidelity(precision, least, least_text, image_seconds, text_seconds))
        return found
    finally:
        encoder.precision = before


def centred_cosines(vectors: Vectors, exact: Vectors) -> NDArray[np.float64]:
    """(n, dim) twice to (n,): the cosine of each row to the exact one after each side's mean is taken out.

    0 where a row is not finite; 1 where nothing is left of both, as when all rows are the same.
    """
    mine, theirs = (rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64) for rows in (vectors, exact))
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines: NDArray[np.float64] = np.where(lengths == 0, 1.0, np.sum(mine * theirs, axis=1) / lengths)
    return np.nan_to_num(cosines, nan=0.0, posinf=0.0, neginf=0.0)
