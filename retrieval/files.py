"""Files that appear whole or not at all, locks and digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import IndexLockedError, QueryError

if TYPE_CHECKING:
    from filelock import BaseFileLock

TEMPORARY = ".tmp"
"""Suffix of files under construction; whoever finds one may delete it."""
NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""Errors of a file system that has no locks, as some NFS and FUSE mounts."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success flush it to disk and rename it into place, else remove it."""
    # the name is this writer's own: two that write one file at once must not share their half-written bytes
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path`, which must not exist yet; on success rename it there, else remove it."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in filter(Path.is_file, temporary.rglob("*")):
            with open(file, "rb") as written:
                os.fsync(written.fileno())
        os.rename(temporary, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    if os.name == "nt":  # Windows cannot open a folder, and needs no such flush
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for leftover in folder.glob(f"*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON that appears whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Digest of a JSON value, independent of key order and spacing."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_lines(path: str | Path, holding: str = "one figure id a line") -> list[str]:
    """The lines of a text file, or of standard input for -, without blanks around them and without empty ones.

    The marks and line ends of any editor or spreadsheet are understood. Raises QueryError where it cannot be read.
    """
    try:
        if str(path) == "-":
            text = sys.stdin.read().removeprefix("\ufeff")
        else:
            data = Path(path).read_bytes()
            text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as error:
        raise QueryError(f"{path}: cannot be read ({error.strerror}); give a file with {holding}") from None
    except UnicodeDecodeError:
        raise QueryError(f"{path}: is not UTF-8 text; save it as UTF-8, with {holding}") from None
    return [line.strip() for line in re.split("\r\n|\n|\r", text) if line.strip()]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of an index, `folder`/.lock, so that one process writes at a time. A killed holder frees it.

    Where the file system has no locks (some NFS and FUSE mounts), a marker file that names its holder serves instead.
    Raises IndexLockedError at once where another process holds it.
    """
    from filelock import FileLock, SoftFileLock  # a quarter of the time that `retrieval --help` would take

    path = folder / ".lock"
    try:
        lock = _acquired(FileLock(path, timeout=0))
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        lock = _acquired(SoftFileLock(path.with_name(".lock.soft"), timeout=0))
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: BaseFileLock) -> BaseFileLock:
    from filelock import Timeout

    try:
        lock.acquire()
    except Timeout:
        folder = Path(lock.lock_file).parent
        raise IndexLockedError(f"{folder}: another process is writing this index; wait for it to end") from None
    return lock
