"""Rights in a figure that its own caption claims: a licence of its own, or somebody else's copyright."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from retrieval.corpora.jats.article import Article
from retrieval.corpora.jats.derivations import SOURCE_CUES, VERB_CUES, has_any, is_derived
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


def figure_licence(article_licence: Any, captions: Sequence[str]) -> Any:
    """The licence of a figure of which only its article's is told: THIRD_PARTY where a caption claims that it is."""
    claims = (claim_in(caption) for caption in captions)
    return THIRD_PARTY if any(claim and claim.licence == THIRD_PARTY for claim in claims) else article_licence


def claim_in(text: str, authors: str = "") -> Claim | None:
    """The rights that a caption or line of credit claims; None where it claims none, which courtesy and credit do not.

    A work taken or adapted from a publication, somebody's permission, a copyright that is not of the `authors` and all
    rights reserved are THIRD_PARTY, unless the same clause or the next names a free licence.
    """
    may_license, may_claim = has_any(text, CODE_CUES), has_any(text, OUTRIGHT_CUES)
    may_derive = has_any(text, VERB_CUES) or has_any(text, SOURCE_CUES)
    if not (may_license or may_claim or may_derive):
        return None
    panels = len(set(re.findall(r"\(([abd])\)", text, re.I)))
    clauses = list(_clauses(text))
    codes = [_code(clause) if may_license else None for clause in clauses]
    theirs: list[str] = []
    for at, clause in enumerate(clauses):
        after = clauses[at + 1] if at + 1 < len(clauses) else ""
        follows = codes[at + 1] if after and not _PANEL.match(after) else None
        if codes[at] is None:
            outright = may_claim and (_OUTRIGHT.search(f" {clause}") or _is_permitted(clause))
            copyright = may_claim and not outright and _is_copyright(clause, authors, panels > 0)
            claimed = outright or copyright or (may_derive and is_derived(clause))
            freed = follows and (not outright or _LICENSED.match(after))
            theirs += [clause] if claimed and not freed else []
    if theirs:
        return Claim(THIRD_PARTY, " ".join(theirs))
    said = [(code, clause) for code, clause in zip(codes, clauses, strict=True) if code]
    if not said:
        return None
    strictest = stricter(*(code for code, _ in said))
    partly = panels > 1 or any(_PARTS.search(clause) for _, clause in said)
    return Claim(strictest, " ".join(clause for _, clause in said), partly)


CODE_CUES = ("cc", "commons", "domain")
OUTRIGHT_CUES = (
    *("rights", "rechte", "droits", "diritti", "reservad", "genehmigung", " avec ", " con ", " com ", "concession"),
    *("licens", "licenc", "courtesy", "getty", "istock", "shutterstock", "adobe", "alamy", "dreams", "123rf"),
    *("photo library", "ap photo", "depositph", "bridgeman", "版权", "许可", "permission", "©", "(c)", "copyright"),
)
"""Parts of words without which nothing is claimed: looking for them is quicker than the patterns are."""


def stricter(*codes: str) -> str:
    """The code of the licence that asks for most; one that is not known asks for more than all others."""
    return max(codes, key=lambda code: STRICTNESS.index(code) if code in STRICTNESS else len(STRICTNESS))


_CREDITS = ("{*}attrib", "{*}fn")
_ADDRESS = re.compile(r"https?://creativecommons\.org/[\w./-]*\w/?")
_PANEL = re.compile(r"\W{0,2}(?:panels?\s+)?[A-Z]\d?(?:\s*[-–,]\s*[A-Z])?[):.,]\s|left\b|right\b|top\b|bottom\b", re.I)
_LICENSED = re.compile(
    r"\W*(?:licen[sc]|CC|creative|under|distributed|this (?:figure|image|work)|published under)", re.I
)
"""How a clause begins that licenses what the one before it says is permitted."""
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
    if not has_any(clause, CODE_CUES):
        return None
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
