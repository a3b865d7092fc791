"""What an article is called: by its XML, by the record beside it, or by the files it lies in."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from retrieval.corpora.jats.article import Article, read_article
from retrieval.corpora.jats.elements import Element, Unreadable
from retrieval.corpora.jats.packages import Package
from retrieval.corpora.naming import printable
from retrieval.corpora.tars import SUFFIXES


def identified(package: Package, name: str, article: Element) -> Article:
    """The metadata of an article in the file `name`: of the XML, then of the JSON record of the same stem, then the PMC
    id and version that its folder or file is called by ("PMC123.1")."""
    stem = posixpath.splitext(name)[0]
    said = read_article(article).known_to(_record(package, f"{stem}.json"))
    return said.known_from(stem, *_folder(package))


def id_of(said: Article, package: Package, name: str, number: int) -> tuple[str, bool]:
    """(the article's id, whether it is known under it elsewhere): its PMC id, else its DOI, else the name of its folder
    or, where that has several articles, of its file."""
    known = said.pmcid or said.doi
    if known:
        return known, True
    stem = posixpath.splitext(name)[0]
    own = next(iter(_folder(package)), stem)
    return printable(own if number == 0 else f"{own}-{number + 1}"), False


def _folder(package: Package) -> list[str]:
    """The name of the article's own folder or archive; none where several share it or it is the corpus."""
    base = posixpath.basename(package.place)
    archive = next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if base.lower().endswith(suffix)), "")
    base = base[: len(base) - len(archive)]
    return [base] if base and len(package.articles) == 1 else []


def _record(package: Package, name: str) -> Mapping[str, Any]:
    """PMC's JSON record of an article; empty where there is none, or none that can be read."""
    if name not in package.sizes:
        return {}
    try:
        record = json.loads(package.read(name))
    except (Unreadable, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
