"""ROCO and ROCOv2: captions, keywords and concepts in files of their own, one line a figure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from retrieval.corpora.datasets.folder_listing import ImageFiles, Listing, beginning, relative
from retrieval.corpora.datasets.row_lists import DatasetRows, ListedRows
from retrieval.corpora.jats.rights import figure_licence
from retrieval.corpora.tables.columns import plain_name
from retrieval.corpora.tables.delimited import delimited
from retrieval.corpora.tables.text_rows import Row
from retrieval.errors import CorpusError

_CAPTION = re.compile(r"\s*(ROCO_\d+)\s*\t(.*)")
_ARCHIVE = re.compile(r"(PMC\d+)\.tar\.gz")
_SPLITS = ("train", "validation", "valid", "val", "test")
_BESIDE = {"licences.txt", "dlinks.txt", "keywords.txt", "cuis.txt", "semtypes.txt"}
_LISTS = ("keywords", "cuis", "semtypes")
_V2 = re.compile(r"(train|valid|validation|val|test)_captions\.csv", re.I)


def find_roco(listing: Listing) -> DatasetRows | None:
    """Folders with a captions.txt of lines `ROCO_00016<tab>caption` and another of ROCO's files beside it."""
    leaves = [
        folder
        for folder, names in sorted(listing.files.items())
        if "captions.txt" in names
        and _BESIDE & set(names)
        and _CAPTION.match(beginning(listing.path(folder, "captions.txt")))
    ]
    if not leaves:
        return None
    beside = {
        listing.path(folder, name): "sidecar" for folder in leaves for name in listing.files[folder] if name in _BESIDE
    }
    return DatasetRows("roco", listing.root, [_leaf(listing.root, folder) for folder in leaves], beside=beside)


def _leaf(root: Path, folder: str) -> ListedRows:
    """The figures of one leaf, such as test/radiology; its images are called by ROCO's ids or by PMC's names."""
    leaf = root / folder
    lists = {name: dict(_tabbed(leaf / f"{name}.txt")) for name in _LISTS}
    licences, links = _licences(leaf / "licences.txt"), dict(_tabbed(leaf / "dlinks.txt"))
    images = ImageFiles(leaf)
    above = leaf.absolute().parts[-2:]
    constant = {
        "split": next((part for part in reversed(above) if part.lower() in _SPLITS), None),
        "radiology": next(
            (part.lower() == "radiology" for part in reversed(above) if "radiology" in part.lower()), None
        ),
    }

    def row(line: str) -> Row | str:
        found = _CAPTION.fullmatch(line)
        if found is None:
            return "line is not an id, a tab and a caption"
        name = found[1]
        licence = licences.get(name, {})
        source = str(licence.get("PMC_ID") or _name_in_link(links.get(name, [])) or "")
        return {
            "image": images.find(*filter(None, (f"{name}.jpg", source)), any_suffix=True) or f"images/{name}.jpg",
            "caption": [found[2].strip()],
            "figure_id": name,
            "article_id": source.split("_")[0] or None,
            **constant,
            "licence": figure_licence(licence.get("CC") or None, [found[2]]),
            **{key: values[name] for key, values in lists.items() if name in values},
        }

    return ListedRows(leaf / "captions.txt", (row(line) if ok else line for ok, line in _lines(leaf / "captions.txt")))


def _lines(path: Path) -> Iterator[tuple[bool, str]]:
    """The lines that are not blank; (False, reason) for one that is no text."""
    for line in path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip():
            try:
                yield True, line.decode().rstrip("\r")
            except UnicodeDecodeError:
                yield False, "row is not UTF-8 text"


def _tabbed(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Lines `id<tab>value<tab>value...`; nothing where there is no such file."""
    if path.is_file():
        for ok, line in _lines(path):
            if ok:
                name, *values = (cell.strip() for cell in line.split("\t"))
                yield name, [value for value in values if value]


def _licences(path: Path) -> dict[str, Row]:
    if not path.is_file():
        return {}
    rows = (row for row in delimited(path, ",").scan(()) if isinstance(row, dict))
    return {str(row.get("ROCO_ID", "")).strip(): row for row in rows}


def _name_in_link(values: list[str]) -> str | None:
    """PMC123_figure.jpg, as the download script calls the image of a line of dlinks.txt."""
    found = _ARCHIVE.search(values[0]) if len(values) == 2 else None
    return f"{found[1]}_{values[1]}" if found else None


def find_rocov2(listing: Listing) -> DatasetRows | None:
    """Tables `train_captions.csv`, `valid_captions.csv`, `test_captions.csv` of just the columns ID and Caption."""
    found = [
        (folder, name) for folder, name in listing.named(_V2) if _columns(listing.path(folder, name)) == _V2_COLUMNS
    ]
    if not found:
        return None
    images = ImageFiles(listing.root)
    tables = [_v2_split(listing.root, folder, name, images) for folder, name in found]
    concepts = [path for table in tables for path in _concept_tables(table.path).values() if _holds_concepts(path)]
    return DatasetRows("rocov2", listing.root, tables, beside=dict.fromkeys(concepts, "sidecar"))


_V2_COLUMNS = ["id", "caption"]


def _columns(path: Path) -> list[str]:
    try:
        return [plain_name(name) for name in delimited(path, ",").columns]
    except CorpusError:
        return []


def _v2_split(root: Path, folder: str, name: str, images: ImageFiles) -> ListedRows:
    path = root / folder / name
    split = name[: name.index("_")].lower()
    concepts = {key: _concepts(table) for key, table in _concept_tables(path).items()}

    def row(cells: Row | str) -> Row | str:
        if isinstance(cells, str):
            return cells
        own_id, caption = (str(cell) for cell in cells.values())
        own_id = own_id.strip()
        image = images.find(f"{own_id}.jpg", any_suffix=True) if own_id else None
        return {
            "image": relative(image or f"{split}/{own_id}.jpg", folder) if own_id else None,
            "caption": [caption],
            "figure_id": own_id or None,
            "split": split,
            **{key: values[own_id] for key, values in concepts.items() if own_id in values},
        }

    return ListedRows(path, map(row, delimited(path, ",").scan(())))


def _concept_tables(captions: Path) -> dict[str, Path]:
    """Where the concepts of the figures of a table of captions are, those found by program and by hand."""
    split = captions.name[: captions.name.index("_")]
    files = {"cuis": "concepts", "cuis_manual": "concepts_manual"}
    return {key: captions.with_name(f"{split}_{file}.csv") for key, file in files.items()}


def _holds_concepts(path: Path) -> bool:
    return path.is_file() and _columns(path) == ["id", "cuis"]


def _concepts(path: Path) -> dict[str, list[str]]:
    """ID → concepts, which are written `C0040405;C0817096`."""
    if not _holds_concepts(path):
        return {}
    pairs = ([str(cell) for cell in row.values()] for row in delimited(path, ",").scan(()) if isinstance(row, dict))
    return {own_id.strip(): [cui for cui in cuis.split(";") if cui] for own_id, cuis in pairs}
