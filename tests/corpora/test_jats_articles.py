"""What is known of an article: identifiers, licence, retraction, authors."""

from __future__ import annotations

import json

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.jats.article import read_article
from retrieval.corpora.jats.elements import articles_in
from retrieval.corpora.jats.licences import licence_code
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, put
from tests.corpora.reading import figures

META = """
<article-id pub-id-type="pmcid">PMC123</article-id><article-id pub-id-type="pmcid-ver">PMC123.2</article-id>
<article-id pub-id-type="pmcaid">123</article-id><article-id pub-id-type="pmid">99</article-id>
<article-id pub-id-type="doi">https://doi.org/10.1/AbC</article-id>
<title-group><article-title>Of <italic>mice</italic><xref ref-type="fn" rid="n">*</xref></article-title></title-group>
<contrib-group>
  <contrib contrib-type="author"><name><surname>Doe</surname><given-names>Jane Quentin</given-names></name></contrib>
  <contrib contrib-type="author"><name><surname>Roe</surname><given-names>Jean-Luc B.</given-names></name></contrib>
  <contrib contrib-type="author"><name><surname>Poe</surname><given-names>EA</given-names></name></contrib>
  <contrib contrib-type="author"><name-alternatives><name><surname>Li</surname></name><name><surname>X</surname></name>
  </name-alternatives></contrib>
  <contrib contrib-type="author"><collab>The Group<contrib-group><contrib><name><surname>Hid</surname></name></contrib>
  </contrib-group></collab></contrib>
  <contrib contrib-type="editor"><name><surname>Ed</surname><given-names>E</given-names></name></contrib>
</contrib-group>
<pub-date pub-type="epub"><year>2020</year></pub-date><pub-date pub-type="ppub"><year>2021</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"><license-p>CC</license-p></license>
</permissions>
"""


def said(meta: str, **attributes: str):
    return read_article(articles_in(jats("", meta, **attributes).encode())[0])


def test_everything_that_is_said_becomes_columns(tmp_path):
    article = jats(fig("F1", "Of F1.", "a"), META).replace(
        "<front>",
        "<front><journal-meta><journal-title-group><journal-title>J</journal-title></journal-title-group></journal-meta>",
    )
    put(tmp_path / "x", {"a.nxml": article, "a.jpg": picture()})
    corpus = open_corpus(tmp_path)
    (figure,) = figures(corpus).values()
    assert (figure.figure_id, figure.article_id) == ("PMC123/F1", "PMC123")
    assert figure.metadata == {
        "label": None,
        "title": "Of mice",
        "journal": "J",
        "year": 2020,
        "doi": "10.1/AbC",
        "pmid": "99",
        "pmcid": "PMC123",
        "version": 2,
        "licence": "cc-by-nc",
        "licence_url": "https://creativecommons.org/licenses/by-nc/4.0/",
        "retracted": False,
        "fig_type": None,
    }
    assert figure.extra == {"authors": "J. Q. Doe, J.-L. B. Roe, E. A. Poe, Li, The Group"}


@pytest.mark.parametrize(
    ("kind", "text"), [("pmc", "123"), ("pmc", "PMC123"), ("pmcid", "PMC123"), ("pmcaid", "123"), ("pmc", " pmc0123 ")]
)
def test_the_pmc_id_has_one_form(kind, text):
    assert said(f'<article-id pub-id-type="{kind}">{text}</article-id>').pmcid == "PMC123"


def test_ids_of_the_journal_and_of_sub_articles_are_not_the_article_s():
    article = jats("", "").replace(
        "<front>", '<front><journal-meta><journal-id journal-id-type="pmc">7</journal-id></journal-meta>'
    )
    article = article.replace(
        "</body>",
        "</body><sub-article><front-stub><article-id pub-id-type='pmc'>8</article-id></front-stub></sub-article>",
    )
    assert read_article(articles_in(article.encode())[0]).pmcid is None


def test_articles_without_ids_are_called_by_their_folders_and_never_mixed_up(tmp_path):
    bare = jats(fig("F1", href="a"), meta="")
    for folder in ("one", "two", "deep/two", "PMC77.3"):
        put(tmp_path / folder, {"a.nxml": bare, "a.jpg": picture()})
    put(tmp_path / "doi", {"a.nxml": jats(fig("F1", href="a"), '<article-id pub-id-type="doi">10.1/x</article-id>')})
    put(tmp_path / "doi", {"a.jpg": picture()})
    put(tmp_path / "both", {"b.nxml": bare, "c.nxml": bare, "a.jpg": picture()})
    found = figures(open_corpus(tmp_path))
    assert [figure.article_id for figure in found.values()] == [
        *("PMC77", "b", "c", "deep/two/a.nxml", "10.1/x", "one", "two/a.nxml"),
    ]
    assert found["PMC77/F1"].metadata["version"] == 3


def test_no_id_can_be_read_as_two(tmp_path):
    for folder, doi in (("x", "10.1/a"), ("y", "10.1/a/F1")):
        body = '<fig id="F1"><graphic xlink:href="a"/><graphic xlink:href="b"/></fig>' + fig("2", href="a")
        article = jats(body, f'<article-id pub-id-type="doi">{doi}</article-id>')
        put(tmp_path / folder, {"a.nxml": article, "a.jpg": picture(), "b.jpg": picture()})
    assert list(figures(open_corpus(tmp_path))) == [
        *("10.1/a/F1", "10.1/a/F1/2", "10.1/a/2"),
        *("y/a.nxml/F1", "y/a.nxml/F1/2", "y/a.nxml/2"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CC BY", "cc-by"),
        ("CC BY-NC-ND", "cc-by-nc-nd"),
        ("cc-by-sa-4.0", "cc-by-sa"),
        ("CC0", "cc0"),
        ("http://creativecommons.org/licenses/by/2.0", "cc-by"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/igo/legalcode", "cc-by-nc-sa"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("under the terms of the Creative Commons Attribution License, which permits commercial use", "cc-by"),
        ("the Creative Commons Attribution Non-Commercial License (which permits non-commercial use)", "cc-by-nc"),
        ("a Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International License", "cc-by-nc-nd"),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", "cc-by"),
        ("the Creative Commons CC0 public domain dedication", "cc0"),
        ("This article is in the public domain.", "public-domain"),
        ("All rights reserved. No non-commercial use.", None),
        ("", None),
        (None, None),
    ],
)
def test_a_licence_has_one_code_however_it_is_written(text, code):
    assert licence_code(text) == code


@pytest.mark.parametrize(
    "meta",
    [
        '<permissions><license license-type="open-access" xlink:href="http://creativecommons.org/licenses/by/2.0"/></permissions>',
        '<permissions><license><ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/">http://creativecommons.org/licenses/by/4.0/</ali:license_ref></license></permissions>',
        "<permissions><license><license-p>Creative Commons Attribution License</license-p></license></permissions>",
        '<permissions><license><p>See <ext-link xlink:href="http://creativecommons.org/licenses/by/4.0"/></p></license></permissions>',
        "<copyright-statement>Distributed under the Creative Commons Attribution License.</copyright-statement>",
        "<custom-meta-group><custom-meta><meta-name>pmc-license-ref</meta-name><meta-value>CC BY</meta-value>"
        "</custom-meta></custom-meta-group>",
    ],
)
def test_a_licence_is_found_wherever_an_article_states_it(meta):
    assert said(meta).licence == "cc-by"


@pytest.mark.parametrize("code", ["NO-CC CODE", "NONE", "unknown", "N/A"])
def test_a_code_that_names_no_licence_is_none(tmp_path, code):
    files = {"PMC7/a.nxml": jats(fig("F1", href="a"), ""), "PMC7/a.json": json.dumps({"license_code": code})}
    put(tmp_path, files | {"PMC7/a.jpg": picture()})
    assert [figure.metadata["licence"] for figure in figures(open_corpus(tmp_path)).values()] == [None]


def test_a_figure_with_permissions_of_its_own_does_not_have_the_article_s_licence(tmp_path):
    own = "<permissions><copyright-statement>By permission of a publisher.</copyright-statement></permissions>"
    free = '<permissions><license xlink:href="https://creativecommons.org/publicdomain/zero/1.0/"/></permissions>'
    body = fig("F1", href="a", inside=own) + fig("F2", href="a", inside=free) + fig("F3", href="a")
    put(tmp_path / "x", {"a.nxml": jats(body, META), "a.jpg": picture()})
    licences = [figure.metadata["licence"] for figure in figures(open_corpus(tmp_path)).values()]
    assert licences == ["third-party", "cc0", "cc-by-nc"]


@pytest.mark.parametrize(
    ("meta", "kind", "retracted"),
    [
        ("", "research-article", False),
        ("", "retraction", True),
        ('<related-article related-article-type="retraction-forward"/>', "research-article", True),
        ('<related-article related-article-type="commentary"/>', "research-article", False),
        ("<title-group><article-title>RETRACTED: A study</article-title></title-group>", "research-article", True),
        ("<title-group><article-title>[Retracted] A study</article-title></title-group>", "research-article", True),
        ("<title-group><article-title>Retracted articles</article-title></title-group>", "research-article", False),
    ],
)
def test_a_retracted_article_says_so(meta, kind, retracted):
    assert said(meta, article_type=kind).retracted is retracted


def test_the_record_beside_an_article_is_newer_than_its_xml(tmp_path):
    record = {"pmcid": "PMC5", "version": 2, "is_retracted": True, "license_code": "CC BY-NC", "media_urls": []}
    meta = '<permissions><license xlink:href="http://creativecommons.org/licenses/by/4.0/"/></permissions>'
    files = {"PMC5.2.xml": jats(fig("F1", href="a.jpg"), meta), "PMC5.2.json": json.dumps(record), "a.jpg": picture()}
    put(tmp_path / "PMC5.2", files)
    found = figures(open_corpus(tmp_path))["PMC5/F1"].metadata
    assert [found[name] for name in ("pmcid", "version", "retracted", "licence")] == ["PMC5", 2, True, "cc-by-nc"]


def test_the_records_of_all_articles_may_lie_in_a_folder_of_their_own(tmp_path):
    for name in ("PMC5.2", "PMC6.1", "PMC7.1"):
        files = {f"{name}.xml": jats(fig("F1", href="a.jpg"), ""), "a.jpg": picture()}
        put(tmp_path / "pmc" / name, files | ({f"{name}.json": '{"license_code": "CC0"}'} if name == "PMC7.1" else {}))
    put(tmp_path / "metadata", {"PMC5.2.json": '{"is_retracted": true}'})  # beside the corpus, not in it
    before = open_corpus(tmp_path / "pmc")
    assert not any(figure.metadata["retracted"] for figure in figures(before).values())
    record = json.dumps({"license_code": "CC BY-NC", "is_retracted": True})
    put(tmp_path / "pmc" / "metadata", {"PMC5.2.json": record, "PMC7.1.json": record, "PMC9.1.json": record})
    corpus = open_corpus(tmp_path / "pmc")
    found = {
        name: (figure.metadata["licence"], figure.metadata["retracted"]) for name, figure in figures(corpus).items()
    }
    assert found == {"PMC5/F1": ("cc-by-nc", True), "PMC6/F1": (None, False), "PMC7/F1": ("cc0", False)}
    assert corpus.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "record", ["", "{", "[1]", '{"version": [], "pmcid": 7.5, "license_code": "\\ud800", "is_retracted": 3}']
)
def test_a_broken_record_takes_nothing_from_the_article(tmp_path, record):
    put(tmp_path / "PMC1", {"a.nxml": jats(fig("F1", href="a"), META), "a.json": record, "a.jpg": picture()})
    found = figures(open_corpus(tmp_path))["PMC123/F1"].metadata
    assert [found[name] for name in ("pmcid", "version", "licence")] == ["PMC123", 2, "cc-by-nc"]


@pytest.mark.parametrize("dates", ["", "<pub-date/>", "<pub-date><year>forthcoming</year></pub-date>"])
def test_a_missing_year_is_null(dates):
    assert said(dates).year is None
