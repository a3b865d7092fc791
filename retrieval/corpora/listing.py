"""The files below a folder, and why those that no reader takes are left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.corpora.file_kinds import reason_of
from retrieval.corpora.naming import is_hidden, printable
from retrieval.errors import CorpusError
from retrieval.types import Account, Corpus, Skip

HIDDEN = "hidden file"
"""The role of names that begin with a dot and of what macOS puts into archives: counted, and never looked into."""
NO_FILE = "not a regular file"


def account_of(corpus: Corpus) -> Account:
    """The account that a corpus gives of its files; an empty one where it has no files or keeps none."""
    account = getattr(corpus, "account", None)
    return account if isinstance(account, Account) else Account()


@dataclass(frozen=True, slots=True)
class Found:
    """The files below a folder: visible regular ones with their sizes, and what else was seen."""

    sizes: Mapping[str, int]
    hidden: int
    irregular: tuple[str, ...]

    def account(self, used: Mapping[str, str], why: Mapping[str, str] | None = None) -> Account:
        """The account in which files of `used` have the role it says, and all others a reason, that of `why` if any."""
        read: dict[str, int] = {}
        unread = [Skip("", printable(name), NO_FILE) for name in self.irregular if name not in used]
        for name in self.sizes:
            if name in used:
                read[used[name]] = read.get(used[name], 0) + 1
            else:
                reason = (why or {}).get(name) or reason_of(name)
                unread.append(Skip("", printable(name), reason))
        for name in self.irregular:
            if name in used:
                read[used[name]] = read.get(used[name], 0) + 1
        read = {role: read[role] for role in sorted(read, key=lambda role: (role != "image", role))}
        if self.hidden:
            read[HIDDEN] = self.hidden
        files = len(self.sizes) + self.hidden + len(self.irregular)
        return Account(files, read, tuple(sorted(unread, key=lambda skip: skip.uri)))


def files_below(root: Path) -> Found:
    """Every file below a folder, paths relative to it with slashes, in order. Links to folders are followed, and each
    folder is entered once, so that a link to a parent does not lead in circles. Nothing is opened.

    Raises CorpusError where a folder cannot be read.
    """
    sizes: dict[str, int] = {}
    irregular: list[str] = []
    hidden = 0
    for name, size in _walk(root):
        if is_hidden(name):
            hidden += 1
        elif size is None:
            irregular.append(name)
        else:
            sizes[name] = size
    return Found(sizes, hidden, tuple(irregular))


def _walk(root: Path) -> Iterator[tuple[str, int | None]]:
    """(path, size) of every file; None for the size of a pipe, a socket, a device and a link to nowhere."""
    entered = set()
    waiting = [("", str(root))]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            inside = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError as error:
            raise CorpusError(
                f"{folder}: the folder cannot be read ({error.strerror}); check its permissions"
            ) from None
        folders = []
        for item in inside:
            if item.is_dir():
                folders.append((f"{prefix}{item.name}/", item.path))
            else:
                yield prefix + item.name, _size(item)
        waiting.extend(reversed(folders))


def _size(item: os.DirEntry[str]) -> int | None:
    try:
        status = item.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
