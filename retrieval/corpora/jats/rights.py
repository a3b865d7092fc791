"""Rights in a figure that its own caption claims: a licence of its own, or somebody else's copyright."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from retrieval.corpora.jats.article import Article
from retrieval.corpora.jats.elements import child, children
from retrieval.corpora.jats.figures import Drawing
from retrieval.corpora.jats.licences import licence_code, licence_in
from retrieval.corpora.jats.running_text import text_in
from retrieval.corpora.sentences import sentence_ends

THIRD_PARTY = "third-party"
"""The licence of a figure that is not its article's authors' own, and of which no free licence is told."""

STRICTNESS = ("public-domain", "cc0", "cc-by", "cc-by-sa", "cc-by-nd", "cc-by-nc", "cc-by-nc-sa", "cc-by-nc-nd")
"""Of several licences in one caption the last of these holds: a figure is handed out whole."""


class Claim(NamedTuple):
    """What a text says of the rights in its figure: a licence or THIRD_PARTY, and the clauses that say so.

    `partly`: the licence is that of a panel, a map or an icon in the figure.
    """

    licence: str
    statement: str
    partly: bool = False


def figure_rights(
    drawing: Drawing, captions: Sequence[str], article: Article
) -> tuple[str | None, str | None, str | None]:
    """(licence, its address, the words that say so) of a figure: what its captions, its credit and its permissions say
    goes before what the article grants. Permissions that grant nothing leave the licence unknown."""
    code, address, statement = article.licence, article.licence_url, None
    around = (*drawing.graphics, drawing.figure, *reversed(drawing.groups))
    own = next(filter(lambda found: found is not None, (child(element, "permissions") for element in around)), None)
    if own is not None:  # taken from elsewhere: the article's licence says nothing about it
        code, address = licence_in(own)
        claim = claim_in(text_in(own), article.authors) if code is None else None
        if claim is not None:
            code, statement = claim.licence, text_in(own)
    beside = [text_in(line) for element in (*drawing.graphics, drawing.figure) for line in element.iter(*_CREDITS)]
    beside += [text_in(line) for group in drawing.groups for line in children(group, "attrib", "fn")]
    for text in (*captions, *beside):
        claim = claim_in(text, article.authors)
        if claim is None or (claim.licence != THIRD_PARTY and own is not None):
            continue
        licence = stricter(claim.licence, code or THIRD_PARTY) if claim.partly or statement else claim.licence
        if licence == claim.licence:
            found = _ADDRESS.search(claim.statement) if claim.licence != THIRD_PARTY else None
            code, address, statement = licence, found and found[0], claim.statement
    return code, address, statement


def claim_in(text: str, authors: str = "") -> Claim | None:
    """The rights that a caption or line of credit claims; None where it claims none, which courtesy and credit do not.

    A work taken or adapted from a publication, somebody's permission, a copyright that is not of the `authors` and all
    rights reserved are THIRD_PARTY, unless the same clause or the next names a free licence.
    """
    panels = len(set(re.findall(r"\(([abd])\)", text, re.I)))
    clauses = list(_clauses(text))
    codes = [_code(clause) for clause in clauses]
    theirs: list[str] = []
    for at, clause in enumerate(clauses):
        follows = codes[at + 1] if at + 1 < len(clauses) and not _PANEL.match(clauses[at + 1]) else None
        if codes[at] is None and follows is None:
            outright = _OUTRIGHT.search(clause) or _is_permitted(clause) or _is_copyright(clause, authors, panels > 0)
            theirs += [clause] if outright or _is_derived(clause) else []
    if theirs:
        return Claim(THIRD_PARTY, " ".join(theirs))
    said = [(code, clause) for code, clause in zip(codes, clauses, strict=True) if code]
    if not said:
        return None
    strictest = stricter(*(code for code, _ in said))
    partly = panels > 1 or any(_PARTS.search(clause) for _, clause in said)
    return Claim(strictest, " ".join(clause for _, clause in said), partly)


def stricter(*codes: str) -> str:
    """The code of the licence that asks for most; one that is not known asks for more than all others."""
    return max(codes, key=lambda code: STRICTNESS.index(code) if code in STRICTNESS else len(STRICTNESS))


_CREDITS = ("{*}attrib", "{*}fn")
_ADDRESS = re.compile(r"https?://creativecommons\.org/[\w./-]*\w/?")
_PANEL = re.compile(r"\W{0,2}(?:panels?\s+)?[A-Z]\d?(?:\s*[-–,]\s*[A-Z])?[):.,]\s|left\b|right\b|top\b|bottom\b", re.I)
_PARTS = re.compile(
    r"\b(?:part(?:s|ially|ly)?|portions?|elements?|icons?|templates?|clip ?arts?|silhouettes?|background|base ?maps?"
    r"|panels?|insets?|left|right|top|bottom|servier|smart)\b",
    re.I,
)


def _clauses(text: str) -> Iterator[str]:
    start = 0
    for end in sentence_ends(text):
        for clause in re.split(r"(?<=;)\s+", text[start:end]):
            if clause.strip():
                yield clause.strip()
        start = end


_PUBLIC_DOMAIN = re.compile(r"(?<!not )\bpublic[ -]domain\b(?=\s*(?:[.;,)\]/]|$|image|photo|work))", re.I)
_ZERO = re.compile(r"\(CC-?0\)|\bCC-?0 (?:1\.0|licen|public|universal)|licen\w* (?:\w+ ){0,3}CC-?0\b", re.I)
_ZERO_ALONE = re.compile(r"\bCC[ -]?(?:0|zero)\b", re.I)


def _code(clause: str) -> str | None:
    """The free licence that a clause names. CC0 alone may be a condition of an experiment."""
    if _PUBLIC_DOMAIN.search(clause):
        return stricter("public-domain", licence_code(_ZERO_ALONE.sub(" ", clause)) or "public-domain")
    return "cc0" if _ZERO.search(clause) else licence_code(_ZERO_ALONE.sub(" ", clause))


_OUTRIGHT = re.compile(
    r"\ball rights reserved\b|\balle rechte vorbehalten|\btous droits réservés"
    r"|\btod[oa]s (?:los|os) d[ie]re\w+ reservados"
    r"|\btutti i diritti riservati|版权所有|许可"
    r"|\bmit (?:\w+ ){0,2}genehmigung|\bavec (?:la |l['’])?(?:\w+ )?(?:permission|autorisation)"
    r"|\bcon (?:la |el |il )?(?:\w+ )?(?:permiso|autorización|permesso)\b|\bper gentile concessione"
    r"|\bcom (?:a )?(?:\w+ )?(?:permissão|autorização)"
    r"|\bcopyright clearance center|\brightslink|\blicen[sc]ed? (?:number \S+ )?from (?-i:[A-Z])"
    r"|\b(?:getty images?|shutterstock|istock(?:photo)?|alamy|adobe ?stock|dreamstime|123rf|depositphotos|bridgeman"
    r"|science photo library|AP photo)\b"
    r"|\b(?:re-?produced|re-?printed|published|printed)\s+(?:by|with|through|under)?\s*(?:the\s+)?(?:kind\s+)?courtesy\b",
    re.I,
)

_GIVER = (
    r"(?:patient|parent|famil|guardian|mother|father|relative|subject|participant|donor|individual|volunteer|owner|child|"
    r"couple|person|people|kin\b|ethic|committee|board\b|IRB\b|ministry|authorit|government|landowner|animal)"
)
_GRANTED_BY_SHOWN = re.compile(rf"[^.;]{{0,60}}?\b(?:of|from|by)\s+(?:[\w’'-]+\s+){{0,4}}?{_GIVER}", re.I)
_GIVEN = re.compile(
    rf"\b{_GIVER}[\w’']*\s+(?:[\w-]+\s+){{0,3}}$|\b(?:no|without|informed|his|her|their)\s+(?:\w+\s+){{0,2}}$", re.I
)
_WITH = re.compile(
    r"\b(?:with|by|under|through|upon|after)\s+(?:[\w’'-]+\s+){0,5}$|(?:^|[.;(,\]“\"])\s*(?:\w+\s)?$", re.I
)
_OBTAINED = re.compile(
    r"\s+(?:for\s+|to\s+(?:re|publish|use))?[^.;]{0,80}?\b(?:obtained|granted|received|given)\b", re.I
)


def _is_permitted(clause: str) -> bool:
    """Tell whether it says that the owner of a work permits its use; patients and authorities permit other things."""
    for found in re.finditer(r"\bpermissions?\b", clause, re.I):
        before, after = clause[: found.start()], clause[found.end() :]
        if _GRANTED_BY_SHOWN.match(after) or _GIVEN.search(before) or re.match(r"\s+(?:is|was) not", after):
            continue
        if _WITH.search(before) or _OBTAINED.match(after):
            return True
    return False


_SIGN = re.compile(
    r"©|\bcopyright(?:ed|s)?\b|\(c\)(?=\s*(?:by\s+)?(?:(?:19|20)\d\d\b,?\s*(?:the\s+)?(?-i:[A-Z])|(?-i:[A-Z])[^.;()]{2,60},?\s+(?:19|20)\d\d))",
    re.I,
)
_FREE = re.compile(r"\b(?:no|not|non|free|without|un\w*|expired|outside?)\W+(?:[\w-]+\W+){0,3}$", re.I)


def _is_copyright(clause: str, authors: str, among_panels: bool) -> bool:
    """Tell whether it says that somebody else than the authors holds a copyright."""
    surnames = {name for name in re.findall(r"[^\W\d_]{2,}", authors) if name[0].isupper()}
    for found in _SIGN.finditer(clause):
        before, after = clause[: found.start()], clause[found.end() :][:80]
        if found[0].lower() == "(c)" and among_panels:
            continue
        if _FREE.search(before) or re.match(r"[\s-]*(?:free|(?:has\s+)?expired|issues?|law|act)\b", after, re.I):
            continue
        if re.match(r"\W*(?:\d{4}\W+)?(?:(?:belongs|held|is|to|by|of|the|study)\s+)*authors?\b", after, re.I):
            continue
        if surnames & set(re.findall(r"[^\W\d_]{2,}", after[:40])):
            continue
        return True
    return False


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
_FROM_ELSEWHERE = re.compile("|".join(f"(?:{pattern})" for pattern in _DERIVED), re.I)
_NOT_DRAWN = re.compile(
    r"\b(?:data|datasets?|values?|numbers?|protocols?|methods?|procedures?|algorithms?|sequences?|parameters?|samples?"
    r"|cells?|coordinates?|structures?|strains?|questionnaires?|scales?|approach|technique|assays?|definitions?|criteria"
    r"|classification|results|measurements?|genes?|plasmids?|models?|nomenclature|terminology)"
    r"(?:\s+(?:were|was|are|is|and|been|have|has|shown|used|\w+ly))*\s*[(,]?\s*(?:as\s+|were\s+|was\s+)?$",
    re.I,
)


def _is_derived(clause: str) -> bool:
    """Tell whether it says that the figure, and not its data or the method, comes from a publication."""
    if "biorender" in clause.lower():  # its templates come with a licence to publish what was made of them
        return False
    return any(not _NOT_DRAWN.search(clause[: found.start()]) for found in _FROM_ELSEWHERE.finditer(clause))
