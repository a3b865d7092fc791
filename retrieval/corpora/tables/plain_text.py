"""Text files in any encoding, as UTF-8: in place where they are that, else as a copy that goes with its reader."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from retrieval.errors import CorpusError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The marks with which files say their encoding, the longer before those with which they begin."""

HEAD = 1 << 16
"""Bytes that are looked at to learn encoding and line ends."""

NOT_UTF8 = "row is not UTF-8 text"
NOT_DECODED = "row does not fit the encoding"
ENCODINGS = "--encoding cp1252 (Excel in Western Europe), shift_jis or gb18030"


class PlainText:
    """A text file, to be opened as UTF-8 with line feeds as often as wanted.

    A file in another encoding, or of carriage returns alone, is copied once, into a temporary file that is removed with
    this object. What does not decode becomes a byte 0xFF there, which is no UTF-8 either, so that it costs one row.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        with readable(path) as file:
            head = file.read(HEAD)
        said = next((name for mark, name in MARKS if head.startswith(mark)), None) or unmarked_utf16(head)
        encoding = said or checked_encoding(encoding) or "utf-8"
        self.not_text = NOT_UTF8 if encoding == "utf-8" else NOT_DECODED
        self._copy: Path | None = None
        only_returns = encoding == "utf-8" and b"\r" in head and b"\n" not in head
        if encoding != "utf-8" or only_returns:
            folder = tempfile.mkdtemp(prefix="retrieval-text-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._copy = Path(folder) / "text"
            with readable(path) as file, open(self._copy, "wb") as copy:
                _transcode(file, copy, encoding, whole_lines=not only_returns)

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The text as UTF-8. CorpusError where it cannot be opened or unpacked."""
        if self._copy is None:
            with readable(self.path) as file:
                yield file
        else:
            with open(self._copy, "rb") as file:
                yield file


def open_table(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else open(path, "rb")


@contextlib.contextmanager
def readable(path: Path) -> Iterator[IO[bytes]]:
    """The open file, unpacked; CorpusError where it cannot be opened or unpacked."""
    try:
        with open_table(path) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CorpusError(f"{path}: the compressed table is damaged; unpack what can be saved with gunzip") from None
    except OSError as error:
        raise CorpusError(f"{path}: the table cannot be read ({error.strerror or error})") from None


def checked_encoding(name: str | None) -> str | None:
    """The encoding as Python calls it. CorpusError where there is none of that name."""
    if name is None:
        return None
    try:
        found = codecs.lookup(name)
        "".encode(name)  # LookupError for what is no encoding of text, such as base64
    except (LookupError, ValueError):
        raise CorpusError(f"{name}: there is no such encoding; give for example {ENCODINGS}") from None
    return "utf-8" if found.name == "utf-8-sig" else found.name


def unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark shows in Western text as a zero in every second byte."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 < len(head) or min(even, odd) * 20 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _transcode(file: IO[bytes], copy: IO[bytes], encoding: str, *, whole_lines: bool) -> None:
    text = io.TextIOWrapper(file, encoding, "retrieval-0xff", newline="" if whole_lines else None)
    while piece := text.read(HEAD):
        copy.write(piece.removeprefix("\ufeff").encode("utf-8", "surrogateescape"))
    text.detach()


def _to_0xff(error: UnicodeError) -> tuple[str, int]:
    return "\udcff", error.end if isinstance(error, UnicodeDecodeError) else 0


codecs.register_error("retrieval-0xff", _to_0xff)
