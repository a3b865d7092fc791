"""The JSON contract of BiomedCLIP's Azure endpoint: a table of images and labels in, probabilities out.

The request is a pandas table in its `split` form, the answer one object a row:

    {"input_data": {"columns": ["image", "text"], "index": [0, 1],
                    "data": [["<base64>", "chest X-ray, brain MRI"], ["<base64>"]]}}
    [{"probs": [0.98, 0.02], "labels": ["chest X-ray", "brain MRI"]}, ...]

Read in Azure/azureml-assets, assets/models/system/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224 (description.md: this
request and answer; MLmodel: `image` binary, `text` string, both required). How labels are parsed is published for the
CLIP models of the same task only (openai-clip-vit-base-patch32/description.md and the model's wrapper there, and the
sample notebook of Azure/azureml-examples): split at commas, stripped, blank ones dropped, used as the whole text; those
of the first row count for all rows, whose own text may be missing; base64 may be broken into lines.

Two differences, on purpose: a row that has a text of its own is asked with its own labels rather than silently with
the first row's, and an image that is a URL is refused, because nothing is fetched from the network here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from retrieval.classification.classify import check_labels, check_templates, classify, image_encoder
from retrieval.errors import QueryError
from retrieval.images.decode import MAX_PIXELS
from retrieval.types import Encoder, Figure, Skip


def classify_table(
    request: object,
    encoder: str | Encoder = "biomedclip",
    *,
    templates: Sequence[str] = ("{}",),
    resize: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> list[dict[str, Any]]:
    """The answer to one request: for each row `probs`, in the order of its `labels`.

    Raises QueryError naming the row and column of whatever does not fit the contract or cannot be read as an image.
    """
    check_templates(templates)
    rows = _request_rows(request)
    asked: dict[tuple[str, ...], list[int]] = {}
    first: tuple[str, ...] = ()
    for number, row in enumerate(rows):
        labels = _labels(row.get("text"), number) or first
        first = first or labels
        try:
            check_labels(labels)
        except QueryError as error:
            raise QueryError(f"{_place(number)}, column text: {error}") from None
        asked.setdefault(labels, []).append(number)
    figures = [_row_figure(row.get("image"), number) for number, row in enumerate(rows)]
    model = image_encoder(encoder, resize)
    answers: list[dict[str, Any]] = [{}] * len(rows)
    for labels, numbers in asked.items():
        said = classify(
            (figures[number] for number in numbers), labels, model, templates=templates, max_pixels=max_pixels
        )
        for number, answer in zip(numbers, said, strict=True):
            if isinstance(answer, Skip):
                raise QueryError(
                    f"{answer.uri}, column image: {answer.reason}; give a JPEG, PNG, TIFF, GIF, BMP or WebP"
                )
            answers[number] = {"probs": answer.probabilities.tolist(), "labels": list(labels)}
    return answers


def _request_rows(request: object) -> list[dict[str, Any]]:
    """The rows of `data` as {column: cell}, a cell that a short row lacks left out."""
    table = request.get("input_data") if isinstance(request, Mapping) else None
    if not isinstance(table, Mapping):
        raise QueryError('the request has no table; give {"input_data": {"columns": ..., "index": ..., "data": ...}}')
    columns, data, index = table.get("columns"), table.get("data"), table.get("index")
    if not isinstance(columns, list) or not {"image", "text"} <= {name for name in columns if isinstance(name, str)}:
        raise QueryError(f"input_data.columns is {columns!r}; it must name the columns image and text")
    if not isinstance(data, list) or not data:
        raise QueryError("input_data.data has no rows; give one row an image, [image, text]")
    if index is not None and (not isinstance(index, list) or len(index) != len(data)):
        raise QueryError(f"input_data.index does not have one entry for each of the {len(data)} rows; leave it out")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) > len(columns):
            raise QueryError(f"{_place(number)}: not a row of at most {len(columns)} cells; give [image, text]")
    return [dict(zip(columns, row, strict=False)) for row in data]


def _labels(text: object, number: int) -> tuple[str, ...]:
    if text is not None and not isinstance(text, str):
        raise QueryError(f"{_place(number)}, column text: {text!r} is no text; give the labels, separated by commas")
    return tuple(label for part in (text or "").split(",") if (label := part.strip()))


def _row_figure(image: object, number: int) -> Figure:
    try:
        data = base64.b64decode("".join(str(image).split()), validate=True) if isinstance(image, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise QueryError(
            f"{_place(number)}, column image: not base64; give the image file's bytes so, not a path or URL"
        )
    return Figure(_place(number), data, (), _place(number))


def _place(number: int) -> str:
    return f"input_data.data[{number}]"
