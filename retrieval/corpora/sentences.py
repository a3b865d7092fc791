"""A text cut into windows of whole sentences: pure, and in doubt no sentence ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

# A sentence may end behind these, with closing quotes and brackets; Chinese and Japanese need no space.
SPACED = tuple(".!?…")
END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[”’」』）]*|(?<=\S)(?=\s*\n\s*\n)")
# The next begins with a capital, a digit, one of these, or a panel as in "b, Detail" or "c) Detail".
OPENING = "([{\"'“‘«¿¡*†‡§"
PANEL = re.compile(r"[a-z]\d?[,):]\s")
# A title or marker that belongs to what follows: "Fig. 2.", "(A).", "IV."
LABEL = re.compile(
    r"\W{0,3}(?:(?:fig(?:ure)?|table|plate|panel|scheme|box|tafel|abb(?:ildung)?)s?\W{0,3})?"
    r"(?:\d+\w?|[ivxlc]+|\w)?\W{0,3}",
    re.I,
)
# Words whose period ends no sentence; the first kind are E. coli, i.v., e.g., U.S.
ABBREVIATION = re.compile(
    r"(?:[^\W\d_]\.)*[^\W\d_]"
    r"|abb|al|approx|aq|av|avg|bzw|ca|cf|ch|cm|conc|cv|dept|dil|dr|eds?|eqs?|excl|ext|figs?|incl|jr|lt|max|mag|mrs?|ms"
    r"|nat|nos?|nr|orig|pl|pp|prof|pt|refs?|resp|spp?|sr|st|subsp|suppl?|tab|var|vgl|viz|vol|vs|wt"
)


def windows(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Cut a text into stretches that each fit: of as many whole sentences as fit, else words, else characters.

    Only white space is lost between them. `fits` must hold for a part of whatever it holds for, as a limit on tokens
    does; a single character is taken to fit.
    """
    text = text.strip()
    words = [word.end() for word in re.finditer(r"\S+", text)]
    levels: tuple[Sequence[int], ...] = (sentence_ends(text), words, range(1, len(text) + 1))
    found: list[str] = []
    start = 0
    while start < len(text):
        stop = next((end for end in (_furthest(text, start, ends, fits) for ends in levels) if end), start + 1)
        found.append(text[start:stop])
        start = len(text) - len(text[stop:].lstrip())
    return found


def _furthest(text: str, start: int, ends: Sequence[int], fits: Callable[[str], bool]) -> int | None:
    """The last of some ends up to which the text from `start` fits, by bisection; None if not even the first does."""
    first = bisect_left(ends, start + 1)
    past = bisect_left(ends, True, lo=first, key=lambda end: not fits(text[start:end]))
    return ends[past - 1] if past > first else None


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a text end, its own end among them.

    Abbreviations (Fig. 2, et al., i.v., E. coli), decimal numbers and titles such as "Figure 3." or "(A)." end none.
    """
    return [*_inner_ends(text), len(text)]


def _inner_ends(text: str) -> Iterator[int]:
    start = 0
    for mark in END.finditer(text):
        end = mark.end()
        after = text[end:].lstrip()
        if not after or LABEL.fullmatch(text, start, end):
            continue
        if mark[0][:1] in SPACED and not _begins_anew(text[start : mark.start()], after):
            continue
        yield end
        start = end


def _begins_anew(before: str, after: str) -> bool:
    """Whether a mark that also stands inside sentences ends one, by the word before it and what comes after."""
    word = before.split()[-1].lstrip(OPENING).casefold() if before.strip() else ""
    if ABBREVIATION.fullmatch(word) or (word[-1:].isdigit() and after[0].isdigit()):
        return False
    begins = after[0].isdigit() or after[0] in OPENING or (after[0].isalpha() and not after[0].islower())
    return begins or PANEL.match(after) is not None
