"""The figures of an article: which images it shows, under which names, with which captions and labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.corpora.jats.elements import Element, Unreadable, attribute, child, children, name_of
from retrieval.corpora.jats.image_files import is_article_image
from retrieval.corpora.jats.languages import caption_in, stems_of, translations_in
from retrieval.corpora.jats.running_text import text_in

NOT_OF_THE_FIGURE = frozenset(
    {
        *("fig", "fig-group", "table-wrap", "table-wrap-group", "disp-formula", "inline-formula"),
        *("supplementary-material", "caption", "permissions", "alt-text", "long-desc", "label"),
    }
)
"""What stands in a figure and has graphics of its own, or none that count."""

MOST = 5000
"""Images of one article. Those with the most, of taxonomy, have some hundreds."""

_PLAIN_ID = re.compile(r"[\w.:-]{1,200}")
_NUMBERED = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One image of an article, as its XML has it.

    `name` is unique in the article. `graphics` are its files to choose from: several where they are `alternatives`,
    none where the figure shows a table or a film. `groups` are the elements around `figure` that share their caption
    with it, the outermost first. `translations` tell the same figure in other languages.
    """

    name: str
    figure: Element
    graphics: tuple[Element, ...]
    groups: tuple[Element, ...]
    translations: tuple[Element, ...] = ()


def drawings_in(article: Element) -> list[Drawing]:
    """All images of the article in the order of its text, each once: in body, appendices, floats and sub-articles.

    Raises Unreadable where there are more than any author would draw.
    """
    found = {element: list(_shown(element)) for element in article.iter("{*}fig", "{*}fig-group")}
    translations = translations_in(found)
    shown = {element: images for element, images in found.items() if images or _stands_alone(element)}
    for original, others in translations.items():  # they have the images of whichever has some
        shown[original] = next((found[one] for one in (original, *others) if found[one]), [])
        for other in others:
            shown.pop(other, None)
    names = _names(list(shown))
    with_images = {element for element, images in found.items() if images}
    if sum(max(len(images), 1) for images in shown.values()) > MOST:
        raise Unreadable("article has too many figures")
    drawings: list[Drawing] = []
    for name, (element, images) in zip(names, shown.items(), strict=True):
        groups, told = tuple(_groups(element, with_images)), translations.get(element, ())
        for number, graphics in enumerate(images or [()], start=1):
            numbered = name if number == 1 else f"{name}/{number}"
            drawings.append(Drawing(numbered, element, tuple(graphics), groups, tuple(told)))
    return drawings


def figure_captions(
    drawing: Drawing, read: Callable[[Element], dict[str | None, str]] = caption_in
) -> list[tuple[str, str | None]]:
    """(caption, its language) of a figure: its own after those that its groups share with it and before that of the
    graphic alone; then those that it has besides, in other languages. Empty where there is none; an empty text where
    there is a blank one."""
    own = [read(caption) for caption in children(drawing.figure, "caption")]
    shared = [_merged(map(read, children(group, "caption"))) for group in drawing.groups]
    of_graphic = [read(caption) for graphic in drawing.graphics[:1] for caption in children(graphic, "caption")]
    parts = [told for told in (*shared, *own[:1], *of_graphic[:1]) if told]
    found: list[tuple[str, str | None]] = []
    if parts:
        language = next(iter(own[0] if own and own[0] else parts[0]))
        first = " ".join(text for told in parts if (text := told.get(language, next(iter(told.values())))))
        others = dict.fromkeys(other for told in parts if len(told) > 1 for other in told if other != language)
        found = [(first, language)]
        found += [(" ".join(told[other] for told in parts if told.get(other)), other) for other in others]
    found += [(text, language) for told in own[1:] for language, text in told.items()]
    for element in drawing.translations:
        for language, text in _merged(map(read, children(element, "caption"))).items():
            found.append((" ".join(filter(None, (*(told.get(language) for told in shared), text))), language))
    kept: dict[str, str | None] = {}
    for text, language in found:
        if text or not kept:
            kept.setdefault(text, language)
    return list(kept.items())


def _merged(captions: Iterable[dict[str | None, str]]) -> dict[str | None, str]:
    told: dict[str | None, str] = {}
    for caption in captions:
        told |= {language: text for language, text in caption.items() if language not in told}
    return told


def label_of(drawing: Drawing) -> str | None:
    """ "Figure 2"; that of the group goes before one which numbers nothing ("A", "Part A")."""
    label = ""
    for element in (*drawing.groups, drawing.figure, *drawing.graphics[:1]):
        own = text_in(child(element, "label"))
        label = own if _NUMBERED.search(own) else f"{label} {own}".strip()
    return label or None


def described(drawing: Drawing) -> dict[str, Any]:
    """What else the figure says of itself: `alt_text`, and `credit`, the line that gives its source."""
    elements = (*drawing.graphics, drawing.figure)
    inside = [inner for element in elements for inner in children(element, "alternatives")]
    alt_text = [text_in(alt) for element in (*elements, *inside) for alt in children(element, "alt-text")]
    credit = [text_in(credit) for credit in children(drawing.figure, "attrib")]
    said = {"alt_text": next(filter(None, alt_text), ""), "credit": " ".join(filter(None, credit))}
    return {key: text for key, text in said.items() if text}


def hrefs_in(article: Element) -> Iterator[str]:
    """The files of all images that the article shows, those of its tables and formulas too."""
    for graphic in article.iter("{*}graphic", "{*}inline-graphic", "{*}media"):
        if href := attribute(graphic, "href"):
            yield href


def _shown(element: Element) -> Iterator[list[Element]]:
    """The images of a figure itself, each as the graphics to choose from; a file that is named twice counts once."""
    seen: set[str] = set()
    found = list(_graphics(element))
    forms = {id_: graphics for graphics in found for graphic in graphics if (id_ := graphic.get("id"))}
    for graphics in found:
        of = graphics[0].get("alternate-form-of") if graphics else None  # as alternatives were told before 2012
        if of in forms and forms[of] is not graphics:
            forms[of] += graphics
            graphics.clear()
    for graphics in found:
        stems = stems_of([graphics])
        if graphics and not stems & seen:
            yield graphics
        seen |= stems


def _graphics(element: Element) -> Iterator[list[Element]]:
    for inner in element:
        name = name_of(inner)
        if name == "alternatives":
            yield [graphic for graphic in children(inner, "graphic", "media") if _is_image(graphic)]
        elif name in ("graphic", "media"):
            yield [inner] if _is_image(inner) else []
        elif name not in NOT_OF_THE_FIGURE:
            yield from _graphics(inner)


def _is_image(graphic: Element) -> bool:
    href = attribute(graphic, "href")
    if not href:
        return False
    kind = graphic.get("mimetype") or ""
    return name_of(graphic) == "graphic" or kind.startswith("image") or (kind == "" and is_article_image(href))


def _stands_alone(element: Element) -> bool:
    """A figure without images is still one, unless it is there for the figures in it."""
    return name_of(element) == "fig" and next(element.iterdescendants("{*}fig"), None) is None


def _groups(element: Element, with_images: set[Element]) -> Iterator[Element]:
    """The outer elements that share their caption: groups, and figures that have no image of their own."""
    around = [
        outer
        for outer in element.iterancestors("{*}fig-group", "{*}fig")
        if name_of(outer) == "fig-group" or outer not in with_images
    ]
    yield from reversed(around)


def _names(figures: Sequence[Element]) -> list[str]:
    """The ids of the figures; the position, from 1, where one has none or another one's."""
    ids = [figure.get("id") or "" for figure in figures]
    taken = set(ids)
    used: dict[str, None] = {}
    for position, own in enumerate(ids, start=1):
        name = own
        if not _PLAIN_ID.fullmatch(own) or own in used:
            name = str(position)
            while name in taken or name in used:
                name += "-"
        used[name] = None
    return list(used)


APART = ("caption", "fig", "table-wrap", "supplementary-material", "ref-list")
"""What stands in these is not the running text."""


class Mentions:
    """The paragraphs of an article by the id of the figure that they point to with an `xref`."""

    def __init__(self, article: Element) -> None:
        self._paragraphs: dict[str, list[Element]] = {}
        self._texts: dict[Element, str] = {}
        for reference in article.iter("{*}xref"):
            paragraph = _paragraph_around(reference)
            if paragraph is None:
                continue
            for target in (reference.get("rid") or "").split():
                pointing = self._paragraphs.setdefault(target, [])
                if not pointing or pointing[-1] is not paragraph:
                    pointing.append(paragraph)

    def of(self, drawing: Drawing) -> list[str]:
        """The paragraphs that point to a figure or to the group that it belongs to, in the order of the text."""
        ids = [element.get("id") for element in (drawing.figure, *drawing.groups)]
        paragraphs = [paragraph for target in ids if target for paragraph in self._paragraphs.get(target, ())]
        return list(dict.fromkeys(filter(None, map(self._text, paragraphs))))

    def _text(self, paragraph: Element) -> str:
        if paragraph not in self._texts:
            self._texts[paragraph] = text_in(paragraph)
        return self._texts[paragraph]


def _paragraph_around(reference: Element) -> Element | None:
    paragraph = None
    for outer in reference.iterancestors():
        name = name_of(outer)
        if name in APART:
            return None
        if name == "p" and paragraph is None:
            paragraph = outer
    return paragraph
