"""Where sentences end, where they do not, and windows that lose nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.corpora.sentences import sentence_ends, windows


def cut(text: str) -> list[str]:
    ends = sentence_ends(text)
    return [text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Axial CT. Lesion in the liver.", ["Axial CT.", "Lesion in the liver."]),
        ("Is it? Yes! See (left.) “Right.” End", ["Is it?", "Yes!", "See (left.)", "“Right.”", "End"]),
        ("Cells at 72 hr. 20 mice were used.", ["Cells at 72 hr.", "20 mice were used."]),
        ("*P < 0.05. **P < 0.01. †Not tested.", ["*P < 0.05.", "**P < 0.01.", "†Not tested."]),
        ("a, Blot. b, Gel. c) Curve.", ["a, Blot.", "b, Gel.", "c) Curve."]),
        ("(A) Blot. (B) Gel.", ["(A) Blot.", "(B) Gel."]),
        ("A title\n\nand its paragraph", ["A title", "and its paragraph"]),
        ("見出し。図は肝臓。", ["見出し。", "図は肝臓。"]),
        ("Der Kopf. Übersicht der Nerven.", ["Der Kopf.", "Übersicht der Nerven."]),
    ],
)
def test_a_sentence_ends_where_the_next_begins(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "as in Fig. 2 and Figs. 3A",
        "see Suppl. Table 4, cf. Eq. 7 in Ref. 12",
        "Foo et al. Nature",
        "injected i.v. Mice, e.g. BALB, i.e. U.S. Strains",
        "Escherichia coli vs. E. coli and S. Aureus",
        "Streptococcus sp. Lancefield",
        "p = 0.05, n = 3. n is the number",
        "0. 05 in a bad scan",
        "Dr. Smith and Prof. Jones in vol. 2, No. 4, pp. 3",
        "Fig. 2. Heart",
        "Figure 12a. Heart",
        "PLATE IV. Heart",
        "(A). Blot",
        "B. Gel",
        "3. Lung",
        "ends here . . . and goes on",
        "z.B. Gehirn, vgl. Abb. 3",
        "e.g.) The rest",
        "",
        "?",
        "...",
    ],
)
def test_in_doubt_no_sentence_ends(text: str) -> None:
    assert sentence_ends(text) == [len(text)]


def words_fit(limit: int) -> Callable[[str], bool]:
    return lambda text: len(text.split()) <= limit


def test_as_many_whole_sentences_as_fit_make_a_window() -> None:
    text = "One two. Three four. Five six seven. Eight."
    assert windows(text, words_fit(4)) == ["One two. Three four.", "Five six seven. Eight."]
    assert windows(text, words_fit(3)) == ["One two.", "Three four.", "Five six seven.", "Eight."]


def test_a_sentence_that_is_too_long_alone_is_cut_between_words_and_its_rest_goes_with_the_next() -> None:
    text = "Begin. One two three four five. Six."
    assert windows(text, words_fit(3)) == ["Begin.", "One two three", "four five. Six."]


def test_a_word_that_is_too_long_alone_is_cut_between_characters() -> None:
    assert windows("ab ACGTACGTAC b", lambda text: len(text) <= 4) == ["ab", "ACGT", "ACGT", "AC b"]


def test_a_character_that_does_not_fit_is_a_window_all_the_same() -> None:
    assert windows("ab c", lambda text: False) == ["a", "b", "c"]


def test_a_text_that_fits_is_one_window_and_nothing_is_none() -> None:
    assert windows("  One. Two. ", words_fit(9)) == ["One. Two."]
    assert windows(" \n", words_fit(9)) == []


TEXTS = st.lists(
    st.sampled_from(
        ["Cells", "of", "E. coli.", "(A)", "Fig.", "2.", "at", "0.5", "mg.", "b,", "。", "Ü!", "\n\n", "x" * 9]
    )
    | st.text(max_size=6)
).map(" ".join)


@given(TEXTS.map(lambda text: text.replace("。", "")), st.integers(1, 12))
def test_windows_joined_are_the_words_of_the_text_and_each_fits(text: str, limit: int) -> None:
    cut = windows(text, words_fit(limit))
    assert " ".join(cut).split() == text.split()
    assert all(0 < len(window.split()) <= limit for window in cut)


@given(TEXTS, st.integers(1, 30))
def test_windows_lose_no_character_even_where_words_must_be_cut(text: str, limit: int) -> None:
    cut = windows(text, lambda window: len(window) <= limit)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(0 < len(window) <= limit and window == window.strip() for window in cut)


@given(TEXTS)
def test_sentence_ends_rise_and_stand_behind_something(text: str) -> None:
    ends = sentence_ends(text)
    assert ends[-1] == len(text)
    assert ends == sorted(set(ends))
    assert all(not text[end - 1].isspace() for end in ends[:-1])
