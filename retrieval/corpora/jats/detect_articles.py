"""Whether a path holds articles, found out by looking at as little of it as will tell."""

from __future__ import annotations

import tarfile
from pathlib import Path

from retrieval.corpora.jats.packages import ARTICLE_SUFFIXES, PMC_ARCHIVE, is_article, says_article, walked
from retrieval.corpora.naming import is_hidden
from retrieval.corpora.tars import SUFFIXES, is_tar

FEW = 3
"""So many .xml files of a folder are looked into, and as many archives, until one turns out to be an article."""

MEMBERS = 200
"""So many members of an archive are looked at. A package of PubMed Central rarely has a hundred; a shard of images is
not to be read to its end to learn that it is none."""


def is_jats(path: Path) -> bool:
    """An article, an archive with one, or a folder that has either somewhere below it. May raise OSError."""
    if path.is_dir():
        return _has_articles(path)
    if is_tar(path):
        return _is_package(path)
    return is_article(path)


def _has_articles(top: Path) -> bool:
    looked_at = 0
    for folder, names in walked(top):
        for path in (folder / name for name in names if name.lower().endswith((*ARTICLE_SUFFIXES, *SUFFIXES))):
            if path.suffix.lower() == ".nxml" and path.is_file():
                return True
            if looked_at < FEW and (path.suffix.lower() == ".xml" or is_tar(path)):
                looked_at += 1
                if is_jats(path):
                    return True
    return False


def _is_package(path: Path) -> bool:
    try:
        with tarfile.open(path) as archive:
            for _, member in zip(range(MEMBERS), archive, strict=False):
                name = member.name.lower()
                if member.isreg() and not is_hidden(member.name) and name.endswith(ARTICLE_SUFFIXES):
                    file = archive.extractfile(member)
                    if name.endswith(".nxml") or (file is not None and says_article(file.read(1 << 16))):
                        return True
    except Exception:  # tarfile raises nearly every built-in exception on damaged archives
        return PMC_ARCHIVE.fullmatch(path.name) is not None
    return False
