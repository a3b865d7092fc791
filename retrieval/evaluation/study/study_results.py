"""What a study of an index found, as values: every number of the page, and of its JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from retrieval.evaluation.bootstrap import Estimate, PairedDifference
from retrieval.evaluation.evaluate import Direction
from retrieval.evaluation.report import Report
from retrieval.types import Hit


@dataclass(frozen=True)
class Curve:
    """hit_rate@k for each of `ks`, and what an order by chance would reach."""

    ks: list[int]
    hit_rates: list[Estimate]
    chance: list[float]


@dataclass(frozen=True)
class Histogram:
    """How many queries have their best answer at a rank from `first[i]` to just before `first[i + 1]`.

    `first` doubles from bin to bin and is one longer than `queries`. `chance` are the queries that an order by chance
    would put there.
    """

    first: list[int]
    queries: list[int]
    chance: list[float]
    median: float


@dataclass(frozen=True)
class Stratum:
    """The queries whose figure has one value, or some, in a column."""

    name: str
    hit_rates: dict[Direction, Estimate]


@dataclass(frozen=True)
class ByColumn:
    """hit_rate@k of both directions, stratum by stratum."""

    column: str
    k: int
    overall: dict[Direction, Estimate]
    strata: list[Stratum]


@dataclass(frozen=True)
class Paired:
    """One direction of two indexes on the queries that both hold, and the first's measures minus the second's."""

    queries: int
    only_first: int
    only_second: int
    galleries: tuple[int, int]
    first: dict[str, Estimate]
    second: dict[str, Estimate]
    differences: dict[str, PairedDifference]


@dataclass(frozen=True)
class IndexComparison:
    """Another index that was asked the same, its own report and curves, and what is paired with the first."""

    report: Report
    curves: dict[Direction, Curve]
    paired: dict[Direction, Paired]


@dataclass(frozen=True)
class Example:
    """A query, where its best answer stands, and the first hits.

    `margin` is the cosine of the best answer minus that of the best other row. `asked` is the figure of the query
    (its rank and score mean nothing), `answer` the best relevant row; `relevant` says which of the `hits` answer.
    """

    direction: Direction
    rank: int
    margin: float
    asked: Hit
    answer: Hit
    hits: tuple[Hit, ...]
    relevant: tuple[bool, ...]

    def to_json(self) -> dict[str, Any]:
        hits = [_hit_json(hit) | {"rank": hit.rank, "score": hit.score} for hit in (self.answer, *self.hits)]
        return {
            "direction": self.direction,
            "rank": self.rank,
            "margin": self.margin,
            "asked": _hit_json(self.asked),
            "answer": hits[0],
            "hits": [hit | {"relevant": each} for hit, each in zip(hits[1:], self.relevant, strict=True)],
        }


@dataclass(frozen=True)
class Examples:
    """The clearest of the queries that found their own first, among `looked_at` of them, and the worst of all."""

    looked_at: dict[Direction, int]
    best: list[Example]
    worst: list[Example]


@dataclass(frozen=True, repr=False)
class Study:
    """A report, with what stands behind its numbers; prints as the report. `examples` is None where none were asked."""

    report: Report
    seed: int
    curves: dict[Direction, Curve] = field(default_factory=dict)
    histograms: dict[Direction, Histogram] = field(default_factory=dict)
    strata: list[ByColumn] = field(default_factory=list)
    against: list[IndexComparison] = field(default_factory=list)
    examples: Examples | None = None

    def to_json(self) -> dict[str, Any]:
        """What the plain report says, under the same keys, and the rest beside it; figures by id, without pictures."""
        more = {
            name: _plain_json(getattr(self, name)) for name in ("seed", "curves", "histograms", "strata", "against")
        }
        examples = self.examples
        if examples is not None:
            more["examples"] = {
                "looked_at": examples.looked_at,
                "best": [example.to_json() for example in examples.best],
                "worst": [example.to_json() for example in examples.worst],
            }
        return self.report.to_json() | more

    def __repr__(self) -> str:
        more = [f"strata of {each.column}" for each in self.strata]
        more += [f"compared with {other.report.index}" for other in self.against]
        return "\n".join([repr(self.report), *more])


def _plain_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_json(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain_json(each) for key, each in value.items()}
    return value if isinstance(value, int) else asdict(value)


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {"figure_id": hit.figure_id, "caption": hit.caption}
