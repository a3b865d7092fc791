"""The line that must go with a figure wherever it is shown: whose it is, where it is from, under which licence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from retrieval.types import Hit

UNKNOWN = "licence unknown"
LABEL = ("label", "figure_label", "fig_label")
AUTHORS = ("authors", "author", "creator")
TITLE = ("title", "article_title", "article", "book")
LICENCE = ("licence", "license", "licence_code", "license_code")
LICENCE_URL = ("licence_url", "license_url")
NO_LICENCE = re.compile(r"no[- ]cc[- ]code|none|unknown|n/?a", re.IGNORECASE)
"""Columns as corpora call them, the most telling first."""
NAMED = 3  # authors; of more the first and "et al."
DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\S+)", re.IGNORECASE)


def attribution(of: Hit | Mapping[str, Any]) -> str:
    """One line for a hit, or for a row of columns: article, figure, authors, title, journal and year, DOI, credit,
    source and licence, as far as they are known.

    Nothing is made up: what no column says is left out, and a licence that is not there is called unknown.
    """
    row = of if isinstance(of, Mapping) else {**of.metadata, "figure_id": of.figure_id, "article_id": of.article_id}
    known = {name.lower().replace("-", "_").replace(" ", "_"): _words(value) for name, value in row.items()}
    article, doi = known.get("article_id", ""), _doi(known.get("doi", ""))
    title = _first(known, TITLE)
    figure = _label(_first(known, LABEL)) or known.get("figure_id", "")
    said = re.match(rf"{re.escape(article)}\b", figure) or (doi and _doi(article) == doi)
    parts = [
        "" if said else article,
        figure,
        _authors(row),
        title and f"“{title}”",
        " ".join(filter(None, (known.get("journal", ""), known.get("year", "")))),
        doi,
        known.get("credit", ""),
        known.get("source", ""),
        _licence(known),
    ]
    return ", ".join(dict.fromkeys(filter(None, parts)))


def _words(value: Any) -> str:
    """A value as one line of text; nothing for what is missing."""
    if value is None or value != value:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_words, value)))
    return " ".join(str(value).split())


def _first(known: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((known[name] for name in names if known.get(name)), "")


def _label(text: str) -> str:
    return f"Fig. {text}" if re.fullmatch(r"S?\d+(?:[.-]\d+)*[A-Za-z]?", text) else text.rstrip(".:")


def _authors(row: Mapping[str, Any]) -> str:
    value = next((row[name] for name in AUTHORS if _words(row.get(name))), None)
    names = [_words(name) for name in value] if isinstance(value, list | tuple) else re.split(r"[;,]\s*", _words(value))
    names = [name for name in names if name]
    return ", ".join(names) if len(names) <= NAMED else f"{names[0]} et al."


def _doi(text: str) -> str:
    found = DOI.fullmatch(text)
    return f"https://doi.org/{found[1]}" if found else ""


def _licence(known: Mapping[str, str]) -> str:
    name, url = _first(known, LICENCE), _first(known, LICENCE_URL) or known.get("licence_statement", "")
    name = "" if NO_LICENCE.fullmatch(name) else name
    return f"{name} ({url})" if name and url and name != url else name or url or UNKNOWN
