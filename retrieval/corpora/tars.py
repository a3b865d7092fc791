"""What tar archives hold and where, without unpacking them."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import IO, Any

from retrieval.corpora.compression import UNREADABLE
from retrieval.corpora.naming import printable

SUFFIXES = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"),
    *(".tar.zst", ".tar.zstd", ".tzst"),
)

BLOCK = tarfile.BLOCKSIZE
LONGEST_NAME = 16 << 20
"""Bytes that are read at once for a header and what extends it; one that promises more is not believed."""
LARGEST = 1 << 62

TRUNCATED = "archive is truncated"
DAMAGED = "archive is damaged"
TRAILING = "bytes after the end of the archive are not read"
NO_TARGET = "link leads to no file in the archive"
SPECIAL = "no regular file"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive: its data begin at `offset` of the unpacked archive. Of a sparse file only the pieces
    (offset in the file, bytes) are there, one after the other."""

    name: str
    offset: int
    size: int
    pieces: tuple[tuple[int, int], ...] | None = None

    @property
    def stored(self) -> int:
        """The bytes that its data take in the archive."""
        return self.size if self.pieces is None else sum(length for _, length in self.pieces)

    def read(self, file: IO[bytes]) -> bytes:
        """The file's bytes. EOFError where the archive ends before them."""
        file.seek(self.offset)
        data = file.read(self.stored)
        if len(data) < self.stored:
            raise EOFError(f"{self.name}: {len(data)} of {self.stored} bytes")
        if self.pieces is None:
            return data
        whole, at = io.BytesIO(), 0
        for start, length in self.pieces:
            whole.seek(start)
            whole.write(data[at : at + length])
            at += length
        whole.truncate(self.size)
        return whole.getvalue().ljust(self.size, b"\0")


@dataclass(slots=True)
class TarListing:
    """The whole files of an archive in their order; what in it is no file, with the reason; the file that it breaks off
    in, and the fault."""

    members: list[Member] = field(default_factory=list)
    strays: list[tuple[str, str]] = field(default_factory=list)
    cut: Member | None = None
    fault: str | None = None


def is_tar(path: PurePath) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def list_members(file: IO[bytes]) -> TarListing:
    """Everything that lies in an archive, also in those that follow it in the same file."""
    entries: list[Member | _Link] = []
    listing = TarListing()
    try:
        at: int | None = 0
        while at is not None:
            at = _walk(file, _walk_plain(file, at, entries), entries, listing.strays)
            at, listing.fault = _next_archive(file, at)
    except Exception as error:  # tarfile raises nearly every built-in exception on damaged headers
        at_end = isinstance(error, EOFError) or any(
            word in str(error).lower() for word in ("end of data", "empty", "truncated")
        )
        listing.fault = TRUNCATED if at_end else DAMAGED
    files = [entry for entry in entries if isinstance(entry, Member)]
    if files and not _is_whole(file, files[-1]):
        listing.cut, listing.fault = files[-1], TRUNCATED
    listing.members = _resolved(entries, listing.strays) if len(files) < len(entries) else files
    if listing.cut is not None:
        listing.members = [member for member in listing.members if member.offset != files[-1].offset]
    return listing


@dataclass(frozen=True, slots=True)
class _Link:
    """Another name of a file in the archive: a hard link, or a symbolic one, which starts from its own folder."""

    name: str
    target: str
    symbolic: bool


def _walk_plain(file: IO[bytes], at: int, entries: list[Member | _Link]) -> int:
    """Append the plain files with short names that lie from `at` on to `entries`; where something else turns up.

    Shards are mostly of nothing else, opening thousands of them is only this, and tarfile needs four times as long
    (POSIX.1-1988 ustar).
    """
    while True:
        file.seek(at)
        header = file.read(BLOCK)
        if len(header) < BLOCK or not header[0] or header[345]:
            return at
        checksum, size = _octal(header[148:156]), _octal(header[124:136])
        if size is None or checksum != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            return at
        raw = header[:100].partition(b"\0")[0]
        if header[156:157] not in (tarfile.REGTYPE, tarfile.AREGTYPE) or raw.endswith(b"/"):
            return at
        name = raw.decode("ascii") if raw.isascii() else printable(os.fsdecode(raw))
        entries.append(Member(name, at + BLOCK, size))
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK


def _octal(digits: bytes) -> int | None:
    stripped = digits.strip(b" \0") or b"0"
    try:
        return int(stripped, 8) if stripped.isdigit() else None
    except ValueError:
        return None


class _HeaderFile:
    """An archive as tarfile reads its headers: `last` is where it read last, and no header fills the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.last = file.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_NAME:
            raise tarfile.ReadError("a header of impossible length")
        self.last = self._file.tell()
        return self._file.read(size)


def _walk(file: IO[bytes], at: int, entries: list[Member | _Link], strays: list[tuple[str, str]]) -> int:
    """Append what lies from `at` to the end of an archive of any kind to `entries` and `strays`; where it ends."""
    file.seek(at)
    block = file.read(BLOCK)
    if len(block) < BLOCK or block.count(0) == BLOCK:
        return at
    file.seek(at)
    headers = _HeaderFile(file)
    options: Any = {"fileobj": headers, "mode": "r:", "encoding": "utf-8", "errors": "surrogateescape"}
    with tarfile.open(**options) as tar:
        while (found := tar.next()) is not None:
            held = getattr(tar, "members", None)
            if isinstance(held, list):
                held.clear()  # it would keep every header
            if not 0 <= found.size <= LARGEST or found.offset < at or found.offset_data <= found.offset:
                raise tarfile.ReadError("a file of impossible length")
            at = found.offset_data
            name = printable(found.name)
            if found.isreg():
                sparse: Any = getattr(found, "sparse", None)
                pieces = None if sparse is None else tuple((start, length) for start, length in sparse)
                if pieces and any(min(piece) < 0 or sum(piece) > found.size for piece in pieces):
                    raise tarfile.ReadError("a sparse file of impossible length")
                entries.append(Member(name, found.offset_data, found.size, pieces))
            elif found.islnk() or found.issym():
                entries.append(_Link(name, printable(found.linkname), found.issym()))
            elif not found.isdir():
                strays.append((name, SPECIAL))
    return headers.last


def _next_archive(file: IO[bytes], end: int) -> tuple[int | None, str | None]:
    """Where another archive begins after the one whose headers end at `end`, if any does; else what is wrong there."""
    file.seek(end)
    block = file.read(BLOCK)
    if block.count(0) < BLOCK:  # a whole archive ends with blocks of zeros
        return None, TRUNCATED if len(block) < BLOCK else DAMAGED
    at = end + BLOCK
    try:
        while piece := file.read(1 << 20):
            rest = piece.lstrip(b"\0")
            if rest:
                at += (len(piece) - len(rest)) // BLOCK * BLOCK
                file.seek(at)
                tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "surrogateescape")
                return at, None
            at += len(piece)
    except EOFError:  # of zeros, after the end
        return None, None
    except (*UNREADABLE, tarfile.TarError):
        return None, TRAILING
    return None, None


def _is_whole(file: IO[bytes], member: Member) -> bool:
    if member.stored == 0:
        return True
    try:
        file.seek(member.offset + member.stored - 1)
        return len(file.read(1)) == 1
    except (*UNREADABLE, ValueError):  # ValueError: no file is that long
        return False


def _resolved(entries: Sequence[Member | _Link], strays: list[tuple[str, str]]) -> list[Member]:
    """The members, links replaced by what they lead to; those that lead nowhere are appended to `strays`."""
    anywhere: dict[str, Member | _Link] = {}
    for entry in entries:
        anywhere.setdefault(posixpath.normpath(entry.name), entry)
    before: dict[str, Member | _Link] = {}
    members: list[Member] = []
    for entry in entries:
        own = posixpath.normpath(entry.name)
        if isinstance(entry, _Link) and not entry.symbolic and posixpath.normpath(entry.target) == own:
            continue  # tar was given one file twice
        found: Member | _Link | None = entry
        for _ in range(40):  # as many links to links as systems follow
            if not isinstance(found, _Link):
                break
            folder = posixpath.dirname(found.name) if found.symbolic else ""
            target = posixpath.normpath(posixpath.join(folder, found.target))
            found = before.get(target) or anywhere.get(target)
        if isinstance(found, Member):
            members.append(Member(entry.name, found.offset, found.size, found.pieces))
            before[own] = members[-1]
        else:
            strays.append((entry.name, NO_TARGET))
    return members
