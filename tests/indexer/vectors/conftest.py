"""An index to export from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.listed import figure, index_of

FIGURES = [
    figure("red", (250, 10, 10), "250 10 10", "200 50 50", article_id="P1", metadata={"year": 2001}),
    figure("green", (10, 250, 10), "10 250 10", metadata={"year": 2010}, extra={"note": ["a", 1]}),
    figure("blue", (10, 10, 250), article_id="P1", metadata={"year": 2020}),
    figure("words", None, "10 10 240", "90 90 90", metadata={"year": 2015}, extra={"seen": True}),
    figure("grey", (128, 128, 128), "128 128 128"),
]


@pytest.fixture
def exported_from(tmp_path: Path) -> Path:
    index_of(tmp_path / "from", FIGURES, columns={"year": "int64"}, shard_size=2, thumbnail=16)
    return tmp_path / "from"
