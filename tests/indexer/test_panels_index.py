"""The panels' index follows its figures in the library, not only on the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import retrieval
from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.errors import QueryError, StaleIndexError
from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexer.panels_index import FOLLOWED, orphans
from retrieval.indexer.remove import remove
from retrieval.indexes.build import build
from retrieval.indexes.verify import verify
from retrieval.shards.reader import Shards
from tests.corpora.panels.sheets import compound
from tests.doubles import ColourEncoder


def put(folder: Path, name: str, *colours: str) -> None:
    figure = compound(name, *colours)
    assert figure.image is not None
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").write_bytes(figure.image)
    (folder / f"{name}.txt").write_text(figure.captions[0])


class PowerCut(Exception):
    """Stands for a kill: nothing after it happens."""


def power_cut(*_: object) -> None:
    raise PowerCut


@pytest.fixture
def source(tmp_path: Path) -> Path:
    put(tmp_path / "source", "a", "red", "blue")
    put(tmp_path / "source", "c", "yellow", "cyan", "magenta")
    return tmp_path / "source"


def panels(index: Path) -> set[str]:
    return set(Shards(index / PANELS).columns("images", ["figure_id"])["figure_id"].to_pylist())


def test_panels_follow_their_figures_through_every_verb_of_python(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    index = retrieval.index(source, folder, encoder=ColourEncoder(), panels=True, progress=False)
    assert panels(folder) == {"a#A", "a#B", "c#A", "c#B", "c#C"}
    put(source, "d", "black", "red")
    index.add(source, progress=False)
    assert panels(folder) >= {"d#A", "d#B"}
    (hit,) = index.search("black", panels=True, k=1)
    assert (hit.figure_id, hit.panel) == ("d", "A")
    index.remove("d", progress=False)
    assert not {"d#A", "d#B"} & panels(folder)
    index.verify()
    assert orphans(folder) == set()


def test_verify_tells_of_panels_whose_figure_is_gone_and_build_withdraws_them(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"
    retrieval.index(source, folder, encoder=ColourEncoder(), panels=True, progress=False)
    with monkeypatch.context() as killed:
        killed.setattr("retrieval.indexer.remove.withdraw_orphans", lambda *_: 0)  # killed before the panels' step
        remove(folder, ["c"])
        killed.setattr("retrieval.indexes.build.withdraw_orphans", lambda *_: 0)
        build(folder)
    assert orphans(folder) == {"c#A", "c#B", "c#C"}
    with pytest.raises(StaleIndexError, match="3 panels, such as c#A, are of figures that were removed"):
        verify(folder)
    build(folder)
    verify(folder)
    assert panels(folder) == {"a#A", "a#B"}


@pytest.mark.parametrize("named", [{"figures": ["c"]}, {"figures": "c"}, {"articles": ["c"]}])
def test_a_removal_that_was_killed_behind_its_step_is_called_again_as_it_was(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, list[str]]
) -> None:
    folder = tmp_path / "index"
    rows = [{"image": str(source / f"{n}.png"), "caption": f"{n}", "figure_id": n, "article_id": n} for n in "ac"]
    encode(rows, folder, ColourEncoder(), panels=True)
    build(folder)
    with monkeypatch.context() as killed:
        killed.setattr("retrieval.indexer.remove.withdraw_orphans", lambda *_: 0)
        assert remove(folder, **named).figures == 1  # type: ignore[arg-type]
    assert remove(folder, **named).change is None  # type: ignore[arg-type]
    assert orphans(folder) == set()
    build(folder)
    verify(folder)
    with pytest.raises(QueryError, match="no figure 'x'"):
        remove(folder, ["x"])


def test_a_figure_that_is_not_among_those_withdrawn_last_is_still_missing(source: Path, tmp_path: Path) -> None:
    encode(source, tmp_path / "i", ColourEncoder())
    remove(tmp_path / "i", ["a"])
    with pytest.raises(QueryError, match="no figure 'a', 'b'; nothing was removed"):
        remove(tmp_path / "i", ["a", "b"])
    add(tmp_path / "i", source, ColourEncoder())
    with pytest.raises(QueryError, match="no figure 'x'"):
        remove(tmp_path / "i", ["x"])


def test_an_addition_killed_before_its_panels_is_told_and_the_same_call_mends_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "index"
    retrieval.index(source, folder, encoder=ColourEncoder(), panels=True, progress=False)
    put(tmp_path / "more", "d", "black", "red")
    put(tmp_path / "other", "e", "green", "blue")
    with monkeypatch.context() as killed:
        killed.setattr("retrieval.indexer.add.panels_of", power_cut)
        with pytest.raises(PowerCut):
            add(folder, tmp_path / "more", ColourEncoder())
    lags = f"panels of step 1 were not looked for.*retrieval add {folder} {tmp_path / 'more'}$"
    retrieval.build(folder, progress=False)
    assert any(re.search(lags, line) for line in caplog.messages)
    with pytest.raises(StaleIndexError, match=lags):
        verify(folder)
    with retrieval.open(folder, encoder=ColourEncoder()) as index:
        index.add(tmp_path / "other", progress=False)  # another addition does not hide it
        with pytest.raises(StaleIndexError, match=lags):
            index.verify()
        assert index.add(tmp_path / "more", progress=False).change is None
        index.verify()
        (hit,) = index.search("black", panels=True, k=1)
    assert (hit.figure_id, hit.panel) == ("d", "A")
    assert panels(folder) == {"a#A", "a#B", "c#A", "c#B", "c#C", "d#A", "d#B", "e#A", "e#B"}


def test_a_newer_version_of_the_whole_source_looks_for_all_panels(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"
    retrieval.index(source, folder, encoder=ColourEncoder(), panels=True, progress=False)
    put(source, "d", "black", "red")
    with monkeypatch.context() as killed:
        killed.setattr("retrieval.indexer.add.panels_of", power_cut)
        with pytest.raises(PowerCut):
            add(folder, source, ColourEncoder())
    put(source, "e", "green", "blue")
    shutil.copytree(source, tmp_path / "moved")
    add(folder, tmp_path / "moved", ColourEncoder(), sync=True)
    build(folder)
    verify(folder)
    assert panels(folder) >= {"d#A", "e#B"}


def test_an_index_from_before_steps_were_followed_lacks_none(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    retrieval.index(source, folder, encoder=ColourEncoder(), panels=True, progress=False)
    put(source, "d", "black", "red")
    add(folder, source, ColourEncoder())
    (folder / PANELS / FOLLOWED).unlink()
    build(folder)
    verify(folder)
