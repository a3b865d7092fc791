"""What tar archives hold and where: their members put together into samples, without unpacking."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from retrieval.corpora.naming import IMAGE_SUFFIXES, is_hidden, printable

SUFFIXES = (".tar", ".tar.gz", ".tgz")
CAPTIONS = {".txt", ".caption"}
JSON = {".json"}
KNOWN = {*IMAGE_SUFFIXES, *CAPTIONS, *JSON}

BLOCK = tarfile.BLOCKSIZE

TRUNCATED = "archive is truncated"
DAMAGED = "archive is damaged"
UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading from a damaged archive raises."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive: its data begin at `offset` of the unpacked archive."""

    name: str
    offset: int
    size: int

    def read(self, file: IO[bytes]) -> bytes:
        file.seek(self.offset)
        data = file.read(self.size)
        if len(data) < self.size:
            raise EOFError(f"{self.name}: {len(data)} of {self.size} bytes")
        return data


@dataclass(slots=True)
class Sample:
    """The members of one key, by what follows it (lower case, with the dot)."""

    key: str
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def image(self) -> Member | None:
        return self._first(IMAGE_SUFFIXES)

    @property
    def caption(self) -> Member | None:
        return self._first(CAPTIONS)

    @property
    def json(self) -> Member | None:
        return self._first(JSON)

    def _first(self, suffixes: Iterable[str]) -> Member | None:
        return next((member for suffix, member in self.members.items() if suffix in suffixes), None)


@dataclass(frozen=True, slots=True)
class Contents:
    """The samples of an archive, in the order of their first members, and what broke it off, if anything did."""

    samples: list[Sample]
    fault: str | None
    digest: str

    def __len__(self) -> int:
        return len(self.samples) + (self.fault is not None)


def is_tar(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def open_archive(path: Path) -> IO[bytes]:
    """The unpacked bytes of an archive, to be read at any offset; going back in a compressed one is slow."""
    return open(path, "rb") if path.suffix.lower() == ".tar" else cast(IO[bytes], gzip.open(path))


def list_contents(path: Path) -> Contents:
    """What lies where in an archive. OSError where it cannot be opened."""
    status = path.stat()
    return _list_contents(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)  # the splits of an archive are mostly read one after the other
def _list_contents(path: Path, size: int, changed: int) -> Contents:
    with open_archive(path) as file:
        members, cut, fault = list_members(file)
    digest = hashlib.sha256(str(size).encode())
    for member in members:
        digest.update(f"\n{member.name}\t{member.size}".encode())
    samples = _grouped([*members, cut] if cut else members)
    if cut is not None:
        # A figure whose caption or image was cut off is not that figure.
        samples = [sample for sample in samples if cut not in sample.members.values()]
    elif fault is not None and len(samples) > 1 and samples[-1].members.keys() < samples[-2].members.keys():
        # The break hides even the name of what follows, and the last figure lacks what the one before it has.
        samples.pop()
    return Contents(samples, fault, digest.hexdigest())


def list_members(file: IO[bytes]) -> tuple[list[Member], Member | None, str | None]:
    """All whole files in the archive; then the one in which it breaks off, and the fault."""
    members: list[Member] = []
    fault = None
    try:
        end = _walk_plain(file, members)
        if end is None:
            members.clear()
            end = _walk(file, members)
        file.seek(end)
        block = file.read(BLOCK)
        if block.count(0) < BLOCK:  # a whole archive ends with blocks of zeros
            fault = TRUNCATED if len(block) < BLOCK else DAMAGED
    except Exception as error:  # tarfile raises nearly every built-in exception on damaged headers
        at_end = isinstance(error, EOFError) or any(
            word in str(error) for word in ("end of data", "empty", "truncated")
        )
        fault = TRUNCATED if at_end else DAMAGED
    cut = members.pop() if members and not _is_whole(file, members[-1]) else None
    return members, cut, TRUNCATED if cut else fault


def _walk(file: IO[bytes], members: list[Member]) -> int:
    """Append the files of any tar archive to `members`; where its headers end."""
    file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while (found := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if found.isreg():
                places[found.name] = found.offset_data, found.size
            elif found.islnk() and found.linkname in places:  # a second name of the same file
                places[found.name] = places[found.linkname]
            else:
                continue
            members.append(Member(printable(found.name), *places[found.name]))
        return tar.offset


def _walk_plain(file: IO[bytes], members: list[Member]) -> int | None:
    """As `_walk`, but four times as fast, and only for archives of plain files with short names, which shards mostly
    are; None where something else turns up. Opening thousands of shards is nothing but this (POSIX.1-1988 ustar)."""
    at = 0
    while True:
        file.seek(at)
        header = file.read(BLOCK)
        if len(header) < BLOCK or header.count(0) == BLOCK:
            return at if at else None
        checksum, digits = _octal(header[148:156]), _octal(header[124:136])
        if digits is None or checksum != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            return None
        if header[156:157] not in (tarfile.REGTYPE, tarfile.AREGTYPE) or header[345]:
            return None
        name = os.fsdecode(header[:100].partition(b"\0")[0])
        members.append(Member(printable(name), at + BLOCK, digits))
        at += BLOCK + (digits + BLOCK - 1) // BLOCK * BLOCK


def _octal(digits: bytes) -> int | None:
    try:
        return int(digits.strip(b" \0") or b"0", 8)
    except ValueError:
        return None


def _is_whole(file: IO[bytes], member: Member) -> bool:
    if member.size == 0:
        return True
    try:
        file.seek(member.offset + member.size - 1)
        return len(file.read(1)) == 1
    except UNREADABLE:
        return False


def _grouped(members: Iterable[Member]) -> list[Sample]:
    """Members put together by name up to the first dot, adjacent or not; later ones replace earlier ones, as in tar."""
    groups: dict[str, dict[str, Member]] = {}
    for member in members:
        folder, slash, base = member.name.removeprefix("./").rpartition("/")
        key, dot, suffix = base.partition(".")
        if not is_hidden(member.name) and dot:
            groups.setdefault(folder + slash + key, {})[dot + suffix.lower()] = member
    samples: list[Sample] = []
    for key, group in groups.items():
        if any(suffix in KNOWN for suffix in group):
            samples.append(Sample(key, group))
        else:
            samples += _grouped_by_last_dot(group.values())
    return samples


def _grouped_by_last_dot(members: Iterable[Member]) -> list[Sample]:
    groups: dict[str, Sample] = {}
    for member in members:
        stem, dot, suffix = member.name.removeprefix("./").rpartition(".")
        if dot + suffix.lower() in KNOWN:
            groups.setdefault(stem, Sample(stem)).members[dot + suffix.lower()] = member
    return list(groups.values())
