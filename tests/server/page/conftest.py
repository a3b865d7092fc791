"""One Chromium and one server for all tests of the page: a real server over two small drawn indexes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.server.page.atlas import make_indexes

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
NEEDED = "RETRIEVAL_BROWSER_TESTS"
"""Set where these tests must run: then a browser that is missing is a failure and no reason to skip."""
SECONDS = 10
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright; pip install 'retrieval[dev]'")
    if not CHROMIUM.is_file():
        _missing(f"{CHROMIUM}; apt-get install chromium, or say in $CHROMIUM where it is")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--force-color-profile=srgb",
                OFFLINE,
            ],
        )
        yield browser
        browser.close()


def _missing(what: str) -> None:
    if os.environ.get(NEEDED):
        pytest.fail(f"the page cannot be tested without {what}", pytrace=False)
    pytest.skip(f"the page is tested in a browser: needs {what}")


@pytest.fixture(scope="package")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is: "http://127.0.0.1:…/". It needs the browser so that nothing is built where there is none."""
    with serving(*make_indexes(tmp_path_factory.mktemp("atlas"))) as place:
        yield place


class serving:
    """A server of some indexes on a free port, in a thread."""

    def __init__(self, folders: dict[str, Path], encoder: Any, **options: Any) -> None:
        import uvicorn

        from retrieval.server.app import create_app
        from retrieval.server.service import Service

        service = Service(folders, encoder=encoder)
        service.open()
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(service, **options), log_level="warning", lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(SECONDS)
        self._socket.close()


@dataclass
class Reader:
    """Somebody at the page, on one device. What the page's code does wrong is noted in `troubles`."""

    page: Any
    address: str
    troubles: list[str]
    left: list[str]
    """Requests that would have gone elsewhere, where no name is resolved."""

    def visit(self, query: str = "") -> None:
        self.page.goto(self.address + query)
        self.page.wait_for_selector("#results > *")

    def settle(self) -> None:
        """Wait until what was asked is answered."""
        self.page.wait_for_selector(".pane[aria-busy=true]", state="detached")

    def ask(self, words: str) -> None:
        """Type, send, wait."""
        self.page.fill("#words", words)
        self.page.press("#words", "Enter")
        self.settle()

    @property
    def ids(self) -> list[str]:
        """The figures that are shown, in order."""
        found: list[str] = self.page.eval_on_selector_all(".card[data-id]", "cards => cards.map(c => c.dataset.id)")
        return found

    @property
    def colours(self) -> list[str]:
        """What is shown, best first: the second word of each caption."""
        captions: list[str] = self.page.locator(".card .caption").all_inner_texts()
        return [caption.split()[1] for caption in captions]

    @property
    def chips(self) -> list[str]:
        """The terms of the query."""
        names: list[str] = self.page.locator(".term .words").all_inner_texts()
        return names

    def sent(self, do: Callable[[], Any]) -> dict[str, Any]:
        """The body of the search that something leads to."""
        with self.page.expect_request("**/search") as asked:
            do()
        body: dict[str, Any] = asked.value.post_data_json
        return body

    @property
    def query(self) -> dict[str, list[str]]:
        """What the address bar says."""
        from urllib.parse import parse_qs, urlsplit

        return parse_qs(urlsplit(self.page.url).query)

    @property
    def focused(self) -> str:
        """The id of the figure whose card has the focus, else the element's own id, label or name."""
        said: str = self.page.evaluate(
            "(e => e.closest('.card')?.dataset.id ?? (e.id || e.ariaLabel || e.tagName))(document.activeElement)"
        )
        return said


@pytest.fixture(scope="package")
def contexts(browser: Any) -> Iterator[dict[str, Any]]:
    """One for each kind of device: with what it keeps of files and pictures, pages open several times as fast."""
    made: dict[str, Any] = {}
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def reader_on(browser: Any, contexts: dict[str, Any], address: str) -> Iterator[Callable[..., Reader]]:
    """Makes a Reader on a device of some size; afterwards nothing may have gone wrong or left the machine."""
    readers: list[Reader] = []

    def make(width: int = 1280, height: int = 800, *, theme: str = "light", at: str = address, **more: Any) -> Reader:
        options = {"viewport": {"width": width, "height": height}, "color_scheme": theme, **more}
        device = f"{options} {at}"
        if device not in contexts:
            contexts[device] = browser.new_context(**options, reduced_motion="reduce")
        page = contexts[device].new_page()
        page.set_default_timeout(SECONDS * 1000)
        reader = Reader(page, at, troubles=[], left=[])
        page.on("pageerror", lambda error: reader.troubles.append(str(error)))
        page.on("console", lambda said: _refused_by_policy(said.text) and reader.troubles.append(said.text))
        page.on("request", lambda request: _foreign(request.url, at) and reader.left.append(request.url))
        readers.append(reader)
        return reader

    yield make
    for reader in readers:
        reader.page.unroute_all(behavior="ignoreErrors")
        reader.page.close()
        assert not reader.troubles
        assert not reader.left


def _refused_by_policy(said: str) -> bool:
    return "Content Security Policy" in said


def _foreign(url: str, home: str) -> bool:
    return not url.startswith((home, f"blob:{home}"))


@pytest.fixture
def reader(reader_on: Callable[..., Reader]) -> Reader:
    """At a desk, in light."""
    return reader_on()


@pytest.fixture
def phone(reader_on: Callable[..., Reader]) -> Reader:
    """With a telephone, in the dark."""
    return reader_on(390, 844, theme="dark", has_touch=True, is_mobile=True)
