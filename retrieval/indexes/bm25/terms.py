"""Terms of a text: its words, and names such as IL-6, TNF-α or NM_000059.3 whole as well as in parts."""

from __future__ import annotations

import re
import unicodedata

NAME = re.compile(r"[^\W_]+(?:[-‐‑‒–−_./:>'’][^\W_]+)*\+*")
"""Letters and digits, joined by what names are joined by; the plus signs behind a name (CD4+, Ca2+) belong to it."""
PART = re.compile(r"[^\W_]+")
ACCENT = re.compile("[\u0300-\u036f]")  # of Latin and Greek letters; the vowel signs of other scripts are letters there
DROPPED = str.maketrans("", "", "-‐‑‒–−'’")
"""Joiners that one writer sets and another leaves out: IL-6 and IL6 are one term, as are Crohn's and Crohns."""
GREEK_LETTER = re.compile("[α-ω]")
UNSPACED = re.compile(
    "[\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17dc-\u17dd"
    "\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Runs of Thai, Lao, Burmese, Khmer, Japanese, Korean and Chinese: words that no space parts, or that grow endings."""


def caption_terms(caption: str) -> list[str]:
    """The terms by which a caption is found: its words and, of runs without spaces, letters and their pairs."""
    words, runs = _parted(caption)
    return words + [term for run in runs for term in (*run, *_pairs(run))]


def query_terms(query: str) -> list[str]:
    """The terms that a query asks for: its words and, of runs without spaces, their pairs of letters.

    A run of one letter is asked as it is, so that every part of a caption's run finds it.
    """
    words, runs = _parted(query)
    return words + [term for run in runs for term in _pairs(run) or [run]]


def _parted(text: str) -> tuple[list[str], list[str]]:
    """The words of a text outside its runs without spaces, and these runs."""
    if text.isascii() or not UNSPACED.search(composed := unicodedata.normalize("NFKC", text)):
        return terms_of(text), []
    return terms_of(UNSPACED.sub(" ", composed)), UNSPACED.findall(composed)


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(len(run) - 1)]


def terms_of(text: str) -> list[str]:
    """The words of a text, in order, with repetitions; also all that an index of format 1 knows.

    Case, width and accents do not matter, and a Greek letter is its name: TNF-α is TNF-alpha. A name with joiners gives
    itself and its parts, so that both `COVID-19` and `covid` find it: covid19, covid, 19. A plural is its singular.
    """
    terms = []
    for name in NAME.findall(_folded(text)):
        if name.isalnum():
            terms.append(_singular(name))
        else:
            whole = name.translate(DROPPED)
            terms += [whole, *(_singular(part) for part in PART.findall(name) if part != whole)]
    return terms


def _singular(word: str) -> str:
    """Harman's S stemmer ("How effective is suffixing?", JASIS 1991), for words of letters only.

    Texts asked for captions of the same figures: hit_rate@10 0.736, without it 0.712 (2,908 figures of textbooks).
    """
    if len(word) < 4 or word[-1] != "s" or not word.isalpha():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word if word.endswith(("us", "ss", "is")) else word[:-1]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = ACCENT.sub("", unicodedata.normalize("NFKD", text).casefold())
    return GREEK_LETTER.sub(_spelled, folded)


def _spelled(letter: re.Match[str]) -> str:
    """α as alpha; Unicode calls λ LAMDA, which nobody else does."""
    return unicodedata.name(letter[0]).split()[-1].lower().replace("lamda", "lambda")
