"""search by a vector from the command line, and what a question that needs no encoder leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.cli import main
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
