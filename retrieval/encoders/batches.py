"""Lists of texts and pictures to vectors, in batches of bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from retrieval.errors import QueryError
from retrieval.images.pictures import Picture, each_picture, open_picture
from retrieval.keywords import each_of
from retrieval.prefetch import map_ahead
from retrieval.types import Encoder, Pixels, Vectors

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = 256
IMAGES = 64


def texts_to_vectors(encoder: Encoder, texts: str | Sequence[str]) -> Vectors:
    """Encode texts to vectors (n, dim), in order; one text gives one row.

    Raises QueryError for anything that is no text.
    """
    items = list(each_of(texts, str, "a text"))
    for item in items:
        if not isinstance(item, str):
            raise QueryError(f"a text is a str, not {type(item).__name__}; pictures go to encode_images")
    parts = [items[start : start + TEXTS] for start in range(0, len(items), TEXTS)]
    return _stacked(encoder, [encoder.encode_texts(encoder.tokenize(part)) for part in parts])


def images_to_vectors(encoder: Encoder, images: Picture | Iterable[Picture]) -> Vectors:
    """Encode pictures (paths, bytes, PIL images, arrays) to vectors (n, dim), in order; one picture gives one row.

    Pictures are opened and prepared ahead in threads. Raises QueryError that names a picture which cannot be read.
    """
    prepare: Callable[[Picture], Pixels] = partial(_prepared, encoder)
    ahead = map_ahead(prepare, each_picture(images), workers=os.cpu_count() or 1, ahead=IMAGES)
    vectors = []
    while batch := list(islice(ahead, IMAGES)):
        vectors.append(encoder.encode_images(np.stack(batch)))
    return _stacked(encoder, vectors)


def is_pixels(images: object) -> TypeGuard[Pixels]:
    """Whether this is a batch that `prepare` made: (n, 3, height, width) float32."""
    return isinstance(images, np.ndarray) and images.ndim == 4 and images.dtype == np.float32 and images.shape[1] == 3


def _prepared(encoder: Encoder, picture: Picture) -> Pixels:
    return encoder.prepare(open_picture(picture))


def _stacked(encoder: Encoder, vectors: Sequence[Vectors]) -> Vectors:
    return np.concatenate([np.zeros((0, encoder.dim), np.float32), *vectors])
