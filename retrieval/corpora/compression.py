"""Compressed files read as if they were unpacked, by what their first bytes say; a suffix may be wrong."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import IO, Any, cast

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading from a damaged compressed file raises."""

PIECE = 1 << 20
SMALLEST = 1 << 9


def is_compressed(path: Path) -> bool:
    """The file begins like gzip, bzip2, xz or Zstandard. OSError where it cannot be opened."""
    with open(path, "rb") as file:
        return _method(file.read(6)) is not None


def open_unpacked(path: Path) -> IO[bytes]:
    """The unpacked bytes of a file, to be read at any offset; going back in a compressed one is slow."""
    with open(path, "rb") as file:
        method = _method(file.read(6))
    if method == "gzip":
        return cast(IO[bytes], gzip.open(path))
    if method == "bzip2":
        return bz2.open(path)
    if method == "xz":
        return lzma.open(path)
    return io.BufferedReader(_Zstandard(path), PIECE) if method == "zstd" else open(path, "rb")


_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def _method(start: bytes) -> str | None:
    return next((method for magic, method in _MAGIC.items() if start.startswith(magic)), None)


class _Zstandard(io.RawIOBase):
    """A Zstandard file as Arrow unpacks it, which only goes forward: to go back it begins again. Where Arrow cannot
    read all that it was asked for it gives nothing, so what lies before some damage is read in smaller pieces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._most = PIECE
        self._begin()

    def _begin(self) -> None:
        import pyarrow as pa  # takes long to import, and few archives are of this kind

        # a stream that is left closes its file
        self._stream: Any = pa.CompressedInputStream(pa.PythonFile(io.FileIO(self._path), mode="r"), "zstd")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._forward(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _forward(self, size: int) -> bytes:
        at = self._at
        try:
            piece: bytes = self._stream.read(min(size, self._most))
        except OSError:
            if self._most <= SMALLEST:
                raise
            self._most //= 2
            self._begin()
            self.seek(at)
            return self._forward(size)
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the length of a compressed file is not known")
        target = offset + (self._at if whence == io.SEEK_CUR else 0)
        if target < self._at:
            self._begin()
        while self._at < target and self._forward(target - self._at):
            pass
        return self._at

    def close(self) -> None:
        self._stream.close()
        super().close()
