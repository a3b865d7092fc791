"""Whatever stops a change, wherever: the same command ends with what one uninterrupted change gives."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from retrieval import files
from retrieval.errors import IndexLockedError, StaleIndexError
from retrieval.files import read_json
from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexer.remove import remove
from retrieval.indexes.build import build, rebuild
from retrieval.indexes.verify import verify
from retrieval.search.searcher import Searcher
from retrieval.shards.reader import Shards
from tests.conftest import draw_colours
from tests.crash.child import change
from tests.crash.test_crash import PowerCut, half_written, stop_at
from tests.doubles import ColourEncoder

KILLS = 4
# a plan, two shards of three tables and a record, what is withdrawn, the step's record, what is being built, two files
# of vectors, two of figure numbers, two indexes, two of background scores, six of words, index.json
RENAMES = 24


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built index in `index`, and in `newer` a newer version of its source: two figures gone, two others, six new."""
    folder = tmp_path_factory.mktemp("change")
    draw_colours(folder / "older", 9)
    encode(folder / "older", folder / "index", ColourEncoder(), shard_size=5, batch_size=2, thumbnail=16)
    build(folder / "index")
    draw_colours(folder / "newer", 15)
    (folder / "newer" / "001.txt").write_text("red and cyan")
    shutil.copy(folder / "newer" / "004.png", folder / "newer" / "003.png")
    for name in ("007", "008"):
        (folder / "newer" / f"{name}.png").unlink()
        (folder / "newer" / f"{name}.txt").unlink()
    return folder


@pytest.fixture
def index(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun / "index", tmp_path / "index"))


@pytest.fixture(scope="module")
def whole(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one uninterrupted change leaves behind."""
    folder = Path(shutil.copytree(begun / "index", tmp_path_factory.mktemp("whole") / "index"))
    change(begun / "newer", folder)
    return state(folder)


def state(folder: Path) -> dict[str, Any]:
    facts = {name: value for name, value in read_json(folder / "index.json").items() if name != "seconds"}
    kept = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")
    data = {str(path.relative_to(folder)): path.read_bytes() for path in kept}
    shards = Shards(folder)
    changes = [(change.digest, change.figures, change.rows) for change in shards.changes]
    return {"digests": shards.digests, "facts": facts, "changes": changes, **data}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", range(RENAMES))
def test_a_crash_at_any_rename_of_a_change_loses_nothing(
    begun: Path, index: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    before = Shards(index).digest
    monkeypatch.setattr(files.os, "replace", stop_at(number, where))
    with pytest.raises(PowerCut):
        change(begun / "newer", index)
    monkeypatch.undo()
    now = Shards(index).digest
    assert now == (whole["digests"][-1] if (index / "changes" / "00001" / "change.json").exists() else before)
    if now == before:
        assert Searcher(index, ColourEncoder()).search("red", k=1)  # what is encoded meanwhile disturbs nobody
    elif (number, where) != (RENAMES - 1, "after"):
        with pytest.raises(StaleIndexError, match="run: retrieval build"):
            Searcher(index)
    change(begun / "newer", index)
    assert half_written(index) == []
    assert state(index) == whole
    verify(index)


def test_there_are_as_many_renames_as_the_crash_test_goes_through(
    begun: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "replace", stop_at(RENAMES, "before"))
    change(begun / "newer", index)


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_change_killed_at_any_moment_loses_nothing(
    begun: Path, index: Path, whole: dict[str, Any], seed: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.child", str(begun / "newer"), str(index), "change"],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    before = count = len(list(index.rglob("*.*")))
    goal = random.Random(seed).randrange(10)  # how many more files are there when it is killed
    while child.poll() is None and count <= before + goal:
        time.sleep(0.0005)
        count = len(list(index.rglob("*.*")))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    change(begun / "newer", index)
    assert half_written(index) == []
    assert state(index) == whole


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_crash_of_a_removal_is_mended_by_the_same_command(
    index: Path, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    def withdraw() -> None:
        remove(index, where=["figure_id=001"])
        rebuild(index)

    monkeypatch.setattr(files.os, "replace", stop_at(number, where))
    with pytest.raises(PowerCut):
        withdraw()
    monkeypatch.undo()
    withdraw()
    assert len(Shards(index).changes) == 1
    assert "001" not in Shards(index).columns("texts", ["figure_id"])["figure_id"].to_pylist()
    verify(index)


def test_two_changes_at_once_are_one_too_many(begun: Path, index: Path) -> None:
    with files.locked(index):
        for work in (lambda: add(index, begun / "newer", ColourEncoder()), lambda: remove(index, ["001"])):
            with pytest.raises(IndexLockedError, match="another process is writing this index; wait"):
                work()
    assert not os.path.exists(index / "changes")
