"""A corpus whose ids begin with a prefix, so that they are none of another corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from retrieval.corpora.listing import account_of
from retrieval.files import sha256_json
from retrieval.types import Account, Corpus, Figure, Skip, Split


class PrefixedCorpus:
    """The figures of `corpus` with `prefix` before their ids; all else is as it was."""

    def __init__(self, corpus: Corpus, prefix: str) -> None:
        self.corpus = corpus
        self._prefix = prefix
        self.kind: str = corpus.kind
        self.fingerprint = sha256_json(["prefixed", prefix, corpus.fingerprint])

    @property
    def columns(self) -> Mapping[str, str]:
        """Those of the corpus."""
        return self.corpus.columns

    @property
    def account(self) -> Account:
        """What became of the files of the corpus."""
        return account_of(self.corpus)

    def split(self, size: int) -> list[Split]:
        """The splits of the corpus."""
        return self.corpus.split(size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        """The figures of one split by their longer ids."""
        for item in self.corpus.read(split):
            yield replace(item, figure_id=self._prefix + item.figure_id)
