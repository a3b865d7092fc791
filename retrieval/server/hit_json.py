"""What is answered, as JSON: hits with the places of their pictures, and no value that JSON cannot say."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse

from retrieval.export.attribution import attribution
from retrieval.search.hit_dict import figure_dict, hit_dict, json_value
from retrieval.server.served_index import OpenIndex
from retrieval.types import Hit

DOI = "https://doi.org/"
PMC = "https://pmc.ncbi.nlm.nih.gov/articles/"


class Json(JSONResponse):
    """JSON of whatever metadata holds: numbers that JSON lacks become null, halves of characters question marks."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(json_value(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "replace")


def hit_json(index: OpenIndex, hit: Hit) -> dict[str, Any]:
    """A hit as the API says it."""
    return hit_dict(hit) | _places(index, hit)


def figure_json(index: OpenIndex, hit: Hit) -> dict[str, Any]:
    """What is known of a figure, whoever found it."""
    return figure_dict(hit) | _places(index, hit)


def _places(index: OpenIndex, hit: Hit) -> dict[str, Any]:
    """Where its pictures are on this server, its attribution, and its article elsewhere."""
    has_image, has_thumbnail = hit.width is not None, index.has_thumbnails and hit.width is not None
    return {
        "attribution": attribution(hit),
        "thumbnail": _place(index, "thumbnail", hit) if has_thumbnail else None,
        "original": _place(index, "original", hit) if has_image and index.originals else None,
        "link": link(hit),
    }


def _place(index: OpenIndex, what: str, hit: Hit) -> str:
    """With the index's digest: a browser may keep a picture until the index changes."""
    about = urlencode({"id": hit.figure_id, "v": index.digest[:12]}, errors="replace")
    return f"/api/indexes/{quote(index.name, safe='')}/{what}?{about}"


def link(hit: Hit) -> str | None:
    """The article's page, for people to follow: by its DOI, else by its number in PubMed Central."""
    values = {name.lower(): str(value or "") for name, value in hit.metadata.items()}
    doi = values.get("doi", "").removeprefix("doi:").removeprefix(DOI)
    if doi.startswith("10."):
        return DOI + quote(doi, safe="/()", errors="replace")
    for number in (values.get("pmcid", ""), hit.article_id or ""):
        if number.upper().startswith("PMC") and number[3:].isdecimal():
            return f"{PMC}{number.upper()}/"
    return None
