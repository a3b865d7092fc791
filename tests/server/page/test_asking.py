"""Asking with words: as one types, what the address says, and what comes late or goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.server.page.conftest import Reader

SEARCH = "**/search"


def test_figures_come_while_one_types(reader: Reader) -> None:
    reader.visit()
    assert "What should the figure show?" in reader.page.inner_text("#results")
    reader.page.keyboard.press("/")
    reader.page.keyboard.type("a blue field")
    reader.page.wait_for_url("**?text=a+blue+field")
    reader.page.wait_for_selector(".card[data-id]")
    reader.settle()
    assert reader.colours[:6] == ["blue"] * 6
    assert len(reader.ids) == 40
    reader.page.click("text=Show more")
    reader.page.wait_for_selector(".card[data-id] >> nth=47")
    assert reader.query["k"] == ["80"]


def test_words_are_never_algebra(reader: Reader) -> None:
    reader.visit()
    words = '2 * red - "blue" + green.png'
    assert reader.sent(lambda: reader.ask(words))["text"] == words


def test_a_link_asks_the_same_again(reader: Reader, reader_on: Callable[..., Reader]) -> None:
    reader.visit(
        "?index=other&text=red&target=captions&plus=2*text:a+blue+field&minus=figure:f04&where=year+%3E%3D+2003&unique=true"
    )
    reader.settle()
    other = reader_on(1000, 700)
    other.visit(reader.page.url.removeprefix(reader.address))
    other.settle()
    assert other.ids == reader.ids != []
    assert other.chips == ["a blue field", "like f04"]
    assert other.page.locator(".term.excluded .words").all_inner_texts() == ["like f04"]
    assert other.page.input_value("#words") == "red"
    assert other.page.is_checked("input[value=text]")


def test_back_and_forward_go_from_question_to_question(reader: Reader) -> None:
    reader.visit()
    reader.ask("red")
    first = reader.ids
    reader.ask("green")
    reader.page.check("input[value=text]", force=True)
    reader.page.wait_for_selector("ol.captions")
    reader.page.go_back()
    reader.page.wait_for_selector("ol.grid")
    assert reader.page.input_value("#words") == "green"
    reader.page.go_back()
    reader.page.wait_for_url("**?text=red")
    reader.settle()
    assert reader.ids == first
    reader.page.go_back()
    reader.page.wait_for_selector("text=What should the figure show?")
    reader.page.go_forward()
    reader.page.wait_for_selector(".card[data-id]")
    assert reader.page.input_value("#words") == "red"


def test_typing_is_one_step_however_many_keys(reader: Reader) -> None:
    reader.visit()
    before = reader.page.evaluate("history.length")
    for words in ("r", "re", "red"):
        reader.page.fill("#words", words)
        reader.page.wait_for_url(f"**?text={words}")
    assert reader.page.evaluate("history.length") == before + 1


def test_a_late_answer_never_replaces_a_newer_one(reader: Reader) -> None:
    reader.page.add_init_script("AbortController.prototype.abort = () => {};")  # the network has no mercy either
    reader.visit()
    held: list[Any] = []
    reader.page.route(
        SEARCH, lambda route: held.append(route) if route.request.post_data_json["text"] == "red" else route.continue_()
    )
    reader.page.fill("#words", "red")
    reader.page.wait_for_url("**?text=red")
    reader.ask("green")
    assert reader.colours[0] == "green"
    with reader.page.expect_response(SEARCH):
        held[0].continue_()
    reader.page.wait_for_timeout(100)
    assert reader.colours[0] == "green"


def test_a_question_that_is_no_longer_asked_is_given_up(reader: Reader) -> None:
    reader.visit()
    reader.page.route(
        SEARCH, lambda route: None if route.request.post_data_json["text"] == "red" else route.continue_()
    )
    with reader.page.expect_event("requestfailed") as given_up:
        reader.page.fill("#words", "red")
        reader.page.wait_for_url("**?text=red")
        reader.ask("green")
    assert given_up.value.post_data_json["text"] == "red"


def test_the_last_answer_stays_until_the_next_one_is_there(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    kept = reader.page.query_selector(".card[data-id=f08]")
    before = reader.ids
    held: list[Any] = []
    reader.page.route(SEARCH, lambda route: held.append(route))
    reader.page.fill("#words", "magenta")
    reader.page.wait_for_selector(".pane[aria-busy=true]")
    assert reader.ids == before
    held[0].continue_()
    reader.settle()
    assert reader.ids != before
    assert kept.is_visible()  # the same element, at its new place: its picture was not loaded again


def test_the_first_answer_is_waited_for_with_empty_frames(reader: Reader) -> None:
    held: list[Any] = []
    reader.page.route(SEARCH, lambda route: held.append(route))
    reader.visit("?text=red")
    assert reader.page.locator(".waiting .card").count() == 12
    held[0].continue_()
    reader.settle()
    assert reader.page.locator(".waiting").count() == 0


def test_an_error_is_the_servers_sentence_and_can_be_tried_again(reader: Reader) -> None:
    reader.visit("?text=red&where=nonsense+%3D+1")
    alert = reader.page.wait_for_selector("[role=alert]")
    assert "no column nonsense" in alert.inner_text()
    assert "journal" in alert.inner_text()  # the way out: the columns there are
    reader.page.route(SEARCH, lambda route: route.abort())
    reader.page.click("text=Try again")
    reader.page.wait_for_selector("text=The server cannot be reached")
    reader.page.unroute(SEARCH)
    reader.page.click("[aria-label='Give up the filter nonsense = 1']")
    reader.page.wait_for_selector(".card[data-id]")


def test_a_busy_server_is_asked_again(reader: Reader) -> None:
    answers = iter([{"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "busy"}}])
    reader.page.route(
        SEARCH, lambda route: route.fulfill(**busy) if (busy := next(answers, None)) else route.continue_()
    )
    reader.visit("?text=red")
    reader.page.wait_for_selector(".card[data-id]")


def test_a_server_that_is_still_opening_is_waited_for(reader: Reader) -> None:
    opening = iter([{"status": 503, "json": {"error": "still being opened"}}])
    reader.page.route(
        "**/api/indexes", lambda route: route.fulfill(**first) if (first := next(opening, None)) else route.continue_()
    )
    reader.visit("?text=red")
    assert "One moment" in reader.page.inner_text("#results")
    reader.page.wait_for_selector(".card[data-id]")


def test_an_index_that_was_built_anew_is_asked_again(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    for path in ("**/search", "**/api/indexes"):
        reader.page.route(path, built_anew)
    with reader.page.expect_response("**/api/indexes"):
        reader.ask("green")
    reader.page.wait_for_selector("text=of 7 figures")
    reader.settle()
    assert reader.colours[0] == "green"


def built_anew(route: Any) -> None:
    answer = route.fetch().json()
    for each in answer if isinstance(answer, list) else [answer]:
        each |= {"digest": "another", "figures": 7}
    route.fulfill(json=answer)


def test_no_more_is_asked_than_the_server_gives(reader: Reader) -> None:
    reader.page.route(
        "**/api/indexes", lambda route: route.fulfill(json=[each | {"max_k": 10} for each in route.fetch().json()])
    )
    reader.visit("?text=red")
    reader.settle()
    assert len(reader.ids) == 10
    assert not reader.page.is_visible("text=Show more")


def test_nothing_found_says_which_condition_to_give_up(reader: Reader) -> None:
    reader.visit("?text=red&where=year+%3E+3000&where=open+%3D+true")
    reader.page.wait_for_selector("text=No figures found")
    reader.page.click("text=Without year > 3000")
    reader.page.wait_for_selector(".card[data-id]")
    assert reader.query["where"] == ["open = true"]


def test_words_that_the_encoder_cuts_are_owned_up_to(reader: Reader) -> None:
    reader.visit()
    reader.ask("red " * 20)
    assert "the end of them was not asked" in reader.page.inner_text(".notice")


def test_captions_instead_of_figures(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.page.check("input[value=text]", force=True)
    reader.page.wait_for_selector("ol.captions .card")
    assert reader.query["target"] == ["text"]
    assert reader.colours[0] == "red"
