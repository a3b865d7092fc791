"""The fast way to prepare an image beside open_clip's own transform, its oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.transform import PreprocessCfg
from PIL import Image

from retrieval.encoders import load_encoder, probes
from retrieval.encoders.preprocess import exact, fast
from retrieval.errors import EncoderError
from retrieval.images.decode import decode

STD = (0.26862954, 0.26130258, 0.27577711)


def grey_levels(config: PreprocessCfg, image: Image.Image) -> np.ndarray:
    """How many grey levels each value of the fast way is away from the exact one."""
    levels = np.abs(fast(config)(image) - exact(config)(image)) * 255 * np.array(config.std)[:, None, None]
    assert np.abs(levels - np.rint(levels)).max() < 1e-3
    return np.rint(levels)


@pytest.mark.slow
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [32, 224, (96, 96)])
def test_it_is_nearly_always_within_one_grey_level(resize_mode: str, interpolation: str, size: Any) -> None:
    config = PreprocessCfg(size=size, std=STD, resize_mode=resize_mode, interpolation=interpolation, fill_color=255)
    away = np.concatenate([grey_levels(config, image).ravel() for image in probes.images(12)])
    assert away.max() <= 2
    assert (away > 1).mean() < 1e-4
    assert away.mean() < 0.05


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["shortest", "squash"]))
def test_pictures_of_any_shape_come_out_in_the_same_place(width: int, height: int, resize_mode: str) -> None:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    config = PreprocessCfg(size=24, std=STD, resize_mode=resize_mode)
    assert grey_levels(config, Image.fromarray(ramp)).max() <= 2


def test_flat_and_tall_pictures_are_resized_in_the_order_that_pillow_takes() -> None:
    """Sharp edges overshoot, and are cut off between the passes: the other order is 30 grey levels away."""
    rng = np.random.default_rng(0)
    config = PreprocessCfg(size=64, std=STD, resize_mode="squash")
    for _ in range(40):
        height, width = rng.integers(20, 200, 2)
        edges = rng.integers(0, 2, (height, width, 3), dtype=np.uint8) * 255
        assert grey_levels(config, Image.fromarray(edges)).max() <= 2, (height, width)


def test_a_very_thin_picture_is_padded_not_lost() -> None:
    pixels = fast(PreprocessCfg(size=32, resize_mode="longest", fill_color=255))(Image.new("RGB", (3000, 2)))
    assert (pixels[0] < 0).sum() == 32


def test_a_picture_that_needs_no_resizing_is_the_same_to_the_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 3), dtype=np.uint8)
    config = PreprocessCfg(size=32, std=STD)
    np.testing.assert_array_equal(
        fast(config)(Image.fromarray(noise)).view(np.int32), exact(config)(Image.fromarray(noise)).view(np.int32)
    )


def test_oblong_inputs_keep_open_clips_own_way() -> None:
    config = PreprocessCfg(size=(24, 32), std=STD)
    image = probes.images(1)[0]
    np.testing.assert_array_equal(fast(config)(image), exact(config)(image))


def test_an_encoder_prepares_exactly_unless_asked_and_is_the_same_encoder_either_way(
    published: dict[str, Path],
) -> None:
    name = str(published["bundle"])
    ways = {way: load_encoder(name, preprocessing=way) for way in ("exact", "fast", "auto")}
    assert [load_encoder(name).preprocessing, ways["auto"].preprocessing] == ["exact", "fast"]  # type: ignore[attr-defined]
    assert len({encoder.fingerprint for encoder in ways.values()}) == 1
    image = probes.images(1)[0]
    np.testing.assert_array_equal(ways["fast"].prepare(image), ways["auto"].prepare(image))
    assert not np.array_equal(ways["fast"].prepare(image), ways["exact"].prepare(image))
    with pytest.raises(EncoderError, match="quick: no such preprocessing; use one of auto, fast, exact"):
        load_encoder(name, preprocessing="quick")


def test_an_encoders_config_may_ask_for_the_official_transform(
    published: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path))
    config = tmp_path / "ours.toml"
    for said, way in (('preprocessing = "exact"\n', "exact"), ("", "fast")):
        config.write_text(f'source = "{published["bundle"]}"\n{said}')
        assert load_encoder("ours", preprocessing="auto").preprocessing == way  # type: ignore[attr-defined]
    config.write_text(f'source = "{published["bundle"]}"\npreprocessing = "quick"\n')
    with pytest.raises(EncoderError, match="preprocessing is 'quick'; use one of fast, exact"):
        load_encoder("ours")


def test_real_figures_are_within_two_grey_levels_and_two_are_rare(shared_data: Path) -> None:
    files = sorted(path for path in shared_data.glob("*/images/*") if path.suffix in (".jpg", ".png"))[::150]
    config = PreprocessCfg(size=224, std=STD)
    away = np.concatenate([grey_levels(config, decode(path.read_bytes())).ravel() for path in files])
    assert away.max() <= 2
    assert (away > 1).mean() < 1e-5


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1)])
@pytest.mark.parametrize("mode", ["longest", "shortest", "squash"])
def test_an_image_of_one_line_is_prepared_whatever_the_mode(size: tuple[int, int], mode: str) -> None:
    config = PreprocessCfg(size=64, resize_mode=mode, fill_color=255, interpolation="bicubic")
    line = Image.new("RGB", size, "black")
    both = [way(config)(line) for way in (exact, fast)]
    assert [pixels.shape for pixels in both] == [(3, 64, 64)] * 2
    np.testing.assert_allclose(both[0], both[1], atol=0.02)
    assert both[0].min() < 0  # the line is there, beside white paper where it is padded
