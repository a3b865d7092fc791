"""Captions to vectors, the longer ones cut short or read in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.sentences import windows
from retrieval.types import Encoder, Figure, Tokens, Vectors


@dataclass(frozen=True, slots=True)
class ReadCaptions:
    """n captions as an encoder reads them: the tokens of their pieces in order, and how many pieces each has (n,)."""

    pieces: Tokens
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: NDArray[np.int64]) -> ReadCaptions:
        counts = self.counts[rows]
        firsts = (np.cumsum(self.counts) - self.counts)[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return ReadCaptions(self.pieces.take(np.repeat(firsts, counts) + within), counts)


@dataclass(frozen=True, slots=True)
class EncodedCaptions:
    """n captions as vectors (n, dim); which of them (n,) lost their end, and which were read in several windows."""

    vectors: Vectors
    truncated: NDArray[np.bool_]
    windowed: NDArray[np.bool_]


def captions_of(figure: Figure) -> tuple[str, ...]:
    """The captions of a figure that are encoded: not blank, without space at their ends."""
    return tuple(caption for caption in map(str.strip, figure.captions) if caption)


def read_captions(encoder: Encoder, captions: Sequence[str], *, in_windows: bool) -> ReadCaptions:
    """Captions tokenized; `in_windows`, those longer than the encoder reads become windows of whole sentences."""
    tokens = encoder.tokenize(captions)
    if not (in_windows and tokens.truncated.any()):
        return ReadCaptions(tokens, np.ones(len(captions), dtype=np.int64))
    pieces = [
        windows(caption, lambda text: not encoder.tokenize([text]).truncated[0]) if cut else [caption]
        for caption, cut in zip(captions, tokens.truncated.tolist(), strict=True)
    ]
    counts = np.array([len(some) for some in pieces], dtype=np.int64)
    return ReadCaptions(encoder.tokenize([piece for some in pieces for piece in some]), counts)


def join_captions(parts: Sequence[ReadCaptions]) -> ReadCaptions:
    """At least one part, all read by one encoder."""
    pieces = [part.pieces for part in parts]
    tokens = Tokens(
        np.concatenate([some.ids for some in pieces]),
        np.concatenate([some.lengths for some in pieces]),
        np.concatenate([some.truncated for some in pieces]),
    )
    return ReadCaptions(tokens, np.concatenate([part.counts for part in parts]))


def encode_read(encoder: Encoder, read: ReadCaptions, *, batch_size: int) -> EncodedCaptions:
    """The vectors of captions, `batch_size` at a time in the order of their length, so that little padding is encoded.

    The vector of a caption in windows is the mean of theirs, weighted by their tokens and brought back to length 1.
    """
    vectors = _encode(encoder, read.pieces, batch_size)
    firsts = np.cumsum(read.counts) - read.counts
    windowed = read.counts > 1
    result, truncated = vectors[firsts], read.pieces.truncated[firsts]
    if windowed.any():
        # a plain mean, in which five last words weigh as much as a full window, never found more (docs/log.md)
        weighted = vectors * read.pieces.lengths[:, None].astype(np.float64)
        means = np.add.reduceat(weighted, firsts)[windowed]
        result[windowed] = means / np.linalg.norm(means, axis=1, keepdims=True)
        truncated = np.logical_or.reduceat(read.pieces.truncated, firsts)
    return EncodedCaptions(result, truncated, windowed)


def encode_captions(encoder: Encoder, captions: Sequence[str], *, in_windows: bool, batch_size: int) -> EncodedCaptions:
    """`read_captions` and `encode_read` in one."""
    return encode_read(encoder, read_captions(encoder, captions, in_windows=in_windows), batch_size=batch_size)


def _encode(encoder: Encoder, tokens: Tokens, batch_size: int) -> Vectors:
    vectors = np.zeros((len(tokens), encoder.dim), dtype=np.float32)
    by_length = np.argsort(tokens.lengths, kind="stable")
    for start in range(0, len(tokens), batch_size):
        rows = by_length[start : start + batch_size]
        vectors[rows] = encoder.encode_texts(tokens.take(rows))
    return vectors


def tokens_of_rows(
    ids: NDArray[np.int64], padding: int, untruncated: Callable[[int], int], *, ends_like_padding: bool = False
) -> Tokens:
    """Tokens of rows (n, context) filled up with `padding`; `untruncated(row)` is a row's length before it was cut.

    The length is the place of the last id that is no padding: CLIP's padding, 0, is also an exclamation mark within a
    word. `ends_like_padding`: the mark at the end of a text has the id of the padding, as in SigLIP, and counts.
    """
    context = ids.shape[1]
    used = ids != padding
    lengths = np.where(used.any(axis=1), context - used[:, ::-1].argmax(axis=1), 0)
    if ends_like_padding:
        lengths = np.minimum(lengths + 1, context)
    truncated = np.zeros(len(ids), dtype=np.bool_)
    for row in np.flatnonzero(lengths >= context).tolist():  # only a full row can have lost something
        truncated[row] = untruncated(row) > context
    return Tokens(ids, lengths.astype(np.int64), truncated)


def nothing(context: int) -> Tokens:
    """The tokens of no texts."""
    empty = np.zeros(0, dtype=np.int64)
    return Tokens(np.zeros((0, context), dtype=np.int64), empty, empty.astype(np.bool_))
