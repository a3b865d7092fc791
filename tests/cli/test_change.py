"""retrieval add, remove and diff as a user meets them."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from retrieval.cli import main
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.search.searcher import Searcher
from retrieval.shards.reader import Shards
from tests.conftest import draw_colours
from tests.doubles import COLOUR_ENCODER, ColourEncoder


@pytest.fixture
def index(colour_folder: Path, tmp_path: Path) -> Path:
    """A built index of twenty figures whose encoder the commands find under its name."""
    encode(colour_folder, tmp_path / "index", COLOUR_ENCODER, shard_size=6)
    build(tmp_path / "index")
    return tmp_path / "index"


def out(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    """What a command prints."""
    assert main(list(map(str, argv))) == code
    said = capsys.readouterr()
    return said.err if code == 2 else said.out


def test_a_newer_version_of_a_source_is_added_and_synchronised(
    index: Path, colour_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(index, index.parent / "before")
    assert "nothing changed: 0 added, 0 updated, 0 removed, 20 unchanged" in out(capsys, "add", index, colour_folder)
    shutil.rmtree(colour_folder)
    draw_colours(colour_folder, 22)
    (colour_folder / "003.txt").write_text("a red field")
    (colour_folder / "000.png").unlink()
    (colour_folder / "000.txt").unlink()
    said = out(capsys, "add", index, colour_folder, "--sync", "--reason", "new release")
    assert "2 added, 1 updated, 1 removed, 18 unchanged, 0 skipped" in said
    assert "images: 2 encoded, 1 reused; captions: 2 encoded, 0 reused" in said
    assert "image index: 21 vectors, Flat, exact" in said
    assert "figures    21, of which 0 skipped, in 5 shards" in out(capsys, "info", index)
    assert f"sync {colour_folder} (new release): 2 added, 1 updated" in out(capsys, "info", index)
    assert json.loads(out(capsys, "info", index, "--json"))["changes"][0]["command"] == "sync"
    assert "1 steps, each made on what was there before it" in out(capsys, "verify", index)
    said = out(capsys, "diff", index.parent / "before", index, code=1)
    assert f"1 figures only in {index.parent / 'before'}\n  000\n" in said
    assert "1 figures changed: 1 in captions\n  003 [captions]\n" in said
    lines = out(capsys, "diff", index.parent / "before", index, "--json", code=1).splitlines()
    assert json.loads(lines[1]) == {"figure_id": "003", "what": "changed", "changed": ["captions"]}
    assert out(capsys, "diff", index, index) == "the same figures, saying the same\n"


def test_figures_are_removed_and_the_index_answers_without_them(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("000\n\n008\n")
    said = out(capsys, "remove", index, "--ids", ids, "--dry-run")
    assert said == "2 figures with 2 images and 2 captions would be removed\n"
    assert Shards(index).changes == []
    said = out(capsys, "remove", index, "--ids", ids, "--no-build")
    assert said == f"2 figures with 2 images and 2 captions removed\nbuild it: retrieval build {index}\n"
    assert "run: retrieval build" in out(capsys, "search", index, "red", code=2)
    assert "18 vectors" in out(capsys, "remove", index, "--where", "caption~nothing says this")
    said = out(capsys, "remove", index, "--where", "source_uri=000.PNG or width < 0", "--dry-run")
    assert "no figure has source_uri '000.PNG'; nearest: '0" in said
    hits = Searcher(index, ColourEncoder()).search("a red field", k=20)
    assert {hit.figure_id for hit in hits} == {f"{n:03d}" for n in range(20)} - {"000", "008"}
    monkeypatch.setattr("sys.stdin", io.StringIO("001\n002\n"))
    assert "2 figures with" in out(capsys, "remove", index, "--ids", "-", "--id", "001")
    assert "1 figures with 1 images and 1 captions removed" in out(
        capsys, "remove", index, "--where", "caption~number 3"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--id", "no such"], "no figure 'no such'; nothing was removed; correct the list, or give --missing-ok"),
        ([], "say which figures to remove, either by their ids and articles or by where clauses"),
        (["--ids", "nowhere.txt"], "nowhere.txt: cannot be read (No such file or directory); give a file with one"),
        (["--where", "colour=red"], "no column colour; there are"),
    ],
)
def test_what_cannot_be_removed_is_one_line(
    index: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert said in out(capsys, "remove", index, *options, code=2)


def test_an_index_inside_of_its_source_is_refused(
    index: Path, colour_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = shutil.copytree(index, colour_folder / "index")
    assert "lies inside the corpus" in out(capsys, "add", inside, colour_folder, code=2)


def test_the_same_command_builds_what_it_was_stopped_before(
    index: Path, colour_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(colour_folder)
    draw_colours(colour_folder, 22)
    assert f"build it: retrieval build {index}" in out(capsys, "add", index, colour_folder, "--no-build")
    assert "retrieval build" in out(capsys, "search", index, "red", code=2)
    said = out(capsys, "add", index, colour_folder)  # as after a kill: the step is there, the build is not
    assert "nothing changed" in said
    assert "image index: 22 vectors" in said
    out(capsys, "verify", index)
    out(capsys, "remove", index, "--id", "003", "--no-build")
    assert "image index: 21 vectors" in out(capsys, "remove", index, "--id", "003")
