"""What is answered, as JSON: hits with the places of their pictures, and no value that JSON cannot say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse

from retrieval.export.attribution import attribution
from retrieval.server.served_index import OpenIndex
from retrieval.types import Hit

DOI = "https://doi.org/"
PMC = "https://pmc.ncbi.nlm.nih.gov/articles/"


class Json(JSONResponse):
    """JSON of whatever metadata holds: numbers that JSON lacks become null, halves of characters question marks."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(sayable(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "replace")


def sayable(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str() | int() | None:
            return value
        case Mapping():
            return {str(name): sayable(some) for name, some in value.items()}
        case list() | tuple():
            return [sayable(some) for some in value]
    return str(value)


def hit_json(index: OpenIndex, hit: Hit) -> dict[str, Any]:
    """A hit as the API says it."""
    own = {"rank": hit.rank, "score": round(hit.score, 6), "percentile": hit.percentile, "panel": hit.panel}
    return own | figure_json(index, hit)


def figure_json(index: OpenIndex, hit: Hit) -> dict[str, Any]:
    """What is known of a figure, whoever found it."""
    has_image, has_thumbnail = hit.width is not None, index.has_thumbnails and hit.width is not None
    return {
        "figure_id": hit.figure_id,
        "kind": hit.kind,
        "caption": hit.caption,
        "captions": hit.captions,
        "article_id": hit.article_id,
        "source_uri": hit.source_uri,
        "width": hit.width,
        "height": hit.height,
        "metadata": hit.metadata,
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
