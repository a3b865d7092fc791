"""Hits as lines of a terminal: aligned, cut to its width, without the control sequences of a hostile caption."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from retrieval.types import Hit

WIDE: Final = 100  # terminal columns from which there is room for the name of a file

_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC and the like: titles, links
    r"|\x1b[ -/]*[0-~]"
)


def hits_text(hits: Sequence[Hit], width: int, *, header: bool = False, files: bool = False) -> str:
    """The hits as aligned lines of at most `width` terminal columns (40 or more): rank, score, percentile where one is
    known, figure id and panel, caption. `header` adds a line that names the columns; `files`, where there is room, a
    column with where in its source a figure lies."""
    if not hits:
        return "no hits"
    width = max(width, 40)
    ranks = [str(hit.rank) for hit in hits]
    scores = [f"{hit.score:.3f}" for hit in hits]
    names = [f"{hit.figure_id} [{hit.panel}]" if hit.panel else hit.figure_id for hit in hits]
    ids = [_fit(_printable(name), width // 2) for name in names]
    shares = ["" if hit.percentile is None else f"{percent(hit.percentile)} %" for hit in hits]
    named = {"rank": ranks, "score": scores, "percentile": shares}
    columns = [_pad([name, *cells] if header else cells, ">") for name, cells in named.items() if any(cells)]
    columns.append(_pad(["figure", *ids] if header else ids, "<"))
    if files and width >= WIDE:
        uris = [_fit(_printable(hit.source_uri), width // 4) for hit in hits]
        columns.append(_pad(["file", *uris] if header else uris, "<"))
    room = width - sum(_columns(column[0]) + 2 for column in columns)
    captions = ["caption"] * header + [_fit(_printable(hit.caption), room) for hit in hits]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, captions, strict=True))


def percent(share: float) -> str:
    """A percentile with one decimal, rounded down: 100.0 says that nothing in the sample is nearer."""
    return f"{math.floor(10 * share) / 10:.1f}"


def _printable(text: str) -> str:
    """One line without terminal escapes, control characters, or marks that turn the direction of what follows."""
    text = " ".join(_ANSI.sub("", text).split())
    kinds = ((character, unicodedata.category(character)) for character in text)
    return "".join("\ufffd" if kind in ("Cc", "Cs") else character for character, kind in kinds if kind != "Cf")


def _columns(text: str) -> int:
    """How many terminal columns a text takes, roughly: East Asian and emoji two, combining marks none."""
    return sum(
        0 if unicodedata.category(character) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _fit(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis in at most `width` columns."""
    if _columns(text) <= width:
        return text
    ends = itertools.accumulate(map(_columns, text))
    return text[: sum(end < width for end in ends)].rstrip() + "…"


def _pad(cells: Sequence[str], side: str) -> list[str]:
    """The cells of one column, all as wide as its widest."""
    width = max(map(_columns, cells))
    spaces = [" " * (width - _columns(cell)) for cell in cells]
    return [space + cell if side == ">" else cell + space for cell, space in zip(cells, spaces, strict=True)]
