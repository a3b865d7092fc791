"""Files of weights in OpenAI's naming give OpenAI's vectors, or one sentence that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from retrieval.encoders.assemble import write_bundle
from retrieval.encoders.clip_encoder import ClipEncoder
from retrieval.encoders.layouts.hf_clip import read_clip_model
from retrieval.encoders.layouts.open_clip_folder import read_openclip
from retrieval.encoders.layouts.openai import HEAD_WIDTHS, read_openai
from retrieval.errors import EncoderError
from retrieval.types import Vectors
from tests import openai_clip
from tests.layouts import clip_model, openai_file

TEXTS = ["axial CT of the lung", "Stained liver tissue: 5 µm, ‘red’ cells!!", "", "mri " * 200]
TRANSFORMER: dict[str, Any] = {"width": 128, "layers": 2, "size": 32, "patch": 8, "text_width": 128, "dim": 24}
RESNET: dict[str, Any] = {"width": 16, "layers": (1, 2, 1, 1), "size": 96, "text_width": 64, "dim": 24}


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vit") / "PubMedCLIP_ViT32.pth"
    return openai_file(path, openai_clip.random_weights(**TRANSFORMER))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rn") / "PubMedCLIP_RN50.pth"
    return openai_file(path, openai_clip.random_weights(**RESNET))


def stored(path: Path) -> openai_clip.Weights:
    """The weights in the file, float16 ones as the numbers that they round to."""
    weights = torch.load(path, weights_only=True)["state_dict"]
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


def pixels(size: int) -> torch.Tensor:
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))


def unit(vectors: torch.Tensor) -> Vectors:
    return F.normalize(vectors, dim=-1).numpy()


def test_a_vision_transformers_vectors_are_those_of_openais_model(transformer: Path) -> None:
    weights, encoder = stored(transformer), ClipEncoder(read_openai(transformer), name="ours")
    tokens = encoder.tokenize(TEXTS)
    images = openai_clip.encode_image_transformer(weights, pixels(32))
    texts = openai_clip.encode_text(weights, torch.from_numpy(tokens.ids))
    np.testing.assert_allclose(encoder.encode_images(pixels(32).numpy()), unit(images), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(tokens), unit(texts), atol=1e-5)
    assert (encoder.dim, encoder.context_length) == (24, 77)


def test_a_modified_resnets_vectors_are_those_of_openais_model(resnet: Path) -> None:
    weights, encoder = stored(resnet), ClipEncoder(read_openai(resnet), name="ours")
    images = openai_clip.encode_image_resnet(weights, pixels(96), heads=16 * 32 // 64)
    np.testing.assert_allclose(encoder.encode_images(pixels(96).numpy()), unit(images), atol=1e-5)
    tokens = encoder.tokenize(TEXTS)
    texts = openai_clip.encode_text(weights, torch.from_numpy(tokens.ids))
    np.testing.assert_allclose(encoder.encode_texts(tokens), unit(texts), atol=1e-5)


def test_the_activation_is_quick_gelu_unless_somebody_knows_better(transformer: Path) -> None:
    weights = stored(transformer)
    exact = unit(openai_clip.encode_image_transformer(weights, pixels(32), F.gelu))
    quick = unit(openai_clip.encode_image_transformer(weights, pixels(32)))
    assert np.abs(exact - quick).max() > 1e-3  # the wrong one is silent and wrong
    parts = read_openai(transformer)
    assert any("quick_gelu assumed" in note for note in parts.notes)
    for chosen, expected in (("gelu", exact), ("quick_gelu", quick)):
        told = read_openai(transformer, activation=chosen)
        assert told.notes == ()
        ours = ClipEncoder(told, name="ours").encode_images(pixels(32).numpy())
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "RN50", "RN101", "RN50x4", "RN50x16"]
)
def test_the_published_architectures_are_recognised_by_their_shapes(name: str, tmp_path: Path) -> None:
    expected = open_clip.get_model_config(name)
    with torch.device("meta"):
        model = open_clip.model.CLIP(**expected)
    shapes = {key: torch.empty(()).expand(value.shape) for key, value in model.state_dict().items()}
    with pytest.MonkeyPatch.context() as patch:  # 200 MB of random numbers would say no more than their shapes do
        patch.setattr("retrieval.encoders.layouts.openai.read_weights", lambda path, **_: shapes)
        found = read_openai(tmp_path / f"{name}.pt").model_cfg
    assert found["embed_dim"] == expected["embed_dim"]
    for tower in ("vision_cfg", "text_cfg"):
        known = {key: value for key, value in expected[tower].items() if value is not None}
        assert {key: found[tower][key] for key in known} == known
    assert found["quick_gelu"]


def test_heads_of_another_width_are_known_by_the_width_of_their_model() -> None:
    configs = [open_clip.get_model_config(name) for name in open_clip.list_models()]
    native = [c["vision_cfg"] for c in configs if isinstance(c["vision_cfg"].get("layers"), int)]
    assert {v["width"]: v["head_width"] for v in native if v.get("head_width", 64) != 64} == HEAD_WIDTHS


def test_images_are_prepared_as_for_openais_clip_at_the_models_size(resnet: Path) -> None:
    encoder = ClipEncoder(read_openai(resnet), name="ours")
    transform = open_clip.image_transform(
        96, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    picture = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    np.testing.assert_array_equal(encoder.prepare(picture), transform(picture).numpy())


def test_one_model_is_one_encoder_whether_openai_or_hugging_face_published_it(tmp_path: Path) -> None:
    clip_model(tmp_path / "hf", hidden_size=128, intermediate_size=512)  # two heads of 64, as OpenAI's are
    ported = ClipEncoder(read_clip_model(tmp_path / "hf"), name="hf")
    torch.save({"state_dict": ported._model.state_dict()}, tmp_path / "original.pth")
    original = ClipEncoder(read_openai(tmp_path / "original.pth"), name="original")
    assert original.fingerprint == ported.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformer", "resnet"])
def test_the_bundle_of_it_is_the_same_encoder_wherever_it_lies(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(kind)
    before = ClipEncoder(read_openai(path), name="file")
    write_bundle(read_openai(path), tmp_path / "bundle").rename(tmp_path / "moved")
    after = ClipEncoder(read_openclip(tmp_path / "moved"), name="bundle")
    assert after.fingerprint == before.fingerprint
    size = before.prepare(Image.new("RGB", (9, 9))).shape[-1]
    np.testing.assert_array_equal(after.encode_images(pixels(size).numpy()), before.encode_images(pixels(size).numpy()))
    np.testing.assert_array_equal(
        after.encode_texts(after.tokenize(TEXTS)), before.encode_texts(before.tokenize(TEXTS))
    )


def test_weights_of_something_else_are_refused_with_what_was_expected(tmp_path: Path, transformer: Path) -> None:
    path = tmp_path / "other.pth"
    for weights, sentence in (
        ({"encoder.weight": torch.zeros(2)}, r"expected visual\.proj or .* found encoder\.weight"),
        ({"text_model.final_layer_norm.bias": torch.zeros(2)}, "name the folder that holds its config.json"),
        ({"text.proj.weight": torch.zeros(2)}, "holds its open_clip_config.json"),
    ):
        torch.save(weights, path)
        with pytest.raises(EncoderError, match=sentence):
            read_openai(path)
    odd = stored(transformer)
    odd["visual.positional_embedding"] = odd["visual.positional_embedding"][:-1]  # no square
    torch.save(odd, path)
    with pytest.raises(EncoderError, match="not weights in OpenAI's naming"):
        read_openai(path)


def test_a_weight_too_few_or_too_many_is_refused_by_name(tmp_path: Path, transformer: Path) -> None:
    weights = stored(transformer)
    weights["visual.extra"] = weights.pop("visual.ln_pre.bias")
    torch.save(weights, tmp_path / "odd.pth")
    with pytest.raises(EncoderError, match=r"1 missing, first visual\.ln_pre\.bias; 1 unknown, first visual\.extra"):
        ClipEncoder(read_openai(tmp_path / "odd.pth"), name="odd")
