"""Figures: the grid, the enlarged view, the keys, and what stands beside a picture."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from tests.server.page.conftest import Reader

BOXES = """cards => cards.map(card => {
    const box = card.querySelector(".picture").getBoundingClientRect();
    const outer = card.parentElement.getBoundingClientRect();
    return {top: Math.round(box.top + scrollY), left: box.left - outer.left, right: outer.right - box.right,
            height: box.height, fit: getComputedStyle(card.querySelector("img")).objectFit};
})"""


def rows(reader: Reader) -> list[list[dict[str, Any]]]:
    boxes = reader.page.eval_on_selector_all(".card[data-id]", BOXES)
    return [list(row) for _, row in groupby(boxes, key=lambda box: box["top"])]


@pytest.mark.parametrize("width", [320, 390, 1280, 2560])
def test_rows_are_justified_and_no_picture_is_cropped(reader: Reader, width: int) -> None:
    reader.page.set_viewport_size({"width": width, "height": 800})
    reader.visit("?text=red")
    reader.settle()
    found = rows(reader)
    assert sum(map(len, found)) == 40
    for row in found:
        assert all(box["fit"] == "contain" for box in row)
        assert max(box["height"] for box in row) - min(box["height"] for box in row) < 1.5
        assert abs(row[0]["left"]) < 1
    for row in (row for row in found[:-1] if len(row) > 1):
        assert abs(row[-1]["right"]) < 1.5
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_figure_says_what_it_is_and_on_what_terms(reader: Reader) -> None:
    reader.visit("?text=red")
    card = reader.page.locator(".card[data-id=f09]")
    assert card.locator("img").get_attribute("alt") == "a green field, number 9"
    meta = card.locator(".meta")
    assert "Figure 1" in meta.inner_text()
    assert "CC-BY-4.0" in meta.inner_text()
    link = meta.locator("a")
    assert link.get_attribute("href") == "https://doi.org/10.1000/3"
    assert link.get_attribute("target") == "_blank"
    assert "noopener" in link.get_attribute("rel")
    assert "cosine" in card.locator(".standing").get_attribute("title")


def test_arrows_walk_among_figures(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.focus("#words")
    reader.page.keyboard.press("ArrowDown")
    ids = reader.ids
    assert reader.focused == ids[0]
    reader.page.keyboard.press("ArrowRight")
    reader.page.keyboard.press("ArrowRight")
    reader.page.keyboard.press("ArrowLeft")
    assert reader.focused == ids[1]
    first = len(rows(reader)[0])
    reader.page.keyboard.press("ArrowDown")
    assert first <= ids.index(reader.focused) < first + len(rows(reader)[1])
    reader.page.keyboard.press("ArrowUp")
    assert reader.focused in ids[:first]
    reader.page.keyboard.press("End")
    assert reader.focused == ids[-1]
    reader.page.keyboard.press("Home")
    assert reader.focused == ids[0]
    reader.page.keyboard.press("Tab")
    assert reader.focused == ids[0]  # on to what one can do with this figure, not through all the others
    reader.page.keyboard.press("/")
    assert reader.focused == "words"


def test_enter_enlarges_and_escape_goes_back_to_where_one_was(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.focus(".card[data-id=f16] .open")
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_selector("#viewer[open]")
    assert reader.focused == "Close (Esc)"
    for _ in range(30):
        reader.page.keyboard.press("Tab")
        assert reader.page.evaluate(
            "document.activeElement === document.body || document.activeElement.closest('#viewer') !== null"
        )
    reader.page.keyboard.press("Escape")
    reader.page.wait_for_selector("#viewer:not([open])", state="attached")
    assert reader.focused == "f16"
    assert "open" not in reader.query


def test_an_enlarged_figure_shows_everything_that_is_known(reader: Reader) -> None:
    reader.visit("?text=red&open=f40")
    reader.page.wait_for_selector("#viewer[open] dl")
    assert reader.page.locator("#viewer .full").all_inner_texts() == ["a red field, number 40", "the red one again"]
    told = reader.page.inner_text("#viewer dl")
    for fact in ("f40", "PMC1013", "300 × 60", "f40.png", "Cell, Host and Microbe", "2013"):
        assert fact in told
    footer = reader.page.locator("#viewer .terms-of-use")
    assert "licence unknown" in footer.inner_text().lower()
    assert footer.locator("a").get_attribute("href") == "https://doi.org/10.1000/13"


@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (844, 390), (1280, 800)])
def test_the_attribution_is_always_in_sight_when_a_figure_is_enlarged(reader: Reader, width: int, height: int) -> None:
    reader.page.set_viewport_size({"width": width, "height": height})
    reader.visit("?text=red&open=f41")
    reader.page.wait_for_selector("#viewer[open] .attribution")
    box = reader.page.locator("#viewer .attribution").bounding_box()
    picture = reader.page.locator("#viewer .look img").bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] <= height
    assert 0 <= picture["y"] < picture["y"] + picture["height"] <= box["y"]
    assert picture["height"] >= 40
    assert "CC-BY-4.0" in reader.page.inner_text("#viewer .attribution")


def test_back_closes_an_enlarged_figure_and_arrows_go_to_the_next(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.locator(".card[data-id] .open").first.click()
    reader.page.wait_for_selector("#viewer[open]")
    assert reader.page.is_disabled("[aria-label^='Previous figure']")
    reader.page.keyboard.press("ArrowRight")
    reader.page.wait_for_selector("[aria-label^='Previous figure']:enabled")
    assert reader.query["open"] == [reader.ids[1]]
    reader.page.go_back()
    reader.page.wait_for_selector("#viewer:not([open])", state="attached")
    assert reader.focused == reader.ids[1]
    assert reader.query == {"text": ["red"]}


def test_a_link_to_an_enlarged_figure_opens_it_even_where_it_was_not_found(reader: Reader) -> None:
    reader.visit("?text=red&k=3&open=f02")
    reader.page.wait_for_selector("#viewer[open] .full")
    assert reader.page.inner_text("#viewer .full") == "a blue field, number 2"
    reader.page.keyboard.press("Escape")
    reader.page.wait_for_selector("#viewer:not([open])", state="attached")
    reader.visit("?text=red&open=gone")
    reader.page.wait_for_selector("#viewer [role=alert]")
    assert "gone: no such figure" in reader.page.inner_text("#viewer [role=alert]")
    reader.page.click("#viewer .leave")


@pytest.mark.parametrize(
    ("button", "chip"), [("By image", "like f03"), ("By caption", "like the caption of f03"), ("Add", "like f03")]
)
def test_one_goes_on_from_an_enlarged_figure(phone: Reader, button: str, chip: str) -> None:
    phone.visit("?text=magenta")
    phone.settle()
    phone.page.tap(".card[data-id=f03] .open")
    phone.page.tap(f"#viewer button:text-is('{button}')")
    phone.page.wait_for_selector("#viewer:not([open])", state="attached")
    phone.settle()
    assert phone.page.locator(".term .words").all_inner_texts() == [chip]
    assert ("text" in phone.query) == (button == "Add")


def test_a_figure_without_a_picture_shows_its_caption(reader: Reader) -> None:
    def without(route: Any) -> None:
        answer = route.fetch().json()
        for hit in answer["hits"]:
            hit |= {"thumbnail": None, "width": None, "height": None, "link": "javascript:alert(1)"}
        route.fulfill(json=answer)

    reader.page.route("**/search", without)
    reader.visit("?text=red")
    reader.settle()
    assert reader.page.locator(".picture.without").count() == 40
    assert reader.page.locator(".card a").count() == 0
    reader.page.locator(".card[data-id] .open").first.click()
    reader.page.wait_for_selector("text=holds no picture of the figure")


def test_originals_are_shown_enlarged_where_the_server_gives_them(reader: Reader) -> None:
    def with_originals(route: Any) -> None:
        answer = route.fetch().json()
        for hit in answer["hits"]:
            hit["original"] = hit["thumbnail"].replace("/thumbnail", "/original")
        route.fulfill(json=answer)

    reader.page.route("**/search", with_originals)
    reader.visit("?text=red")
    reader.settle()
    with reader.page.expect_response("**/original?*") as original:
        reader.page.locator(".card[data-id] .open").first.click()
    assert original.value.status == 404  # this server has none after all
    reader.page.wait_for_selector("#viewer img[src*='/thumbnail']")


def test_all_keys_are_listed(reader: Reader) -> None:
    reader.visit()
    reader.page.keyboard.press("?")
    reader.page.wait_for_selector("#help[open]")
    assert "more like this figure" in reader.page.inner_text("#help")
    reader.page.keyboard.press("Escape")
    reader.page.wait_for_selector("#help:not([open])", state="attached")
