"""What an evaluation asks and how it measures: written once for Python and the command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from retrieval.errors import QueryError
from retrieval.keywords import as_tuple, whole_number, whole_or_keywords
from retrieval.types import Corpus, Encoder

if TYPE_CHECKING:
    import pyarrow.compute as pc

    from retrieval.shards.filters import Filter

RelevantBy = Literal["figure_id", "article_id", "caption", "image"]
KS = (1, 5, 10)


class EvaluateKeywords(TypedDict, total=False):
    """The fields of EvaluateOptions as keyword arguments."""

    queries: str | Path | Collection[str] | Filter | pc.Expression | Corpus | None
    relevant_by: RelevantBy
    ks: int | Sequence[int]
    resamples: int
    seed: int
    encoder: str | Encoder | None


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Which queries are asked, what answers them, and how it is measured."""

    queries: str | Path | Collection[str] | Filter | pc.Expression | Corpus | None = field(
        default=None,
        metadata={
            "help": "what is asked: a clause such as split=heldout, sample:1000 (whole articles, drawn by the seed), a "
            ".txt file of figure ids, or another corpus (default: everything)",
            "metavar": "WHICH",
        },
    )
    relevant_by: RelevantBy = field(
        default="figure_id",
        metadata={"help": "what counts as an answer: what has the same value of this", "choices": get_args(RelevantBy)},
    )
    ks: tuple[int, ...] = field(default=KS, metadata={"help": "cut-off", "at_least": 1, "flag": "-k"})
    resamples: int = field(default=1000, metadata={"help": "bootstrap samples; 0 for no intervals", "at_least": 0})
    seed: int = field(default=0, metadata={"help": "of the bootstrap and of sample:N"})
    encoder: str | Encoder | None = field(
        default=None, metadata={"help": "where the index's encoder is found, for queries of another corpus"}
    )

    def __post_init__(self) -> None:
        for name, count in (*(("ks", k) for k in self.ks), ("resamples", self.resamples), ("seed", self.seed)):
            whole_number(name, count)
        if not self.ks or min(self.ks) < 1:
            raise QueryError(f"ks is {list(self.ks)}; give cut-offs of at least 1")
        if self.resamples < 0:
            raise QueryError(f"resamples is {self.resamples}; give 0 or more")

    @classmethod
    def of(cls, options: EvaluateOptions | None, keywords: EvaluateKeywords) -> EvaluateOptions:
        """The options given whole or as keywords; a single cut-off may be a number.

        Raises QueryError for a keyword that is not known or a value that cannot be.
        """
        given: dict[str, Any] = dict(keywords)
        if "ks" in given:
            given["ks"] = as_tuple(given["ks"])
        return whole_or_keywords(cls, options, given, "an evaluation")
