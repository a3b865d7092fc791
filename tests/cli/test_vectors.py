"""vectors import and export from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.cli import main
from tests.listed import PlainEncoder, figure, index_of

FIGURES = [figure("red", (250, 10, 10), "250 10 10"), figure("blue", (10, 10, 250), "10 10 250", "1 1 200")]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for home in ("retrieval.search.searcher", "retrieval.indexer.import_vectors"):
        monkeypatch.setattr(f"{home}.load_encoder", lambda *_, **__: PlainEncoder())
    index_of(tmp_path / "index", FIGURES)
    return tmp_path / "index"


def test_an_index_goes_out_and_comes_back_and_is_asked_with_words(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, captions, back = (str(tmp_path / name) for name in ("images.parquet", "captions", "back"))
    assert main(["vectors", "export", str(index), images, "--of", "images", "--columns", "figure_id,width"]) == 0
    assert main(["vectors", "export", str(index), captions, "--of", "captions", "--as", "npy"]) == 0
    printed = capsys.readouterr().out
    assert f"wrote 2 vectors of images to {images}" in printed
    assert f"wrote 3 vectors of captions to {captions}" in printed
    assert pq.read_schema(images).names == ["figure_id", "width", "image_embedding"]
    assert main(["vectors", "import", images, captions, back, "--encoder", "plain"]) == 0
    printed = capsys.readouterr().out
    assert "5 rows in 2 shards (0 from before): 2 images and 3 captions of encoder plain, 0 rows skipped" in printed
    assert f"build it: retrieval build {back}" in printed
    assert main(["build", back]) == 0
    assert main(["info", back]) == 0
    assert "(vectors)" in capsys.readouterr().out
    assert main(["search", back, "9 9 240", "-k", "1"]) == 0
    assert "blue" in capsys.readouterr().out
    assert main(["search", back, "9 9 240", "-k", "1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["source_uri"] == ""
    assert main(["search", back, "9 9 240", "--format", "paths"]) == 0
    out, err = capsys.readouterr()
    assert (out, "2 hits name no file" in err) == ("", True)


def test_what_was_left_out_and_an_encoder_that_is_not_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = pa.array([[1.0, 0.0], None, [0.0, 0.0]], pa.list_(pa.float32()))
    table = pa.table({"id": ["a", "b", "c"], "boxes": [[1], [2], [3]], "v": vectors})
    pq.write_table(table, tmp_path / "t.parquet")
    argv = ["vectors", "import", str(tmp_path / "t.parquet"), str(tmp_path / "i"), "--encoder", "nothing"]
    argv += ["--image-embedding", "v", "--max-skips", "100%"]
    assert main(argv) == 0
    printed = capsys.readouterr().out
    assert "1 images and 0 captions of encoder nothing, 2 rows skipped" in printed
    assert "skipped 1: embedding is zero" in printed
    assert "columns left out, bytes or nested: boxes" in printed
    assert "words will be asked unchecked, as the encoder cannot be opened here: nothing: no such encoder" in printed


def test_a_refused_import_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "import", str(tmp_path / "t.parquet"), str(tmp_path / "i"), "--encoder", "starter"]) == 2
    assert capsys.readouterr().err.startswith(f"retrieval: {tmp_path / 't.parquet'}: no such file; give Parquet")
    assert not (tmp_path / "i").exists()
