"""The real thing on a real port: it starts, answers, and stops without dropping what it began."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from retrieval.cli import main
from retrieval.cli.serve import TOKEN, token
from retrieval.server.run import ServeError, listen, serve
from retrieval.server.service import Service
from tests.doubles import ColourEncoder
from tests.server.test_together import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(index_folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process whose batches take half a second, and its address."""
    command = [sys.executable, "-m", "tests.server.child", str(index_folder), "0.5"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said
        wait_until(lambda: _ready(address[0]), seconds=30)
        yield process, address[0]
        process.kill()


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_answers_what_it_began_and_ends_well(
    server: tuple[subprocess.Popen[str], str], number: signal.Signals
) -> None:
    process, address = server
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, f"{address}/api/indexes/colours/search", json={"text": "red"}, timeout=20)
        wait_until(lambda: "retrieval_waiting_queries 0.0" in httpx.get(f"{address}/metrics").text)
        time.sleep(0.2)  # it is being encoded
        process.send_signal(number)
        answer = asked.result()
    assert answer.status_code == 200
    assert answer.json()["hits"][0]["figure_id"] == "000"
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/health")


@pytest.mark.slow
def test_a_head_sends_no_body_and_leaves_the_connection_to_the_next_request(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    connection = http.client.HTTPConnection(server[1].removeprefix("http://"), timeout=20)
    connection.connect()
    opened = connection.sock
    for path in ("/health", "/", "/none", "/static/app.js"):
        connection.request("HEAD", path)
        head = connection.getresponse()
        assert head.read() == b""
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == head.status
        assert len(answer.read()) == int(head.headers["content-length"]) > 0
        assert connection.sock is opened, "no second connection was needed"
    connection.close()


def test_answers_are_sent_without_waiting_for_more() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY for no other"


@pytest.mark.parametrize(("host", "port"), [("no-such-host.invalid", 8000), ("203.0.113.1", 0), ("127.0.0.1", 70000)])
def test_an_address_that_is_not_here_is_said_to_be(host: str, port: int) -> None:
    with pytest.raises(ServeError, match="choose another --host or --port"):
        listen(host, port)


def test_a_port_that_is_taken_is_said_to_be(index_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service({"colours": index_folder}, encoder=ColourEncoder())
        with pytest.raises(ServeError, match=f"{port}: Address already in use; choose another --host or --port"):
            serve(service, port=port)
        service.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "not an index"),
        (["a=one", "a=two"], "an index called a is there already"),
        (["a/b=one"], "no name for an index"),
        (["one", "--token-file", "missing"], "cannot be read"),
        (["one", "--token-file", "short"], "16 plain characters"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("abc", encoding="utf-8")
    assert main(["serve", *arguments, "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_token_comes_from_a_file_or_the_environment_and_else_none_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert token(None) is None
    monkeypatch.setenv(TOKEN, "from-the-environment")
    assert token(None) == "from-the-environment"
    file = tmp_path / "token"
    file.write_text("from-the-file-itself\n", encoding="utf-8")
    assert token(str(file)) == "from-the-file-itself"


def test_the_address_is_said_when_the_indexes_are_open_and_not_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tmp_path / "nowhere"), "--port", "0"]) == 2
    printed = capsys.readouterr()
    assert "serving" not in printed.out
    assert "not an index" in printed.err
