"""The files below a folder, and why those that no reader takes are left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden, printable
from retrieval.errors import CorpusError
from retrieval.types import Account, Skip

HIDDEN = "hidden file"
"""The role of names that begin with a dot and of what macOS puts into archives: counted, and never looked into."""
NO_FILE = "not a regular file"
NO_SUFFIX = "kind is not known, its name has no suffix"
UNKNOWN = "kind of file is not read"

TABLE = "table without columns that are known to hold images and captions"
CAPTIONED = {
    TABLE: (
        *(".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"),
        *(".csv.gz", ".tsv.gz", ".jsonl.gz", ".ndjson.gz", ".tab", ".psv"),
    ),
    "spreadsheet: save the sheet as CSV": (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"),
    "text of no image of this name": (".txt", ".text", ".caption", ".captions", ".cap", ".alt", ".description", ".md"),
    "JSON of no image of this name": (".json",),
    "database: export its table as CSV or Parquet": (".db", ".sqlite", ".sqlite3", ".mdb", ".accdb"),
    "document: captions are not taken out of it": (
        ".docx",
        ".doc",
        ".odt",
        ".rtf",
        ".xml",
        ".html",
        ".htm",
        ".yaml",
        ".yml",
        *(".rst", ".tex", ".bib", ".ris", ".toml", ".ini", ".xmp", ".srt", ".vtt", ".log", ".dat"),
    ),
}
"""Reasons of files that could hold captions, and the suffixes that they are of."""
PDF = "PDF: figures are not taken out of it"
ARCHIVE = "archive: unpack it first"
OTHERS = {
    "HEIC image: convert it to PNG or JPEG": (".heic", ".heif", ".hif"),
    "AVIF image: convert it to PNG or JPEG": (".avif",),
    "JPEG 2000 image: convert it to PNG or JPEG": (".jp2", ".j2k", ".jpf", ".jpx", ".jpm", ".j2c", ".jpc"),
    "JPEG XL image: convert it to PNG or JPEG": (".jxl",),
    "SVG drawing: convert it to PNG": (".svg", ".svgz"),
    "PostScript drawing: convert it to PNG": (".eps", ".ps", ".ai", ".epsf", ".epsi"),
    "DICOM image: convert it to PNG": (".dcm", ".dicom", ".dic", ".ima"),
    "whole slide: export regions of it as PNG or TIFF": (
        *(
            ".svs",
            ".ndpi",
            ".czi",
            ".mrxs",
            ".scn",
            ".vms",
            ".vmu",
            ".bif",
            ".lif",
            ".nd2",
            ".vsi",
            ".oir",
            ".oib",
            ".lsm",
        ),
    ),
    "volume: export slices of it as PNG": (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".mgz", ".img", ".hdr", ".mnc"),
    "camera raw image: convert it to JPEG": (".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"),
    "image of a kind that is not read: convert it to PNG": (
        *(
            ".psd",
            ".psb",
            ".xcf",
            ".ico",
            ".icns",
            ".tga",
            ".emf",
            ".wmf",
            ".pcx",
            ".pbm",
            ".pgm",
            ".ppm",
            ".pnm",
            ".exr",
        ),
        *(".hdr", ".dds", ".cdr", ".apng", ".mng", ".djvu"),
    ),
}
PICTURES = frozenset(OTHERS)
"""Of these reasons, those of a single picture."""
OTHERS |= {
    PDF: (".pdf",),
    "slides: figures are not taken out of them": (".pptx", ".ppt", ".odp", ".key"),
    ARCHIVE: (
        *(".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".tbz2", ".txz", ".meca"),
    ),
    "film: its frames are not read": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".m4v"),
    "arrays: save pictures as PNG or TIFF": (
        *(
            ".npy",
            ".npz",
            ".h5",
            ".hdf5",
            ".mat",
            ".pt",
            ".pth",
            ".pkl",
            ".pickle",
            ".zarr",
            ".tfrecord",
            ".lmdb",
            ".mdb",
        ),
        *(".safetensors", ".bin"),
    ),
}
"""Reasons of files that hold no captions, and the suffixes that they are of."""
REASON_OF = {suffix: why for why, suffixes in (OTHERS | CAPTIONED).items() for suffix in suffixes}
CALLED = ("caption", "legend", "description", "descript.ion", "annotation", "metadata", "figure_text")
"""Beginnings of the names of files that hold captions, whatever their kind."""
PROSE = (
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "citation",
    "changelog",
    "requirements",
    "credits",
    "authors",
)
"""Names of texts about a collection, which hold no captions of its figures."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files below a folder: visible regular ones with their sizes, and what else was seen."""

    sizes: Mapping[str, int]
    hidden: int
    irregular: tuple[str, ...]

    def account(self, used: Mapping[str, str], why: Mapping[str, str] | None = None) -> Account:
        """The account in which files of `used` have the role it says, and all others a reason, that of `why` if any."""
        read: dict[str, int] = {}
        unread = [Skip("", printable(name), NO_FILE) for name in self.irregular if name not in used]
        for name in self.sizes:
            if name in used:
                read[used[name]] = read.get(used[name], 0) + 1
            else:
                reason = (why or {}).get(name) or reason_of(name)
                unread.append(Skip("", printable(name), reason))
        for name in self.irregular:
            if name in used:
                read[used[name]] = read.get(used[name], 0) + 1
        read = {role: read[role] for role in sorted(read, key=lambda role: (role != "image", role))}
        if self.hidden:
            read[HIDDEN] = self.hidden
        files = len(self.sizes) + self.hidden + len(self.irregular)
        return Account(files, read, tuple(sorted(unread, key=lambda skip: skip.uri)))


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


def files_below(root: Path) -> Found:
    """Every file below a folder, paths relative to it with slashes, in order. Links to folders are followed, and each
    folder is entered once, so that a link to a parent does not lead in circles. Nothing is opened.

    Raises CorpusError where a folder cannot be read.
    """
    sizes: dict[str, int] = {}
    irregular: list[str] = []
    hidden = 0
    for name, size in _walk(root):
        if is_hidden(name):
            hidden += 1
        elif size is None:
            irregular.append(name)
        else:
            sizes[name] = size
    return Found(sizes, hidden, tuple(irregular))


def _walk(root: Path) -> Iterator[tuple[str, int | None]]:
    """(path, size) of every file; None for the size of a pipe, a socket, a device and a link to nowhere."""
    entered = set()
    waiting = [("", str(root))]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            inside = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError as error:
            raise CorpusError(
                f"{folder}: the folder cannot be read ({error.strerror}); check its permissions"
            ) from None
        folders = []
        for item in inside:
            if item.is_dir():
                folders.append((f"{prefix}{item.name}/", item.path))
            else:
                yield prefix + item.name, _size(item)
        waiting.extend(reversed(folders))


def _size(item: os.DirEntry[str]) -> int | None:
    try:
        status = item.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


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
