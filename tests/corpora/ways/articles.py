"""Articles as archives, publishers and preprint servers give them out."""

from __future__ import annotations

import gzip
import json

from tests.corpora.jats import packed, zipped
from tests.corpora.ways import PICTURES, TEXTS, Way, images

SPACE = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
SPANISH = "TC axial del abdomen"


def fig(number: int, href: str) -> str:
    caption = f"<caption><p>{TEXTS[number]}</p></caption>"
    return f'<fig id="F{number + 1}"><label>Figure {number + 1}</label>{caption}<graphic xlink:href="{href}"/></fig>'


def article(href: str = "f{}", meta: str = '<article-id pub-id-type="pmc">1</article-id>') -> str:
    body = "".join(fig(number, href.format(number)) for number in range(3))
    front = f"<front><article-meta>{meta}</article-meta></front>"
    return f"<article {SPACE}>{front}<body>{body}</body></article>"


OLD = {
    "PMC1/journal-1.nxml": article("journal-1-g{}"),
    **images("PMC1/journal-1-g{}.png"),
    **{f"PMC1/journal-1-g{n}.gif": b"a thumbnail" for n in range(3)},
}
DOI = '<article-id pub-id-type="doi">10.1101/2021.11.17</article-id>'
MECA = {
    "manifest.xml": '<manifest xmlns="https://manuscriptexchange.org/schema"><item type="article"/></manifest>',
    "transfer.xml": "<transfer/>",
    "content/2021.11.17.xml": article("2021_fig{}.tif", DOI),
    **images("content/2021_fig{}.tif"),
    "content/2021.11.17.pdf": b"%PDF",
}
BARE = tuple((None, (text,)) for text in TEXTS[:3])
TOLD = (
    f'<fig-group><fig id="F1" xml:lang="en"><caption><p>{TEXTS[0]}</p></caption><graphic xlink:href="f0.png"/></fig>'
    f'<fig id="F2" xml:lang="es"><caption><p>{SPANISH}</p></caption><graphic xlink:href="f0.png"/></fig></fig-group>'
)
RECORDS = "".join(f"<record><metadata>{text}</metadata></record>" for text in (article("f{}.png"),))
LETTER = f"<sub-article article-type='decision-letter'><body>{fig(1, 'f1.png')}</body></sub-article>"

WAYS = [
    Way("PubMed Central package with .nxml, .jpg and .gif", OLD),
    Way("the same as .tar.gz in the folders of oa_package", {"oa_package/08/e0/PMC1.tar.gz": packed(OLD)}),
    Way(
        "PubMed Central since 2026: PMC1.1/PMC1.1.xml, records in metadata",
        {
            "pmc/PMC1.1/PMC1.1.xml": article("f{}.jpg"),
            **images("pmc/PMC1.1/f{}.jpg"),
            "pmc/PMC1.1/PMC1.1.pdf": b"%PDF",
            "pmc/PMC1.1/PMC1.1.txt": "The text.",
            "pmc/metadata/PMC1.1.json": json.dumps({"pmcid": "PMC1", "version": 1, "license_code": "CC BY"}),
        },
        unread={"pmc/PMC1.1/PMC1.1.txt": "text of no image of this name"},
    ),
    Way("MECA package of a preprint server", {"2021.11.17.meca": zipped(MECA)}),
    Way(
        "zip of an article with its images in a folder",
        {"a.zip": zipped({"a.xml": article(), **images("fig/f{}.png")})},
    ),
    Way(
        "Europe PMC in bulk: .xml.gz of many articles without images",
        {"PMC1_PMC2.xml.gz": gzip.compress(f"<articles>{article()}</articles>".encode())},
        BARE,
    ),
    Way("articles of OAI-PMH or eFetch in one file", {"set.xml": f"<OAI-PMH>{RECORDS}</OAI-PMH>", **images("f{}.png")}),
    Way(
        "article that pandoc wrote (.jats) with its media",
        {"a.jats": article("media/f{}.png"), **images("media/f{}.png")},
    ),
    Way("article whose images have no suffix", {"PMC1/a.nxml": article("1471-2105-{}"), **images("PMC1/1471-2105-{}")}),
    Way(
        "article of SciELO, figures told in two languages",
        {"a.xml": f"<article {SPACE}><front/><body>{TOLD}</body></article>", "f0.png": PICTURES[0]},
        ((0, (TEXTS[0], SPANISH)),),
    ),
    Way(
        "article of eLife with figures in its decision letter",
        {
            "a.xml": f"<article {SPACE}><front/><body>{fig(0, 'f0.png')}</body>{LETTER}</article>",
            **images("f{}.png", 2),
        },
        ((0, (TEXTS[0],)), (1, (TEXTS[1],))),
    ),
    Way(
        "treatment of a taxon (TaxPub)",
        {
            "a.xml": f'<article {SPACE} xmlns:tp="http://www.plazi.org/taxpub"><front/><body><tp:taxon-treatment>'
            f"<tp:treatment-sec>{fig(0, 'f0.png')}</tp:treatment-sec></tp:taxon-treatment></body></article>",
            "f0.png": PICTURES[0],
        },
        ((0, (TEXTS[0],)),),
    ),
    Way(
        "article of Elsevier in its own XML",
        {"a.xml": '<article xmlns="http://www.elsevier.com/xml/ja/dtd"/>', **images("gr{}.png")},
        refusal="article is in Elsevier's XML, which is not JATS",
    ),
    Way(
        "article of Springer in A++",
        {"a.xml": "<Publisher><PublisherInfo/><Journal/></Publisher>", **images("Fig{}.png")},
        refusal=r"article is in Springer's A\+\+, which is not JATS",
    ),
    Way(
        "articles that GROBID wrote (TEI)",
        {"a.tei.xml": '<TEI xmlns="http://www.tei-c.org/ns/1.0"/>', "b.tei.xml": "<TEI/>"},
        refusal="no images and no captions in this folder .*captions are not taken out of it",
    ),
]
