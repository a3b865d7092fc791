"""Shards to indexes: derived files that follow from the shards, and a recall that was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.errors import QueryError, ShardError, StaleIndexError
from retrieval.files import read_json
from retrieval.indexer.encode import encode
from retrieval.indexer.remove import remove
from retrieval.indexes import ladder
from retrieval.indexes import train as filling
from retrieval.indexes.bm25.bm25_index import BYTES_A_CAPTION
from retrieval.indexes.build import build
from retrieval.indexes.exact import search_rows
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.tuning_plot import draw
from retrieval.indexes.verify import verify
from retrieval.shards.reader import Shards
from retrieval.shards.tables import record_path
from retrieval.shards.vectors import unit
from retrieval.types import Figure, Pixels, Tokens, Vectors
from tests.listed import ListedCorpus, PlainEncoder, figure, index_of, png

FIGURES = [
    figure("a", (200, 1, 1), "200 1 1", "1 200 1"),
    figure("b", (1, 200, 1)),
    figure("c", None, "1 1 200", "5 5 5", "1 1 200"),
    figure("d", (1, 1, 200), "1 2 200"),
]


def derived(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".faiss")}


def untimed(facts: dict[str, Any]) -> dict[str, Any]:
    """What index.json says, without what a clock said and what was asked for."""
    kinds = {kind: {**facts[kind], "tuning": curve(facts[kind]["tuning"])} for kind in ("image", "text")}
    return {**facts, **kinds, "seconds": 0, "asked": 0}


def curve(points: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{name: value for name, value in point.items() if not name.endswith("_ms")} for point in points or []]


def test_the_memory_map_holds_the_shards_vectors_and_numpy_reads_it(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES, shard_size=2)
    for kind, table in (("image", "images"), ("text", "texts")):
        stored = np.load(tmp_path / f"{kind}.npy", mmap_mode="r")
        assert stored.dtype == np.float16
        np.testing.assert_array_equal(stored, np.concatenate(list(Shards(tmp_path).vectors(table))))  # type: ignore[arg-type]


def test_equal_figure_numbers_mean_the_same_figure(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES, shard_size=2)
    images, texts = (np.load(tmp_path / f"{kind}.figures.npy") for kind in ("image", "text"))
    assert images.tolist() == [0, 1, 2]
    assert texts.tolist() == [0, 0, 3, 3, 3, 2]


def test_what_is_derived_may_be_deleted_and_comes_back_the_same(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES)
    before, facts = derived(tmp_path), read_json(tmp_path / "index.json")
    assert len(before) == 8
    for name in [*before, "index.json"]:
        (tmp_path / name).unlink()
    again = build(tmp_path)
    assert derived(tmp_path) == before
    assert untimed(again) == untimed(facts)


def test_index_json_says_what_was_built(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES)
    facts = read_json(tmp_path / "index.json")
    assert facts["digest"] == Shards(tmp_path).digest
    assert facts["encoder"] == {"name": "plain", "fingerprint": PlainEncoder.fingerprint}
    assert (facts["image"]["rows"], facts["text"]["rows"], facts["dim"]) == (3, 6, 3)
    assert facts["image"]["recall"] == {"recall": 1.0, "k": 10, "queries": 0, "queries_of": "text"}
    assert {"retrieval", "python", "numpy", "faiss-cpu"} <= facts["versions"].keys()


@pytest.mark.parametrize(
    ("figures", "empty"),
    [([figure("a", (1, 1, 1)), figure("b", (1, 2, 3))], "text"), ([figure("c", None, "1 2 3", "3 2 1")], "image")],
)
def test_a_corpus_of_one_kind_is_a_whole_index(tmp_path: Path, figures: list[Figure], empty: str) -> None:
    index_of(tmp_path, figures, factory="IVF1,Flat")
    verify(tmp_path)
    facts = read_json(tmp_path / "index.json")
    assert (facts[empty]["rows"], facts[empty]["factory"], facts[empty]["recall"]) == (0, "Flat", None)
    other = "image" if empty == "text" else "text"
    assert facts[other]["factory"] == "IVF1,Flat"
    assert facts[other]["recall"]["queries_of"] == other


def test_an_index_from_which_all_was_removed_can_be_built_and_verified(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES)
    remove(tmp_path, [figure.figure_id for figure in FIGURES])
    build(tmp_path)
    verify(tmp_path)
    assert OpenedIndex(tmp_path).count("image") == 0


def test_a_figure_that_stands_twice_is_refused_by_name(tmp_path: Path) -> None:
    figures = [figure("a", (1, 1, 1)), figure("b", (1, 1, 1)), figure("a", (2, 1, 1)), figure("b", (3, 1, 1))]
    with pytest.raises(ShardError, match="figure 'a' stands 2 times in the shards; ids must be unique"):
        index_of(tmp_path, figures, shard_size=2)


@pytest.mark.parametrize("factory", ["Nonsense", "IDMap,Flat", "IVF64,Flat", "IVF5,Flat"])
def test_a_refused_factory_leaves_the_index_that_was_there(tmp_path: Path, factory: str) -> None:
    index_of(tmp_path, FIGURES)
    before = derived(tmp_path)
    with pytest.raises(QueryError, match=factory):
        build(tmp_path, factory=factory)
    assert derived(tmp_path) == before
    verify(tmp_path)


class Random(PlainEncoder):
    """Sixteen dimensions; images and captions of the same number are close to each other and far from all else."""

    dim = 16

    def encode_images(self, pixels: Pixels) -> Vectors:
        return self._vectors(pixels[:, :, 0, 0].astype(np.int64), noise=0)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return self._vectors(tokens.ids, noise=1)

    def _vectors(self, numbers: Any, noise: int) -> Vectors:
        rows = [
            np.random.default_rng(some).standard_normal(16)
            + 0.4 * np.random.default_rng([*some, noise]).standard_normal(16)
            for some in numbers.tolist()
        ]
        return unit(np.array(rows).reshape(-1, 16))


@pytest.fixture(scope="module")
def six_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    figures = [figure(f"f{n:03d}", (n // 200, n % 200, 7), f"{n // 200} {n % 200} 7") for n in range(400)]
    encode(ListedCorpus(figures), folder, Random(), shard_size=256, thumbnail=0)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.5, 1.0])
def test_an_approximate_index_is_searched_deeper_until_it_reaches_the_target(six_hundred: Path, target: float) -> None:
    facts = build(six_hundred, factory="IVF16,Flat", target_recall=target)
    built = OpenedIndex(six_hundred)
    for kind, other in (("image", "text"), ("text", "image")):
        measured = facts[kind]["recall"]
        assert measured["recall"] >= target
        assert (measured["queries"], measured["queries_of"]) == (200, other)  # half, the others chose the depth
        queries = unit(np.asarray(built.vectors(other)))  # type: ignore[arg-type]
        found = built.index(kind).search(queries, 10).rows  # type: ignore[arg-type]
        exact = search_rows(queries, built.vectors(kind), 10).rows  # type: ignore[arg-type]
        again = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
        assert measured["recall"] == pytest.approx(again, abs=0.02)
        if facts[kind]["parameters"]["nprobe"] > 1 and target < 1:
            assert facts[kind]["parameters"]["nprobe"] < 16


@pytest.mark.slow
def test_a_lower_target_probes_no_more_lists(six_hundred: Path) -> None:
    probes = [
        build(six_hundred, factory="IVF16,Flat", target_recall=target)["image"]["parameters"]["nprobe"]
        for target in (0.01, 0.7, 1.0)
    ]
    assert probes[0] == 1
    assert probes == sorted(probes)


@pytest.mark.slow
def test_the_same_build_twice_gives_the_same_index(six_hundred: Path) -> None:
    first = build(six_hundred, factory="IVF16,SQ8", seed=5)
    files = derived(six_hundred)
    second = build(six_hundred, factory="IVF16,SQ8", seed=5)
    assert derived(six_hundred) == files
    assert untimed(first) == untimed(second)


@pytest.mark.slow
def test_with_auto_a_small_collection_is_exact_and_a_larger_one_compressed(
    six_hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(six_hundred)["image"]["factory"] == "Flat"
    monkeypatch.setattr(ladder, "EXACT_BYTES", 4 * 16 * 100)
    facts = build(six_hundred)
    for kind, other in (("image", "text"), ("text", "image")):
        assert facts[kind]["factory"] == "IVF64,PQ8x4fsr"
        measured = facts[kind]["recall"]
        assert measured["recall"] >= measured["target"] == 0.95
        assert measured["low"] <= measured["recall"] <= measured["high"]
        assert (measured["queries"], measured["queries_of"]) == (200, other)
        assert measured["within"] > 0.9
        assert facts[kind]["parameters"]["nprobe"] >= 16  # a hundred of four hundred rows
    verify(six_hundred)


def test_another_target_is_tuned_without_filling_the_index_again(
    six_hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(six_hundred, factory="IVF16,SQ8", target_recall=0.5)
    monkeypatch.setattr("retrieval.indexes.build.build_index", lambda *_, **__: pytest.fail("it was filled again"))
    second = build(six_hundred, factory="IVF16,SQ8", target_recall=0.99)
    assert first["image"]["sha256"] == second["image"]["sha256"]
    assert first["image"]["parameters"]["nprobe"] < second["image"]["parameters"]["nprobe"]
    monkeypatch.undo()
    (six_hundred / "image.faiss").write_bytes(b"damaged")
    assert build(six_hundred, factory="IVF16,SQ8", target_recall=0.99)["image"]["sha256"] == first["image"]["sha256"]


class PowerCut(BaseException):
    """Nothing in the package may catch this."""


def test_a_build_that_was_stopped_while_it_filled_goes_on_from_its_checkpoint(
    six_hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = untimed(build(six_hundred, factory="IVF16,PQ8x4fsr"))
    files = derived(six_hundred)
    (six_hundred / "index.json").unlink()

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    monkeypatch.setattr(filling, "fill_index", cut)
    with pytest.raises(PowerCut):
        build(six_hundred, factory="IVF16,PQ8x4fsr")
    with pytest.raises(StaleIndexError, match="encoded but not built"):
        OpenedIndex(six_hundred)
    assert [path.name.split(".")[0] for path in six_hundred.glob("*.part")] == ["image"]
    monkeypatch.undo()
    trained: list[int] = []
    train = filling._trained
    monkeypatch.setattr(filling, "_trained", lambda *given: trained.append(1) or train(*given))
    assert untimed(build(six_hundred, factory="IVF16,PQ8x4fsr")) == whole
    assert len(trained) == 1  # the lists of the image index were kept, those of the text index not yet begun
    assert derived(six_hundred) == files
    assert not list(six_hundred.glob("*.part"))
    assert not (six_hundred / "building.json").exists()


def test_too_little_memory_is_refused_before_anything_is_touched(
    six_hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(six_hundred)
    monkeypatch.setattr(ladder, "EXACT_BYTES", 4 * 16 * 100)
    with pytest.raises(QueryError, match="400 vectors of 16 do not fit into 1M of memory; give --memory"):
        build(six_hundred, memory=1 << 20)
    verify(six_hundred)


def test_words_that_do_not_fit_into_memory_are_left_out_and_it_is_said(
    six_hundred: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert build(six_hundred)["lexical"]["rows"] == Shards(six_hundred).count("texts")
    caplog.set_level("INFO", "retrieval")
    facts = build(six_hundred, memory=BYTES_A_CAPTION * Shards(six_hundred).count("texts") - 1)
    assert "lexical" not in facts
    assert not (six_hundred / "lexical").exists()
    assert any("words of the captions are left out" in line and "--memory" in line for line in caplog.messages)
    verify(six_hundred)


def test_the_curve_is_drawn_and_an_exact_index_has_none(six_hundred: Path, tmp_path: Path) -> None:
    facts = build(six_hundred, factory="IVF16,SQ8")
    for suffix, begin in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        draw(facts, tmp_path / f"curve{suffix}")
        assert (tmp_path / f"curve{suffix}").read_bytes().startswith(begin)
    with pytest.raises(QueryError, match=r"curve\.txt: cannot be drawn; name a file that ends in \.png"):
        draw(facts, tmp_path / "curve.txt")
    with pytest.raises(QueryError, match="both indexes are exact"):
        draw(build(six_hundred), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_progress_is_said_line_by_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index_of(tmp_path, FIGURES)
    caplog.set_level("INFO", "retrieval")
    build(tmp_path)
    vectors = ["indexing 3 image vectors (Flat)", "indexing 6 text vectors (Flat)"]
    assert caplog.messages == ["checking 1 shards", *vectors, "reading the words of 6 captions"]


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"format": 1}', "\x00"])
def test_a_damaged_index_json_says_to_build_again(tmp_path: Path, content: str) -> None:
    index_of(tmp_path, FIGURES)
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(StaleIndexError, match=r"index\.json is damaged; run: retrieval build"):
        OpenedIndex(tmp_path)
    build(tmp_path)
    verify(tmp_path)


def test_an_index_of_a_newer_version_and_one_of_other_shards_are_refused(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES)
    facts = read_json(tmp_path / "index.json")
    (tmp_path / "index.json").write_text(json.dumps(facts | {"format": 2}))
    with pytest.raises(StaleIndexError, match="newer version"):
        OpenedIndex(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(facts))
    record = read_json(record_path(tmp_path, 0))
    record_path(tmp_path, 0).write_text(json.dumps(record | {"truncated": 3}))
    with pytest.raises(StaleIndexError, match="built from other shards than are there now; run: retrieval build"):
        OpenedIndex(tmp_path)


def test_what_is_known_of_a_figure_is_found_from_its_rows_and_its_id(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES, shard_size=2)
    built = OpenedIndex(tmp_path)
    assert built.find(["c", "a", "d", "nobody"]) == {"a": ("image", 0), "c": ("text", 2), "d": ("image", 2)}
    assert built.rows_of("text", np.array([3, 0, 1], np.int32)) == {3: [2, 3, 4], 0: [0, 1], 1: []}
    described = built.describe("text", [4, 0])
    assert [(d["figure_id"], d["caption"], d["width"]) for d in described] == [
        ("c", "1 1 200", None),
        ("a", "200 1 1", 1),
    ]
    assert [d["captions"] for d in built.describe("image", [0, 1])] == [("200 1 1", "1 200 1"), ()]
    assert built.describe("image", []) == []


def test_equal_images_of_different_figures_stay_different_figures(tmp_path: Path) -> None:
    same = png((9, 9, 9))
    index_of(tmp_path, [Figure(name, same, (), name) for name in "ab"])
    assert [d["figure_id"] for d in OpenedIndex(tmp_path).describe("image", [0, 1])] == ["a", "b"]
