"""Reading a whole corpus in tests."""

from __future__ import annotations

from retrieval.types import Corpus, Figure, Skip


def everything(corpus: Corpus, size: int = 1000) -> list[Figure | Skip]:
    return [item for split in corpus.split(size) for item in corpus.read(split)]


def figures(corpus: Corpus) -> dict[str, Figure]:
    """By id; fails where something was skipped or an id comes twice."""
    items = everything(corpus)
    assert [item for item in items if isinstance(item, Skip)] == []
    found = {item.figure_id: item for item in items if isinstance(item, Figure)}
    assert len(found) == len(items)
    return found


def captions(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    return {figure_id: figure.captions for figure_id, figure in figures(corpus).items()}


def skips(corpus: Corpus) -> dict[str, str]:
    """The reasons of what was skipped, by where it was found."""
    return {item.uri: item.reason for item in everything(corpus) if isinstance(item, Skip)}
