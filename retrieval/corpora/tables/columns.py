"""What the columns of a table and the keys of a sidecar mean, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrieval.errors import CorpusError


def _also_in_one_word(names: Sequence[str]) -> tuple[str, ...]:
    """The names, and behind them those of several words as one: imagePath is compared in lower case."""
    joined = (name.replace("_", "") for name in names)
    return tuple(dict.fromkeys((*names, *joined)))


IMAGE = _also_in_one_word(
    (
        *("image", "image_path", "img_path", "filepath", "file_path", "file_name", "filename", "image_file"),
        *("image_file_name", "image_filename", "image_name", "img_name", "img", "picture", "figure_path", "path"),
        *("file", "image_filepath", "image_file_path", "image_location", "img_file", "img_filename", "picture_path"),
        *("picture_file", "photo_path", "photo_file", "figure_file", "figure_filename", "fig_path", "fig_file"),
        *("graphic", "jpg", "jpeg", "png", "bild", "bilddatei", "dateiname", "fichier", "archivo", "imagen"),
        *("images", "image_paths", "image_files", "img_paths"),
        *("image_base64", "image_b64", "img_base64", "base64", "image_data", "image_bytes"),
    )
)
WEAK = ("title", "alt_text", "alt", "report", "report_text", "findings", "impression", "prompt")
"""Names of captions where no better one is there."""
CAPTIONS = _also_in_one_word(
    (
        *("caption", "captions", "fig_caption", "figure_caption", "image_caption", "caption_text"),
        *("text", "texts", "txt", "sentence", "sentences", "comment", "description"),
        *("legend", "figure_legend", "fig_legend", "img_caption", "image_description", "image_text", "figure_text"),
        *("raw_caption", "clean_caption", "cleaned_caption", "original_caption", "gpt_caption", "generated_caption"),
        *("beschriftung", "bildunterschrift", "beschreibung", "legende", "légende", "leyenda", "didascalia"),
        *WEAK,
    )
)
FIGURE_ID = ("figure_id", "image_id", "img_id", "pair_id", "id", "key", "__key__", "uid", "uuid")
ARTICLE_ID = (
    *("article_id", "pmcid", "pmc_id", "pmc", "article_accession_id", "accession_id", "pmid"),
    *("paper_id", "pdf_hash", "document_id", "doc_id", "doi"),
)
"""Names as people and published corpora write them, the most telling first (case, spaces and hyphens do not count)."""


_ONE_OF_SEVERAL = re.compile(
    r"(caption|text|sentence|comment)_?\d+|(caption|legend|description)_(en|de|fr|es|it|pt|nl|pl|ru|tr|ar|zh|ja|ko)"
)


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
    asked_image, *captions = [_named(asked, known, where) for asked in (image_column, *caption_columns)]
    image = asked_image or first_of(IMAGE, [name for name in known if name not in captions])
    if not captions:
        free = [name for name in known if name != image]
        only = first_of(CAPTIONS, free)
        weak = only is None or plain_name(only) in WEAK
        captions = (list(_numbered_captions(free)) if weak else []) or [only]
    rest = [name for name in known if name != image and name not in captions]
    return Roles(image, tuple(name for name in captions if name), first_of(FIGURE_ID, rest), first_of(ARTICLE_ID, rest))


def _named(asked: str | None, known: Sequence[str], where: str) -> str | None:
    """The column that the caller means by its name or, where none is called so, by its number, from 1."""
    if asked is None or asked in known:
        return asked
    if asked.isdecimal() and 1 <= int(asked) <= len(known):
        return known[int(asked) - 1]
    raise CorpusError(f"{where}: there is no column {asked!r}; its columns are {', '.join(map(repr, known))}")


def first_of(wanted: Sequence[str], names: Iterable[str]) -> str | None:
    """The name that comes first in `wanted`, as it is spelled in `names`."""
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(plain_name(name), name)
    return next((spelled[want] for want in wanted if want in spelled), None)


def plain_name(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def _numbered_captions(names: Iterable[str]) -> tuple[str, ...]:
    """caption_1, caption_2, ...: one column for each of several captions; caption_en, caption_de for each of several
    languages; findings and impression of a report."""
    known = {plain_name(name): name for name in names}
    return tuple(name for plain, name in known.items() if _ONE_OF_SEVERAL.fullmatch(plain)) or tuple(
        known[part] for part in ("findings", "impression") if {"findings", "impression"} <= known.keys()
    )
