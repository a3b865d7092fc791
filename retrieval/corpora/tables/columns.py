"""What the columns of a table and the keys of a sidecar mean, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrieval.errors import CorpusError

IMAGE = (
    *("image", "image_path", "img_path", "filepath", "file_path", "file_name", "filename", "image_file"),
    *("image_file_name", "image_filename", "image_name", "img_name", "img", "picture", "figure_path", "path", "file"),
)
CAPTIONS = (
    *("caption", "captions", "fig_caption", "figure_caption", "image_caption", "caption_text"),
    *("text", "texts", "txt", "sentence", "sentences", "comment", "description", "title"),
)
FIGURE_ID = ("figure_id", "image_id", "img_id", "pair_id", "id", "key", "__key__", "uid", "uuid")
ARTICLE_ID = (
    *("article_id", "pmcid", "pmc_id", "pmc", "article_accession_id", "accession_id", "pmid"),
    *("paper_id", "pdf_hash", "document_id", "doc_id", "doi"),
)
"""Names as people and published corpora write them, the most telling first (case, spaces and hyphens do not count)."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column holds what; None and () where the source has no such column."""

    image: str | None
    captions: tuple[str, ...]
    figure_id: str | None
    article_id: str | None


def assign_roles(
    names: Iterable[str], where: str, image_column: str | None = None, caption_columns: Sequence[str] = ()
) -> Roles:
    """The roles of columns: as the caller says, else by their names. CorpusError where a named column is missing."""
    known = list(dict.fromkeys(names))
    for asked in (image_column, *caption_columns):
        if asked is not None and asked not in known:
            raise CorpusError(f"{where}: there is no column {asked!r}; its columns are {', '.join(map(repr, known))}")
    image = image_column or first_of(IMAGE, known)
    if caption_columns:
        captions = tuple(caption_columns)
    else:
        free = [name for name in known if name != image]
        only = first_of(CAPTIONS, free)
        captions = (
            (only,) if only and plain_name(only) != "title" else _numbered_captions(free) or ((only,) if only else ())
        )
    rest = [name for name in known if name != image and name not in captions]
    return Roles(image, captions, first_of(FIGURE_ID, rest), first_of(ARTICLE_ID, rest))


def first_of(wanted: Sequence[str], names: Iterable[str]) -> str | None:
    """The name that comes first in `wanted`, as it is spelled in `names`."""
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(plain_name(name), name)
    return next((spelled[want] for want in wanted if want in spelled), None)


def plain_name(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def _numbered_captions(names: Iterable[str]) -> tuple[str, ...]:
    """caption_1, caption_2, ...: one column for each of several captions."""
    return tuple(name for name in names if re.fullmatch(r"(caption|text|sentence|comment)_?\d+", plain_name(name)))
