"""Derived files brought up to date after a change: trained and measured again only where enough is different."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.files import read_json
from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexer.remove import remove
from retrieval.indexes import build as build_module
from retrieval.indexes import measured_recall
from retrieval.indexes import train as filling
from retrieval.indexes.build import build, rebuild
from retrieval.indexes.exact import search_rows
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.verify import verify
from retrieval.shards.vectors import unit
from retrieval.types import Figure
from tests.indexes.test_build import PowerCut, Random
from tests.listed import ListedCorpus, figure

FACTORY = "IVF16,PQ8x4fsr"


def numbered(numbers: Sequence[int]) -> list[Figure]:
    return [figure(f"f{n:03d}", (n // 200, n % 200, 7), f"{n // 200} {n % 200} 7") for n in numbers]


@pytest.fixture(scope="module")
def four_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "i"
    encode(ListedCorpus(numbered(range(400))), folder, Random(), shard_size=256, thumbnail=0)
    build(folder, factory=FACTORY, target_recall=0.9)
    return folder


@pytest.fixture
def built(four_hundred: Path, tmp_path: Path) -> Path:
    """An index that the test may change."""
    return Path(shutil.copytree(four_hundred, tmp_path / "i"))


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("not this time")


def change(folder: Path, gone: int, new: int) -> None:
    if gone:
        remove(folder, [f"f{n:03d}" for n in np.random.default_rng(0).permutation(400)[:gone]])
    if new:
        add(folder, ListedCorpus(numbered(range(400, 400 + new))), Random())


def test_after_a_small_change_nothing_is_trained_and_recall_holds(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(built, gone=40, new=30)
    monkeypatch.setattr(filling, "_trained", refuse)
    facts = rebuild(built)
    monkeypatch.undo()
    verify(built)
    anew = built.parent / "anew"
    numbers = sorted(int(name[1:]) for name in names(built))
    encode(ListedCorpus(numbered(numbers)), anew, Random(), shard_size=256, thumbnail=0)
    other = build(anew, factory=FACTORY, target_recall=0.9)
    for kind in ("image", "text"):
        assert (facts[kind]["factory"], facts[kind]["rows"]) == (FACTORY, 390)
        assert (facts[kind]["trained_on"], facts[kind]["changed"]) == (400, 70)
        assert facts[kind]["recall"]["recall"] >= min(0.9, other[kind]["recall"]["recall"]) - 0.02
    index, stored = OpenedIndex(built).index("image"), OpenedIndex(built).vectors("image")
    queries = unit(np.asarray(OpenedIndex(built).vectors("text")[::7]))
    exact = search_rows(queries, stored, 10).rows
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(index.search(queries, 10).rows, exact, strict=True)]
    assert np.mean(shares) > 0.85


def names(folder: Path) -> list[str]:
    ids: list[str] = OpenedIndex(folder).shards.columns("images", ["figure_id"])["figure_id"].to_pylist()
    return ids


def test_after_a_very_small_change_nothing_is_measured_either(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_json(built / "index.json")
    monkeypatch.setattr(filling, "_trained", refuse)
    monkeypatch.setattr(measured_recall, "tune", refuse)
    for number in (1, 2):
        remove(built, [f"f{number:03d}"])
        facts = rebuild(built)
        for kind in ("image", "text"):
            assert facts[kind]["parameters"] == before[kind]["parameters"]
            assert facts[kind]["tuning"] == before[kind]["tuning"]
            assert facts[kind]["recall"] == before[kind]["recall"] | {"changed": number}
    verify(built)
    change(built, gone=0, new=3)
    with pytest.raises(AssertionError, match="not this time"):
        rebuild(built)


def test_another_target_is_measured_however_little_changed(built: Path) -> None:
    remove(built, ["f001"])
    assert build(built, factory=FACTORY, target_recall=0.5)["image"]["recall"]["target"] == 0.5


@pytest.mark.parametrize(("gone", "new", "factory"), [(150, 0, FACTORY), (60, 70, FACTORY), (1, 0, "IVF8,PQ8x4fsr")])
def test_after_a_great_change_or_for_another_factory_it_is_trained_anew(
    built: Path, gone: int, new: int, factory: str
) -> None:
    change(built, gone, new)
    facts = build(built, factory=factory)
    for kind in ("image", "text"):
        assert (facts[kind]["trained_on"], facts[kind]["changed"]) == (400 - gone + new, 0)
    verify(built)


def test_small_changes_add_up(built: Path) -> None:
    for start in (0, 50, 100):
        remove(built, [f"f{n:03d}" for n in range(start, start + 50)])
        facts = rebuild(built)
    assert (facts["image"]["trained_on"], facts["image"]["changed"]) == (250, 0)


def test_a_damaged_file_is_built_anew(built: Path) -> None:
    path = built / "image.faiss"
    path.write_bytes(path.read_bytes()[:-1])
    change(built, gone=10, new=0)
    facts = rebuild(built)
    assert [facts[kind]["trained_on"] for kind in ("image", "text")] == [390, 400]
    verify(built)


def test_an_interrupted_update_goes_on_without_training(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(built, gone=10, new=0)
    tuned: list[int] = []

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    monkeypatch.setattr(measured_recall, "tune", cut)
    for name in ("image", "image"):  # stopped twice, each time after the image index was brought up to date
        with pytest.raises(PowerCut):
            rebuild(built)
        assert sorted(read_json(built / "building.json")["made"]) == [name]
    monkeypatch.undo()
    monkeypatch.setattr(filling, "_trained", refuse)
    changing = build_module.change_index
    monkeypatch.setattr(build_module, "change_index", lambda *given: tuned.append(1) or changing(*given))
    facts = rebuild(built)
    assert len(tuned) == 1  # the text index; that of the images was there
    assert [(facts[kind]["trained_on"], facts[kind]["changed"]) for kind in ("image", "text")] == [(400, 10)] * 2
    assert facts["asked"] == {"factory": FACTORY, "target_recall": 0.9, "memory": None, "seed": 0}
    verify(built)


def test_a_change_on_top_of_an_interrupted_update_is_no_obstacle(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(built, gone=10, new=0)
    tune = measured_recall.tune
    calls: list[int] = []

    def cut(*given: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise PowerCut
        return tune(*given, **options)

    monkeypatch.setattr(measured_recall, "tune", cut)
    with pytest.raises(PowerCut):
        rebuild(built)
    monkeypatch.undo()
    change(built, gone=0, new=5)
    rebuild(built)
    verify(built)
    assert len(names(built)) == 395
