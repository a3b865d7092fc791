"""What every tokenizer's rows of ids have in common: how long each caption is, and which was cut short."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Tokens


def counted(
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
