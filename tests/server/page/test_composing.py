"""Asking with images of one's own, with figures that were found, and with several terms; and with hostile captions."""

from __future__ import annotations

import json

import pytest

from tests.server.page.atlas import HOSTILE, HOSTILE_ID, picture
from tests.server.page.conftest import Reader

GREEN = {"name": "green.png", "mimeType": "image/png", "buffer": picture("green", 3, (40, 30))}


@pytest.mark.parametrize("way", ["pick", "drop", "paste"])
def test_an_image_of_ones_own(reader: Reader, way: str) -> None:
    reader.visit("?text=red")
    reader.settle()
    if way == "pick":
        with reader.page.expect_file_chooser() as chooser:
            reader.page.click("#pick")
        chooser.value.set_files(GREEN)
    else:
        give(reader, way)
    reader.page.wait_for_selector("text=your image")
    reader.settle()
    assert reader.colours[:4] == ["green"] * 4
    assert "text" not in reader.query  # an image that is given replaces what was asked
    assert reader.query["plus"][0].startswith("image:")
    assert "green.png" not in reader.page.url  # names of files are private
    drawn = reader.page.evaluate(
        "[...document.querySelector('.term canvas').getContext('2d').getImageData(28, 28, 1, 1).data]"
    )
    assert drawn[1] > 200 > 60 > drawn[0]


def give(reader: Reader, way: str, target: str = "document.body") -> None:
    """Drop or paste the green image somewhere."""
    events = ["dragenter", "dragover", "drop"] if way == "drop" else ["paste"]
    reader.page.evaluate(
        f"""bytes => {{
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "green.png", {{ type: "image/png" }}));
            const where = {target};
            const event = (type) => type === "paste"
                ? new ClipboardEvent(type, {{ clipboardData: files, bubbles: true, cancelable: true }})
                : new DragEvent(type, {{ dataTransfer: files, bubbles: true, cancelable: true }});
            for (const type of {json.dumps(events)}) where.dispatchEvent(event(type));
        }}""",
        list(GREEN["buffer"]),
    )


def test_an_image_that_is_dropped_on_the_query_is_added_to_it(reader: Reader) -> None:
    reader.visit("?text=a+red+field")
    reader.settle()
    give(reader, "drop", "document.querySelector('#drop [data-how=add]')")
    reader.page.wait_for_selector("text=your image")
    reader.settle()
    assert reader.query["text"] == ["a red field"]
    assert reader.colours[0] == "yellow"  # red and green


def test_a_link_says_that_it_cannot_carry_an_image(reader: Reader) -> None:
    reader.visit()
    give(reader, "paste")
    reader.page.wait_for_selector(".card[data-id]")
    answer = reader.ids
    reader.page.reload()
    reader.page.wait_for_selector("text=a link cannot carry it")
    with reader.page.expect_file_chooser() as chooser:
        reader.page.click("text=Pick the image")
    chooser.value.set_files(GREEN)
    reader.page.wait_for_selector(".card[data-id]")
    assert reader.ids == answer
    reader.page.reload()
    reader.page.click("text=Ask without it")
    reader.page.wait_for_selector("text=What should the figure show?")


def test_an_image_is_still_there_when_one_goes_back(reader: Reader) -> None:
    reader.visit()
    give(reader, "paste")
    reader.page.wait_for_selector(".card[data-id]")
    reader.settle()
    answer = reader.ids
    reader.page.focus(f".card[data-id={answer[5]}] .open")
    reader.page.keyboard.press("m")
    reader.page.wait_for_selector(f"text=like {answer[5]}")
    reader.page.go_back()
    reader.page.wait_for_selector("text=your image")
    reader.settle()
    assert reader.ids == answer


def test_a_file_that_is_no_image_is_refused_in_words(reader: Reader) -> None:
    reader.visit()
    reader.page.set_input_files("#file", {"name": "notes.png", "mimeType": "image/png", "buffer": b"not a picture"})
    alert = reader.page.wait_for_selector("[role=alert]")
    assert "JPEG, PNG" in alert.inner_text()


def test_what_is_dropped_and_no_image_changes_nothing(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    before = reader.ids
    reader.page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"})
    reader.page.wait_for_selector("text=That is no image")
    assert reader.ids == before


def test_queries_are_composed_without_a_grammar(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.click("#keep")
    reader.ask('it\'s "blue"')
    body = reader.sent(lambda: reader.page.click("#avoid"))
    assert body["combine"] == '+ 1 * "red" - 1 * \'it’s "blue"\''
    body = reader.sent(lambda: reader.page.select_option("#weight-0", "2"))
    assert body["combine"].startswith('+ 2 * "red"')
    body = reader.sent(lambda: reader.page.click("#sign-1"))
    assert "+ 1 * 'it’s" in body["combine"]
    reader.settle()
    assert reader.query["plus"] == ["2*text:red", 'text:it\'s "blue"']
    reader.page.click("[aria-label='Remove red']")
    assert reader.chips == ['it\'s "blue"']
    reader.page.click("[aria-label^='Remove']")
    reader.page.wait_for_selector("text=What should the figure show?")
    assert reader.focused == "words"


def test_a_figure_asks_for_more_like_it_joins_and_is_excluded(reader: Reader) -> None:
    reader.visit("?text=blue")
    reader.settle()
    first, second, third = reader.ids[:3]
    reader.page.focus(f".card[data-id={first}] .open")
    assert reader.sent(lambda: reader.page.keyboard.press("m"))["figure"] == first
    reader.settle()
    assert first not in reader.ids
    assert reader.chips == [f"like {first}"]
    reader.page.focus(f".card[data-id={second}] .open")
    assert (
        reader.sent(lambda: reader.page.keyboard.press("+"))["combine"]
        == f'+ 1 * figure:"{first}" + 1 * figure:"{second}"'
    )
    reader.settle()
    reader.page.focus(f".card[data-id={third}] .open")
    assert reader.sent(lambda: reader.page.keyboard.press("-"))["combine"].endswith(f'- 1 * figure:"{third}"')
    reader.settle()
    assert not {first, second, third} & set(reader.ids)
    reader.page.focus(".card[data-id] .open")
    reader.page.keyboard.press("c")
    reader.page.wait_for_selector("text=like the caption of")
    reader.settle()
    assert len(reader.ids) > 10


def test_captions_are_text_whatever_they_say(reader: Reader) -> None:
    reader.visit("?text=red")
    card = reader.page.wait_for_selector(f'.card[data-id="{HOSTILE_ID.replace(chr(34), chr(92) + chr(34))}"]')
    assert card.query_selector(".caption").inner_text() == HOSTILE
    assert card.query_selector("img").get_attribute("alt") == HOSTILE
    card.query_selector(".open").click()
    reader.page.wait_for_selector("#viewer .full")
    assert reader.page.inner_text("#viewer .full") == HOSTILE
    assert reader.page.evaluate("document.querySelector('#viewer img').naturalWidth") == 150
    reader.page.click("text=By image")
    reader.page.wait_for_selector("#terms .words")
    reader.settle()
    assert reader.chips == [f"like {HOSTILE_ID}"]
    reader.page.click("#refine-button")
    reader.page.wait_for_selector("#facets fieldset")
    assert "<script>" in reader.page.inner_text("#facets")
    assert reader.page.evaluate("window.hacked") is None
    assert reader.page.locator("script:not([src])").count() == 0
