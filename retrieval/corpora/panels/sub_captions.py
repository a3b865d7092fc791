"""A compound figure's caption to the captions of its panels. In doubt it is not split."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from retrieval.corpora.panels.panel_labels import ALPHABETS, Marker, find_markers
from retrieval.corpora.sentences import sentence_ends

LEADS_IN = re.compile(
    r"(?:[,;:.!?)\]–—]|\b(?:a|an|the|this|these|and|or|of|by|in|on|at|to|as|with|without|for|from|after|before|between"
    r"|during|under|either|both|using|via|although|while|is|are|was|were|shows?|showing|seen|versus|vs\.?))$",
    re.I,
)
AFTER_LAST = re.compile(r"[.,;:)]*\s*(?:\(.*\)\s*)?\.*", re.S)
ENCLOSED = ("bracket", "remark", "side bracket")  # styles that may stand behind what they mark
PLAIN = ("comma", "dot", "dash", "bare")  # styles that the keys of drawings use too
WORDS_OF_A_PANEL = 4  # what a panel shows takes this many words, a part of a drawing has a name of one to three
CLOSED = (".", ";", ":", ")", "]")
LOOSE = re.compile(r"^(?:[\s,;:.)]|(?:and|or|while)\b){1,40}|(?:[\s,;:(]|\s(?:and|or|while)){1,40}$", re.I)


@dataclass(frozen=True, slots=True)
class SubCaption:
    """What a caption says of the panels `labels`: its characters `start` to `stop`.

    `text` is their own words, the marker taken out; `lead` is what the caption says before its first panel.
    """

    labels: tuple[str, ...]
    text: str
    lead: str
    start: int
    stop: int

    @property
    def whole(self) -> str:
        """The words that make sense alone: the lead, then the panel's own."""
        return f"{self.lead} {self.text}".strip()


def split_caption(caption: str) -> tuple[SubCaption, ...]:
    """The sub-captions of a caption, in its order: at least two, or none where it names no panels.

    They follow each other without a gap from the end of the lead to the end of the caption; a label stands in one of
    them. Labels are A, B, C, ... or a, b, c or i, ii, iii or I, II, III without a gap from the first, or sides: "left",
    "upper right". A marker stands before its words or behind them: each sentence decides by its first.
    """
    markers = find_markers(caption)
    if not markers:
        return ()
    ends = sentence_ends(caption)
    sentences = [(start, end) for start, end in zip(sentence_starts(caption, ends), ends, strict=True)]
    chain = choose_chain(markers, {start for start, _ in sentences})
    if not chain:
        return ()
    cuts = [*find_cuts(caption, chain, sentences), len(caption)]
    lead = caption[: cuts[0]].strip()
    found = tuple(
        SubCaption(marker.labels, own_words(caption, start, stop, marker), lead, start, stop)
        for marker, start, stop in zip(chain, cuts, cuts[1:], strict=False)
    )
    return found if all(sub.text for sub in found) and not is_key(chain, found) else ()


def sentence_starts(caption: str, ends: list[int]) -> list[int]:
    return [end - len(caption[before:end].lstrip()) for before, end in pairwise((0, *ends))]


def is_key(chain: tuple[Marker, ...], found: tuple[SubCaption, ...]) -> bool:
    """Whether plain letters name the parts of one drawing, as in "a, epidermis; b, corium"."""
    lengths = [len(sub.text.split()) for sub in found]
    return chain[0].style in PLAIN and median(lengths) < WORDS_OF_A_PANEL


def choose_chain(markers: list[Marker], starts: set[int]) -> tuple[Marker, ...]:
    """The markers that name most panels: of one alphabet; then those that begin sentences, then those of one style."""
    for alphabets in (("upper", "lower"), ("roman", "upper roman"), ("side",)):
        chains = []
        for alphabet in alphabets:
            own = [marker for marker in markers if marker.alphabet == alphabet]
            chains.append(chain_of(marker for marker in own if marker.start in starts))
            chains += [chain_of(m for m in own if m.style == style) for style in dict.fromkeys(m.style for m in own)]
            chains.append(chain_of(own))
        best = max(chains, key=lambda chain: sum(len(marker.labels) for marker in chain))
        if best:
            return best
    return ()


def chain_of(markers: Iterable[Marker]) -> tuple[Marker, ...]:
    """The first marker of every panel; empty unless they are two or more and leave no label out.

    What comes again refers to the panel: "as in (A)". A marker of several panels that each have their own later
    introduces them, and is none.
    """
    offered = list(markers)
    last_alone = {marker.labels[0]: i for i, marker in enumerate(offered) if len(marker.labels) == 1}
    chain: list[Marker] = []
    seen: set[str] = set()
    for i, marker in enumerate(offered):
        if seen.intersection(marker.labels) or (chain and marker.start < chain[-1].stop):
            continue
        if len(marker.labels) > 1 and all(last_alone.get(label, -1) > i for label in marker.labels):
            continue
        if follows(marker.labels, marker.alphabet, seen):
            chain.append(marker)
            seen.update(marker.labels)
    while chain and chain[0].alphabet != "side" and seen != set(ALPHABETS[chain[0].alphabet][: len(seen)]):
        seen.difference_update(chain.pop().labels)
    return tuple(chain) if len(chain) > 1 else ()


def follows(labels: tuple[str, ...], alphabet: str, seen: set[str]) -> bool:
    """Whether a marker of these labels begins with the first label that is still missing; sides have no order."""
    return alphabet == "side" or labels[0] == next((label for label in ALPHABETS[alphabet] if label not in seen), "")


def find_cuts(caption: str, chain: tuple[Marker, ...], sentences: list[tuple[int, int]]) -> list[int]:
    """Where the words of each panel begin."""
    numbers = [bisect_right(sentences, (marker.start, len(caption) + 1)) - 1 for marker in chain]
    cuts: list[int] = []
    for number in dict.fromkeys(numbers):
        group = [marker for marker, own in zip(chain, numbers, strict=True) if own == number]
        start, end = sentences[number]
        before = caption[start : group[0].start]
        behind = is_behind(before, caption[group[-1].stop : end], group[0])
        shared = not cuts and group[0].is_apart(caption)  # "Rats after (a) saline or (b) morphine": said of both
        opens = not behind and (shared or before.rstrip().endswith(CLOSED))
        cuts.append(group[0].start if opens else start)
        cuts += [first.stop if behind else second.start for first, second in pairwise(group)]
    return cuts


def is_behind(before: str, after_last: str, marker: Marker) -> bool:
    """Whether the markers of a sentence follow what they mark: words before the first, after the last, the first."""
    if not before.strip() or not (marker.style in ENCLOSED or marker.style == "side noun"):
        return False
    if AFTER_LAST.fullmatch(after_last.strip()):
        return True
    return marker.style in ENCLOSED and not LEADS_IN.search(before.rstrip())


def own_words(caption: str, start: int, stop: int, marker: Marker) -> str:
    """The words of a piece without its marker and without what joined them to the words around."""
    if marker.is_apart(caption):
        text = f"{caption[start : marker.start].rstrip()} {caption[marker.stop : stop].lstrip()}"
    else:
        text = caption[start:stop]
    return LOOSE.sub("", re.sub(r" (?=[.,;:])", "", text.strip()))
