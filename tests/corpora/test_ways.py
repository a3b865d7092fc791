"""Every way in which people keep figures with captions is read whole or refused in known words, as the table in
docs/corpora.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure, Skip
from tests.corpora import ways
from tests.corpora.reading import everything
from tests.corpora.ways import articles, columnar, folders, tables, tars

WAYS = [*folders.WAYS, *tables.WAYS, *articles.WAYS, *columnar.WAYS, *tars.WAYS]
DOCUMENT = Path(__file__).parents[2] / "docs" / "corpora.md"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_is_read_whole_or_refused_in_known_words(tmp_path: Path, way: ways.Way) -> None:
    for name, content in way.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = tmp_path / way.source
    if way.refusal:
        with pytest.raises(CorpusError, match=way.refusal):
            everything(open_corpus(source, **way.options))
        return
    corpus = open_corpus(source, **way.options)
    items = everything(corpus)
    assert {item.uri: item.reason for item in items if isinstance(item, Skip)} == way.skips
    number = {data: n for n, data in enumerate(ways.PICTURES)}
    found = [
        (None if item.image is None else number[item.image], item.captions)
        for item in items
        if isinstance(item, Figure)
    ]
    assert sorted(found, key=str) == sorted(way.pairs, key=str)
    if source.is_dir() and (account := getattr(corpus, "account", None)):
        assert account.files == sum(account.read.values()) + len(account.unread) == len(way.files)
        assert {skip.uri: skip.reason for skip in account.unread} == way.unread


def test_every_way_has_its_row_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [way.name for way in WAYS if f"| {way.name} |" not in text] == []
    assert len({way.name for way in WAYS}) == len(WAYS)
