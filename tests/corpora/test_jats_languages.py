"""Figures that are told in several languages, publishers' lines under them, and parts with authors of their own."""

from __future__ import annotations

import pytest

from retrieval.corpora import open_corpus
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, put, shown
from tests.corpora.reading import figures


def told(language: str, caption: str, href: str | None = None, label: str = "1", name: str = "") -> str:
    graphic = "" if href is None else f'<graphic xlink:href="{href}"/>'
    own = f' id="{name}"' if name else ""
    return (
        f'<fig{own} xml:lang="{language}"><label>Fig. {label}</label><caption><p>{caption}</p></caption>{graphic}</fig>'
    )


SPANISH, ENGLISH = "Una célula.", "A cell."


@pytest.mark.parametrize(
    "body",
    [
        f"<fig-group>{told('es', SPANISH, 'a', name='F1')}{told('en', ENGLISH, 'a', name='F2')}</fig-group>",
        f"<fig-group>{told('es', SPANISH, name='F1')}{told('en', ENGLISH, 'a', name='F2')}</fig-group>",
        f"<fig-group>{told('es', SPANISH, 'a', name='F1')}{told('en', ENGLISH, name='F2')}</fig-group>",
        f"<alternatives>{told('es', SPANISH, 'a.tif', name='F1')}{told('en', ENGLISH, 'a.jpg')}</alternatives>",
        f"<sec>{told('es', SPANISH, 'a', name='F1')}{told('en', ENGLISH, name='F2')}</sec>",
        '<fig id="F1"><caption xml:lang="es"><p>Una célula.</p></caption>'
        '<caption xml:lang="en"><p>A cell.</p></caption><graphic xlink:href="a"/></fig>',
        '<fig id="F1"><caption><p xml:lang="es">Una célula.</p><p xml:lang="en">A cell.</p></caption>'
        '<graphic xlink:href="a"/></fig>',
        '<fig-group><caption xml:lang="es"><p>Una célula.</p></caption><caption xml:lang="en"><p>A cell.</p></caption>'
        '<fig id="F1"><graphic xlink:href="a"/></fig></fig-group>',
    ],
)
def test_a_figure_in_two_languages_is_one_figure_with_two_captions(tmp_path, body):
    found = shown(tmp_path, body)
    assert {name: figure.captions for name, figure in found.items()} == {"PMC1/F1": (SPANISH, ENGLISH)}
    assert found["PMC1/F1"].extra["caption_languages"] == ["es", "en"]


@pytest.mark.parametrize("graphic", [True, False])
def test_a_translated_article_tells_its_figures_again(tmp_path, graphic):
    english = fig("F1en", None, "a" if graphic else None, "<label>Figure 1</label><caption><p>A cell.</p></caption>")
    article = jats(
        fig("F1", None, "a", "<label>Figura 1</label><caption><p>Una célula.</p></caption>")
        + fig("F2", None, "b", "<label>Figura 2</label><caption><p>Dos.</p></caption>")
    ).replace("<article ", '<article xml:lang="es" ')
    part = f'<sub-article article-type="translation" xml:lang="en"><body>{english}</body></sub-article></article>'
    put(tmp_path / "PMC1", {"a.nxml": article.replace("</article>", part), "a.jpg": picture(), "b.jpg": picture()})
    found = figures(open_corpus(tmp_path))
    assert {name: figure.captions for name, figure in found.items()} == {
        "PMC1/F1": (SPANISH, ENGLISH),
        "PMC1/F2": ("Dos.",),
    }
    assert found["PMC1/F1"].extra["caption_languages"] == ["es", "en"]


def test_images_that_are_lettered_in_their_language_and_figures_of_one_language_stay_figures(tmp_path):
    body = (
        f"<fig-group>{told('es', SPANISH, 'a', name='F1')}{told('en', ENGLISH, 'b', name='F2')}</fig-group>"
        f"<sec>{told('en', 'Of 3.', 'c', '3', 'F3')}{told('en', 'Of 4.', 'd', '4', 'F4')}</sec>"
        f"<sec>{told('en', 'Of 5.', 'c', '5', 'F5')}{told('de', 'Von 6.', 'd', '6', 'F6')}</sec>"
    )
    found = shown(tmp_path, body, ("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    assert [figure.captions for figure in found.values()] == [
        *((SPANISH,), (ENGLISH,), ("Of 3.",), ("Of 4.",), ("Of 5.",), ("Von 6.",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "The online version of this article includes the following figure supplement(s) for figure 2:",
        "The online version of this article contains supplementary material.",
        "The following figure supplements are available for figure 2:",
        "The following source data is available for Figure 2.",
    ],
)
def test_a_publisher_s_line_is_no_caption(tmp_path, line):
    grouped = f"<fig-group><caption><p>{line}</p></caption>{fig('F1', 'Own.', 'a')}</fig-group>"
    own = fig("F2", f"Of F2.</p><p>{line}", "a") + fig("F3", line, "a")
    found = shown(tmp_path, grouped + own)
    assert [figure.captions for figure in found.values()] == [("Own.",), ("Of F2.",), ()]


def test_figures_of_letters_and_reviews_have_their_own_authors(tmp_path):
    def person(name: str, kind: str = "author") -> str:
        return (
            f'<contrib-group><contrib contrib-type="{kind}"><name><surname>{name}</surname></name></contrib>'
            "</contrib-group>"
        )

    def part(kind: str, front: str, name: str) -> str:
        title = f"<title-group><article-title>The {kind}</article-title></title-group>"
        return (
            f'<sub-article article-type="{kind}"><front-stub>{title}{front}</front-stub>'
            f"<body>{fig(name, 'A plot.', 'a')}</body></sub-article>"
        )

    parts = (
        part("decision-letter", person("Editor", "editor"), "D1")
        + part("reply", "", "R1")
        + part("referee-report", "", "L1")
        + f"<response><front-stub>{person('Other')}</front-stub><body>{fig('X1', 'A plot.', 'a')}</body></response>"
    )
    meta = f'<article-id pub-id-type="pmc">1</article-id>{person("Author")}'
    article = jats(fig("F1", "A plot.", "a"), meta).replace("</article>", f"{parts}</article>")
    put(tmp_path / "PMC1", {"a.nxml": article, "a.jpg": picture()})
    found = figures(open_corpus(tmp_path))
    assert {name: (figure.extra.get("authors"), figure.extra.get("sub_article")) for name, figure in found.items()} == {
        "PMC1/F1": ("Author", None),
        "PMC1/D1": ("Editor", "The decision-letter"),
        "PMC1/R1": ("Author", "The reply"),
        "PMC1/L1": (None, "The referee-report"),
        "PMC1/X1": ("Other", "response"),
    }
