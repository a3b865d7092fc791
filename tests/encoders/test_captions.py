"""Captions to vectors: what fits is read as ever, what does not is cut or read in windows."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.encoders import load_encoder
from retrieval.encoders.captions import encode_captions
from retrieval.encoders.resolve import STARTER
from retrieval.types import Tokens, Vectors
from tests.doubles import CONTEXT, ColourEncoder

RED = "red " * 11 + "here."  # 12 words
BLUE = "Blue " * 5 + "there."  # 6 words, and CONTEXT is 16
SHORT = ["red and blue", "", "green", "black or white"]


def encoded(*captions: str, in_windows: bool = True, batch_size: int = 64) -> Vectors:
    return encode_captions(ColourEncoder(), captions, in_windows=in_windows, batch_size=batch_size).vectors


def test_a_long_caption_is_the_mean_of_its_sentences_weighted_by_their_words() -> None:
    read = encode_captions(ColourEncoder(), ["red", f"{RED} {BLUE}"], in_windows=True, batch_size=64)
    assert read.truncated.tolist() == [False, False]
    assert read.windowed.tolist() == [False, True]
    red, blue = encoded(RED, BLUE).astype(np.float64)
    mean = 12 * red + 6 * blue
    np.testing.assert_allclose(read.vectors[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_a_long_caption_that_is_cut_says_what_its_beginning_says() -> None:
    read = encode_captions(ColourEncoder(), [f"{RED} {BLUE}", RED], in_windows=False, batch_size=64)
    assert read.truncated.tolist() == [True, False]
    assert not read.windowed.any()
    beginning = " ".join(f"{RED} {BLUE}".split()[:CONTEXT])
    np.testing.assert_array_equal(read.vectors[0], encoded(beginning)[0])


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_captions_that_fit_are_read_as_ever_whatever_stands_beside_them(batch_size: int) -> None:
    cut = encoded(*SHORT, in_windows=False)
    np.testing.assert_array_equal(encoded(*SHORT), cut)
    beside = encoded(SHORT[0], f"{RED} {BLUE}", *SHORT[1:], f"{BLUE} {RED}", batch_size=batch_size)
    np.testing.assert_array_equal(beside[[0, 2, 3, 4]], cut)


class Watched(ColourEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []

    def encode_texts(self, tokens: Tokens) -> Vectors:
        self.batches.append(tokens.lengths.tolist())
        return super().encode_texts(tokens)


def test_captions_and_windows_are_batched_together_by_length() -> None:
    encoder = Watched()
    encode_captions(encoder, [f"{RED} {BLUE}", "red blue", "red " * 9], in_windows=True, batch_size=2)
    assert encoder.batches == [[2, 6], [9, 12]]


def test_no_captions_have_no_vectors() -> None:
    assert encoded().shape == (0, ColourEncoder.dim)


@pytest.mark.skipif(not (STARTER / "open_clip_config.json").is_file(), reason="the starter's weights are not there")
def test_a_real_tokenizer_reads_every_window_whole() -> None:
    encoder = load_encoder("starter")
    caption = "Fig. 2. " + " ".join(f"({letter}) Blot of β-actin, p = 0.05 (n = 3)." for letter in "ABCDEFGHIJKLMN")
    captions = ["axial CT", caption, "ACGT" * 900, "; ".join(["one long sentence of pneumonoultramicroscopic"] * 60)]
    read = encode_captions(encoder, captions, in_windows=True, batch_size=8)
    assert encode_captions(encoder, captions, in_windows=False, batch_size=8).truncated.tolist()[:2] == [False, True]
    assert not read.truncated.any()
    assert read.windowed[[1, 3]].all()
    np.testing.assert_allclose(np.linalg.norm(read.vectors.astype(np.float64), axis=1), 1, atol=1e-6)
