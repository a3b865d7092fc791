"""The panels of compound figures: a corpus of their own, and figures found by them."""

from __future__ import annotations

import io
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrieval.corpora.panels.panels_corpus import PanelsCorpus, parts_of
from retrieval.errors import QueryError
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.search.searcher import Searcher
from retrieval.types import Figure
from tests.corpora.panels.sheets import SIDE, ListedCorpus, compound, corpus, sheet
from tests.doubles import COLOURS, ColourEncoder


def test_panels_and_sub_captions_that_belong_to_each_other_are_one_part() -> None:
    parts = list(parts_of(compound("f", "red", "blue")))
    assert [part.figure_id for part in parts] == ["f#A", "f#B"]
    assert [part.captions for part in parts] == [
        ("Squares. a red square seen from above.",),
        ("Squares. a blue square seen from above.",),
    ]
    assert [part.metadata for part in parts] == [
        {"year": 2000, "panel_of": "f", "panel": panel} for panel in ("A", "B")
    ]
    assert {part.article_id for part in parts} == {"article-f"}
    for part, colour in zip(parts, ("red", "blue"), strict=True):
        assert part.image is not None
        image = Image.open(io.BytesIO(part.image))
        assert np.abs(np.asarray(image).mean((0, 1)) - (np.array(COLOURS[colour]) * 0.8 + 20)).max() < 20
        assert abs(image.width - SIDE) <= 2
    assert parts[1].uri.startswith("f.png#xywh=")
    left, top, width, height = map(int, parts[1].uri.partition("=")[2].split(","))
    assert abs(left - SIDE - 12) <= 2
    assert (abs(top) <= 2, abs(width - SIDE) <= 2, abs(height - SIDE) <= 2) == (True, True, True)


def test_parts_that_do_not_match_stand_alone() -> None:
    three = Figure(
        "f", sheet("red", "blue", "green"), ("S. (A) a red square is seen. (B) a blue square is seen.",), "u"
    )
    parts = list(parts_of(three))
    assert [(part.figure_id, part.image is not None, len(part.captions)) for part in parts] == [
        *((f"f#panel {n}", True, 0) for n in (1, 2, 3)),
        ("f#A", False, 1),
        ("f#B", False, 1),
    ]


@pytest.mark.parametrize("image", [None, b"", b"no image", sheet("red")])
def test_a_figure_that_does_not_fall_apart_has_no_parts(image: bytes | None) -> None:
    assert list(parts_of(Figure("f", image, ("a red square", ""), "u"))) == []


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_splits_hold_every_part_once_and_are_always_the_same(size: int) -> None:
    expected = [f"a1#{p}" for p in "AB"] + [f"b1#{p}" for p in "ABC"]
    parts = PanelsCorpus(corpus())
    for one in (parts, pickle.loads(pickle.dumps(parts)), PanelsCorpus(corpus())):
        splits = one.split(size)
        read = [list(one.read(split)) for split in splits]
        assert [len(items) for items in read] == [split.stop - split.start for split in splits]
        assert [part.figure_id for part in itertools.chain(*read)] == expected
        assert one.fingerprint == parts.fingerprint
    assert parts.figures == {"a1", "a2", "b1", "b2"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panels") / "index"
    for source, out in ((corpus(), folder), (PanelsCorpus(corpus()), folder / "panels")):
        encode(source, out, ColourEncoder(), shard_size=2)
        build(out)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("target", ["images", "captions"])
@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize("text", ["cyan", "blue", "a red and green thing", "magenta yellow"])
@pytest.mark.parametrize("where", [[], ["year>=2005"]])
def test_a_figure_scores_as_the_best_of_itself_and_its_panels(
    index: Path, text: str, k: int, target: str, where: list[str]
) -> None:
    searcher = Searcher(index, ColourEncoder())
    whole = searcher.search(text, target=target, k=100, where=where)  # type: ignore[arg-type]
    parts = Searcher(index / "panels", ColourEncoder()).search(text, target=target, k=100, where=where)  # type: ignore[arg-type]
    best: dict[str, float] = {}
    for figure, score in [(hit.figure_id, hit.score) for hit in whole] + [
        (hit.metadata["panel_of"], hit.score) for hit in parts
    ]:
        best[figure] = max(score, best.get(figure, -1.0))
    expected = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
    found = searcher.search(text, target=target, k=k, where=where, panels=True)  # type: ignore[arg-type]
    assert [hit.figure_id for hit in found] == [figure for figure, _ in expected]
    assert [hit.score for hit in found] == pytest.approx([score for _, score in expected], abs=1e-6)
    assert [hit.rank for hit in found] == list(range(1, len(found) + 1))


def test_a_hit_by_a_panel_says_which_and_shows_its_figure(index: Path) -> None:
    searcher = Searcher(index, ColourEncoder())
    hit = searcher.search("magenta", panels=True)[0]
    assert (hit.figure_id, hit.panel, hit.source_uri, hit.modality) == ("b1", "C", "b1.png", "image")
    assert hit.metadata == {"year": 2010}
    hit = searcher.search("magenta", target="text", panels=True)[0]
    assert (hit.caption, hit.panel) == ("Squares. a magenta square seen from above.", "C")
    assert hit.captions == compound("b1", "yellow", "cyan", "magenta").captions
    assert searcher.search("green", panels=True)[0].panel is None  # the whole is the best of it


def test_groups_and_thresholds_hold_by_panels_too(index: Path) -> None:
    searcher = Searcher(index, ColourEncoder())
    hits = searcher.search("blue", panels=True, per_article=1, k=4)
    assert len(hits) == 2
    assert {hit.article_id for hit in hits} == {"article-a", "article-b"}
    assert all((hit.percentile or 0) >= 60 for hit in searcher.search("blue", panels=True, min_percentile=60))


def test_a_figure_asking_by_its_panels_does_not_find_itself(index: Path) -> None:
    hits = Searcher(index, ColourEncoder()).search(figure="a1", panels=True, k=10)
    assert {hit.figure_id for hit in hits} == {"a2", "b1", "b2"}


def test_what_cannot_be_asked_by_panels_is_said(index: Path) -> None:
    with pytest.raises(QueryError, match="leave mode and unique out"):
        Searcher(index, ColourEncoder()).search("red", panels=True, mode="hybrid")
    with pytest.raises(QueryError, match="made without panels; run retrieval index --panels"):
        Searcher(index / "panels", ColourEncoder()).search("red", panels=True)


def test_a_corpus_without_compound_figures_has_no_parts(tmp_path: Path) -> None:
    parts = PanelsCorpus(ListedCorpus(compound("a", "red")))
    assert parts.split(10) == []
    assert encode(parts, tmp_path, ColourEncoder()).figures == 0
