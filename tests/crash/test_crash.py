"""Whatever stops a run, wherever: the same command ends with what one uninterrupted run gives."""

from __future__ import annotations

import builtins
import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from retrieval import files
from retrieval.errors import IndexLockedError, RetrievalError, ShardError, StaleIndexError
from retrieval.files import TEMPORARY, read_json
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.indexes.verify import verify
from retrieval.search.searcher import Searcher
from retrieval.shards.reader import Shards
from retrieval.shards.tables import record_path, shard_path
from tests.conftest import draw_colours
from tests.crash.child import index
from tests.doubles import ColourEncoder

KILLS = 6
# a plan, two shards of three tables and a record, what is being built, two files of vectors, two of figure numbers, two
# indexes, two of background scores, six of words, index.json
RENAMES = 21


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten figures in two shards, with a corrupt image, a blank caption, and captions without an image."""
    folder = tmp_path_factory.mktemp("crash") / "figures"
    draw_colours(folder, 9)
    (folder / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "001.txt").write_text("  ")
    (folder / "zzz.txt").write_text("a red and a blue one")
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one uninterrupted run leaves behind."""
    folder = tmp_path_factory.mktemp("whole")
    index(source, folder)
    return state(folder)


def state(folder: Path) -> dict[str, Any]:
    """Everything that must not depend on how often a run was interrupted: all but the seconds it took."""
    facts = {name: value for name, value in read_json(folder / "index.json").items() if name != "seconds"}
    kept = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")
    data = {str(path.relative_to(folder)): path.read_bytes() for path in kept}
    seals = [record.seal for record in Shards(folder).records]
    return {"digest": Shards(folder).digest, "facts": facts, "seals": seals, **data}


def half_written(folder: Path) -> list[Path]:
    return list(folder.rglob(f"*{TEMPORARY}"))


class PowerCut(BaseException):
    """Nothing in the package may catch this."""


def stop_at(number: int, where: str) -> Callable[[Any, Any], None]:
    """An os.replace that stops the run at its n-th call, before or after the rename."""
    replace, calls = os.replace, iter(range(10**6))

    def stopping(before: Any, after: Any) -> None:
        now = next(calls)
        if now != number or where == "after":
            replace(before, after)
        if now == number:
            raise PowerCut(str(after))

    return stopping


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", range(RENAMES))
def test_a_crash_at_any_rename_loses_nothing(
    source: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    monkeypatch.setattr(files.os, "replace", stop_at(number, where))
    with pytest.raises(PowerCut):
        index(source, tmp_path)
    monkeypatch.undo()
    assert half_written(tmp_path) == []
    if (number, where) != (RENAMES - 1, "after"):
        with pytest.raises(RetrievalError, match=r"run|make one"):
            Searcher(tmp_path)
    index(source, tmp_path)
    assert state(tmp_path) == whole
    verify(tmp_path)


def test_there_are_as_many_renames_as_the_crash_test_goes_through(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "replace", stop_at(RENAMES, "before"))
    index(source, tmp_path)


def start_child(source: Path, folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.child", str(source), str(folder)],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_process_killed_at_any_moment_loses_nothing(
    source: Path, whole: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    child = start_child(source, tmp_path)
    goal = random.Random(seed).randrange(RENAMES)  # how many files are there when it is killed: moments spread evenly
    while child.poll() is None and len(list(tmp_path.rglob("*.*"))) <= goal:
        time.sleep(0.0005)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    index(source, tmp_path)
    assert half_written(tmp_path) == []
    assert state(tmp_path) == whole


def test_a_run_killed_twice_and_left_with_rubbish_ends_the_same(
    source: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 4):
        monkeypatch.setattr(files.os, "replace", stop_at(number, "before"))
        with pytest.raises(PowerCut):
            index(source, tmp_path)
        monkeypatch.undo()
    for name in ("plan.json.1.tmp", "image.npy.2.tmp", "shards/00001.images.parquet.3.tmp"):
        (tmp_path / name).write_bytes(b"half")
    index(source, tmp_path)
    assert half_written(tmp_path) == []
    assert state(tmp_path) == whole


def test_a_build_that_was_stopped_is_not_built_and_says_how_to_go_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(source, tmp_path)
    monkeypatch.setattr(files.os, "replace", stop_at(3, "before"))
    with pytest.raises(PowerCut):
        build(tmp_path)
    monkeypatch.undo()
    for ask in (Searcher, verify):
        with pytest.raises(StaleIndexError, match=f"encoded but not built; run: retrieval build {tmp_path}"):
            ask(tmp_path)
    build(tmp_path)
    verify(tmp_path)


def full_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From here on, writing a file whose name contains `name` finds the disk full."""
    no_space = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write_table, open_file = pq.write_table, builtins.open

    def writing(table: Any, where: Any, **options: Any) -> None:
        write_table(table, where, **options)
        if name in str(where):
            raise no_space

    def opening(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if name in str(path) and "w" in mode:
            raise no_space
        return open_file(path, mode, *args, **options)

    monkeypatch.setattr(pq, "write_table", writing)
    monkeypatch.setattr(builtins, "open", opening)


@pytest.mark.parametrize("name", ["00001.texts.parquet", "image.npy", "text.figures.npy"])
def test_a_full_disk_leaves_a_folder_that_can_be_gone_on_with(
    source: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    full_disk(monkeypatch, name)
    with pytest.raises(OSError, match="No space left"):
        index(source, tmp_path)
    monkeypatch.undo()
    assert half_written(tmp_path) == []
    index(source, tmp_path)
    assert state(tmp_path) == whole


def test_two_runs_at_once_are_one_too_many(source: Path, tmp_path: Path) -> None:
    index(source, tmp_path)
    with files.locked(tmp_path):
        for work in (lambda: index(source, tmp_path), lambda: build(tmp_path)):
            with pytest.raises(IndexLockedError, match="another process is writing this index; wait"):
                work()
    verify(tmp_path)


def test_the_lock_of_a_killed_process_is_free(source: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    child = start_child(source, tmp_path)
    while not (tmp_path / "shards").exists() and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    index(source, tmp_path)
    assert state(tmp_path) == whole


@pytest.mark.parametrize("table", ["images", "texts", "skips"])
@pytest.mark.parametrize("damage", ["deleted", "flipped"])
def test_a_damaged_shard_is_found_by_build_and_verify_and_encoded_again_as_they_say(
    source: Path, whole: dict[str, Any], tmp_path: Path, table: Any, damage: str
) -> None:
    index(source, tmp_path)
    path = shard_path(tmp_path, 0, table)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data)
    for check in (verify, build):
        with pytest.raises(ShardError, match=rf"00000\.{table}\.parquet: .*delete .*00000\.json and encode again"):
            check(tmp_path)
    record_path(tmp_path, 0).unlink()
    summary = encode(source, tmp_path, ColourEncoder(), shard_size=5, thumbnail=16, max_skips=1.0)
    assert summary.resumed == 1
    build(tmp_path)
    assert state(tmp_path) == whole


def test_a_record_that_is_garbage_is_named_and_deleting_it_mends_the_index(
    source: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    index(source, tmp_path)
    record_path(tmp_path, 1).write_text("\x00\x00\x00")
    for ask in (lambda: index(source, tmp_path), lambda: build(tmp_path), lambda: verify(tmp_path)):
        with pytest.raises(ShardError, match=r"00001\.json: not this shard's record; delete it and encode again"):
            ask()
    record_path(tmp_path, 1).unlink()
    index(source, tmp_path)
    assert state(tmp_path) == whole
