"""Where the text of an article speaks of its figures."""

from __future__ import annotations

from retrieval.corpora.jats.elements import Element, name_of
from retrieval.corpora.jats.figures import Drawing
from retrieval.corpora.jats.reading import text_in

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
