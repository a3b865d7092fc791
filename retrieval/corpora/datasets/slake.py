"""SLAKE: figures with questions about them, and the modality and the organ that they show; no captions."""

from __future__ import annotations

import re
from typing import Any

from retrieval.corpora.datasets.folder_listing import ImageFiles, Listing, objects, read_json_file, relative
from retrieval.corpora.datasets.row_lists import DatasetRows, ListedRows
from retrieval.corpora.tables.text_rows import Row
from retrieval.corpora.tables.values import name_in

_SPLIT = re.compile(r"(train|validate|validation|test)\.json", re.I)
_ASKED = ("qid", "question", "answer", "q_lang", "answer_type", "base_type", "content_type", "triple")


def find_slake(listing: Listing) -> DatasetRows | None:
    """train.json, validate.json, test.json: lists of objects with `img_name`, `question`, `answer` and `qid`."""
    tables = []
    images: ImageFiles | None = None
    for folder, name in listing.named(_SPLIT):
        path = listing.path(folder, name)
        questions = objects(read_json_file(path))
        if questions and {"img_name", "question", "answer", "qid"} <= questions[0].keys():
            images = images or ImageFiles(listing.root)
            split = name.rpartition(".")[0].lower()
            tables.append(ListedRows(path, _figures(questions, split, folder, images)))
    return DatasetRows("slake", listing.root, tables, captions=False) if tables else None


def _figures(questions: list[dict[str, Any]], split: str, folder: str, images: ImageFiles) -> list[Row | str]:
    """One row for each image, in the order of their first questions."""
    figures: dict[str, Row] = {}
    nameless: list[Row | str] = []
    for question in questions:
        name = name_in(question.get("img_name"))
        if name is None:
            nameless.append("question names no image")
            continue
        if name not in figures:
            kept = {key: value for key, value in question.items() if key not in ("img_name", *_ASKED)}
            path = images.find(name) or f"imgs/{name}"
            figures[name] = {**kept, "image": relative(path, folder), "split": split, "questions": []}
            figures[name]["figure_id"] = name.rpartition("/")[0] or name
        figures[name]["questions"].append({key: question[key] for key in _ASKED if key in question})
    return [*figures.values(), *nameless]
