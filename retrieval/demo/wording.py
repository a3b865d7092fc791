"""Captions from templates.

`[this|that|]` is a choice, `{colour}` an attribute in words, `{n:cell}` a counted noun, `{n~cell}` the noun alone.
"""

from __future__ import annotations

import re

import numpy as np

from retrieval.demo.kind import Attributes, FigureKind, Value, Words

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
FIELD = re.compile(r"\{(\w+)(?:([:~])([^}]*))?\}")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
ARTICLE = re.compile(
    r"\b([Aa]) (?=(?:[aeioAEIO](?!ne\b|nce\b)|u(?!n[il]|s|ro|te)|8|11\b|18\b|[MS]-|ECG|EEG|EM |SEM|MRI|X-))"
)
TWO_CAPTIONS = 0.15
"""Share of the figures that are described twice."""
WORDS_AT_MOST = 80


def expand(template: str, attributes: Attributes, words: Words, rng: np.random.Generator) -> str:
    """One reading of `template`, every choice made."""

    def phrase(match: re.Match[str]) -> str:
        name, mark, noun = match.groups()
        value = attributes[name]
        if mark == "~":
            return plural(noun, value)
        said = words.get(name, {}).get(value)
        if said is None:
            said = count_words(value) if isinstance(value, int) else value
        return said if noun is None else f"{said} {plural(noun, value)}"

    text = template
    while FIELD.search(text):
        text = FIELD.sub(phrase, text)
    while CHOICE.search(text):
        text = CHOICE.sub(lambda match: pick(match.group(1).split("|"), rng), text)
    return " ".join(text.split()).replace(" ,", ",").replace(" .", ".").replace("( ", "(").replace(" )", ")")


def count_words(value: int) -> str:
    """A number as a template: in figures, or in words where it is small."""
    return f"[{NUMBERS[value]}|{NUMBERS[value]}|{value}]" if 0 < value < len(NUMBERS) else str(value)


def plural(noun: str, number: Value) -> str:
    """`cell` as 'cell' or 'cells'; `focus/foci` where English is irregular."""
    one, _, many = noun.partition("/")
    return one if number == 1 else many or f"{one}s"


def pick(choices: list[str], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]


def as_sentence(text: str) -> str:
    """Upper case first, the right article, a full stop last."""
    text = ARTICLE.sub(r"\1n ", text.strip())
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def caption_texts(
    kind: FigureKind, attributes: Attributes, rng: np.random.Generator, clauses: int | None = None
) -> str:
    """A caption: one lead and some of the clauses, in their order. `clauses` fixes how many."""
    most = len(kind.clauses)
    number = int(rng.integers(0, most + 1)) if clauses is None else min(clauses, most)
    chosen = sorted(rng.permutation(most)[:number].tolist())
    parts = [kind.leads[rng.integers(len(kind.leads))], *(kind.clauses[i] for i in chosen)]
    sentences = [expand(part, attributes, kind.words, rng) for part in parts]
    text = ""
    for said in filter(None, sentences):
        longer = f"{text} {as_sentence(said)}".strip()
        if len(longer.split()) > WORDS_AT_MOST:
            break
        text = longer
    return text


def drawn_captions(kind: FigureKind, attributes: Attributes, rng: np.random.Generator) -> tuple[str, ...]:
    """One caption, or two that differ."""
    first = caption_texts(kind, attributes, rng)
    if rng.random() >= TWO_CAPTIONS:
        return (first,)
    second = caption_texts(kind, attributes, rng)
    return (first,) if second == first else (first, second)
