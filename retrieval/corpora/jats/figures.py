"""The figures of an article: which images it shows, under which names, with which captions and labels."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from retrieval.corpora.jats.elements import Element, Unreadable, attribute, child, children, name_of, text_in
from retrieval.corpora.naming import IMAGE_SUFFIXES

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
    with it, the outermost first.
    """

    name: str
    figure: Element
    graphics: tuple[Element, ...]
    groups: tuple[Element, ...]


def drawings_in(article: Element) -> list[Drawing]:
    """All images of the article in the order of its text, each once: in body, appendices, floats and sub-articles.

    Raises Unreadable where there are more than any author would draw.
    """
    found = [(element, list(_shown(element))) for element in article.iter("{*}fig", "{*}fig-group")]
    shown = [(element, images) for element, images in found if images or _stands_alone(element)]
    names = _names([element for element, _ in shown])
    with_images = {element for element, images in found if images}
    if sum(max(len(images), 1) for _, images in shown) > MOST:
        raise Unreadable("article has too many figures")
    drawings: list[Drawing] = []
    for name, (element, images) in zip(names, shown, strict=True):
        groups = tuple(_groups(element, with_images))
        for number, graphics in enumerate(images or [()], start=1):
            drawings.append(Drawing(name if number == 1 else f"{name}/{number}", element, tuple(graphics), groups))
    return drawings


def figure_captions(drawing: Drawing, read: Callable[[Element], str] = text_in) -> tuple[str, ...]:
    """Its caption, after those that its groups share with it and before that of the graphic alone; then captions that
    it has besides, in other languages. Nothing where there is none; an empty text where there is a blank one."""
    own = list(children(drawing.figure, "caption"))
    shared = [child(group, "caption") for group in drawing.groups]
    of_graphic = [child(graphic, "caption") for graphic in drawing.graphics[:1]]
    parts = [caption for caption in (*shared, *own[:1], *of_graphic) if caption is not None]
    if not parts:
        return ()
    first = " ".join(text for text in map(read, parts) if text)
    return (first, *(text for text in map(read, own[1:]) if text))


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
    for graphics in _graphics(element):
        stems = {stem_of(attribute(graphic, "href") or "") for graphic in graphics}
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
    return name_of(graphic) == "graphic" or kind.startswith("image") or (kind == "" and is_image(href))


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


LIKED = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""Of several files of one name, the earliest kind is read: PubMed Central puts a thumbnail .gif beside the .jpg."""

GRAPHIC_SUFFIXES = IMAGE_SUFFIXES | {".eps", ".ps", ".pdf", ".svg", ".ai", ".wmf", ".emf", ".ppt", ".pptx"}
"""What publishers call the originals of images that were since converted. Other endings belong to the name
("pone.0000217.g001")."""


def is_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def stem_of(href: str) -> str:
    """The name without the suffix of a graphic, if it has one."""
    stem, suffix = posixpath.splitext(href)
    return stem if suffix.lower() in GRAPHIC_SUFFIXES else href


class Images:
    """The image files that lie with an article, to be found by what its graphics call them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, str] = {}
        for name in sorted(filter(is_image, names)):
            self._names.setdefault(name.lower(), name)
        for name in list(self._names.values()):  # those in folders can be called without them
            self._names.setdefault(posixpath.basename(name).lower(), name)

    def __bool__(self) -> bool:
        return bool(self._names)

    def find(self, href: str) -> str | None:
        """The file that `href` means: the one of that name; else the one of its stem that is liked best. None where
        there is none. Upper and lower case are the same; a thumbnail is never taken where there is another."""
        for said in dict.fromkeys((href, unquote(href), posixpath.basename(href), posixpath.basename(unquote(href)))):
            called = posixpath.normpath(said.strip()).lower()
            if called in self._names and not called.endswith(".gif"):
                return self._names[called]
            for stem in (called, stem_of(called)):
                if found := next((stem + suffix for suffix in LIKED if stem + suffix in self._names), None):
                    return self._names[found]
        return None

    def best(self, hrefs: Sequence[tuple[str, bool]]) -> str | None:
        """The file to read of one image in several formats, each (href, is a thumbnail); None where none is there."""
        found = [(thumbnail, self._rank(name), name) for href, thumbnail in hrefs if (name := self.find(href))]
        return min(found, default=(False, 0, None))[2]

    @staticmethod
    def _rank(name: str) -> int:
        return LIKED.index(posixpath.splitext(name)[1].lower())


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
