"""The page of a study: whole, offline, without script, and safe whatever figures say of themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from retrieval.evaluation.bootstrap import Estimate
from retrieval.evaluation.study.study import study
from retrieval.evaluation.study.study_results import Curve, Study
from retrieval.evaluation.study.study_tables import cell, rows
from retrieval.pages.report_page import report_page, write_page
from retrieval.pages.report_plots import dot_plot, recall_plot
from tests.listed import figure, index_of

HOSTILE = '<script>alert("x")</script> $\\frac{1}{0}$ & 腫瘍 \x07'
VOID = {"img", "meta"}


class Seen(HTMLParser):
    """Every element with its attributes; open elements must be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    figures = [
        figure(
            f"f{number}",
            (10 * number + 5, 255 - 9 * number, 40),
            f"{255 - 10 * number} {9 * number} {number}",
            article_id=f"P{number // 2}",
            metadata={"part": HOSTILE if number % 2 else "plain", "licence": "CC-BY <b>"},
        )
        for number in range(24)
    ]
    for name in ("one", "other"):
        index_of(folder / name, figures, columns={"part": "string", "licence": "string"}, shard_size=32, thumbnail=8)
    return study(folder / "one", against=[folder / "other"], strata=["part"], examples=3, resamples=20)


@pytest.fixture(scope="module")
def text(studied: Study) -> str:
    return report_page(studied)


@pytest.fixture(scope="module")
def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_the_same_study_gives_the_same_bytes(studied: Study, text: str, tmp_path: Path) -> None:
    write_page(studied, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


def test_the_page_needs_nothing_from_outside_and_runs_nothing(text: str, seen: Seen) -> None:
    assert "http" not in text.replace("http-equiv", "")
    assert not {"script", "link", "iframe", "object", "foreignobject"} & {tag for tag, _ in seen.elements}
    for _, attributes in seen.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:image/", "#"))
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_what_figures_say_of_themselves_is_text(text: str, studied: Study) -> None:
    assert "<script>alert" not in text
    assert "CC-BY <b>" not in text
    assert "CC-BY &lt;b&gt;" in text
    assert "\x07" not in text
    assert "&lt;script&gt;alert(" in text
    assert studied.strata[0].strata[0].hit_rates["t2i"].queries == 12


def test_every_plot_says_its_numbers_in_words_and_ids_are_its_own(studied: Study, text: str, seen: Seen) -> None:
    plots = [
        attributes["aria-label"] or "" for _, attributes in seen.elements if attributes.get("class") == "report-plot"
    ]
    assert len(plots) == 5  # ranks, a curve for each direction, one column, one comparison
    assert all(re.search(r"\d\.\d", said) for said in plots)
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]*)\)", text)) | set(re.findall(r'href="#([^"]*)"', text))
    assert used
    assert used <= set(ids)


def test_colours_of_plots_are_the_page_s_own_in_light_and_dark(text: str) -> None:
    plots = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.findall(r"(?:fill|stroke): ?#", plots)
    for name in set(re.findall(r"var\(--([\w-]+)\)", plots)):
        assert f"--{name}:" in text
    assert "color-scheme: light dark" in text
    assert "@media print" in text


def test_the_tables_hold_the_report_s_numbers(studied: Study, text: str) -> None:
    for row in rows(studied.report):
        cells = "".join(f"<td>{value}</td>" for value in row[1:])
        assert f'<th scope="row" dir="auto">{row[0]}</th>{cells}' in text
    for stratum in studied.strata[0].strata:
        for estimate in stratum.hit_rates.values():
            assert f"<td>{estimate.queries}</td><td>{cell(estimate, 'hit_rate')}</td>" in text
    assert "of both, differences are one minus other" in text


def test_examples_stand_with_pictures_captions_ranks_and_credits(studied: Study, seen: Seen, text: str) -> None:
    assert studied.examples is not None
    shown = [*studied.examples.best, *studied.examples.worst]
    assert sum(tag == "article" for tag, _ in seen.elements) == len(shown)
    pictures = [attributes for tag, attributes in seen.elements if tag == "img"]
    assert 3 * len(shown) <= len(pictures) <= 5 * len(shown)
    assert all(attributes["alt"] for attributes in pictures)
    for example in shown:
        assert f"rank {example.rank} · {abs(example.margin):.3f}" in text
    assert text.count("its own</span>") == len(shown)


def test_one_index_has_one_plot_of_both_directions_and_no_section_that_is_empty(studied: Study) -> None:
    text = report_page(replace(studied, against=[], strata=[], examples=None))
    assert text.count('class="report-plot"') == 2
    assert "</bdi> against <bdi>" not in text
    assert "Worst" not in text


def test_many_indexes_of_one_name_are_told_apart_by_their_paths(studied: Study) -> None:
    (other,) = studied.against
    many = [replace(other, report=replace(other.report, index=f"/{number}/one")) for number in range(3)]
    text = report_page(replace(studied, against=many))
    assert text.count("<bdi>/2/one</bdi>") == 1
    assert text.count('class="report-plot"') == 4 + 3


def test_a_name_cannot_reach_out_of_its_label() -> None:
    name = "'DejaVu Sans' <g id=\"x\"> #010101 \x1b[0m"
    estimate = Estimate(0.5, (0.4, 0.6), 3, 3)
    svg = dot_plot([(name, {"t2i": estimate})], {"t2i": 0.5}, "hit_rate@10", "name")
    parser = Seen()
    parser.feed(svg)
    assert parser.open == []
    assert "’DejaVu Sans’ &lt;g id=”x”&gt;" in svg
    assert "\x1b" not in svg


def test_strata_in_which_nothing_could_be_asked_are_drawn_empty() -> None:
    nothing = Estimate(None, None, 0, 0)
    assert "<svg" in dot_plot([("x", {"t2i": nothing})], {"t2i": None}, "hit_rate@10", "name")


def test_a_curve_of_a_gallery_of_one_is_drawn(studied: Study) -> None:
    estimate = studied.curves["t2i"].hit_rates[0]
    assert "<svg" in recall_plot([("x", Curve([1], [estimate], [1.0]))], "one")
