"""Licences: their codes, and what an article or a figure grants in its permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retrieval.corpora.jats.elements import Element, attribute, child, children, name_of
from retrieval.corpora.jats.running_text import text_in

_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licen[sc]es?/(?P<terms>[a-z+-]+)|publicdomain/(?P<domain>zero|mark))", re.I
)
_SHORT = re.compile(r"\bCC[ -]?(?P<zero>0|zero\b)|\bCC[ -](?P<terms>BY(?:[ -](?:NC|ND|SA))*)\b", re.I)
_WORDS = re.compile(
    r"Creative\s+Commons[\s,:-]*(?P<zero>(?:CC0|Zero|Public\s+Domain))?"
    r"(?P<by>Attribution)?[\s,–-]*(?P<nc>Non-?\s?Commercial)?[\s,–-]*(?P<sa>Share-?\s?Alike)?(?P<nd>No-?\s?Deriv\w*)?",
    re.I,
)


def licence_code(said: str | None) -> str | None:
    """The code of a licence given as a code of any spelling, an address, or a sentence; None where it names none.

    >>> licence_code("CC BY-NC"), licence_code("http://creativecommons.org/publicdomain/zero/1.0/")
    ('cc-by-nc', 'cc0')
    """
    if not said:
        return None
    if found := _ADDRESS.search(said):
        if found["domain"]:
            return "cc0" if found["domain"].lower() == "zero" else "public-domain"
        return _of_terms(found["terms"])
    if found := _SHORT.search(said):
        return "cc0" if found["zero"] else _of_terms(found["terms"])
    for found in _WORDS.finditer(said):
        if found["zero"]:
            return "cc0"
        if found["by"]:
            return "-".join(["cc", "by", *(term for term in ("nc", "sa", "nd") if found[term])])
    return "public-domain" if re.search(r"\b(?:in|to) the public domain\b", said, re.I) else None


def licence_in(permissions: Element | None) -> tuple[str | None, str | None]:
    """(code, address) of the licence that a `permissions` element grants."""
    addresses = list(_addresses(permissions))
    said = [*addresses, text_in(permissions)]
    code = next((code for code in map(licence_code, said) if code), None)
    return code, next((address for address in addresses if licence_code(address)), next(iter(addresses), None))


def stated_licence(meta: Element | None) -> tuple[str | None, str | None]:
    """(code, address) that an article's `article-meta` states: in its permissions, in PMC's own field, or, before 2008,
    in its copyright statement."""
    code, address = licence_in(child(meta, "permissions"))
    for field in children(child(meta, "custom-meta-group"), "custom-meta"):
        if text_in(child(field, "meta-name")) == "pmc-license-ref":
            code = code or licence_code(text_in(child(field, "meta-value")))
    return code or licence_code(text_in(child(meta, "copyright-statement"))), address


def _addresses(permissions: Element | None) -> Iterator[str]:
    for licence in children(permissions, "license"):
        for element in licence.iter():
            if name_of(element) in ("license", "ext-link", "uri") and (address := attribute(element, "href")):
                yield address.strip()
            elif name_of(element) == "license_ref":
                yield text_in(element)
    yield from (text_in(reference) for reference in children(permissions, "license_ref"))


def _of_terms(terms: str) -> str:
    return "-".join(["cc", *re.split(r"[ +-]+", terms.strip("-").lower())])
