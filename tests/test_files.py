"""Files appear whole or not at all; locks hold between processes and die with them."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retrieval.errors import IndexLockedError
from retrieval.files import TEMPORARY, locked, read_json, replacing, sha256_file, sha256_json, sweep, write_json

HOLD = """
import sys, time
from pathlib import Path
from retrieval.files import locked, replacing
with locked(Path(sys.argv[1])), replacing(Path(sys.argv[1]) / "table") as temporary:
    temporary.write_text("half")
    print("holding", flush=True)
    time.sleep(60)
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    return holder


def stop(holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.communicate()


def test_what_is_written_appears_under_its_name_and_nothing_else_does(tmp_path: Path) -> None:
    with replacing(tmp_path / "table") as temporary:
        temporary.write_text("all of it")
        assert not (tmp_path / "table").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
    assert (tmp_path / "table").read_text() == "all of it"


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("old")

    def interrupted() -> None:
        with replacing(tmp_path / "table") as temporary:
            temporary.write_text("new, half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
    assert (tmp_path / "table").read_text() == "old"


def test_an_exception_before_anything_was_written_is_the_one_that_is_seen(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "table"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "table"):
        pass
    assert (tmp_path / "table").read_text() == "old"


def test_two_writers_of_one_file_do_not_mix_their_bytes(tmp_path: Path) -> None:
    both_wrote = threading.Barrier(2)

    def write(text: str) -> None:
        with replacing(tmp_path / "table") as temporary:
            temporary.write_text(text)
            both_wrote.wait(timeout=30)

    writers = [threading.Thread(target=write, args=(letter * 1000,)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "table").read_text() in ("a" * 1000, "b" * 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_what_a_killed_writer_left_is_swept_and_its_lock_is_free(tmp_path: Path) -> None:
    stop(start_holder(tmp_path))
    assert not (tmp_path / "table").exists()
    assert len(list(tmp_path.glob(f"*{TEMPORARY}"))) == 1
    with locked(tmp_path):
        sweep(tmp_path)
    assert list(tmp_path.glob(f"*{TEMPORARY}")) == []


def test_a_lock_that_another_process_holds_is_refused_at_once(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    try:
        with pytest.raises(IndexLockedError, match="another process is writing"), locked(tmp_path):
            pass
    finally:
        stop(holder)


def test_a_lock_is_refused_a_second_time_in_the_same_process_and_free_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(IndexLockedError), locked(tmp_path):
        pass
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()


def test_a_lock_is_released_when_its_block_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks_is_held_by_a_marker_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path):
        assert (tmp_path / ".lock.soft").exists()
        with pytest.raises(IndexLockedError), locked(tmp_path):
            pass
    with locked(tmp_path):
        assert (tmp_path / ".lock.soft").exists()
    assert not (tmp_path / ".lock.soft").exists()


def test_sweep_leaves_everything_that_is_not_half_written(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet.tmp", "tmp", "c.tmp.json"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "c.tmp.json", "tmp"]


def test_json_comes_back_as_it_was_whatever_the_script(tmp_path: Path) -> None:
    value = {"α": ["é", "图", "\u2028"], "n": None, "x": 0.1}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert "图" in (tmp_path / "value.json").read_text(encoding="utf-8")


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1}) != sha256_json({"a": 1, "b": [3]})


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_json(tmp_path / "value.json", {})
    finally:
        tmp_path.chmod(0o700)


def test_a_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        done.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")
        fsync(descriptor)

    def watched_replace(*paths: Path) -> None:
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_json(tmp_path / "a.json", 1)
    assert done == ["flush file", "rename", "flush folder"]
