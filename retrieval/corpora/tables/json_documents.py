"""Rows of JSON that is not one object a line: lists, objects by file name, tables of pandas, conversations."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.columns import CAPTIONS, FIGURE_ID, IMAGE, assign_roles, first_of
from retrieval.corpora.tables.image_paths import where_images_are
from retrieval.corpora.tables.json_values import JsonValues, NoRow
from retrieval.corpora.tables.plain_text import PlainText
from retrieval.corpora.tables.spooled_rows import SpooledRows
from retrieval.corpora.tables.table import TableRows
from retrieval.corpora.tables.text_rows import LONGEST, Row, answered, json_lines, parse_json
from retrieval.corpora.tables.values import name_in
from retrieval.errors import CorpusError

SOME = 8
"""Lines that are looked at to learn whether each is an object."""


def json_table(path: Path, encoding: str | None = None) -> TableRows:
    """The rows of a JSON file, whatever its suffix says of lines. CorpusError where none can be made out."""
    text = PlainText(path, encoding)
    if _has_a_row_a_line(text):
        return json_lines(path, encoding)
    rows = SpooledRows(path, partial(_rows_of, text))
    if not rows.columns:
        raise CorpusError(
            f"{path}: holds no rows of images and captions; give a list of objects, an object by file name, or a JSON "
            "object a line"
        )
    return rows


def _has_a_row_a_line(text: PlainText) -> bool:
    """The first lines of a .json file, or any of those of a .jsonl file, are rows."""
    with text.opened() as file:
        lines = [line for line in (file.readline(LONGEST) for _ in range(SOME)) if line.strip()]
    if not lines or lines[0].lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
        return not lines
    first, *others = map(parse_json, lines)
    named_lines = not text.path.name.lower().removesuffix(".gz").endswith(".json")
    if others:
        return isinstance(first, dict) or (named_lines and any(isinstance(other, dict) for other in others))
    if not named_lines or not isinstance(first, dict):
        return False
    roles = assign_roles(first, "")
    return bool(roles.image or roles.captions) and _of_columns(first) is None


def _rows_of(text: PlainText) -> Iterator[Row | str]:
    with text.opened() as file:
        document = JsonValues(io.TextIOWrapper(file, "utf-8", "surrogateescape"), text)
        for value in document.values():
            row = _listed(value)
            if document.alone and isinstance(row, dict):
                yield from map(_listed, _inside(row, text.path.parent))
            else:
                yield row


def _listed(value: Any) -> Row | str:
    """A value of a list as a row: an object, or a list of cells."""
    if isinstance(value, dict):
        return answered(value)
    if isinstance(value, list) and value:
        return {f"column_{number}": cell for number, cell in enumerate(value, start=1)}
    return value if isinstance(value, NoRow) else "row is not a JSON object"


def _inside(whole: Row, folder: Path) -> Iterator[Any]:
    """The rows in an object that is all the file holds."""
    if _has_both(whole):
        columnar = _of_columns(whole)
        yield from [whole] if columnar is None else columnar
    elif isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):  # pandas' orient="split"
        names = [str(name) for name in whole["columns"]]
        yield from (dict(zip(names, cells, strict=False)) for cells in whole["data"] if isinstance(cells, list))
    elif _by_file(whole, folder):
        yield from (_of_file(name, value) for name, value in whole.items())
    elif (joined := _annotated(whole)) is not None:
        yield from joined
    else:
        yield from _one_level_in(whole, folder)


def _has_both(row: Mapping[str, Any]) -> bool:
    roles = assign_roles(row, "")
    return roles.image is not None and bool(roles.captions)


def _of_columns(whole: Row) -> Iterator[Row] | None:
    """The rows of an object of columns, each a list or, as pandas writes it, an object by row."""
    kinds = {(type(value), len(value)) if isinstance(value, list | dict) else None for value in whole.values()}
    if len(kinds) != 1 or None in kinds:
        return None
    some = next(iter(whole.values()))
    keys: list[Any] = list(some) if isinstance(some, dict) else list(range(len(some)))
    if isinstance(some, dict) and any(list(value) != keys for value in whole.values()):
        return None
    return ({name: values[key] for name, values in whole.items()} for key in keys)


def _by_file(whole: Row, folder: Path) -> bool:
    """The keys are names of image files, or of files beside the table that lack their suffix."""
    if not whole or not all(isinstance(value, str | list | dict) for value in whole.values()):
        return False
    some = list(whole)[:20]
    named = sum(posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES for name in some)
    if named * 2 > len(some):
        return True
    images = where_images_are(folder, some, None, anywhere=False)
    return all(images.find(name) for name in some)


def _of_file(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {"key": name, **value} if first_of(IMAGE, value) else {"image": name, **value}
    return {"image": name, "caption": value}


def _annotated(whole: Row) -> list[Any] | None:
    """Images and annotations as COCO has them, joined: a row for each image, with its captions."""
    images, annotations = whole.get("images"), whole.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        return None
    captions: dict[str, list[Any]] = {}
    for one in annotations:
        if isinstance(one, dict) and (key := name_in(one.get("image_id"))) and (named := first_of(CAPTIONS, one)):
            captions.setdefault(key, []).append(one[named])
    if not captions:
        return None
    rows: list[Any] = []
    for image in images:
        own_id = name_in(image.get(first_of(FIGURE_ID, image) or "")) if isinstance(image, dict) else None
        rows.append({**image, "caption": captions.pop(own_id, [])} if own_id is not None else image)
    return rows + [NoRow("caption of no listed image")] * sum(map(len, captions.values()))


def _one_level_in(whole: Row, folder: Path) -> Iterator[Any]:
    """The rows of the one list in the object, or of the lists that have images and captions: one for each split."""
    found: dict[str, list[Any]] = {}
    for name, value in whole.items():
        if isinstance(value, dict) and _by_file(value, folder):
            found[name] = [_of_file(*item) for item in value.items()]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            found[name] = value
        elif isinstance(value, dict) and all(isinstance(item, dict) for item in whole.values()):
            found.setdefault("", []).append({"key": name, **value})
    whole_rows = {
        name: rows
        for name, rows in found.items()
        if _has_both({key: 0 for row in rows[:20] if isinstance(row, dict) for key in answered(row)})
    }
    for name, rows in (whole_rows or (found if len(found) == 1 else {})).items():
        several = len(whole_rows) > 1
        yield from ({"split": name, **row} if several and isinstance(row, dict) else row for row in rows)
