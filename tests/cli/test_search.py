"""search and its options from the command line, and what a question that needs no encoder leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.cli import main
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from tests.conftest import draw_colours
from tests.doubles import COLOUR_ENCODER, COLOURS
from tests.listed import figure, index_of

FIGURES = [figure("red", (250, 10, 10), "250 10 10"), figure("blue", (10, 10, 250), "10 10 250")]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    index_of(tmp_path / "index", FIGURES)
    return tmp_path / "index"


def test_every_row_of_a_file_of_vectors_is_a_question(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "many.npy", np.array([[0, 0, 9], [1, 0, 0]], np.float16))
    np.save(tmp_path / "one.npy", np.array([0.0, 0.0, 1.0]))
    many, one = str(tmp_path / "many.npy"), str(tmp_path / "one.npy")
    assert main(["search", str(index), "--vector", many, "--vector", one, "--json", "-k", "1"]) == 0
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [hit["query"] for hit in hits] == [f"{many} row 0", f"{many} row 1", f"{one} row 0"]
    assert [hit["figure_id"] for hit in hits] == ["blue", "red", "blue"]
    assert main(["search", str(index), "--vector", one, "--html", str(tmp_path / "page.html")]) == 0
    assert "one.npy row 0" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 4)), "the query vector is (4,), the index wants (3,)"),
        (np.zeros((1, 1, 3)), "holds float64 of shape (1, 1, 3); give a .npy file"),
        (np.array(["a"]), "holds <U1 of shape (1,)"),
        (np.array([{}]), "cannot be read as vectors (Object arrays cannot be loaded"),
        (None, "cannot be read as vectors"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused_in_one_line(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], array: np.ndarray | None, said: str
) -> None:
    if array is None:
        (tmp_path / "v.npy").write_bytes(b"no array")
    else:
        np.save(tmp_path / "v.npy", array, allow_pickle=True)
    assert main(["search", str(index), "--vector", str(tmp_path / "v.npy")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_question_by_figure_or_vector_loads_no_encoder(index: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones(3))
    script = (
        "import sys\nfrom retrieval.cli import main\n"
        f"assert main(['search', {str(index)!r}, '--figure', 'red', '--vector', {str(tmp_path / 'v.npy')!r}, "
        "'--where', 'width>0']) == 0\n"
        "heavy = {'torch', 'open_clip', 'transformers', 'torchvision', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    draw_colours(tmp_path / "figures", 16)
    encode(tmp_path / "figures", tmp_path / "colours", COLOUR_ENCODER)
    build(tmp_path / "colours")
    return tmp_path / "colours"


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    assert main(["search", *map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_way_to_ask_and_to_choose_is_an_option(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "figures" / "001.png"
    expression = f'0.9 * "red" + {image} - "blue"'
    hits = asked(capsys, colours, "--combine", expression, "--for", "captions", "-k", 3)
    assert {hit["query"] for hit in hits} == {expression}
    assert hits[0]["figure_id"] == "003"  # red and green are yellow
    assert [hit["percentile"] for hit in hits] == sorted((hit["percentile"] for hit in hits), reverse=True)
    hits = asked(capsys, colours, "number 8", "--mode", "lexical", "-k", 1)
    assert [(hit["figure_id"], hit["percentile"]) for hit in hits] == [("008", None)]
    assert asked(capsys, colours, "blue number 8", "--mode", "hybrid", "-k", 2)[0]["figure_id"] in ("008", "002")
    hits = asked(capsys, colours, "--caption", "000", "--min-percentile", 90)
    assert [hit["figure_id"] for hit in hits] == ["008"]
    assert hits[0]["query"] == "caption of 000"
    assert len(asked(capsys, colours, "--figure", "000", "--unique", "-k", 20)) < 15
    assert len(asked(capsys, colours, "--figure", "000", "--per-article", 1, "--per-figure", "-k", 20)) == 15


def test_a_page_names_the_image_asked_with_but_not_the_folders_it_lies_in(colours: Path, tmp_path: Path) -> None:
    image, page = tmp_path / "figures" / "001.png", tmp_path / "page.html"
    assert main(["search", str(colours), "--image", str(image), "-k", "2", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert ">001.png</h2>" in text
    assert str(image) not in text


def test_percentiles_stand_in_the_table_and_on_the_page(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["search", str(colours), "--figure", "000", "-k", "2", "--html", str(page)]) == 0
    first = capsys.readouterr().out.splitlines()[2]
    assert first.split()[0] == "1"
    assert first.split()[3] == "%"
    assert "nearer than" in page.read_text(encoding="utf-8")
    assert main(["search", str(colours), "absent words", "--mode", "lexical", "--where", "width>0"]) == 0
    said = capsys.readouterr().out
    assert "no caption holds these words, or nothing fulfils the where clauses" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--combine", "a -"], "column 4: expected a term after the sign"),
        (["--combine", "nowhere.png"], "nowhere.png: no such file; quote it if it is meant as text"),
        (["--figure", "000", "--mode", "lexical"], "mode lexical ranks by words, and a query has none"),
        (["--figure", "000", "--min-percentile", "200"], "--min-percentile is 200.0; give one from 0 to 100"),
        ([], "nothing to search for; give a text, --image FILE, --figure ID, --caption ID, --combine EXPR"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    colours: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["search", str(colours), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_modes_are_compared_and_tuned_from_the_command_line(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"{n:03d}", "caption": f"number {n}, {name}"} for n, name in enumerate(2 * list(COLOURS))]
    texts = tmp_path / "texts.jsonl"
    texts.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    evaluate = ["evaluate", str(colours), "--mode", "hybrid"]
    assert main([*evaluate, "--queries", str(texts), "--tune", "--json", str(tmp_path / "report.json")]) == 0
    drawn = capsys.readouterr().out
    assert "hybrid: weight of the vectors" in drawn
    assert "text → text" in drawn
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    kept = json.loads((colours / "fusion.json").read_text(encoding="utf-8"))
    assert kept["dense_weight"] == report["dense_weight"]
    for arguments, said in (
        (evaluate, "give --queries CORPUS"),
        (["evaluate", str(colours), "--tune"], "give --mode hybrid with it"),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
