"""A plan carried out: what is missing of its shards is made, however often the run was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path

from retrieval.errors import CorpusError, TooManySkipsError
from retrieval.files import sweep
from retrieval.plan import Plan, ShardRecord
from retrieval.shards import read_record
from retrieval.summary import Summary, summarised
from retrieval.types import Corpus, Progress, Silent

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
    resumed = len(records)
    of = plan.total if figures is None else figures
    check_skips(folder, of, _skips(records.values()), max_skips)
    progress = progress or Silent()
    progress.start(plan.total, sum(_size(plan, number) for number in records))
    try:
        with closing(run([split.number for split in plan.splits if split.number not in records])) as made:
            for record in made:
                records[record.number] = record
                if advance:
                    progress.advance(_size(plan, record.number))
                check_skips(folder, of, _skips(records.values()), max_skips)
    finally:
        progress.finish()
    return summarised(plan, [records[split.number] for split in plan.splits], resumed, workers)


def _size(plan: Plan, number: int) -> int:
    return plan.splits[number].stop - plan.splits[number].start


def _skips(records: Iterable[ShardRecord]) -> Counter[str]:
    return sum((Counter(record.skips) for record in records), Counter())


def check_skips(folder: Path, figures: int, skips: Counter[str], max_skips: float) -> None:
    """Raises TooManySkipsError where more than the share `max_skips` of so many figures were skipped."""
    if skips.total() / max(1, figures) > max_skips:  # divided, as 0.29 * 100 is less than 29
        reasons = ", ".join(f"{count} {reason}" for reason, count in skips.most_common(3))
        raise TooManySkipsError(
            f"{folder}: {skips.total()} of {figures} figures cannot be read ({reasons}), more than --max-skips "
            f"{max_skips:g} allows; mend the source, or run again with a larger --max-skips to keep what was encoded"
        )


def refuse_inside(corpus: Corpus, source: str | Path | Corpus, folder: Path) -> None:
    """An index in the folder of images that it is made from would be read as figures by the next run."""
    if corpus.kind != "folder" or not isinstance(source, str | Path):
        return
    inside, outer = folder.resolve(), Path(source).resolve()
    if inside.is_relative_to(outer) and not any(part.startswith(".") for part in inside.relative_to(outer).parts):
        raise CorpusError(f"{folder}: lies inside the corpus {source}; choose a folder outside of it for the index")
