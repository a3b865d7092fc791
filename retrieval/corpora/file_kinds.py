"""Kinds of files by their names: what is an image, what could hold captions, and why others are left out."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.types import Skip

NO_SUFFIX = "kind is not known, its name has no suffix"
UNKNOWN = "kind of file is not read"

TEXT_SUFFIXES = (".txt", ".caption", ".captions", ".cap", ".text", ".alt", ".description", ".md")
"""Of text files that hold the caption of an image, the first goes before the others."""
TABLE = "table without columns that are known to hold images and captions"
CAPTIONED = {
    TABLE: ".csv .tsv .jsonl .ndjson .parquet .arrow .feather .csv.gz .tsv.gz .jsonl.gz .ndjson.gz .tab .psv",
    "spreadsheet: save the sheet as CSV": ".xlsx .xls .xlsm .xlsb .ods .numbers",
    "text of no image of this name": " ".join(TEXT_SUFFIXES),
    "JSON of no image of this name": ".json",
    "database: export its table as CSV or Parquet": ".db .sqlite .sqlite3 .mdb .accdb",
    "document: captions are not taken out of it": (
        ".docx .doc .odt .rtf .xml .html .htm .yaml .yml .rst .tex .bib .ris .toml .ini .xmp .srt .vtt .log .dat"
    ),
}
"""Reasons of files that could hold captions, and the suffixes that they are of, between blanks."""
PDF = "PDF: figures are not taken out of it"
ARCHIVE = "archive: unpack it first"
OTHERS = {
    "HEIC image: convert it to PNG or JPEG": ".heic .heif .hif",
    "AVIF image: convert it to PNG or JPEG": ".avif",
    "JPEG 2000 image: convert it to PNG or JPEG": ".jp2 .j2k .jpf .jpx .jpm .j2c .jpc",
    "JPEG XL image: convert it to PNG or JPEG": ".jxl",
    "SVG drawing: convert it to PNG": ".svg .svgz",
    "PostScript drawing: convert it to PNG": ".eps .ps .ai .epsf .epsi",
    "DICOM image: convert it to PNG": ".dcm .dicom .dic .ima",
    "whole slide: export regions of it as PNG or TIFF": (
        ".svs .ndpi .czi .mrxs .scn .vms .vmu .bif .lif .nd2 .vsi .oir .oib .lsm"
    ),
    "volume: export slices of it as PNG": ".nii .nii.gz .mha .mhd .nrrd .mgz .img .mnc",
    "camera raw image: convert it to JPEG": ".raw .cr2 .cr3 .nef .arw .dng .orf .rw2 .raf",
    "image of a kind that is not read: convert it to PNG": (
        ".psd .psb .xcf .ico .icns .tga .emf .wmf .pcx .pbm .pgm .ppm .pnm .exr .hdr .dds .cdr .apng .mng .djvu"
    ),
}
PICTURES = frozenset(OTHERS)
"""Of the reasons of files that hold no captions, those of a single picture."""
OTHERS |= {
    PDF: ".pdf",
    "slides: figures are not taken out of them": ".pptx .ppt .odp .key",
    ARCHIVE: ".zip .7z .rar .tar .gz .tgz .bz2 .xz .zst .lz4 .tbz2 .txz .meca",
    "film: its frames are not read": ".mp4 .avi .mov .mkv .webm .mpg .mpeg .wmv .m4v",
    "arrays: save pictures as PNG or TIFF": (
        ".npy .npz .h5 .hdf5 .mat .pt .pth .pkl .pickle .zarr .tfrecord .lmdb .safetensors .bin"
    ),
}
"""Reasons of files that hold no captions, and the suffixes that they are of."""
REASON_OF = {suffix: why for why, suffixes in (OTHERS | CAPTIONED).items() for suffix in suffixes.split()}
CALLED = ("caption", "legend", "description", "descript.ion", "annotation", "metadata", "figure_text")
"""Beginnings of the names of files that hold captions, whatever their kind."""
PROSE = (
    *("readme", "license", "licence", "copying", "notice", "citation"),
    *("changelog", "requirements", "credits", "authors"),
)
"""Names of texts about a collection, which hold no captions of its figures."""


def reason_of(name: str) -> str:
    """Why a file of this name is left out, in a few fixed words."""
    lower = name.rpartition("/")[2].lower()
    ends = [suffix for suffix in (_last_two(lower), os.path.splitext(lower)[1]) if suffix]
    if not ends:
        return NO_SUFFIX
    known = next((REASON_OF[suffix] for suffix in ends if suffix in REASON_OF), None)
    return known or ("image that nothing refers to" if ends[-1] in IMAGE_SUFFIXES else UNKNOWN)


def _last_two(name: str) -> str:
    parts = name.rsplit(".", 2)
    return f".{parts[1]}.{parts[2]}" if len(parts) == 3 else ""


def is_image(name: str) -> bool:
    """Whether a file is one picture of a kind that is read."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_picture(name: str) -> bool:
    """Whether a file is one picture of a kind that is not read."""
    return reason_of(name) in PICTURES


def could_have_caption(name: str) -> bool:
    """Whether a file that is not read may be what the caption of its name is about: no text, table or archive."""
    why = reason_of(name)
    return not is_image(name) and why not in CAPTIONED and why != ARCHIVE


def is_prose(name: str) -> bool:
    """Whether a text is about the collection, and holds no caption."""
    return name.rpartition("/")[2].lower().startswith(PROSE)


def could_hold_captions(skip: Skip, stems: Collection[str] = ()) -> bool:
    """Whether a file that was left out is of a kind that captions are kept in and not a text about the collection, or
    is called after captions or after one of the images, whose `stems` these are."""
    why, name = reason_of(skip.uri), skip.uri.rpartition("/")[2].lower()
    if is_prose(skip.uri) or why in PICTURES or os.path.splitext(name)[1] in IMAGE_SUFFIXES:
        return False
    return why in CAPTIONED or why == ARCHIVE or name.startswith(CALLED) or os.path.splitext(skip.uri)[0] in stems


def commonest(names: Iterable[str], count: int = 3) -> str:
    """The commonest sorts of files, and the way out for those that are known: (2 .pdf; PDF: figures are ...)."""
    sorts: dict[str, int] = {}
    ways: dict[str, str] = {}
    for name in names:
        sort = os.path.splitext(name)[1].lower() or "no suffix"
        sorts[sort] = sorts.get(sort, 0) + 1
        ways.setdefault(sort, reason_of(name))
    if not sorts:
        return ""
    first = sorted(sorts, key=lambda sort: -sorts[sort])[:count]
    told = dict.fromkeys(ways[sort] for sort in first if ways[sort] in OTHERS or ways[sort] in CAPTIONED)
    return f" ({'; '.join([', '.join(f'{sorts[sort]} {sort}' for sort in first), *told])})"
