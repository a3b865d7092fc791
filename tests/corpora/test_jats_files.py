"""Files that articles come in, and images that are there in a way of their own."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.jats import packages
from retrieval.errors import CorpusError
from retrieval.types import Figure, Skip
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, packed, put, zipped
from tests.corpora.reading import everything, figures, skips

BODY = fig("F1", "Of F1.", "f1") + fig("F2", "Of F2.", "f2.tif")
IMAGES = {"f1.jpg": picture() + b"1", "f2.jpg": picture() + b"2"}


def article(number: int, body: str = BODY) -> str:
    return jats(body, f'<article-id pub-id-type="pmc">{number}</article-id>')


MECA = {
    "manifest.xml": '<manifest xmlns="https://manuscriptexchange.org/schema"><item type="article"/></manifest>',
    "transfer.xml": "<transfer/>",
    "content/1.xml": article(1),
    **{f"content/{name}": content for name, content in IMAGES.items()},
    "content/1.pdf": b"%PDF",
}


def shapes(source) -> dict[str, tuple[object, ...]]:
    return {name: (figure.image, figure.captions) for name, figure in figures(open_corpus(source)).items()}


EXPECTED = {"PMC1/F1": (picture() + b"1", ("Of F1.",)), "PMC1/F2": (picture() + b"2", ("Of F2.",))}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a.meca", MECA),
        ("a.MECA", MECA),
        ("a.zip", {"1.xml": article(1)} | IMAGES),
        ("PMC1.zip", {f"PMC1\\{name}": content for name, content in ({"1.nxml": article(1)} | IMAGES).items()}),
        ("a.zip", {"x/1.jats": article(1), **{f"x/figures/{name}": content for name, content in IMAGES.items()}}),
    ],
)
def test_an_article_in_a_zip_is_read_without_unpacking_it(tmp_path, name, files):
    put(tmp_path / "in", {name: zipped(files)})
    assert shapes(tmp_path / "in") == shapes(tmp_path / "in" / name) == EXPECTED


def test_a_folder_of_zips_and_meca_packages_beside_articles_is_one_corpus(tmp_path):
    put(tmp_path, {"a.meca": zipped(MECA), "b/2.nxml": article(2), "b/PMC3.zip": zipped({"3.xml": article(3)})})
    put(tmp_path, {"b/supplement.zip": zipped({"4.xml": article(4)}), "b/f1.jpg": picture()})
    items = everything(open_corpus(tmp_path))
    assert sorted(item.figure_id for item in items) == [f"PMC{n}/F{m}" for n in (1, 2, 3) for m in (1, 2)]


def test_zips_of_images_or_beside_images_are_no_articles(tmp_path):
    put(tmp_path, {"a.png": picture(), "a.txt": "A.", "more.zip": zipped(MECA)})
    assert open_corpus(tmp_path).kind == "folder"


def test_damaged_encrypted_and_lying_zips_are_skips(tmp_path, monkeypatch):
    whole = zipped({"1.xml": article(1)} | IMAGES)
    locked = bytearray(whole)
    for at in (whole.index(b"PK\x03\x04") + 6, whole.index(b"PK\x01\x02") + 8):
        locked[at] |= 1
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as archive:
        archive.writestr("5.xml", article(5))
        link = zipfile.ZipInfo("f1.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    put(tmp_path, {"a/PMC7.zip": whole[:200], "a/PMC8.zip": bytes(locked), "a/PMC5.zip": linked.getvalue()})
    put(tmp_path, {"a/x/PMC6.nxml": article(6), "a/PMC9.zip": zipped({"9.xml": article(9) + " " * 90_000})})
    monkeypatch.setattr(packages, "LARGEST", 50_000)
    items = everything(open_corpus(tmp_path / "a"))
    assert {item.uri: item.reason for item in items if isinstance(item, Skip)} == {
        "PMC7.zip": "archive is damaged",
        "PMC8.zip/1.xml": "archive is encrypted",
        "PMC9.zip/9.xml": "article is too large",
    }
    assert [item.figure_id for item in items if isinstance(item, Figure)] == [
        "PMC5/F1",
        "PMC5/F2",
        "PMC6/F1",
        "PMC6/F2",
    ]
    assert all(item.image is None for item in items if isinstance(item, Figure))


def test_articles_of_other_suffixes_and_packed_ones_are_read(tmp_path):
    both = "".join(text[text.index("<article ") :] for text in (article(2), article(3)))
    both = f"<articles>{both}</articles>"
    put(tmp_path, {"x/paper.jats": article(1), "PMC2_PMC3.xml.gz": gzip.compress(both.encode())})
    put(tmp_path, {"y/PMC4.nxml.gz": gzip.compress(article(4).encode()), "z/PMC5.nxml.gz": b"\x1f\x8bno"})
    items = everything(open_corpus(tmp_path))
    assert sorted(item.figure_id for item in items) == [
        *(f"PMC{n}/F{m}" for n in (1, 2, 3, 4) for m in (1, 2)),
        "z/PMC5.nxml.gz",
    ]
    assert figures(open_corpus(tmp_path / "x" / "paper.jats")).keys() == {"PMC1/F1", "PMC1/F2"}


@pytest.mark.parametrize(
    ("href", "there"),
    [
        ("f1", "f1"),
        ("pone.0000217.g001", "pone.0000217.g001"),
        ("f1.tif", "f1"),
        ("images/f1", "images/F1"),
        ("1", "x/1"),
    ],
)
@pytest.mark.parametrize("pack", [None, packed, zipped])
def test_an_image_without_a_suffix_is_the_file_that_its_article_names(tmp_path, href, there, pack):
    files = {"a.nxml": article(1, fig("F1", "Of F1.", href)), there: picture(), "README": "no", "a.pdf": b"%PDF"}
    if pack is None:
        put(tmp_path / "PMC1", files)
    else:
        put(tmp_path, {"PMC1.zip" if pack is zipped else "PMC1.tar.gz": pack(files)})
    assert shapes(tmp_path) == {"PMC1/F1": (picture(), ("Of F1.",))}


def test_files_that_no_article_names_do_not_change_the_corpus(tmp_path):
    put(tmp_path / "PMC1", {"a.nxml": article(1), **IMAGES})
    before = open_corpus(tmp_path).fingerprint
    put(tmp_path / "PMC1", {"a.pdf": b"%PDF", "README": "no", "s1.docx": b"PK"})
    assert open_corpus(tmp_path).fingerprint == before
    put(tmp_path / "PMC1", {"a.nxml": article(1, BODY + fig("F3", "Of F3.", "README"))})
    assert open_corpus(tmp_path).fingerprint != before


def test_an_image_of_a_kind_that_is_not_read_is_told_and_its_caption_is_kept(tmp_path):
    body = (
        fig("F1", "Of F1.", "f1.pdf")
        + fig("F2", None, "f2")
        + fig("F3", "Of F3.", "f3.eps")
        + '<fig id="F4"><caption><p>Of F4.</p></caption><graphic xlink:href="f4.svg"/>'
        '<graphic xlink:href="web.png"/></fig>'
        + '<fig id="F5"><caption><p>Of F5.</p></caption><alternatives><graphic xlink:href="f5.svg"/>'
        '<graphic xlink:href="web.png"/></alternatives></fig>' + fig("F6", "Of F6.", "f6.eps")
    )
    others = {name: b"no" for name in ("f1.pdf", "f2.svg", "f3.eps", "f4.svg", "f5.svg", "f6.pdf")}
    put(tmp_path / "PMC1", {"a.nxml": article(1, body), "web.png": picture(), "f3.jpg": picture(), **others})
    corpus = open_corpus(tmp_path)
    found = [(item.figure_id, getattr(item, "captions", None) or item.reason, item.uri) for item in everything(corpus)]
    assert found == [
        ("PMC1/F1", ("Of F1.",), "PMC1/f1.pdf"),
        ("PMC1/F1/PDF", "PDF images are not read", "PMC1/f1.pdf"),
        ("PMC1/F2/SVG", "SVG images are not read", "PMC1/f2.svg"),
        ("PMC1/F3", ("Of F3.",), "PMC1/f3.jpg"),
        ("PMC1/F4/SVG", "SVG images are not read", "PMC1/f4.svg"),
        ("PMC1/F4/2", ("Of F4.",), "PMC1/web.png"),
        ("PMC1/F5", ("Of F5.",), "PMC1/web.png"),
        ("PMC1/F6", ("Of F6.",), "PMC1/f6.pdf"),
        ("PMC1/F6/PDF", "PDF images are not read", "PMC1/f6.pdf"),
    ]
    assert [len(list(corpus.read(split))) for split in corpus.split(2)] == [2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    ("articles", "images"),
    [
        ("{}.xml", "{}/{}"),
        ("{}.xml", "images/{}/{}"),
        ("xml/{}.xml", "images/{}/{}"),
        ("xml/PMC{}/a.nxml", "figures/PMC{}/{}"),
        ("{}/a.nxml", "{}/media/{}"),
        ("in/xml/{}.xml", "in/media/{}/{}"),
    ],
)
def test_images_that_are_called_alike_go_to_their_own_article(tmp_path, articles, images):
    files = {articles.format(n): article(n, fig("F1", f"Of {n}.", "f1")) for n in (1, 2)}
    files |= {images.format(n, "f1.png"): picture() + str(n).encode() for n in (1, 2)}
    corpus = open_corpus(put(tmp_path, files))
    assert shapes(tmp_path) == {f"PMC{n}/F1": (picture() + str(n).encode(), (f"Of {n}.",)) for n in (1, 2)}
    assert {figure.uri for figure in figures(corpus).values()} == {images.format(n, "f1.png") for n in (1, 2)}
    assert corpus.account.read == {"image": 2, "article": 2}
    assert corpus.account.unread == ()


def test_of_two_copies_the_one_whose_images_are_there_is_read(tmp_path):
    put(tmp_path, {"a/1.nxml": article(1), "a/2.nxml": article(2), "a/other.jpg": picture()})
    put(tmp_path, {"b/1.nxml": article(1), "b/2.nxml": article(2), **{f"b/{n}": data for n, data in IMAGES.items()}})
    put(tmp_path, {"c/1.nxml": article(1), "c/f1.jpg": picture()})
    found = figures(open_corpus(tmp_path))
    assert [(name, figure.uri) for name, figure in found.items()] == [
        *(("PMC1/F1", "b/f1.jpg"), ("PMC1/F2", "b/f2.jpg"), ("PMC2/F1", "b/f1.jpg"), ("PMC2/F2", "b/f2.jpg")),
    ]


def test_an_article_of_a_set_that_is_broken_costs_no_other(tmp_path):
    bare = [jats(fig("F1", f"Of {n}.", "a"), f'<article-id pub-id-type="pmc">{n}</article-id>') for n in (1, 2, 3)]
    bodies = [
        text[text.index("<article ") :].replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "") for text in bare
    ]
    bodies[1] = bodies[1].replace("</caption>", "")
    records = "".join(f"<record><metadata>{body}</metadata></record>" for body in bodies)
    space = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    put(tmp_path, {"set.xml": f'<?xml version="1.0"?><OAI-PMH {space}>{records}</OAI-PMH>'})
    put(
        tmp_path,
        {"x/set.nxml": f"<pmc-articleset {space}>{bodies[0].replace('>1<', '>4<')}{bodies[1]}</pmc-articleset>"},
    )
    corpus = open_corpus(tmp_path)
    assert [item.figure_id for item in everything(corpus)] == [
        *("PMC1/F1", "set.xml-2", "PMC3/F1", "PMC4/F1", "x/set.nxml-2"),
    ]
    assert set(skips(corpus).values()) == {"article is not well-formed XML"}


DIALECTS = {
    "Elsevier's XML": '<article xmlns="http://www.elsevier.com/xml/ja/dtd" docsubtype="fla"><head/></article>',
    "Nature's older XML": "<article><pubfm/><fm/><bdy/></article>",
    "Springer's A++": "<Publisher><PublisherInfo/><Journal/></Publisher>",
    "BioMed Central's older XML": "<art><ui>1</ui><fm/><bdy/></art>",
    "Wiley's XML": '<component xmlns="http://www.wiley.com/namespaces/wiley"><body/></component>',
    "DocBook": '<article xmlns="http://docbook.org/ns/docbook"><info/></article>',
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_publisher_s_xml_is_named(tmp_path, dialect):
    put(tmp_path, {"PMC1/1.nxml": article(1), "x/2.xml": DIALECTS[dialect]})
    assert skips(open_corpus(tmp_path)) == {"x/2.xml": f"article is in {dialect}, which is not JATS"}
    with pytest.raises(CorpusError, match=f"no article here has figures .*{dialect}"):
        open_corpus(tmp_path / "x")


def test_older_nlm_articles_and_treatments_of_taxa_are_read(tmp_path):
    nlm = (
        '<!DOCTYPE article PUBLIC "-//NLM//DTD Journal Archiving DTD v1.0 20021201//EN" "archivearticle.dtd"><article '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><article-id pub-id-type="pmc">1</article-id>'
        f"</article-meta></front><body>{fig('F1', 'Of F1.', 'f1')}</body></article>"
    )
    taxa = (
        '<article xmlns:tp="http://www.plazi.org/taxpub" xmlns:xlink="http://www.w3.org/1999/xlink"><front/><body>'
        "<tp:taxon-treatment><tp:nomenclature><tp:taxon-name>Aa bb</tp:taxon-name></tp:nomenclature>"
        f"<tp:treatment-sec>{fig('F2', 'Of <tp:taxon-name>Aa bb</tp:taxon-name>.', 'f2')}</tp:treatment-sec>"
        "</tp:taxon-treatment></body></article>"
    )
    put(tmp_path, {"PMC1/1.nxml": nlm, "PMC2/2.xml": taxa, "PMC1/f1.jpg": picture(), "PMC2/f2.jpg": picture()})
    assert [figure.captions for figure in figures(open_corpus(tmp_path)).values()] == [("Of F1.",), ("Of Aa bb.",)]
