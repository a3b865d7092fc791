"""Folders and archives with articles, opened to be read; archives are not unpacked."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

from retrieval.corpora.compression import UNREADABLE, is_compressed, open_unpacked
from retrieval.corpora.jats.elements import Unreadable
from retrieval.corpora.jats.image_files import is_article_image
from retrieval.corpora.jats.packages import ARTICLE_SUFFIXES, Package, PackageContents, bounded, is_of_use, is_zip
from retrieval.corpora.naming import is_hidden, join_path, raise_it, relative_path
from retrieval.corpora.tars import DAMAGED, SPECIAL, TRUNCATED, list_members

IN_MEMORY = 256 << 20
"""A compressed archive of up to so many bytes is unpacked in memory: going back in a compressed stream begins anew."""

ENCRYPTED = "archive is encrypted"


@contextlib.contextmanager
def open_package(root: Path, location: str) -> Iterator[PackageContents]:
    """What a folder or an archive holds, to be read while it is open. OSError where it cannot be opened."""
    path = root / location
    if path.is_dir():
        yield PackageContents({"": _folder_package(root, location)})
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

            yield PackageContents(_by_folders(sizes, read, location, broken), broken, sizes, listing.strays)


def _folder_package(root: Path, place: str) -> Package:
    """A folder with those below it, except where other articles lie there, and what lies elsewhere: PMC's records in a
    folder `metadata` beside it, and, where it has no images, those in a folder for images that is laid out like it."""
    sizes: dict[str, int] = {}
    others: dict[str, int] = {}
    folder = root / place
    for current, below, names in os.walk(folder, onerror=raise_it):
        if current != str(folder) and any(name.lower().endswith(ARTICLE_SUFFIXES) for name in names):
            below.clear()
            continue
        below[:] = sorted(name for name in below if not is_hidden(name))
        prefix = relative_path(Path(current), folder)
        for name in sorted(names):
            path = os.path.join(current, name)
            if not is_hidden(name) and os.path.isfile(path):
                of_use = is_of_use(name) and (is_article_image(name) or not prefix)
                (sizes if of_use else others)[join_path(prefix, name)] = os.path.getsize(path)

    # beside the corpus itself lies nothing of it
    away = _records(folder, sizes) if place else {}
    if place and not any(map(is_article_image, sizes)):
        away |= _images_beside(root, place, away.keys() | sizes.keys() | others.keys())
    sizes |= {name: path.stat().st_size for name, path in away.items()}

    def read(name: str) -> bytes:
        try:
            return away.get(name, folder / name).read_bytes()
        except OSError:
            what = "article" if name.lower().endswith(ARTICLE_SUFFIXES) else "image"
            raise Unreadable(f"{what} cannot be read") from None

    paths = {name: relative_path(path, root) for name, path in away.items()}
    return Package(place, sizes, bounded(read, sizes | others), None, others, paths)


IMAGE_FOLDERS = ("images", "figures", "media", "graphics", "figs", "img", "pictures")


def _images_beside(root: Path, place: str, taken: Collection[str]) -> dict[str, Path]:
    """The images in a folder for images that lies as the articles' folder does, by the names they would have in that:
    of xml/PMC1 those in images/PMC1, of xml those in images."""
    parts = place.split("/")
    for at in reversed(range(len(parts))):
        for called in IMAGE_FOLDERS:
            beside = root.joinpath(*parts[:at], called, *parts[at + 1 :])
            if called not in parts and beside.is_dir():
                found = (path for path in sorted(beside.rglob("*")) if is_article_image(path.name) and path.is_file())
                named = {relative_path(path, beside): path for path in found}
                return {name: path for name, path in named.items() if name not in taken and not is_hidden(name)}
    return {}


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
        of_use = {name: size for name, size in inside.items() if is_of_use(name)}
        others = {name: size for name, size in inside.items() if name not in of_use}
        found = bounded(lambda name: read(join_path(folder, name)), inside)
        return Package(join_path(place, folder), of_use, found, fault, others)

    return {folder: package(folder, inside) for folder, inside in sorted(folders.items())}


def _zip_packages(file: IO[bytes], place: str) -> PackageContents:
    try:
        archive = zipfile.ZipFile(file)
    except Exception:  # struct.error, ValueError and others
        return PackageContents({}, DAMAGED)
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
    return PackageContents(_by_folders(sizes, read, place, None), None, sizes, strays)


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


def _inside(name: str) -> str:
    """A member's name without what would lead out of the archive; it only serves to put files together."""
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")
