"""The command line as people type it: any order, several words, misspelt names, quiet and loud, other formats."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.cli import main, parser
from retrieval.cli.command_parser import subparsers
from retrieval.cli.completion import script
from retrieval.files import read_lines
from tests.conftest import draw_colours

ENCODER = "tests.doubles:ColourEncoder"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    draw_colours(folder / "figures", 8)
    assert main(["index", str(folder / "figures"), str(folder / "index"), "--encoder", ENCODER, "-q"]) == 0
    return folder / "index"


def found(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["figure_id"] for line in capsys.readouterr().out.splitlines()]


def test_options_and_words_stand_in_any_order_and_all_words_are_one_query(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = None
    for words in (
        ["search", str(index), "a", "red", "field", "-k", "3", "--json"],
        ["search", str(index), "-k", "3", "--json", "a red field"],
        ["search", "-k", "3", str(index), "a red", "--json", "field"],
        ["search", "--json", "-k3", str(index), "a", "red", "field"],
    ):
        assert main(words) == 0
        hits = found(capsys)
        assert len(hits) == 3
        expected = expected or hits
        assert hits == expected
    assert main(["evaluate", "--resamples", "0", str(index), "-k", "1"]) == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["serch", "x"], "serch: no such command; did you mean search?"),
        (["search", "x", "y", "--jsno"], "--jsno: not understood; did you mean --json?"),
        (["search", "x", "y", "--mdoe=dense"], "--mdoe=dense: not understood; did you mean --mode?"),
        (["help", "evalute"], "evalute: no such command; did you mean evaluate?"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_retrieval_alone_prints_its_help_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "usage: retrieval" in text
    assert "2    a request that cannot be met" in text
    assert main(["help", "search"]) == 0
    assert "usage: retrieval search" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["-V"])
    assert stopped.value.code == 0


def test_a_percent_sign_is_one_in_every_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in subparsers(parser()):
        assert main(["help", name]) == 0
        text = capsys.readouterr().out
        assert "%%" not in text
        assert "?." not in text


def test_quiet_says_results_only_and_no_progress_shows_none(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = str(index.parent / "figures")
    assert main(["-q", "encode", figures, str(tmp_path / "a"), "--encoder", ENCODER]) == 0
    assert capsys.readouterr().err == ""
    assert main(["build", str(tmp_path / "a"), "--no-progress"]) == 0
    said = capsys.readouterr().err
    assert "checking 1 shards" in said
    assert "a second" not in said


def test_other_formats_than_the_table(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(index), "red", "-k", "2", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["query"] == "red"
    assert main(["search", str(index), "red", "-k", "2", "--format", "paths"]) == 0
    paths = capsys.readouterr().out.splitlines()
    assert len(paths) == 2
    assert all(Path(path).is_file() for path in paths)
    assert main(["search", str(index), "red", "-k", "1", "--json", "--thumbnails"]) == 0
    assert json.loads(capsys.readouterr().out)["thumbnail"]


def test_the_encoder_of_the_environment_is_the_default(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", ENCODER)
    assert main(["encode", str(index.parent / "figures"), str(tmp_path / "a")]) == 0
    assert json.loads((tmp_path / "a" / "plan.json").read_text())["encoder"] == ENCODER


def test_a_place_in_no_folder_is_named_as_it_was_typed(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(index), "red", "--html", "/nowhere/a.html"]) == 2
    said = capsys.readouterr().err
    assert "/nowhere: no such folder" in said
    assert ".tmp" not in said


def test_bash_completes_commands_and_options() -> None:
    code = script(parser(), "bash") + (
        'COMP_WORDS=(retrieval eval); COMP_CWORD=1; _retrieval; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(retrieval search idx --per-a); COMP_CWORD=3; _retrieval; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(retrieval encoders che); COMP_CWORD=2; _retrieval; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["evaluate", "--per-article", "check"]


def test_every_shell_knows_every_command() -> None:
    for shell in ("bash", "zsh", "fish"):
        text = script(parser(), shell)
        assert all(name in text for name in subparsers(parser()))


@pytest.mark.parametrize(
    "data",
    [b"a\nb\n", b"\xef\xbb\xbfa\r\nb\r\n", b"  a \n\n b\t", "a\nb".encode("utf-16"), b"a\rb"],
    ids=["plain", "Excel", "blanks", "UTF-16", "old Mac"],
)
def test_ids_from_a_file_are_read_as_any_program_writes_them(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(data)
    assert read_lines(path) == ["a", "b"]


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "retrieval"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "usage: retrieval" in done.stdout
