"""Where the vectors of an import stand, and what its shards hold: written once for Python and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from retrieval.errors import RetrievalError
from retrieval.keywords import refuse_impossible, whole_or_keywords


class ImportKeywords(TypedDict, total=False):
    """The fields of ImportOptions as keyword arguments."""

    resize: str | None
    image_embedding: str | None
    caption_embedding: str | None
    caption_column: str | None
    shard_size: int
    max_skips: float


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Which columns are read, how the encoder fitted figures, and what a shard holds."""

    resize: str | None = field(
        default=None,
        metadata={
            "help": "how it fitted figures into its square, if not as published",
            "choices": ("crop", "pad", "squash"),
        },
    )
    image_embedding: str | None = field(
        default=None, metadata={"help": "column with vectors of images (default: by name)", "metavar": "COLUMN"}
    )
    caption_embedding: str | None = field(
        default=None, metadata={"help": "column with vectors of captions (default: by name)", "metavar": "COLUMN"}
    )
    caption_column: str | None = field(
        default=None, metadata={"help": "column with the captions (default: by name)", "metavar": "COLUMN"}
    )
    shard_size: int = field(default=1 << 14, metadata={"help": "rows a shard", "at_least": 1})
    max_skips: float = field(
        default=0.05, metadata={"help": "rows without usable vector allowed", "metavar": "SHARE", "share": True}
    )

    def __post_init__(self) -> None:
        refuse_impossible(self, RetrievalError)

    @classmethod
    def of(cls, options: ImportOptions | None, keywords: ImportKeywords) -> ImportOptions:
        """The options given whole or as keywords. Raises RetrievalError for one that is not known or cannot be."""
        return whole_or_keywords(cls, options, keywords, "an import", RetrievalError)
