"""What in a caption may name a panel: (A), (b–d), A:, Panel A, (ii), Left:, left panel. Whether it does, others say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
ALPHABETS: dict[str, tuple[str, ...]] = {
    "upper": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "lower": tuple("abcdefghijklmnopqrstuvwxyz"),
    "roman": ROMANS,
    "upper roman": tuple(roman.upper() for roman in ROMANS),
}
"""Labels in their order. Greek letters name molecules far more often than panels, so they are none."""

DASH = r"[-‐‑–—−]"
RANGE = rf"(?:{DASH}|to\b|through\b)"
ONE = r"(?:[A-Za-z]|[ivx]{2,4}|[IVX]{2,4})(?![^\W_])"
JOIN = rf"\s*(?:{RANGE}|and\b|&|[,;/](?:\s*(?:and\b|&))?)\s*"
LABELS = rf"(?<![^\W_]){ONE}(?:{JOIN}{ONE}){{0,25}}"  # bounded: an endless list takes time squared
NOUN = r"(?:panel|plot|image|picture|photo(?:graph|micrograph)?|drawing|diagram|graph|frame|map|inset|row|column)s?"
SIDE = (
    r"(?:(?:far|extreme)[ -])?"
    r"(?:(?:top|upper|bottom|lower|middle|cent(?:er|re|ral))(?:[ -](?:left|right|middle|cent(?:er|re)))?"
    r"|left(?:most)?|right(?:most)?|above|below)"
)
START = r"(?:(?<=[.;:!?)\]])\s+|^\s*)"  # of the caption, a sentence or a clause
CLAUSE = r"(?:(?<=[.,;:!?)\]])\s+|(?<=[,;])\s+and\s+|^\s*)"

STYLES: dict[str, re.Pattern[str]] = {
    style: re.compile(pattern, flags)
    for style, pattern, flags in (
        ("bracket", rf"(?:\b[Pp]anels?\s*)?(?<![^\W_])[(\[]\s*(?:[Pp]anels?\s+)?(?P<labels>{LABELS})\s*[)\]]:?", 0),
        ("remark", rf"(?<![^\W_])\((?P<labels>{ONE})[,;:]\s[^()]{{2,60}}\)", 0),
        ("closing", rf"{CLAUSE}(?P<labels>{LABELS})\s?\)", 0),
        ("colon", rf"{CLAUSE}(?P<labels>{LABELS})\s?:(?=\s)", 0),
        ("dash", rf"{CLAUSE}(?P<labels>{LABELS})(?:\s{DASH}|[–—])\s", 0),
        ("dot", rf"{START}(?P<labels>{LABELS})\.(?=\s+[^a-z\s]|(?<=[a-z]\.)\s)", 0),
        ("comma", rf"{START}(?P<labels>{LABELS}),(?=\s)", 0),
        ("bare", rf"{START}(?P<labels>{LABELS})(?:(?<=[a-z])(?=\s[^\W_])|(?=\s[A-Z\d]))", 0),
        ("in", rf"{START}In\s+(?P<labels>{LABELS}),(?=\s)", 0),
        ("noun", rf"\b[Pp]anels?\s+(?P<labels>{LABELS})[:.,)]?", 0),
        ("side bracket", rf"\(\s*(?P<labels>{SIDE})(?:(?:\s+hand)?(?:\s+side)?\s+{NOUN})?\s*\):?", re.I),
        ("side colon", rf"\b(?P<labels>{SIDE})(?:\s+{NOUN})?\s?:(?=\s)", re.I),
        ("side noun", rf"\b(?P<labels>{SIDE})(?:[- ]hand)?(?:[- ]side)?\s+{NOUN}\b", re.I),
    )
}
SECOND = re.compile(r"(?<![^\W_])(?:[B-Zb-z]|ii|II)(?![^\W_])")
SIDES = ("left", "right", "top", "bottom", "upper", "lower", "above", "below")
PIECE = re.compile(rf"({RANGE})|([A-Za-z]+)")
BETWEEN = re.compile(rf"\s*(?:({RANGE})|and|&|,(?:\s*(?:and|&))?)\s*")
KEPT = ("noun", "side noun")  # words of their sentence, unless a mark ends them


@dataclass(frozen=True, slots=True)
class Marker:
    """Characters `start` to `stop` of a caption, which name the panels `labels` of one alphabet (or "side")."""

    start: int
    stop: int
    labels: tuple[str, ...]
    alphabet: str
    style: str

    def is_apart(self, caption: str) -> bool:
        """Whether its words are no part of the sentence: "(A)" or "Left:", not the left panel in "the left panel"."""
        return self.style not in KEPT or caption[self.stop - 1] in ":.,)"


def find_markers(caption: str) -> list[Marker]:
    """All that looks like a marker, in order; one stretch may be read in two alphabets, as (i) and (v) can."""
    found: list[Marker] = []
    wanted = (SECOND.search(caption) is not None, sum(caption.lower().count(side) for side in SIDES) > 1)
    for style, pattern in STYLES.items():
        if not wanted[style.startswith("side")]:  # most captions have no second panel: half the time
            continue
        for match in pattern.finditer(caption):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            for alphabet, labels in readings(match["labels"], side=style.startswith("side")).items():
                found.append(Marker(start, match.end(), labels, alphabet, style))
    found.sort(key=lambda marker: (marker.start, -marker.stop))
    return merge_neighbours(found, caption)


def readings(text: str, *, side: bool) -> dict[str, tuple[str, ...]]:
    """Alphabet → the labels that a text such as "A–C, E" means in it."""
    if side:
        return {"side": (re.sub(r"[\s-]+", " ", text.lower()),)}
    pieces = [(bool(match[1]), match[0]) for match in PIECE.finditer(text) if match[0] not in ("and", "&")]
    found = {}
    for alphabet, order in ALPHABETS.items():
        labels = read_in(order, pieces)
        if labels:
            found[alphabet] = labels
    return found


def read_in(order: tuple[str, ...], pieces: list[tuple[bool, str]]) -> tuple[str, ...]:
    """Labels of one alphabet, ranges filled in; empty where the pieces are not of it, repeat or do not ascend."""
    numbers: list[int] = []
    is_range = False
    for range_follows, piece in pieces:
        if range_follows:
            is_range = True
            continue
        if piece not in order:
            return ()
        number = order.index(piece)
        numbers.extend(range(numbers[-1] + 1, number) if is_range else ())
        numbers.append(number)
        is_range = False
    ascends = all(first < second for first, second in pairwise(numbers))
    return tuple(order[number] for number in numbers) if ascends else ()


def merge_neighbours(markers: list[Marker], caption: str) -> list[Marker]:
    """The markers, with "(b)–(d)" and "(a) and (b)" as one each."""
    merged: list[Marker] = []
    for marker in markers:
        before = next((m for m in reversed(merged) if m.alphabet == marker.alphabet), None)
        if before is None or before.style != "bracket" or marker.style != "bracket" or before.stop > marker.start:
            merged.append(marker)
            continue
        between = BETWEEN.fullmatch(caption, before.stop, marker.start)
        order = ALPHABETS[marker.alphabet]
        pieces = [(False, label) for label in before.labels]
        pieces += [(True, "")] * bool(between and between[1]) + [(False, label) for label in marker.labels]
        labels = read_in(order, pieces) if between else ()
        if labels:
            merged[merged.index(before)] = Marker(before.start, marker.stop, labels, marker.alphabet, "bracket")
        else:
            merged.append(marker)
    return merged
