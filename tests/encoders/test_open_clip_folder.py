"""Each architecture of open_clip's loads from its folder as open_clip loads it, and asks nobody else for anything."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from retrieval.encoders.assemble import write_bundle
from retrieval.encoders.clip_encoder import ClipEncoder
from retrieval.encoders.layouts.open_clip_folder import read_openclip
from retrieval.errors import EncoderError
from tests.bundles import BERT, WORDS, bert_bundle, clip_bundle, coca_bundle, siglip_bundle
from tests.layouts import edit_json

TEXTS = ["Axial CT, of the lung!", "", "stained liver_tissue", "cell " * 50]
MAKERS = {"clip": clip_bundle, "bert": bert_bundle, "siglip": siglip_bundle, "coca": coca_bundle}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = MAKERS[kind](tmp_path_factory.mktemp(kind) / kind)
        return made[kind]

    return folder


@pytest.fixture
def own(folders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy to change."""
    return lambda kind: Path(shutil.copytree(folders(kind), tmp_path / kind))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody asks the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def ours(folder: Path) -> ClipEncoder:
    return ClipEncoder(read_openclip(folder), name="ours")


def picture(size: int) -> Image.Image:
    return Image.linear_gradient("L").resize((size * 2, size + 9)).convert("RGB")


def in_text_cfg(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    edit_json(folder / "open_clip_config.json", model_cfg=config | {"text_cfg": config["text_cfg"] | changes})


def in_vision_cfg(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    edit_json(folder / "open_clip_config.json", model_cfg=config | {"vision_cfg": config["vision_cfg"] | changes})


@pytest.mark.parametrize("kind", ["clip", "siglip", "coca"])  # a BERT tower, open_clip alone looks for on the hub
def test_vectors_and_tokens_are_those_of_open_clip(kind: str, folders: Callable[[str], Path]) -> None:
    folder = folders(kind)
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    preprocess = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    pixels = open_clip.transform.image_transform_v2(preprocess, is_train=False)(picture(64))[None]
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    with torch.inference_mode():
        images, texts = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    encoder = ours(folder)
    tokens = encoder.tokenize(TEXTS)
    np.testing.assert_array_equal(encoder.prepare(picture(64)), pixels[0].numpy())
    np.testing.assert_array_equal(tokens.ids, ids.numpy())
    np.testing.assert_allclose(encoder.encode_images(pixels.numpy()), images.numpy(), atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(tokens), texts.numpy(), atol=1e-6)


def test_siglip_counts_its_end_mark_although_its_padding_looks_the_same(folders: Callable[[str], Path]) -> None:
    tokens = ours(folders("siglip")).tokenize([*TEXTS, "cell " * 11, "cell " * 12])
    assert tokens.lengths.tolist() == [6, 1, 4, 12, 12, 12]
    assert tokens.truncated.tolist() == [False, False, False, True, False, True]
    assert (tokens.ids[1] == 1).all()


def test_an_exclamation_mark_inside_a_word_is_not_taken_for_padding(folders: Callable[[str], Path]) -> None:
    tokens = ours(folders("clip")).tokenize(["wow !§!", "wow"])
    assert 0 in tokens.ids[0, : tokens.lengths[0]]
    assert tokens.ids[0, tokens.lengths[0] - 1] == tokens.ids[1, tokens.lengths[1] - 1] == 49407


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_bundle_written_again_is_the_same_encoder_and_may_be_moved(
    kind: str, folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    before = ours(folders(kind))
    write_bundle(read_openclip(folders(kind)), tmp_path / "bundle").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    after = ours(Path("moved"))
    assert after.fingerprint == before.fingerprint
    pixels = before.prepare(picture(64))[None]
    if kind != "bert":  # the tiny timm tower of that one takes pictures of 224 pixels only
        np.testing.assert_array_equal(after.encode_images(pixels), before.encode_images(pixels))
    np.testing.assert_array_equal(
        after.encode_texts(after.tokenize(TEXTS)), before.encode_texts(before.tokenize(TEXTS))
    )
    written = b"".join(file.read_bytes() for file in Path("moved").glob("*.json"))
    assert str(tmp_path).encode() not in written
    assert str(folders(kind).parent).encode() not in written


@pytest.mark.slow
def test_paths_of_whoever_made_a_bundle_are_neither_needed_nor_kept(
    own: Callable[[str], Path], folders: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = own("bert")
    in_text_cfg(folder, hf_model_name="/home/someone/bert", hf_tokenizer_name="/home/someone/bert")
    edit_json(folder / "config.json", _name_or_path="/home/someone/bert")
    write_bundle(read_openclip(folder), tmp_path / "bundle")
    assert all("someone" not in file.read_text() for file in (tmp_path / "bundle").glob("*.json"))
    texts = [ours(f).encode_texts(ours(f).tokenize(TEXTS)) for f in (tmp_path / "bundle", folders("bert"))]
    np.testing.assert_array_equal(*texts)


def test_towers_that_say_they_are_pretrained_are_not_looked_for_on_the_network(
    own: Callable[[str], Path], folders: Callable[[str], Path], no_network: None
) -> None:
    folder = own("bert")
    in_text_cfg(folder, hf_model_pretrained=True)
    in_vision_cfg(folder, timm_model_pretrained=True)
    for changed, given in zip(ours(folder)._model.parameters(), ours(folders("bert"))._model.parameters(), strict=True):
        assert torch.equal(changed, given)


def test_a_tower_that_timm_would_fetch_is_refused(own: Callable[[str], Path]) -> None:
    folder = own("bert")
    in_vision_cfg(folder, timm_model_name="hf-hub:someone/model")
    with pytest.raises(EncoderError, match="timm would fetch the vision tower hf-hub:someone/model"):
        ours(folder)


def test_a_tokenizer_that_would_run_code_is_refused(own: Callable[[str], Path]) -> None:
    folder = own("siglip")
    in_text_cfg(folder, tokenizer_kwargs={"trust_remote_code": True})
    with pytest.raises(EncoderError, match="would run code of its author"):
        ours(folder)


def test_a_tokenizer_without_padding_is_refused(own: Callable[[str], Path]) -> None:
    folder = own("siglip")
    edit_json(folder / "tokenizer_config.json", pad_token=None)
    with pytest.raises(EncoderError, match=r"no padding token; name one in tokenizer_config\.json"):
        ours(folder)


def test_a_tokenizer_that_is_damaged_is_refused(own: Callable[[str], Path]) -> None:
    folder = own("siglip")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(EncoderError, match="the tokenizer's files cannot be read"):
        ours(folder)


def test_a_configuration_that_open_clip_cannot_make_is_refused(own: Callable[[str], Path]) -> None:
    folder = own("clip")
    in_vision_cfg(folder, colour="blue")
    with pytest.raises(EncoderError, match=r"open_clip cannot make the model .* 'colour'"):
        ours(folder)


def test_weights_as_older_open_clips_wrote_them_load_the_same(
    own: Callable[[str], Path], folders: Callable[[str], Path]
) -> None:
    """A scale of one number in a list, no bias, BERT's count of positions: one change each in open_clip's history."""
    folder = own("siglip")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["logit_scale"] = weights["logit_scale"].reshape(1)
    expected = ours(folders("siglip"))._model.state_dict()
    del weights["logit_bias"]
    save_file(weights, folder / "open_clip_model.safetensors")
    found = ours(folder)._model.state_dict()
    assert found.pop("logit_bias") == 0
    assert all(torch.equal(value, expected[name]) for name, value in found.items())
    folder = own("bert")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["text.transformer.embeddings.position_ids"] = torch.arange(BERT["max_position_embeddings"])[None]
    save_file(weights, folder / "open_clip_model.safetensors")
    assert ours(folder).fingerprint == ours(folders("bert")).fingerprint


def test_native_weights_load_into_a_model_with_a_text_tower_of_its_own(
    own: Callable[[str], Path], folders: Callable[[str], Path]
) -> None:
    folder = own("clip")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    edit_json(folder / "open_clip_config.json", model_cfg=config | {"custom_text": True})
    split, native = ours(folder), ours(folders("clip"))
    assert hasattr(split._model, "text")
    np.testing.assert_array_equal(
        split.encode_texts(split.tokenize(TEXTS)), native.encode_texts(native.tokenize(TEXTS))
    )


def test_a_checkpoint_of_open_clips_training_may_lie_beside_its_configuration(
    own: Callable[[str], Path], folders: Callable[[str], Path]
) -> None:
    folder = own("clip")
    weights = load_file(folder / "open_clip_model.safetensors")
    (folder / "open_clip_model.safetensors").unlink()
    trained = {f"module.{name}": value for name, value in weights.items()}
    torch.save({"epoch": 32, "name": "run", "state_dict": trained, "optimizer": {}}, folder / "epoch_32.pt")
    assert ours(folder).fingerprint == ours(folders("clip")).fingerprint


def test_what_the_text_towers_config_says_of_the_activation_is_part_of_the_fingerprint(
    own: Callable[[str], Path], folders: Callable[[str], Path]
) -> None:
    folder = own("bert")
    edit_json(folder / "config.json", transformers_version="4.30.0")
    assert ours(folder).fingerprint == ours(folders("bert")).fingerprint
    edit_json(folder / "config.json", hidden_act="relu")
    assert ours(folder).fingerprint != ours(folders("bert")).fingerprint


def test_padding_that_the_tower_does_not_mask_is_not_cut(own: Callable[[str], Path]) -> None:
    folder = own("bert")
    edit_json(folder / "config.json", pad_token_id=5 + len(WORDS) - 1)
    encoder = ours(folder)
    tokens = encoder.tokenize(["ct", "the lung"])
    with torch.inference_mode():
        whole = encoder._model.encode_text(torch.from_numpy(tokens.ids), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(tokens), whole, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(MAKERS))
def test_no_texts_have_no_vectors(kind: str, folders: Callable[[str], Path]) -> None:
    encoder = ours(folders(kind))
    assert encoder.encode_texts(encoder.tokenize([])).shape == (0, encoder.dim)


def test_making_a_model_says_nothing_and_leaves_chance_alone(
    folders: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """open_clip itself warns that the model is random, which it is for a moment."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ours(folders("clip"))
    capfd.readouterr()
    ours(folders("siglip"))
    assert capfd.readouterr().err == ""
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), expected)
