"""evaluate as a user meets it: the plain table, and what --strata, --against and --report add to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.cli import main
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two indexes of the same figures, `one` and `two`, and `shards` that are not built."""
    folder = tmp_path_factory.mktemp("measuring")
    draw_colours(folder / "figures", 20)
    for name, shard_size in (("one", 20), ("two", 8), ("shards", 20)):
        encode(folder / "figures", folder / name, ColourEncoder(), shard_size=shard_size)
        if name != "shards":
            build(folder / name)
    return folder


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["evaluate", *argv, "--resamples", "20"]) == 0
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["evaluate", *argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("retrieval: ")
    return lines[-1]


def test_strata_and_comparisons_stand_below_the_plain_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = str(folder / "one"), str(folder / "two")
    plain = printed(capsys, one)
    deep = printed(capsys, one, "--strata", "width", "--against", two)
    assert deep.startswith(plain.rstrip())
    more = deep[len(plain) :]
    assert "width  queries  text → image, hit_rate@10  queries  image → text, hit_rate@10" in more
    assert f"one against two: {two}, encoder colours; differences are one minus two" in more
    assert "18 queries that both hold, pool of 20" in more
    assert "text → image  one" in more
    assert more.count("+0.") + more.count(" 0.") > 10


def test_everything_on_the_page_stands_in_the_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, report, numbers = str(folder / "one"), tmp_path / "report.html", tmp_path / "report.json"
    out = printed(capsys, one, "--report", str(report), "--json", str(numbers), "--strata", "width", "height")
    assert out.rstrip().endswith(f"open {report} in a browser to see it drawn")
    found = json.loads(numbers.read_text(encoding="utf-8"))
    plain = json.loads(printed(capsys, one, "--json", "-"))
    assert plain.items() <= found.items()
    assert [column["column"] for column in found["strata"]] == ["width", "height"]
    page = report.read_text(encoding="utf-8")
    for example in found["examples"]["best"] + found["examples"]["worst"]:
        assert f"rank {example['rank']} · " in page
        assert f">{example['asked']['figure_id']}</code>" in page


def test_json_for_a_pipe_is_all_that_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, str(folder / "one"), "--against", str(folder / "two"), "--json", "-"))
    assert found["against"][0]["paired"]["t2i"]["differences"]["mrr"]["queries"] == 18
    assert "examples" not in found


def test_what_cannot_be_shown_is_refused_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = str(folder / "one")
    said = refusal(capsys, one, "--mode", "hybrid", "--report", str(tmp_path / "x.html"))
    assert "leave --mode hybrid out" in said
    assert "no such folder to write into" in refusal(capsys, one, "--report", str(tmp_path / "no" / "x.html"))
    assert "no column colour to make strata of; there are" in refusal(capsys, one, "--strata", "colour")
    assert "run: retrieval build" in refusal(capsys, one, "--against", str(folder / "shards"))


@pytest.mark.slow
def test_a_plain_evaluate_loads_nothing_that_only_a_report_needs(folder: Path) -> None:
    script = (
        "import sys\nfrom retrieval.cli import main\n"
        f"assert main(['evaluate', {str(folder / 'one')!r}, '--resamples', '0']) == 0\n"
        "needless = {'matplotlib', 'retrieval.evaluation.study.study', 'retrieval.pages.report_page'}\n"
        "assert not needless & set(sys.modules), needless & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
