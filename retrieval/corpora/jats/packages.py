"""Where articles lie: in folders, and in archives that are read without unpacking them."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from retrieval.corpora.compression import UNREADABLE, is_compressed, open_unpacked
from retrieval.corpora.jats.elements import LARGEST, Unreadable
from retrieval.corpora.jats.figures import Images, is_image
from retrieval.corpora.naming import is_hidden
from retrieval.corpora.tars import DAMAGED, TRUNCATED, Member, is_tar, list_members

ARTICLE_SUFFIXES = (".nxml", ".xml")
LARGEST_FILE = 1 << 30
"""Bytes of one image; a header that promises more is not believed."""

IN_MEMORY = 256 << 20
"""A compressed archive of up to so many bytes is unpacked in memory: going back in a compressed stream begins anew."""

_ARTICLE = re.compile(rb"<(?:[\w-]+:)?(?:article|pmc-articleset)[\s>]")
_SNIFFED = 1 << 16
PMC_ARCHIVE = re.compile(r"PMC\d+\b.*", re.I)


@dataclass(frozen=True)
class Package:
    """The files that lie together with one or several articles: XML, JSON and images, by their names in the folder.

    `place` is where they lie in the corpus. `read` gives a file's bytes and raises Unreadable. `fault` says what
    breaks off the archive that they come from.
    """

    place: str
    sizes: Mapping[str, int]
    read: Callable[[str], bytes]
    fault: str | None = None

    @cached_property
    def articles(self) -> tuple[str, ...]:
        """The names of what may be articles, those in the folder itself."""
        return tuple(sorted(name for name in self.sizes if "/" not in name and name.lower().endswith(ARTICLE_SUFFIXES)))

    @cached_property
    def images(self) -> Images:
        return Images(self.sizes)


@dataclass(frozen=True, slots=True)
class Location:
    """A folder with articles, or an archive: its path below the corpus, and the articles to read where not all are."""

    path: str
    only: tuple[str, ...] | None = None


def says_article(start: bytes) -> bool:
    """Whether XML that begins like this is an article, and not a report or a drawing."""
    return _ARTICLE.search(start[:_SNIFFED].replace(b"\0", b"")) is not None


def is_article(path: Path) -> bool:
    """A file that is or should be an article: any .nxml, and a .xml that looks like one or cannot be looked into."""
    if not path.is_file() or path.suffix.lower() not in ARTICLE_SUFFIXES:
        return False
    if path.suffix.lower() == ".nxml":
        return True
    try:
        with open(path, "rb") as file:
            return says_article(file.read(_SNIFFED))
    except OSError:
        return True


def located(root: Path, paths: Sequence[Path]) -> Iterator[Location]:
    """All places below `root` where the articles of `paths` (folders, archives, articles) lie, in a fixed order."""
    loose: dict[str, list[str]] = {}
    for path in paths:
        if path.is_dir():
            yield from _below(root, path)
        elif is_tar(path):
            yield Location(_relative(path, root))
        elif is_article(path):
            loose.setdefault(_relative(path.parent, root), []).append(path.name)
    for folder, names in sorted(loose.items()):
        yield Location(folder, tuple(sorted(names)))


@contextlib.contextmanager
def open_package(root: Path, location: str) -> Iterator[tuple[Mapping[str, Package], str | None]]:
    """The packages of a location by their folders in it (one of a folder, any number of an archive), and what breaks
    the archive off, if anything does. OSError where it cannot be opened."""
    path = root / location
    if path.is_dir():
        yield {"": _folder_package(path, location)}, None
    else:
        with _unpacked(path) as (file, fault):
            listing = list_members(file)
            broken = listing.fault or fault
            yield _archive_packages(file, listing.members, location, broken), broken


def walked(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below `top` with the names of its files, all sorted, without hidden ones. Links to folders are
    followed, each folder is entered once. OSError where one is unreadable."""
    entered: set[tuple[int, int]] = set()
    for folder, below, names in os.walk(top, followlinks=True, onerror=_raise):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            below.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not is_hidden(name))
        yield Path(folder), sorted(name for name in names if not is_hidden(name))


def join_path(*parts: str) -> str:
    """A path of these parts, of which some may be empty."""
    return "/".join(filter(None, parts))


def _below(root: Path, top: Path) -> Iterator[Location]:
    for folder, names in walked(top):
        has_articles = any(is_article(folder / name) for name in names)
        if has_articles:
            yield Location(_relative(folder, root))
        for name in names:
            # beside an article, an archive may be a supplement of it
            if is_tar(folder / name) and (not has_articles or PMC_ARCHIVE.fullmatch(name)):
                yield Location(_relative(folder / name, root))


def _folder_package(folder: Path, place: str) -> Package:
    """A folder with those below it, except where other articles lie there, and PMC's records of its articles, which
    lie beside them or all together in a folder `metadata` beside theirs."""
    sizes: dict[str, int] = {}
    for current, below, names in os.walk(folder, onerror=_raise):
        if current != str(folder) and any(name.lower().endswith(ARTICLE_SUFFIXES) for name in names):
            below.clear()
            continue
        below[:] = sorted(name for name in below if not is_hidden(name))
        prefix = _relative(Path(current), folder)
        for name in sorted(names):
            path = os.path.join(current, name)
            if _is_of_use(name) and (is_image(name) or not prefix) and os.path.isfile(path):
                sizes[join_path(prefix, name)] = os.path.getsize(path)

    elsewhere = _records(folder, sizes) if place else {}  # beside the corpus itself lies nothing of it
    sizes |= {name: path.stat().st_size for name, path in elsewhere.items()}

    def read(name: str) -> bytes:
        _refuse_large(name, sizes.get(name, 0))
        try:
            return elsewhere.get(name, folder / name).read_bytes()
        except OSError:
            raise Unreadable("image cannot be read" if is_image(name) else "article cannot be read") from None

    return Package(place, sizes, read)


def _records(folder: Path, names: Collection[str]) -> dict[str, Path]:
    """The records in `metadata` of those articles that have none beside them, by the name they would have there."""
    articles = (name for name in names if "/" not in name and name.lower().endswith(ARTICLE_SUFFIXES))
    missing = {f"{posixpath.splitext(name)[0]}.json" for name in articles} - set(names)
    found = {name: folder.parent / "metadata" / name for name in sorted(missing)}
    return {name: path for name, path in found.items() if path.is_file()}


def _archive_packages(file: IO[bytes], members: Sequence[Member], place: str, fault: str | None) -> dict[str, Package]:
    """The packages of an archive by their folders in it: each image goes to the article that is nearest above it."""
    by_name = {_inside(member.name): member for member in members}
    useful = {name: member for name, member in by_name.items() if name and _is_of_use(name)}
    folders: dict[str, dict[str, Member]] = {
        posixpath.dirname(name): {} for name in useful if name.lower().endswith(ARTICLE_SUFFIXES)
    }
    for name, member in useful.items():
        folder = posixpath.dirname(name)
        while folder and folder not in folders:
            folder = posixpath.dirname(folder)
        if folder in folders:
            folders[folder][posixpath.relpath(name, folder or ".")] = member
    return {
        folder: Package(
            join_path(place, folder),
            {name: member.size for name, member in inside.items()},
            _reader(file, inside),
            fault,
        )
        for folder, inside in sorted(folders.items())
    }


def _reader(file: IO[bytes], members: Mapping[str, Member]) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        _refuse_large(name, members[name].size)
        try:
            return members[name].read(file)
        except UNREADABLE:
            raise Unreadable(DAMAGED) from None

    return read


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[tuple[IO[bytes], str | None]]:
    """The bytes of an archive, unpacked in memory where it is compressed and of usual size, and what broke it off."""
    with open_unpacked(path) as file:
        if not is_compressed(path):
            yield file, None
            return
        whole, fault = io.BytesIO(), None
        try:
            while whole.tell() <= IN_MEMORY and (piece := file.read1(1 << 20)):  # type: ignore[attr-defined]
                whole.write(piece)
        except UNREADABLE as error:
            fault = TRUNCATED if isinstance(error, EOFError) else DAMAGED
        yield (file if whole.tell() > IN_MEMORY else whole), fault


def _refuse_large(name: str, size: int) -> None:
    if size > (LARGEST_FILE if is_image(name) else LARGEST):
        raise Unreadable("image is too large" if is_image(name) else "article is too large")


def _is_of_use(name: str) -> bool:
    base = posixpath.basename(name).lower()
    return not is_hidden(name) and (base.endswith((*ARTICLE_SUFFIXES, ".json")) or is_image(base))


def _inside(name: str) -> str:
    """A member's name without what would lead out of the archive; it only serves to put files together."""
    return posixpath.normpath("/" + name).lstrip("/")


def _relative(path: Path, root: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return "" if relative == "." else relative


def _raise(error: OSError) -> None:
    raise error
