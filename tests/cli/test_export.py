"""export and overlap from the command line: a leak-free test set in two commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from retrieval.cli import main, parser
from retrieval.cli.command_parser import options_of, subparsers
from retrieval.evaluation.overlap.compare_collections import KINDS
from retrieval.export.writers import FORMATS
from tests.evaluation.test_overlap import ONE, OTHER, made


@pytest.fixture
def indexes(tmp_path: Path) -> tuple[str, str]:
    return str(made(tmp_path / "one", ONE)), str(made(tmp_path / "other", OTHER))


def test_what_is_clean_is_exported_and_nothing_else(
    indexes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, report, out = (str(tmp_path / name) for name in ("clean.txt", "report.json", "clean"))
    assert main(["overlap", *indexes, "--clean-ids", clean, "--json", report]) == 0
    printed = capsys.readouterr()
    assert "5 of 7 figures (71.4%) are in" in printed.out
    assert f"wrote 2 ids of clean figures to {clean}" in printed.err
    (comparison,) = json.loads(Path(report).read_text())["comparisons"]
    assert comparison["touched"] == 5
    assert main(["export", indexes[1], out, "--ids", clean]) == 0
    assert f"wrote 2 figures with 2 captions to {out}: 0 original images, 1 thumbnails" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "clean" / "captions.jsonl").read_text().splitlines()]
    assert [row["figure_id"] for row in rows] == ["b6", "b7"]


def test_the_hits_of_a_question_are_a_table(
    indexes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "hits.csv")
    assert main(["export", indexes[0], out, "--figure", "a1", "-k", "2", "--where", "article_id=PMC2"]) == 0
    printed = capsys.readouterr().out
    assert f"wrote 1 figures with 1 captions to {out}" in printed
    assert "no licence is known of 1: ask before showing them" in printed
    with open(out, newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["figure_id"], row["rank"]) == ("a3", "1")
    assert main(["export", indexes[0], str(tmp_path / "words.jsonl"), "--text", "red", "-k", "2"]) == 0
    assert len((tmp_path / "words.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--text", "red", "--id", "a1"], "the hits of a question are not chosen by id"),
        (["--ids", "missing.txt"], "missing.txt: cannot be read"),
        (["--id", "nobody"], "1 of 1 figure ids are not in it, first 'nobody'"),
        (["--where", "colour=red"], "no column colour"),
    ],
)
def test_an_impossible_export_is_one_line(
    indexes: tuple[str, str], tmp_path: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", indexes[0], str(tmp_path / "out.csv"), *argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "out.csv").exists()


def test_the_command_line_offers_every_format_and_kind_there_is() -> None:
    commands = subparsers(parser())
    offered = {
        name: next(set(action.choices or ()) for action in options_of(commands[name]) if action.dest == dest)
        for name, dest in (("export", "format"), ("overlap", "kind"))
    }
    assert offered == {"export": set(FORMATS), "overlap": set(KINDS)}
