"""Arrays are the same picture wherever they are given: as a query, to an encoder, in a row of Python."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError, QueryError
from retrieval.images.pictures import open_picture
from retrieval.types import Figure, Skip

COLOURS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
GREY = COLOURS[..., 0]


def row_of(array: Any) -> Figure | Skip:
    """A row that holds the array, as a corpus of Python rows gives it."""
    corpus = open_corpus([{"image": array, "caption": "an array"}])
    (item,) = (item for split in corpus.split(10) for item in corpus.read(split))
    return item


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        pytest.param(COLOURS, COLOURS, id="uint8"),
        pytest.param(COLOURS.astype(np.int64), COLOURS, id="int64"),
        pytest.param(COLOURS / 255, COLOURS, id="shares"),
        pytest.param(COLOURS.astype(np.float32), COLOURS, id="floats to 255"),
        pytest.param(COLOURS.transpose(2, 0, 1), COLOURS, id="channels first"),
        pytest.param(torch.from_numpy(COLOURS).permute(2, 0, 1) / 255, COLOURS, id="tensor"),
        pytest.param(GREY, np.repeat(GREY[..., None], 3, axis=2), id="grey"),
        pytest.param(GREY[..., None], np.repeat(GREY[..., None], 3, axis=2), id="one channel"),
        pytest.param(GREY > 99, np.repeat(255 * (GREY > 99)[..., None], 3, axis=2), id="yes or no"),
    ],
)
def test_an_array_is_the_same_picture_as_a_query_and_as_a_row(array: Any, expected: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(np.asarray(open_picture(array)), expected)
    figure = row_of(array)
    assert isinstance(figure, Figure)
    assert figure.image is not None
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(figure.image)).convert("RGB")), expected)


@pytest.mark.parametrize("array", [COLOURS / 127 - 1, COLOURS * 1000.0, np.full((4, 4), np.nan)])
def test_what_was_normalised_for_a_model_is_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(QueryError, match=r"is no picture; give .*from 0 to 255 or from 0 to 1"):
        open_picture(array)
    with pytest.raises(CorpusError, match=r"is no picture; give pixels from 0 to 255 or from 0 to 1"):
        row_of(array)


@pytest.mark.parametrize(
    "array", [np.zeros((6, 5, 7), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), complex)]
)
def test_an_array_that_is_no_picture_is_refused_as_a_query_and_an_empty_image_in_a_row(
    array: np.ndarray[Any, Any],
) -> None:
    with pytest.raises(QueryError, match=r"the image: an array of .* is no picture; give"):
        open_picture(array)
    figure = row_of(array)
    assert isinstance(figure, Figure)
    assert figure.image == b""  # which is left out as an empty image is, with its captions kept
