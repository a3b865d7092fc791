"""The contract of an Encoder, over every encoder that needs no download."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from retrieval.encoders import RESIZE_MODES, load_encoder
from retrieval.encoders.resolve import STARTER
from retrieval.types import Encoder, Pixels, Vectors
from tests.doubles import ColourEncoder

TEXTS = [
    "a red field",
    "",
    "axial CT of the abdomen with a hypodense lesion in the left lobe of the liver",
    "blue",
    "Ärzte — 図 \N{GREEK SMALL LETTER ALPHA}-actin, 10 µm",
    "two\nlines\tand a tab",
    "green " * 2000,
    "a red field",
]
NAMES = ["colours", "starter"] if (STARTER / "open_clip_config.json").is_file() else ["colours"]


@pytest.fixture(scope="module", params=NAMES)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return opened(request.param)


def opened(name: str, resize: str | None = None) -> Encoder:
    return ColourEncoder() if name == "colours" else load_encoder("starter", resize=resize)


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = [(64, 64), (300, 80), (1, 900), (900, 1), (1, 1), (37, 53)]
    noise = [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in sizes]
    return [*noise, Image.new("RGB", (50, 40), "white"), Image.new("RGB", (50, 40))]


def prepared(encoder: Encoder) -> Pixels:
    return np.stack([encoder.prepare(picture) for picture in pictures()])


def are_unit(vectors: Vectors, rows: int, dim: int) -> None:
    assert vectors.shape == (rows, dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_pixels_are_float32_of_one_shape_whatever_the_picture(encoder: Encoder) -> None:
    pixels = prepared(encoder)
    assert pixels.dtype == np.float32
    assert pixels.ndim == 4
    assert pixels.shape[1] == 3
    assert np.isfinite(pixels).all()


def test_vectors_have_length_one(encoder: Encoder) -> None:
    are_unit(encoder.encode_images(prepared(encoder)), len(pictures()), encoder.dim)
    are_unit(encoder.encode_texts(encoder.tokenize(TEXTS)), len(TEXTS), encoder.dim)


def test_images_have_the_same_vectors_in_any_order_and_batch(encoder: Encoder) -> None:
    pixels = prepared(encoder)
    together = encoder.encode_images(pixels)
    one_by_one = np.concatenate([encoder.encode_images(pixels[i : i + 1]) for i in range(len(pixels))])
    np.testing.assert_allclose(one_by_one, together, atol=1e-5)
    order = np.random.default_rng(1).permutation(len(pixels))
    np.testing.assert_allclose(encoder.encode_images(pixels[order]), together[order], atol=1e-5)


def test_texts_have_the_same_vectors_in_any_order_and_batch(encoder: Encoder) -> None:
    tokens = encoder.tokenize(TEXTS)
    together = encoder.encode_texts(tokens)
    alone = np.concatenate([encoder.encode_texts(encoder.tokenize([text])) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    order = np.random.default_rng(2).permutation(len(TEXTS))
    np.testing.assert_allclose(encoder.encode_texts(tokens.take(order)), together[order], atol=1e-5)
    np.testing.assert_allclose(together[0], together[-1], atol=1e-6)


def test_the_same_again_gives_the_very_same_vectors(encoder: Encoder) -> None:
    pixels, tokens = prepared(encoder), encoder.tokenize(TEXTS)
    np.testing.assert_array_equal(encoder.encode_images(pixels), encoder.encode_images(pixels))
    np.testing.assert_array_equal(encoder.encode_texts(tokens), encoder.encode_texts(tokens))


def test_different_things_have_different_vectors(encoder: Encoder) -> None:
    texts = encoder.encode_texts(encoder.tokenize(["red", "blue"]))
    images = encoder.encode_images(
        np.stack([encoder.prepare(Image.new("RGB", (60, 60), colour)) for colour in ("red", "blue")])
    )
    for red, blue in (texts, images):
        assert red @ blue < 0.999


def test_several_threads_prepare_what_one_does(encoder: Encoder) -> None:
    expected = prepared(encoder)
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(encoder.prepare, pictures() * 4))
    np.testing.assert_array_equal(np.stack(several), np.concatenate([expected] * 4))


def test_a_picture_is_not_changed_by_being_prepared(encoder: Encoder) -> None:
    picture = pictures()[1]
    before = picture.tobytes()
    encoder.prepare(picture)
    assert picture.tobytes() == before


def test_tokens_say_how_long_each_text_is_and_which_was_cut(encoder: Encoder) -> None:
    tokens = encoder.tokenize(TEXTS)
    assert len(tokens) == len(tokens.ids) == len(tokens.lengths) == len(tokens.truncated) == len(TEXTS)
    assert (tokens.ids.dtype, tokens.lengths.dtype, tokens.truncated.dtype) == (np.int64, np.int64, np.bool_)
    assert (tokens.lengths <= tokens.ids.shape[1]).all()
    assert tokens.truncated.tolist() == [number == 6 for number in range(len(TEXTS))]
    assert tokens.lengths[2] > tokens.lengths[3] >= tokens.lengths[1]
    assert tokens.lengths[6] == tokens.ids.shape[1]
    assert not tokens.ids[3, tokens.lengths[3] :].any()


def test_a_text_that_just_fits_is_not_cut_and_one_word_more_is(encoder: Encoder) -> None:
    context = encoder.tokenize(["red"]).ids.shape[1]
    nothing, one = encoder.tokenize(["", "red"]).lengths.tolist()
    assert one == nothing + 1
    words = context - nothing
    tokens = encoder.tokenize(["red " * words, "red " * (words + 1)])
    assert tokens.lengths.tolist() == [context, context]
    assert tokens.truncated.tolist() == [False, True]


def test_no_texts_have_no_vectors(encoder: Encoder) -> None:
    tokens = encoder.tokenize([])
    assert len(tokens) == 0
    assert tokens.lengths.shape == tokens.truncated.shape == (0,)
    assert tokens.ids.ndim == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_fingerprint_is_a_digest_and_the_same_when_opened_again(name: str) -> None:
    first, second = opened(name), opened(name)
    assert first.fingerprint == second.fingerprint
    assert len(bytes.fromhex(first.fingerprint)) == 32
    assert first.name == name


@pytest.mark.slow
@pytest.mark.skipif("starter" not in NAMES, reason="the starter's weights are not there")
def test_each_resize_mode_has_a_fingerprint_of_its_own() -> None:
    assert len({opened("starter", mode).fingerprint for mode in RESIZE_MODES}) == 3


def test_versions_of_an_encoder_differ_in_their_fingerprints() -> None:
    assert ColourEncoder(1).fingerprint != ColourEncoder(2).fingerprint
