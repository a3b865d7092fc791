"""Refining: filters with counts, grouping by article, near-duplicates, strength; comparing two indexes; saving."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.page.conftest import Reader


def facet(reader: Reader, column: str) -> Any:
    return reader.page.locator("fieldset.facet", has=reader.page.get_by_text(column, exact=True))


def refine(reader: Reader, query: str = "?text=red") -> None:
    reader.visit(query)
    reader.settle()
    reader.page.click("#refine-button")
    reader.page.wait_for_selector("#facets fieldset")


def test_filters_come_from_the_columns_with_counts(reader: Reader) -> None:
    refine(reader)
    journals = facet(reader, "journal")
    assert journals.locator(".value small").all_inner_texts()[0] == "18"
    journals.get_by_label("Brain").check()
    reader.page.wait_for_selector("text=journal = Brain")
    reader.settle()
    assert reader.query["where"] == ["journal = Brain"]
    assert len(reader.ids) == 18
    assert "15" in facet(reader, "journal").inner_text()  # the other journals still have their counts
    facet(reader, "open").get_by_label("true").check()
    reader.page.wait_for_selector("text=open = true")
    reader.settle()
    assert len(reader.ids) == 9
    assert reader.page.inner_text("#refine-button .badge") == "2"
    reader.page.click("[aria-label='Give up the filter open = true']")
    reader.page.wait_for_selector(".card[data-id] >> nth=17")
    assert not facet(reader, "open").get_by_label("true").is_checked()


def test_several_values_of_a_column_are_alternatives(reader: Reader) -> None:
    refine(reader)
    facet(reader, "journal").get_by_label("Brain").check()
    reader.page.wait_for_selector("#clauses >> text=Brain")
    facet(reader, "journal").get_by_label("Radiology").check()
    reader.page.wait_for_selector("text=journal in Brain,Radiology")
    # a list is parted at commas, so a value that has one stands in quotes
    facet(reader, "journal").get_by_label("Cell, Host and Microbe").check()
    reader.page.wait_for_selector("text=journal in Brain,Radiology,'Cell, Host and Microbe'")
    reader.settle()
    assert reader.query["where"] == ["journal in Brain,Radiology,'Cell, Host and Microbe'"]
    facet(reader, "journal").get_by_label("Brain").uncheck()
    facet(reader, "journal").get_by_label("Radiology").uncheck()
    reader.page.wait_for_selector("text=journal = Cell, Host and Microbe")
    reader.settle()
    assert reader.query["where"] == ["journal = Cell, Host and Microbe"]
    assert len(reader.ids) == 15
    assert reader.focused == "facet_journal_value_1" or reader.focused.startswith("facet_journal")


def test_who_is_quicker_than_the_counts_loses_no_choice(reader: Reader) -> None:
    refine(reader)
    facet(reader, "journal").get_by_label("Brain").wait_for()
    reader.page.evaluate(
        """() => {
            for (const box of document.querySelectorAll("#facets input[type=checkbox]"))
                if (["Brain", "Radiology"].includes(box.closest("label").title)) box.click();
            const year = [...document.querySelectorAll("#facets input[type=number]")].slice(0, 2);
            for (const [place, value] of [[0, "2004"], [1, "2005"]]) {
                year[place].value = value;
                year[place].dispatchEvent(new Event("change"));
            }
        }"""
    )
    reader.settle()
    assert reader.query["where"] == ["journal in Brain,Radiology", "year >= 2004", "year <= 2005"]


def test_numbers_are_given_as_a_range(reader: Reader) -> None:
    refine(reader)
    years = facet(reader, "year")
    assert years.locator(".histogram span").count() == 16
    years.get_by_label("from").fill("2004")
    years.get_by_label("from").press("Enter")
    reader.page.wait_for_selector("text=year >= 2004")
    reader.settle()  # the facets are drawn anew
    years = facet(reader, "year")
    years.get_by_label("to").fill("2005")
    years.get_by_label("to").press("Enter")
    reader.page.wait_for_selector("text=year <= 2005")
    reader.settle()
    assert reader.query["where"] == ["year >= 2004", "year <= 2005"]
    assert sorted(reader.ids) == [f"f{n}" for n in range(12, 18)]


def test_what_is_not_given_can_be_asked_for(reader: Reader) -> None:
    refine(reader)
    facet(reader, "licence").get_by_label("not given").check()
    reader.page.wait_for_selector("text=licence is missing")
    reader.settle()
    assert len(reader.ids) == 13


def test_many_values_unfold_and_can_be_looked_for(reader: Reader) -> None:
    refine(reader)
    articles = facet(reader, "article id")
    assert articles.locator(".values .value").count() == 8
    articles.get_by_text("8 more").click()
    reader.page.wait_for_selector("#facet_article_id_value_15")
    facet(reader, "article id").get_by_label("contains").fill("PMC101")
    facet(reader, "article id").get_by_label("contains").press("Enter")
    reader.page.wait_for_selector("text=article_id ~ PMC101")
    reader.settle()
    assert len(reader.ids) == 18


def test_the_panel_lies_over_the_figures_of_a_phone_and_beside_those_of_a_desk(reader: Reader, phone: Reader) -> None:
    refine(phone)
    assert phone.page.evaluate("document.querySelector('#refine').matches(':modal')")
    phone.page.keyboard.press("Escape")
    phone.page.wait_for_selector("#refine-button[aria-expanded=false]")
    assert phone.focused == "refine-button"
    refine(reader)
    assert not reader.page.evaluate("document.querySelector('#refine').matches(':modal')")
    assert reader.page.locator(".card[data-id]").first.is_visible()
    reader.page.keyboard.press("Escape")
    reader.page.wait_for_selector("#refine-button[aria-expanded=false]")
    assert reader.focused == "refine-button"


def test_figures_are_grouped_by_article(reader: Reader) -> None:
    refine(reader, "?text=red+green+blue")
    reader.page.select_option("#per-article", "1")
    reader.page.wait_for_url("**per_article=1")
    reader.settle()
    articles = [int(name[1:]) // 3 for name in reader.ids if name.startswith("f")]
    assert len(articles) == len(set(articles)) == 16
    reader.page.select_option("#per-article", "3")
    reader.page.wait_for_selector(".articles section")
    sections = reader.page.locator(".articles section")
    assert sections.count() == len(
        {name[:3] if not name.startswith("f") else int(name[1:]) // 3 for name in reader.ids}
    )
    for section in sections.all():
        assert 1 <= section.locator(".card").count() <= 3
        assert section.locator("h2 small").inner_text().startswith(str(section.locator(".card").count()))


def test_only_what_stands_high_and_no_near_duplicates(reader: Reader) -> None:
    refine(reader)
    with reader.page.expect_request("**/search") as asked:
        reader.page.check("#unique")
    assert asked.value.post_data_json["unique"] is True
    reader.settle()
    with reader.page.expect_request("**/search") as asked:
        reader.page.select_option("#min-percentile", "90")
    assert asked.value.post_data_json["min_percentile"] == 90
    reader.settle()
    assert 0 < len(reader.ids) <= 5
    assert all("top" in said for said in reader.page.locator(".standing").all_inner_texts())


def test_ranking_by_words_where_the_index_can(reader: Reader) -> None:
    refine(reader)
    modes = [option.get_attribute("value") for option in reader.page.locator("#mode option").all()]
    assert modes == ["", "lexical", "hybrid"]
    reader.page.select_option("#mode", "lexical")
    reader.page.wait_for_url("**mode=lexical")
    reader.settle()
    assert len(reader.ids) == 7  # those whose captions have the word


def test_two_indexes_answer_side_by_side(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.click("#compare-button")
    reader.page.wait_for_selector(".pane >> nth=1 >> .card[data-id]")
    reader.page.wait_for_selector("text=in both")
    reader.settle()
    assert reader.query["compare"] == ["other"]
    one, other = (reader.page.locator(".pane").nth(n).locator(".card[data-id]") for n in (0, 1))
    there = [card.get_attribute("data-id") for card in other.all()]
    here = [card.get_attribute("data-id") for card in one.all()]
    shared = set(here) & set(there)
    assert 0 < len(shared) < len(here)
    assert f"{len(shared)} in both" in reader.page.inner_text(".pane-head >> nth=0")
    for place, name in enumerate(here):
        mark = one.nth(place).locator(".elsewhere")
        assert mark.is_visible() == (name in shared)
        if name in shared:
            rank = there.index(name) + 1
            assert mark.inner_text() == ("same rank there" if rank == place + 1 else f"rank {rank} there")
    other.first.locator(".open").click()
    reader.page.wait_for_selector("#viewer[open]")
    reader.page.keyboard.press("Escape")
    reader.page.locator(".pane >> nth=1 >> select").select_option("atlas")
    reader.page.wait_for_url("**compare=atlas*")
    reader.page.wait_for_selector("text=40 in both")
    reader.page.click("#compare-button")
    reader.page.wait_for_selector(".pane >> nth=1", state="detached")


def test_when_one_of_two_fails_the_other_still_answers(reader: Reader) -> None:
    reader.page.route("**/other/search", lambda route: route.fulfill(status=400, json={"error": "other: no such luck"}))
    reader.visit("?text=red&compare=other")
    reader.page.wait_for_selector("text=other: no such luck")
    reader.settle()
    assert len(reader.ids) == 40


def test_another_index_is_chosen(reader: Reader) -> None:
    reader.visit("?text=red")
    reader.settle()
    reader.page.select_option(".pane-head select", "other")
    reader.page.wait_for_url("**index=other*")
    reader.settle()
    assert len(reader.ids) == 25


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_shown_is_saved_with_attribution(reader: Reader, form: str, tmp_path: Path) -> None:
    reader.visit("?text=red&k=5")
    reader.settle()
    reader.page.click("text=Save")
    with reader.page.expect_download() as saved:
        reader.page.click("text=Table (CSV)" if form == "csv" else "text=JSON lines")
    assert saved.value.suggested_filename == f"atlas.{form}"
    saved.value.save_as(tmp_path / "saved")
    text = (tmp_path / "saved").read_text(encoding="utf-8")
    rows = (
        list(csv.DictReader(io.StringIO(text))) if form == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    assert [row["figure_id"] for row in rows] == reader.ids
    assert all("licence unknown" in row["attribution"].lower() or "CC-BY-4.0" in row["attribution"] for row in rows)
    assert not reader.page.locator(".menu[open]").count()


def test_saving_that_fails_says_so(reader: Reader) -> None:
    reader.page.route(
        "**/api/export*", lambda route: route.fulfill(status=413, json={"error": "too many figures; ask for fewer"})
    )
    reader.visit("?text=red")
    reader.settle()
    reader.page.click("text=Save")
    reader.page.click("text=JSON lines")
    reader.page.wait_for_selector("text=too many figures; ask for fewer")
    assert len(reader.ids) == 40
