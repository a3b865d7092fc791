"""Compound figures found by their panels, where an index has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from retrieval.corpora.panels.panels_corpus import PanelsCorpus
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from tests.corpora.panels.sheets import corpus
from tests.doubles import ColourEncoder
from tests.server.page.conftest import Reader, serving


@pytest.fixture(scope="module")
def sheets(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("sheets")
    whole, plain = folder / "whole", folder / "plain"
    for source, out in ((corpus(), whole), (PanelsCorpus(corpus()), whole / "panels"), (corpus(), plain)):
        encode(source, out, ColourEncoder(), shard_size=2)
        build(out)
    with serving({"sheets": whole, "plain": plain}, ColourEncoder()) as place:
        yield place


def test_a_figure_is_found_by_its_panel_and_says_which(reader_on: Callable[..., Reader], sheets: str) -> None:
    reader = reader_on(at=sheets)
    reader.visit("?index=sheets&text=magenta")
    reader.settle()
    reader.page.click("#refine-button")
    assert reader.sent(lambda: reader.page.check("text=Look inside compound figures"))["panels"] is True
    reader.settle()
    assert reader.query["panels"] == ["true"]
    assert reader.ids[0] == "b1"
    assert "panel C" in reader.page.locator(".card .meta").first.inner_text()
    assert reader.page.locator("#refine-button .badge").inner_text() == "1"
    reader.page.locator(".card .open").first.click()
    assert "panel" in reader.page.locator("#viewer dl").inner_text()


def test_panels_are_not_asked_for_where_they_cannot_be_had(reader_on: Callable[..., Reader], sheets: str) -> None:
    reader = reader_on(at=sheets)
    reader.visit("?index=plain&text=magenta&panels=true")
    reader.settle()
    assert reader.ids
    reader.page.click("#refine-button")
    assert reader.page.locator("#panels").is_hidden()
    reader.visit("?index=sheets&text=magenta&panels=true&unique=true")
    reader.settle()
    assert reader.ids
    reader.page.click("#refine-button")
    assert reader.page.locator("#panels").is_disabled()
