"""The contact sheet: whatever captions, ids and metadata hold, page and terminal show it and obey none of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.render.contact_sheet import SheetTable, ShownQuery, contact_sheet, hits_html
from retrieval.render.terminal import hits_text
from retrieval.types import Hit

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
JPEG = b"\xff\xd8\xff\xe0" + bytes(16)
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(8)
HIT = Hit("fig-1", "A plain caption.", 0.5, 1, "image", ("A plain caption.",), "art-1", thumbnail=PNG)
TAGS = """html head meta title style body header h1 h2 main footer section div p span bdi code dl dt dd ol li figure
    figcaption img details summary table caption thead tbody tr th td"""
ATTRIBUTES = """charset http-equiv content name lang class id dir role tabindex aria-label aria-labelledby aria-hidden
    style src alt scope"""
VOID = {"meta", "img"}
MARKUP = (
    "<script>alert(1)</script>",
    "</style>",
    "</title>",
    "</p>",
    "<!--",
    "-->",
    "]]>",
    '" onload="x',
    "' x='",
    "&lt;",
)
OTHERS = (
    "&#60;script&#62;",
    "javascript:",
    "http://x.example/",
    "\u202e",
    "\u2066",
    "\x00",
    "\x1b[31m",
    "\ud800",
    "\r\n",
)
pieces = st.sampled_from(MARKUP + OTHERS)
hostile = st.lists(pieces | st.text(max_size=20), max_size=6).map("".join)


class Outline(HTMLParser):
    """Tags with their attributes in order, and the text outside the style sheet; fails on tags that do not nest."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def all(self, tag: str, class_: str = "") -> list[dict[str, str]]:
        return [values for name, values in self.tags if name == tag and class_ in f" {values.get('class', '')} "]


def readable(text: str) -> str:
    """What a page may show of a text: the characters that HTML forbids are replaced, line ends are all alike."""
    text = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r" else c for c in text)
    text = re.sub("[\ufdd0-\ufdef\ufffe\uffff]", "\ufffd", text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def hit_of(text: str, modality: str = "image") -> Hit:
    return Hit(text, text, 0.4, 1, modality, (text, "another"), text, text, 3, 4, {"licence": text, text: text}, PNG)


@settings(deadline=None)
@given(hostile, st.sampled_from(["image", "caption"]), st.booleans())
def test_hostile_text_anywhere_adds_no_tag_and_no_attribute(text: str, kind: str, keep_picture: bool) -> None:
    hit = replace(hit_of(text, kind), thumbnail=PNG if keep_picture else None)
    question = ShownQuery(text=text, image=PNG, label=text, hits=[hit], expected=text)
    table = SheetTable(text, (text, text), ((text, text),), text)
    outline = Outline(contact_sheet(text, [question], subtitle=text, tables=[table], facts={text: text}))
    assert {tag for tag, _ in outline.tags} <= set(TAGS.split())
    assert {name for _, values in outline.tags for name in values} <= set(ATTRIBUTES.split())
    assert len(outline.all("style")) == 1


@settings(deadline=None)
@given(hostile, hostile)
def test_what_a_text_says_never_changes_the_structure_of_the_page(one: str, other: str) -> None:
    def tags(text: str) -> list[str]:
        hit = replace(HIT, figure_id=text, captions=(), caption=f"x{text[:60]}", article_id=f"x{text}", thumbnail=PNG)
        return [tag for tag, _ in Outline(contact_sheet(text, [ShownQuery(text=text[:200], hits=[hit])])).tags]

    assert tags(one) == tags(other)


@settings(deadline=None)
@given(hostile)
def test_a_caption_is_read_on_the_page_as_it_was_written(text: str) -> None:
    caption = f"[{text}]"
    outline = Outline(hits_html([replace(HIT, caption=caption, captions=(caption,))]))
    shown = "".join(outline.texts).replace("\r\n", "\n").replace("\r", "\n")
    assert readable(caption) in shown


@settings(deadline=None)
@given(hostile)
def test_the_page_can_always_be_written_as_utf8(text: str) -> None:
    assert contact_sheet(text, [ShownQuery(text=text, hits=[hit_of(text)])]).encode().startswith(b"<!doctype html>")


def test_the_page_reaches_for_nothing_outside_itself() -> None:
    text = 'http://x.example/a.png "> <img src=https://x.example/b.png> url(https://x.example)'
    markup = contact_sheet(
        text, [ShownQuery(text=text, image=JPEG, label=text, hits=[hit_of(text)])], facts={text: text}
    )
    outline = Outline(markup)
    sources = [values[name] for _, values in outline.tags for name in ("src", "href", "srcset") if name in values]
    assert len(sources) == 2
    assert all(source.startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for source in sources)
    sheet = re.search("<style>(.*?)</style>", markup, re.S)
    assert sheet is not None
    assert not re.search(r"url\(|@import|https?:", sheet.group(1))
    assert any("default-src 'none'" in values.get("content", "") for values in outline.all("meta"))


def test_the_same_input_gives_the_same_bytes_in_every_process() -> None:
    program = """
from retrieval.render.contact_sheet import ShownQuery, contact_sheet
from retrieval.types import Hit
found = enumerate(["image", "text"], 1)
hits = [Hit(f"f{n}", "c", 0.5, n, kind, metadata={"credit": "A", "licence": "B"}) for n, kind in found]
print(ascii(contact_sheet("t", [ShownQuery(text="q", hits=hits)], facts={"b": "1", "a": "2"})))
"""
    pages = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(pages) == 1
    assert b"text \\u2192 images + captions" in pages.pop()


@pytest.mark.parametrize(("data", "kind"), [(PNG, "png"), (JPEG, "jpeg"), (WEBP, "webp"), (b"GIF89a", "gif")])
def test_a_thumbnail_is_embedded_as_what_its_first_bytes_say(data: bytes, kind: str) -> None:
    (picture,) = Outline(hits_html([replace(HIT, thumbnail=data)])).all("img")
    assert picture["src"].startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize("data", [None, b"", b"<svg onload='alert(1)'/>", b"\x00" * 40])
def test_a_missing_or_unknown_thumbnail_leaves_a_labelled_empty_plate(data: bytes | None) -> None:
    outline = Outline(hits_html([replace(HIT, thumbnail=data)]))
    assert outline.all("img") == []
    (plate,) = outline.all("div", "retrieval-empty")
    assert plate["role"] == "img"
    assert plate["aria-label"] == HIT.caption


def test_a_picture_says_its_caption_or_its_id_to_those_who_cannot_see_it() -> None:
    described, nameless = Outline(hits_html([HIT, replace(HIT, caption=" ", captions=())])).all("img")
    assert described["alt"] == HIT.caption
    assert nameless["alt"] == HIT.figure_id


@pytest.mark.parametrize("modality", ["image", "text"])
@pytest.mark.parametrize("caption", ["word " * 1000, "x" * 5000])
def test_a_caption_of_5000_characters_is_folded_and_still_whole(modality: str, caption: str) -> None:
    outline = Outline(hits_html([replace(HIT, modality=modality, caption=caption, captions=(caption,))]))
    assert len(outline.all("details")) == 1
    assert caption in outline.texts
    beginning = next(text for text in outline.texts if text.endswith("…"))
    assert len(beginning) < 500
    assert len(outline.all("img")[0]["alt"]) <= 200


def test_a_short_caption_is_not_folded_and_stands_once() -> None:
    outline = Outline(hits_html([HIT]))
    assert outline.all("details") == []
    assert outline.texts.count(HIT.caption) == 1


def test_the_other_captions_of_a_figure_are_folded_below_the_first() -> None:
    outline = Outline(hits_html([replace(HIT, captions=("A plain caption.", "Another.", "", "A third."))]))
    assert "3 captions" in outline.texts
    assert [text for text in outline.texts if text in ("Another.", "A third.")] == ["Another.", "A third."]


def test_a_blank_caption_gives_way_to_the_figures_other_caption() -> None:
    texts = Outline(hits_html([replace(HIT, caption="", captions=("", "The only one."))])).texts
    assert "The only one." in texts
    assert "no caption" not in texts
    assert "no caption" in Outline(hits_html([replace(HIT, caption="", captions=("",))])).texts


def test_an_image_hit_shows_its_picture_first_and_a_caption_hit_its_words() -> None:
    def order(modality: str) -> list[str]:
        tags = Outline(hits_html([replace(HIT, modality=modality)])).tags
        return [tag for tag, _ in tags if tag in ("img", "figcaption")]

    assert order("image") == ["img", "figcaption"]
    assert order("text") == ["figcaption", "img"]


def test_rank_score_id_and_article_are_printed() -> None:
    texts = Outline(hits_html([replace(HIT, rank=7, score=0.12345)])).texts
    assert {"7", "0.123", "fig-1", "art-1"} <= set(texts)


def test_the_bar_is_the_share_of_the_best_score() -> None:
    def bars(*scores: float) -> list[str]:
        outline = Outline(hits_html([replace(HIT, score=score) for score in scores]))
        return [values["style"] for values in outline.all("span") if "style" in values]

    assert bars(0.4, 0.3, 0.1) == ["width:100.0%", "width:75.0%", "width:25.0%"]
    assert bars(0.4, -0.2, float("-inf"), float("nan")) == ["width:100.0%", *["width:0.0%"] * 3]
    assert bars(-0.1, -0.2) == ["width:0.0%"] * 2


@pytest.mark.parametrize("key", ["licence", "license", "License", "LICENSE_CODE", "credit", "attribution"])
def test_credit_and_licence_stay_with_the_figure(key: str) -> None:
    assert "CC BY 4.0" in Outline(hits_html([replace(HIT, metadata={key: "CC BY 4.0", "year": 1999})])).texts


def test_credit_comes_before_licence_and_the_same_words_stand_once() -> None:
    metadata = {"license": "CC0", "licence": "CC0", "credit": "A. Author", "attribution": None}
    assert "A. Author · CC0" in Outline(hits_html([replace(HIT, metadata=metadata)])).texts


def test_the_expected_figure_gets_a_badge_and_its_rank_stands_with_the_question() -> None:
    hits = [HIT, replace(HIT, figure_id="fig-2", rank=2)]
    found = Outline(contact_sheet("t", [ShownQuery(text="q", hits=hits, expected="fig-2")]))
    assert [values["class"] for values in found.all("li")] == [
        "retrieval-hit-image",
        "retrieval-hit-image retrieval-own",
    ]
    assert found.texts.count("its own figure") == 1
    assert "1 · text → images · own figure at rank 2" in found.texts
    missed = Outline(
        contact_sheet("t", [ShownQuery(image=PNG, hits=[replace(HIT, modality="text")], expected="fig-3")])
    )
    assert "its own figure" not in missed.texts
    assert "1 · image → captions · own figure not among these 1" in missed.texts


def test_a_question_without_hits_says_so() -> None:
    outline = Outline(contact_sheet("t", [ShownQuery(text="nothing like it")]))
    assert "No hits." in outline.texts
    assert outline.all("ol") == []
    assert "No hits." in Outline(hits_html([])).texts


def test_a_question_of_an_image_shows_it_with_its_name() -> None:
    outline = Outline(contact_sheet("t", [ShownQuery(image=JPEG, label="scan_7.png", hits=[HIT])]))
    assert "scan_7.png" in outline.texts
    assert [values["alt"] for values in outline.all("img")] == ["scan_7.png", HIT.caption]


def test_a_long_question_is_cut_in_its_heading_and_whole_below() -> None:
    words = "very " * 400 + "long"
    outline = Outline(contact_sheet("t", [ShownQuery(text=words)]))
    assert words in outline.texts
    assert any(len(text) <= 280 and text.endswith("very…") for text in outline.texts)


def test_every_question_is_a_landmark_named_by_its_heading() -> None:
    outline = Outline(contact_sheet("t", [ShownQuery(text="one"), ShownQuery(text="two")]))
    names = [values["aria-labelledby"] for values in outline.all("section")]
    assert names == [values["id"] for values in outline.all("h2")] == ["question-1", "question-2"]
    assert [len(outline.all(tag)) for tag in ("h1", "main", "footer")] == [1, 1, 1]
    assert outline.all("html") == [{"lang": "en", "class": "retrieval-page"}]


def test_tables_have_headers_for_rows_and_columns() -> None:
    table = SheetTable("Recall", ("direction", "R@1"), (("t2i", "0.4"), ("i2t", "0.5")), "1,000 pairs")
    outline = Outline(contact_sheet("t", [], tables=[table], facts={"encoder": "starter"}))
    assert [values["scope"] for values in outline.all("th")] == ["col", "col", "row", "row"]
    assert {"Recall", "0.4", "0.5", "1,000 pairs", "encoder", "starter"} <= set(outline.texts)


def style_sheet() -> str:
    return resources.files("retrieval.render").joinpath("style.css").read_text(encoding="utf-8")


def test_every_selector_of_the_style_sheet_starts_at_a_class_of_ours() -> None:
    rules = re.sub(r"/\*.*?\*/|@media[^{]*\{|:is\([^)]*\)", "", style_sheet(), flags=re.S)
    selectors = [one.strip() for head in re.findall(r"([^{}]+)\{", rules) for one in head.split(",")]
    assert len(selectors) > 40
    assert [one for one in selectors if not one.startswith((".retrieval-", ":where(.retrieval-page)"))] == []


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of #rrggbb."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [(ink, ground) for ink in ("ink", "soft", "accent", "own", "wrong") for ground in ("ground", "surface")]
    + [
        ("ink", "mat"),
        ("soft", "mat"),
        ("ink", "tint"),
        ("accent", "tint"),
        ("own", "own-wash"),
        ("on-accent", "accent"),
    ],
)
def test_text_has_the_contrast_of_wcag_aa(theme: int, ink: str, ground: str) -> None:
    tokens = dict(re.findall(r"--([\w-]+): light-dark\(([^)]*)\);", style_sheet()))
    found = [tokens[name].split(", ")[theme] for name in (ink, ground)]
    dark, light = sorted(luminance(colour if len(colour) == 7 else "#" + 2 * colour[1:]) for colour in found)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def columns(text: str) -> int:
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in ("Mn", "Me") for c in text
    )


def test_the_text_table_is_aligned() -> None:
    hits = [
        HIT,
        replace(HIT, rank=10, score=-0.25, figure_id="a-longer-id"),
        replace(HIT, rank=11, figure_id="図二", caption="肺のCT画像"),
    ]
    assert hits_text(hits, 80).splitlines() == [
        " 1   0.500  fig-1        A plain caption.",
        "10  -0.250  a-longer-id  A plain caption.",
        "11   0.500  図二         肺のCT画像",
    ]


def test_a_caption_is_cut_to_the_width_with_an_ellipsis() -> None:
    assert hits_text([replace(HIT, caption="one two three four five six seven")], 40) == (
        "1  0.500  fig-1  one two three four fiv…"
    )
    assert hits_text([replace(HIT, caption="肺" * 40)], 40) == "1  0.500  fig-1  " + "肺" * 11 + "…"


@settings(deadline=None)
@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=4), st.integers(0, 120))
def test_no_text_makes_a_line_too_wide_or_moves_a_column(rows: list[tuple[str, str]], width: int) -> None:
    mark = "⟦"  # where the caption starts
    hits = [replace(HIT, figure_id=f"i{a.replace(mark, '')}", caption=mark + b.replace(mark, "")) for a, b in rows]
    lines = hits_text(hits, width).split("\n")
    assert len(lines) == len(rows)
    assert all(columns(line) <= max(width, 40) for line in lines)
    assert len({columns(line[: line.index(mark)]) for line in lines}) == 1


@settings(deadline=None)
@given(hostile)
def test_nothing_in_the_text_table_can_command_the_terminal(text: str) -> None:
    shown = hits_text([replace(HIT, figure_id=text, caption=text)], 100)
    assert {unicodedata.category(character) for character in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@pytest.mark.parametrize(
    ("caption", "shown"),
    [
        ("\x1b[31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;new title\x07words", "words"),
        ("\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1b\x1b[0m[31mtwice", "�[31mtwice"),
        ("bell\x07 back\x08space", "bell� back�space"),
        ("line one\r\nline two\u2028three\tfour", "line one line two three four"),
        ("\u202eevil\u202c", "evil"),
    ],
)
def test_control_sequences_in_a_caption_are_neutralised(caption: str, shown: str) -> None:
    assert hits_text([replace(HIT, caption=caption)], 80) == f"1  0.500  fig-1  {shown}"


def test_no_hits_are_said_in_words() -> None:
    assert hits_text([], 80) == "no hits"
