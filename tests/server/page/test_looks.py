"""Looks: every state in both themes, at every width; the theme; the token; the README's picture."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.page.atlas import make_indexes
from tests.server.page.conftest import Reader, serving

SCREENSHOT = Path(__file__).resolve().parents[3] / "docs" / "page.jpg"
PICTURE = "RETRIEVAL_SCREENSHOT"
"""Set to have the README's picture of the page taken anew, over the drawn figures of `retrieval demo`."""


def asked(reader: Reader, query: str) -> None:
    reader.visit(query)
    reader.settle()


def waiting(reader: Reader) -> None:
    reader.page.route("**/search", lambda route: None)
    reader.visit("?k=8&text=red")
    reader.page.wait_for_selector(".waiting")


def refined(reader: Reader) -> None:
    asked(reader, "?k=8&text=red&where=year+%3E%3D+2001&where=journal+%3D+Brain")
    reader.page.click("#refine-button")
    reader.page.wait_for_selector("#facets fieldset")


def enlarged(reader: Reader) -> None:
    asked(reader, "?k=8&text=red&open=f40")
    reader.page.wait_for_selector("#viewer[open] dl")


def listed(reader: Reader) -> None:
    reader.visit()
    reader.page.keyboard.press("?")


def held_over(reader: Reader) -> None:
    asked(reader, "?k=8&text=red")
    reader.page.evaluate(
        """() => { const files = new DataTransfer(); files.items.add(new File(["x"], "x.png", { type: "image/png" }));
        document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer: files, bubbles: true })); }"""
    )
    reader.page.wait_for_selector("#drop:not([hidden])")


STATES: dict[str, Callable[[Reader], None]] = {
    "empty": lambda reader: reader.visit(),
    "figures": lambda reader: asked(reader, "?k=8&text=red&plus=2*text:green&minus=figure:f04&where=open+%3D+true"),
    "captions": lambda reader: asked(reader, "?k=8&text=red&target=captions"),
    "articles": lambda reader: asked(reader, "?k=8&text=red&per_article=3"),
    "compare": lambda reader: asked(reader, "?k=8&text=red&compare=other"),
    "waiting": waiting,
    "error": lambda reader: asked(reader, "?k=8&text=red&where=nonsense+%3D+1"),
    "nothing": lambda reader: asked(reader, "?k=8&text=red&where=year+%3E+3000"),
    "unshared": lambda reader: asked(reader, "?plus=image:lost"),
    "refined": refined,
    "enlarged": enlarged,
    "keys": listed,
    "held over": held_over,
    "api": lambda reader: reader.page.goto(f"{reader.address}docs"),
}


def faults(reader: Reader, **options: Any) -> list[tuple[str, str]]:
    from axe_playwright_python.sync_playwright import Axe

    report = Axe().run(reader.page, options=options).response["violations"]
    return [(fault["id"], node["html"]) for fault in report for node in fault["nodes"]]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_fault(reader: Reader, state: str) -> None:
    STATES[state](reader)
    assert not faults(reader)
    reader.page.emulate_media(color_scheme="dark", reduced_motion="reduce")  # the theme changes colours alone
    assert not faults(reader, runOnly=["color-contrast"])


@pytest.mark.parametrize("state", ["figures", "compare", "refined", "enlarged", "api"])
def test_axe_finds_no_fault_on_a_phone(phone: Reader, state: str) -> None:
    STATES[state](phone)
    assert not faults(phone)


@pytest.mark.parametrize("width", [320, 2560])
def test_nothing_is_wider_than_the_screen(reader: Reader, width: int) -> None:
    reader.page.set_viewport_size({"width": width, "height": 640})
    for show in STATES.values():
        show(reader)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        reader.page.unroute_all()


def test_fingers_find_what_they_aim_at(phone: Reader) -> None:
    phone.visit("?text=red&plus=text:green&where=year+%3E+2001")
    phone.settle()
    small = phone.page.eval_on_selector_all(
        "button, summary, select, .segments label",
        """all => all.map(e => [e.textContent || e.ariaLabel, e.getBoundingClientRect()])
            .filter(([, box]) => box.width && Math.min(box.width, box.height) < 24)""",
    )
    assert not small


def test_the_theme_goes_round_and_is_all_that_is_stored(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()

    def ground() -> str:
        colour: str = reader.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return colour

    light = ground()
    reader.page.click("#theme")
    assert ground() == light
    reader.page.click("#theme")
    dark = ground()
    assert dark != light
    assert reader.page.evaluate("[JSON.stringify(localStorage), sessionStorage.length, document.cookie]") == [
        '{"theme":"dark"}',
        0,
        "",
    ]
    reader.page.reload()
    assert ground() == dark
    reader.page.click("#theme")
    assert ground() == light
    assert reader.page.evaluate("localStorage.length") == 0


def test_nothing_moves_for_those_who_asked_for_stillness(reader: Reader) -> None:
    waiting(reader)
    assert reader.page.evaluate("document.getAnimations().length") == 0


def test_a_token_is_asked_for_and_pictures_come_with_it(
    reader_on: Callable[..., Reader], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from retrieval.server.middleware import Token

    with serving(*make_indexes(tmp_path_factory.mktemp("guarded")), token=Token("open sesame")) as address:
        reader = reader_on(at=address)
        reader.visit("?text=red")
        reader.page.fill("dialog.token input", "wrong")
        reader.page.press("dialog.token input", "Enter")
        reader.page.wait_for_selector("dialog.token input:invalid")  # empty again
        reader.page.fill("dialog.token input", "open sesame")
        reader.page.press("dialog.token input", "Enter")
        reader.page.wait_for_selector(".card[data-id]")
        reader.page.wait_for_selector("dialog.token", state="detached")
        first = reader.page.locator(".card img").first
        first.scroll_into_view_if_needed()
        deadline = time.monotonic() + 5
        while not first.evaluate("image => image.naturalWidth") and time.monotonic() < deadline:
            reader.page.wait_for_timeout(50)
        assert first.evaluate("image => image.naturalWidth") > 0
        assert "sesame" not in reader.page.evaluate("JSON.stringify(localStorage) + document.cookie + location")


@pytest.mark.skipif(not os.environ.get(PICTURE), reason=f"writes docs/page.jpg where {PICTURE} is set")
def test_the_picture_of_the_readme_shows_drawn_figures(
    reader_on: Callable[..., Reader], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from retrieval.demo.collection import draw_collection
    from retrieval.encoders import load_encoder
    from retrieval.indexer.encode import encode
    from retrieval.indexes.build import build

    folder = tmp_path_factory.mktemp("demo")
    draw_collection(folder / "figures", count=600, seed=0)
    encode(str(folder / "figures"), folder / "demo", "starter")
    build(folder / "demo")
    with serving({"demo": folder / "demo"}, load_encoder("starter")) as address:
        reader: Any = reader_on(1280, 800, at=address, device_scale_factor=1.5)
        reader.visit("?text=blood+film+with+sickle-shaped+red+cells")
        reader.settle()
        reader.page.evaluate("Promise.all([...document.images].slice(0, 20).map(image => image.decode()))")
        reader.page.screenshot(path=SCREENSHOT, type="jpeg", quality=85)
    assert SCREENSHOT.stat().st_size > 50_000
