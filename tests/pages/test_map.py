"""The map of a collection: who stands on it and where, what colours it, and a page that nothing in it can break."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retrieval.cli import main
from retrieval.errors import QueryError
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.pages.map.colours import COLOURS, MISSING, OTHER, colouring
from retrieval.pages.map.details import rows_of, sample_figures
from retrieval.pages.map.draw_map import SCRIPTS, Map, draw_map, map_page
from retrieval.pages.map.project import modality_gap, project
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Figure, Vectors
from tests.doubles import COLOURS as PAINTS
from tests.doubles import ColourEncoder
from tests.listed import index_of, png

HOSTILE = (
    "</script><script>document.title='gone'</script><!--<script> ]]> & &lt; \"' \u2028 \r\n "
    "<img src=x onerror=alert(1)>"
)
COLUMNS = {"licence": "string", "year": "int64"}


def collection(count: int = 20) -> list[Figure]:
    """Figures with none, one or two captions, one without image and one that means harm."""
    figures = []
    for number in range(count):
        name = list(PAINTS)[number % len(PAINTS)]
        captions = tuple(f"a {name} field, number {number}.{nth}" for nth in range(number % 3))
        shade = tuple(max(0, channel - 30 * (number // len(PAINTS))) for channel in PAINTS[name])
        image = png(shade, (200 + number, 150))
        metadata = {"licence": "CC0" if number % 4 else "CC-BY", "year": 2000 + number}
        figures.append(Figure(f"f{number}", image, captions, f"f{number}.png", f"article {number // 5}", metadata))
    figures.append(Figure("words", None, ("blue words only",), "words", None, {}))
    figures.append(
        Figure("harm", png((255, 0, 0), (300, 300)), (f"red {HOSTILE}",), "harm.png", None, {"licence": HOSTILE})
    )
    return figures


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map") / "index <b>"
    index_of(folder, collection(), encoder=ColourEncoder(), columns=COLUMNS, thumbnail=192)
    return folder


class Outline(HTMLParser):
    """The tags of a page and the text of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag in ("script", "style"):
            self.raw.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.raw[-1] = (self.inside, self.raw[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    @property
    def data(self) -> Any:
        place = [attrs.get("id") for tag, attrs in self.tags if tag == "script"].index("data")
        return json.loads([text for tag, text in self.raw if tag == "script"][place])


def drawn(index: Path, out: Path, **options: Any) -> tuple[Map, Outline]:
    found = draw_map(index, out, **options)
    return found, Outline(out.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_every_image_and_caption_is_a_point_of_its_figure(index: Path, tmp_path: Path) -> None:
    found, outline = drawn(index, tmp_path / "map.html")
    data, expected = outline.data, collection()
    assert found == Map(22, 22, 21, 21, 21)
    assert data["images"] == 21
    assert len(data["figure"]) == len(data["x"]) == len(data["y"]) == 42
    for number, (name, captions, attribution, _) in enumerate(data["figures"]):
        (figure,) = [one for one in expected if one.figure_id == name]
        assert tuple(captions) == figure.captions
        assert name in attribution
        points = [point for point, of in enumerate(data["figure"]) if of == number]
        assert sum(point < data["images"] for point in points) == (figure.image is not None)
        assert sum(point >= data["images"] for point in points) == len(captions)


def test_of_too_many_points_whole_figures_are_drawn_by_lot_and_the_page_says_so(index: Path, tmp_path: Path) -> None:
    built = OpenedIndex(index)
    first = sample_figures(built, 15, seed=0)
    assert sum(len(rows_of(built, kind, first)) for kind in TABLE_OF) in (13, 14, 15)
    assert np.array_equal(first, sample_figures(built, 15, seed=0))
    assert not np.array_equal(first, sample_figures(built, 15, seed=1))
    assert len(sample_figures(built, 1, seed=0)) == 1
    assert len(sample_figures(built, 42, seed=0)) == 22
    found, _ = drawn(index, tmp_path / "map.html", points=15, seed=3)
    assert (found.of, found.images + found.captions <= 15) == (22, True)
    assert f"{found.figures} figures, drawn by lot from 22 with seed 3" in (tmp_path / "map.html").read_text("utf-8")


def test_the_same_index_and_seed_give_the_same_bytes(index: Path, tmp_path: Path) -> None:
    pages = []
    for number, seed in enumerate((0, 0, 1)):
        draw_map(index, tmp_path / f"{number}.html", points=30, seed=seed, colour=["licence"])
        pages.append((tmp_path / f"{number}.html").read_bytes())
    assert pages[0] == pages[1]
    assert pages[0] != pages[2]


def pairs(gap: float) -> tuple[Vectors, Vectors]:
    """60 images and their captions in three groups, the two modalities `gap` apart."""
    rng = np.random.default_rng(5)
    meant = np.repeat(rng.standard_normal((3, 16)), 20, axis=0) + 0.3 * rng.standard_normal((60, 16))
    apart = np.zeros(16)
    apart[0] = gap
    both = [meant + sign * apart + 0.1 * rng.standard_normal((60, 16)) for sign in (1, -1)]
    images, captions = ((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32) for rows in both)
    return images, captions


def test_the_gap_is_the_distance_between_the_two_means() -> None:
    image, caption = np.float32([[1, 0], [0, 1]]), np.float32([[-1, 0]])
    assert modality_gap(image, caption) == pytest.approx(np.hypot(1.5, 0.5))
    assert modality_gap(image, caption[:0]) == 0


def test_captions_lie_near_their_images_unless_the_gap_is_kept() -> None:
    def between(keep_gap: bool) -> float:
        """How far captions lie from their images, in parts of the map's extent."""
        places = project(*pairs(12.0), keep_gap=keep_gap)
        distances = np.linalg.norm(places[:60] - places[60:], axis=1)
        return float(np.median(distances) / np.linalg.norm(np.ptp(places, axis=0)))

    assert between(keep_gap=False) < 0.15
    assert between(keep_gap=True) > 0.3


@pytest.mark.parametrize(("images", "captions"), [(1, 0), (0, 1), (1, 1), (5, 4), (0, 12), (12, 0)])
def test_a_map_of_few_points_or_of_one_modality_has_a_place_for_each(images: int, captions: int) -> None:
    some, others = pairs(1.0)
    places = project(some[:images], others[:captions])
    assert places.shape == (images + captions, 2)
    assert np.isfinite(places).all()


def test_points_that_are_all_the_same_have_places() -> None:
    same = np.tile(np.float32([1, 0, 0, 0]), (15, 1))
    assert np.isfinite(project(same, same)).all()


def test_without_the_extra_one_sentence_says_what_to_install(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    assert main(["map", str(index), str(tmp_path / "map.html")]) == 2
    assert "retrieval: a map needs openTSNE; run: pip install 'retrieval[map]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_words_are_grouped_by_how_common_they_are() -> None:
    found = colouring("licence", ["b", "a", None, "b", "c", " ", float("nan"), *"ddefghij"])
    assert found.groups == (("b", 2), ("d", 2), ("a", 1), ("c", 1), ("e", 1), ("f", 1), ("g", 1))
    assert found.codes == (0, 2, MISSING, 0, 3, MISSING, MISSING, 1, 1, 4, 5, 6, OTHER, OTHER, OTHER)
    assert not found.ordered
    assert colouring("flag", [True, False, True]).groups == (("True", 2), ("False", 1))


def test_few_numbers_stay_numbers_and_many_become_ranges() -> None:
    few = colouring("year", [2020, 1999, None, 2020])
    assert (few.groups, few.codes, few.ordered) == ((("1999", 1), ("2020", 2)), (1, 0, MISSING, 1), True)
    assert colouring("share", [0.5, 1.0]).groups == (("0.5", 1), ("1", 1))
    many = colouring("year", list(range(1990, 2018)))
    assert many.groups[0] == ("1990 to 1993", 4)
    assert many.groups[-1] == ("2014 to 2017", 4)


@given(st.lists(st.none() | st.integers(-(2**53), 2**53)) | st.lists(st.none() | st.text(max_size=2)))
def test_every_figure_is_in_one_group_and_ordered_groups_rise(values: list[Any]) -> None:
    found = colouring("any", values)
    assert len(found.groups) <= COLOURS
    assert [number for _, number in found.groups] == [found.codes.count(code) for code in range(len(found.groups))]
    assert len(found.codes) == len(values)
    assert all(
        (code == MISSING) == (not str(value if value is not None else "").strip())
        for code, value in zip(found.codes, values, strict=True)
    )
    if found.ordered:
        rising = [
            code for code, _ in sorted(zip(found.codes, values, strict=True), key=lambda one: (one[0], one[1] or 0))
        ]
        by_value = sorted((value, code) for code, value in zip(found.codes, values, strict=True) if value is not None)
        assert [code for _, code in by_value] == [code for code in rising if code != MISSING]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([HOSTILE, "</SCRIPT ", "<!--", "-->", "$data", "\x00", "図"])
        | st.text(st.characters(exclude_categories=["Cs"])),
        max_size=6,
    )
)
def test_no_text_adds_a_tag_and_all_of_it_comes_through(texts: list[str]) -> None:
    title = " ".join(texts)
    plain = Outline(map_page("x", ["a", "b"], {"figures": []}))
    outline = Outline(map_page(title, ["a", title], {"figures": texts}))
    assert [tag for tag, _ in outline.tags] == [tag for tag, _ in plain.tags]
    assert [set(attrs) for _, attrs in outline.tags] == [set(attrs) for _, attrs in plain.tags]
    assert outline.data == {"figures": texts}


def test_the_policy_lets_run_the_page_s_own_scripts_and_nothing_else(index: Path, tmp_path: Path) -> None:
    _, outline = drawn(index, tmp_path / "map.html", colour=["licence"])
    (policy,) = [attrs["content"] for tag, attrs in outline.tags if "http-equiv" in attrs]
    scripts = [attrs for tag, attrs in outline.tags if tag == "script"]
    assert [attrs for attrs in scripts if attrs] == [{"type": "application/json", "id": "data"}]
    own = [text for tag, text in outline.raw if tag == "style"] + [
        text for tag, text in outline.raw if tag == "script"
    ][1:]
    assert len(own) == len(SCRIPTS) + 1
    allowed = re.findall("'sha256-([^']+)'", str(policy))
    assert allowed == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own]
    assert str(policy).startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in str(policy)
    assert not any(
        name.startswith("on") or name in ("src", "href", "style") for _, attrs in outline.tags for name in attrs
    )


def test_no_script_makes_markup_of_text_or_reaches_out() -> None:
    for name in SCRIPTS:
        script = resources.files("retrieval.pages.map").joinpath("page", name).read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|import\(|XMLHttp",
            script,
        )
        assert set(re.findall(r"https?://[^\"'\s]+", script)) <= {"http://www.w3.org/2000/svg"}


def test_pictures_are_small_and_made_anew_or_left_out(index: Path, tmp_path: Path) -> None:
    found, outline = drawn(index, tmp_path / "map.html", thumbnails=50)
    pictures = {name: picture for name, _, _, picture in outline.data["figures"]}
    assert [name for name, picture in pictures.items() if not picture] == ["words"]
    assert found.pictures == 21
    for picture in filter(None, pictures.values()):
        image = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert (image.format, max(image.size)) == ("WEBP", 50)
    without, outline = drawn(index, tmp_path / "without.html", thumbnails=0)
    assert without.pictures == 0
    assert not any(picture for *_, picture in outline.data["figures"])


@pytest.mark.parametrize("stored", [None, b"", b"not a picture", png((1, 2, 3))[:40]])
def test_a_figure_whose_thumbnail_is_missing_or_damaged_stands_there_without(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bytes | None
) -> None:
    whole = OpenedIndex.describe

    def damaged(built: OpenedIndex, kind: Any, rows: list[int]) -> list[dict[str, Any]]:
        return [about | {"thumbnail": stored} for about in whole(built, kind, rows)]

    monkeypatch.setattr(OpenedIndex, "describe", damaged)
    found, outline = drawn(index, tmp_path / "map.html")
    assert (found.figures, found.pictures) == (22, 0)
    assert len(outline.data["figures"]) == 22


def test_the_page_colours_by_the_columns_asked_for(index: Path, tmp_path: Path) -> None:
    _, outline = drawn(index, tmp_path / "map.html", colour=["licence", "year", "article_id"])
    licence, year, article = outline.data["colourings"]
    assert licence["groups"] == [["CC0", 15], ["CC-BY", 5], [HOSTILE.strip(), 1]]
    assert (year["ordered"], len(year["groups"])) == (True, COLOURS)
    assert article["groups"] == [[f"article {number}", 5] for number in range(4)]
    names = [name for name, *_ in outline.data["figures"]]
    assert licence["codes"][names.index("f1")] == 0
    assert licence["codes"][names.index("words")] == MISSING


def test_an_unknown_column_is_refused_and_an_earlier_page_stays(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.html"
    out.write_text("earlier", encoding="utf-8")
    with pytest.raises(QueryError, match=r"no column caption to colour by; there are article_id, .*licence, .*year"):
        draw_map(index, out, colour=["licence", "caption"])
    assert out.read_text(encoding="utf-8") == "earlier"
    draw_map(index, out)
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_is_not_overwritten_and_missing_ones_are_made(index: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"is a folder; name the page in it, as .*map\.html$"):
        draw_map(index, tmp_path)
    draw_map(index, tmp_path / "new" / "deep" / "map.html", thumbnails=0)
    assert (tmp_path / "new" / "deep" / "map.html").is_file()


def test_the_command_says_what_it_wrote(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.html"
    assert main(["map", str(index), str(out), "--colour", "year", "--points", "20", "--raw", "--thumbnails", "64"]) == 0
    printed = capsys.readouterr().out
    assert re.fullmatch(
        rf"wrote {re.escape(str(out))}, 0\.\d MB: \d+ of 22 figures, \d+ images and \d+ captions, \d+ pictures\n",
        printed,
    )
    assert "Vectors are as the encoder gave them. The mean of images" in out.read_text(encoding="utf-8")
