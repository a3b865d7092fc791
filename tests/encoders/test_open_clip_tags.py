"""open_clip:<model>/<tag> is what open_clip itself makes of it, from the cache, with the activation of the tag."""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip import factory, pretrained
from PIL import Image

from retrieval.encoders.assemble import write_bundle
from retrieval.encoders.clip_encoder import ClipEncoder
from retrieval.encoders.layouts.open_clip_folder import read_openclip
from retrieval.encoders.layouts.open_clip_tags import read_tag
from retrieval.errors import EncoderError
from tests.bundles import BERT, PREPROCESS, SIGLIP, bert_bundle, clip_bundle, siglip_bundle, siglip_tokenizer
from tests.encoders.conftest import Cached

TEXTS = ["Axial CT, of the lung!", "stained liver tissue"]
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three models that open_clip knows for the length of a test, and bundles that hold weights for them."""
    folders = {"Tiny": clip_bundle(tmp_path / "clip"), "Tiny-SigLIP": siglip_bundle(tmp_path / "siglip")}
    folders["Tiny-BERT"] = bert_bundle(tmp_path / "bert")
    configs = {
        name: json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
        for name, folder in folders.items()
    }
    configs["Tiny-quickgelu"] = configs["Tiny"] | {"quick_gelu": True}
    for name, config in configs.items():
        monkeypatch.setitem(factory._MODEL_CONFIGS, name, config)
    quick = pretrained._pcfg(hf_hub="owner/quick/", quick_gelu=True)
    other = pretrained._pcfg(hf_hub="owner/exact/", interpolation="bilinear", resize_mode="squash", **IMAGENET)
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny", {"openai": quick, "laion2b": other})
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny-quickgelu", {"openai": deepcopy(quick)})
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny-SigLIP", {"webli": pretrained._slpcfg(hf_hub="owner/siglip/")})
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny-BERT", {"pmc": pretrained._pcfg(hf_hub="owner/bert/")})
    return folders


def pixels(encoder: ClipEncoder) -> Any:
    return encoder.prepare(Image.linear_gradient("L").resize((90, 200)).convert("RGB"))[None]


def by_open_clip(
    model: str, tag: str, encoder: ClipEncoder, words: Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """open_clip's own path. `words` is a folder whose tokenizer it is to use: a named one it looks for on the hub."""
    tokenizer = open_clip.get_tokenizer(model if words is None else f"local-dir:{words}")
    with torch.inference_mode():
        theirs, _, prepare = open_clip.create_model_and_transforms(model, pretrained=tag)
        picture = prepare(Image.linear_gradient("L").resize((90, 200)).convert("RGB"))
        np.testing.assert_array_equal(picture[None].numpy(), pixels(encoder))
        theirs = theirs.eval()
        images = theirs.encode_image(picture[None], normalize=True)
        return images.numpy(), theirs.encode_text(tokenizer(TEXTS), normalize=True).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "tag", "repository"), [("Tiny-quickgelu", "openai", "quick"), ("Tiny", "laion2b", "exact")]
)
def test_vectors_are_those_of_open_clips_tag(
    model: str, tag: str, repository: str, models: dict[str, Path], cached: Cached
) -> None:
    cached(f"owner/{repository}", models["Tiny"])
    encoder = ClipEncoder(read_tag(model, tag), name="ours")
    images, texts = by_open_clip(model, tag, encoder)
    np.testing.assert_allclose(encoder.encode_images(pixels(encoder)), images, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(encoder.tokenize(TEXTS)), texts, atol=1e-6)


@pytest.mark.slow
def test_the_activation_is_the_tags_whatever_the_models_name_says(models: dict[str, Path], cached: Cached) -> None:
    cached("owner/quick", models["Tiny"])
    parts = read_tag("Tiny", "openai")
    assert "activation quick_gelu, as the tag openai was trained with" in parts.notes[0]
    assert read_tag("Tiny-quickgelu", "openai").notes == ()
    assert (
        ClipEncoder(parts, name="a").fingerprint
        == ClipEncoder(read_tag("Tiny-quickgelu", "openai"), name="b").fingerprint
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # open_clip warns of the mismatch, and goes on with the wrong one
        wrong = open_clip.create_model("Tiny", pretrained="openai").eval()
    encoder = ClipEncoder(parts, name="ours")
    with torch.inference_mode():
        images = wrong.encode_image(torch.from_numpy(pixels(encoder)), normalize=True).numpy()
    assert np.abs(images - encoder.encode_images(pixels(encoder))).max() > 1e-4


@pytest.mark.slow
def test_siglips_tokenizer_comes_from_the_cache_too(models: dict[str, Path], cached: Cached, tmp_path: Path) -> None:
    cached("owner/siglip", models["Tiny-SigLIP"])
    with pytest.raises(EncoderError, match=r"lacks tokenizer_config\.json of timm/ViT-B-16-SigLIP"):
        read_tag("Tiny-SigLIP", "webli")
    siglip_tokenizer(tmp_path / "words")
    cached("timm/ViT-B-16-SigLIP", tmp_path / "words")
    encoder = ClipEncoder(read_tag("Tiny-SigLIP", "webli"), name="ours")
    images, texts = by_open_clip("Tiny-SigLIP", "webli", encoder, models["Tiny-SigLIP"])
    np.testing.assert_allclose(encoder.encode_images(pixels(encoder)), images, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(encoder.tokenize(TEXTS)), texts, atol=1e-6)
    assert encoder.context_length == SIGLIP["text_cfg"]["context_length"]


def test_a_vocabulary_that_was_not_cached_whole_is_missing(
    models: dict[str, Path], cached: Cached, tmp_path: Path
) -> None:
    cached("owner/siglip", models["Tiny-SigLIP"])
    siglip_tokenizer(tmp_path / "words")
    cached("timm/ViT-B-16-SigLIP", tmp_path / "words", without=("tokenizer.json",))
    with pytest.raises(EncoderError, match=r"lacks tokenizer_config\.json of timm/ViT-B-16-SigLIP"):
        read_tag("Tiny-SigLIP", "webli")


@pytest.mark.slow
def test_a_text_towers_configuration_comes_from_the_cache_too(models: dict[str, Path], cached: Cached) -> None:
    cached("owner/bert", models["Tiny-BERT"])
    tower = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    with pytest.raises(EncoderError, match=r"lacks tokenizer_config\.json of microsoft/BiomedNLP"):
        read_tag("Tiny-BERT", "pmc")
    cached(tower, models["Tiny-BERT"], without=("open_clip_model.safetensors",))
    parts = read_tag("Tiny-BERT", "pmc")
    assert parts.text_config == BERT
    ours, bundle = ClipEncoder(parts, name="ours"), ClipEncoder(read_openclip(models["Tiny-BERT"]), name="bundle")
    np.testing.assert_array_equal(ours.encode_texts(ours.tokenize(TEXTS)), bundle.encode_texts(bundle.tokenize(TEXTS)))


def test_what_is_not_cached_is_not_fetched_offline(models: dict[str, Path], hub_cache: Path) -> None:
    with pytest.raises(
        EncoderError, match=r"open_clip:Tiny/openai: the hub's cache lacks owner/quick .*HF_HUB_OFFLINE"
    ):
        read_tag("Tiny", "openai")


def test_a_download_is_announced_and_its_failure_is_one_sentence(
    models: dict[str, Path], hub_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(pretrained, "hf_hub_download", fail)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(
        EncoderError, match=r"open_clip:Tiny/openai: could not be downloaded .*no route to host"
    ) as error:
        read_tag("Tiny", "openai")
    assert "\n" not in str(error.value)
    assert "downloading owner/quick" in caplog.text


def test_unknown_models_and_tags_name_the_nearest() -> None:
    with pytest.raises(EncoderError, match="ViT-B-23: open_clip has no such model; nearest are ViT-B-32"):
        read_tag("ViT-B-23", "openai")
    with pytest.raises(EncoderError, match="open_clip:ViT-B-32/openia: no such tag; nearest are openai"):
        read_tag("ViT-B-32", "openia")
    with pytest.raises(EncoderError, match="no such tag; there are openai, "):
        read_tag("ViT-B-32", "qqq")


def test_openais_own_way_of_writing_a_models_name_is_understood(models: dict[str, Path], cached: Cached) -> None:
    cached("owner/siglip", models["Tiny-SigLIP"])
    with pytest.raises(EncoderError, match="of timm/ViT-B-16-SigLIP"):
        read_tag("Tiny/SigLIP", "webli")


def test_a_file_of_weights_is_read_into_the_named_model(models: dict[str, Path], tmp_path: Path) -> None:
    torch.save(ClipEncoder(read_openclip(models["Tiny"]), name="x")._model.state_dict(), tmp_path / "tuned.pt")
    parts = read_tag("Tiny", "", weights=tmp_path / "tuned.pt")
    assert "images are prepared as for OpenAI's CLIP" in parts.notes[0]  # Tiny's two tags disagree
    assert parts.preprocess_cfg["mean"] == PREPROCESS["mean"]
    quick = read_tag("Tiny-quickgelu", "", weights=tmp_path / "tuned.pt")
    assert quick.notes == ()
    vectors = [ClipEncoder(p, name="x").encode_images(np.ones((1, 3, 32, 32), np.float32)) for p in (parts, quick)]
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-5
    with pytest.raises(EncoderError, match="do not load"):
        ClipEncoder(read_tag("ViT-S-32", "", weights=tmp_path / "tuned.pt"), name="x")


def test_the_bundle_of_a_tag_is_the_same_encoder(models: dict[str, Path], cached: Cached, tmp_path: Path) -> None:
    cached("owner/quick", models["Tiny"])
    before = ClipEncoder(read_tag("Tiny", "openai"), name="tag")
    after = ClipEncoder(read_openclip(write_bundle(read_tag("Tiny", "openai"), tmp_path / "bundle")), name="bundle")
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.encode_images(pixels(after)), before.encode_images(pixels(before)))
