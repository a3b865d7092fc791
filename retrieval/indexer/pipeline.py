"""Encodes shards: the model computes while the next figures are prepared and the last shard is written."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from retrieval.indexer.loader import prepared_ahead
from retrieval.indexer.shard_writer import Draft
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.reuse import Reusable
from retrieval.types import Corpus, Encoder, Progress


class EncodeTask:
    """Encodes shards by their numbers. What it writes follows from the plan, whoever runs it and when.

    What `reusable` holds is neither decoded nor encoded.

    Threads, not processes: Pillow, torch and pyarrow let go of Python's lock while they work. The model is asked from
    the calling thread alone.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        corpus: Corpus,
        encoder: Encoder,
        batch_size: int,
        workers: int,
        progress: Progress,
        reusable: Reusable | None = None,
    ) -> None:
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        self.folder, self.plan, self.corpus, self.encoder = folder, plan, corpus, encoder
        self.batch_size, self.workers, self.progress = batch_size, workers, progress
        self.reusable = reusable

    def run(self, numbers: Iterable[int]) -> Iterator[ShardRecord]:
        """Shards one after another, their stages overlapping (a task of executors.py)."""
        with ThreadPoolExecutor(1) as writer, closing(self._encoded(numbers)) as drafts:
            writing: Future[ShardRecord] | None = None  # one at a time, so that at most two shards' rows are in memory
            for draft in drafts:
                if writing is not None:
                    yield writing.result()
                writing = writer.submit(draft.commit, self.folder)
            if writing is not None:
                yield writing.result()

    def _encoded(self, numbers: Iterable[int]) -> Generator[Draft, None, None]:
        items = prepared_ahead(
            numbers,
            self.plan,
            self.corpus,
            self.encoder,
            workers=self.workers,
            ahead=2 * self.batch_size,
            known=self.reusable.images if self.reusable else (),
        )
        with closing(items):
            draft: Draft | None = None
            begun = time.perf_counter()
            for shard, item in items:
                shard.clock.seconds["wait"] += time.perf_counter() - begun
                draft = draft or Draft(shard, self.plan, self.encoder, self.batch_size, self.reusable)
                if item is not None:
                    self.progress.advance(1)
                    draft.add(item)
                else:
                    draft.finish()
                    yield draft
                    draft = None
                begun = time.perf_counter()
