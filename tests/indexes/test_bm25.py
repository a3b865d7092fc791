"""Words of captions: which terms a text has, and scores that equal BM25 computed the slow way."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import StaleIndexError
from retrieval.indexes.bm25 import bm25_index
from retrieval.indexes.bm25.bm25_index import Lexical, write_lexical
from retrieval.indexes.bm25.terms import caption_terms, query_terms, terms_of

WORDS = ("il-6", "IL6", "p53", "TNF-α", "tumour", "tumours", "ct", "of", "the", "NM_000059.3", "CD4+", "5-FU")


def bm25(captions: list[str], query: str, k1: float = 1.2, b: float = 0.75) -> list[float]:
    """The formula, caption by caption: Robertson and Zaragoza (2009), with Lucene's idf, which is never negative."""
    documents = [Counter(terms_of(caption)) for caption in captions]
    lengths = [sum(document.values()) for document in documents]
    mean = sum(lengths) / max(1, len(lengths))
    scores = [0.0] * len(captions)
    for term in terms_of(query):
        frequency = sum(term in document for document in documents)
        idf = math.log(1 + (len(captions) - frequency + 0.5) / (frequency + 0.5))
        for row, document in enumerate(documents):
            if term in document:
                scores[row] += idf * document[term] / (document[term] + k1 * (1 - b + b * lengths[row] / mean))
    return scores


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("BRCA1", ["brca1"]),
        ("rs1801133", ["rs1801133"]),
        ("IL-6", ["il6", "il", "6"]),
        ("IL6", ["il6"]),
        ("TNF-α", ["tnfalpha", "tnf", "alpha"]),
        ("TNF-alpha", ["tnfalpha", "tnf", "alpha"]),
        ("NM_000059.3", ["nm_000059.3", "nm", "000059", "3"]),
        ("5-FU", ["5fu", "5", "fu"]),
        ("(CD4+), CD8⁺", ["cd4+", "cd4", "cd8+", "cd8"]),
        ("COVID-19", ["covid19", "covid", "19"]),
        ("COVID\N{NON-BREAKING HYPHEN}19", ["covid19", "covid", "19"]),
        ("c.35G>A", ["c.35g>a", "c", "35g", "a"]),
        ("Sjögren's CO₂", ["sjogrens", "sjogren", "s", "co2"]),
        ("λ phage", ["lambda", "phage"]),
        ("biopsies, masses; analysis virus", ["biopsy", "masse", "analysis", "virus"]),
        ("NRAS p16s", ["nra", "p16s"]),
        ("end. Next -- and - so", ["end", "next", "and", "so"]),
        ("ＡＢＣ①", ["abc1"]),
        ("", []),
        ("… - +", []),
    ],
)
def test_names_are_terms_whole_and_in_parts(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=12), st.lists(st.sampled_from(WORDS), max_size=4)
)
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_formula(
    tmp_path_factory: pytest.TempPathFactory, captions: list[list[str]], query: list[str]
) -> None:
    texts, asked = [" ".join(words) for words in captions], " ".join(query)
    folder = tmp_path_factory.mktemp("words")
    write_lexical(folder, [texts[:5], texts[5:]], "digest")
    found = Lexical(folder, "digest").scores([(asked, 1.0)])
    assert found.shape == (len(texts),)
    np.testing.assert_allclose(found, bm25(texts, asked), rtol=1e-5)


def test_blocks_of_any_size_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    captions = [" ".join(rng.choice(WORDS, 8)) for _ in range(100)]
    write_lexical(tmp_path / "one", [captions], "d")
    write_lexical(tmp_path / "many", [captions[start : start + 3] for start in range(0, 100, 3)], "d")
    one, many = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "many"))
    assert one == many


def test_several_texts_add_up_with_their_weights(tmp_path: Path) -> None:
    texts = ["p53 in a tumour", "p53", "a tumour of the liver"]
    write_lexical(tmp_path, [texts], "d")
    found = Lexical(tmp_path, "d").scores([("p53", 2.0), ("tumour", -1.0)])
    expected = 2 * np.array(bm25(texts, "p53")) - np.array(bm25(texts, "tumour"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found[1] > found[0] > 0 > found[2]


def test_a_term_says_how_many_captions_hold_it(tmp_path: Path) -> None:
    write_lexical(tmp_path, [["IL-6 and p53", "p53 p53", "none"]], "d")
    words = Lexical(tmp_path, "d")
    assert [words.frequency(term) for term in ("p53", "il6", "none", "absent", "zzz", "")] == [2, 1, 1, 0, 0, 0]


def test_what_is_whole_and_of_the_same_captions_is_kept_and_anything_else_is_written_again(tmp_path: Path) -> None:
    def captions() -> list[list[str]]:
        read.append(1)
        return [["p53"], ["tumour"]]

    read: list[int] = []
    first = write_lexical(tmp_path, captions(), "d")
    unread = iter(())
    assert write_lexical(tmp_path, unread, "d") == first
    for name in ("data.csc.index.npy", "vocab.index.json", "lexical.json"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(StaleIndexError, match="run retrieval build again"):
            Lexical(tmp_path, "d")
        assert write_lexical(tmp_path, captions(), "d") == first
    with pytest.raises(StaleIndexError, match="of other captions than are there now"):
        Lexical(tmp_path, "other")
    (tmp_path / "left by a killed run").write_bytes(b"")
    assert write_lexical(tmp_path, [["other"]], "other")["rows"] == 1
    assert not (tmp_path / "left by a killed run").exists()


def test_no_captions_are_a_whole_index_too(tmp_path: Path) -> None:
    for number, captions in enumerate(([], [[]], [["", " - "]])):
        write_lexical(tmp_path / str(number), captions, "d")
        assert not Lexical(tmp_path / str(number), "d").scores([("p53", 1.0)]).any()


UNSPACED = [
    "胸部X线检查显示左肺上叶结节",
    "腹部CT示肝右叶占位性病变",
    "肺の右上葉に結節を認める",
    "ｶﾞﾝの所見",
    "폐렴이 의심됨",
    "ปอดอักเสบด้านซ้าย",
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("左肺", [0]),
        ("结节", [0]),
        ("肝右叶", [1]),
        ("CT", [1]),
        ("結節", [2]),
        ("肺", [0, 2]),
        ("ガン", [3]),
        ("폐렴", [4]),
        ("폐", [4]),
        ("ปอด", [5]),
        ("ซ้าย", [5]),
        ("X", [0]),
        ("脳", []),
    ],
)
def test_parts_of_runs_without_spaces_are_found(tmp_path: Path, query: str, found: list[int]) -> None:
    write_lexical(tmp_path, [UNSPACED], "d")
    assert np.flatnonzero(Lexical(tmp_path, "d").scores([(query, 1.0)])).tolist() == found


@settings(max_examples=200, deadline=None)
@given(st.text("左肺上叶のがプ한폐ปอ้ a", max_size=12), st.integers(0, 12), st.integers(1, 12))
def test_every_part_of_a_caption_asks_for_terms_that_the_caption_has(text: str, start: int, length: int) -> None:
    for part in text[start : start + length].split():
        if not part.isascii() and "a" not in part:
            assert set(query_terms(part)) <= set(caption_terms(text))


@given(st.text("abs-6'éβμ+. \n", max_size=20))
def test_words_with_spaces_have_the_terms_that_they_had(text: str) -> None:
    assert caption_terms(text) == query_terms(text) == terms_of(text)


def test_an_index_of_the_first_format_is_asked_as_it_was_made_until_it_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(bm25_index, "FORMAT", 1)
        before.setattr(bm25_index, "caption_terms", terms_of)
        write_lexical(tmp_path, [UNSPACED], "d")
    old = Lexical(tmp_path, "d")
    assert np.flatnonzero(old.scores([(UNSPACED[1], 1.0)])).tolist() == [1]
    assert not old.scores([("肝右叶", 1.0)]).any()
    assert write_lexical(tmp_path, [UNSPACED], "d")["format"] == 2
    assert Lexical(tmp_path, "d").scores([("肝右叶", 1.0)])[1] > 0
