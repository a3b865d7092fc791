"""Articles in JATS, as PubMed Central and preprint servers give them out: every figure with its caption."""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from retrieval.corpora.jats.article_files import ArticleFiles
from retrieval.corpora.jats.article_items import COLUMNS, ArticleSource, items_of
from retrieval.corpora.jats.article_listing import ArticleEntry, entries_at, identified, newest
from retrieval.corpora.jats.detect_articles import located
from retrieval.corpora.jats.elements import Unreadable, articles_in
from retrieval.corpora.jats.open_package import open_package
from retrieval.corpora.jats.packages import Package
from retrieval.corpora.naming import cut_evenly, join_path, printable
from retrieval.errors import CorpusError
from retrieval.types import Figure, Skip, Split

CHANGED = "article has changed"


class JatsCorpus:
    """The figures of the articles at `paths`: folders, archives and XML files below `root`.

    Ids are "PMC123/F1": the article's PMC id (else its DOI, else the name of its folder or file) and the id of the
    figure in the XML (else its position in the article); further images of one figure are "PMC123/F1/2". Of several
    versions and copies of an article the newest is read; `superseded` counts the others. An article that cannot be read
    is one Skip, and so is a break in an archive. `mentions` adds the paragraphs that point to a figure to its `extra`.
    """

    kind = "jats"
    columns: Mapping[str, str] = COLUMNS

    def __init__(self, root: Path, paths: Sequence[Path], *, mentions: bool = False) -> None:
        self._root = root
        self._mentions = mentions
        digest = hashlib.sha256(f"{self.kind}, mentions {mentions}\n".encode())
        files = ArticleFiles()
        found = [
            entry
            for location in dict.fromkeys(located(root, paths))
            for entry in entries_at(root, location, digest, files)
        ]
        kept = newest(found)
        self.superseded = len(found) - len(kept)
        self.account = files.account(root, paths, _superseded(found, kept))
        self.fingerprint = digest.hexdigest()
        self._entries = [entry for entry in kept if entry.count]
        self._ends = list(itertools.accumulate(entry.count for entry in self._entries))
        if all(entry.reason for entry in self._entries):
            why = min((f" ({entry.reason})" for entry in self._entries if entry.reason), default="")
            raise CorpusError(
                f"{root}: no article here has figures{why}; give JATS articles with figures", self.account
            )

    def split(self, size: int) -> list[Split]:
        return cut_evenly(self._ends[-1], size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        for location, wanted in itertools.groupby(self._wanted(split), key=lambda item: item[0].location):
            try:
                with open_package(self._root, location) as contents:
                    for entry, start, stop in wanted:
                        yield from self._items(contents.packages.get(entry.folder), entry, start, stop)
            except OSError as error:
                raise CorpusError(
                    f"{self._root / location}: cannot be read any more ({error.strerror}); restore it"
                ) from None

    def _wanted(self, split: Split) -> Iterator[tuple[ArticleEntry, int, int]]:
        """The articles of a split, each with the range of its figures that the split has."""
        for at in range(bisect_right(self._ends, split.start), len(self._entries)):
            entry = self._entries[at]
            begin = self._ends[at] - entry.count
            if begin >= split.stop:
                return
            yield entry, max(split.start - begin, 0), min(split.stop - begin, entry.count)

    def _items(self, package: Package | None, entry: ArticleEntry, start: int, stop: int) -> Iterator[Figure | Skip]:
        number = start
        if entry.reason is None and package is not None:
            for item in self._figures(package, entry, start, stop):
                yield item
                number += 1
        place = printable(join_path(entry.location, entry.folder, entry.name))
        for missing in range(number, stop):
            name = entry.article_id if entry.reason else f"{entry.article_id}/{missing + 1}"
            yield Skip(name, place, entry.reason or CHANGED)

    def _figures(self, package: Package, entry: ArticleEntry, start: int, stop: int) -> Iterator[Figure | Skip]:
        try:
            article = articles_in(package.read(entry.name))[entry.number]
        except (Unreadable, LookupError):
            return
        said = identified(package, entry.name, article)
        source = ArticleSource(entry.article_id, article, said, package, entry.name)
        yield from items_of(source, start, stop, mentions=self._mentions)


def _superseded(found: Sequence[ArticleEntry], kept: Sequence[ArticleEntry]) -> dict[str, bool]:
    """Which files of articles, and which folders and archives of nothing but such, are of older versions and copies."""
    said: dict[str, bool] = {}
    for entries, superseded in ((found, True), (kept, False)):
        for entry in entries:
            said[entry.location] = said[join_path(entry.location, entry.folder, entry.name)] = superseded
    return said
