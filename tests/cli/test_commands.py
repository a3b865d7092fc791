"""The command line as a user meets it: help that helps, one line for what goes wrong, nothing heavy for --help."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.cli import main, parser
from retrieval.cli.command_parser import subparsers
from retrieval.indexer.encode import encode
from retrieval.indexer.progress import Bar, Lines
from retrieval.indexes.build import build
from tests.doubles import COLOUR_ENCODER, ColourEncoder

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(subparsers(parser()))


@pytest.fixture
def index(colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built index whose encoder the commands find under its name."""
    encode(colour_folder, tmp_path / "index", COLOUR_ENCODER, shard_size=6)
    build(tmp_path / "index")
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    return tmp_path / "index"


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that a refused command prints."""
    assert main(argv) == 2
    printed = capsys.readouterr().err.strip().splitlines()
    assert printed[-1].startswith("retrieval: ")
    assert "Traceback" not in "".join(printed)
    return printed[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_stands_in_the_list_of_commands(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  retrieval {name} " in capsys.readouterr().out
    assert f"retrieval {name}" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_help_and_a_plain_import_load_nothing_heavy() -> None:
    script = (
        "import sys, retrieval\nfrom retrieval.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'faiss', 'open_clip', 'transformers', 'pyarrow', 'numpy', 'PIL', 'filelock'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "retrieval", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("retrieval ")


def test_a_search_prints_rank_score_figure_file_and_caption(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["search", str(index), "a red thing", "-k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a red thing"
    assert lines[1].split() == ["rank", "score", "percentile", "figure", "file", "caption"]
    assert lines[2].split()[0] == "1"
    assert "a red field, number 0" in lines[2]
    assert len(lines) == 4


def test_json_output_is_one_object_a_hit_for_every_query_in_order(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("blue\n\n  green \n"))
    assert main(["search", str(index), "--queries", "-", "--json", "-k", "2", "--for", "captions"]) == 0
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(hit["query"], hit["rank"]) for hit in hits] == [("blue", 1), ("blue", 2), ("green", 1), ("green", 2)]
    assert hits[0]["modality"] == "text"
    assert "blue" in hits[0]["caption"]
    assert set(hits[0]) >= {"figure_id", "score", "captions", "article_id", "source_uri", "metadata"}
    assert "thumbnail" not in hits[0]


def test_html_output_is_a_page_with_query_pictures_and_hits(index: Path, colour_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    picture = str(colour_folder / "001.png")
    assert main(["search", str(index), "red", "--image", picture, "--figure", "002", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") > 20
    assert "http" not in text.replace("http-equiv", "")


def test_where_clauses_restrict_the_answers(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(index), "red", "--where", "figure_id in 008,016", "--json"]) == 0
    found = {json.loads(line)["figure_id"] for line in capsys.readouterr().out.splitlines()}
    assert found == {"008", "016"}


def test_evaluate_prints_both_directions_and_writes_json_and_trec(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, trec = tmp_path / "report.json", tmp_path / "trec"
    assert main(["evaluate", str(index), "--json", str(report), "--trec", str(trec), "--resamples", "50"]) == 0
    printed = capsys.readouterr().out
    assert "18 queries, pool of 20" in printed
    assert "hit_rate@10" in printed
    assert json.loads(report.read_text())["directions"]["i2t"]["gallery"] == 18
    assert sorted(path.name for path in trec.iterdir()) == ["i2t.qrels", "i2t.run", "t2i.qrels", "t2i.run"]


def test_info_and_verify_tell_what_an_index_is(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(index)]) == 0
    assert "20, of which 0 skipped, in 4 shards" in capsys.readouterr().out
    assert main(["info", str(index), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == 20
    assert main(["verify", str(index)]) == 0
    assert "is whole" in capsys.readouterr().out


def test_index_encodes_builds_and_says_what_it_left_out(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    (colour_folder / "003.png").write_bytes(b"")
    assert main(["index", str(colour_folder), str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert "20 figures in 1 shards (0 from before): 19 images" in printed
    assert "skipped 1: image is empty" in printed
    assert "seconds by stage (prepare summed over" in printed
    assert "limited the run" in printed
    assert main(["index", str(colour_folder), str(tmp_path / "new")]) == 0
    assert "(1 from before)" in capsys.readouterr().out


def test_every_command_says_how_long_captions_were_read(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    long = "red " * 17
    (colour_folder / "000.txt").write_text(long)
    outcomes = {"truncate": "were cut", "chunk": "were read in windows"}
    for policy, outcome in outcomes.items():
        index = str(tmp_path / policy)
        said = f"1 of 18 captions (5.6%) are longer than the encoder reads and {outcome}"
        assert main(["index", str(colour_folder), index, "--long-captions", policy]) == 0
        assert said in capsys.readouterr().out
        assert main(["info", index]) == 0
        assert f"{said} ({policy})" in capsys.readouterr().out
        assert main(["info", index, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["long_captions"]["policy"] == policy
        assert main(["evaluate", index, "--resamples", "0"]) == 0
        assert f"index: {said} ({policy})" in capsys.readouterr().out
        asked = tmp_path / "queries.txt"
        asked.write_text(f"{long}\nred\n{long} blue\n")
        assert main(["search", index, "--queries", str(asked), "-k", "1"]) == 0
        warned = capsys.readouterr().err
        assert warned.count("2 of 3 queries are longer than the encoder reads") == (policy == "truncate")
    said = refusal(capsys, "encode", str(colour_folder), str(tmp_path / "chunk"))
    assert "begun with --long-captions chunk, not truncate" in said


class CaptionsOnly(ColourEncoder):
    reads_images = False


def test_an_encoder_that_reads_captions_only_is_told_of_once_and_searched_with_words(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", f"{__name__}:CaptionsOnly")
    index = str(tmp_path / "index")
    assert main(["index", str(colour_folder), index, "--max-skips", "10%"]) == 0
    printed = capsys.readouterr().out
    assert "0 images and 18 captions encoded, 2 figures skipped" in printed
    assert printed.count("left out 18: image, as the encoder reads captions only") == 1
    assert main(["search", index, "blue", "-k", "1"]) == 0
    assert "a blue field" in capsys.readouterr().out
    picture = str(colour_folder / "000.png")
    assert "reads captions only; ask with words" in refusal(capsys, "search", index, "--image", picture)
    assert "holds captions only" in refusal(capsys, "evaluate", index)


def test_too_many_skips_fail_with_the_reasons(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    for number in range(3):
        (colour_folder / f"{number:03d}.png").write_bytes(b"\x89PNG")
    said = refusal(capsys, "index", str(colour_folder), str(tmp_path / "new"))
    assert "3 of 20 figures cannot be read (3 " in said
    assert "--max-skips" in said
    assert main(["index", str(colour_folder), str(tmp_path / "new"), "--max-skips", "15%"]) == 0


Arguments = Callable[[Path, Path], list[str]]
WRONG: dict[str, tuple[Arguments, str]] = {
    "no such source": (
        lambda index, tmp: ["index", str(tmp / "nowhere"), str(tmp / "x"), "--encoder", "starter"],
        "nowhere",
    ),
    "an empty source": (
        lambda index, tmp: ["index", str(tmp / "empty"), str(tmp / "x"), "--encoder", "starter"],
        "empty",
    ),
    "no index": (lambda index, tmp: ["search", str(tmp / "nowhere"), "red"], "not an index"),
    "nothing asked": (lambda index, tmp: ["search", str(index)], "nothing to search for"),
    "an empty text": (lambda index, tmp: ["search", str(index), " "], "empty"),
    "no such image": (
        lambda index, tmp: ["search", str(index), "--image", str(tmp / "no.png")],
        "no.png: cannot be read",
    ),
    "not an image": (lambda index, tmp: ["search", str(index), "--image", str(index / "plan.json")], "not an image"),
    "no such figure": (lambda index, tmp: ["search", str(index), "--figure", "999"], "999: no such figure"),
    "no such queries file": (
        lambda index, tmp: ["search", str(index), "--queries", str(tmp / "no")],
        "one query a line",
    ),
    "an unknown column": (
        lambda index, tmp: ["search", str(index), "red", "--where", "year>3"],
        "no column year; there are",
    ),
    "a clause that is none": (lambda index, tmp: ["search", str(index), "red", "--where", "year"], "not understood"),
    "an unknown factory": (
        lambda index, tmp: ["build", str(index), "--factory", "Magic"],
        "Magic: not a factory string",
    ),
    "too many lists": (lambda index, tmp: ["build", str(index), "--factory", "IVF64,Flat"], "cannot train 64 lists"),
    "a missing queries corpus": (
        lambda index, tmp: ["evaluate", str(index), "--queries", "missing.csv"],
        "there is no file or folder of that name",
    ),
    "a page in no folder": (
        lambda index, tmp: ["search", str(index), "red", "--html", str(tmp / "no" / "page.html")],
        "choose a place that can be written",
    ),
    "a report in no folder": (
        lambda index, tmp: ["evaluate", str(index), "--json", str(tmp / "no" / "report.json")],
        "choose a place that can be written",
    ),
    "queries that match nothing": (
        lambda index, tmp: ["evaluate", str(index), "--queries", "figure_id=no"],
        "no query of",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_one_line_and_exit_code_2(
    case: str, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    arguments, expected = WRONG[case]
    assert expected in refusal(capsys, *arguments(index, tmp_path))


def test_a_refused_build_leaves_the_old_index_in_use(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal(capsys, "build", str(index), "--factory", "IVF64,Flat")
    assert main(["search", str(index), "red"]) == 0


def test_an_index_that_was_not_built_says_what_to_do(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (index / "index.json").unlink()
    assert f"run: retrieval build {index}" in refusal(capsys, "search", str(index), "red")
    assert main(["build", str(index)]) == 0
    assert main(["search", str(index), "red"]) == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["search", "x", "y", "-k", "0"], "0 is less than 1"),
        (["encode", "x", "y", "--max-skips", "7"], "not between 0 and 1"),
        (["encode", "x", "y", "--shard-size", "many"], "not a whole number"),
        (["encode", "x", "y", "--resize", "stretch"], "invalid choice"),
        (["encode", "x", "y", "--long-captions", "split"], "invalid choice"),
        (["frobnicate"], "frobnicate: no such command; see: retrieval --help"),
    ],
)
def test_wrong_options_are_named(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_named(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = refusal(capsys, "encode", str(colour_folder), str(tmp_path / "file" / "index"), "--encoder", "starter")
    assert "choose a place that can be written" in said


def test_a_full_disk_is_one_sentence(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    with monkeypatch.context() as patched:
        patched.setattr("retrieval.files.os.replace", full)
        assert "the disk is full" in refusal(capsys, "encode", str(colour_folder), str(tmp_path / "new"))
    assert main(["index", str(colour_folder), str(tmp_path / "new")]) == 0


def test_progress_is_plain_lines_in_a_log_and_a_bar_on_a_terminal() -> None:
    log, terminal = io.StringIO(), io.StringIO()
    for progress in (Lines(log), Bar(terminal)):
        progress.start(100, 20)
        progress.advance(80)
        progress.finish()
    assert "20 of 100 figures are there already" in log.getvalue()
    assert "100 of 100 figures" in log.getvalue()
    assert "\r" not in log.getvalue()
    assert "figures/s" in terminal.getvalue()


def test_the_command_line_and_the_library_have_the_same_defaults() -> None:
    """They stand twice because building the command line must not import the library."""
    asked = vars(parser().parse_args(["index", "figures", "out"]))
    library = {
        name: value.default
        for function in (build,)
        for name, value in inspect.signature(function).parameters.items()
        if name in asked and name not in ("max_pixels", "source")
    }
    assert {name: asked[name] for name in library} == library
    assert len(library) == 3


def test_every_command_is_a_module_of_its_own_that_is_named_as_the_command() -> None:
    import retrieval.cli as cli

    modules = {module.__name__.rpartition(".")[2] for module in cli.COMMANDS}
    assert modules == set(COMMANDS) - {"help"}
    assert all(callable(module.declare) for module in cli.COMMANDS)


@pytest.mark.parametrize(
    ("command", "goes_on"),
    [("index", True), ("encode", True), ("build", True), ("search", False), ("info", False)],
)
def test_an_interrupted_command_says_that_it_continues_only_where_it_does(
    command: str,
    goes_on: bool,
    index: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for home in ("indexer.encode.encode", "indexes.build.build", "search.searcher.Searcher"):
        monkeypatch.setattr(f"retrieval.{home}", interrupted)
    monkeypatch.setattr("retrieval.indexes.opened_index.OpenedIndex.__init__", interrupted)
    argv = {"index": ["figures", str(index)], "encode": ["figures", str(index)], "search": [str(index), "red"]}
    assert main([command, *argv.get(command, [str(index)])]) == 130
    said = capsys.readouterr().err
    assert "interrupted" in said
    assert ("run the same command again to continue" in said) == goes_on


def test_figures_without_any_caption_are_told_of(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    for text in colour_folder.glob("*.txt"):
        text.unlink()
    assert main(["encode", str(colour_folder), str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "20 figures have no caption: words find images, but recall cannot be measured" in said
