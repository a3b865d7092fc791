"""From figures to the rows of a shard: every mixture of images, captions, blanks and broken files."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval.errors import CorpusError, EncoderError, PlanMismatchError, ShardError, TooManySkipsError
from retrieval.files import sha256_file, sha256_json
from retrieval.images.decode import decode
from retrieval.indexer.encode import encode
from retrieval.indexer.resume import Summary
from retrieval.indexes.build import build
from retrieval.indexes.verify import verify
from retrieval.search.searcher import Searcher
from retrieval.shards.plan import LongCaptions
from retrieval.shards.reader import Shards
from retrieval.shards.tables import read_record, record_path, shard_path
from retrieval.types import Figure, Pixels, Skip, Tokens, Vectors
from tests.bundles import clip_bundle
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder
from tests.listed import CaptionsOnly, ListedCorpus, PlainEncoder, figure, png

BROKEN = b"\x89PNG\r\n\x1a\n and then nothing"


def broken(name: str, *captions: str) -> Figure:
    return Figure(name, BROKEN, captions, f"{name}.png")


def rows(folder: Path, table: Any) -> list[dict[str, Any]]:
    shards = Shards(folder)
    parts = [pq.read_table(shard_path(folder, record.number, table)).to_pylist() for record in shards.records]
    return [row for part in parts for row in part]


def run(folder: Path, figures: list[Figure | Skip], **options: Any) -> Summary:
    columns = options.pop("columns", None)
    options = {"shard_size": 4, "thumbnail": 0, "max_skips": 1.0} | options
    return encode(ListedCorpus(figures, columns), folder, PlainEncoder(), **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_image_row_says_what_the_image_is(tmp_path: Path) -> None:
    data = png((200, 10, 0), (30, 20))
    run(
        tmp_path,
        [Figure("a/b", data, ("200 10 0",), "a/b.png", "PMC1", {"year": 2001}, {"more": [1, "ü"]})],
        columns={"year": "int64"},
        thumbnail=8,
    )
    (row,) = rows(tmp_path, "images")
    expected = {"figure_id": "a/b", "article_id": "PMC1", "source_uri": "a/b.png", "width": 30, "height": 20}
    assert {name: row[name] for name in expected} == expected
    assert row["year"] == 2001
    assert json.loads(row["extra"]) == {"more": [1, "ü"]}
    assert decode(row["thumbnail"]).size == (8, 5)
    (tmp_path / "image").write_bytes(data)
    assert row["sha256"] == sha256_file(tmp_path / "image")
    (text,) = rows(tmp_path, "texts")
    assert (text["caption"], text["article_id"], text["year"], text["extra"]) == ("200 10 0", "PMC1", 2001, None)


def test_a_batch_of_only_corrupt_images_leaves_the_others_alone(tmp_path: Path) -> None:
    figures = [figure("a", (1, 0, 0), "1 0 0"), *[broken(f"x{n}") for n in range(4)], figure("b", (0, 1, 0), "0 1 0")]
    summary = run(tmp_path, figures, shard_size=10, batch_size=2)
    assert (summary.figures, summary.images, summary.captions, summary.skipped) == (6, 2, 2, 4)
    assert [row["figure_id"] for row in rows(tmp_path, "images")] == ["a", "b"]
    assert [row["figure_id"] for row in rows(tmp_path, "skips")] == ["x0", "x1", "x2", "x3"]
    assert set(summary.skips) == {row["reason"] for row in rows(tmp_path, "skips")}


def test_a_shard_in_the_middle_may_be_empty(tmp_path: Path) -> None:
    figures = [figure(f"a{n}", (n, 0, 1), f"{n} 0 1") for n in range(2)]
    figures += [broken("x"), Skip("y", "y.png", "image file is missing")]
    figures += [figure(f"b{n}", (n, 1, 1), f"{n} 1 1") for n in range(2)]
    run(tmp_path, figures, shard_size=2)
    middle = read_record(tmp_path, 1)
    assert middle is not None
    assert middle.rows == {"images": 0, "texts": 0, "skips": 2}
    shards = Shards(tmp_path)
    shards.check()
    assert np.concatenate(list(shards.vectors("images"))).shape == (4, 3)
    assert shards.take("images", [2], ["figure_id"]) == [{"figure_id": "b0"}]
    assert shards.take("texts", [3, 1], ["figure_id"]) == [{"figure_id": "b1"}, {"figure_id": "a1"}]


def test_figures_of_images_only_and_of_captions_only_are_both_kept(tmp_path: Path) -> None:
    summary = run(
        tmp_path, [figure("i", (1, 2, 3)), figure("c", None, "1 2 3", "3 2 1", extra={"k": 1}), figure("n", None)]
    )
    assert (summary.images, summary.captions, summary.without_caption) == (1, 2, 1)
    assert summary.skips == {"neither image nor caption": 1}
    texts = rows(tmp_path, "texts")
    assert [row["caption"] for row in texts] == ["1 2 3", "3 2 1"]
    assert json.loads(texts[0]["extra"]) == {"k": 1}


def test_several_and_equal_captions_are_all_kept_in_their_order(tmp_path: Path) -> None:
    captions = ("9 0 0", "0 9 0", "9 0 0", "0 0 9")
    run(tmp_path, [figure("a", (1, 1, 1), *captions), figure("b", (1, 1, 1), "9 0 0")])
    assert [(row["figure_id"], row["caption"]) for row in rows(tmp_path, "texts")] == [
        *[("a", caption) for caption in captions],
        ("b", "9 0 0"),
    ]


def test_blank_captions_are_counted_and_named_and_the_figure_stays(tmp_path: Path) -> None:
    summary = run(tmp_path, [figure("a", (1, 1, 1), " ", "1 1 1", "\n\t"), figure("b", (1, 1, 1), "", article_id="P")])
    assert (summary.images, summary.captions, summary.skipped, summary.without_caption) == (2, 1, 0, 1)
    assert summary.notes == {"caption is empty": 3}
    assert [(row["figure_id"], row["article_id"], row["part"], row["reason"]) for row in rows(tmp_path, "skips")] == [
        ("a", None, "caption", "caption is empty"),
        ("a", None, "caption", "caption is empty"),
        ("b", "P", "caption", "caption is empty"),
    ]


def test_values_that_a_column_does_not_have_are_counted_by_column(tmp_path: Path) -> None:
    kept = [{"age": "NA"}, {"age": " na "}, {"age": "old"}, {"age": 2**70, "other": "NA"}]
    figures: list[Figure | Skip] = [
        Figure(f"f{n}", None, ("1 2 3",), "", None, {"age": None}, extra) for n, extra in enumerate(kept)
    ]
    summary = run(tmp_path, figures, columns={"age": "int64"})
    assert summary.notes == {
        '"NA" in column age, taken for a missing value': 1,
        '"na" in column age, taken for a missing value': 1,
        "value of column age that is no int64, kept beside it": 2,
    }
    assert [json.loads(row["extra"]) for row in rows(tmp_path, "texts")] == kept


def test_a_blank_caption_alone_is_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, [figure("a", None, "  ")]).skips == {"neither image nor caption": 1}


def test_a_caption_with_line_breaks_stays_one_caption_and_a_long_one_is_marked_as_cut(tmp_path: Path) -> None:
    figures = [Figure("a", png((9, 0, 0)), (" red\nand\tblue ", "red " * 17), "a")]
    summary = encode(ListedCorpus(figures), tmp_path, ColourEncoder())
    assert (summary.long_captions.truncated, summary.long_captions.windowed) == (1, 0)
    assert [(row["caption"], row["truncated"]) for row in rows(tmp_path, "texts")] == [
        ("red\nand\tblue", False),
        (("red " * 17).strip(), True),
    ]


RED, BLUE = "red " * 11 + "here.", "Blue " * 5 + "there."  # together more words than ColourEncoder reads


def test_in_windows_nothing_is_cut_and_captions_that_fit_are_stored_the_same(tmp_path: Path) -> None:
    figures = [Figure("a", png((9, 0, 0)), ("red", f"{RED} {BLUE}"), "a"), Figure("b", None, ("green", "blue"), "b")]
    expected: dict[LongCaptions, tuple[int, int]] = {"truncate": (1, 0), "chunk": (0, 1)}
    for policy, counts in expected.items():
        told = encode(ListedCorpus(figures), tmp_path / policy, ColourEncoder(), long_captions=policy).long_captions
        assert (told.policy, told.captions, (told.truncated, told.windowed)) == (policy, 4, counts)
    cut, read = (rows(tmp_path / policy, "texts") for policy in ("truncate", "chunk"))
    assert [row["truncated"] for row in cut] == [False, True, False, False]
    assert [row["truncated"] for row in read] == [False] * 4
    assert [a["embedding"] == b["embedding"] for a, b in zip(cut, read, strict=True)] == [True, False, True, True]


def test_an_index_from_before_there_were_windows_opens_goes_on_and_keeps_its_digest(tmp_path: Path) -> None:
    captions = [("red", "red " * 17), ("green", "green " * 17), ("blue", "blue " * 17)]
    figures = [Figure(f"f{n}", png((9, n, 0)), some, f"f{n}") for n, some in enumerate(captions)]
    encode(ListedCorpus(figures), tmp_path, ColourEncoder(), shard_size=2)
    build(tmp_path)
    later = {"plan.json": ["long_captions", "precision", "preprocessing"]}
    later |= {f"shards/0000{number}.json": ["windowed", "repeated"] for number in range(2)}
    for name, keys in later.items():
        values = json.loads((tmp_path / name).read_text())
        for key in keys:
            del values[key]
        (tmp_path / name).write_text(json.dumps(values))
    decides = {
        k: v for k, v in json.loads((tmp_path / "plan.json").read_text()).items() if k not in ("source", "encoder")
    }
    assert Shards(tmp_path).plan.digest == sha256_json(decides)
    assert len(Searcher(tmp_path, ColourEncoder()).search("red")) == 3
    record_path(tmp_path, 1).unlink()
    summary = encode(ListedCorpus(figures), tmp_path, ColourEncoder(), shard_size=2)
    assert (summary.resumed, summary.long_captions.truncated, summary.long_captions.policy) == (1, 3, "truncate")
    with pytest.raises(PlanMismatchError, match="--long-captions truncate, not chunk; go on with the former"):
        encode(ListedCorpus(figures), tmp_path, ColourEncoder(), shard_size=2, long_captions="chunk")


def test_an_index_keeps_the_precision_it_was_begun_in(tmp_path: Path) -> None:
    bundle = str(clip_bundle(tmp_path / "bundle"))
    figures = [figure(name, (200, 30, 30), "green") for name in "ab"]
    encode(ListedCorpus(figures), tmp_path / "i", bundle, shard_size=1, precision="bf16")
    before = (tmp_path / "i/shards/00001.images.parquet").read_bytes()
    record_path(tmp_path / "i", 1).unlink()
    assert encode(ListedCorpus(figures), tmp_path / "i", bundle, shard_size=1).resumed == 1
    assert (tmp_path / "i/shards/00001.images.parquet").read_bytes() == before
    with pytest.raises(PlanMismatchError, match="begun with precision bf16, not fp32"):
        encode(ListedCorpus(figures), tmp_path / "i", bundle, shard_size=1, precision="fp32")
    encode(ListedCorpus(figures), tmp_path / "exact", bundle, shard_size=1, precision="fp32")
    assert (tmp_path / "exact/shards/00001.images.parquet").read_bytes() != before


def test_an_encoder_that_is_open_already_is_not_asked_for_a_precision(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="device of its own"):
        encode(ListedCorpus(FIGURES), tmp_path / "i", PlainEncoder(), precision="bf16")


def test_an_unknown_way_to_read_long_captions_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="split: no such way to read long captions; use truncate or chunk"):
        encode(ListedCorpus(FIGURES), tmp_path / "i", PlainEncoder(), long_captions="split")  # type: ignore[arg-type]
    assert not (tmp_path / "i").exists()


def test_an_encoder_that_reads_captions_only_encodes_those_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    figures = [
        figure("both", (1, 2, 3), "1 2 3", "3 2 1", article_id="P", metadata={"year": 7}, extra={"k": 1}),
        broken("no picture", "9 9 9"),
        figure("no caption", (1, 1, 1)),
        figure("blank", (1, 1, 1), " "),
        figure("words", None, "5 5 5"),
    ]
    columns = {"year": "int64"}
    summary = encode(ListedCorpus(figures, columns), tmp_path, CaptionsOnly(), max_skips=1.0)
    assert (summary.images, summary.captions, summary.skipped) == (0, 4, 2)
    assert summary.skips == {"no caption, and the encoder reads captions only": 2}
    assert summary.notes == {"image, as the encoder reads captions only": 2}
    assert rows(tmp_path, "images") == []
    texts = rows(tmp_path, "texts")
    assert [row["figure_id"] for row in texts] == ["both", "both", "no picture", "words"]
    assert (texts[0]["article_id"], texts[0]["year"], json.loads(texts[0]["extra"])) == ("P", 7, {"k": 1})
    assert [(row["figure_id"], row["part"]) for row in rows(tmp_path, "skips")] == [
        ("both", "image"),
        ("no picture", "image"),
        ("no caption", "figure"),
        ("blank", "figure"),
    ]
    build(tmp_path)
    verify(tmp_path)


def test_columns_named_like_those_of_the_shards_end_up_in_extra(tmp_path: Path) -> None:
    columns = {"caption": "string", "width": "int64", "embedding": "string", "year": "int64"}
    metadata = {"caption": "own", "width": 7, "embedding": "x", "year": 3}
    run(tmp_path, [figure("a", (1, 1, 1), "1 1 1", metadata=metadata, extra={"note": None})], columns=columns)
    (row,) = rows(tmp_path, "images")
    assert (row["width"], row["year"]) == (1, 3)
    assert json.loads(row["extra"]) == {"caption": "own", "width": 7, "embedding": "x", "note": None}
    assert Shards(tmp_path).plan.columns == {"year": "int64"}


def test_half_characters_in_column_names_and_extra_come_back_as_they_were(tmp_path: Path) -> None:
    figures = [figure("a", (1, 1, 1), metadata={"\ud800": "x", "ok": "y"}, extra={"note": ["\udfff", "ü"]})]
    run(tmp_path, figures, columns={"\ud800": "string", "ok": "string"})
    (row,) = rows(tmp_path, "images")
    assert row["ok"] == "y"
    assert json.loads(row["extra"]) == {"\ud800": "x", "note": ["\udfff", "ü"]}


def test_missing_metadata_are_null_in_every_type(tmp_path: Path) -> None:
    columns = {"s": "string", "i": "int64", "f": "float64", "b": "bool"}
    figures = [
        figure("a", (1, 1, 1), metadata=dict.fromkeys(columns)),
        figure("b", None, "1 1 1", metadata={"s": "", "i": -(2**63), "f": 0.1, "b": False}),
        figure("c", (1, 1, 1)),
    ]
    run(tmp_path, figures, columns=columns)
    assert [[row[name] for name in columns] for row in rows(tmp_path, "images")] == [[None] * 4, [None] * 4]
    assert [[row[name] for name in columns] for row in rows(tmp_path, "texts")] == [["", -(2**63), 0.1, False]]


def test_without_thumbnails_the_column_is_null(tmp_path: Path) -> None:
    run(tmp_path, [figure("a", (1, 1, 1))], thumbnail=0)
    assert rows(tmp_path, "images")[0]["thumbnail"] is None


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 7}, {"batch_size": 7, "workers": 1}])
def test_batch_size_and_workers_do_not_change_a_byte(tmp_path: Path, options: dict[str, int]) -> None:
    draw_colours(tmp_path / "figures", 20)
    (tmp_path / "figures" / "003.png").write_bytes(BROKEN)
    for name, some in (("one", {"batch_size": 64}), ("other", options)):
        encode(tmp_path / "figures", tmp_path / name, ColourEncoder(), shard_size=9, **some)
    tables = [
        {path: data for path, data in contents(tmp_path / name).items() if path.endswith(".parquet")}
        for name in ("one", "other")
    ]
    assert tables[0] == tables[1]
    assert Shards(tmp_path / "one").digest == Shards(tmp_path / "other").digest


@pytest.mark.parametrize(
    ("bad", "share", "passes"),
    [(5, 0.05, True), (6, 0.05, False), (29, 0.29, True), (30, 0.29, False), (0, 0.0, True), (1, 0.0, False)],
)
def test_exactly_the_allowed_share_of_skips_passes_and_one_more_does_not(
    tmp_path: Path, bad: int, share: float, passes: bool
) -> None:
    figures = [Skip(f"x{n}", "u", "image file is missing") for n in range(bad)]
    figures += [figure(f"f{n}", None, "1 1 1") for n in range(100 - bad)]
    if passes:
        assert run(tmp_path, figures, shard_size=100, max_skips=share).skip_share == bad / 100
        return
    with pytest.raises(TooManySkipsError, match=rf"{bad} of 100 figures .* \({bad} image file is missing\)"):
        run(tmp_path, figures, shard_size=100, max_skips=share)


def test_a_run_that_skips_too_much_keeps_what_it_encoded_and_a_larger_share_goes_on(tmp_path: Path) -> None:
    figures = [figure("a", (1, 1, 1)), figure("b", (1, 1, 1)), broken("x"), broken("y"), figure("c", (1, 1, 1))]
    with pytest.raises(TooManySkipsError, match=r"2 of 5 .*larger --max-skips"):
        run(tmp_path, figures, shard_size=2, max_skips=0.2)
    assert [read_record(tmp_path, number) is not None for number in range(3)] == [True, True, False]
    with pytest.raises(TooManySkipsError):
        run(tmp_path, figures, shard_size=2, max_skips=0.2)
    summary = run(tmp_path, figures, shard_size=2, max_skips=0.4)
    assert (summary.resumed, summary.shards, summary.skips.total(), summary.images) == (2, 3, 2, 3)


def test_a_finished_run_encodes_nothing_again_and_tells_the_same(tmp_path: Path) -> None:
    figures = [figure("a", (1, 1, 1), "1 1 1"), broken("x"), figure("b", (1, 1, 1), " ")]
    first = run(tmp_path, figures, shard_size=2)
    before = contents(tmp_path)
    again = run(tmp_path, figures, shard_size=2)
    assert contents(tmp_path) == before
    assert again.resumed == again.shards == 2
    assert (again.skips, again.notes, again.images) == (first.skips, first.notes, first.images)
    assert isinstance(again.skips, Counter)


def test_an_empty_corpus_gives_an_empty_index(tmp_path: Path) -> None:
    assert run(tmp_path, []).shards == 0
    assert Shards(tmp_path).count("images") == 0


class Watcher:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def start(self, total: int, done: int) -> None:
        self.seen.append(("start", total, done))

    def advance(self, figures: int) -> None:
        self.seen.append(figures)

    def finish(self) -> None:
        self.seen.append("finish")


def test_progress_counts_every_figure_once_and_finishes_even_after_a_failure(tmp_path: Path) -> None:
    figures = [figure("a", (1, 1, 1)), broken("x"), figure("b", (1, 1, 1)), figure("c", None, "1 1 1")]
    watcher = Watcher()
    with pytest.raises(TooManySkipsError):
        run(tmp_path, figures, shard_size=2, max_skips=0.0, progress=watcher)
    assert watcher.seen == [("start", 4, 0), 1, 1, 1, 1, "finish"]  # a shard is committed while the next is encoded
    watcher = Watcher()
    run(tmp_path, figures, shard_size=2, progress=watcher)
    assert watcher.seen == [("start", 4, 2), 1, 1, "finish"]


class NotFinite(PlainEncoder):
    def encode_images(self, pixels: Pixels) -> Vectors:
        vectors = super().encode_images(pixels)
        vectors[pixels[:, 0, 0, 0] == 13, 0] = np.nan  # one value is enough
        return vectors

    def encode_texts(self, tokens: Tokens) -> Vectors:
        vectors = super().encode_texts(tokens)
        vectors[tokens.ids[:, 0] == 13, -1] = np.inf
        return vectors


@pytest.mark.parametrize("bad", [figure("bad", (13, 1, 1)), figure("bad", None, "13 1 1")])
def test_a_vector_that_is_not_finite_is_refused_and_names_its_figure(tmp_path: Path, bad: Figure) -> None:
    with pytest.raises(EncoderError, match="plain: gives figure bad a vector that is not finite"):
        encode(ListedCorpus([figure("good", (1, 1, 1), "1 1 1"), bad]), tmp_path, NotFinite())
    assert read_record(tmp_path, 0) is None


class Another(PlainEncoder):
    fingerprint = "2" * 64


FIGURES = [figure(f"f{n}", (n, 1, 1), metadata={"year": n}) for n in range(5)]
BEGUN: dict[str, Any] = {"shard_size": 2, "thumbnail": 0}


@pytest.mark.parametrize(
    ("figures", "columns", "encoder", "options", "said"),
    [
        (FIGURES[:4], None, PlainEncoder(), {}, "another corpus or other content: a list with 5 figures"),
        ([*FIGURES[:4], figure("f4", (9, 9, 9))], None, PlainEncoder(), {}, "another corpus or other content"),
        (FIGURES, None, Another(), {}, r"encoder plain \(11111111\), not plain \(22222222\)"),
        (FIGURES, None, PlainEncoder(), {"shard_size": 3}, "2 figures a shard, not 3"),
        (FIGURES, None, "plain", {"resize": "pad"}, "resize mode None, not pad"),
        (FIGURES, None, PlainEncoder(), {"thumbnail": 64}, "thumbnails of 0 pixels, not 64"),
        (FIGURES, None, PlainEncoder(), {"max_pixels": 10}, "a limit of 80000000 pixels, not 10"),
        (FIGURES, None, PlainEncoder(), {"long_captions": "chunk"}, "--long-captions truncate, not chunk"),
        (FIGURES, None, PlainEncoder(), {"images_only": True}, "other options of the source"),
        (FIGURES, {"year": "int64"}, PlainEncoder(), {}, "another plan"),
    ],
)
def test_going_on_with_another_plan_is_refused_in_one_sentence_and_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Any,
    columns: Any,
    encoder: Any,
    options: dict[str, Any],
    said: str,
) -> None:
    encode(ListedCorpus(FIGURES), tmp_path, PlainEncoder(), **BEGUN)
    before = contents(tmp_path)
    opened = PlainEncoder() if isinstance(encoder, str) else encoder
    monkeypatch.setattr("retrieval.indexer.encode.load_encoder", lambda *_, **__: opened)
    with pytest.raises(PlanMismatchError, match=said) as raised:
        encode(ListedCorpus(figures, columns), tmp_path, encoder, **BEGUN | options)
    assert "\n" not in str(raised.value)
    assert "a new folder" in str(raised.value)
    assert contents(tmp_path) == before


def test_an_encoder_that_is_open_already_cannot_be_given_another_resize_mode(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="preprocessing and device of its own"):
        encode(ListedCorpus(FIGURES), tmp_path / "i", PlainEncoder(), resize="pad")
    assert not (tmp_path / "i").exists()


def test_another_worker_count_gives_the_same_shards(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 30)
    for workers in (1, 4):
        encode(tmp_path / "figures", tmp_path / str(workers), ColourEncoder(), shard_size=8, workers=workers)
    assert Shards(tmp_path / "1").digest == Shards(tmp_path / "4").digest


def test_the_same_corpus_at_another_path_goes_on(tmp_path: Path) -> None:
    for place in ("here", "there"):
        draw_colours(tmp_path / place, 6)
    encode(tmp_path / "here", tmp_path / "i", ColourEncoder(), shard_size=4)
    assert encode(tmp_path / "there", tmp_path / "i", ColourEncoder(), shard_size=4).resumed == 2


def test_an_index_inside_its_own_corpus_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 3)
    for inside in (tmp_path / "figures", tmp_path / "figures" / "index" / "a"):
        with pytest.raises(CorpusError, match=r"lies inside the corpus .*outside of it"):
            encode(tmp_path / "figures", inside, ColourEncoder())
    assert not (tmp_path / "figures" / "index").exists()
    hidden = tmp_path / "figures" / ".index"
    assert encode(tmp_path / "figures", hidden, ColourEncoder()).resumed == 0
    assert encode(tmp_path / "figures", hidden, ColourEncoder()).resumed == 1


def test_a_plan_of_a_newer_version_is_refused_and_stays(tmp_path: Path) -> None:
    encode(ListedCorpus(FIGURES), tmp_path, PlainEncoder(), **BEGUN)
    plan = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(plan | {"format": 99}))
    before = contents(tmp_path)
    with pytest.raises(ShardError, match="newer version"):
        encode(ListedCorpus(FIGURES), tmp_path, PlainEncoder(), **BEGUN)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16", "CMYK", "1", "L"])
def test_images_of_every_mode_are_encoded(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    kind = "tiff" if mode in ("I;16", "CMYK") else "png"
    Image.new(mode, (50, 3)).save(folder / f"a {{1}} ü.{kind}")
    summary = encode(folder, tmp_path / "i", ColourEncoder())
    assert (summary.images, summary.skipped) == (1, 0)
    assert rows(tmp_path / "i", "images")[0]["figure_id"] == "a {1} ü"


class Counting(PlainEncoder):
    """PlainEncoder that remembers the pictures and captions which it was given to encode, batch by batch."""

    def __init__(self) -> None:
        self.pictures: list[list[int]] = []
        self.captions: list[list[int]] = []

    def encode_images(self, pixels: Pixels) -> Vectors:
        self.pictures.append(pixels[:, 0, 0, 0].astype(int).tolist())
        return super().encode_images(pixels)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        self.captions.append(tokens.ids[:, 0].tolist())
        return super().encode_texts(tokens)


def test_what_occurs_twice_in_a_shard_is_encoded_once_and_stands_in_both_rows(tmp_path: Path) -> None:
    figures = [
        figure("a", (1, 0, 5), "1 2 3", "4 5 6"),
        figure("b", (2, 0, 5), " 1 2 3 "),
        figure("c", (1, 0, 5), "7 8 9"),
        broken("x"),
        broken("y"),
        figure("d", (1, 0, 5), "1 2 3"),
        figure("next shard", (1, 0, 5), "1 2 3"),
    ]
    encoder = Counting()
    summary = encode(ListedCorpus(figures), tmp_path, encoder, shard_size=6, thumbnail=8, max_skips=1.0)
    assert encoder.pictures == [[1, 2], [1]]
    assert encoder.captions == [[1, 4, 7], [1]]
    assert summary.repeated == {"images": 2, "captions": 2}
    assert summary.skips.total() == 2
    encode(ListedCorpus(figures), tmp_path / "alone", PlainEncoder(), shard_size=1, thumbnail=8, max_skips=1.0)
    for table in ("images", "texts"):
        assert rows(tmp_path, table) == rows(tmp_path / "alone", table)


def test_batches_end_with_their_shard_whatever_was_encoded_before(tmp_path: Path) -> None:
    figures = [figure(f"f{n}", (n, 0, 1), f"{n} 0 1") for n in range(7)]
    encoder = Counting()
    encode(ListedCorpus(figures), tmp_path, encoder, shard_size=3, batch_size=2, thumbnail=0)
    assert encoder.pictures == [[0, 1], [2], [3, 4], [5], [6]]
    record_path(tmp_path, 1).unlink()
    encoder = Counting()
    encode(ListedCorpus(figures), tmp_path, encoder, shard_size=3, batch_size=2, thumbnail=0)
    assert encoder.pictures == [[3, 4], [5]]


class Waiting(PlainEncoder):
    """Does not encode the captions of the first shard before a figure of the second is prepared."""

    def __init__(self) -> None:
        self.second = threading.Event()
        self.at_once = self.most = 0
        self.counting = threading.Lock()

    def prepare(self, image: Image.Image) -> Pixels:
        with self.counting:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        pixels = super().prepare(image)
        if pixels[0, 0, 0] >= 4:
            self.second.set()
        return pixels

    def encode_images(self, pixels: Pixels) -> Vectors:
        with self.counting:
            self.at_once -= len(pixels)
        return super().encode_images(pixels)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        assert self.second.wait(60), "nothing is prepared ahead while the model is busy"
        return super().encode_texts(tokens)


def test_the_next_shard_is_prepared_while_the_model_is_busy_with_this_one(tmp_path: Path) -> None:
    figures = [figure(f"f{n}", (n, 0, 1), f"{n} 0 1") for n in range(8)]
    encode(ListedCorpus(figures), tmp_path, Waiting(), shard_size=4, batch_size=2, thumbnail=0)
    assert Shards(tmp_path).count("texts") == 8


def test_the_pixels_in_memory_are_those_of_three_batches_however_large_the_shard(tmp_path: Path) -> None:
    figures = [figure(f"f{n}", (n, 0, 1)) for n in range(200)]
    encoder = Waiting()
    encode(ListedCorpus(figures), tmp_path, encoder, shard_size=200, batch_size=4, thumbnail=0, workers=3)
    assert encoder.at_once == 0
    assert encoder.most <= 3 * 4 + 3  # a batch that is filled, two ahead, and what the threads have in hand


def test_every_stage_is_timed_and_the_slowest_is_named(tmp_path: Path) -> None:
    summary = run(tmp_path, [figure(f"f{n}", (n, 0, 1), f"{n} 0 1") for n in range(8)])
    record = read_record(tmp_path, 1)
    assert record is not None
    assert set(record.seconds) == {"read", "tokenize", "prepare", "encode", "wait", "write"}
    for seconds, limit in (
        ({"encode": 9.1, "wait": 0.9, "prepare": 30.0}, "encode"),
        ({"encode": 1.0, "wait": 9.0, "prepare": 16.0, "read": 7.0, "tokenize": 0.5}, "prepare"),
        ({"encode": 1.0, "wait": 9.0, "prepare": 8.0, "read": 7.0, "tokenize": 0.5}, "read"),
        ({"encode": 1.0, "wait": 9.0, "prepare": 8.0, "read": 1.0, "tokenize": 8.5}, "tokenize"),
    ):
        assert replace(summary, workers=2, seconds=seconds).limit == limit


def test_an_index_keeps_the_preprocessing_it_was_begun_in(tmp_path: Path) -> None:
    bundle = str(clip_bundle(tmp_path / "bundle"))
    draw_colours(tmp_path / "figures", 2)
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "figures" / "000.png")
    for folder, exact in (("exact", True), ("fast", False)):
        encode(tmp_path / "figures", tmp_path / folder, bundle, shard_size=1, exact_preprocessing=exact)
    tables = [(tmp_path / folder / "shards/00000.images.parquet").read_bytes() for folder in ("exact", "fast")]
    assert tables[0] != tables[1]
    record_path(tmp_path / "exact", 0).unlink()
    assert encode(tmp_path / "figures", tmp_path / "exact", bundle, shard_size=1).resumed == 1
    assert (tmp_path / "exact/shards/00000.images.parquet").read_bytes() == tables[0]
    with pytest.raises(PlanMismatchError, match="begun with fast preprocessing, not exact"):
        encode(tmp_path / "figures", tmp_path / "fast", bundle, shard_size=1, exact_preprocessing=True)
