"""Encode the shards of a plan that are missing, however often the run was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrieval.errors import CorpusError, TooManySkipsError
from retrieval.files import sweep
from retrieval.shards.account import first_left_out
from retrieval.shards.plan import CaptionsRead, Plan, ShardRecord, captions_read
from retrieval.shards.tables import read_record
from retrieval.types import Account, Corpus, Progress, Silent, Skip, name_first

REFUSED = ".refused"
"""A file that says that the last run in a folder ended as too many figures were skipped."""
Run = Callable[[list[int]], Generator[ShardRecord, None, None]]
"""Makes the shards of some numbers; their records come as they are done."""


def carry_out(
    folder: Path,
    plan: Plan,
    run: Run,
    *,
    max_skips: float,
    figures: int | None = None,
    workers: int,
    progress: Progress | None = None,
    advance: bool = False,
) -> Summary:
    """Make the shards of a frozen plan that are not there yet. The caller holds the folder's lock.

    At most the share `max_skips` of `figures` (those of the plan, if None) may be skipped. With `advance`, `progress`
    hears of whole shards, as whoever makes them does not tell it of figures.

    Raises TooManySkipsError as soon as the share cannot come down to `max_skips` any more.
    """
    sweep(folder)
    sweep(folder / "shards")
    found = [read_record(folder, split.number) for split in plan.splits]
    records = {record.number: record for record in found if record is not None}
    of = plan.total if figures is None else figures
    if (folder / REFUSED).exists() and _too_many(of, _skips(records.values()), max_skips):
        # what was skipped then may have been mended since
        records = {number: record for number, record in records.items() if not record.skips}
    check_skips(folder, of, _skips(records.values()), max_skips, lambda: first_left_out(folder))
    resumed = len(records)
    progress = progress or Silent()
    progress.start(plan.total, sum(_size(plan, number) for number in records))
    try:
        with closing(run([split.number for split in plan.splits if split.number not in records])) as made:
            for record in made:
                records[record.number] = record
                if advance:
                    progress.advance(_size(plan, record.number))
                check_skips(folder, of, _skips(records.values()), max_skips, lambda: first_left_out(folder))
    except TooManySkipsError:
        (folder / REFUSED).touch()
        raise
    finally:
        progress.finish()
    (folder / REFUSED).unlink(missing_ok=True)
    summary = summarised(plan, [records[split.number] for split in plan.splits], resumed, workers)
    return replace(summary, first_skips=tuple(first_left_out(folder))) if summary.skipped else summary


def is_unfinished(folder: Path) -> bool:
    """Whether nothing depends on the shards of a folder yet: no index was built from them, no step added to them."""
    return not (folder / "index.json").exists() and not (folder / "changes").exists()


def is_refused(folder: Path, plan: Plan) -> bool:
    """Whether the run that a plan was frozen for left nothing that anybody asked to keep: it was refused for what it
    skipped, or kept no figure."""
    if not is_unfinished(folder):
        return False
    found = (read_record(folder, split.number) for split in plan.splits)
    kept = any(record.rows["images"] or record.rows["texts"] for record in found if record is not None)
    return not kept or (folder / REFUSED).exists()


def _size(plan: Plan, number: int) -> int:
    return plan.splits[number].stop - plan.splits[number].start


def _skips(records: Iterable[ShardRecord]) -> Counter[str]:
    return sum((Counter(record.skips) for record in records), Counter())


def check_skips(
    folder: Path, figures: int, skips: Counter[str], max_skips: float, first: Callable[[], Sequence[Skip]]
) -> None:
    """Raises TooManySkipsError where more than the share `max_skips` of so many figures were skipped.

    `first` gives the first of them, to be named.
    """
    if _too_many(figures, skips, max_skips):
        reasons = ", ".join(f"{count} {reason}" for reason, count in skips.most_common(3))
        raise TooManySkipsError(
            f"{folder}: {skips.total()} of {figures} figures cannot be read ({reasons}), more than --max-skips "
            f"{max_skips:g} allows: {name_first(first(), skips.total())}; mend the source and run the same command, or "
            "run it with a larger --max-skips to keep what was encoded"
        )


def _too_many(figures: int, skips: Counter[str], max_skips: float) -> bool:
    return skips.total() / max(1, figures) > max_skips  # divided, as 0.29 * 100 is less than 29


def refuse_inside(corpus: Corpus, source: str | Path | Corpus, folder: Path) -> None:
    """An index in the folder of images that it is made from would be read as figures by the next run."""
    if corpus.kind != "folder" or not isinstance(source, str | Path):
        return
    inside, outer = folder.resolve(), Path(source).resolve()
    if inside.is_relative_to(outer) and not any(part.startswith(".") for part in inside.relative_to(outer).parts):
        raise CorpusError(f"{folder}: lies inside the corpus {source}; choose a folder outside of it for the index")


WAITING = 0.1  # share of its time that the model may wait for figures and still be what limits a run


@dataclass(frozen=True, repr=False)
class Summary:
    """What an encoding run left behind, over all shards. `resumed` shards were there from before.

    `account` says what became of the source's files, `first_skips` names the first figures left out, and `panels` is
    the summary of the panels' index, where one was asked for.
    """

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
    panels: Summary | None = None
    account: Account = field(default_factory=Account)
    first_skips: tuple[Skip, ...] = ()

    def __repr__(self) -> str:
        return (
            f"{self.figures} figures in {self.shards} shards ({self.resumed} from before): "
            f"{self.images} images and {self.captions} captions encoded, "
            f"{self.skipped} figures skipped ({self.skip_share:.1%})"
        )

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
