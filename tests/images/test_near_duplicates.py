"""Near-equal pictures: what stays the same picture, what does not, and that the fast search finds every pair."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from retrieval.images.near_duplicates import HASH_BYTES, SIGNS, Hashes, near_pairs, picture_hash, same_picture


def file_of(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def hash_of(image: Image.Image, quality: int = 90) -> np.ndarray:
    found = picture_hash(file_of(image, quality))
    assert found is not None
    return found


def tissue(seed: int) -> Image.Image:
    """Coloured discs on a pale ground."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (400, 300), (240, 225, 235))
    draw = ImageDraw.Draw(image)
    for x, y, size, *colour in rng.integers([0, 0, 10, 0, 0, 0], [400, 300, 60, 256, 256, 256], (40, 6)).tolist():
        draw.ellipse([x, y, x + size, y + size], fill=tuple(colour))
    return image


def plot(seed: int) -> Image.Image:
    """The same axes on white, another curve."""
    image = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(60, 20), (60, 440), (620, 440)], fill="black", width=2)
    heights = 240 + np.cumsum(np.random.default_rng(seed).normal(0, 25, 57))
    draw.line([(60 + 10 * x, float(y)) for x, y in enumerate(np.clip(heights, 20, 440))], fill="blue", width=3)
    return image


CHANGES = {
    "scaled": lambda image: image.resize((image.width // 3, image.height // 3)),
    "grey": lambda image: image.convert("L"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "flatter": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "stretched": lambda image: image.resize((image.width, image.height * 11 // 10)),
    "trimmed": lambda image: image.crop((2, 2, image.width - 2, image.height - 2)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", [tissue, plot])
def test_a_picture_that_is_saved_otherwise_stays_the_same_picture(draw: type, change: str) -> None:
    for seed in range(8):
        assert same_picture(hash_of(draw(seed)), hash_of(CHANGES[change](draw(seed)), quality=40))


@pytest.mark.parametrize("draw", [tissue, plot])
def test_different_pictures_of_one_style_are_not_the_same(draw: type) -> None:
    assert len(near_pairs(np.array([hash_of(draw(seed)) for seed in range(40)]))) == 0


def test_a_spot_in_an_otherwise_equal_film_makes_another_picture() -> None:
    film = Image.effect_noise((300, 300), 10).point(lambda value: value // 3).convert("RGB")
    ImageDraw.Draw(film).ellipse([40, 60, 260, 280], outline=(200, 200, 200), width=12)
    spotted = film.copy()
    ImageDraw.Draw(spotted).ellipse([130, 150, 170, 190], fill="white")
    one, other = hash_of(film), hash_of(spotted)
    assert same_picture(one, one)
    assert not same_picture(one, other)


def test_blank_pictures_are_the_same_only_in_about_the_same_tone() -> None:
    white, pale, black = (hash_of(Image.new("RGB", (90, 60), tone)) for tone in ("white", (240, 240, 240), "black"))
    assert same_picture(white, pale)
    assert not same_picture(white, black)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"])
def test_what_is_no_picture_has_no_hash(data: bytes) -> None:
    assert picture_hash(data) is None


def all_pairs(hashes: Hashes, other: Hashes | None) -> list[list[int]]:
    """Every pair asked one by one: the meaning of `near_pairs`."""
    return [
        [i, j]
        for i, one in enumerate(hashes)
        for j, two in enumerate(hashes if other is None else other)
        if (other is not None or i < j) and same_picture(one, two)
    ]


def scattered(seed: int, count: int, originals: int = 3) -> Hashes:
    """Hashes with up to about 40 signs and a few grey levels away from few originals: some the same, some just not."""
    rng = np.random.default_rng(seed)
    hashes = np.random.default_rng(0).integers(0, 200, (originals, HASH_BYTES)).astype(np.uint8)
    hashes = hashes[rng.integers(0, originals, count)]
    for row in hashes:
        flipped = rng.choice(SIGNS * 8, rng.integers(0, 40), replace=False)
        np.bitwise_xor.at(row, flipped // 8, (1 << (flipped % 8)).astype(np.uint8))
    hashes[:, SIGNS:] += rng.integers(0, 16, (count, HASH_BYTES - SIGNS)).astype(np.uint8)
    return hashes


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.none() | st.integers(0, 20))
def test_the_fast_search_finds_exactly_the_pairs_of_the_slow_one(seed: int, count: int, others: int | None) -> None:
    hashes = scattered(seed, count)
    other = None if others is None else scattered(seed + 1, others)
    assert near_pairs(hashes, other).tolist() == all_pairs(hashes, other)


def test_blocks_of_any_size_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = scattered(5, 60, originals=1)
    whole = near_pairs(hashes)
    assert len(whole) > 20
    for size in (1, 7):
        monkeypatch.setattr("retrieval.images.near_duplicates.CANDIDATES", size)
        np.testing.assert_array_equal(near_pairs(hashes), whole)


def test_most_of_the_known_duplicates_among_real_figures_are_found(shared_data: Path) -> None:
    clusters = json.loads((shared_data / "near_duplicates.json").read_text(encoding="utf-8"))
    wanted = [cluster for cluster in clusters if all(name.startswith("openstax-biology/") for name in cluster)]
    rows = (shared_data / "openstax-biology" / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    images = {row["id"]: row["image"] for row in map(json.loads, rows)}
    found = 0
    for one, other, *_ in wanted:
        hashes = [
            picture_hash((shared_data / "openstax-biology" / images[name.split("/", 1)[1]]).read_bytes())
            for name in (one, other)
        ]
        found += hashes[0] is not None and hashes[1] is not None and same_picture(hashes[0], hashes[1])
    assert found >= 0.7 * len(wanted) > 0
