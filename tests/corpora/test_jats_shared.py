"""Real articles read whole: counts, ids, lengths and digests of their captions; no more of them stands here."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lxml import etree

from retrieval.corpora import open_corpus
from retrieval.images.decode import decode
from retrieval.types import Figure
from tests.corpora.reading import everything, figures

# source: figures with images, figures of captions only, superseded copies, sha256 of all captions, then ids of the
# first, ninth and last figure with the lengths of their captions
GOLDEN = {
    "jats-pmc-style": (
        *(34, 0, 2, "26197d3fd4f5d54f47c32fd1315b54dc1f58e3f2026f633952c8989add50e2ad"),
        *(("10.7554/eLife.30274/fig1", 1137), ("10.7554/eLife.46472/fig4", 1124)),
        ("10.1371/journal.pone.0178565/pone.0178565.g006", 1251),
    ),
    "jats-xml-only": (
        *(0, 29, 0, "2a4ced04f0157675183f60d75098f66b13f5901e504d3b561e3918fc8ec7d4e0"),
        *(("PMC3166277/F1", 806), ("10.1101/2021.11.17.469032/figs4", 1125), ("PMC1790863/pone-0000217-g003", 694)),
    ),
}

FIGURES = {
    "jats-pmc-style/elife-30274": 5,
    "jats-pmc-style/elife-46472": 8,
    "jats-pmc-style/elife-46472.tar.gz": 8,
    "jats-pmc-style/ijm-00202": 6,
    "jats-pmc-style/plosone-0091296": 9,
    "jats-pmc-style/plosone-0178565": 6,
    "jats-pmc-style/plosone-0178565.tar.gz": 6,
    "jats-xml-only/1471-2180-11-174.nxml": 4,
    "jats-xml-only/biorxiv-2021.11.17.469032.xml": 14,
    "jats-xml-only/biorxiv-2022.03.15.484463.xml": 4,
    "jats-xml-only/ehp-116-1694.nxml": 3,
    "jats-xml-only/pntd.0002065.nxml": 1,
    "jats-xml-only/pone.0000217.nxml": 3,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_real_articles_have_their_known_figures(shared_data, name):
    corpus = open_corpus(shared_data / "raw-formats" / name)
    found = list(figures(corpus).values())
    digest = hashlib.sha256("\n".join(caption for figure in found for caption in figure.captions).encode()).hexdigest()
    shown = [(found[n].figure_id, len(found[n].captions[0])) for n in (0, 8, -1)]
    images = sum(figure.image is not None for figure in found)
    assert (images, len(found) - images, corpus.superseded, digest, *shown) == GOLDEN[name]


@pytest.mark.parametrize("name", FIGURES)
def test_each_real_article_alone_has_its_known_number_of_figures(shared_data, name):
    assert len(figures(open_corpus(shared_data / "raw-formats" / name))) == FIGURES[name]


def test_every_image_of_the_real_packages_can_be_decoded_and_is_no_thumbnail(shared_data):
    for figure in figures(open_corpus(shared_data / "raw-formats" / "jats-pmc-style")).values():
        assert figure.uri.endswith(".jpg")
        assert max(decode(figure.image).size) > 200


def test_a_package_reads_as_its_folder(shared_data):
    source = shared_data / "raw-formats" / "jats-pmc-style"
    for name in ("elife-46472", "plosone-0178565"):
        packed, unpacked = (figures(open_corpus(source / f"{name}{suffix}")) for suffix in (".tar.gz", ""))
        assert [(item.image, item.captions) for item in packed.values()] == [
            (item.image, item.captions) for item in unpacked.values()
        ]


def test_captions_have_every_letter_that_a_simple_reader_finds_in_them(shared_data):
    for path in sorted(shared_data.glob("raw-formats/jats-*/**/*.[nx]*ml")):
        expected = list(simple_captions(path))
        found = [item.captions[0] for item in everything(open_corpus(path))] if expected else []
        assert ["".join(caption.split()) for caption in found] == expected


def simple_captions(path: Path) -> list[str]:
    """The text of every figure's caption without its supplements, and without any white space."""
    captions = []
    for figure in ElementTree.parse(path).getroot().iter("fig"):
        caption = figure.find("caption")
        for paragraph in caption.iter("p"):
            for supplement in paragraph.findall("supplementary-material"):
                paragraph.remove(supplement)
        captions.append("".join("".join(caption.itertext()).split()))
    return captions


def test_figures_are_those_that_a_few_lines_of_lxml_find(shared_data):
    for path in sorted(shared_data.glob("raw-formats/jats-*/**/*.[nx]*ml")):
        expected = [*figures_by_hand(path)]
        if not expected:
            continue
        found = [
            (
                item.figure_id.rpartition("/")[2],
                len(item.image or b""),
                "".join(item.captions[0].split()),
                item.metadata["label"],
            )
            for item in everything(open_corpus(path))
            if isinstance(item, Figure)
        ]
        assert found == expected, path


def figures_by_hand(path: Path) -> Iterator[tuple[str, int, str, str]]:
    """(id, bytes of the image, caption without white space, label) of each figure, by XPath alone."""
    root = etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    for fig in root.xpath("//fig[.//graphic]"):
        (href, *_) = fig.xpath(".//graphic/@*[local-name() = 'href']")
        image = path.parent / f"{re.sub('[.](jpg|tiff?|png|gif)$', '', href)}.jpg"
        texts = fig.xpath("./caption//text()[not(ancestor::supplementary-material) and not(ancestor::object-id)]")
        label = " ".join("".join(fig.xpath("./label//text()")).split())
        yield fig.get("id"), image.stat().st_size if image.exists() else 0, "".join("".join(texts).split()), label


def test_licences_of_the_real_articles_are_known(shared_data):
    licences: Counter[str] = Counter()
    for name in GOLDEN:
        found = figures(open_corpus(shared_data / "raw-formats" / name)).values()
        licences += Counter(str(figure.metadata["licence"]) for figure in found)
        assert all(figure.extra["authors"] and figure.metadata["title"] and figure.metadata["year"] for figure in found)
    assert licences == {"cc-by": 48, "cc0": 8, "public-domain": 3, "third-party": 4}


def test_mentions_of_real_figures_are_found(shared_data):
    corpus = open_corpus(shared_data / "raw-formats" / "jats-pmc-style", mentions=True)
    counts = [len(figure.extra.get("mentions", ())) for figure in figures(corpus).values()]
    assert (len(counts), min(counts), sum(counts)) == (34, 1, 48)
