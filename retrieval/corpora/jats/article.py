"""What an article says of itself: identifiers, title, journal, licence, authors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from retrieval.corpora.jats.elements import Element, child, children, name_of
from retrieval.corpora.jats.licences import licence_code, stated_licence
from retrieval.corpora.jats.running_text import text_in

NOTES = frozenset({"xref"})
"""Within titles and names a reference is the mark of a footnote."""

RETRACTED_TYPES = {"retraction", "retracted-article", "partial-retraction", "withdrawal"}
FORWARD = {"retraction-forward", "withdrawal-forward", "removal-forward"}
"""How PubMed Central links a retracted article to the notice of it."""

_PMCID = re.compile(r"(?:PMC)?(\d{1,12})(?:\.(\d{1,6}))?", re.I)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\S{1,300})", re.I)
_CODE = re.compile(r"(?!no\b|none\b|not\b|n/?a\b|unknown|null)[A-Za-z0-9][A-Za-z0-9 .-]{1,40}", re.I)
"""A code of PMC's for a licence that is none of ours; "NO-CC CODE" is none at all."""
_YEAR = re.compile(r"\b1[5-9]\d\d\b|\b20\d\d\b")
_RETRACTED = re.compile(r"\W*(?:retracted|withdrawn)(?:\s+article)?\s*[:\]]", re.I)


@dataclass(frozen=True, slots=True)
class Article:
    """The metadata of one article. `pmcid` is "PMC123", whichever way it was written."""

    title: str | None = None
    journal: str | None = None
    year: int | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    version: int | None = None
    licence: str | None = None
    licence_url: str | None = None
    retracted: bool = False
    authors: str = ""

    def known_from(self, *names: str) -> Article:
        """With the PMC id and the version of the first of these names of files and folders that is one ("PMC123.1")."""
        for name in names:
            found = _PMCID.fullmatch(name) if name[:3].upper() == "PMC" else None
            if found and self.pmcid in (None, f"PMC{int(found[1])}"):
                version = int(found[2]) if found[2] else self.version
                return replace(self, pmcid=f"PMC{int(found[1])}", version=version)
        return self

    def known_to(self, record: Mapping[str, Any]) -> Article:
        """With what PMC's JSON record of the article says, which is newer than its XML."""
        called = record.get("pmcid")
        pmcid, version = pmc_id(called if isinstance(called, str) else "")
        stated = record.get("version")
        if isinstance(stated, int | str) and not isinstance(stated, bool) and re.fullmatch(r"\d{1,6}", str(stated)):
            version = int(stated)
        code = str(record.get("license_code") or "")
        licence = licence_code(code) or ("-".join(code.lower().split()) if _CODE.fullmatch(code) else None)
        return replace(
            self,
            pmcid=self.pmcid or pmcid,
            version=self.version if version is None else version,
            licence=licence or self.licence,
            retracted=self.retracted or record.get("is_retracted") in (True, "true", "yes"),
        )


def read_article(article: Element) -> Article:
    """The metadata of an `article` element; sub-articles and references are not looked into."""
    front = child(article, "front")
    meta = child(front, "article-meta")
    pmcid, doi, pmid, version = _ids(meta)
    journal = child(front, "journal-meta")
    licence, licence_url = stated_licence(meta)
    title = text_in(child(meta, "title-group", "article-title"), NOTES)
    named = child(journal, "journal-title-group", "journal-title")
    return Article(
        title=title or None,
        journal=text_in(child(journal, "journal-title") if named is None else named) or None,
        year=_year(meta),
        doi=doi,
        pmid=pmid,
        pmcid=pmcid,
        version=version,
        licence=licence,
        licence_url=licence_url,
        retracted=_is_retracted(article, meta, title),
        authors=", ".join(_authors(meta)),
    )


BY_THE_AUTHORS = {"translation", "reply", "author-comment", "response", "abstract", "supplement", "data-article"}
"""Parts of an article that are its authors' own where they name nobody; letters and reviews are not."""


def said_in(part: Element, said: Article) -> Article:
    """The metadata of a `sub-article` or `response`: the article's, with authors and licence of its own."""
    front = child(part, "front-stub")
    meta = child(part, "front", "article-meta") if front is None else front
    kind = part.get("article-type") or part.get("response-type") or ""
    authors = ", ".join(_authors(meta) or _authors(meta, None))
    licence, address = stated_licence(meta)
    if not authors and kind in BY_THE_AUTHORS:
        authors = said.authors
    return replace(
        said,
        authors=authors,
        licence=licence or said.licence,
        licence_url=address if licence else said.licence_url,
    )


def title_of(part: Element) -> str:
    """What a part of an article calls itself: "Decision letter"."""
    titles = [
        child(part, *path, "title-group", "article-title") for path in (("front-stub",), ("front", "article-meta"))
    ]
    return next(filter(None, (text_in(title, NOTES) for title in titles)), part.get("article-type") or name_of(part))


def pmc_id(text: str) -> tuple[str | None, int | None]:
    """("PMC123", 2) of "123", "PMC123" or "PMC123.2"; the version is None where the text has none."""
    found = _PMCID.fullmatch(text.strip())
    if found is None:
        return None, None
    return f"PMC{int(found[1])}", int(found[2]) if found[2] else None


def _ids(meta: Element | None) -> tuple[str | None, str | None, str | None, int | None]:
    """(PMC id, DOI, PubMed id, version). `pmcaid` and `pmcid-ver` are newer spellings of what `pmc` was."""
    said: dict[str, str] = {}
    for element in children(meta, "article-id"):
        said.setdefault(element.get("pub-id-type", ""), text_in(element))
    ids = [pmc_id(said.get(kind, "")) for kind in ("pmcid", "pmc", "pmcid-ver", "pmcaid")]
    pmcid = next((found for found, _ in ids if found), None)
    versions = [version for _, version in ids] + [
        int(text_in(element))
        for element in children(meta, "article-version")
        if element.get("article-version-type") == "pmc-version" and re.fullmatch(r"\d{1,6}", text_in(element))
    ]
    doi = _DOI.fullmatch(said.get("doi", ""))
    pmid = re.fullmatch(r"\d{1,12}", said.get("pmid", ""))
    version = next((version for version in versions if version is not None), None)
    return pmcid, doi and doi[1], pmid and pmid[0], version


def _year(meta: Element | None) -> int | None:
    """The earliest year in which it was published, on paper or on line."""
    texts = [text_in(child(date, "year")) for date in children(meta, "pub-date")]
    return min((int(found[0]) for found in map(_YEAR.search, texts) if found), default=None)


def _is_retracted(article: Element, meta: Element | None, title: str) -> bool:
    links = {link.get("related-article-type") for link in children(meta, "related-article")}
    return article.get("article-type") in RETRACTED_TYPES or bool(links & FORWARD) or bool(_RETRACTED.match(title))


def _authors(meta: Element | None, kind: str | None = "author") -> list[str]:
    """ "A. Name" of each author, or of every contributor, groups by their names."""
    people = [
        person
        for group in children(meta, "contrib-group")
        for person in children(group, "contrib")
        if kind in (None, person.get("contrib-type", "author"))
    ]
    return [name for name in map(_name, people) if name]


def _name(person: Element) -> str:
    alternatives = child(person, "name-alternatives")
    for element in person if alternatives is None else alternatives:
        if name_of(element) == "name":
            surname, given = text_in(child(element, "surname")), text_in(child(element, "given-names"))
            return " ".join([*_initials(given), surname]).strip()
        if name_of(element) in ("string-name", "collab"):
            return text_in(element, frozenset({"contrib-group", "xref", "aff", "address"}))
    return ""


def _initials(given: str) -> list[str]:
    """J. and Q. of "Jane Quentin", of "J.Q." and of "JQ"; J.-P. of "Jean-Pierre"."""
    words = [
        part
        for word in given.replace(".", ". ").split()
        for part in (word if word.isupper() and len(word) <= 3 else [word])
    ]
    return ["-".join(f"{part[0]}." for part in word.split("-") if part) for word in words if word.strip(".-")]
