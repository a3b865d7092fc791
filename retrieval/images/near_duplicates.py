"""Near-equal pictures: a hash of 176 bytes each, and which of many are the same without comparing all to all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.images.decode import decode
from retrieval.images.image_bytes import UnreadableImage

Hashes = NDArray[np.uint8]
"""(n, HASH_BYTES): 32 bytes of signs of the low frequencies, then the picture itself in 12 times 12 grey cells."""
Pairs = NDArray[np.int64]
"""(m, 2) row numbers, sorted."""

SIGNS = 32
CELLS = 12
HASH_BYTES = SIGNS + CELLS**2
SIDE = 32  # pixels a side of the picture whose frequencies are taken
KEPT = 16  # of them each way
FARTHEST = 31
"""Signs of 256 that the same picture may differ in. Scaled to 192 pixels, recompressed to quality 20, cropped by 1 % or
with gamma 1.5 it stays within 31 in 97 to 100 of 100 cases (600 real figures); unrelated ones differ in about 128."""
GREATEST_CHANGE = 24.0
"""Grey levels of 255 by which one cell may differ after brightness and contrast are matched. The signs see the
composition only: of 700 figures drawn from few templates 159 pairs are within 31, two thirds of which differ more."""
BRIGHTER = 64.0  # grey levels of the mean: gamma 1.5 and a fifth more light move it by less
CANDIDATES = 1 << 18  # compared at once: 16 MB, half of it in the cache

_WAVES = np.cos(np.pi * np.outer(np.arange(KEPT), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def picture_hash(data: bytes) -> NDArray[np.uint8] | None:
    """(HASH_BYTES,) of an image file or thumbnail; None where it is no picture that can be read."""
    try:
        grey = decode(data).convert("L")
    except UnreadableImage:
        return None
    pixels = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    strengths = np.rint(
        _WAVES @ pixels @ _WAVES.T
    ).ravel()  # whole numbers: a flat picture has no noise to take signs of
    strengths[0] = 0  # the mean says how bright it is, not what it shows
    signs = np.packbits(strengths > np.median(strengths[1:]))
    cells = np.asarray(grey.resize((CELLS, CELLS), Image.Resampling.BOX)).ravel()
    return np.concatenate([signs, cells])


def same_picture(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two hashes are of the same picture: scaled, recompressed, brightened, relabelled, trimmed by 1 %."""
    if _far(_signs(one[None]), _signs(other[None]))[0] > FARTHEST:
        return False
    return bool(_greatest_change(one[None, SIGNS:], other[None, SIGNS:])[0] <= GREATEST_CHANGE)


def likeness(one: Hashes, other: Hashes) -> NDArray[np.float64]:
    """(m,) the share of signs that agree, row by row: 1 for equal ones, about 0.5 for unrelated ones."""
    return 1 - _far(_signs(one), _signs(other)) / (8 * SIGNS)


def near_pairs(hashes: Hashes, other: Hashes | None = None) -> Pairs:
    """The pairs of the same picture: a row of `hashes` and one of `other`, or two rows of `hashes`, the lesser first.

    Exactly what `same_picture` says of all pairs. Two hashes that differ in at most 31 of 256 signs differ in at most
    one of 16 in one of 16 bands, so only rows are compared that agree in a band but for one sign: of pictures that have
    nothing in common that is one pair in 240.
    """
    theirs = hashes if other is None else other
    signs, their_signs = _signs(hashes), _signs(theirs)
    bands = (signs.view(np.uint16), None if other is None else their_signs.view(np.uint16))
    columns = list(zip(signs.T.copy(), their_signs.T.copy(), strict=True))
    found = [np.empty((0, 2), dtype=np.int64)]
    for left, right in _candidates(*bands):
        far = np.zeros(len(left), dtype=np.uint8)
        for ours, others in columns:  # half of what is unrelated goes at the first 64 signs, nearly all at the second
            far += np.bitwise_count(ours[left] ^ others[right])
            near = np.flatnonzero(far <= FARTHEST)
            left, right, far = left[near], right[near], far[near]
        same = _greatest_change(hashes[left, SIGNS:], theirs[right, SIGNS:]) <= GREATEST_CHANGE
        found.append(np.column_stack([left[same], right[same]]))
    pairs = np.concatenate(found)
    return np.unique(pairs if other is not None else np.sort(pairs, axis=1), axis=0)


def _signs(hashes: Hashes) -> NDArray[np.uint64]:
    """(n, 4): the signs of each hash, 64 at a time."""
    return np.ascontiguousarray(hashes[:, :SIGNS]).view(np.uint64)


def _far(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(m,) how many signs differ, row by row."""
    count: NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return count


def _greatest_change(one: Hashes, other: Hashes) -> NDArray[np.float32]:
    """(m,) the most that a cell differs by, in grey levels, when both pictures have the contrast between theirs.

    Brightness is matched up to `BRIGHTER`; beyond it (a blank page and a blank film) the pictures differ in that.
    """
    cells = [rows.astype(np.float32) for rows in (one, other)]
    means = [rows.mean(axis=1, keepdims=True) for rows in cells]
    contrasts = [rows.std(axis=1, keepdims=True) for rows in cells]
    between = np.sqrt(contrasts[0] * contrasts[1])
    matched = [
        (rows - mean) * between / np.maximum(contrast, 1e-6)
        for rows, mean, contrast in zip(cells, means, contrasts, strict=True)
    ]
    change: NDArray[np.float32] = np.abs(matched[0] - matched[1]).max(axis=1)
    change[np.abs(means[0] - means[1])[:, 0] > BRIGHTER] = np.inf
    return change


def _candidates(
    one: NDArray[np.uint16], other: NDArray[np.uint16] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Row numbers (left, right) of all whose bands (n, 16) agree in one but for one sign, in blocks; some often."""
    for left_keys, right_keys in zip(one.T, (one if other is None else other).T, strict=True):
        order = np.argsort(right_keys, kind="stable")
        starts = np.searchsorted(right_keys[order], np.arange((1 << 16) + 1))
        for flip in (0, *(1 << sign for sign in range(16))):
            rows = np.arange(len(left_keys))
            if other is None and flip:  # the row without this sign finds the one with it
                rows = rows[left_keys & flip == 0]
            probed = (left_keys[rows] ^ flip).astype(np.int64)
            for left, at in _spread(rows, starts[probed], starts[probed + 1]):
                right = order[at]
                keep = slice(None) if other is not None or flip else left < right
                yield left[keep], right[keep]


def _spread(
    rows: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each row once for every place from its start to its stop, with that place, about `CANDIDATES` at a time."""
    counts = stops - starts
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1] if len(ends) else 0, CANDIDATES), side="right")
    for begin, end in pairwise([*np.unique(cuts).tolist(), len(rows)]):
        some = counts[begin:end]
        first = np.repeat(np.cumsum(some) - some, some)
        yield np.repeat(rows[begin:end], some), np.arange(some.sum()) - first + np.repeat(starts[begin:end], some)
