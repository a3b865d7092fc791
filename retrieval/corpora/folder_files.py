"""The files of a folder, or of a zip archive as of the folder that it was made from, and reading them."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from retrieval.corpora.file_kinds import NO_SUFFIX, UNKNOWN, is_image, reason_of
from retrieval.corpora.listing import Found, files_below
from retrieval.corpora.naming import is_hidden
from retrieval.corpora.tables.open_rows import refusal_of, suffix_of
from retrieval.corpora.tables.table_account import left_tables
from retrieval.errors import CorpusError

Read = Callable[[str, int], bytes]
"""Gives the bytes of a file by its name. OSError where it cannot be read, TooLargeError where it has more bytes."""
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
"""First bytes of images: JPEG, PNG, GIF, TIFF."""
UNPACK = "unpack it first, and give the folder"


class TooLargeError(Exception):
    """A file has more bytes than its kind may have."""


class FolderFiles:
    """The files below a folder. Raises CorpusError where a folder cannot be read."""

    noun = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found = files_below(root)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Read]:
        yield self._bytes

    def unnamed_images(self) -> Collection[str]:
        """The files whose first bytes are of an image and whose names say of no kind, where no image has its name."""
        if any(map(is_image, self.found.sizes)):
            return ()
        maybe = (name for name in self.found.sizes if reason_of(name) in (NO_SUFFIX, UNKNOWN))
        return {name for name in maybe if self._begins_as_image(name)}

    def _begins_as_image(self, name: str) -> bool:
        try:
            with open(self._root / name, "rb", opener=_without_waiting) as file:
                start = file.read(12)
        except OSError:
            return False
        return start.startswith(STARTS) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")

    def why_tables_are_left(self, names: Iterator[str]) -> Mapping[str, str]:
        return left_tables(self._root, names)

    def way_out(self, names: Iterator[str]) -> str:
        """How tables of these names could be read, or other files."""
        tables = (self._root / name for name in names if suffix_of(Path(name)) not in (None, ".txt"))
        return next(filter(None, map(refusal_of, tables)), "mend their names, unpack them or give their own paths")

    def _bytes(self, name: str, limit: int) -> bytes:
        """The bytes of a regular file: a pipe would be waited for, a device has no end."""
        with open(self._root / name, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{name}: not a regular file")
            if status.st_size > limit:
                raise TooLargeError
            return file.read()


class ZipFiles:
    """The members of a zip archive. Nothing is unpacked onto the disk, so their names lead nowhere.

    Raises CorpusError where it is damaged or encrypted, or where two members have one name.
    """

    noun = "archive"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
        except OSError:
            raise
        except Exception:  # struct.error, ValueError and others
            raise CorpusError(f"{path}: the zip archive is damaged; write or download it again") from None
        if any(member.flag_bits & 1 for member in members):
            raise CorpusError(f"{path}: the zip archive is encrypted; {UNPACK}")
        self._members = {_inside(member): member for member in members}
        if len(self._members) < len(members):
            raise CorpusError(f"{path}: several files in the zip archive have one name; {UNPACK}")
        visible = {name: member for name, member in self._members.items() if not is_hidden(name)}
        links = tuple(name for name, member in visible.items() if stat.S_ISLNK(member.external_attr >> 16))
        sizes = {name: visible[name].file_size for name in sorted(visible) if name not in links}
        self.found = Found(sizes, len(members) - len(visible), links)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Read]:
        with zipfile.ZipFile(self._path) as archive:

            def read(name: str, limit: int) -> bytes:
                member = self._members[name]
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise OSError(f"{name}: not a regular file")
                if member.file_size > limit:
                    raise TooLargeError
                try:
                    with archive.open(member) as opened:
                        return opened.read(member.file_size)
                except Exception as error:  # of each compression its own
                    raise OSError(f"{name}: damaged") from error

            yield read

    def unnamed_images(self) -> Collection[str]:
        """None: members of an archive are known by their names."""
        return ()

    def why_tables_are_left(self, names: Iterator[str]) -> Mapping[str, str]:
        tables = (name for name in names if suffix_of(Path(name)) not in (None, ".txt"))
        return dict.fromkeys(tables, "table in an archive: unpack it first")

    def way_out(self, names: Iterator[str]) -> str:
        """What makes files of these names readable."""
        return UNPACK


def _inside(member: zipfile.ZipInfo) -> str:
    """The name of a member as a path below the archive. Names of macOS are UTF-8 and do not say so."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
