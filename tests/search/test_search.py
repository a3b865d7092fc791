"""Questions and answers: every kind of question, what a hit says, and what is refused."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from retrieval.errors import EncoderError, FilterError, QueryError, RetrievalError
from retrieval.images.decode import decode
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.indexes.faiss_index import open_index
from retrieval.search.query import Answer, Query
from retrieval.search.searcher import Searcher
from retrieval.shards.filters import Filter
from retrieval.shards.reader import Shards
from retrieval.shards.vectors import unit
from retrieval.types import Figure
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder
from tests.listed import CaptionsOnly, PlainEncoder, figure, index_of, png

COLUMNS = {"year": "int64", "weight": "float64", "open": "bool", "journal": "string", "dc.type-1": "string"}
FIGURES = [
    figure(
        "red", (250, 10, 10), "250 10 10", "200 50 50", article_id="P1", metadata={"year": 2001, "journal": "Brain"}
    ),
    figure(
        "green", (10, 250, 10), "10 250 10", metadata={"year": 2010, "weight": 0.5, "open": True, "dc.type-1": "x y"}
    ),
    figure("blue", (10, 10, 250), article_id="P1", metadata={"year": 2020, "weight": 1.5, "open": False}),
    figure("words", None, "10 10 240", "90 90 90", metadata={"year": 2015, "journal": "brain research"}),
    figure("grey", (128, 128, 128), "128 128 128", extra={"note": ["a", 1]}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    index_of(folder, FIGURES, columns=COLUMNS, shard_size=2, thumbnail=16)
    return folder


@pytest.fixture
def searcher(folder: Path) -> Searcher:
    return Searcher(folder, PlainEncoder())


def ids(answer: Answer) -> list[str]:
    return [hit.figure_id for hit in answer]


def test_words_find_images_best_first(searcher: Searcher) -> None:
    answer = searcher.search("240 20 20")
    assert ids(answer)[0] == "red"
    assert len(answer) == 4
    assert [hit.rank for hit in answer] == [1, 2, 3, 4]
    assert [hit.score for hit in answer] == sorted((hit.score for hit in answer), reverse=True)
    assert {hit.modality for hit in answer} == {"image"}


def test_an_image_finds_captions_from_a_file_or_from_bytes(searcher: Searcher, tmp_path: Path) -> None:
    (tmp_path / "query.png").write_bytes(png((5, 5, 250)))
    for image in (tmp_path / "query.png", str(tmp_path / "query.png"), png((5, 5, 250))):
        answer = searcher.search(image=image, k=2)
        assert answer[0].modality == "text"
        assert (answer[0].figure_id, answer[0].caption) == ("words", "10 10 240")
        assert answer[0].captions == ("10 10 240", "90 90 90")


def test_a_figure_finds_images_like_it_and_not_itself(searcher: Searcher) -> None:
    answer = searcher.search(figure="red", k=10)
    assert ids(answer)[0] == "grey"
    assert sorted(ids(answer)) == ["blue", "green", "grey"]
    assert len(searcher.search(figure="red", k=2)) == 2


def test_a_figure_of_captions_only_asks_with_its_first_caption(searcher: Searcher) -> None:
    assert ids(searcher.search(figure="words", k=1)) == ["blue"]
    assert searcher.search(figure="words", target="text", k=1)[0].caption == "128 128 128"


def test_a_figure_that_has_a_twin_finds_the_twin(tmp_path: Path) -> None:
    index_of(tmp_path, [figure(name, (7, 8, 9)) for name in "abc"])
    assert ids(Searcher(tmp_path).search(figure="b", k=5)) == ["a", "c"]


@pytest.mark.parametrize("target", ["images", "captions"])
def test_a_vector_is_normalised_and_finds_what_its_direction_says(searcher: Searcher, target: Any) -> None:
    short, long = (searcher.search(vector=np.array([0.0, 0.0, size]), target=target) for size in (0.01, 99))
    assert list(short) == list(long)
    assert short[0].figure_id == {"images": "blue", "captions": "words"}[target]


def test_scores_are_cosines_of_the_stored_vectors(searcher: Searcher) -> None:
    query = unit(np.array([[1.0, 0.0, 0.0]]))
    vectors = unit(np.asarray(searcher.built.vectors("image"))).astype(np.float64)
    expected = {row: np.float32(query[0].astype(np.float64) @ vector) for row, vector in enumerate(vectors)}
    found = [np.float32(hit.score) for hit in searcher.search(vector=query[0])]
    assert found == sorted(expected.values(), reverse=True)


def test_a_hit_says_all_that_is_known_of_its_figure(searcher: Searcher) -> None:
    hit = searcher.search("250 10 10", k=1)[0]
    assert (hit.figure_id, hit.caption, hit.captions) == ("red", "250 10 10", ("250 10 10", "200 50 50"))
    assert (hit.article_id, hit.source_uri, hit.width, hit.height) == ("P1", "red.png", 1, 1)
    assert hit.metadata == {"year": 2001, "weight": None, "open": None, "journal": "Brain", "dc.type-1": None}
    assert hit.thumbnail is not None
    assert decode(hit.thumbnail).size == (1, 1)
    assert searcher.search("128 128 128", k=1)[0].metadata["note"] == ["a", 1]


def test_a_caption_hit_knows_the_image_of_its_figure_where_there_is_one(searcher: Searcher) -> None:
    red, words = (searcher.search(text, target="text", k=1)[0] for text in ("250 10 10", "10 10 240"))
    assert (red.width, red.thumbnail is not None, red.article_id) == (1, True, "P1")
    assert (words.width, words.thumbnail, words.metadata["year"]) == (None, None, 2015)


def test_an_image_without_a_caption_has_an_empty_one(searcher: Searcher) -> None:
    blue = searcher.search("10 10 250", k=1)[0]
    assert (blue.figure_id, blue.caption, blue.captions) == ("blue", "", ())


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (["year=2010"], {"green"}),
        (["year!=2010"], {"red", "blue"}),
        (["year<2010"], {"red"}),
        (["year<=2010"], {"red", "green"}),
        (["year>2010"], {"blue"}),
        (["year>=2010"], {"green", "blue"}),
        (["year in 2001,2020"], {"red", "blue"}),
        (["weight<1"], {"green"}),
        (["open=true"], {"green"}),
        (["open!=true"], {"blue"}),
        (["journal~BRA"], {"red"}),
        (["journal=Brain"], {"red"}),
        (["dc.type-1=x y"], {"green"}),
        (["article_id=P1"], {"red", "blue"}),
        (["figure_id in red,grey,none"], {"red", "grey"}),
        (["source_uri~gr"], {"green", "grey"}),
        (["width>=1", "height<5"], {"red", "green", "blue", "grey"}),
        (["year>2000", "open=false"], {"blue"}),
        (["year>3000"], set()),
        ("year=2010", {"green"}),
        ("caption~250 1", {"red", "green"}),
        (["caption~250", "caption~200"], {"red"}),
        (["caption~250", "year=2001", "width>0"], {"red"}),
        ("caption~90", set()),
        ("NOT (year <= 2010) or caption ~ '250 1'", {"red", "green", "blue"}),
        (Filter("year >= 2010") & ~Filter("open = false"), {"green"}),
        (Filter("width > 0") & "caption ~ 200", {"red"}),
        (pc.field("year") >= 2010, {"green", "blue"}),
        ([pc.field("width") > 0, Filter(pc.field("year") < 2005) | "weight < 1"], {"red", "green"}),
    ],
)
def test_where_clauses_leave_only_what_fulfils_all_of_them(searcher: Searcher, where: Any, found: set[str]) -> None:
    answer = searcher.search("9 9 9", where=where)
    assert set(ids(answer)) == found
    assert [hit.rank for hit in answer] == list(range(1, len(found) + 1))


def test_asking_for_more_than_there_is_gives_all_there_is_and_takes_no_room_for_the_rest(searcher: Searcher) -> None:
    assert len(searcher.search("1 2 3", k=10**12)) == 4
    assert len(searcher.search(figure="red", k=10**12)) == 3
    assert len(searcher.search("1 2 3", k=10**12, where=["year=2010"])) == 1


def test_captions_can_be_asked_by_what_they_say(searcher: Searcher) -> None:
    answer = searcher.search("1 1 1", target="text", where=["caption~90", "year>=2015"])
    assert [(hit.figure_id, hit.caption) for hit in answer] == [("words", "90 90 90")]


def test_captions_can_be_asked_by_the_size_of_their_image(searcher: Searcher) -> None:
    answer = searcher.search("1 1 1", target="text", where="width>0")
    assert {hit.figure_id for hit in answer} == {"red", "green", "grey"}
    assert len(answer) == 4


@pytest.mark.parametrize(("target", "clause"), [("captions", "volume>3"), ("images", "yaer=3"), ("images", "year~2")])
def test_a_clause_that_cannot_be_met_names_the_columns_that_there_are(
    searcher: Searcher, target: Any, clause: str
) -> None:
    with pytest.raises(FilterError, match=r"there are .*year|use = < >"):
        searcher.search("1 1 1", target=target, where=[clause])


def test_a_figure_asking_under_a_clause_still_gets_k_others(searcher: Searcher) -> None:
    assert set(ids(searcher.search(figure="red", k=2, where=["year<3000"]))) == {"green", "blue"}
    assert ids(searcher.search(figure="grey", k=2, where=["year=2001"])) == ["red"]


def test_many_questions_of_all_kinds_are_answered_as_one_by_one(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector = np.array([1.0, 0.5, 0.0], np.float32)
    queries = [
        Query(text="9 1 1"),
        Query(image=png((1, 9, 1))),
        Query(figure="words"),
        Query(vector=vector),
        Query(figure="red"),
        Query(text="1 1 9"),
        Query(image=png((1, 1, 9))),
    ]
    for size in (64, 2):
        monkeypatch.setattr("retrieval.search.searcher.QUERIES_AT_ONCE", size)
        for options in ({}, {"target": "captions"}, {"where": ["year>=2001"], "k": 2}):
            together = list(searcher.search_many(queries, **options))  # type: ignore[arg-type]
            alone = [
                searcher.search(query.text, image=query.image, figure=query.figure, vector=query.vector, **options)  # type: ignore[arg-type]
                for query in queries
            ]
            assert [list(answer) for answer in together] == [list(answer) for answer in alone]
    assert list(searcher.search_many([])) == []


def test_an_index_without_images_or_without_captions_says_what_it_has(tmp_path: Path) -> None:
    index_of(tmp_path / "images", FIGURES[2:3])
    index_of(tmp_path / "captions", FIGURES[3:4])
    with pytest.raises(QueryError, match="holds no texts; search for images"):
        Searcher(tmp_path / "images", PlainEncoder()).search(image=png((1, 1, 1)), target="text")
    captions = Searcher(tmp_path / "captions", PlainEncoder())
    for question in ({"text": "1 1 1"}, {"figure": "words"}):
        with pytest.raises(QueryError, match="holds no images; search for texts"):
            captions.search(**question, target="image")  # type: ignore[arg-type]
    assert ids(captions.search(figure="words", target="text")) == []
    assert captions.search(image=png((1, 1, 1)))[0].caption == "90 90 90"


class Another(PlainEncoder):
    fingerprint = "2" * 64


def test_another_encoder_is_refused_for_questions_that_need_one_and_only_for_those(folder: Path) -> None:
    searcher = Searcher(folder, Another())
    for question in ({"text": "1 1 1"}, {"image": png((1, 1, 1))}):
        with pytest.raises(
            EncoderError, match=r"built with encoder plain \(11111111\), which plain \(22222222\) is not"
        ):
            searcher.search(**question)  # type: ignore[arg-type]
    assert ids(searcher.search(figure="red", k=1)) == ["grey"]
    with pytest.raises(EncoderError, match="no such encoder"):
        Searcher(folder).search("1 1 1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one of text, image, figure, caption, vector or combine, not nothing"),
        ({"text": "1 1 1", "figure": "red"}, "not text and figure"),
        ({"text": " \n"}, "query text is empty"),
        ({"text": "1 1 1", "k": 0}, "k is 0; ask for at least 1"),
        ({"text": "1 1 1", "target": "videos"}, "videos: no such target; ask for image or text"),
        ({"figure": "rot"}, "rot: no such figure in"),
        ({"figure": "\udcff"}, "no such figure in"),
        ({"image": "nowhere.png"}, r"nowhere\.png: cannot be read \(No such file"),
        ({"image": b""}, "the image: image is empty; give a JPEG"),
        ({"image": b"text"}, "the image: not an image"),
        ({"image": Path(__file__)}, r"test_search\.py: not an image; give a JPEG"),
        ({"image": Path(__file__).parent}, "Is a directory"),
        ({"vector": np.zeros(4, np.float32)}, r"the query vector is \(4,\), the index wants \(3,\)"),
        ({"vector": np.zeros((1, 3), np.float32)}, r"is \(1, 3\)"),
        ({"vector": np.array([1, np.nan, 0], np.float32)}, "not finite"),
    ],
)
def test_impossible_questions_are_refused_in_one_sentence(
    searcher: Searcher, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said) as raised:
        searcher.search(**arguments)
    assert "\n" not in str(raised.value)


def test_an_answer_reads_as_a_table_and_as_pictures(searcher: Searcher) -> None:
    answer = searcher.search("250 10 10", k=2)
    assert repr(answer).splitlines()[0].split()[:5] == ["1", "1.000", "87.5", "%", "red"]
    assert "250 10 10" in repr(answer)
    page = answer._repr_html_()
    assert page.count("data:image/jpeg") == 2
    assert "red" in page
    assert repr(searcher.search("1 1 1", where=["year>3000"])) == "no hits"
    assert isinstance(searcher.search("1 1 1", where=["year>3000"])._repr_html_(), str)
    assert [hit.rank for hit in answer[:1]] == [1]


def test_hostile_captions_and_ids_are_escaped_in_a_notebook(tmp_path: Path) -> None:
    evil = Figure("<script>id</script>", png((1, 1, 1)), (), "<img src=x onerror=alert(1)>", extra={"<b>": "</td>"})
    index_of(tmp_path, [evil], thumbnail=8)
    page = Searcher(tmp_path).search(vector=np.ones(3))._repr_html_()
    assert "<script>id" not in page
    assert "onerror=alert(1)>" not in page


def test_a_folder_of_images_is_indexed_and_asked_like_in_the_documentation(tmp_path: Path) -> None:
    draw_colours(tmp_path / "figures", 20)
    encode(tmp_path / "figures", tmp_path / "i", ColourEncoder(), shard_size=6)
    build(tmp_path / "i")
    index = Searcher(tmp_path / "i", ColourEncoder())
    assert ids(index.search("a red thing", k=3)) == ["000", "008", "016"]
    assert index.search(image=tmp_path / "figures" / "002.png", k=1)[0].caption == "a blue field, number 2"
    assert ids(index.search(figure="002", k=2, where=["width>45"])) == ["010", "018"]


@pytest.mark.parametrize("factory", ["IVF8,Flat", "IVF8,SQ8"])
def test_an_approximate_index_answers_filtered_questions_exactly_and_completely(tmp_path: Path, factory: str) -> None:
    rng = np.random.default_rng(0)
    figures = [
        figure(f"f{n:03d}", tuple(colour), metadata={"year": n % 40})  # type: ignore[arg-type]
        for n, colour in enumerate(rng.integers(1, 255, (400, 3)).tolist())
    ]
    index_of(tmp_path, figures, columns={"year": "int64"}, shard_size=150, factory=factory)
    searcher = Searcher(tmp_path, PlainEncoder())
    vectors = unit(np.asarray(searcher.built.vectors("image"))).astype(np.float64)
    query = unit(np.array([[3.0, 1.0, 2.0]])).astype(np.float64)
    scores = (vectors @ query[0]).astype(np.float32)
    rows = sorted((n for n in range(400) if n % 40 == 7), key=lambda n: (-scores[n], n))
    answer = searcher.search("3 1 2", where=["year=7"], k=20)
    assert ids(answer) == [f"f{n:03d}" for n in rows]
    assert len(searcher.search("3 1 2", where=["year>10"], k=250)) == 250


def test_one_searcher_answers_several_threads(searcher: Searcher) -> None:
    questions = [
        {"text": "9 1 1"},
        {"figure": "red"},
        {"text": "1 1 9", "where": ["year>=2001"]},
        {"image": png((1, 9, 1))},
        {"figure": "grey", "where": ["open!=true", "weight>1"]},
        {"vector": np.ones(3), "target": "captions", "where": ["caption~1", "journal~brain"]},
    ]
    expected = [list(searcher.search(**question)) for question in questions]  # type: ignore[arg-type]
    wrong: list[int] = []
    fresh = Searcher(searcher.built.folder, PlainEncoder())

    def ask(number: int) -> None:
        for _ in range(10):
            if list(fresh.search(**questions[number])) != expected[number]:  # type: ignore[arg-type]
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number % len(questions),)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_column_is_read_once_for_many_questions_and_kept_only_where_there_is_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [["year>2005"], ["year>2005", "open=true"], ["journal~brain"], ["year=2001"], ["open=false"]]
    expected = [ids(Searcher(folder, PlainEncoder()).search("9 9 9", where=where)) for where in questions]
    read: list[str] = []
    columns = Shards.columns

    def reading(self: Shards, table: Any, names: Any) -> Any:
        read.extend(names)
        return columns(self, table, names)

    monkeypatch.setattr(Shards, "columns", reading)
    for room, times in ((1 << 20, 1), (1, 2)):
        monkeypatch.setattr("retrieval.indexes.opened_index.KEPT_BYTES", room)
        searcher, read[:] = Searcher(folder, PlainEncoder()), []
        for _ in range(times):
            assert [ids(searcher.search("9 9 9", where=where)) for where in questions] == expected
        assert sorted(read) == sorted(
            ["year", "open", "journal"] if times == 1 else 2 * [*["year"] * 3, *["open"] * 2, "journal"]
        )


def test_a_folder_that_is_not_built_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="make one with: retrieval index"):
        Searcher(tmp_path)
    draw_colours(tmp_path / "figures", 2)
    encode(tmp_path / "figures", tmp_path / "i", ColourEncoder())
    with pytest.raises(RetrievalError, match="encoded but not built; run: retrieval build"):
        Searcher(tmp_path / "i")


def test_asking_writes_nothing_so_an_index_may_lie_on_a_read_only_disk(folder: Path) -> None:
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}

    before = state()
    searcher = Searcher(folder, PlainEncoder())
    for answer in (
        searcher.search("1 2 3"),
        searcher.search(figure="red"),
        searcher.search("1 2 3", where="year>2000"),
    ):
        assert len(answer)
    assert state() == before


def test_a_collection_of_one_kind_answers_with_that_kind(tmp_path: Path) -> None:
    index_of(tmp_path / "texts", [figure("a", None, "1 2 3"), figure("b", None, "200 2 3")])
    index_of(tmp_path / "images", [figure("a", (1, 2, 3))])
    assert [hit.modality for hit in Searcher(tmp_path / "texts", PlainEncoder()).search("190 2 3")] == ["text"] * 2
    assert Searcher(tmp_path / "images", PlainEncoder()).search(image=png((1, 2, 3)))[0].modality == "image"


def test_a_question_that_is_too_long_is_cut_and_says_so_or_is_read_in_windows_as_the_captions_were(
    tmp_path: Path,
) -> None:
    draw_colours(tmp_path / "figures", 8)
    long = "Red " * 12 + "here. " + "Blue " * 14 + "there."
    found = {}
    for policy in ("truncate", "chunk"):
        encode(tmp_path / "figures", tmp_path / policy, ColourEncoder(), long_captions=policy)  # type: ignore[arg-type]
        build(tmp_path / policy)
        found[policy] = Searcher(tmp_path / policy, ColourEncoder()).search(long, k=1)[0].figure_id
        answers = list(Searcher(tmp_path / policy, ColourEncoder()).search_many([Query("red"), Query(long)]))
        assert [answer.query_cut for answer in answers] == [False, policy == "truncate"]
    assert found == {"truncate": "000", "chunk": "002"}  # the beginning is red, most of it blue


def test_an_index_of_an_encoder_that_reads_captions_only_answers_with_captions_and_refuses_images(
    tmp_path: Path,
) -> None:
    index_of(tmp_path, FIGURES, columns=COLUMNS, thumbnail=16, encoder=CaptionsOnly())
    searcher = Searcher(tmp_path, CaptionsOnly())
    hit = searcher.search("11 11 240", k=1)[0]
    assert (hit.figure_id, hit.caption, hit.modality, hit.captions) == (
        "words",
        "10 10 240",
        "text",
        ("10 10 240", "90 90 90"),
    )
    assert (hit.thumbnail, hit.width, hit.metadata["year"]) == (None, None, 2015)
    assert sorted(ids(searcher.search(figure="green", k=9))) == ["grey", "red", "red", "words", "words"]
    for image in (png((1, 1, 1)), tmp_path / "nowhere.png"):
        with pytest.raises(QueryError, match="captions only: reads captions only; ask with words, or with a figure"):
            searcher.search(image=image)
    with pytest.raises(QueryError, match="holds no images; search for texts"):
        searcher.search("1 1 1", target="image")


def build_colours(source: Path, folder: Path) -> None:
    draw_colours(source, 8)
    encode(source, folder, ColourEncoder())
    build(folder)


def test_a_dropped_index_is_freed_at_once_without_the_garbage_collector(tmp_path: Path) -> None:
    folder = tmp_path / "i"
    build_colours(tmp_path / "f", folder)
    gc.disable()
    try:
        alive = []
        for _ in range(5):
            index = Searcher(folder, ColourEncoder())
            assert len(index.search("a red field", mode="hybrid", k=2)) == 2
            alive.append(weakref.ref(index.built))
            del index
        assert [reference() for reference in alive] == [None] * 5
    finally:
        gc.enable()


def test_a_closed_index_holds_no_file_and_opens_again(tmp_path: Path) -> None:
    folder = tmp_path / "i"
    build_colours(tmp_path / "f", folder)
    with Searcher(folder, ColourEncoder()) as index:
        first = [hit.figure_id for hit in index.search("a red field")]
    mapped = Path("/proc/self/maps")
    if mapped.exists():
        assert str(folder) not in mapped.read_text()
    assert [hit.figure_id for hit in index.search("a red field")] == first


def test_simultaneous_first_questions_open_each_resource_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "i"
    build_colours(tmp_path / "f", folder)
    opened: list[object] = []
    monkeypatch.setattr(
        "retrieval.indexes.faiss_index.open_index", lambda *about: opened.append(about) or open_index(*about)
    )
    index = Searcher(folder, ColourEncoder())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: [hit.figure_id for hit in index.search("a red field")], range(4)))
    assert len(opened) == 1
    assert answers[1:] == answers[:1] * 3
