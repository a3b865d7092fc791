"""Articles and packages with mutations of every kind: no crash, no hang, and no figure of another article lost."""

from __future__ import annotations

import gzip
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.types import Figure, Skip
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, packed, put, zipped
from tests.corpora.reading import everything

BOUNDED = settings(max_examples=60, derandomize=True, deadline=10_000, suppress_health_check=list(HealthCheck))

RICH = jats(
    "<p>As <xref ref-type='fig' rid='F1'>Fig. 1</xref> shows &alpha;.</p>"
    + fig("F1", "Of <italic>one</italic> CO<sub>2</sub>.", "a", "<label>Fig. 1</label>")
    + f"<fig-group><caption><title>Shared</title></caption>{fig('F2', 'Two', 'b')}{fig(None, None, 'c')}</fig-group>"
    + '<fig id="F4"><alternatives><graphic xlink:href="a.tif"/><graphic xlink:href="b.jpg"/></alternatives></fig>'
    + '<fig-group><fig xml:lang="es" id="F5"><caption><p>Una.</p></caption><graphic xlink:href="d.pdf"/></fig>'
    + '<fig xml:lang="en" id="F6"><caption><p>A. Reprinted from [3], © 2010 Elsevier.</p></caption></fig></fig-group>'
    + "<p><mml:math><mml:mfrac><mml:mi>a</mml:mi><mml:mn>2</mml:mn></mml:mfrac></mml:math></p>",
    '<article-id pub-id-type="pmc">2</article-id><pub-date><year>2020</year></pub-date><permissions><license '
    'xlink:href="http://creativecommons.org/licenses/by/4.0/"/></permissions>',
)
TOKENS = [
    *("<fig>", "</fig>", "<fig id='F1'>", "<caption>", "</caption>", "<p>", "</p>", "<fig-group>", "</fig-group>"),
    *("<alternatives>", "</alternatives>", "<graphic/>", "<graphic xlink:href='../../a'/>", "<graphic xlink:href=''/>"),
    *(
        "<mml:math><mml:mfrac/></mml:math>",
        "<xref rid='F1 F1  F2'>",
        "</xref>",
        "&lt;",
        "&undefined;",
        "&#0;",
        "&#x1F4A9;",
    ),
    *("<![CDATA[", "]]>", "<!--", "-->", "<?x?>", "\0", "\ud7ff", "\u202e", "<article>", "</article>", "<sub-article>"),
    *("<!DOCTYPE a [<!ENTITY e 'x'>]>", "&e;", "<year>99999999999999999999</year>", "xmlns:xlink='other'", "<" * 300),
]


@st.composite
def mutated(draw: st.DrawFn, whole: str = RICH) -> bytes:
    """The article with pieces cut out, doubled, moved, and tokens put in; then perhaps a few bytes changed."""
    text = whole
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 200)))
        piece = draw(st.sampled_from(["", text[start:stop] * 2, text[start:stop][::-1], *TOKENS]))
        text = text[:start] + piece + text[draw(st.sampled_from([start, stop])) :]
    return noisy(draw, text.encode("utf-8", "replace"), draw(st.integers(0, 2)))


def noisy(draw: st.DrawFn, data: bytes, changes: int) -> bytes:
    changed = bytearray(data)
    for _ in range(changes if changed else 0):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


@st.composite
def mutated_archive(draw: st.DrawFn) -> bytes:
    """A package as a tar, with bytes changed, cut short, or both; packed before or after."""
    files = {
        "PMC2/a.nxml": draw(st.one_of(st.just(RICH.encode()), mutated())),
        "PMC2/a.jpg": picture(),
        "PMC2/b.jpg": b"",
    }
    as_zip = draw(st.booleans())
    data = noisy(draw, zipped(files) if as_zip else packed(files, "w"), draw(st.integers(0, 20)))
    data = data if as_zip or draw(st.booleans()) else gzip.compress(data, 1, mtime=0)
    return noisy(draw, data[: draw(st.integers(0, len(data)))], draw(st.integers(0, 3)))


def checked(root: Path) -> list[Figure | Skip]:
    """All items of the corpus at `root`, after what every corpus promises of them."""
    corpus = open_corpus(root, mentions=True)
    items = everything(corpus, 2)
    for account in filter(None, (corpus.account, corpus.account.inside)):
        assert account.files == sum(account.read.values()) + len(account.unread)
    assert len(items) == sum(split.stop - split.start for split in corpus.split(7))
    ids = [item.figure_id for item in items]
    assert len(set(ids)) == len(ids)
    for item in items:
        item.uri.encode()
        if isinstance(item, Figure):
            assert set(item.metadata) == set(corpus.columns)
            assert all(caption == " ".join(caption.split()) for caption in item.captions)
            "".join(item.captions).encode()
    return items


GOOD = {
    "PMC1/a.nxml": jats(fig("F1", "Good.", "a")),
    "PMC1/a.jpg": picture(),
    "zz/a.nxml": jats(fig("F1", "Good.", "a"), ""),
}


def with_good_ones(files: dict[str, str | bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        items = checked(put(Path(folder), GOOD | files))
    captions = {item.figure_id: item.captions for item in items if isinstance(item, Figure)}
    assert captions["PMC1/F1"] == captions["zz/F1"] == ("Good.",)


@pytest.mark.slow
@BOUNDED
@given(mutated())
def test_a_mutated_article_harms_no_other(xml):
    with_good_ones({"x/b.nxml": xml, "x/c.xml": xml, "x/a.jpg": picture()})


@BOUNDED
@given(mutated_archive(), st.sampled_from(["PMC2.tar.gz", "PMC2.tar", "PMC2.zip", "a.meca"]))
def test_a_mutated_archive_harms_no_other(data, name):
    with_good_ones({f"x/{name}": data})


@BOUNDED
@given(
    st.binary(max_size=400), st.sampled_from(["nxml", "xml", "tar.gz", "json", "zip", "meca", "jats", "xml.gz", "pdf"])
)
def test_any_bytes_in_any_file_harm_no_other(data, suffix):
    with_good_ones({f"x/b.{suffix}": data, f"PMC1/a.{suffix}": data} if suffix == "json" else {f"x/b.{suffix}": data})


@settings(BOUNDED, max_examples=20)
@given(st.integers(0, 2**32))
def test_real_articles_with_mutations_harm_no_other(shared_data, seed):
    rng = random.Random(seed)
    path = rng.choice(sorted(shared_data.glob("raw-formats/jats-*/**/*.nxml")))
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 5)):
        start = rng.randrange(len(data))
        data[start : start + rng.choice([1, 10, 1000])] = rng.choice(TOKENS).encode("utf-8", "replace") * rng.randint(
            0, 2
        )
    with_good_ones({f"x/{path.name}": bytes(data)})


@pytest.mark.parametrize("length", [0, 100, 1000, 20_000])
def test_a_real_package_that_is_cut_harms_no_other(shared_data, length):
    path = shared_data / "raw-formats" / "jats-pmc-style" / "plosone-0178565.tar.gz"
    with_good_ones({"x/PMC9.tar.gz": path.read_bytes()[:length]})
