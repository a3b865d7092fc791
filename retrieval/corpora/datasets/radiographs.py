"""Indiana University's chest X-rays (OpenI), as XML reports or as two tables, and MIMIC-CXR-JPG: several views of one
report. A report is one caption of each of its views: findings and impression together, as neither is always there and
the impression alone ("No acute disease.") is the same in hundreds of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from retrieval.corpora.datasets.folder_listing import ImageFiles, Listing, beginning, relative
from retrieval.corpora.datasets.row_lists import DatasetRows, ListedRows
from retrieval.corpora.tables.columns import plain_name
from retrieval.corpora.tables.delimited import delimited
from retrieval.corpora.tables.table import TableRows
from retrieval.corpora.tables.text_rows import Row
from retrieval.errors import CorpusError

_XML = re.compile(r".*\.xml", re.I)
_REPORTS = re.compile(r"(indiana_)?reports\.csv", re.I)
_REPORT_COLUMNS = {"uid", "findings", "impression"}
_VIEW_COLUMNS = {"uid", "filename", "projection"}
_MIMIC_TABLE = re.compile(r"mimic-cxr-2\.\d\.\d-(split|metadata)\.csv(\.gz)?")
_MIMIC_IMAGE = re.compile(r"(?:.*/)?p\d{2}/p\d{8}/s\d{8}/[^/]+\.jpg")


def find_openi_reports(listing: Listing) -> DatasetRows | None:
    """A folder of .xml files whose root is `eCitation`, and the images that their `parentImage` elements name."""
    folders: dict[str, list[str]] = {}
    for folder, name in listing.named(_XML):
        folders.setdefault(folder, []).append(name)
    folders = {
        folder: names for folder, names in folders.items() if "<eCitation" in beginning(listing.path(folder, names[0]))
    }
    if not folders:
        return None
    images = ImageFiles(listing.root)
    reports = [(folder, listing.path(folder, name)) for folder, names in folders.items() for name in names]
    tables = [ListedRows(path, _views(path, folder, images)) for folder, path in reports]
    return DatasetRows("openi", listing.root, tables, beside={path: "article" for _, path in reports})


def _views(path: Path, folder: str, images: ImageFiles) -> Iterator[Row | str]:
    """The figures of one report; the report alone where it has none."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        report = etree.fromstring(path.read_bytes(), parser)
    except (etree.XMLSyntaxError, ValueError):
        yield "report is not valid XML"
        return
    except OSError:
        yield "report cannot be read"
        return
    sections = {str(part.get("Label")).lower(): _text(part) for part in report.iter("AbstractText")}
    uid = next((value for item in report.iter("uId") if (value := item.get("id"))), path.stem)
    about = {
        "caption": _joined(sections.get("findings", ""), sections.get("impression", "")),
        "article_id": uid,
        **{name: sections.get(name) or None for name in ("indication", "comparison")},
        "licence": _text(report.find(".//licenseType")) or None,
        "mesh": [_text(item) for item in report.iterfind(".//MeSH/major")],
    }
    views = [item for item in report.iter("parentImage") if item.get("id")]
    for view in views:
        name = f"{view.get('id')}.png"
        image = relative(images.find(name, any_suffix=True) or name, folder)
        yield {**about, "image": image, "figure_id": view.get("id"), "view": _text(view.find("caption")) or None}
    if not views:
        yield {**about, "image": None, "figure_id": uid}


def _text(element: Any) -> str:
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _joined(*sections: str) -> list[str]:
    text = " ".join(section.strip() for section in sections if section.strip())
    return [text] if text else []


def find_openi_tables(listing: Listing) -> DatasetRows | None:
    """`indiana_reports.csv` with findings and impression by `uid`, and `indiana_projections.csv` with its views."""
    for folder, name in listing.named(_REPORTS):
        path = listing.path(folder, name)
        views = path.with_name(re.sub("reports", "projections", name, flags=re.I))
        if _columns(path) >= _REPORT_COLUMNS and _columns(views) >= _VIEW_COLUMNS:
            return DatasetRows("openi", listing.root, _of_tables(path, views, folder, ImageFiles(listing.root)))
    return None


def _columns(path: Path) -> set[str]:
    try:
        return {plain_name(name) for name in delimited(path, ",").columns}
    except CorpusError:
        return set()


def _rows(path: Path) -> Iterator[Row | str]:
    """Its rows with the names of their columns in lower case and without spaces."""
    for row in delimited(path, ",").scan(()):
        yield row if isinstance(row, str) else {plain_name(name): cell for name, cell in row.items()}


def _of_tables(reports: Path, views: Path, folder: str, images: ImageFiles) -> list[TableRows]:
    """The views with their reports; then the reports that have none, which are captions without an image."""
    broken: list[Row | str] = []
    by_uid: dict[str, Row] = {}
    for row in _rows(reports):
        if isinstance(row, str):
            broken.append(row)
        else:
            by_uid[row["uid"]] = {
                **{name: cell or None for name, cell in row.items() if name not in ("uid", "image", *_REPORT_COLUMNS)},
                "caption": _joined(row["findings"], row["impression"]),
                "article_id": row["uid"],
            }
    seen = set()

    def view_of(view: Row | str) -> Row | str:
        if isinstance(view, str):
            return view
        uid, name = view["uid"], view["filename"].strip()
        seen.add(uid)
        image = relative(images.find(name) or name, folder) if name else None
        about = by_uid.get(uid, {"article_id": uid, "caption": []})
        return {**about, "image": image, "figure_id": name or None, "projection": view["projection"] or None}

    shown = ListedRows(views, map(view_of, _rows(views)))
    unseen = ({**report, "figure_id": uid} for uid, report in by_uid.items() if uid not in seen)
    return [shown, ListedRows(reports, [*unseen, *broken])]


def find_mimic(listing: Listing) -> DatasetRows | None:
    """`mimic-cxr-2.0.0-split.csv` or `-metadata.csv` (or .gz), and files/p10/p10000032/s50414267/<dicom>.jpg, with
    the reports as s50414267.txt beside the folders of the studies, or so in mimic-cxr-reports/."""
    tables = {kind: path for kind, path in _mimic_tables(listing)}
    if not tables:
        return None
    images = ImageFiles(listing.root).all(_MIMIC_IMAGE)
    if not images:
        return None
    splits = _by_dicom(tables.get("split"), "split")
    positions = _by_dicom(tables.get("metadata"), "viewposition")
    beside = dict.fromkeys(tables.values(), "table")

    def row(image: str) -> Row | str:
        study, name = image.split("/")[-2:]
        dicom = posixpath.splitext(name)[0]
        study_file = f"{posixpath.dirname(image)}.txt"
        places = (listing.root / study_file, listing.root / "mimic-cxr-reports" / study_file)
        report = next(filter(Path.is_file, places), None)
        if report is not None:
            beside[report] = "sidecar"
        return {
            "image": image,
            "caption": _report(report) if report else [],
            "figure_id": dicom,
            "article_id": study,
            "split": splits.get(dicom),
            "view": positions.get(dicom),
        }

    rows = ListedRows(listing.root / "files", map(row, images))
    return DatasetRows("mimic-cxr", listing.root, [rows], beside=beside)


def _mimic_tables(listing: Listing) -> Iterator[tuple[str, Path]]:
    for folder, name in listing.named(_MIMIC_TABLE):
        path = listing.path(folder, name)
        if {"dicom_id", "study_id"} <= _columns(path):
            kind = _MIMIC_TABLE.fullmatch(name)
            yield (kind[1] if kind else ""), path


def _by_dicom(path: Path | None, column: str) -> dict[str, str]:
    if path is None:
        return {}
    return {row["dicom_id"]: row[column] for row in _rows(path) if isinstance(row, dict) and row.get(column)}


def _report(path: Path) -> list[str]:
    try:
        return [path.read_text(encoding="utf-8", errors="replace").strip()]
    except OSError:
        return []
