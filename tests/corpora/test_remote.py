"""Sources at URLs: what was fetched is the local copy, whatever the network does on the way."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus, remote
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import everything

# the HTTP client of fsspec leaves its sessions to the collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Two tars, a Parquet file and a folder of images."""
    root = tmp_path / "local"
    (root / "pictures").mkdir(parents=True)
    for number, colour in enumerate(("red", "blue")):
        with tarfile.open(root / f"s-{number:03d}.tar", "w") as archive:
            for suffix, data in (("png", picture(colour)), ("txt", colour.encode())):
                info = tarfile.TarInfo(f"{number}.{suffix}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        (root / "pictures" / f"{colour}.png").write_bytes(picture(colour))
        (root / "pictures" / f"{colour}.txt").write_text(colour)
    rows = [{"image": picture(colour), "caption": colour, "noise": os.urandom(200_000)} for colour in ("red", "blue")]
    pq.write_table(pa.Table.from_pylist(rows), root / "t.parquet", compression="none")
    return root


SOURCES = ["s-000.tar", "s-{000..001}.tar", "s-*.tar", "t.parquet", "pictures", "pictures/"]


def same(url: str, path: str) -> None:
    there, here = open_corpus(url), open_corpus(path)
    assert there.fingerprint == here.fingerprint
    assert everything(there) == everything(here)
    assert getattr(there, "account", None) == getattr(here, "account", None)


@pytest.fixture
def store(local: Path) -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    memory.put(str(local), "/corpora/mine", recursive=True)
    yield memory
    memory.rm("/corpora", recursive=True)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_in_a_store_is_the_local_copy(local: Path, store: Any, source: str) -> None:
    same(f"memory://corpora/mine/{source}", f"{local}/{source}")
    assert remote.cached(f"memory://corpora/mine/{source}") == remote.fetched(f"memory://corpora/mine/{source}")


def test_only_what_changed_is_fetched_again(local: Path, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    fetch = remote._fetch
    monkeypatch.setattr(
        remote, "_fetch", lambda store, place, *rest: (fetched.append(place), fetch(store, place, *rest))
    )
    for _ in range(2):
        assert len(everything(open_corpus("memory://corpora/mine/pictures"))) == 2
    assert len(fetched) == 4
    store.pipe("/corpora/mine/pictures/red.txt", b"a redder red")
    store.rm("/corpora/mine/pictures/blue.txt")
    captions = [figure.captions for figure in everything(open_corpus("memory://corpora/mine/pictures"))]
    assert (captions, fetched[4:]) == ([(), ("a redder red",)], ["/corpora/mine/pictures/red.txt"])


def test_a_source_in_an_object_store_is_the_local_copy(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs", reason="the extra remote is not installed")
    moto = pytest.importorskip("moto.server", reason="moto, the object store of this test, is not installed")
    serving = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    serving.start()
    try:
        host, port = serving.get_host_and_port()
        names = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        for name, value in {**names, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        bucket = s3fs.S3FileSystem()
        bucket.mkdir("mine")
        bucket.put(str(local) + "/", "mine/corpora/", recursive=True)
        for source in SOURCES:
            same(f"s3://mine/corpora/{source}", f"{local}/{source}")
        with pytest.raises(CorpusError, match="there is no such file"):
            open_corpus("s3://mine/corpora/gone.tar")
    finally:
        serving.stop()


class Server(BaseHTTPRequestHandler):
    """Serves files, with ranges or without, and breaks off as often as it is told to."""

    root = Path()
    ranges = True
    breaks = 0
    asked: list[str | None] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        data = self._head()
        if data and type(self).breaks > 0:
            type(self).breaks -= 1
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.wfile.write(data)

    def _head(self) -> bytes:
        path = self.root / self.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return b""
        data = path.read_bytes()
        span = self.headers.get("Range") if self.ranges else None
        if self.command == "GET":
            type(self).asked.append(span)
        first, last = 0, len(data) - 1
        if span:
            start, _, stop = span.removeprefix("bytes=").partition("-")
            first, last = int(start), min(last, int(stop or last))
        self.send_response(206 if span else 200)
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        return data[first : last + 1]

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server(local: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    Server.root, Server.ranges, Server.breaks, Server.asked = local, True, 0, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_source_of_the_web_is_the_local_copy_with_ranges_and_without(local: Path, server: str, ranges: bool) -> None:
    Server.ranges = ranges
    for source in ("s-{000..001}.tar", "t.parquet"):
        same(f"{server}/{source}", f"{local}/{source}")
    same(f"{server}/t.parquet?signature=x/y&more=1", f"{local}/t.parquet")


def test_a_connection_that_breaks_off_is_taken_up_again(
    local: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PIECE", 100_000)
    Server.breaks = 3
    same(f"{server}/t.parquet", f"{local}/t.parquet")
    assert Server.breaks == 0


def test_a_network_that_stays_away_is_one_sentence(local: Path, server: str) -> None:
    Server.breaks = 1000
    with pytest.raises(CorpusError, match=r"t\.parquet: cannot be fetched \(.*\); try again, or download it"):
        open_corpus(f"{server}/t.parquet")
    Server.breaks = 0
    same(f"{server}/t.parquet", f"{local}/t.parquet")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://corpora/mine/gone.tar", "there is no such file; correct the URL"),
        ("memory://corpora/mine/s-{000..002}.tar", r"s-002\.tar is missing; correct the range or restore the file"),
        ("memory://corpora/mine/x-*.tar", "there is no such file; correct the URL"),
        ("nothing://x/y.tar", "nothing is known of nothing:// URLs; download it and give its path"),
        ("hf:owner/name", "write hf://datasets/OWNER/NAME"),
    ],
)
def test_what_is_not_there_is_one_sentence(store: Any, url: str, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        open_corpus(url)


def test_a_missing_file_of_the_web_is_one_sentence(server: str) -> None:
    with pytest.raises(CorpusError, match="there is no such file; correct the URL"):
        open_corpus(f"{server}/gone.parquet")


def test_without_its_library_a_store_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(url: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacks)
    with pytest.raises(
        CorpusError, match=r"s3:// needs a library that is not there; pip install 'retrieval\[remote\]'"
    ):
        open_corpus("s3://bucket/t.parquet")


def test_names_that_lead_out_of_the_cache_are_not_written(local: Path, store: Any, tmp_path: Path) -> None:
    assert not remote._is_below("../x")
    assert not remote._is_below("/x")
    assert not remote._is_below("a//b")
    assert remote._is_below("a/b..c")
