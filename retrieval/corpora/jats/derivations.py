"""Clauses of captions that say that the figure comes from a publication, and not only its data."""

from __future__ import annotations

import re
from collections.abc import Iterable

VERB_CUES = (
    *("reprodu", "re-produ", "reproduz", "reprint", "re-print", "republ", "re-publ", "redraw", "re-draw", "adapt"),
    *("adopt", "modifi", "reused", "re-used", "redesign", "re-design", "excerpt", "copied", "borrow", "taken", "tomad"),
    *("extraíd", "retirad", "tiré", "verändert"),
)
SOURCE_CUES = ("from", "after", "nach", "source", "fuente", "fonte", "quelle", "après")
"""Parts of words without which no source is told: looking for them is quicker than the patterns are."""


def has_any(text: str, cues: Iterable[str]) -> bool:
    """Tell whether any of some words in small letters is in a text."""
    small = f" {text.lower()} "
    return any(cue in small for cue in cues)


_NAME = r"(?-i:[A-ZÀ-Þ])[\w’'-]+"
_INITIALS = r"(?-i:(?:[A-Z]\.?,?\s*){1,3})"
_YEAR = r"[\[(]{0,3}\s*(?:1[6-9]|20)\d\d\b"
_CITED = "|".join(
    (
        r"[\[(]{0,3}\s*(?:refs?\b\.?|references?|citation)\s*\W{0,2}\d|\[{1,3}\s*\d|\(\s*\d{1,3}\s*[),–-]",
        r"https?://|www\.|doi\b|10\.\d{4}",
        rf"(?:{_NAME},?\s+(?:{_INITIALS}\s*)?|(?:de|van|von|der|den|la|and|&)\s+){{1,6}}(?:et\s+al\b|colleagues\b|co-?workers\b)",
        rf"{_NAME}(?:,?\s+{_INITIALS})?(?:,?\s+(?:and|&|y|und|et|e)\s+{_NAME})?,?\s*(?:{_YEAR}|\[\s*\d)",
        r"[^.;]{0,60}?\b(?:websites?|web ?pages?|wikipedia|books?|papers?|publications?|articles?|atlas|treatise)\b",
    )
)
"""What a publication is called by: a number of the references, an address, names with a year, a title."""

_THE = (
    r"(?:(?:the\s+)?(?:original\s+)?(?:work|paper|study|figures?|fig\.?|table|image)s?\s*[\dA-Za-z]{0,3}\s+"
    r"(?:of|in|by|from)\s+)?(?:the\s+)?[“\"‘(]{0,3}"
)
_DRAWN = (
    r"(?:figure|image|photo(?:graph)?|picture|illustration|drawing|sketch|painting|plate|diagram|scheme|map|table)s?"
)
_VERB = (
    rf"(?:re-?produced|reproductions?\s+of\s+(?:an?|the)\s+{_DRAWN}|re-?printed|re-?published|re-?drawn|adapted|adopted"
    r"|modified|re-?used|re-?designed|excerpted|copied|borrowed|adaptad[oa]|modificad[oa]|reproducid[oa]|tomad[oa]"
    r"|extraíd[oa]|retirad[oa]|adaptée?|modifiée?|reproduite?|tirée?|modifiziert|verändert)"
)
_NO_AUTHOR = (
    r"(?:(?-i:[A-Z]{2,}\b)|Bonferroni|Holm|Benjamini|Tukey|Gram|Masson|Giemsa|Nissl|Day|Surgery|Treatment|Therapy|Botox"
    r"|Gadolinium|Intervention|Contrast|Operation|Injection|Training|Exposure|Correction)"
)
"""What a picture may be taken after, besides an author."""

_DERIVED = (
    # by a citation, wherever it stands: "the arm, adapted with changes from Smith et al. [3]"
    rf"\b(?:{_VERB}\b(?:[^.;]{{0,40}}?\b)??\s+(?:from|after|by|in|de|do|da|du|d['’]après|nach|aus)|taken\s+from)[\s:]+"
    rf"{_THE}(?:{_CITED})",
    # by any name, where nothing but the source is told: "(Modified from Snodgrass.)", "Figure modified from Hall"
    rf"(?:^|[(\[.,]\s*|\b{_DRAWN}\s+(?:(?:and|&) caption |is |are |was |were )?){_VERB}(?:\s+and\s+\w+)?"
    r"\s+(?:from|after|by|de|nach)"
    rf"(?:\s+(?:the\s+)?original\b|\W*$|\s+{_THE}(?!(?:Supplement|Extended|Fig|Table|Panel|PDB|UniProt|GenBank)){_NAME})",
    # without a verb: "Figure from Mori, 2007", "(From Smith et al. [3])", "Image source: Wikipedia"
    rf"(?:^|[(\[]|\b{_DRAWN}\s+)\s*(?:(?:source|fuente|fonte|quelle)\s*:|from|after|nach|d['’]après)\s+{_THE}"
    rf"(?=(?-i:[A-Z“\"])|\[|ref|wikipedia|https?:)(?!Specimen|No\b)(?:{_CITED})",
    rf"(?:^|[—–(])\s*(?:(?-i:After)|(?<=\()after|Nach)\s+(?!{_NO_AUTHOR})(?:{_NAME},?\s*){{1,3}}(?:from\s[^.()]*)?\.?(?:\)|$)",
)
_BY_VERB = re.compile("|".join(f"(?:{pattern})" for pattern in _DERIVED[:2]), re.I)
_WITHOUT_VERB = re.compile("|".join(f"(?:{pattern})" for pattern in _DERIVED[2:]), re.I)
_NOT_DRAWN = re.compile(
    r"\b(?:data|datasets?|values?|numbers?|protocols?|methods?|procedures?|algorithms?|sequences?|parameters?|samples?"
    r"|cells?|coordinates?|structures?|strains?|questionnaires?|scales?|approach|technique|assays?|definitions?|criteria"
    r"|classification|results|measurements?|genes?|plasmids?|models?|nomenclature|terminology)"
    r"(?:\s+(?:were|was|are|is|and|been|have|has|shown|used|\w+ly))*\s*[(,]?\s*(?:as\s+|were\s+|was\s+)?$",
    re.I,
)


def is_derived(clause: str) -> bool:
    """Tell whether it says that the figure, and not its data or the method, comes from a publication."""
    if "biorender" in clause.lower():  # its templates come with a licence to publish what was made of them
        return False
    places = [*(_BY_VERB.finditer(clause) if has_any(clause, VERB_CUES) else ()), *_WITHOUT_VERB.finditer(clause)]
    return any(not _NOT_DRAWN.search(clause[: found.start()]) for found in places)
