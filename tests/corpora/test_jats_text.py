"""The text of captions as a reader sees it."""

from __future__ import annotations

import pytest

from retrieval.corpora.jats.elements import Unreadable, articles_in
from retrieval.corpora.jats.running_text import text_in
from tests.corpora.jats import jats


def read(xml: str) -> str:
    (article,) = articles_in(jats(f"<p>{xml}</p>", meta="").encode())
    return text_in(article)


def math(inside: str) -> str:
    for name in ("math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msup", "msub", "msqrt", "mroot", "mfenced"):
        inside = inside.replace(f"<{name}>", f"<mml:{name}>").replace(f"</{name}>", f"</mml:{name}>")
    return f"<mml:math>{inside}</mml:math>"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("a\n   b\t c&#160;&#8201;d", "a b c d"),
        ("<bold>A</bold>ctin <italic>in vivo</italic>, <sc>dna</sc>.", "Actin in vivo, dna."),
        ("CO<sub>2</sub> and 10<sup>-7</sup> m", "CO2 and 10-7 m"),
        ("one<break/>two", "one two"),
        ("one</p><p>two", "one two"),
        ("<list><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list>", "one two"),
        ("as shown <xref ref-type='bibr' rid='b1'>[12]</xref>.", "as shown [12]."),
        ("as shown<xref ref-type='bibr' rid='b1'><sup>12</sup></xref>.", "as shown12."),
        ("(<xref rid='b1'>\n     22\n   </xref>), see<xref>\n Fig. 1\n </xref>there", "(22), see Fig. 1 there"),
        ("at <ext-link xlink:href='https://a.org'>https://a.org</ext-link>.", "at https://a.org."),
        ("&alpha;&beta; &amp; &lt;5 &mu;m &nbsp; &#945; caf&eacute; &NotEqualTilde;", "αβ & <5 μm α café ≂̸"),
        ("soft\u00adly zero\u200bwidth", "softly zerowidth"),
        ("<![CDATA[a < b]]> <!-- no --> <?no no?>c", "a < b c"),
        ("text<supplementary-material><caption><p>data</p></caption></supplementary-material>", "text"),
        ("text<fn><p>a footnote</p></fn><index-term><term>x</term></index-term> goes on", "text goes on"),
        ("see <email>a@b.org</email><inline-graphic xlink:href='x'/>", "see a@b.org"),
        ("&company; of a DTD", "&company; of a DTD"),
    ],
)
def test_text_is_what_a_reader_sees(xml, text):
    assert read(xml) == text


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ("<mi>p</mi><mo>&lt;</mo><mn>0.05</mn>", "p < 0.05"),
        ("<msup><mi>R</mi><mn>2</mn></msup><mo>=</mo><mn>0.9</mn>", "R2 = 0.9"),
        ("<msub><mi>CO</mi><mn>2</mn></msub>", "CO2"),
        ("<mfrac><mi>a</mi><mi>b</mi></mfrac>", "a/b"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mrow><mn>2</mn><mi>b</mi></mrow></mfrac>", "(a+1)/2b"),
        ("<msqrt><mi>n</mi></msqrt>", "√n"),
        ("<mroot><mi>n</mi><mn>3</mn></mroot>", "3√n"),
        ("<mi>log</mi><mo>\u2061</mo><mi>x</mi>", "log x"),
        ("<mn>2</mn><mo>\u2062</mo><mi>x</mi><mtext> if odd</mtext>", "2x if odd"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a, b)"),
        ("<mi>f</mi><mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo>", "f(x, y)"),
        ("\n  <mrow>\n    <mi>x</mi>\n    <mo>±</mo>\n    <mi>s</mi>\n  </mrow>\n", "x ± s"),
    ],
)
def test_formulas_are_written_on_the_line(mathml, text):
    assert read(f"Where {math(mathml)}.") == f"Where {text}."


def test_a_formula_as_mathml_and_as_tex_is_read_once():
    tex = r"<tex-math>\documentclass{minimal}\usepackage{x}\begin{document}$$\alpha = 1$$\end{document}</tex-math>"
    mathml = math("<mi>α</mi><mo>=</mo><mn>1</mn>")
    assert read(f"<inline-formula><alternatives>{tex}{mathml}</alternatives></inline-formula>") == "α = 1"
    assert read(f"<inline-formula>{mathml}{tex}</inline-formula>") == "α = 1"
    assert (
        read(f"<inline-formula><alternatives>{tex}<inline-graphic/></alternatives></inline-formula>") == r"\alpha = 1"
    )


def test_annotations_of_a_formula_are_not_read():
    inside = "<mml:semantics><mml:mi>x</mml:mi><mml:annotation>\\TeX</mml:annotation></mml:semantics>"
    assert read(math(inside)) == "x"


def test_names_are_read_in_any_namespace():
    xml = '<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.4/"><body><p>one</p><p>two<break/>three</p></body></article>'
    (article,) = articles_in(xml.encode())
    assert text_in(article) == "one two three"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_an_article_is_read_in_its_own_encoding(encoding):
    xml = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><article><p>caf\u00e9</p></article>'
    (article,) = articles_in(xml.encode(encoding))
    assert text_in(article) == "café"


def test_articles_in_a_set_are_each_read():
    xml = b"<pmc-articleset><article><p>1</p></article><article><p>2</p></article></pmc-articleset>"
    assert [text_in(article) for article in articles_in(xml)] == ["1", "2"]


SECRET = "the secret of another file"


def laughs(count: int) -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, count))
    return (
        f'<!DOCTYPE article [<!ENTITY e0 "ha">{entities}]><article><p a="&e{count - 1};">&e{count - 1};</p></article>'
    )


@pytest.mark.parametrize(
    "xml",
    [
        laughs(30),
        f'<!DOCTYPE a [<!ENTITY e "{"x" * 100_000}">]><article><p a="{"&e;" * 10_000}"/></article>',
        f"<article>{'<p>' * 5000}x{'</p>' * 5000}</article>",
        f"<article><p>{'x' * 11_000_000}</p></article>",
        "<article><p>open",
        "",
        "\0\1\2",
        "<article></article><article/>",
    ],
    ids=["laughs", "quadratic", "deep", "long", "open", "empty", "binary", "two roots"],
)
def test_harmful_and_broken_xml_is_refused(xml):
    with pytest.raises(Unreadable, match="article is not well-formed XML"):
        articles_in(xml.encode())


def test_a_file_that_is_not_an_article_is_refused():
    with pytest.raises(Unreadable, match="file is not a JATS article"):
        articles_in(b"<svg/>")


def test_other_files_are_never_read(tmp_path):
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "x.dtd").write_text(f'<!ENTITY e "{SECRET}">')
    for doctype in (
        f'<!DOCTYPE article [<!ENTITY e SYSTEM "file://{tmp_path}/secret.txt">]>',
        f'<!DOCTYPE article SYSTEM "{tmp_path}/x.dtd">',
        f'<!DOCTYPE article [<!ENTITY % p SYSTEM "file://{tmp_path}/x.dtd"> %p;]>',
    ):
        (article,) = articles_in(f"{doctype}<article><p>a &e; b</p></article>".encode())
        assert text_in(article) == "a &e; b"


def test_expanding_little_is_no_harm_and_is_not_done():
    (article,) = articles_in(b'<!DOCTYPE a [<!ENTITY e "ha">]><article><p>&e;</p></article>')
    assert text_in(article) == "&e;"


def test_text_nested_as_deep_as_a_parser_allows_is_read():
    depth = 240
    assert read(f"{'<bold>' * depth}deep{'</bold>' * depth}") == "deep"
    deep = f"{'<mml:mrow>' * depth}<mml:mi>x</mml:mi>{'</mml:mrow>' * depth}"
    assert read(f"<mml:math>{deep}</mml:math>") == "x"
