"""The demo collection on disk: readable, whole or not at all, the same bytes again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from retrieval.demo import collection
from retrieval.demo.collection import draw_collection
from retrieval.demo.figure import draw_figure
from retrieval.errors import CorpusError

pytestmark = pytest.mark.slow  # all look at one collection, whose drawing takes seconds

COUNT = 60


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    draw_collection(folder, COUNT, seed=1)
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_each_line_describes_one_image_that_opens(folder: Path, rows: list[dict[str, Any]]) -> None:
    assert len(rows) == COUNT
    assert len({row["figure_id"] for row in rows}) == COUNT
    assert {row["image"] for row in rows} == {f"images/{path.name}" for path in (folder / "images").iterdir()}
    for number, row in enumerate(rows):
        drawn = draw_figure(number, seed=1)
        with Image.open(folder / row["image"]) as image:
            image.load()
            assert image.size == drawn.image.size
            assert image.mode in {"RGB", "P", "RGBA", "L"}
        said = row["caption"] if isinstance(row["caption"], list) else [row["caption"]]
        assert tuple(said) == drawn.captions
        assert row["kind"] == drawn.kind
        assert row["split"] == ("heldout" if drawn.heldout else "train")


def test_rows_have_the_same_columns_of_the_same_types(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert list(row) == list(rows[0])
        assert isinstance(row["panels"], int)
        assert all(isinstance(row[name], str) for name in ("figure_id", "article_id", "kind", "modality", "colour"))


def test_articles_have_one_to_four_neighbouring_figures(rows: list[dict[str, Any]]) -> None:
    articles = [row["article_id"] for row in rows]
    assert articles == sorted(articles)
    sizes = [articles.count(article) for article in dict.fromkeys(articles)]
    assert set(sizes) == {1, 2, 3, 4}


def test_a_collection_exercises_decoders_with_jpeg_palette_alpha_and_grey(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    drawn, seen = draw_figure(0), set()
    for number in range(150):
        name = collection.write_image(drawn, tmp_path, number, collection.stream(0, number, collection.STORE))
        with Image.open(tmp_path / name) as image:
            seen.add((image.format, image.mode))
        (tmp_path / name).unlink()
    assert seen >= {("PNG", "RGB"), ("JPEG", "RGB"), ("PNG", "P"), ("PNG", "RGBA")}
    grey = next(d for d in map(draw_figure, range(100)) if d.kind == "head CT")
    assert collection.is_grey(grey.image)


def test_transparent_paper_shows_the_drawn_figure_again_on_white() -> None:
    drawn = next(d for d in map(draw_figure, range(100)) if d.kind == "bar chart")
    clear = collection.without_paper(drawn.image)
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0)
    white = Image.new("RGBA", clear.size, "white")
    assert Image.alpha_composite(white, clear).convert("RGB").tobytes() == drawn.image.tobytes()


def test_drawing_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    before = digests(folder)
    draw_collection(folder, COUNT, seed=1)
    assert digests(folder) == before
    draw_collection(tmp_path, COUNT, seed=1)
    assert digests(tmp_path) == before


def test_a_longer_collection_begins_with_the_shorter_one(tmp_path: Path) -> None:
    draw_collection(tmp_path / "short", 6)
    draw_collection(tmp_path / "long", 9)
    short = (tmp_path / "short" / "captions.jsonl").read_text(encoding="utf-8")
    assert (tmp_path / "long" / "captions.jsonl").read_text(encoding="utf-8").startswith(short)


def test_a_killed_run_leaves_no_captions_and_the_next_one_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_collection(tmp_path / "whole", 8)
    draw_collection(tmp_path / "killed", 12, seed=5)
    real = collection.draw_figure

    def dies(number: int, seed: int = 0) -> Any:
        if number == 4:
            raise KeyboardInterrupt
        return real(number, seed)

    monkeypatch.setattr(collection, "draw_figure", dies)
    with pytest.raises(KeyboardInterrupt):
        draw_collection(tmp_path / "killed", 8)
    assert not (tmp_path / "killed" / "captions.jsonl").exists()
    monkeypatch.undo()
    draw_collection(tmp_path / "killed", 8)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-3, 0), (5, -1)])
def test_an_impossible_count_or_seed_is_refused_before_anything_is_written(
    tmp_path: Path, count: int, seed: int
) -> None:
    with pytest.raises(CorpusError, match="count from 1 and a seed from 0"):
        draw_collection(tmp_path / "demo", count, seed)
    assert not (tmp_path / "demo").exists()


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.png").write_bytes(b"mine")
    draw_collection(tmp_path, 2)
    assert (tmp_path / "images" / "mine.png").read_bytes() == b"mine"
