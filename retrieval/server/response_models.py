"""The shapes of the answers, for whoever reads the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from retrieval.types import Modality


class Problem(TypedDict):
    """One sentence that names the thing and the way out."""

    error: str


class IndexModel(TypedDict):
    name: str
    figures: int
    images: int
    captions: int
    articles: int | None
    encoder: str
    dim: int
    targets: list[Modality]
    modes: list[Literal["dense", "lexical", "hybrid"]]
    columns: dict[str, str]
    built_at: str | None
    digest: str
    originals: bool
    panels: bool
    max_k: int


class VectorsModel(TypedDict):
    """What index.json says: FAISS's factory and search parameters, and the recall measured with them."""

    rows: int
    factory: str
    parameters: dict[str, Any]
    recall: dict[str, Any] | None


class IndexDetails(IndexModel):
    modalities: dict[Modality, VectorsModel]


class FigureModel(TypedDict):
    """`thumbnail` and `original` are places on this server, `link` the article's page elsewhere."""

    figure_id: str
    modality: Modality
    caption: str
    captions: list[str]
    article_id: str | None
    source_uri: str
    width: int | None
    height: int | None
    metadata: dict[str, Any]
    attribution: str
    thumbnail: str | None
    original: str | None
    link: str | None


class HitModel(FigureModel):
    """`score` is a cosine, in mode lexical BM25's, in mode hybrid the fused one; `percentile` the share of the index,
    0 to 100, whose cosine is below this one's for the same query."""

    rank: int
    score: float
    percentile: float | None
    panel: str | None


class Milliseconds(TypedDict):
    """Of one search. Encoding, searching and looking up are those of the batch that it was part of."""

    decode: float
    encode: float
    search: float
    look_up: float
    total: float


class AnswerModel(TypedDict):
    """`query_cut`: the query was longer than the encoder reads, and its end was not asked. `nearest`: where there are
    no hits, the values that the clauses ask for in vain, and those nearest to them."""

    index: str
    digest: str
    target: Modality
    mode: Literal["dense", "lexical", "hybrid"]
    query_cut: bool
    nearest: str
    milliseconds: Milliseconds
    hits: list[HitModel]


class AnswersModel(TypedDict):
    answers: list[AnswerModel]


class Classified(TypedDict):
    index: str
    digest: str
    probs: dict[str, float]


class TableRow(TypedDict):
    probs: list[float]
    labels: list[str]


Bin = TypedDict("Bin", {"from": float, "to": float, "count": int})
"""How many values are at least `from` and less than `to`; the last bin of fractions holds its `to` as well."""


class Value(TypedDict):
    value: str | bool | float
    count: int


class Facet(TypedDict, total=False):
    type: str
    missing: int
    distinct: int
    values: list[Value]
    min: float | None
    max: float | None
    histogram: list[Bin]


Facets = dict[str, Facet]
