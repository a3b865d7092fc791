"""Looking at a folder: which files lie where, and where the image of a given name is."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden

FOLDERS = {
    *("data", "all_data", "train", "valid", "validation", "val", "test", "radiology", "non-radiology"),
    *("annotations", "captions", "ecgen-radiology", "nlmcxr_reports", "img_emb", "text_emb"),
}
"""Folders in which layouts have telling files, such as data/test/radiology/captions.txt of ROCO. No others are looked
into: what lies deeper in a collection of corpora does not tell what the collection is."""

ANY = re.compile(".*", re.S)

BEST_FIRST = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")
"""Of several files of one stem the first is the figure: publishers put a small .gif beside the .jpg."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The visible files, other than images, of a folder and of FOLDERS in it: folder, relative with slashes, → sorted
    names. `image_root` is where somebody said that the paths of images start."""

    root: Path
    files: dict[str, list[str]]
    image_root: Path | None = None

    def named(self, fits: re.Pattern[str]) -> Iterator[tuple[str, str]]:
        """(folder, name) of the files whose name the pattern `fits` matches whole, in order of folders and names."""
        for folder in sorted(self.files):
            for name in self.files[folder]:
                if fits.fullmatch(name):
                    yield folder, name

    def path(self, folder: str, name: str) -> Path:
        return self.root / folder / name


def look_at(source: Path, image_root: Path | None = None) -> Listing:
    """What can be seen of a folder; of a file that was named itself, only that file, in the folder of its images."""
    if source.is_dir():
        return Listing(source, dict(_files(source)), image_root)
    inside = source.parent.name if source.parent.name == "annotations" else ""
    return Listing(source.parent.parent if inside else source.parent, {inside: [source.name]}, image_root)


def _files(root: Path) -> Iterator[tuple[str, list[str]]]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        names = []
        with os.scandir(root / folder) as items:
            for item in items:
                if not item.is_dir():
                    if not is_hidden(item.name) and posixpath.splitext(item.name)[1].lower() not in IMAGE_SUFFIXES:
                        names.append(item.name)
                elif item.name.lower() in FOLDERS and folder.count("/") < 2:  # a link may lead in circles
                    waiting.append(posixpath.join(folder, item.name))
        yield folder, sorted(names)


class ImageFiles:
    """Every image below a folder, found by the end of its path."""

    def __init__(self, root: Path) -> None:
        self._by_stem: dict[str, list[str]] = {}
        entered = set()
        for folder, folders, names in os.walk(root, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in entered:  # a link to a folder above
                folders.clear()
                continue
            entered.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not is_hidden(name))
            inside = os.path.relpath(folder, root).replace(os.sep, "/")
            for name in sorted(names):
                stem, suffix = posixpath.splitext(name)
                if suffix.lower() in IMAGE_SUFFIXES and not is_hidden(name):
                    path = name if inside == "." else f"{inside}/{name}"
                    self._by_stem.setdefault(stem, []).append(path)

    def find(self, *wanted: str, near: str = "", any_suffix: bool = False) -> str | None:
        """The image whose path ends in one of `wanted`, the first of them that is there; of several such images that
        with `near` in its path, else the first. `any_suffix` also takes a file of the same stem: only where nothing
        but the figure itself is called so, as masks and annotations often have the name of their image."""
        for path in wanted:
            there = [one for one in self._by_stem.get(_stem(path), ()) if f"/{one}".endswith(f"/{path}")]
            if there:
                return max(there, key=lambda one: near in one)
        for path in wanted if any_suffix else ():
            there = self._by_stem.get(_stem(path), [])
            if there:
                return min(there, key=_kind_rank)
        return None

    def all(self, fits: re.Pattern[str]) -> list[str]:
        """The images whose whole path matches, in order."""
        return sorted(path for paths in self._by_stem.values() for path in paths if fits.fullmatch(path))


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _kind_rank(path: str) -> int:
    suffix = posixpath.splitext(path)[1].lower()
    return BEST_FIRST.index(suffix) if suffix in BEST_FIRST else len(BEST_FIRST)


def relative(path: str, folder: str) -> str:
    """A path below the corpus as one relative to a table's `folder`."""
    return posixpath.relpath(path, folder) if folder else path


def read_json_file(path: Path) -> Any:
    """The value in a JSON file; None where it cannot be read, which is then not the layout that was looked for."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None


def beginning(path: Path, size: int = 4096) -> str:
    """The text with which a file begins; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(size).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a JSON list; none in anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
