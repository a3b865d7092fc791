"""Templates and styles of all rooms: text stays text, what a template needs is given, colours stand in one file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from lxml import html

import retrieval
from retrieval.evaluation.study.study import study
from retrieval.pages.map.draw_map import map_page
from retrieval.pages.report_page import report_page
from retrieval.render.contact_sheet import SheetTable, ShownQuery, contact_sheet, hits_html
from retrieval.render.html import picture_url, render, shorten
from retrieval.server.api_page import api_manual
from retrieval.types import Hit
from tests.doubles import COLOURS, ColourEncoder
from tests.listed import figure, index_of

PACKAGE = Path(retrieval.__file__).parent
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "</title><svg onload=alert(1)>",
    '"><a href="javascript:alert(1)">',
    "' onmouseover='alert(1)",
    "<!-- <script> -->",
    "&lt;b&gt; &amp; &#60;i&#62;",
    "{{ 7 * 7 }} {% raw %} {# gone #}",
    "one\u2028two\u2029three",
    "\u202egnirts\u202c \u2066isolated\u2069",
    "${title} $data %s {0}",
)
RUNS = {"script", "svg", "iframe", "object", "embed", "link", "a", "form", "base"}


def sheet(text: str) -> str:
    hit = Hit(text, text, 0.4, 1, "image", (text, f"{text} again"), text, text, 3, 4, {"licence": text}, None)
    table = SheetTable(text, (text, text), ((text, text),), text)
    query = ShownQuery(text=text, label=text, hits=[hit], expected=text)
    return contact_sheet(text, [query], subtitle=text, tables=[table], facts={text: text})


def fragment(text: str) -> str:
    return hits_html([Hit(text, text, 0.4, 1, "text", (text,), text, text, 3, 4, {"credit": text}, None)])


def api(text: str) -> str:
    shape = {"description": text, "properties": {text: {"enum": [text]}, "other": {"$ref": "#/x/other"}}}
    parameter = {"name": text, "in": text, "schema": {"type": text}, "description": text}
    route = {
        "summary": text,
        "tags": [f"T {text}"],
        "parameters": [parameter],
        "responses": {"200": {"description": text}},
    }
    info = {"title": text, "version": text, "description": text}
    document = {"info": info, "paths": {f"/{text}": {"get": route}}, "components": {"schemas": {text: shape}}}
    return api_manual(document)


def map_of(text: str) -> str:
    return map_page(text, [text, text], {"figures": [[text, [text], text, ""]]})


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("page", [sheet, fragment, api, map_of])
def test_what_a_collection_says_is_read_and_never_obeyed(page: Callable[[str], str], text: str) -> None:
    plain, found = (html.fromstring(page(words)) for words in ("plain words", text))
    assert [element.tag for element in found.iter()] == [element.tag for element in plain.iter()]
    assert [sorted(element.attrib) for element in found.iter()] == [sorted(element.attrib) for element in plain.iter()]
    assert said(found) == [words.replace("plain words", " ".join(text.split())) for words in said(plain)]
    for script in found.xpath("//script[@type='application/json']"):
        assert json.loads(script.text) == {"figures": [[text, [text], text, ""]]}


def said(page: html.HtmlElement) -> list[str]:
    """The words of a page, without its styles, scripts and data, and with every run of spaces as one."""
    spoken = [element for element in page.iter() if element.tag not in ("script", "style")]
    every = [text for element in spoken for text in (element.text, element.tail, *element.attrib.values()) if text]
    return [" ".join(text.split()) for text in every]


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("hostile")
    colours = list(COLOURS.items())[:6]
    figures = [
        figure(
            f"f{number} {text}",
            colours[number % 6][1],
            f"{colours[number % 6][0]} {text}",
            article_id=f"P{number} {text}",
            metadata={"part": text, "licence": text},
        )
        for number, text in enumerate(HOSTILE)
    ]
    columns = {"part": "string", "licence": "string"}
    index_of(folder / "index", figures, encoder=ColourEncoder(), columns=columns, thumbnail=8)
    return report_page(study(folder / "index", strata=["part"], examples=4, resamples=20))


def test_a_report_shows_hostile_figures_and_obeys_none(hostile_report: str) -> None:
    page = html.fromstring(hostile_report)
    for plot in page.xpath("//svg"):
        assert {element.tag for element in plot.iter()} <= {"svg", "g", "path", "defs", "use", "text", "rect"} | {
            "clippath",
            "pattern",
        }
        plot.getparent().remove(plot)
    assert not RUNS & {element.tag for element in page.iter()}
    assert not [name for element in page.iter() for name in element.attrib if name.startswith("on")]
    shown = "\n".join(page.itertext())
    licences = {" ".join(text.split()) for text in page.xpath("//p[@class='retrieval-credit']/text()")}
    assert {" ".join(text.split()) for text in HOSTILE} >= licences
    assert len(licences) > 4
    assert "By part" in shown.replace("\n", "")


def test_a_template_that_is_not_there_or_lacks_a_value_is_an_error() -> None:
    with pytest.raises(TemplateNotFound):
        render("render/nothing.html")
    with pytest.raises(UndefinedError):
        render("render/fragment.html", styles=["render/style.css"])


def test_templates_are_read_only_when_a_page_is_made() -> None:
    program = "import sys, retrieval, retrieval.search.query; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_colours_stand_in_one_style_sheet() -> None:
    sheets = [path for path in PACKAGE.rglob("*.css") if path.name != "style.css"]
    assert len(sheets) == 6
    known = set(re.findall(r"(--[\w-]+):", (PACKAGE / "render" / "style.css").read_text("utf-8")))
    for path in sheets:
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
        values = re.findall(r":\s([^;{}]+);", text)
        assert not [value for value in values if re.search(r"#[0-9a-f]{3}|\brgb|\bhsl|light-dark\(", value)], path.name
        used = set(re.findall(r"var\((--[\w-]+)", text))
        own = set(re.findall(r"(--[\w-]+):", text)) | {"--ratio", "--gaps", "--share"}
        assert used <= known | own, path.name


@pytest.mark.parametrize(("limit", "cut"), [(40, "one two three"), (9, "one two…"), (7, "one tw…"), (3, "on…")])
def test_a_text_is_shortened_between_words(limit: int, cut: str) -> None:
    assert shorten(" one  two\nthree ", limit) == cut


def test_only_pictures_have_an_address() -> None:
    nothing = (None, b"", b"<svg onload='alert(1)'/>", b"RIFF0000WAVE", b"<svg    WEBP")
    assert picture_url(b"\xff\xd8\xff\xe0").startswith("data:image/jpeg;base64,")
    assert [picture_url(data) for data in nothing] == [""] * len(nothing)
