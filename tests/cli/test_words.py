"""The command line as people type it: any order, several words, misspelt names, quiet and loud, other formats."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.cli import main, parser
from retrieval.cli.command_parser import subparsers
from retrieval.cli.completion import script
from retrieval.files import read_lines
from tests.conftest import draw_colours

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("eval", ["evaluate"]),
        ("search idx --per-a", ["--per-article"]),
        ("encoders che", ["check"]),
        ("encoders check --trust", ["--trust-torchscript"]),
        ("-q encoders check --prec", ["--precision"]),
        ("search idx red --mode l", ["lexical"]),
        ("evaluate idx --mode ", ["dense", "hybrid"]),
        ("vectors ", ["import", "export"]),
        ("info tests/conf", ["tests/conftest.py"]),
        ("serch ", None),
    ],
)
def test_bash_completes_commands_options_and_their_values(words: str, found: list[str] | None) -> None:
    typed = ["retrieval", *words.split(" ")]
    lines = (
        script(parser(), "bash"),
        f"COMP_WORDS=({' '.join(word or repr('') for word in typed)})",
        f"COMP_CWORD={len(typed) - 1}; _retrieval; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    )
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""
    if found is not None:
        assert done.stdout.split() == found


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


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["search"], "retrieval search: the following arguments are required: INDEX; see: retrieval search --help"),
        (["search", "x", "--mode", "lexcal"], "did you mean lexical?"),
        (["encoders", "chek"], "chek: no such action; did you mean check?"),
        (["evaluate", "x", "y"], "y: one word too many"),
    ],
)
def test_words_that_are_not_understood_are_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(argv)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_several_quoted_texts_are_one_query_and_that_is_said(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(index), "a red field", "a blue field", "-k", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["query"] == "a red field a blue field"
    assert "several are asked with --queries FILE" in printed.err


def test_words_behind_two_dashes_are_no_options(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(index), "-k", "1", "--json", "--", "-k"]) == 0
    assert json.loads(capsys.readouterr().out)["query"] == "-k"


def test_errors_name_options_as_they_are_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("one,two\n1,2\n")
    assert main(["encode", str(tmp_path / "table.csv"), str(tmp_path / "out"), "--encoder", ENCODER]) == 2
    said = capsys.readouterr().err
    assert "name them with --image-column and --caption-column" in said


def test_a_path_in_an_error_is_left_as_it_is() -> None:
    command = subparsers(parser())["encode"]
    assert command.with_flags("/tmp/image_root/x: image_root is gone") == "/tmp/image_root/x: --image-root is gone"


def test_an_address_is_not_downloaded_and_stays_as_it_was_typed(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", str(index), "--image", "https://example.org/x.png"]) == 2
    assert "https://example.org/x.png: only files on this machine are read" in capsys.readouterr().err


def test_every_file_that_was_written_is_named(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, trec = tmp_path / "r.json", tmp_path / "trec"
    argv = ["evaluate", str(index), "--resamples", "0", "--json", str(report), "--trec", str(trec)]
    assert main(argv) == 0
    said = capsys.readouterr().err
    assert f"wrote {report}" in said
    assert f"wrote run and qrels files into {trec}" in said
    assert main(["-q", *argv]) == 0
    assert capsys.readouterr().err == ""


def test_more_is_said_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nowhere", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert main(["info", "nowhere"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_metadata_stands_in_columns_of_its_own_in_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"image": "a.png", "caption": "red, flat", "year": 1999, "rank": "major"},
        {"image": "b.png", "caption": "blue", "year": 2020, "rank": "captain"},
    ]
    draw_colours(tmp_path / "drawn", 2)
    (tmp_path / "drawn" / "000.png").rename(tmp_path / "a.png")
    (tmp_path / "drawn" / "001.png").rename(tmp_path / "b.png")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    index = str(tmp_path / "out")
    assert main(["index", str(tmp_path / "t.jsonl"), index, "--encoder", ENCODER, "-q"]) == 0
    capsys.readouterr()
    assert main(["search", index, "red", "--format", "csv"]) == 0
    found = {row["source_uri"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert {uri.rpartition("/")[2]: row["metadata.rank"] for uri, row in found.items()} == {
        "a.png": "major",
        "b.png": "captain",
    }
    assert {row["year"] for row in found.values()} == {"1999", "2020"}
    assert main(["search", index, "red", "--format", "paths"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("words", "found"),
    [("sea", "search"), ("search idx --per-a", "--per-article"), ("search idx --mode le", "lexical")],
)
def test_fish_completes_commands_options_and_their_values(words: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "retrieval.fish").write_text(script(parser(), "fish"), encoding="utf-8")
    command = f"source {tmp_path / 'retrieval.fish'}; complete -C 'retrieval {words}'"
    done = subprocess.run(["fish", "--no-config", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split("\t")[0] == found


def test_exit_codes_and_the_environment_are_the_same_in_help_and_documents(capsys: pytest.CaptureFixture[str]) -> None:
    document = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert main([]) == 0
    help = capsys.readouterr().out
    for code in ("0", "1", "2", "130"):
        assert f"| {code} |" in document
        assert f"\n  {code} " in help
    assert "RETRIEVAL_ENCODER" in help
    assert "`RETRIEVAL_ENCODER`" in document


def test_a_clause_that_nothing_fulfils_is_answered_with_the_values_there_are(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", str(index), "red", "--where", "source_uri=000.PNG"]) == 0
    out = capsys.readouterr().out
    assert "nothing fulfils the where clauses (no figure has source_uri '000.PNG'; nearest: '000.png' (1))" in out
    assert main(["export", str(index), str(tmp_path / "out.csv"), "--where", "source_uri in 000.PNG,x"]) == 2
    said = capsys.readouterr().err
    assert (
        "no figure is left to export (no figure has source_uri '000.PNG' or 'x'; nearest: '000.png' (1)); ask" in said
    )
