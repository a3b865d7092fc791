"""How good is it: corpora small enough to be worked out by hand, queries of every kind, and trec_eval's word for it."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import pytrec_eval

from retrieval.errors import EncoderError, FilterError, QueryError
from retrieval.evaluation.evaluate import DirectionRanks, evaluate
from retrieval.evaluation.evaluate_options import EvaluateOptions
from retrieval.evaluation.report import Report
from retrieval.evaluation.trec import read_qrels, read_run
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.shards.filters import Filter
from retrieval.shards.plan import CaptionsRead
from retrieval.types import Figure, Pixels, Tokens, Vectors
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder
from tests.listed import CaptionsOnly, ListedCorpus, PlainEncoder, figure, index_of

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FIGURES = [
    figure("a", RED, "1 0 0", article_id="P1", metadata={"part": "train"}),
    figure("b", GREEN, "0 1 0", "9 1 0", article_id="P1", metadata={"part": "held out"}),
    figure("c", BLUE, "0 1 0", metadata={"part": "held out"}),
]
COLUMNS = {"part": "string"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three")
    index_of(folder, FIGURES, columns=COLUMNS, shard_size=2)
    return folder


def measured(report: Report, direction: str) -> dict[str, float | None]:
    return {name: estimate.value for name, estimate in report.directions[direction].measures.items()}


def has(report: Report, direction: str, **expected: F | float) -> None:
    """The measures are these fractions; at is @ in their names."""
    values = measured(report, direction)
    for name, value in expected.items():
        assert values[name.replace("_at_", "@")] == pytest.approx(float(value), abs=1e-12), name


def test_one_positive_a_caption_and_several_an_image_are_worked_out_by_hand(folder: Path) -> None:
    # ranks t2i: a 1; b 1 and 2 (its second caption is redder than green); c 3: its image is as far away as a's
    # ranks i2t: a 1; b 2 and 3, for c's caption says green as loudly; c 4: nothing says blue
    report = evaluate(folder, ks=(1, 2, 3))
    has(report, "t2i", hit_rate_at_1=F(2, 4), hit_rate_at_2=F(3, 4), hit_rate_at_3=1, recall_at_2=F(3, 4))
    has(report, "t2i", mrr=F(17, 24), median_rank=F(3, 2), mean_rank=F(7, 4), r_precision=F(1, 2))
    has(report, "i2t", hit_rate_at_1=F(1, 3), hit_rate_at_2=F(2, 3), recall_at_2=F(1, 2), recall_at_3=F(2, 3))
    has(report, "i2t", mrr=F(7, 12), median_rank=2, mean_rank=F(7, 3), r_precision=F(1, 2))
    assert measured(report, "i2t")["map@r"] == pytest.approx(5 / 12, abs=1e-12)
    t2i, i2t = report.directions["t2i"], report.directions["i2t"]
    assert (t2i.queries, t2i.answerable, t2i.gallery) == (4, 4, 3)
    assert (i2t.queries, i2t.answerable, i2t.gallery) == (3, 3, 4)


def test_figures_of_one_article_answer_each_other(folder: Path) -> None:
    # ranks t2i: (1, 3), (1, 3), (1, 2), (3)
    report = evaluate(folder, relevant_by="article_id", ks=(1, 2))
    has(report, "t2i", hit_rate_at_1=F(3, 4), recall_at_1=F(3, 8), recall_at_2=F(1, 2), mrr=F(10, 12))
    # ranks i2t over captions a, b, b, c: (1, 2, 4), (2, 3, 4), (4)
    has(report, "i2t", hit_rate_at_1=F(1, 3), recall_at_2=F(2 + 1 + 0, 9), mrr=F(7, 12))


def test_figures_with_equal_captions_answer_each_other(folder: Path) -> None:
    # ranks t2i: (1), (1, 3), (2, 3), (1, 3)
    report = evaluate(folder, relevant_by="caption", ks=(1, 2))
    has(report, "t2i", hit_rate_at_1=F(3, 4), recall_at_1=F(1, 2), recall_at_2=F(5, 8), mrr=F(7, 8))


def test_figures_with_equal_images_answer_each_other(tmp_path: Path) -> None:
    # ranks t2i: (1, 2), (2, 3), (1)
    index_of(tmp_path, [figure("x", RED, "1 0 0"), figure("y", RED, "0 1 0"), figure("z", GREEN, "0 1 0")])
    report = evaluate(tmp_path, relevant_by="image", ks=(1, 2))
    has(report, "t2i", hit_rate_at_1=F(2, 3), recall_at_1=F(1, 2), recall_at_2=F(5, 6), mrr=F(5, 6))


def test_whole_articles_are_resampled(folder: Path) -> None:
    report = evaluate(folder, resamples=50)
    assert report.directions["t2i"].measures["mrr"].clusters == 2
    interval = report.directions["t2i"].measures["hit_rate@1"].interval
    assert interval is not None
    assert interval == pytest.approx((0, F(2, 3)))  # only c, or only the article of a and b
    assert evaluate(folder, resamples=50, seed=0) == report


def test_what_cannot_be_answered_is_counted_and_left_out(tmp_path: Path) -> None:
    figures = [figure("a", RED, "1 0 0"), figure("no caption", GREEN), figure("no image", None, "0 0 1", "0 1 1")]
    index_of(tmp_path, figures)
    report = evaluate(tmp_path)
    t2i, i2t = report.directions["t2i"], report.directions["i2t"]
    assert (t2i.queries, t2i.answerable, t2i.gallery) == (3, 1, 2)
    assert (i2t.queries, i2t.answerable, i2t.gallery) == (2, 1, 3)
    assert t2i.measures["hit_rate@1"].value == i2t.measures["hit_rate@1"].value == 1.0
    assert t2i.measures["mrr"].queries == 1


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ([figure("a", RED)], "holds images only"),
        ([figure("a", None, "1 0 0")], "holds captions only"),
        ([figure("a", RED), figure("b", None, "1 1 1")], "no query of all has an answer in the index"),
    ],
)
def test_an_index_in_which_nothing_answers_anything_is_refused(
    tmp_path: Path, figures: list[Figure], said: str
) -> None:
    index_of(tmp_path, figures)
    with pytest.raises(QueryError, match=said):
        evaluate(tmp_path)


def counts(report: Report) -> dict[str, tuple[int, int]]:
    return {name: (direction.queries, direction.gallery) for name, direction in report.directions.items()}


def test_queries_chosen_by_a_clause_are_asked_of_the_whole_index(folder: Path) -> None:
    report = evaluate(folder, queries="part=held out", ks=(1,))
    assert counts(report) == {"t2i": (3, 3), "i2t": (2, 4)}
    has(report, "t2i", hit_rate_at_1=F(1, 3), mrr=F(11, 18))
    assert report.queries == "part=held out"


def test_a_clause_longer_than_a_file_name_can_be_is_a_clause(folder: Path) -> None:
    many = ",".join(["a", "c", *[f"figure-{n}" for n in range(2000)]])
    assert counts(evaluate(folder, queries=f"figure_id in {many}")) == {"t2i": (2, 3), "i2t": (2, 4)}


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_queries_chosen_by_a_list_of_ids_are_asked_of_the_whole_index(
    folder: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "ids.txt").write_bytes(("\ufeff" * (ending == "\r\n") + f"c{ending or chr(10)}b{ending}").encode())
    report = evaluate(folder, queries=tmp_path / "ids.txt", ks=(1,))
    assert counts(report) == {"t2i": (3, 3), "i2t": (2, 4)}
    has(report, "t2i", hit_rate_at_1=F(1, 3), mrr=F(11, 18))


def test_unknown_ids_are_counted_and_one_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("a\nnobody\nb\nanybody\n")
    with pytest.raises(QueryError, match=r"ids\.txt: 2 of 4 figures are not in the index, such as anybody"):
        evaluate(folder, queries=tmp_path / "ids.txt")


@pytest.mark.parametrize("queries", ["part=nowhere", "figure_id=nobody"])
def test_a_clause_that_chooses_nothing_is_refused(folder: Path, queries: str) -> None:
    with pytest.raises(QueryError, match=f"no query of {queries} has an answer"):
        evaluate(folder, queries=queries)


def test_a_filter_and_an_expression_choose_what_their_text_chooses(folder: Path) -> None:
    wanted = evaluate(folder, queries="part = held out").directions
    for queries in (Filter("part = 'held out'"), ~Filter("part != 'held out'"), pc.field("part") == "held out"):
        assert evaluate(folder, queries=queries).directions == wanted


def test_a_clause_that_is_not_understood_is_refused(folder: Path) -> None:
    for queries in ("splt=test", "missing-file.jsonl", "part"):
        with pytest.raises(FilterError):
            evaluate(folder, queries=queries)


def test_another_corpus_asks_with_its_own_captions_and_images(folder: Path) -> None:
    queries = ListedCorpus([figure("a", GREEN, "0 0 1"), figure("c", None, "0 0 9"), figure("stranger", RED, "1 1 1")])
    report = evaluate(folder, queries=queries, encoder=PlainEncoder(), ks=(1,))
    # t2i: a's caption says blue: its red image ties with green behind blue, rank 3; c 1; the stranger has no answer
    has(report, "t2i", hit_rate_at_1=F(1, 2), mrr=F(2, 3))
    t2i, i2t = report.directions["t2i"], report.directions["i2t"]
    assert (t2i.queries, t2i.answerable, i2t.queries, i2t.answerable) == (3, 2, 2, 1)
    # i2t: green, asking for a's caption "1 0 0", scores 1, 1 and 0.11 with the others
    has(report, "i2t", hit_rate_at_1=0, mrr=F(1, 4))
    assert report.queries == "a listed corpus"


def test_another_corpus_may_be_a_folder_and_needs_the_same_encoder(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 6)
    draw_colours(tmp_path / "asked", 3)
    encode(tmp_path / "figures", tmp_path / "i", ColourEncoder(), shard_size=4)
    build(tmp_path / "i")
    report = evaluate(tmp_path / "i", queries=tmp_path / "asked", encoder=ColourEncoder())
    assert counts(report) == {"t2i": (3, 6), "i2t": (3, 6)}
    assert report.directions["t2i"].measures["hit_rate@1"].value == 1.0
    with pytest.raises(EncoderError, match="built with another encoder than colours"):
        evaluate(tmp_path / "i", queries=tmp_path / "asked", encoder=ColourEncoder(version=2))


def test_the_report_is_json(folder: Path) -> None:
    written = json.loads(json.dumps(evaluate(folder, resamples=10).to_json()))
    assert written["relevant_by"] == "figure_id"
    assert written["directions"]["t2i"]["measures"]["mrr"]["value"] == pytest.approx(17 / 24)


def test_the_report_is_a_table_with_a_row_a_measure(folder: Path) -> None:
    report = evaluate(folder, resamples=10)
    rows = report.to_arrow().to_pylist()
    assert len(rows) == sum(len(direction.measures) for direction in report.directions.values())
    for row in rows:
        estimate = report.directions[row["direction"]].measures[row["measure"]]
        assert (row["value"], row["queries"]) == (estimate.value, report.directions[row["direction"]].queries)
        assert (row["low"], row["high"]) == (estimate.interval or (None, None))
    frame = report.to_pandas().set_index(["direction", "measure"])
    assert frame.loc[("t2i", "mrr"), "value"] == pytest.approx(17 / 24)


def trec_eval(folder: Path, direction: str, measures: set[str]) -> dict[str, dict[str, float]]:
    qrels, run = read_qrels(folder / f"{direction}.qrels"), read_run(folder / f"{direction}.run")
    result: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return result


def random_figures(count: int, seed: int, distinct: int = 6) -> list[Figure]:
    """Many ties, several captions a figure, some without image or caption, spaces and signs in the ids."""
    rng = np.random.default_rng(seed)
    figures = []
    for n in range(count):
        colour = None if n % 11 == 10 else tuple(int(c) for c in rng.integers(0, distinct, 3))
        captions = [" ".join(map(str, rng.integers(0, distinct, 3))) for _ in range(n % 4)]
        figures.append(figure(f"figure {n} 50%/ü", colour, *captions, article_id=f"P{n % 9}"))  # type: ignore[arg-type]
    return figures


@pytest.mark.parametrize("relevant_by", ["figure_id", "article_id", "caption", "image"])
def test_trec_eval_reproduces_the_report_to_the_last_digit(tmp_path: Path, relevant_by: Any) -> None:
    index_of(tmp_path / "i", random_figures(90, seed=1), shard_size=32)
    report = evaluate(tmp_path / "i", relevant_by=relevant_by, trec=tmp_path / "trec", ks=(1, 5, 10), resamples=5)
    names = {f"success.{k}": f"hit_rate@{k}" for k in (1, 5, 10)} | {f"recall.{k}": f"recall@{k}" for k in (1, 5, 10)}
    for direction in ("t2i", "i2t"):
        told = trec_eval(tmp_path / "trec", direction, {*names, "recip_rank", "Rprec"})
        assert len(told) == report.directions[direction].answerable
        for theirs, ours in {**names, "recip_rank": "mrr", "Rprec": "r_precision"}.items():
            values = [query[theirs.replace(".", "_")] for query in told.values()]
            assert math.fsum(values) / len(values) == pytest.approx(measured(report, direction)[ours], rel=1e-14, abs=0)


def test_a_run_holds_as_many_hits_as_were_asked_for(folder: Path, tmp_path: Path) -> None:
    evaluate(folder, trec=tmp_path / "deep" / "er", depth=2, resamples=5)
    run = read_run(tmp_path / "deep" / "er" / "i2t.run")
    assert {query: len(hits) for query, hits in run.items()} == {"a": 2, "b": 2, "c": 2}
    assert list(read_run(tmp_path / "deep" / "er" / "t2i.run")) == ["a#1", "b#1", "b#2", "c#1"]


class Constant(PlainEncoder):
    fingerprint = "c" * 64

    def encode_images(self, pixels: Pixels) -> Vectors:
        return np.full((len(pixels), 3), 3**-0.5, dtype=np.float32)

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return self.encode_images(tokens.ids)


def test_an_encoder_that_says_the_same_of_everything_scores_zero(tmp_path: Path) -> None:
    encode(ListedCorpus([figure(f"f{n}", RED, "1 1 1") for n in range(40)]), tmp_path, Constant(), thumbnail=0)
    build(tmp_path)
    report = evaluate(tmp_path, resamples=5)
    for direction in ("t2i", "i2t"):
        values = measured(report, direction)
        assert {values[f"hit_rate@{k}"] for k in (1, 5, 10)} == {0.0}
        assert values["median_rank"] == 40


def test_an_approximate_index_is_evaluated_exactly(tmp_path: Path) -> None:
    figures = random_figures(120, seed=2)
    reports = []
    for factory in ("Flat", "IVF4,SQ8"):
        index_of(tmp_path / factory, figures, shard_size=50, factory=factory)
        reports.append(evaluate(tmp_path / factory, resamples=5).directions)
    assert reports[0] == reports[1]


def test_no_matrix_of_all_queries_and_all_rows_is_held(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    count = 3000
    numbers = rng.integers(0, 255, (count, 3)).tolist()
    figures = [figure(f"f{n}", tuple(rgb), " ".join(map(str, rgb[::-1]))) for n, rgb in enumerate(numbers)]
    index_of(tmp_path, figures, shard_size=4096)
    tracemalloc.start()
    try:
        report = evaluate(tmp_path, resamples=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.directions["t2i"].queries == count
    assert peak < count * count * 4 / 2


def test_a_gallery_too_large_to_convert_at_once_is_of_unit_length_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_of(tmp_path, random_figures(60, seed=2), shard_size=32)
    for kind in ("image", "text"):  # as storing float16 does, but so that everybody sees it
        stored = np.load(tmp_path / f"{kind}.npy")
        stored[::2] /= 2
        np.save(tmp_path / f"{kind}.npy", stored)
    everything = evaluate(tmp_path, resamples=0).directions
    converted = evaluate(tmp_path, queries="article_id~P", resamples=0).directions
    monkeypatch.setattr("retrieval.evaluation.evaluate.WHOLE_GALLERY_BYTES", 0)
    assert evaluate(tmp_path, queries="article_id~P", resamples=0).directions == converted == everything


def test_all_of_an_index_and_every_figure_by_clause_are_measured_alike(tmp_path: Path) -> None:
    index_of(tmp_path, random_figures(90, seed=4), shard_size=32)
    for relevant_by in ("figure_id", "article_id", "caption", "image"):
        both, each = (
            evaluate(tmp_path, queries=queries, relevant_by=relevant_by, resamples=3).directions  # type: ignore[arg-type]
            for queries in (None, "article_id~P")
        )
        assert both == each


def test_a_clause_on_a_column_of_one_table_chooses_whole_figures(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 12)  # widths from 40 to 51, captions name the colour, number 6 has none
    encode(tmp_path / "figures", tmp_path / "index", ColourEncoder())
    build(tmp_path / "index")
    wide = evaluate(tmp_path / "index", queries="width>=45", resamples=0).directions
    assert (wide["t2i"].queries, wide["i2t"].queries) == (6, 7)
    blue = evaluate(tmp_path / "index", queries="caption~blue", resamples=0).directions
    assert (blue["t2i"].queries, blue["i2t"].queries) == (2, 2)
    with pytest.raises(FilterError, match="no file or folder of that name"):
        evaluate(tmp_path / "index", queries="width>wide")


def test_the_report_says_how_many_captions_could_not_be_read_whole(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 8)
    draw_colours(tmp_path / "other", 4)
    (tmp_path / "other" / "000.txt").write_text("red " * 17)
    encode(tmp_path / "figures", tmp_path / "index", ColourEncoder(), long_captions="chunk")
    build(tmp_path / "index")
    assert evaluate(tmp_path / "index", resamples=0).long_captions == {"index": CaptionsRead("chunk", 7, 0, 0)}
    report = evaluate(tmp_path / "index", queries=tmp_path / "other", encoder=ColourEncoder(), resamples=0)
    assert report.long_captions["queries"] == CaptionsRead("chunk", 4, 0, 1)
    assert report.to_json()["long_captions"]["queries"]["windowed"] == 1


def test_an_index_of_an_encoder_that_reads_captions_only_is_refused_in_one_sentence(tmp_path: Path) -> None:
    index_of(tmp_path, FIGURES, encoder=CaptionsOnly())
    for queries in (None, "figure_id=a", ListedCorpus([figure("a", RED, "1 0 0")])):
        with pytest.raises(QueryError, match=r"holds captions only, .*; evaluate an index of images and captions"):
            evaluate(tmp_path, queries=queries, encoder=CaptionsOnly())


def test_what_each_direction_was_measured_from_can_be_looked_at(folder: Path) -> None:
    seen: dict[str, DirectionRanks] = {}
    report = evaluate(folder, resamples=0, each=lambda answers: seen.update({answers.direction: answers}))
    assert list(seen) == list(report.directions)
    every = np.arange(4)
    t2i = seen["t2i"]
    assert t2i.ranks.ranks.tolist() == [1, 1, 2, 3]
    best = t2i.best(every, 3)
    for query, (row, score) in enumerate(t2i.nearest_relevant(every)):
        place = int(t2i.ranks[query][0]) - 1
        assert best.rows[query, place] == row
        assert best.scores[query, place] == pytest.approx(score, abs=1e-6)


def test_a_sample_is_of_whole_articles_and_the_same_for_a_seed(tmp_path: Path) -> None:
    figures = [figure(f"f{n:02d}", (n, 9, 9), f"{n} 9 9", article_id=f"a{n // 3}") for n in range(30)]
    index_of(tmp_path, figures)
    asked: list[list[str]] = []
    for seed in (1, 1, 2):
        report = evaluate(
            tmp_path,
            queries="sample:7",
            seed=seed,
            each=lambda answers: asked.append([one.split("#")[0] for one in answers.question.ids()]),
        )
        assert report.directions["t2i"].queries == 9
        assert report.directions["t2i"].measures["mrr"].clusters == 3
        assert report.directions["t2i"].gallery == 30
    assert asked[0] == asked[1] == asked[2] == asked[3]
    assert asked[4] == asked[5] != asked[0]
    assert evaluate(tmp_path, queries="sample:30").directions["i2t"].queries == 30
    for wrong in ("sample:31", "sample:0"):
        with pytest.raises(QueryError, match=f"{wrong}: the index has 30 figures with image and caption"):
            evaluate(tmp_path, queries=wrong)


def test_a_report_prints_as_a_table_and_shows_itself_in_a_notebook(tmp_path: Path) -> None:
    index_of(tmp_path, [figure(f"<{n}>", (n, 9, 9), f"{n} 9 9", article_id=f"a{n}") for n in range(12)])
    report = replace(evaluate(tmp_path), queries="<script>")
    lines = repr(report).splitlines()
    assert lines[1].split()[:3] == ["direction", "queries", "gallery"]
    assert lines[2].startswith("text → image")
    assert f"{report.recall(10).value:.3f}" in lines[2]
    html = report._repr_html_()
    assert html.count("<tr>") == 3
    assert "text → image" in html
    assert "queries: &lt;script&gt;" in html


def test_options_are_given_whole_or_as_keywords_and_unknown_ones_are_named(tmp_path: Path) -> None:
    index_of(tmp_path, [figure(f"f{n}", (n, 9, 9), f"{n} 9 9") for n in range(4)])
    assert evaluate(tmp_path, EvaluateOptions(ks=(2,), resamples=0)) == evaluate(tmp_path, ks=2, resamples=0)
    with pytest.raises(QueryError, match="querys: no such option of an evaluation; there are queries"):
        evaluate(tmp_path, querys="x")  # type: ignore[call-arg]
    with pytest.raises(QueryError, match="give cut-offs of at least 1"):
        evaluate(tmp_path, ks=(0,))
