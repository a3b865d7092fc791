"""--panels as a user meets it: indexed, asked, changed and checked with the index of their figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.cli import main
from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.shards.reader import Shards
from tests.corpora.panels.sheets import compound
from tests.doubles import COLOUR_ENCODER


def put(folder: Path, name: str, *colours: str) -> None:
    figure = compound(name, *colours)
    assert figure.image is not None
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").write_bytes(figure.image)
    (folder / f"{name}.txt").write_text(figure.captions[0])


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    put(tmp_path / "source", "a", "red", "blue")
    put(tmp_path / "source", "b", "green")
    put(tmp_path / "source", "c", "yellow", "cyan", "magenta")
    return tmp_path / "source"


def run(*argv: object, code: int = 0) -> None:
    assert main(list(map(str, argv))) == code


def parts(index: Path) -> set[str]:
    shards = Shards(index / PANELS)
    return {
        figure
        for table in ("images", "texts")
        for figure in shards.columns(table, ["figure_id"])["figure_id"].to_pylist()
    }  # type: ignore[arg-type]


@pytest.mark.slow
def test_panels_live_and_change_with_their_figures(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index"
    run("index", source, index, "--panels")
    said = capsys.readouterr().out
    assert "panels: 5 figures in 1 shards" in said
    assert "panels: 5 images and 5 captions of them" in said
    assert parts(index) == {"a#A", "a#B", "c#A", "c#B", "c#C"}
    run("search", index, "magenta", "--panels", "-k", "1")
    assert "c [C]" in capsys.readouterr().out
    run("search", index, "magenta", "-k", "1")
    assert "[C]" not in capsys.readouterr().out

    put(source, "a", "magenta", "cyan", "blue")
    put(source, "c", "yellow")
    put(source, "d", "black", "red")
    run("add", index, source)
    assert parts(index) == {"a#A", "a#B", "a#C", "d#A", "d#B"}
    run("verify", index)
    said = capsys.readouterr().out
    assert "panels: every table has the sum in its record" in said
    run("remove", index, "--id", "d")
    assert parts(index) == {"a#A", "a#B", "a#C"}
    (source / "a.png").unlink()
    (source / "a.txt").unlink()
    (source / "d.png").unlink()
    (source / "d.txt").unlink()
    run("add", index, source, "--sync")
    assert parts(index) == set()
    run("search", index, "yellow", "--panels", "-k", "1")
    assert "c" in capsys.readouterr().out
    run("info", index)
    assert f"panels     in {index / 'panels'}" in capsys.readouterr().out


def test_an_index_without_panels_says_how_to_have_them(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", source, tmp_path / "index")
    run("search", tmp_path / "index", "red", "--panels", code=2)
    assert "made without panels; run retrieval index --panels" in capsys.readouterr().err
