"""Which figures an article has. The first tests are each a fault of a parser that others use."""

from __future__ import annotations

import pytest

from retrieval.corpora import open_corpus
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, put, shown
from tests.corpora.reading import everything, figures, skips


def captions(found):
    return {figure_id: figure.captions for figure_id, figure in found.items()}


def test_a_figure_without_a_caption_does_not_take_the_one_before(tmp_path):
    body = fig("F1", "Of one.", "a") + fig("F2", None, "b")
    assert captions(shown(tmp_path, body, ("a.jpg", "b.jpg"))) == {"PMC1/F1": ("Of one.",), "PMC1/F2": ()}


def test_the_first_figure_may_be_without_a_caption(tmp_path):
    assert captions(shown(tmp_path, fig("F1", None, "a"))) == {"PMC1/F1": ()}


def test_a_figure_without_an_id_is_called_by_its_position_and_costs_the_article_nothing(tmp_path):
    body = fig("F1", href="a") + fig(None, "No id.", "b") + fig("F3", href="c")
    found = shown(tmp_path, body, ("a.jpg", "b.jpg", "c.jpg"))
    assert list(found) == ["PMC1/F1", "PMC1/2", "PMC1/F3"]
    assert found["PMC1/2"].captions == ("No id.",)


def test_ids_that_come_twice_or_are_no_ids_give_way_to_positions(tmp_path):
    body = "".join(fig(name, name, "a") for name in ("2", "F", "F", "a/b", ""))
    found = shown(tmp_path, body)
    assert captions(found) == {
        "PMC1/2": ("2",),
        "PMC1/F": ("F",),
        "PMC1/3": ("F",),
        "PMC1/4": ("a/b",),
        "PMC1/5": ("",),
    }


def test_title_and_all_paragraphs_of_a_caption_are_kept(tmp_path):
    inside = "<caption><title>The title.</title><p>First.</p><p>Second.</p></caption>"
    found = shown(tmp_path, fig("F1", None, "a", inside))
    assert found["PMC1/F1"].captions == ("The title. First. Second.",)


def test_the_href_is_found_among_other_attributes_and_under_another_prefix(tmp_path):
    body = (
        '<fig id="F1"><graphic id="g" position="float" mimetype="image" xlink:href="a" xlink:type="simple"/></fig>'
        '<fig id="F2" xmlns:l="http://www.w3.org/1999/xlink"><graphic id="h" l:href="b"/></fig>'
    )
    found = shown(tmp_path, body, ("a.jpg", "b.jpg"))
    assert [figure.uri for figure in found.values()] == ["PMC1/a.jpg", "PMC1/b.jpg"]


@pytest.mark.parametrize(
    ("href", "there", "taken"),
    [
        ("a", ("a.jpg", "a.gif"), "a.jpg"),
        ("a.gif", ("a.jpg", "a.gif"), "a.jpg"),
        ("a", ("a.gif",), "a.gif"),
        ("a.gif", ("a.gif",), "a.gif"),
        ("a.jpg", ("a.jpg", "a.png"), "a.jpg"),
        ("a.tif", ("a.tif", "a.jpg"), "a.tif"),
        ("a.tif", ("a.jpg", "a.png"), "a.jpg"),
        ("a.eps", ("a.png", "a.tiff"), "a.png"),
        ("A.TIF", ("a.JPEG",), "a.JPEG"),
        ("pone.0000217.g001", ("pone.0000217.g001.png", "pone.0000217.jpg"), "pone.0000217.g001.png"),
        ("figures/a.png", ("figures/a.jpg", "b.jpg"), "figures/a.jpg"),
        ("./figures/a", ("a.jpg",), "a.jpg"),
        ("a", ("media/a.jpg",), "media/a.jpg"),
        ("info:doi/10.1371/journal.a", ("journal.a.png",), "journal.a.png"),
        ("fig%201.jpg", ("fig 1.jpg",), "fig 1.jpg"),
        ("größe", ("größe.jpg",), "größe.jpg"),
    ],
)
def test_an_image_is_found_by_whatever_the_article_calls_it(tmp_path, href, there, taken):
    (found,) = shown(tmp_path, fig("F1", href=href), there).values()
    assert found.uri == f"PMC1/{taken}"
    assert found.image == picture() + taken.encode()


def test_of_alternatives_one_is_shown(tmp_path):
    body = (
        '<fig id="F1"><alternatives><graphic xlink:href="a.tif"/><graphic xlink:href="a-web.jpg"/>'
        '<graphic specific-use="thumbnail" xlink:href="a-small.jpg"/></alternatives></fig>'
        '<fig id="F2"><alternatives><graphic content-type="thumb" xlink:href="b.jpg"/>'
        '<graphic xlink:href="b-full.tif"/></alternatives></fig>'
    )
    there = ("a.tif", "a-web.jpg", "a-small.jpg", "b.jpg", "b-full.tif")
    assert [figure.uri for figure in shown(tmp_path, body, there).values()] == ["PMC1/a-web.jpg", "PMC1/b-full.tif"]


def test_another_form_of_a_graphic_is_the_same_image(tmp_path):
    body = (
        '<fig id="F1"><graphic id="g1" xlink:href="a.tif"/><graphic alternate-form-of="g1" xlink:href="web.jpg"/></fig>'
        '<fig id="F2"><graphic alternate-form-of="g9" xlink:href="c.jpg"/></fig>'
    )
    found = shown(tmp_path, body, ("a.tif", "web.jpg", "c.jpg"))
    assert [figure.uri for figure in found.values()] == ["PMC1/web.jpg", "PMC1/c.jpg"]


def test_of_alternatives_the_one_that_is_there_is_shown(tmp_path):
    body = '<fig id="F1"><alternatives><graphic xlink:href="a.jpg"/><graphic xlink:href="b.tif"/></alternatives></fig>'
    assert [figure.uri for figure in shown(tmp_path, body, ("b.tif",)).values()] == ["PMC1/b.tif"]


def test_several_graphics_of_a_figure_are_several_images_with_its_caption(tmp_path):
    body = (
        '<fig id="F1"><label>Figure 1</label><caption><p>Both.</p></caption>'
        '<graphic xlink:href="a"><label>Part A</label><caption><p>The left.</p></caption></graphic>'
        '<graphic xlink:href="b"/><graphic xlink:href="a.gif"/></fig>'
    )
    found = shown(tmp_path, body, ("a.jpg", "b.jpg"))
    assert captions(found) == {"PMC1/F1": ("Both. The left.",), "PMC1/F1/2": ("Both.",)}
    assert [figure.metadata["label"] for figure in found.values()] == ["Figure 1 Part A", "Figure 1"]
    assert [figure.uri for figure in found.values()] == ["PMC1/a.jpg", "PMC1/b.jpg"]


def test_media_that_is_an_image_is_shown_and_a_film_is_not(tmp_path):
    body = (
        '<fig id="F1"><media mimetype="image" mime-subtype="png" xlink:href="a.png"/></fig>'
        '<fig id="F2"><media mimetype="video" xlink:href="b.mov"/></fig>'
        '<fig id="F3"><media xlink:href="c.jpg"/></fig>'
    )
    put(tmp_path / "PMC1", {"a.nxml": jats(body), "a.png": picture(), "c.jpg": picture()})
    items = everything(open_corpus(tmp_path))
    assert [(item.figure_id, getattr(item, "reason", None)) for item in items] == [
        ("PMC1/F1", None),
        ("PMC1/F2", "figure names no image"),
        ("PMC1/F3", None),
    ]


def test_figures_of_a_group_have_its_caption_before_their_own(tmp_path):
    body = (
        '<fig-group id="G"><label>Figure 2</label><caption><title>Shared.</title></caption>'
        f"{fig('F1', 'Own.', 'a', '<label>A</label>')}{fig('F2', None, 'b', '<label>Figure 2B</label>')}"
        f'<graphic xlink:href="c"/></fig-group>{fig("F3", None, "d")}'
    )
    found = shown(tmp_path, body, ("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    assert captions(found) == {
        "PMC1/G": ("Shared.",),
        "PMC1/F1": ("Shared. Own.",),
        "PMC1/F2": ("Shared.",),
        "PMC1/F3": (),
    }
    labels = {figure_id: figure.metadata["label"] for figure_id, figure in found.items()}
    assert labels == {"PMC1/G": "Figure 2", "PMC1/F1": "Figure 2 A", "PMC1/F2": "Figure 2B", "PMC1/F3": None}


def test_supplements_in_a_group_without_a_caption_keep_to_their_own(tmp_path):
    body = f"<fig-group>{fig('fig2', 'The figure.', 'a')}{fig('fig2s1', 'Its supplement.', 'b')}</fig-group>"
    found = shown(tmp_path, body, ("a.jpg", "b.jpg"))
    assert captions(found) == {"PMC1/fig2": ("The figure.",), "PMC1/fig2s1": ("Its supplement.",)}


def test_a_figure_that_only_holds_figures_is_a_group_and_counts_for_nothing_itself(tmp_path):
    inner = fig("F1a", "Left.", "a") + fig("F1b", None, "b")
    found = shown(tmp_path, fig("F1", "Both sides.", inside=inner), ("a.jpg", "b.jpg"))
    assert captions(found) == {"PMC1/F1a": ("Both sides. Left.",), "PMC1/F1b": ("Both sides.",)}


def test_a_figure_in_a_figure_that_has_an_image_does_not_take_its_caption(tmp_path):
    body = fig("F1", "Outer.", "a", inside=fig("F2", None, "b"))
    assert captions(shown(tmp_path, body, ("a.jpg", "b.jpg"))) == {"PMC1/F1": ("Outer.",), "PMC1/F2": ()}


def test_figures_are_counted_once_wherever_they_stand(tmp_path):
    article = jats(
        f"<sec><p>Text {fig('F1', 'Of F1.', 'a')}</p></sec><boxed-text>{fig('F2', 'Of F2.', 'b')}</boxed-text>"
    ).replace(
        "</body>",
        f"</body><back><app-group><app>{fig('F3', 'Of F3.', 'c')}</app></app-group></back>"
        f"<floats-group>{fig('F4', 'Of F4.', 'd')}</floats-group>"
        f"<sub-article><body>{fig('F5', 'Of F5.', 'e')}</body></sub-article>",
    )
    put(tmp_path / "PMC1", {"a.nxml": article} | {f"{name}.jpg": picture() for name in "abcde"})
    found = captions(figures(open_corpus(tmp_path)))
    assert found == {f"PMC1/F{n}": (f"Of F{n}.",) for n in range(1, 6)}


def test_graphics_of_tables_formulas_and_supplements_are_no_figures(tmp_path):
    graphic = '<graphic xlink:href="t.jpg"/>'
    body = (
        f"<table-wrap><caption><p>T</p></caption><alternatives>{graphic}<table/></alternatives></table-wrap>"
        f"<disp-formula><alternatives>{graphic}</alternatives></disp-formula>"
        '<p><inline-formula><inline-graphic xlink:href="t.jpg"/></inline-formula></p>'
        f"<supplementary-material>{graphic}</supplementary-material>"
        f"<fig id='F1'><caption><p>Of F1 <inline-graphic xlink:href='t.jpg'/></p></caption>"
        f"<table-wrap>{graphic}</table-wrap><disp-formula>{graphic}</disp-formula><graphic xlink:href='a'/></fig>"
    )
    assert captions(shown(tmp_path, body, ("a.jpg", "t.jpg"))) == {"PMC1/F1": ("Of F1",)}


def test_a_missing_image_is_a_skip_where_the_article_comes_with_images(tmp_path):
    put(tmp_path / "PMC1", {"a.nxml": jats(fig("F1", href="a") + fig("F2", href="b")), "a.jpg": picture()})
    corpus = open_corpus(tmp_path)
    assert [item.figure_id for item in everything(corpus)] == ["PMC1/F1", "PMC1/F2"]
    assert skips(corpus) == {"PMC1/a.nxml": "image is not in the package"}


def test_an_article_without_any_images_gives_figures_of_captions_only(tmp_path):
    body = fig("F1", "Of F1.", "a") + fig("F2", None, "b") + fig("F3", "Of F3.")
    put(tmp_path / "PMC1", {"a.nxml": jats(body)})
    first, second, third = everything(open_corpus(tmp_path))
    assert (first.image, first.captions, first.uri) == (None, ("Of F1.",), "PMC1/a.nxml")
    assert (second.figure_id, second.reason) == ("PMC1/F2", "neither image nor caption")
    assert (third.figure_id, third.reason) == ("PMC1/F3", "figure names no image")


def test_where_articles_share_a_folder_each_has_the_images_that_it_names(tmp_path):
    second = jats(fig("F1", "Of bare XML.", "z"), '<article-id pub-id-type="pmcid">PMC2</article-id>')
    article = jats(fig("F1", "With an image.", "a") + fig("F2", "Lost.", "b"))
    put(tmp_path, {"1.nxml": article, "2.nxml": second, "a.jpg": picture()})
    items = everything(open_corpus(tmp_path))
    assert [(item.figure_id, getattr(item, "image", "skipped")) for item in items] == [
        ("PMC1/F1", picture()),
        ("PMC1/F2", "skipped"),
        ("PMC2/F1", None),
    ]


def test_alt_text_credit_and_kind_are_kept_and_are_no_caption(tmp_path):
    body = (
        '<fig id="F1" fig-type="photo"><object-id pub-id-type="doi">10.1/x</object-id><label>Fig. 1</label>'
        "<caption><p>Of F1.</p></caption><alt-text>A red square.</alt-text>"
        '<ext-link xlink:href="https://doi.org/10.1/x">link</ext-link><graphic xlink:href="a"/>'
        "<attrib>Courtesy of someone.</attrib></fig>"
        '<fig id="F2"><graphic xlink:href="a"><alt-text>Another.</alt-text></graphic></fig>'
    )
    first, second = shown(tmp_path, body).values()
    assert first.captions == ("Of F1.",)
    assert first.extra == {"alt_text": "A red square.", "credit": "Courtesy of someone."}
    assert (first.metadata["fig_type"], first.metadata["label"]) == ("photo", "Fig. 1")
    assert (second.extra, second.captions) == ({"alt_text": "Another."}, ())


def test_captions_in_other_languages_are_captions_too(tmp_path):
    inside = '<caption><p>A cell.</p></caption><caption xml:lang="de"><p>Eine Zelle.</p></caption>'
    assert captions(shown(tmp_path, fig("F1", None, "a", inside))) == {"PMC1/F1": ("A cell.", "Eine Zelle.")}


def test_mentions_are_the_paragraphs_that_point_to_a_figure(tmp_path):
    like = 'Like <xref rid="F1">Fig. 1</xref>.'
    body = (
        '<p>As <xref ref-type="fig" rid="F1">Fig. 1</xref> and again <xref rid="F1">1</xref> show.</p>'
        f'<p>Both (<xref ref-type="fig" rid="F1 F2">1, 2</xref>). {fig("F3", "Of F3.", "c")}</p><p>Nothing.</p>'
        f'{fig("F1", "Of F1.", "a")}<fig-group id="G">{fig("F2", like, "b")}</fig-group>'
        '<p>The group <xref rid="G">2</xref>.</p>'
    )
    found = shown(tmp_path, body, ("a.jpg", "b.jpg", "c.jpg"), mentions=True)
    assert {figure_id: figure.extra.get("mentions") for figure_id, figure in found.items()} == {
        "PMC1/F3": None,
        "PMC1/F1": ["As Fig. 1 and again 1 show.", "Both (1, 2)."],
        "PMC1/F2": ["Both (1, 2).", "The group 2."],
    }
    assert "mentions" not in figures(open_corpus(tmp_path))["PMC1/F1"].extra
    assert open_corpus(tmp_path).fingerprint != open_corpus(tmp_path, mentions=True).fingerprint
