"""Published corpora in the layouts of their authors, each recognised by its telling files and the keys in them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path

from retrieval.corpora.datasets.articles import find_biomedclip, find_medicat
from retrieval.corpora.datasets.coco import find_coco, find_flickr_tokens, find_karpathy
from retrieval.corpora.datasets.folder_listing import ANY, ImageFiles, Listing, look_at
from retrieval.corpora.datasets.roco import find_roco, find_rocov2
from retrieval.corpora.datasets.row_lists import DatasetRows
from retrieval.corpora.datasets.slake import find_slake
from retrieval.corpora.datasets.split_tables import find_split_tables
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.errors import CorpusError
from retrieval.types import Corpus

LAYOUTS: tuple[Callable[[Listing], DatasetRows | None], ...] = (
    find_roco,
    find_rocov2,
    find_biomedclip,
    find_medicat,
    find_slake,
    find_karpathy,
    find_coco,
    find_flickr_tokens,
)


def open_tables_of_splits(folder: Path, image_root: Path | None = None) -> Corpus | None:
    """The corpus of train.csv, valid.csv, test.csv and the like in a folder, if it has such, else None."""
    tables = find_split_tables(look_at(folder))
    return TableCorpus(folder, tables, image_root=image_root, whole_folder=True) if tables else None


def open_layout(source: Path, image_root: Path | None = None) -> Corpus | None:
    """The corpus of a folder, or of a file that was named itself, if it has one of the known layouts, else None.

    Raises CorpusError for the output of clip-retrieval, which is no corpus, and for an `image_root` where the layout
    says itself where its images are.
    """
    listing = look_at(source, image_root)
    _refuse_embeddings(source, listing)
    for find in (*LAYOUTS, *_with_xml(listing)):
        found = find(listing)
        if found is not None:
            if image_root is not None and not found.images_anywhere:
                raise CorpusError(f"{source}: {found.kind} has its images in folders of its own; leave image_root out")
            return found.corpus(image_root, whole_folder=source.is_dir())
    if any(name.endswith("_stats.json") for names in listing.files.values() for name in names):
        from retrieval.corpora.datasets.img2dataset import find_img2dataset  # pyarrow takes long to import

        return find_img2dataset(listing)
    return None


def _with_xml(listing: Listing) -> tuple[Callable[[Listing], DatasetRows | None], ...]:
    """Those layouts that need lxml, or tables of the same project, where the folder has such files."""
    names = {posixpath.splitext(name)[1].lower() for names in listing.files.values() for name in names}
    if names.isdisjoint((".xml", ".csv", ".gz")):
        return ()
    from retrieval.corpora.datasets.radiographs import find_mimic, find_openi_reports, find_openi_tables

    return find_openi_reports, find_openi_tables, find_mimic


def _refuse_embeddings(source: Path, listing: Listing) -> None:
    folders = ("img_emb", "text_emb")
    if not any(name.endswith(".npy") for folder in folders for name in listing.files.get(folder, [])):
        return
    if not ImageFiles(listing.root).all(ANY):  # they may also lie beside the figures that they are of
        raise CorpusError(
            f"{source}: holds embeddings that clip-retrieval wrote, not figures; import them as they are:"
            f" retrieval vectors import {source} INDEX --encoder NAME"
        )
