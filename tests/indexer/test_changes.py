"""An index that changes says what one made anew of the same figures says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.encoders import load_encoder
from retrieval.errors import (
    CorpusError,
    EncoderError,
    FilterError,
    PlanMismatchError,
    QueryError,
    ShardError,
    StaleIndexError,
    TooManySkipsError,
)
from retrieval.export.export_vectors import export_vectors
from retrieval.images.decode import decode
from retrieval.indexer import loader as preparing
from retrieval.indexer.add import Added, add
from retrieval.indexer.diff import FigureDifference, diff
from retrieval.indexer.encode import encode
from retrieval.indexer.import_vectors import import_vectors
from retrieval.indexer.remove import remove
from retrieval.indexer.subset import Delta
from retrieval.indexes.build import build, rebuild
from retrieval.indexes.verify import verify
from retrieval.search.searcher import Searcher
from retrieval.shards.digests import content_of, contents
from retrieval.shards.figure_numbers import rows_of_figures
from retrieval.shards.filters import Filter
from retrieval.shards.reader import Shards
from retrieval.shards.tables import parse_extra
from retrieval.types import Figure, Skip, Vectors
from tests.conftest import draw_colours
from tests.listed import CaptionsOnly, ListedCorpus, PlainEncoder, figure, index_of

YEARS = {"year": "int64"}
BROKEN = b"no picture"
Columns = Mapping[str, str]


def about(name: str, shade: int, *captions: str, year: int = 2000, **more: Any) -> Figure:
    return figure(name, (shade, 9, 1), *captions, article_id=f"of {name}", metadata={"year": year, **more})


FIGURES = [about(f"f{n}", 10 + n, f"{n} 1 1", *[f"{n} 2 2"] * (n % 2), year=2000 + n) for n in range(6)]


def encoded(folder: Path, figures: Sequence[Figure | Skip], columns: Columns = YEARS) -> Path:
    encode(ListedCorpus(figures, columns), folder, PlainEncoder(), shard_size=4, thumbnail=0, max_skips=1.0)
    return folder


def more(folder: Path, figures: Sequence[Figure | Skip], columns: Columns = YEARS, **options: Any) -> Added:
    options = {"encoder": PlainEncoder(), "max_skips": 1.0} | options
    return add(folder, ListedCorpus(figures, columns), **options)


def rows(folder: Path) -> dict[str, Any]:
    """What an index says of every figure, and the vectors of its image and captions."""
    shards = Shards(folder)
    found: dict[str, Any] = {}
    for table, name in (("images", "sha256"), ("texts", "caption")):
        columns = [*shards.plan.columns]
        names = ["figure_id", "article_id", "source_uri", "extra", "embedding", name, *columns]
        for row in shards.columns(table, names).to_pylist():  # type: ignore[arg-type]
            said = {column: row[column] for column in columns} | parse_extra(row["extra"])
            known = found.setdefault(row["figure_id"], {"said": said, "images": [], "texts": []})
            known["where"] = row["article_id"], row["source_uri"]
            known[table].append((row[name], row["embedding"]))
    for known in found.values():
        known["said"] = {column: value for column, value in known["said"].items() if value is not None}
    return found


def expected(figures: Sequence[Figure]) -> dict[str, Any]:
    """The same of the figures themselves: their bytes, captions and metadata, encoded one by one."""
    encoder = PlainEncoder()

    def stored(vectors: Vectors) -> bytes:
        return vectors.astype("<f2").tobytes()

    return {
        each.figure_id: {
            "said": {name: value for name, value in each.metadata.items() if value is not None},
            "where": (each.article_id, each.uri),
            "images": [
                (
                    hashlib.sha256(each.image).hexdigest(),
                    stored(encoder.encode_images(encoder.prepare(decode(each.image, 100))[None])),
                )
            ]
            if each.image
            else [],
            "texts": [
                (caption, stored(encoder.encode_texts(encoder.tokenize([caption])))) for caption in each.captions
            ],
        }
        for each in figures
    }


NAMES = st.sampled_from("abcdef")


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[Figure], Columns]:
    """Up to four figures; some without image or caption, some broken, and a column that is not always of one type."""
    columns = draw(st.sampled_from([{}, {"year": "int64"}, {"year": "string"}, {"year": "int64", "part": "string"}]))
    figures = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        year = draw(st.integers(2000, 2001))
        said = {"year": str(year) if columns.get("year") == "string" else year, "part": draw(st.sampled_from("xy"))}
        captions = draw(st.lists(st.sampled_from(["1 1 1", "2 1 1", "3 1 1"]), max_size=2))
        colour = draw(st.sampled_from([(1, 9, 1), (2, 9, 1), None])) if captions else (3, 9, 1)
        metadata = {column: said[column] for column in columns}
        figures.append(figure(name, colour, *captions, metadata=metadata))
        if draw(st.integers(0, 5)) == 0:
            figures[-1] = Figure(name, BROKEN, ("1 1 1",), figures[-1].uri, metadata=metadata)
    return figures, columns


def readable(figures: Sequence[Figure]) -> dict[str, Figure]:
    return {each.figure_id: each for each in figures if each.image != BROKEN}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    collections(),
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), collections()),
            st.tuples(st.just("sync"), collections()),
            st.tuples(st.just("remove"), st.sets(NAMES, min_size=1, max_size=3)),
        ),
        max_size=4,
    ),
)
def test_after_any_history_the_rows_are_those_of_the_final_collection(
    tmp_path_factory: pytest.TempPathFactory, begun: Any, history: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    encoded(folder, *begun)
    now = readable(begun[0])
    for what, given_ in history:
        if what == "remove":
            remove(folder, list(given_), missing_ok=True)
            now = {name: each for name, each in now.items() if name not in given_}
        else:
            added = more(folder, *given_, sync=what == "sync")
            new = readable(given_[0])
            same = sum(rows_equal(now.get(name), each) for name, each in new.items())
            assert added.figures["unchanged"] == same
            assert added.figures["added"] == len(new.keys() - now.keys())
            now = new if what == "sync" else now | new
        assert rows(folder) == expected(list(now.values()))
    shards = Shards(folder)
    shards.check()
    for table in ("images", "texts", "skips"):
        assert shards.count(table) == shards.columns(table, ["figure_id"]).num_rows  # type: ignore[arg-type]
    ids = shards.columns("texts", ["figure_id"])["figure_id"].to_pylist()
    backwards = list(range(len(ids)))[::-1]
    assert [row["figure_id"] for row in shards.take("texts", backwards, ["figure_id"])] == ids[::-1]


def rows_equal(one: Figure | None, other: Figure) -> bool:
    return one is not None and expected([one]) == expected([other])


def derived(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".faiss")}


def test_answers_and_derived_files_are_those_of_an_index_made_anew(tmp_path: Path) -> None:
    index_of(tmp_path / "i", FIGURES, columns=YEARS)
    new = [about("f1", 90, "7 7 7", year=1999), about("g", 50, "8 1 1"), about("h", 13)]
    more(tmp_path / "i", new)
    remove(tmp_path / "i", ["f3"])
    with pytest.raises(StaleIndexError, match="built from other shards than are there now; run: retrieval build"):
        Searcher(tmp_path / "i")
    facts = rebuild(tmp_path / "i")
    verify(tmp_path / "i")
    assert facts["asked"]["factory"] == "Flat"
    index_of(tmp_path / "anew", [*FIGURES[:1], FIGURES[2], *FIGURES[4:], *new], columns=YEARS)
    assert rows(tmp_path / "i") == rows(tmp_path / "anew")
    assert list(diff(tmp_path / "i", tmp_path / "anew")) == []
    one, other = (Searcher(tmp_path / name, PlainEncoder()) for name in ("i", "anew"))
    for asked in ("7 7 7", "10 9 1", "3 1 1"):
        answers = [
            {(hit.figure_id, hit.caption, round(hit.score, 3)) for hit in searcher.search(asked, target=target, k=20)}
            for target in ("images", "captions")
            for searcher in (one, other)
        ]
        assert answers[0] == answers[1]
        assert answers[2] == answers[3]
    before = derived(tmp_path / "i")
    for name in [*before, "index.json"]:
        (tmp_path / "i" / name).unlink()
    build(tmp_path / "i")
    assert derived(tmp_path / "i") == before


@pytest.mark.slow
def test_the_starter_encoder_gives_what_is_added_the_vectors_of_an_index_made_anew(tmp_path: Path) -> None:
    draw_colours(tmp_path / "all", 12)
    shutil.copytree(tmp_path / "all", tmp_path / "some")
    for path in sorted((tmp_path / "some").iterdir())[9:]:
        path.unlink()
    Image.new("RGB", (30, 30), (9, 200, 99)).save(tmp_path / "some" / "002.png")
    starter = load_encoder("starter")
    for name, source in (("i", "some"), ("anew", "all")):
        encode(tmp_path / source, tmp_path / name, starter, shard_size=5)
    build(tmp_path / "i")
    added = add(tmp_path / "i", tmp_path / "all", starter)
    assert added.figures["updated"] >= 1
    assert added.reused["captions"] >= 1
    rebuild(tmp_path / "i")
    build(tmp_path / "anew")
    assert contents(Shards(tmp_path / "i")) == contents(Shards(tmp_path / "anew"))
    one, other = (Searcher(tmp_path / name, starter) for name in ("i", "anew"))
    for text in ("a red field", "a blue field, number 2"):
        answers = [{hit.figure_id: hit.score for hit in each.search(text, k=12)} for each in (one, other)]
        assert answers[0].keys() == answers[1].keys()
        assert all(abs(score - answers[1][name]) < 1e-3 for name, score in answers[0].items())


def test_an_index_without_changes_has_the_digest_it_always_had(tmp_path: Path) -> None:
    shards = Shards(encoded(tmp_path, FIGURES))
    told = json.dumps([shards.plan.digest, [record.seal for record in shards.records]], separators=(",", ":"))
    canonical = json.dumps(json.loads(told), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert shards.digest == hashlib.sha256(canonical.encode()).hexdigest()
    assert all("reused" not in record.seal for record in shards.records)


def test_what_is_known_already_is_left_alone_and_leaves_no_step(tmp_path: Path) -> None:
    broken = Figure("x", BROKEN, ("1 1 1",), "x.png")
    before = Shards(encoded(tmp_path, [*FIGURES, broken, Skip("y", "y", "gone")])).digest
    added = more(tmp_path, [FIGURES[3], broken, Skip("y", "y", "gone"), FIGURES[0]])
    assert added.change is None
    assert added.figures == {"added": 0, "updated": 0, "removed": 0, "unchanged": 2, "skipped": 2}
    assert sum(added.skips.values()) == 2
    assert Shards(tmp_path).digest == before
    assert not list((tmp_path / "changes").glob("*"))


class Counting(PlainEncoder):
    """PlainEncoder that counts what it is given."""

    def __init__(self) -> None:
        self.images = self.captions = 0

    def encode_images(self, pixels: Any) -> Vectors:
        self.images += len(pixels)
        return super().encode_images(pixels)

    def encode_texts(self, tokens: Any) -> Vectors:
        self.captions += len(tokens)
        return super().encode_texts(tokens)


def test_what_the_index_holds_under_any_id_is_neither_decoded_nor_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(tmp_path, FIGURES)
    looked: list[int] = []
    monkeypatch.setattr(preparing, "decode", lambda image, limit: looked.append(1) or decode(image, limit))
    encoder = Counting()
    relicensed = [about(each.figure_id, 10 + n, *each.captions, year=1) for n, each in enumerate(FIGURES)]
    added = more(
        tmp_path, [*relicensed, about("new", 12, "0 1 1", "9 9 9"), about("seen", 77, "1 1 1")], encoder=encoder
    )
    assert (encoder.images, encoder.captions, len(looked)) == (1, 1, 1)
    assert added.encoded == {"images": 1, "captions": 1}
    assert added.reused["images"] == 7
    assert added.figures["updated"] == 6
    assert rows(tmp_path)["f2"]["said"] == {"year": 1}


def test_columns_of_both_are_there_and_values_of_another_type_go_to_extra(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES[:2])
    more(tmp_path, [about("g", 99, year="about 1900", part="x")], {"year": "string", "part": "string"})
    shards = Shards(tmp_path)
    assert shards.plan.columns == {"year": "int64", "part": "string"}
    assert shards.columns("images", ["part", "year", "extra"]).to_pylist() == [
        {"part": None, "year": 2000, "extra": None},
        {"part": None, "year": 2001, "extra": None},
        {"part": "x", "year": None, "extra": '{"year": "about 1900"}'},
    ]
    build(tmp_path)
    hits = Searcher(tmp_path, PlainEncoder()).search("99 9 1", where=["part=x"])
    assert [(hit.figure_id, hit.metadata["year"]) for hit in hits] == [("g", "about 1900")]
    assert (
        more(tmp_path, [about("g", 99, year="about 1900", part="x")], {"year": "string", "part": "string"}).change
        is None
    )


def test_without_sync_a_figure_stays_that_the_source_cannot_read_any_more_and_with_it_goes(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES)
    source = [FIGURES[0], Figure("f1", BROKEN, (), "f1.png"), Skip("f2", "f2.png", "gone"), about("g", 1)]
    assert more(tmp_path, source).figures == {"added": 1, "updated": 0, "removed": 0, "unchanged": 1, "skipped": 2}
    assert rows(tmp_path).keys() == {*(f"f{n}" for n in range(6)), "g"}
    synced = more(tmp_path, source, sync=True)
    assert synced.figures == {"added": 0, "updated": 0, "removed": 5, "unchanged": 2, "skipped": 2}
    assert synced.change is not None
    assert rows(tmp_path).keys() == {"f0", "g"}
    reasons = Shards(tmp_path).columns("skips", ["figure_id", "reason"]).to_pylist()
    assert [row["figure_id"] for row in reasons] == ["f1", "f2"]  # told once, though skipped twice


@pytest.mark.parametrize("skips", [5, 6])
def test_a_source_that_cannot_be_read_withdraws_nothing(tmp_path: Path, skips: int) -> None:
    before = Shards(encoded(tmp_path, FIGURES)).digest
    source = [*[Skip(each.figure_id, each.uri, "gone") for each in FIGURES[:skips]], *FIGURES[skips:]]
    with pytest.raises(TooManySkipsError, match=f"{skips} of 6 figures cannot be read"):
        more(tmp_path, source, sync=True, max_skips=0.5)
    assert Shards(tmp_path).digest == before


def test_an_encoder_of_captions_alone_compares_captions_alone(tmp_path: Path) -> None:
    encode(ListedCorpus(FIGURES, YEARS), tmp_path, CaptionsOnly(), thumbnail=0)
    other_images = [about(each.figure_id, 99, *each.captions, year=2000 + n) for n, each in enumerate(FIGURES)]
    assert more(tmp_path, other_images, encoder=CaptionsOnly()).change is None
    assert more(tmp_path, [about("f0", 1, "5 5 5")], encoder=CaptionsOnly()).figures["updated"] == 1


def test_a_second_figure_of_one_id_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES)
    with pytest.raises(CorpusError, match=r"g\.png: a second figure 'g'; give every figure an id of its own"):
        more(tmp_path, [about("g", 1), about("g", 2)])
    assert not (tmp_path / "changes").exists()


def test_another_encoder_than_the_index_s_own_is_refused(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES)
    with pytest.raises(EncoderError, match=r"made with encoder plain \(11111111\), which captions only .* is not"):
        more(tmp_path, FIGURES, encoder=CaptionsOnly())


def test_figures_are_removed_by_id_article_and_clause(tmp_path: Path) -> None:
    encoded(tmp_path, [*FIGURES, figure("only words", None, "6 6 6", metadata={"year": 2005})])
    asked = remove(tmp_path, where=["year>=2004", "caption=4 1 1"], dry_run=True)
    assert (asked.change, asked.figures, asked.images, asked.captions) == (None, 1, 1, 1)
    assert len(rows(tmp_path)) == 7
    for where in (
        Filter("year >= 2004") & "caption = '4 1 1'",
        (pc.field("year") == 2004),
        "year = 2004 or year > 3000",
    ):
        assert remove(tmp_path, where=where, dry_run=True).figures == 1
    assert remove(tmp_path, where="year=1999").nearest.startswith("no figure has year 1999; nearest: 200")
    assert remove(tmp_path, where=["year>=2005"]).figures == 2
    assert remove(tmp_path, ["f0"], articles=["of f1"], reason="retracted").figures == 2
    assert rows(tmp_path).keys() == {"f2", "f3", "f4"}
    assert remove(tmp_path, where=["width>1"]).change is None
    assert Shards(tmp_path).changes[1].reason == "retracted"
    assert Shards(tmp_path).changes[1].where == ["article_id in of f1"]
    assert Shards(tmp_path).changes[1].rows == {"images": 2, "texts": 3}
    remove(tmp_path, where=["width=1"])
    build(tmp_path)
    verify(tmp_path)
    assert rows(tmp_path) == {}


def test_unknown_figures_are_named_and_nothing_is_removed(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES)
    with pytest.raises(QueryError, match=r"no figure 'x', 'y', 'z' and 1 more; nothing was removed; .* --missing-ok"):
        remove(tmp_path, ["f1", "x", "y", "z", "ü"])
    with pytest.raises(QueryError, match="no article 'PMC1'; nothing was removed"):
        remove(tmp_path, articles=["PMC1"])
    with pytest.raises(FilterError, match="no column licence; there are"):
        remove(tmp_path, where=["licence=cc-by"])
    for given_ in ({}, {"figures": ["f1"], "where": ["year=1"]}):
        with pytest.raises(QueryError, match="either by their ids and articles or by where clauses"):
            remove(tmp_path, **given_)
    assert len(rows(tmp_path)) == 6
    assert remove(tmp_path, ["f1", "x"], missing_ok=True).figures == 1


def test_a_figure_that_was_removed_may_come_back_with_its_vectors_as_they_were(tmp_path: Path) -> None:
    encoded(tmp_path, FIGURES)
    before = rows(tmp_path)
    remove(tmp_path, ["f1", "f2"])
    assert more(tmp_path, FIGURES).figures["added"] == 2
    assert rows(tmp_path) == before


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """An index with a step that removed, and one that added."""
    encoded(tmp_path, FIGURES)
    remove(tmp_path, ["f1"])
    more(tmp_path, [about("f2", 99, "3 3 3"), about("g", 5)])
    return tmp_path


def test_a_damaged_step_is_found_and_its_way_back_told(changed: Path) -> None:
    path = changed / "changes" / "00001" / "removed.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(
        ShardError, match=r"removed\.parquet: missing or differs .*; delete .*00001 and the steps after"
    ):
        Shards(changed).check()
    path.write_bytes(b"")
    with pytest.raises(ShardError, match=r"removed\.parquet: cannot be read"):
        Shards(changed).columns("images", ["figure_id"])


@pytest.mark.parametrize("damage", ["deleted", "flipped"])
def test_a_damaged_shard_of_a_step_is_found(changed: Path, damage: str) -> None:
    path = changed / "changes" / "00002" / "shards" / "00000.texts.parquet"
    data = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data[:9] + bytes([data[9] ^ 4]) + data[10:])
    with pytest.raises(ShardError, match=r"00002/shards/00000\.texts\.parquet: .*; delete .*00002 and the steps after"):
        Shards(changed).check()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"number": 7, "command": "add", "parent": "0"}'])
def test_a_step_without_a_proper_record_is_refused(changed: Path, content: str) -> None:
    (changed / "changes" / "00002" / "change.json").write_text(content)
    with pytest.raises(ShardError, match=r"00002/change\.json: not this step's record; delete .*00002"):
        Shards(changed)


def test_a_step_of_a_newer_format_is_refused(changed: Path) -> None:
    path = changed / "changes" / "00002" / "change.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "merged": True}))
    with pytest.raises(ShardError, match=r"newer version of retrieval \(format 2\); upgrade"):
        Shards(changed)


def test_a_step_whose_forerunner_is_gone_or_another_is_refused(changed: Path) -> None:
    first = changed / "changes" / "00001"
    shutil.move(first, changed / "first")
    with pytest.raises(ShardError, match="00002: the step before it is missing; restore it, or delete"):
        Shards(changed)
    shutil.move(changed / "first", first)
    path = first / "change.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"removed": "0" * 64}))
    with pytest.raises(ShardError, match="00002: was made on other shards than are there now"):
        Shards(changed)


def test_the_last_step_is_undone_by_deleting_its_folder(changed: Path) -> None:
    after = rows(changed)
    shutil.rmtree(changed / "changes" / "00002")
    assert rows(changed).keys() == {"f0", "f2", "f3", "f4", "f5"}
    more(changed, [about("f2", 99, "3 3 3"), about("g", 5)])
    assert rows(changed) == after


def test_an_interrupted_add_is_not_thrown_away_by_another_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(tmp_path, FIGURES)
    before = rows(tmp_path)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("retrieval.indexer.add.seal_step", stop)
    with pytest.raises(KeyboardInterrupt):
        more(tmp_path, [about("g", 5)])
    monkeypatch.undo()
    assert rows(tmp_path) == before  # the index is what it was until the step is sealed
    for other in (
        lambda: more(tmp_path, [about("h", 5)]),
        lambda: more(tmp_path, FIGURES),
        lambda: remove(tmp_path, ["f1"]),
    ):
        with pytest.raises(PlanMismatchError, match=r"adding a list was interrupted, .*00001 to give it up"):
            other()
    assert more(tmp_path, [about("g", 5)]).figures["added"] == 1
    remove(tmp_path, ["f1"])
    assert rows(tmp_path).keys() == {"f0", "f2", "f3", "f4", "f5", "g"}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 20), st.integers(1, 7), st.integers(1, 7), st.data())
def test_a_delta_reads_as_the_figures_chosen_however_both_are_cut(
    figures: int, cut: int, size: int, data: st.DataObject
) -> None:
    corpus = ListedCorpus([Skip(str(number), "", "") for number in range(figures)])
    chosen = sorted(data.draw(st.sets(st.integers(0, figures - 1)))) if figures else []
    delta = Delta(corpus, tuple(corpus.split(cut)), np.array(chosen, dtype=np.int64), {}, "0")
    read = [[int(each.figure_id) for each in delta.read(split)] for split in delta.split(size)]
    assert [number for some in read for number in some] == chosen
    assert [len(some) for some in read] == [split.stop - split.start for split in delta.split(size)]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(collections())
def test_a_figure_and_the_rows_it_became_have_one_content(
    tmp_path_factory: pytest.TempPathFactory, given_: Any
) -> None:
    figures, columns = given_
    folder = encoded(tmp_path_factory.mktemp("content"), figures, columns)
    kept = readable(figures)
    assert contents(Shards(folder)) == {
        name: content_of(each, columns, hashlib.sha256(each.image).hexdigest() if each.image else None)
        for name, each in kept.items()
    }


def test_values_of_every_type_and_extra_have_one_content(tmp_path: Path) -> None:
    columns = {"a": "float64", "b": "bool", "c": "string", "d": "int64"}
    said = [{"a": 1, "b": True, "c": "ü", "d": 2**62}, {"a": float("nan")}, {"c": "", "b": None, "width": 3}]
    extra = [{}, {"n": None, "deep": [{"z": 1, "a": (2, 3)}]}, {"caption": "x"}]
    figures = [figure(f"f{n}", (n, 1, 1), metadata=metadata, extra=extra[n]) for n, metadata in enumerate(said)]
    encoded(tmp_path, figures, columns)
    assert more(tmp_path, figures, columns).figures["unchanged"] == 3


def test_diff_says_what_changed_and_in_which_columns(tmp_path: Path) -> None:
    encoded(tmp_path / "a", FIGURES[:4])
    other = [
        about("f0", 10, "0 1 1", year=1, part="x"),
        about("f1", 99, "1 2 2", "1 1 1", year=2001),
        FIGURES[2],
        about("g", 5),
    ]
    encode(ListedCorpus(other, {"part": "string"}), tmp_path / "b", OtherEncoder(), thumbnail=0)
    assert list(diff(tmp_path / "a", tmp_path / "b")) == [
        FigureDifference("f0", "changed", ("part", "year")),
        FigureDifference("f1", "changed", ("image", "captions")),
        FigureDifference("f3", "only in the first"),
        FigureDifference("g", "only in the second"),
    ]
    assert list(diff(tmp_path / "a", tmp_path / "a")) == []


class OtherEncoder(PlainEncoder):
    """PlainEncoder by another name."""

    name = "other"
    fingerprint = "2" * 64


@pytest.mark.parametrize("layout", ["list", "npy"])
def test_what_is_exported_is_what_is_there(changed: Path, tmp_path: Path, layout: Any) -> None:
    out = tmp_path / "out"
    assert export_vectors(changed, out, "images", layout=layout) == 6
    table = pq.read_table(out if layout == "list" else out / "metadata" / "metadata_0.parquet")
    assert table["figure_id"].to_pylist() == ["f0", "f3", "f4", "f5", "f2", "g"]
    assert table["year"].to_pylist() == [2000, 2003, 2004, 2005, 2000, 2000]


def test_figures_are_added_to_vectors_that_were_imported_as_long_as_their_encoder_is_known(tmp_path: Path) -> None:
    encoded(tmp_path / "i", FIGURES)
    for of in ("images", "captions"):
        export_vectors(tmp_path / "i", tmp_path / f"{of}.parquet", of)  # type: ignore[arg-type]
    import_vectors([tmp_path / "images.parquet", tmp_path / "captions.parquet"], tmp_path / "j")
    new = [*FIGURES[:5], about("f5", 99, "5 1 1"), about("g", 11, "3 2 1")]
    with pytest.raises(CorpusError, match="1 of its ids are those of other figures in the index, such as f5"):
        more(tmp_path / "j", new)
    added = more(tmp_path / "j", new, newer=True)
    assert added.figures == {"added": 1, "updated": 1, "removed": 0, "unchanged": 5, "skipped": 0}
    assert rows(tmp_path / "j") == expected(new)
    values = json.loads((tmp_path / "j" / "plan.json").read_text()) | {"encoder_fingerprint": ""}
    (tmp_path / "j" / "plan.json").write_text(json.dumps(values))
    with pytest.raises(EncoderError, match="imported where encoder plain could not be opened, so it is not known"):
        more(tmp_path / "j", new)


def test_a_delta_of_a_folder_can_be_sent_to_another_process(colour_folder: Path) -> None:
    corpus = open_corpus(colour_folder)
    delta = Delta(corpus, tuple(corpus.split(3)), np.array([1, 7, 19]), {}, "0")
    there = pickle.loads(pickle.dumps(delta))
    assert [figure.figure_id for figure in there.read(there.split(5)[0])] == ["001", "007", "019"]


def test_rows_are_withdrawn_with_their_reason(changed: Path) -> None:
    tables = rows_of_figures(Shards(changed), {"f2": "why", "g": None})
    assert tables["images"].to_pylist() == [
        {"row": 6, "figure_id": "f2", "reason": "why"},
        {"row": 7, "figure_id": "g", "reason": None},
    ]


def test_keys_that_begin_again_in_another_source_replace_nothing(tmp_path: Path) -> None:
    for number in range(2):
        with tarfile.open(tmp_path / f"shard-{number}.tar", "w") as archive:
            for key in ("000", "001"):
                image = io.BytesIO()
                Image.new("RGB", (4, 4), (50 * number, 9, int(key))).save(image, "PNG")
                for suffix, data in ((".png", image.getvalue()), (".txt", f"{number} 1 {int(key)}".encode())):
                    info = tarfile.TarInfo(key + suffix)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    index = tmp_path / "i"
    encode(tmp_path / "shard-0.tar", index, PlainEncoder(), shard_size=4, thumbnail=0)
    with pytest.raises(
        CorpusError, match=r"shard-1.tar: 2 of its ids are those of other figures .* such as 000 .*--id-p"
    ):
        add(index, tmp_path / "shard-1.tar", PlainEncoder())
    assert len(rows(index)) == 2
    for _ in range(2):  # the second time nothing is new
        added = add(index, tmp_path / "shard-1.tar", PlainEncoder(), id_prefix="b/")
    assert added.figures["unchanged"] == 2
    assert list(rows(index)) == ["000", "001", "b/000", "b/001"]
    with pytest.raises(CorpusError, match="such as 000"):  # known, but by other ids
        add(index, tmp_path / "shard-1.tar", PlainEncoder())
    # a source whose figures were added before may change
    os.replace(tmp_path / "shard-1.tar", tmp_path / "shard-0.tar")
    assert add(index, tmp_path / "shard-0.tar", PlainEncoder()).figures["updated"] == 2
    assert len(rows(index)) == 4


@pytest.mark.parametrize("kind", ["folder", "table", "rows"])
def test_ids_of_another_source_of_any_kind_replace_nothing(tmp_path: Path, kind: str) -> None:
    sources: list[Any] = []
    for number, name in enumerate(("one", "two")):
        folder = tmp_path / name
        folder.mkdir()
        Image.new("RGB", (4, 4), (50 * number, 9, 1)).save(folder / "img_001.png")
        caption = f"{number} 1 1"
        if kind == "table":
            (folder / "captions.csv").write_text(f"image,caption\nimg_001.png,{caption}\n")
        else:
            (folder / "img_001.txt").write_text(caption)
        row = {"id": "img_001", "image": (folder / "img_001.png").read_bytes(), "caption": caption}
        sources.append([row] if kind == "rows" else folder)
    index = tmp_path / "i"
    encode(sources[0], index, PlainEncoder(), shard_size=4, thumbnail=0)
    with pytest.raises(CorpusError, match="1 of its ids are those of other figures in the index, such as img_001"):
        add(index, sources[1], PlainEncoder())
    assert add(index, sources[1], PlainEncoder(), id_prefix="two/").figures["added"] == 1
    assert len(rows(index)) == 2
    assert add(index, sources[1], PlainEncoder(), newer=True).figures["updated"] == 1
