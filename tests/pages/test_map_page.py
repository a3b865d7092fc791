"""The page of a map in a browser: hands, keys, fingers, search, and nothing that a collection says is ever run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retrieval.pages.map.draw_map import draw_map
from tests.doubles import ColourEncoder
from tests.listed import index_of
from tests.pages.test_map import COLUMNS, HOSTILE, collection

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SECONDS = 20
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
NEAREST = """kind => {
  const [width, height] = size();
  const near = p => Math.hypot(...onScreen(p).map((at, axis) => at - [width, height][axis] / 2));
  const apart = (one, other) => Math.hypot(...onScreen(one).map((at, axis) => at - onScreen(other)[axis]));
  const every = [...Array(points).keys()], lonely = p => every.every(other => other === p || apart(p, other) > 2);
  const all = every.filter(p => kindOf(p) === kind && figureOf(p).points.length > 1 && lonely(p));
  const point = all.sort((one, other) => near(one) - near(other))[0];
  const box = canvas.getBoundingClientRect(), [x, y] = onScreen(point);
  return {point, x: x + box.left, y: y + box.top, text: captionOf(point), of: figureOf(point).attribution};
}"""
"""Of the points of a kind that lie apart, the one nearest to the middle: its place and the words of its card."""

Look = Callable[[Any], None]


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    """Playwright belongs to the thread that started it, and another test's may be at work in the main one."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def browser(thread: ThreadPoolExecutor) -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright; pip install 'retrieval[dev]'")
    if not CHROMIUM.is_file():
        missing(f"{CHROMIUM}; apt-get install chromium, or say in $CHROMIUM where it is")
    playwright = thread.submit(lambda: sync_playwright().start()).result()
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", OFFLINE]
    yield thread.submit(playwright.chromium.launch, executable_path=str(CHROMIUM), args=options).result()
    thread.submit(playwright.stop).result()


def missing(what: str) -> None:
    if os.environ.get("RETRIEVAL_BROWSER_TESTS"):
        pytest.fail(f"the page cannot be tested without {what}", pytrace=False)
    pytest.skip(f"the page is tested in a browser: needs {what}")


@pytest.fixture(scope="module")
def html(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of figures of eight colours, one of which means harm. It needs the browser: nothing is drawn without."""
    folder = tmp_path_factory.mktemp("page")
    index_of(folder / "index", collection(24), encoder=ColourEncoder(), columns=COLUMNS, thumbnail=192)
    draw_map(folder / "index", folder / "map.html", colour=["licence", "year"])
    return folder / "map.html"


@pytest.fixture
def visit(browser: Any, html: Path, thread: ThreadPoolExecutor) -> Callable[..., None]:
    """Opens the page on some device and looks at it; nothing may have gone wrong or been asked for elsewhere."""

    def at(look: Look, width: int, height: int, options: dict[str, Any]) -> None:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
        page.goto(html.as_uri())
        page.wait_for_selector("#list li")
        look(page)
        context.close()
        assert not wrong

    def run(look: Look, width: int = 1100, height: int = 700, **options: Any) -> None:
        thread.submit(at, look, width, height, options).result()

    return run


def until(page: Any, expression: str) -> None:
    """Wait for something to be true: Playwright's own way evaluates text in the page, which its policy forbids."""
    for _ in range(SECONDS * 20):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {expression}")


def shown(page: Any) -> str:
    """The card's text once it is there."""
    page.wait_for_selector("#card:not([hidden])")
    text: str = page.inner_text("#card")
    return text


@pytest.mark.slow
def test_the_points_are_drawn_in_the_colours_of_the_legend(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        count = """colour => {
          draw();
          const pixels = brush.getImageData(0, 0, canvas.width, canvas.height).data;
          let found = 0;
          for (let at = 0; at < pixels.length; at += 4) {
            const far = Math.hypot(...colour.map((value, channel) => value - pixels[at + channel]));
            if (pixels[at + 3] > 200 && far < 16) found++;
          }
          return found;
        }"""
        blue, orange, vermillion = [0, 114, 178], [230, 159, 0], [213, 94, 0]
        assert page.inner_text("#groups").split("\n")[:4] == ["CC0", "18", "CC-BY", "6"]
        page.uncheck("#pictures")
        assert page.evaluate(count, blue) > 20 < page.evaluate(count, orange)
        assert page.evaluate(count, vermillion) == 0
        page.select_option("#colour", label="image or caption")
        assert page.evaluate(count, blue) > 20 < page.evaluate(count, vermillion)
        assert page.evaluate(count, orange) == 0

    visit(look)


def test_a_pointer_over_a_point_shows_it_and_a_click_keeps_it(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        page.uncheck("#pictures")
        at = page.evaluate(NEAREST, 0)
        page.mouse.move(at["x"], at["y"])
        text = shown(page)
        assert at["of"] in text
        assert at["text"].split("\n")[0] in text
        assert page.locator("#card img").evaluate("image => image.naturalWidth") == 128
        page.mouse.move(at["x"], page.viewport_size["height"] - 4)
        page.wait_for_selector("#card", state="hidden")
        page.mouse.click(at["x"], at["y"])
        page.mouse.move(at["x"], page.viewport_size["height"] - 4)
        assert at["of"] in shown(page)
        page.click("#card .ways button")
        assert page.evaluate("[kindOf(state.open), data.figure[state.open]]") == [
            1,
            page.evaluate(f"data.figure[{at['point']}]"),
        ]
        page.keyboard.press("Escape")
        page.wait_for_selector("#card", state="hidden")

    visit(look)


def test_a_caption_that_means_harm_is_shown_letter_by_letter(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        page.evaluate("openPoint(figures.find(figure => figure.id === 'harm').points[0])")
        assert page.locator("#card .captions p").first.evaluate("p => p.textContent") == f"red {HOSTILE}"
        page.fill("#words", "onerror")
        until(page, "document.querySelectorAll('#list li').length === 2")
        assert page.title() == "Map of index"
        assert page.locator("script").count() == 7
        assert page.locator("img[onerror]").count() == 0

    visit(look)


def test_words_leave_only_figures_whose_captions_hold_all_of_them(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        page.fill("#words", "FIELD  green")
        until(page, "document.querySelector('#found').textContent === '2 of 26 figures'")
        until(page, "document.querySelectorAll('#list li').length < 10")
        lines = page.locator("#list li").all_inner_texts()
        assert len(lines) == 5
        assert all("green" in line for line in lines)
        page.fill("#words", "nowhere")
        until(page, "document.querySelector('#count').textContent === 'nothing'")

    visit(look)


def test_marks_and_groups_can_be_put_away(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        everything = page.evaluate("inView().length")
        page.click("#kinds button:has-text('captions')")
        assert page.get_attribute("#kinds button:has-text('captions')", "aria-pressed") == "false"
        assert page.evaluate("inView().every(point => kindOf(point) === IMAGE)")
        page.click("#groups button:has-text('CC-BY')")
        assert page.evaluate("inView().length") == 25 - 6
        page.select_option("#colour", label="year")
        page.click("#kinds button:has-text('captions')")
        assert page.evaluate("inView().length") == everything
        assert page.locator("#groups button").count() == 7 + 1

    visit(look)


def test_the_keyboard_moves_the_map_and_opens_points(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        page.focus("#map")
        start = page.evaluate("[...state.middle, state.scale]")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("+")
        right, down, scale = page.evaluate("[...state.middle, state.scale]")
        assert right > start[0]
        assert down == start[1]
        assert scale > start[2]
        page.keyboard.press("0")
        assert page.evaluate("[...state.middle, state.scale]") == start
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "card"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "map"
        assert page.is_hidden("#card")

    visit(look)


def test_the_list_names_what_is_in_view_and_leads_there_and_back(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        first = page.locator("#list button").first
        first.focus()
        assert first.locator(".words").evaluate("words => words.lastChild.data") in shown(page)
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "card"
        page.keyboard.press("Escape")
        assert first.evaluate("line => line === document.activeElement")
        page.click("#more")
        assert page.locator("#list li").count() == page.evaluate("inView().length")
        assert page.evaluate("[...document.querySelectorAll('#list button')].indexOf(document.activeElement)") == 30

    visit(look)


def test_wheel_and_drag_keep_the_point_under_the_pointer(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        at = page.evaluate(NEAREST, 0)
        page.mouse.move(at["x"], at["y"])
        page.mouse.wheel(0, -500)
        until(page, "state.scale > 1.5")
        after = page.evaluate(f"onScreen({at['point']})")
        box = page.locator("#map").bounding_box()
        assert after == pytest.approx([at["x"] - box["x"], at["y"] - box["y"]], abs=2)
        page.mouse.down()
        page.mouse.move(at["x"] + 90, at["y"] - 40, steps=4)
        page.mouse.up()
        moved = page.evaluate(f"onScreen({at['point']})")
        assert moved == pytest.approx([after[0] + 90, after[1] - 40], abs=0.5)
        assert page.evaluate("state.open") == -1

    visit(look)


def test_two_fingers_zoom_and_one_opens(visit: Callable[..., None]) -> None:
    def look(page: Any) -> None:
        page.evaluate("byId('pictures').click()")
        until(page, "pictures.length === 0")
        at = page.evaluate(NEAREST, 0)
        page.touchscreen.tap(at["x"], at["y"])
        assert page.evaluate("state.open") == at["point"]
        assert page.locator("#card").bounding_box()["width"] > 330
        page.tap("#card .head button")
        assert page.is_hidden("#card")
        before = page.evaluate("state.scale")
        fingers = page.context.new_cdp_session(page)

        def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (150, 400), (210, 400))
        for apart in (10, 20, 30):
            touch("touchMove", (150 - apart, 400), (210 + apart, 400))
        touch("touchEnd")
        until(page, f"state.scale > {before} * 1.8")
        assert page.evaluate("state.open") == -1

    visit(look, 390, 844, has_touch=True, is_mobile=True)


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 390), ("light", 320)])
def test_axe_finds_no_fault_and_nothing_is_wider_than_the_screen(
    visit: Callable[..., None], theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")

    def look(page: Any) -> None:
        page.click(".about summary")
        page.evaluate("openPoint(0)")
        report = axe.Axe().run(page).response["violations"]
        assert [(fault["id"], node["html"]) for fault in report for node in fault["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    visit(look, width, 700, color_scheme=theme)
