"""Captions to vectors, the longer ones cut short or read in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.sentences import windows
from retrieval.types import Encoder, Tokens, Vectors


@dataclass(frozen=True, slots=True)
class EncodedCaptions:
    """n captions as vectors (n, dim); which of them (n,) lost their end, and which were read in several windows."""

    vectors: Vectors
    truncated: NDArray[np.bool_]
    windowed: NDArray[np.bool_]


def encode_captions(encoder: Encoder, captions: Sequence[str], *, in_windows: bool, batch_size: int) -> EncodedCaptions:
    """The vectors of captions, `batch_size` at a time in the order of their length, so that little padding is encoded.

    A caption that is longer than the encoder reads is cut short; `in_windows`, it is read in windows of whole
    sentences, and its vector is the mean of theirs, weighted by their tokens and brought back to length 1.
    """
    tokens = encoder.tokenize(captions)
    counts = np.ones(len(captions), dtype=np.int64)
    if in_windows and tokens.truncated.any():
        pieces = [
            windows(caption, lambda text: not encoder.tokenize([text]).truncated[0]) if cut else [caption]
            for caption, cut in zip(captions, tokens.truncated.tolist(), strict=True)
        ]
        counts = np.array([len(some) for some in pieces], dtype=np.int64)
        tokens = encoder.tokenize([piece for some in pieces for piece in some])
    vectors = _encode(encoder, tokens, batch_size)
    firsts = np.cumsum(counts) - counts
    windowed = counts > 1
    result, truncated = vectors[firsts], tokens.truncated[firsts]
    if windowed.any():
        # a plain mean, in which five last words weigh as much as a full window, never found more (docs/log.md)
        weighted = vectors * tokens.lengths[:, None].astype(np.float64)
        means = np.add.reduceat(weighted, firsts)[windowed]
        result[windowed] = means / np.linalg.norm(means, axis=1, keepdims=True)
        truncated = np.logical_or.reduceat(tokens.truncated, firsts)
    return EncodedCaptions(result, truncated, windowed)


def _encode(encoder: Encoder, tokens: Tokens, batch_size: int) -> Vectors:
    vectors = np.zeros((len(tokens), encoder.dim), dtype=np.float32)
    by_length = np.argsort(tokens.lengths, kind="stable")
    for start in range(0, len(tokens), batch_size):
        rows = by_length[start : start + batch_size]
        vectors[rows] = encoder.encode_texts(tokens.take(rows))
    return vectors
