"""The names that users import, and the story that they tell with them."""

from __future__ import annotations

import ast
import pydoc
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import retrieval
from tests.doubles import ColourEncoder

PACKAGE = Path(retrieval.__file__).parent


def names_for_type_checkers() -> set[str]:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.asname or "" for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_dir_lists_the_public_names_and_type_checkers_see_the_same() -> None:
    public = {name for name in dir(retrieval) if not name.startswith("_")}
    assert public == names_for_type_checkers()
    assert {"Index", "index", "open", "load_encoder", "classify", "connect", "RetrievalError", "Hit"} <= public
    for name in public:
        assert getattr(retrieval, name) is not None


def test_every_error_is_a_name_of_the_package_and_a_retrieval_error() -> None:
    import retrieval.errors as errors

    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert defined <= set(dir(retrieval))
    assert all(issubclass(getattr(retrieval, name), retrieval.RetrievalError) for name in defined)


def test_other_names_are_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute clip"):
        retrieval.clip  # noqa: B018


def test_help_fits_a_screen() -> None:
    text = pydoc.plain(pydoc.render_doc(retrieval))
    assert len(text.splitlines()) <= 64
    assert "index.search(image=" in text


@pytest.mark.parametrize(
    "module",
    [
        *("retrieval", "retrieval.api", "retrieval.server.client", "retrieval.indexer.encode", "retrieval.indexer.add"),
        *("retrieval.evaluation", "retrieval.evaluation.evaluate", "retrieval.evaluation.study.study"),
        *("retrieval.search.searcher", "retrieval.classification.classify", "retrieval.export.export_figures"),
    ],
)
def test_importing_it_loads_neither_torch_nor_faiss(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'faiss', 'open_clip', 'fastapi'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_change_that_was_stopped_before_its_build_is_built_by_the_next(colour_folder: Path, tmp_path: Path) -> None:
    index = retrieval.index(colour_folder, tmp_path / "index", encoder=ColourEncoder(), progress=False)
    index.remove("000", build=False)
    with pytest.raises(retrieval.StaleIndexError, match="run: retrieval build"):
        len(index)
    assert index.remove("000", progress=False).change is None  # as after a kill: the step is there, the build is not
    assert len(index) == 19
    index.add(colour_folder, build=False, progress=False)
    assert index.add(colour_folder, progress=False).change is None
    assert len(index) == 20


def test_measuring_and_exporting_read_what_is_open(colour_folder: Path, tmp_path: Path) -> None:
    index = retrieval.index(colour_folder, tmp_path / "index", encoder=ColourEncoder(), progress=False)
    (tmp_path / "index" / "index.json").unlink()
    with pytest.raises(retrieval.StaleIndexError):
        retrieval.open(tmp_path / "index")  # it could not be opened again
    assert index.evaluate(resamples=0).directions
    assert index.export(tmp_path / "out.csv").figures == 20
    assert index.search("a red field")[0].thumbnail is not None  # a table without pictures leaves the index as it was


def test_an_index_is_made_searched_measured_and_changed(colour_folder: Path, tmp_path: Path) -> None:
    index = retrieval.index(colour_folder, tmp_path / "index", encoder=ColourEncoder(), progress=False)
    assert len(index) == index.images == 20
    assert index.captions < 20
    assert "figure_id" in index.columns
    assert repr(index).startswith(f"Index {tmp_path / 'index'}: 20 figures, 20 images")
    assert "20 figures" in index._repr_html_()
    assert '<td dir="auto">figure_id</td>' in index._repr_html_()
    best = index.search("a red field", k=3)
    assert [hit.rank for hit in best] == [1, 2, 3]
    assert [answer[0].figure_id for answer in index.search_many(["a red field"])] == [best[0].figure_id]
    assert index.vectors("image").shape == (20, index.encoder.dim)
    assert len(index.ids("image")) == 20
    report = index.evaluate(resamples=0)
    assert set(report.directions) == {"t2i", "i2t"}
    index.remove("000", progress=False)
    assert len(index) == 19
    with pytest.raises(retrieval.QueryError, match="000: no such figure"):
        index.figure("000")
    added = index.add(colour_folder, progress=False)
    assert added.figures["added"] == 1
    assert index.figure("000").captions == ("a red field, number 0",)
    index.verify()
    assert index.export(tmp_path / "out.csv").figures == 20


def test_rows_of_python_are_a_corpus(colour_folder: Path, tmp_path: Path) -> None:
    rows = [{"image": str(path), "caption": path.stem} for path in sorted(colour_folder.glob("*.png"))[:5]]
    for number, source in enumerate((rows, pa.Table.from_pylist(rows))):
        index = retrieval.index(source, tmp_path / str(number), encoder=ColourEncoder(), progress=False)
        assert (len(index), index.captions) == (5, 5)


def test_a_closed_index_opens_again_where_it_is_asked(colour_folder: Path, tmp_path: Path) -> None:
    retrieval.index(colour_folder, tmp_path / "index", encoder=ColourEncoder(), progress=False)
    with retrieval.open(tmp_path / "index", encoder=ColourEncoder()) as index:
        assert len(index.search("a red field")) == 10
    assert "closed" in repr(index)
    assert len(index.search("a red field", k=2)) == 2


def test_a_folder_that_is_no_index_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(retrieval.RetrievalError, match=r"nothing here|no such|no index|plan\.json"):
        retrieval.open(tmp_path)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(retrieval.RetrievalError, match="cannot be reached"):
        retrieval.connect("http://127.0.0.1:9")
    with pytest.raises(retrieval.QueryError, match="not the address of a server"):
        retrieval.connect("indexes/mine")
