"""What the columns of a table mean by what they hold, where their names do not say it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Protocol
from urllib.parse import urlsplit

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.columns import Roles, assign_roles, plain_name
from retrieval.corpora.tables.image_paths import where_images_are
from retrieval.corpora.tables.values import captions_in, name_in
from retrieval.errors import CorpusError

LOOKED_AT = 200
"""Rows that are looked at."""

FILES = 20
"""Values of a column that are looked for as files."""

MOST = 0.9
"""Share of a column's values that must be alike to say what it holds."""

WORDS = 3
"""Words of a caption; of a language without spaces, characters count for words by fours."""

_LETTERS = re.compile(r"[^\W\d_]{2,}")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}")
_URL = re.compile(r"(https?|ftp|s3|gs)://\S+", re.I)
_IMAGES = re.compile("image|img|photo|picture|thumb|figure", re.I)


class Columns(Protocol):
    """Of the rows of a table, as much as is needed to look at them."""

    @property
    def path(self) -> Path: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def file_columns(self) -> Sequence[str]: ...

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]: ...


def roles_of(
    rows: Columns,
    image_column: str | None = None,
    caption_columns: Sequence[str] = (),
    image_root: Path | None = None,
    *,
    images_only: bool = False,
) -> tuple[Roles, tuple[str, ...]]:
    """The roles of a table's columns, and in sentences what was decided by what they hold.

    Who names a column decides; else their names do; else that one column alone holds paths of images that are there,
    or one alone texts. Raises CorpusError where nothing decides, where images are only named by URL, and where texts
    that nobody named would be lost, unless `images_only` says that they may be.
    """
    where = str(rows.path)
    roles = assign_roles(rows.columns, where, image_column, caption_columns)
    if roles.image is None and rows.file_columns:
        roles = replace(roles, image=rows.file_columns[0])
    looked_at = _Content(rows)
    if roles.image and image_column is None and (file_column := looked_at.instead_of(roles.image, image_root)):
        roles = replace(roles, image=file_column, figure_id=roles.figure_id or roles.image)
    embedded = roles.image in rows.file_columns
    if roles.captions and embedded:
        return roles, ()
    if roles.image and not embedded and image_column is None and looked_at.only_urls(roles.image):
        if not caption_columns:
            raise CorpusError(_only_urls(rows.path, roles.image, roles.captions))
        roles = replace(roles, image=None)
    notes: list[str] = []
    if roles.image is None and (found := looked_at.images(roles.captions, image_root)):
        rest = [name for name in rows.columns if name != found]
        roles = replace(assign_roles(rest, where, None, roles.captions), image=found, captions=roles.captions)
        notes.append(f"column {found!r} names the images, as files are there that are called so")
    if roles.image is None and not caption_columns:
        for name in rows.columns:
            if looked_at.only_urls(name, of_images=True):
                raise CorpusError(_only_urls(rows.path, name, roles.captions))
    named = bool(caption_columns) or not roles.captions
    if roles.image is None and not named and (images := looked_at.look_like_images()):
        raise CorpusError(
            f"{rows.path}: {_listed(images)} {_verb(images)} images, which one, or where they are, cannot be told; name"
            " the column with image_column and their folder with image_root, or caption_columns to index the captions "
            f"alone; its columns are {', '.join(map(repr, rows.columns))}"
        )
    if not roles.captions and not images_only:
        others = {roles.image, roles.figure_id, roles.article_id}
        texts, phrases = looked_at.texts(others, WORDS), looked_at.texts(others, 1)
        if len(texts) == 1 and roles.image:
            roles = replace(roles, captions=tuple(texts))
            notes.append(f"column {texts[0]!r} holds the captions, as no other holds texts")
        elif phrases or not roles.image:
            raise CorpusError(_undecided(rows, roles, texts or phrases, looked_at))
        else:
            notes.append("no column looks like captions, so that its images have none")
    return roles, tuple(notes)


class _Content:
    """The first rows of a table, read when they are needed."""

    def __init__(self, rows: Columns) -> None:
        self._rows = rows
        self._columns = [name for name in rows.columns if name not in rows.file_columns]
        self._first: list[Mapping[str, Any]] | None = None

    def values(self, column: str) -> list[str]:
        """The values that a column has, as texts."""
        if self._first is None:
            first = islice(self._rows.scan(self._columns), LOOKED_AT)
            self._first = [row for row in first if not isinstance(row, str)]
        values = (row.get(column) for row in self._first)
        texts = (value.strip() if isinstance(value, str) else name_in(value) or "" for value in values)
        return [text for text in texts if text]

    def only_urls(self, column: str, *, of_images: bool = False) -> bool:
        """Nearly all values are URLs; of a column that may as well lead to articles, URLs of image files."""
        values = self.values(column)
        urls = [value for value in values if _URL.fullmatch(value)]
        if of_images and not _IMAGES.search(plain_name(column)):
            files = [url for url in urls if _is_image(urlsplit(url).path)]
            return len(values) > 0 and len(files) * 2 >= len(values)
        return len(values) > 0 and len(urls) >= MOST * len(values)

    def images(self, taken: Sequence[str], root: Path | None) -> str | None:
        """The one column whose values are image files; of several that are the same files, the first."""
        folder = self._rows.path.parent
        found: dict[str, set[Path | None]] = {}
        for column in self._columns:
            values = list(dict.fromkeys(self.values(column)))[:FILES] if column not in taken else []
            if len(values) > 1 and all(len(value) < 1024 and not _URL.match(value) for value in values):
                images = where_images_are(folder, values, root, anywhere=all(map(_is_image, values)))
                there = [images.find(value) for value in values]
                if sum(map(_is_image_file, there)) >= MOST * len(values):
                    found[column] = set(there)
        files = list(found.values())
        return next(iter(found)) if files and all(one == files[0] for one in files) else None

    def instead_of(self, column: str, root: Path | None) -> str | None:
        """The column that holds the image files themselves, where `column` names files of which none is there."""
        holds_images = getattr(self._rows, "holds_images", None)
        if column in self._rows.file_columns or not self._rows.file_columns or holds_images is None:
            return None
        values = self.values(column)[:FILES]
        images = where_images_are(self._rows.path.parent, values, root, anywhere=False)
        if any(images.find(value) is not None for value in values):
            return None
        return next((name for name in self._rows.file_columns if holds_images(name)), None)

    def look_like_images(self) -> list[str]:
        """Columns whose values end as names of images do."""
        found = []
        for column in self._columns:
            values = self.values(column)
            if values and sum(map(_is_image, values)) >= MOST * len(values):
                found.append(column)
        return found

    def texts(self, taken: set[str | None], words: int) -> list[str]:
        """The columns of texts of so many words, more than one, most of which differ."""
        found = []
        for column in self._columns:
            values = self.captions(column) if column not in taken else []
            differ = len(set(values)) * 2 >= len(values)
            spaced = sum(bool(" " in value or _UNSPACED.search(value)) for value in values) * 2 > len(values)
            if differ and spaced and median(map(count_of_words, values)) >= words and not any(map(_URL.match, values)):
                found.append(column)
        return found

    def captions(self, column: str) -> list[str]:
        self.values(column)
        return [text for row in self._first or () for text in captions_in(row.get(column)) if text.strip()]


def count_of_words(text: str) -> int:
    """How many words a text has; characters of languages without spaces count by fours."""
    return len(_LETTERS.findall(text)) if not (unspaced := _UNSPACED.findall(text)) else (len(unspaced) + 1) // 2 + 1


def _is_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _is_image_file(path: Path | None) -> bool:
    return path is not None and _is_image(path.name)


def _only_urls(path: Path, column: str, captions: Sequence[str]) -> str:
    alone = ", or name caption_columns to index the captions alone" if captions else ""
    caption = f" --caption_col {captions[0]!r}" if captions else ""
    return (
        f"{path}: its images are only named by URL (column {column!r}), and nothing is downloaded; fetch them first, "
        f"for example with img2dataset --url_list {path.name} --url_col {column!r}{caption} --output_format webdataset "
        f"--output_folder FOLDER, and index that{alone}"
    )


def _undecided(rows: Columns, roles: Roles, texts: Sequence[str], looked_at: _Content) -> str:
    columns = ", ".join(map(repr, rows.columns)) or "none"
    images = looked_at.look_like_images() if roles.image is None else ()
    kinds = ((images, "images"), (texts, "captions"))
    looks = [f"{_listed(names)} {_verb(names)} {kind}" for names, kind in kinds if names]
    wanting = "images or captions" if roles.image is None else "captions"
    told = f" ({', '.join(looks)} by what they hold)" if looks else ""
    ignore = ", or say images_only" if roles.image else ""
    return (
        f"{rows.path}: no column looks like {wanting}; name them with image_column and caption_columns"
        f"{ignore}, its columns are {columns}{told}"
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names))


def _verb(names: Sequence[str]) -> str:
    return "looks like" if len(names) == 1 else "look like"
