"""The files that lie together with articles: in a folder, or in an archive that is read without unpacking it."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import posixpath
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from retrieval.corpora.compression import UNREADABLE, is_compressed, open_unpacked
from retrieval.corpora.jats.elements import LARGEST, Unreadable
from retrieval.corpora.jats.image_files import ImageFiles, is_image
from retrieval.corpora.naming import is_hidden, join_path, raise_it, relative_path
from retrieval.corpora.tars import DAMAGED, SPECIAL, TRUNCATED, is_tar, list_members

ARTICLE_SUFFIXES = (".nxml", ".xml", ".jats", ".nxml.gz", ".xml.gz")
ZIPS = (".zip", ".meca")
"""MECA is the zip in which manuscripts travel between journals and preprint servers."""

LARGEST_FILE = 1 << 30
"""Bytes of one image; a header that promises more is not believed."""

IN_MEMORY = 256 << 20
"""A compressed archive of up to so many bytes is unpacked in memory: going back in a compressed stream begins anew."""

ENCRYPTED = "archive is encrypted"


@dataclass(frozen=True)
class Package:
    """The files that lie together with one or several articles: XML, JSON and images, by their names in the folder.

    `place` is where they lie in the corpus. `read` gives a file's bytes and raises Unreadable. `fault` says what
    breaks off the archive that they come from. `others` are the files of other kinds, `away` the names of records that
    lie in a folder `metadata` beside it.
    """

    place: str
    sizes: Mapping[str, int]
    read: Callable[[str], bytes]
    fault: str | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    def path_of(self, name: str) -> str:
        """The path in the corpus of a file."""
        place = join_path(posixpath.dirname(self.place), "metadata") if name in self.away else self.place
        return join_path(place, name)

    @cached_property
    def articles(self) -> tuple[str, ...]:
        """The names of what may be articles, those in the folder itself."""
        return tuple(sorted(name for name in self.sizes if "/" not in name and name.lower().endswith(ARTICLE_SUFFIXES)))

    @cached_property
    def files(self) -> Mapping[str, int]:
        """All of them."""
        return {**self.sizes, **self.others}

    @cached_property
    def images(self) -> ImageFiles:
        return ImageFiles(self.sizes, self.others)


@dataclass(frozen=True, slots=True)
class Contents:
    """The packages of a location by their folders in it, one of a folder, any number of an archive.

    Of an archive: what breaks it off, if anything does, its members with their sizes, and what in it is no file.
    """

    packages: Mapping[str, Package]
    fault: str | None = None
    members: Mapping[str, int] = field(default_factory=dict)
    strays: Sequence[tuple[str, str]] = ()


@contextlib.contextmanager
def open_package(root: Path, location: str) -> Iterator[Contents]:
    """What a folder or an archive holds, to be read while it is open. OSError where it cannot be opened."""
    path = root / location
    if path.is_dir():
        yield Contents({"": _folder_package(path, location)})
    elif is_zip(path):
        with open(path, "rb") as zipped:
            yield _zip_packages(zipped, location)
    else:
        with _unpacked(path) as (file, fault):
            listing = list_members(file)
            by_name = {_inside(member.name): member for member in listing.members}
            broken = listing.fault or fault
            sizes = {name: member.size for name, member in by_name.items()}

            def read(name: str) -> bytes:
                try:
                    return by_name[name].read(file)
                except UNREADABLE:
                    raise Unreadable(DAMAGED) from None

            yield Contents(_by_folders(sizes, read, location, broken), broken, sizes, listing.strays)


def is_zip(path: Path) -> bool:
    return path.name.lower().endswith(ZIPS)


def is_archive(path: Path) -> bool:
    return is_tar(path) or is_zip(path)


def _folder_package(folder: Path, place: str) -> Package:
    """A folder with those below it, except where other articles lie there, and PMC's records of its articles, which
    lie beside them or all together in a folder `metadata` beside theirs."""
    sizes: dict[str, int] = {}
    others: dict[str, int] = {}
    for current, below, names in os.walk(folder, onerror=raise_it):
        if current != str(folder) and any(name.lower().endswith(ARTICLE_SUFFIXES) for name in names):
            below.clear()
            continue
        below[:] = sorted(name for name in below if not is_hidden(name))
        prefix = relative_path(Path(current), folder)
        for name in sorted(names):
            path = os.path.join(current, name)
            if not is_hidden(name) and os.path.isfile(path):
                of_use = _is_of_use(name) and (is_image(name) or not prefix)
                (sizes if of_use else others)[join_path(prefix, name)] = os.path.getsize(path)

    elsewhere = _records(folder, sizes) if place else {}  # beside the corpus itself lies nothing of it
    sizes |= {name: path.stat().st_size for name, path in elsewhere.items()}

    def read(name: str) -> bytes:
        try:
            return elsewhere.get(name, folder / name).read_bytes()
        except OSError:
            what = "article" if name.lower().endswith(ARTICLE_SUFFIXES) else "image"
            raise Unreadable(f"{what} cannot be read") from None

    return Package(place, sizes, _bounded(read, sizes | others), None, others, frozenset(elsewhere))


def _records(folder: Path, names: Collection[str]) -> dict[str, Path]:
    """The records in `metadata` of those articles that have none beside them, by the name they would have there."""
    articles = (name for name in names if "/" not in name and name.lower().endswith(ARTICLE_SUFFIXES))
    missing = {f"{posixpath.splitext(name)[0]}.json" for name in articles} - set(names)
    found = {name: folder.parent / "metadata" / name for name in sorted(missing)}
    return {name: path for name, path in found.items() if path.is_file()}


def _by_folders(
    sizes: Mapping[str, int], read: Callable[[str], bytes], place: str, fault: str | None
) -> dict[str, Package]:
    """The packages of an archive by their folders in it: each file goes to the article that is nearest above it."""
    shown = {name: size for name, size in sizes.items() if name and not is_hidden(name)}
    folders: dict[str, dict[str, int]] = {
        posixpath.dirname(name): {} for name in shown if name.lower().endswith(ARTICLE_SUFFIXES)
    }
    for name, size in shown.items():
        folder = posixpath.dirname(name)
        while folder and folder not in folders:
            folder = posixpath.dirname(folder)
        if folder in folders:
            folders[folder][posixpath.relpath(name, folder or ".")] = size

    def package(folder: str, inside: Mapping[str, int]) -> Package:
        of_use = {name: size for name, size in inside.items() if _is_of_use(name)}
        others = {name: size for name, size in inside.items() if name not in of_use}
        found = _bounded(lambda name: read(join_path(folder, name)), inside)
        return Package(join_path(place, folder), of_use, found, fault, others)

    return {folder: package(folder, inside) for folder, inside in sorted(folders.items())}


def _zip_packages(file: IO[bytes], place: str) -> Contents:
    try:
        archive = zipfile.ZipFile(file)
    except Exception:  # struct.error, ValueError and others
        return Contents({}, DAMAGED)
    files = [member for member in archive.infolist() if not member.is_dir()]
    links = [member for member in files if stat.S_ISLNK(member.external_attr >> 16)]
    members = {_inside(member.filename): member for member in files if member not in links}
    sizes = {name: member.file_size for name, member in members.items()}

    def read(name: str) -> bytes:
        member = members[name]
        if member.flag_bits & 1:
            raise Unreadable(ENCRYPTED)
        try:
            with archive.open(member) as opened:
                return opened.read(member.file_size)
        except Exception:  # of each compression its own
            raise Unreadable(DAMAGED) from None

    strays = [(_inside(member.filename), SPECIAL) for member in links]
    return Contents(_by_folders(sizes, read, place, None), None, sizes, strays)


def _bounded(read: Callable[[str], bytes], sizes: Mapping[str, int]) -> Callable[[str], bytes]:
    """As `read`, but Unreadable for what is too large; packed XML comes unpacked."""

    def within(name: str) -> bytes:
        is_xml = name.lower().endswith((*ARTICLE_SUFFIXES, ".json"))
        if sizes.get(name, 0) > (LARGEST if is_xml else LARGEST_FILE):
            raise Unreadable("article is too large" if is_xml else "image is too large")
        data = read(name)
        if not name.lower().endswith(".gz"):
            return data
        try:
            with gzip.open(io.BytesIO(data)) as packed:
                return packed.read(LARGEST + 1)
        except UNREADABLE:
            raise Unreadable("article is damaged") from None

    return within


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


def _is_of_use(name: str) -> bool:
    base = posixpath.basename(name).lower()
    return not is_hidden(name) and (base.endswith((*ARTICLE_SUFFIXES, ".json")) or is_image(base))


def _inside(name: str) -> str:
    """A member's name without what would lead out of the archive; it only serves to put files together."""
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")
