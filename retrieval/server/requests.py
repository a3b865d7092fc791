"""A question on its way from the wire to the Searcher: its images are pixels until the encoder's thread has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.encoders.captions import encode_captions
from retrieval.search.expression import Term
from retrieval.search.query import Query
from retrieval.shards.plan import LongCaptions
from retrieval.types import Encoder, Pixels

TEXTS_AT_ONCE = 128  # a batch of questions may have several texts each


@dataclass(frozen=True, slots=True, eq=False)
class PreparedQuery:
    """One question: its terms, and for each the pixels if it is an image, else None."""

    terms: tuple[Term, ...]
    pixels: tuple[Pixels | None, ...]

    def query(self, encoder: Encoder) -> Query:
        """The question with vectors in place of images."""
        return Query(
            combine=[
                term if pixels is None else Term(term.weight, vector=encoder.encode_images(pixels[None])[0])
                for term, pixels in zip(self.terms, self.pixels, strict=True)
            ]
        )


def encode_ahead(encoder: Encoder, asked: Sequence[tuple[PreparedQuery, LongCaptions]]) -> None:
    """Have an encoder that remembers encode all that some questions need, at once: texts as their index reads them."""
    for long_captions in ("truncate", "chunk"):
        texts = [term.text for one, how in asked if how == long_captions for term in one.terms if term.text is not None]
        if texts:
            encode_captions(encoder, texts, in_windows=long_captions == "chunk", batch_size=TEXTS_AT_ONCE)
    pixels = [image for one, _ in asked for image in one.pixels if image is not None]
    if pixels:
        encoder.encode_images(np.stack(pixels))
