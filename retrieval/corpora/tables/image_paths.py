"""Where the images of a table are, however it writes their paths."""

from __future__ import annotations

import base64
import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden

IMAGE_FOLDERS = (
    *("images", "image", "imgs", "img", "figures", "pictures", "photos"),
    *("quilt_1m", "caption_t060_filtered_top4_sep_v0_subfigures"),
)
"""Folders in which a table's images may be; the last ones are those of Quilt-1M and PMC-OA. Images of the same names in
other folders may be masks or predictions."""

OTHER_PICTURES = re.compile(
    r"(mask|label|annotation|segmentation|pred|prediction|overlay|thumb|thumbnail|heatmap)s?", re.I
)
"""Folders with pictures of other kinds that are called as the images are."""

BEST_FIRST = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")
"""Of several files of one stem the first is the figure: publishers put a small .gif beside the .jpg."""

SOME = 3
"""Images that must be elsewhere to be looked for by their names."""

MOST_FOLDERS = 1000
MOST_FILES = 1_000_000
LARGEST = 1 << 30


class ImagePaths:
    """Finds the file that a path of a table means, below `root`.

    Tried are, in this order: the path as it is; with backslashes as slashes and without the %20 of URLs; in another
    case or another normal form of Unicode; and, where it has no suffix of an image, with one. The first `dropped` parts
    of a path are left out: a table may come from another folder or machine. With `any_suffix` that of the path does not
    count: the images may have been converted.
    """

    def __init__(self, root: Path, dropped: int = 0, *, any_suffix: bool = False) -> None:
        self.root = root
        self.dropped = dropped
        self._any_suffix = any_suffix

    def place(self, path: str) -> Path:
        """Where the image should be."""
        return self.root / self._inside(path)

    def find(self, path: str) -> Path | None:
        """Where the image is; None where it is not, or where several are meant by the path alike."""
        for wanted in dict.fromkeys((path, self._inside(path), self._inside(_plain(path)))):
            file = self.root / wanted
            if exists(file):
                return file
        return _loosely(self.root, self._inside(_plain(path)), self._any_suffix)

    def _inside(self, path: str) -> str:
        if not self.dropped:
            return path
        parts = path.lstrip("/").split("/")
        return "/".join(parts[min(self.dropped, len(parts) - 1) :])


class NamedImages(ImagePaths):
    """Finds a file anywhere below `root` by its name alone; none where several have it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._by_name: dict[str, str] = {}
        for path in _images_below(root):
            name = normal(posixpath.basename(path))
            for key in {name, posixpath.splitext(name)[0]}:
                self._by_name[key] = "" if key in self._by_name else path

    def find(self, path: str) -> Path | None:
        found = self._by_name.get(normal(posixpath.basename(_plain(path))))
        return super().find(path) or (self.root / found if found else None)


def where_images_are(folder: Path, paths: Iterable[str], root: Path | None, *, anywhere: bool) -> ImagePaths:
    """How to find `paths`, some of those of a table in `folder`; `root` is where somebody said that they start.

    They start in the folder or in a folder of images in it, whichever has more of them. Where these have none they may
    start after their first parts, and, `anywhere`, in a folder beside or below; where they have some of them, only if
    nearly all are there, so that a missing image never has another's file. Bare names may lie in several folders.
    """
    wanted = list(dict.fromkeys(paths))
    homes = [root] if root else [folder, *_image_folders(folder)]

    def as_written(here: ImagePaths) -> int:
        return sum(exists(here.place(path)) for path in wanted)

    def present(here: ImagePaths) -> int:
        return len({found for path in wanted if (found := here.find(path))})

    best = max(map(ImagePaths, homes), key=as_written)
    most = at_first = present(best)
    if most == 0:
        best = max(map(ImagePaths, homes), key=present)
        most = at_first = present(best)
    if most == len(wanted) or not (anywhere or root):
        return best
    depth = min(max((_plain(path).count("/") for path in wanted), default=0), 16)
    if most * 2 < len(wanted):
        homes += _image_folders(folder.parent) if anywhere else []
        others = [ImagePaths(home, dropped) for dropped in range(depth + 1) for home in homes]
        if anywhere:
            others += [ImagePaths(home, dropped) for home in _folders_below(folder) for dropped in {0, depth}]
        enough = len(wanted) * (0.9 if most else 0.1)
        for other in others:
            if (now := present(other)) > most and now >= enough:
                best, most = other, now
            if most == len(wanted):
                return best
    if most == 0:
        converted = (ImagePaths(home, dropped, any_suffix=True) for dropped in range(depth + 1) for home in homes)
        best = next((other for other in converted if present(other) >= len(wanted) * 0.9), best)
        most = present(best)
    spread = at_first == 0 or len(wanted) - at_first >= SOME
    if anywhere and spread and most < len(wanted) and not any("/" in _plain(path) for path in wanted):
        named = NamedImages(folder)
        now = present(named)
        return named if now == len(wanted) or (now > most and at_first * 2 < len(wanted)) else best
    return best


IMAGE_IN_TEXT = re.compile(r"data:image/[\w.+-]+;base64,|(?=/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK)", re.ASCII)


def image_in(text: str) -> bytes | None:
    """The image file that a text is, in base64 as in a data URL; None where it is a path."""
    start = IMAGE_IN_TEXT.match(text) if len(text) > 60 else None
    if start is None:
        return None
    try:
        return base64.b64decode("".join(text[start.end() :].split()), validate=True)
    except ValueError:
        return b"" if start[0] else None


def read_image(path: Path) -> bytes | str:
    """The bytes of an image file, or why they cannot be had. Pipes and devices are not opened."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return "image cannot be read"
        return path.read_bytes() if status.st_size <= LARGEST else "image is too large"
    except (FileNotFoundError, NotADirectoryError):
        return "image file is missing"
    except (OSError, ValueError):  # such as a name with a zero, or a text too long for a name
        return "image cannot be read"


def exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def normal(name: str) -> str:
    """A file name whatever its case and however its accents are composed."""
    return name if name.islower() and name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _plain(path: str) -> str:
    path = path.removeprefix("file://").replace("\\", "/")
    return posixpath.normpath(unquote(path) if "%" in path else path)


def _loosely(root: Path, path: str, any_suffix: bool) -> Path | None:
    """The file at `path` below `root`, in any case and normal form; with any suffix where the path has none, or where
    it does not count."""
    at = root
    *folders, name = path.split("/")
    for folder in folders:
        if (at / folder).is_dir() if len(folder) < 256 else False:
            at = at / folder
            continue
        found = _names_in(at).get(normal(folder), ())
        if len(found) != 1:
            return None
        at = at / found[0]
    names = _names_in(at)
    same = names.get(normal(name), ())
    if not same and (any_suffix or posixpath.splitext(name)[1].lower() not in IMAGE_SUFFIXES):
        name = posixpath.splitext(name)[0] if any_suffix else name
        for suffix in (*BEST_FIRST, *sorted(IMAGE_SUFFIXES.difference(BEST_FIRST))):
            same = names.get(normal(name) + suffix, ())
            if same:
                break
    return at / same[0] if len(same) == 1 and exists(at / same[0]) else None


@lru_cache(maxsize=64)
def _listed(folder: Path, changed: int) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for name in os.listdir(folder):
        key = normal(name)
        names[key] = (*names.get(key, ()), name)
    return names


def _names_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """The names in a folder by their normal form; none where it cannot be listed."""
    try:
        return _listed(folder, os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):
        return {}


def _image_folders(folder: Path) -> list[Path]:
    try:
        return sorted(item for item in folder.iterdir() if item.name.lower() in IMAGE_FOLDERS and item.is_dir())
    except OSError:
        return []


def _folders_below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for at, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name) and not OTHER_PICTURES.fullmatch(name))
        found += [Path(at, name) for name in folders]
        if len(found) >= MOST_FOLDERS:
            break
    return found[:MOST_FOLDERS]


def _images_below(folder: Path) -> Iterator[str]:
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name) and not OTHER_PICTURES.fullmatch(name))
        inside = os.path.relpath(at, folder).replace(os.sep, "/")
        for name in sorted(names):
            if posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES and not is_hidden(name):
                yield posixpath.normpath(f"{inside}/{name}")
                count += 1
        if count >= MOST_FILES:
            return
