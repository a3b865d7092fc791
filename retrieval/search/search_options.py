"""How the answers to a query should be: written once for Python, the command line and HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from retrieval.errors import QueryError
from retrieval.keywords import whole_number, whole_or_keywords
from retrieval.types import MODALITY_OF, Modality

if TYPE_CHECKING:
    from retrieval.shards.filters import Filter, Where

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = get_args(Mode)


class SearchKeywords(TypedDict, total=False):
    """The fields of SearchOptions as keyword arguments, in the words that people use."""

    target: str | None
    k: int
    where: Where
    mode: Mode
    per_article: int | None
    unique: bool
    per_figure: bool
    min_percentile: float | None
    panels: bool


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How many hits of which modality, and which rows count as one. Rows left out make room for the next ones."""

    target: Modality | None = field(
        default=None,
        metadata={
            "help": "what to find (default: images for words, figures and vectors, captions for an image)",
            "flag": "--for",
        },
    )
    k: int = field(default=10, metadata={"help": "hits a query", "at_least": 1})
    where: tuple[str | Filter, ...] = field(
        default=(),
        metadata={
            "help": "only rows where e.g. year>=2018 AND licence IN (CC0, CC-BY); all clauses hold",
            "metavar": "CLAUSE",
        },
    )
    mode: Mode = field(
        default="dense",
        metadata={"help": "rank by meaning, by the words of captions (BM25), or by both", "choices": MODES},
    )
    per_article: int | None = field(
        default=None, metadata={"help": "at most so many hits of one article", "at_least": 1, "metavar": "N"}
    )
    unique: bool = field(
        default=False, metadata={"help": "each figure, image file, caption and near-equal picture once"}
    )
    per_figure: bool = field(default=False, metadata={"help": "the best row of each figure only"})
    min_percentile: float | None = field(
        default=None,
        metadata={
            "help": "only hits that are nearer than this percentage of the index, e.g. 99; there may be fewer than k",
            "metavar": "P",
        },
    )
    panels: bool = field(
        default=False,
        metadata={
            "help": "find figures by their panels too, in an index made with --panels; for queries about one panel"
        },
    )

    def __post_init__(self) -> None:
        for name in ("k", "per_article"):
            if (value := getattr(self, name)) is None and name == "per_article":
                continue
            object.__setattr__(self, name, whole_number(name, value))  # FAISS takes no integer of NumPy's
            if value < 1:
                raise QueryError(f"{name} is {value}; ask for at least 1")
        share = self.min_percentile
        if share is not None and not (isinstance(share, Real) and 0 <= share <= 100):
            raise QueryError(f"min_percentile is {share}; give one from 0 to 100")
        if self.mode not in MODES:
            raise QueryError(f"{self.mode}: no such mode; ask for {', '.join(MODES)}")
        if self.mode == "lexical" and self.min_percentile is not None:
            raise QueryError("percentiles are of cosines, which mode lexical does not compute; ask in another mode")
        if self.panels and (self.mode != "dense" or self.unique):
            raise QueryError("panels are ranked by cosine, and figures are hits once; leave mode and unique out")

    @classmethod
    def of(cls, options: SearchOptions | None, keywords: SearchKeywords) -> SearchOptions:
        """The options given whole or as keywords; `where` may be one condition, and a target any word for it.

        Raises QueryError for a keyword that is not known or a value that cannot be.
        """
        given: dict[str, Any] = dict(keywords)
        if "where" in given:
            from retrieval.shards.filters import as_clauses

            given["where"] = as_clauses(given["where"])
        if given.get("target") is not None:
            if not isinstance(given["target"], str) or given["target"] not in MODALITY_OF:
                raise QueryError(f"{given['target']}: no such target; ask for image or text")
            given["target"] = MODALITY_OF[given["target"]]
        return whole_or_keywords(cls, options, given, "a search")

    @property
    def groups(self) -> bool:
        """Whether rows that another one stands for are left out."""
        return self.per_article is not None or self.unique or self.per_figure


def help_of(options: type[Any], name: str) -> str:
    """What an options dataclass says of one of its fields."""
    return str(next(one.metadata["help"] for one in fields(options) if one.name == name))
