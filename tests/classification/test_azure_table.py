"""The endpoint's contract: what a published request gets, and one sentence for each way not to fit it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from retrieval.classification.azure_table import classify_table
from retrieval.classification.classify import classify
from retrieval.errors import EncoderError, QueryError
from tests.doubles import ColourEncoder
from tests.listed import Rgb, figure, png

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(colour: Rgb) -> str:
    """As the endpoint's sample notebook does: broken into lines of 76 characters."""
    text = base64.encodebytes(png(colour, (20, 20))).decode()
    assert text.count("\n") > 1
    return text


def request(*rows: Any, columns: Any = ("image", "text"), **more: Any) -> dict[str, Any]:
    return {"input_data": {"columns": list(columns), "index": list(range(len(rows))), "data": list(rows)} | more}


def test_a_request_gets_probabilities_in_the_order_of_its_labels() -> None:
    answer = classify_table(request([encoded(RED), "blue, red"], [encoded(BLUE), "blue, red"]), ColourEncoder())
    assert [row["labels"] for row in answer] == [["blue", "red"]] * 2
    assert [row["probs"][0] > 0.5 for row in answer] == [False, True]
    assert [sum(row["probs"]) for row in answer] == pytest.approx([1, 1])
    (expected,) = classify([figure("red", RED)], ["blue", "red"], ColourEncoder(), templates=["{}"])
    assert answer[0]["probs"] == pytest.approx(expected.probabilities.tolist(), abs=1e-9)
    assert json.loads(json.dumps(answer)) == answer


def test_rows_without_text_take_the_labels_of_the_first_and_others_their_own() -> None:
    rows = [[encoded(RED), " red ,, blue,"], [encoded(BLUE)], [encoded(RED), "white, green, red"], [encoded(RED), None]]
    answer = classify_table(request(*rows), ColourEncoder())
    assert [row["labels"] for row in answer] == [["red", "blue"]] * 2 + [["white", "green", "red"], ["red", "blue"]]
    assert [row["labels"][int(np.argmax(row["probs"]))] for row in answer] == ["red", "blue", "red", "red"]


def test_columns_may_stand_in_any_order_with_others_and_without_an_index() -> None:
    table = request(["x", "red, blue", encoded(BLUE)], columns=("note", "text", "image"))
    del table["input_data"]["index"]
    assert classify_table(table, ColourEncoder())[0]["probs"][1] > 0.5


def test_templates_are_put_around_the_labels_where_asked() -> None:
    plain, templated = (
        classify_table(request([encoded(RED), "red, blue"]), ColourEncoder(), templates=[template])[0]["probs"]
        for template in ("{}", "{} on black")
    )
    assert plain != templated


GOOD = [encoded(RED), "red, blue"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "the request has no table"),
        ({"data": []}, "the request has no table"),
        ({"input_data": [GOOD]}, "the request has no table"),
        (request(GOOD, columns=("image", "label")), "it must name the columns image and text"),
        ({"input_data": {"columns": "image", "data": [GOOD]}}, "it must name the columns image and text"),
        (request(), "data has no rows"),
        (request(GOOD, index=[0, 1]), "index does not have one entry for each of the 1 rows"),
        (request(GOOD, {"image": "x"}), r"data\[1\]: not a row of at most 2 cells"),
        (request(GOOD, [*GOOD, "more"]), r"data\[1\]: not a row of at most 2 cells"),
        (request([encoded(RED)]), r"data\[0\], column text: at least two labels"),
        (request([encoded(RED), "red"]), r"data\[0\], column text: at least two labels"),
        (request(GOOD, [encoded(RED), "red, Red"]), r"data\[1\], column text: the label Red is there twice"),
        (request([encoded(RED), ["red", "blue"]]), r"data\[0\], column text: .* is no text"),
        (request(GOOD, ["https://example.org/a.png"]), r"data\[1\], column image: not base64"),
        (request([None, "red, blue"]), r"data\[0\], column image: not base64"),
        (request(["", "red, blue"]), r"data\[0\], column image: not base64"),
        (request(GOOD, ["d29yZHM="]), r"data\[1\], column image: not an image"),
    ],
)
def test_a_request_that_does_not_fit_is_told_where(wrong: object, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        classify_table(wrong, ColourEncoder())


def test_an_open_encoder_keeps_its_resize_mode() -> None:
    with pytest.raises(EncoderError, match="resize mode of its own"):
        classify_table(request(GOOD), ColourEncoder(), resize="pad")
