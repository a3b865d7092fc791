"""retrieval build: its options, and what it says of an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.cli import main
from retrieval.cli.build import describe_index
from retrieval.indexer.encode import encode
from tests.doubles import ColourEncoder


@pytest.fixture
def encoded(colour_folder: Path, tmp_path: Path) -> Path:
    encode(colour_folder, tmp_path / "index", ColourEncoder(), shard_size=6)
    return tmp_path / "index"


@pytest.mark.slow
def test_an_approximate_index_is_tuned_drawn_and_described(encoded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = encoded.parent / "curve.svg"
    assert main(["build", str(encoded), "--factory", "IVF2,Flat", "--memory", "1G", "--plot", str(plot)]) == 0
    said = capsys.readouterr().out
    assert "IVF2,Flat, nprobe " in said
    assert "of the exact 10 nearest for" in said
    assert "text queries" in said
    assert f"recall against time: {plot}" in said
    assert plot.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory", "much"], "'much': not an amount of memory; write 8G or 500M"),
        (
            ["--factory", "IVF2,Flat", "--plot", "curve.bmp"],
            "curve.bmp: cannot be drawn; name a file that ends in .png",
        ),
    ],
)
def test_impossible_options_are_one_line(
    encoded: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["build", str(encoded), *options])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_exact_indexes_have_no_curve_and_say_so(encoded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(encoded), "--plot", str(encoded.parent / "curve.png")]) == 0
    assert "both indexes are exact: there is no curve to draw" in capsys.readouterr().out
    assert not (encoded.parent / "curve.png").exists()


def test_what_was_not_reached_is_not_claimed() -> None:
    recall = {"recall": 0.81, "low": 0.79, "high": 0.83, "k": 10, "queries": 500, "queries_of": "text", "within": 0.9}
    facts = {"rows": 7, "factory": "PQ8x4fs", "parameters": {"k_factor": 1600}, "recall": recall | {"target": 0.95}}
    assert describe_index(facts) == (
        "7 vectors, PQ8x4fs, k_factor 1600: finds 81.0% [79.0%, 83.0%] of the exact 10 nearest for 500 text queries, "
        "90.0% for queries of its own kind; the target of 95.0% was out of reach"
    )


def test_an_index_built_before_there_were_intervals_is_described_all_the_same() -> None:
    recall = {"recall": 0.96, "k": 10, "queries": 500, "queries_of": "text"}
    facts = {"rows": 7, "factory": "IVF2,Flat", "parameters": {"nprobe": 1}, "recall": recall}
    assert describe_index(facts).endswith("nprobe 1: finds 96.0% of the exact 10 nearest for 500 text queries")
