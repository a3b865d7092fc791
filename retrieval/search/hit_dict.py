"""A hit as a dict of JSON values: the one spelling that Python, the command line and HTTP share."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

from retrieval.types import Hit


def hit_dict(hit: Hit, *, thumbnails: bool = False) -> dict[str, Any]:
    """A hit as JSON values; `thumbnails` adds the small picture in base64 (None where there is none)."""
    ranked = {"rank": hit.rank, "score": round(hit.score, 6), "percentile": hit.percentile, "panel": hit.panel}
    picture = base64.b64encode(hit.thumbnail).decode() if hit.thumbnail else None
    return ranked | figure_dict(hit) | ({"thumbnail": picture} if thumbnails else {})


def figure_dict(hit: Hit) -> dict[str, Any]:
    """The figure of a hit, whoever found it, as JSON values."""
    return {
        "figure_id": hit.figure_id,
        "modality": hit.modality,
        "caption": hit.caption,
        "captions": list(hit.captions),
        "article_id": hit.article_id,
        "source_uri": hit.source_uri,
        "width": hit.width,
        "height": hit.height,
        "metadata": json_value(hit.metadata),
    }


def json_value(value: Any) -> Any:
    """A value that JSON can say: numbers it lacks become null, what it does not know becomes text."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str() | int() | None:
            return value
        case Mapping():
            return {str(name): json_value(some) for name, some in value.items()}
        case list() | tuple():
            return [json_value(some) for some in value]
    return str(value)
