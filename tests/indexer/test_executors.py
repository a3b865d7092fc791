"""Executors: every shard once, whichever process does it, and no process left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from retrieval.errors import CorpusError, EncoderError, RetrievalError
from retrieval.indexer.encode import encode
from retrieval.indexer.executors import run_here, run_on_devices
from retrieval.shards.reader import Shards
from tests.bundles import clip_bundle
from tests.conftest import draw_colours
from tests.listed import ListedCorpus, figure
from tests.working import Done, Work


def test_the_task_is_opened_once_and_only_when_there_is_work() -> None:
    opened = []

    def make_task() -> Callable[[Iterable[int]], Iterator[Done]]:
        opened.append(1)
        return lambda numbers: (Done(number, "", 0) for number in numbers)

    assert list(run_here(make_task, [])) == []
    assert opened == []
    assert [done.number for done in run_here(make_task, iter([3, 1, 2]))] == [3, 1, 2]
    assert opened == [1]


def test_every_shard_is_done_once_and_each_device_has_a_process_of_its_own(tmp_path: Path) -> None:
    done = list(run_on_devices(Work(str(tmp_path), slow=0.05), range(12), ["a", "b"]))
    assert sorted(record.number for record in done) == list(range(12))
    assert {record.device for record in done} == {"a", "b"}
    assert os.getpid() not in {record.process for record in done}
    assert multiprocessing.active_children() == []


def test_no_more_processes_are_started_than_there_are_shards(tmp_path: Path) -> None:
    assert [done.number for done in run_on_devices(Work(str(tmp_path)), [7], ["a", "b", "c"])] == [7]
    assert len(list(tmp_path.glob("process-*"))) == 1
    assert list(run_on_devices(Work(str(tmp_path)), [], ["a"])) == []


@pytest.mark.parametrize("devices", [["a"], ["a", "b"]])
def test_the_shard_of_a_process_that_died_is_done_by_another(tmp_path: Path, devices: list[str]) -> None:
    done = list(run_on_devices(Work(str(tmp_path), kills=(2,)), range(5), devices))
    assert sorted(record.number for record in done) == list(range(5))


def test_a_shard_that_kills_twice_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match=r"shard 2 died 2 times \(exit code -9\).*run the same command again"):
        list(run_on_devices(Work(str(tmp_path), kills=(2,), once=False), range(5), ["a", "b"]))
    assert multiprocessing.active_children() == []


def test_an_error_of_a_task_is_raised_as_it_is_and_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="the tape broke; mend it"):
        list(run_on_devices(Work(str(tmp_path), fails=3, slow=0.01), range(99), ["a", "b"]))
    assert multiprocessing.active_children() == []


def test_who_stops_asking_for_records_leaves_no_process(tmp_path: Path) -> None:
    records = run_on_devices(Work(str(tmp_path), slow=0.01), range(99), ["a", "b"])
    next(records)
    records.close()
    assert multiprocessing.active_children() == []


PARENT = """
import signal, sys
from tests.working import Work
from retrieval.indexer.executors import run_on_devices

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background would ignore it
    for record in run_on_devices(Work(sys.argv[1], slow=0.05), range(10**6), ["a", "b"]):
        print(record.number, flush=True)
"""


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_even_a_kill_of_the_parent_leave_no_process(tmp_path: Path, sent: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    while len(list(tmp_path.glob("process-*"))) < 2:
        time.sleep(0.01)
    if sent == signal.SIGINT:
        os.killpg(parent.pid, sent)  # as a terminal does: to all of them
    else:
        parent.send_signal(sent)
    parent.communicate()
    children = [int(path.name.removeprefix("process-")) for path in tmp_path.glob("process-*")]
    end = time.monotonic() + 20
    while any(map(alive, children)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(alive, children))


def test_two_processes_write_the_bytes_that_one_writes(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 14)
    (tmp_path / "figures" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bundle = str(clip_bundle(tmp_path / "bundle"))
    for name, device in (("one", "cpu"), ("two", "cpu,cpu")):
        encode(tmp_path / "figures", tmp_path / name, bundle, device=device, shard_size=4, max_skips=1.0)
    one, two = (Shards(tmp_path / name) for name in ("one", "two"))
    assert one.digest == two.digest
    two.check()


def test_several_devices_need_names_to_open_and_devices_that_are_there(tmp_path: Path) -> None:
    listed = ListedCorpus([figure("a", (1, 1, 1))])
    with pytest.raises(EncoderError, match="several devices need a corpus by its path"):
        encode(listed, tmp_path / "i", "starter", device="cpu,cpu")
    with pytest.raises(EncoderError, match="cuda:99: no such device here; use cpu"):
        encode(listed, tmp_path / "i", "starter", device="cuda:99")
    assert not (tmp_path / "i").exists()
