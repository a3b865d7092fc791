"""Languages of an article's elements: one figure told in several, and captions that mix them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from retrieval.corpora.jats.elements import Element, attribute, child, children, name_of
from retrieval.corpora.jats.image_files import stem_of
from retrieval.corpora.jats.running_text import text_in

Images = Sequence[Sequence[Element]]
"""The images of a figure, each as the graphics to choose from."""

LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TOGETHER = ("fig-group", "alternatives")
"""What brings together figures that are one."""


def language_of(element: Element) -> str | None:
    """The language of an element, its own or that of what it stands in."""
    while element is not None:
        if language := element.get(LANG):
            return str(language)
        element = element.getparent()
    return None


def translations_in(figures: Mapping[Element, Images]) -> dict[Element, list[Element]]:
    """The figures that tell another one again in another language, by that one.

    They are its neighbours, or stand in a translation of the article, and they show the same image, or are of the same
    number and only one of them shows any. Figures with images of their own, which may be lettered in their language,
    remain figures.
    """
    found: dict[Element, list[Element]] = {}
    for siblings in _candidates(figures):
        originals: list[Element] = []
        for element in siblings:
            original = next((one for one in originals if _is_same([one, *found.get(one, ())], element, figures)), None)
            if original is None:
                originals.append(element)
            else:
                found.setdefault(original, []).append(element)
    return found


def _candidates(figures: Mapping[Element, Images]) -> Iterator[list[Element]]:
    """Figures among which some may be translations of others: neighbours that say their languages, then all figures of
    an article that has a translated part."""
    beside: dict[Element, list[Element]] = {}
    for element in figures:
        if element.get(LANG) and name_of(element) == "fig":
            beside.setdefault(element.getparent(), []).append(element)
    yield from (siblings for siblings in beside.values() if len({one.get(LANG) for one in siblings}) > 1)
    if any(_is_translated(element) for element in figures):
        yield [element for element in figures if not element.get(LANG) or name_of(element) == "fig-group"]


def _is_translated(element: Element) -> bool:
    return any(part.get("article-type") == "translation" for part in element.iterancestors("{*}sub-article"))


def _is_same(told: Sequence[Element], element: Element, figures: Mapping[Element, Images]) -> bool:
    languages = [language_of(one) for one in told]
    if language_of(element) in languages or name_of(told[0]) != name_of(element):
        return False
    if element.getparent() is not told[0].getparent() and not _is_translated(element):
        return False
    shown, own = stems_of(image for one in told for image in figures[one]), stems_of(figures[element])
    if shown and own:
        return shown == own
    together = element.getparent() is told[0].getparent() and name_of(element.getparent()) in TOGETHER
    numbers = {_number(one) for one in (*told, element)}
    return (together and len(numbers - {""}) <= 1) or (len(numbers) == 1 and numbers != {""})


def stems_of(images: Iterable[Sequence[Element]]) -> set[str]:
    """The names, without suffixes, of the files of some images."""
    return {stem_of(attribute(graphic, "href") or "") for graphics in images for graphic in graphics}


def _number(figure: Element) -> str:
    return "".join(re.findall(r"\d+\w?", text_in(child(figure, "label"))))


BOILERPLATE = re.compile(
    r"(?:the )?online version of this (?:article|paper|figure) (?:includes|contains)\b.*"
    r"|the following (?:figure|source|video|movie|animation|data|supplement)[\w ,]*(?:is|are) available for\b.*"
    r"|(?:this figure|figure \S+) has (?:the following|\w+) (?:figure )?supplements?\b.*",
    re.I | re.S,
)
"""What a publisher writes under a figure of what goes with it."""


def caption_in(caption: Element) -> dict[str | None, str]:
    """The text of a `caption` by its language; several where its paragraphs say that they are in several. Empty where
    it holds nothing but a publisher's line."""
    blocks = list(children(caption, "title", "subtitle", "p"))
    texts = {block: text_in(block) for block in blocks}
    useless = [block for block in blocks if BOILERPLATE.fullmatch(texts[block])]
    languages = {block.get(LANG) for block in blocks}
    if useless and len(useless) == len(blocks):
        return {}
    if None in languages or len(languages) < 2:
        if not useless:
            return {language_of(caption): text_in(caption)}
        return {language_of(caption): " ".join(texts[one] for one in blocks if one not in useless)}
    told: dict[str | None, str] = {}
    for block in blocks:
        if block not in useless:
            told[block.get(LANG)] = f"{told.get(block.get(LANG), '')} {texts[block]}".strip()
    return told
