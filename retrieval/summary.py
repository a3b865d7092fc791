"""What an encoding run left behind and what it waited for, added up from the records of its shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from retrieval.plan import CaptionsRead, Plan, ShardRecord, captions_read

WAITING = 0.1  # share of its time that the model may wait for figures and still be what limits a run


@dataclass(frozen=True)
class Summary:
    """What an encoding run left behind, over all shards. `resumed` shards were there from before."""

    figures: int
    images: int
    captions: int
    without_caption: int
    long_captions: CaptionsRead
    skips: Counter[str]
    notes: Counter[str]
    repeated: Counter[str]
    shards: int
    resumed: int
    workers: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        return self.skips.total()

    @property
    def skip_share(self) -> float:
        return self.skipped / max(1, self.figures)

    @property
    def limit(self) -> str:
        """What the run waited for: encode where the model was busy most of the time, else the slowest before it."""
        seconds = Counter(self.seconds)
        if seconds["wait"] <= WAITING * (seconds["wait"] + seconds["encode"]):
            return "encode"
        alone = {"prepare": seconds["prepare"] / self.workers, "read": seconds["read"] + seconds["tokenize"]}
        slowest = max(alone, key=alone.__getitem__)
        return "tokenize" if slowest == "read" and seconds["tokenize"] > seconds["read"] else slowest


def summarised(plan: Plan, records: Sequence[ShardRecord], resumed: int, workers: int) -> Summary:
    """Of all records of a plan; `resumed` of them were there before, `workers` threads decoded for the others."""

    def total(name: str) -> Counter[str]:
        return sum((Counter(getattr(record, name)) for record in records), Counter())

    rows = total("rows")
    return Summary(
        figures=plan.total,
        images=rows["images"],
        captions=rows["texts"],
        without_caption=sum(record.without_caption for record in records),
        long_captions=captions_read(plan, records),
        skips=total("skips"),
        notes=total("notes"),
        repeated=total("repeated"),
        shards=len(records),
        resumed=resumed,
        workers=workers,
        seconds={stage: round(seconds, 3) for stage, seconds in total("seconds").items()},
    )
