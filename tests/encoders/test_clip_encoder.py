"""Encoders load right or say why not: each way of being silently wrong is a test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from retrieval.encoders import load_encoder
from retrieval.encoders.layouts import open_clip_folder as openclip_layout
from retrieval.errors import EncoderError
from tests.bundles import BERT, bert_bundle, clip_bundle

TEXTS = ["axial CT of the lung", "stained liver tissue shows red cells in the image", "MRI"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_bundle(tmp_path_factory.mktemp("clip") / "bundle")


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_bundle(tmp_path_factory.mktemp("bert") / "bundle")


@pytest.fixture
def broken(bert_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(bert_folder, tmp_path / "broken"))


def picture(width: int = 90, height: int = 40) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_vectors_equal_those_of_open_clips_own_path(clip_folder: Path) -> None:
    model = open_clip.create_model(f"local-dir:{clip_folder}").eval()
    config = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{clip_folder}")
    with torch.inference_mode():
        images = model.encode_image(transform(picture())[None], normalize=True).numpy()
        texts = model.encode_text(tokenizer(TEXTS), normalize=True).numpy()
    ours = load_encoder(str(clip_folder))
    np.testing.assert_allclose(ours.encode_images(ours.prepare(picture())[None]), images, atol=1e-6)
    np.testing.assert_allclose(ours.encode_texts(ours.tokenize(TEXTS)), texts, atol=1e-6)


@pytest.mark.slow
def test_padding_behind_a_caption_is_cut_where_that_is_exact(bert_folder: Path) -> None:
    encoder = load_encoder(str(bert_folder))
    tokens = encoder.tokenize(TEXTS)
    assert tokens.ids.shape == (3, 16)
    model = encoder._model
    with torch.inference_mode():
        padded = model.encode_text(torch.from_numpy(tokens.ids), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(tokens), padded, atol=1e-6)


def test_places_behind_a_captions_end_are_not_computed_where_each_looks_back_only(clip_folder: Path) -> None:
    encoder = load_encoder(str(clip_folder))
    tokens = encoder.tokenize([*TEXTS, "cell!", "!!! 0!"])
    computed = []
    hook = encoder._model.transformer.register_forward_hook(lambda _, inputs, __: computed.append(inputs[0].shape[1]))
    found = encoder.encode_texts(tokens)
    hook.remove()
    assert computed == [tokens.lengths.max()]
    assert computed[0] < tokens.ids.shape[1]
    with torch.inference_mode():
        whole = encoder._model.encode_text(torch.from_numpy(tokens.ids), normalize=True).numpy()
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_the_model_is_in_eval_mode_and_answers_the_same_twice(bert_folder: Path) -> None:
    encoder = load_encoder(str(bert_folder))
    assert not any(module.training for module in encoder._model.modules())
    first, second = (encoder.encode_texts(encoder.tokenize(TEXTS)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_long_captions_are_known_to_be_cut(bert_folder: Path, clip_folder: Path) -> None:
    long = "the cell " * 20
    exact = "the cell " * 7  # 14 words and two marks: just fits 16
    for folder in (bert_folder, clip_folder):
        tokens = load_encoder(str(folder)).tokenize(["MRI", long + long, exact])
        assert tokens.truncated.tolist() == [False, True, False]
    assert load_encoder(str(bert_folder)).tokenize(["MRI", exact]).lengths.tolist() == [3, 16]


def test_a_verbatim_copy_of_the_biomedclip_layout_loads_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bert_bundle(tmp_path / "published", text_config=False)
    name = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    monkeypatch.setitem(openclip_layout.TEXT_TOWERS, name, BERT)  # the same layout at a size that a test can afford
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = load_encoder(str(folder))
    assert encoder.encode_texts(encoder.tokenize(TEXTS)).shape == (3, 16)


def test_configurations_with_the_key_names_of_old_bundles_load_the_same(bert_folder: Path, tmp_path: Path) -> None:
    old, new = (load_encoder(str(f)) for f in (bert_bundle(tmp_path / "old", old_keys=True), bert_folder))
    np.testing.assert_array_equal(old.encode_texts(old.tokenize(TEXTS)), new.encode_texts(new.tokenize(TEXTS)))


def test_a_bundle_may_be_moved_and_named_by_a_relative_path(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bert_folder, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert load_encoder("elsewhere").fingerprint == load_encoder(str(bert_folder)).fingerprint


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
def test_resize_modes_see_what_they_promise(clip_folder: Path, resize: str) -> None:
    """A white figure three times as wide as high with a black left third: cropped away, kept narrow, or squashed."""
    figure = Image.new("RGB", (96, 32), "white")
    figure.paste("black", (0, 0, 32, 32))
    pixels = load_encoder(str(clip_folder), resize=resize).prepare(figure)
    dark = (pixels[0] < 0).mean()
    assert dark == pytest.approx({"crop": 0, "pad": 1 / 9, "squash": 1 / 3}[resize], abs=0.03)


def test_the_fingerprint_tells_weights_preprocessing_and_tokenizer_apart(broken: Path) -> None:
    before = load_encoder(str(broken)).fingerprint
    assert load_encoder(str(broken)).fingerprint == before
    assert load_encoder(str(broken), resize="pad").fingerprint != before
    with open(broken / "vocab.txt", "a", encoding="utf-8") as vocabulary:
        vocabulary.write("kidney\n")
    assert load_encoder(str(broken)).fingerprint != before


def test_a_missing_vocabulary_is_refused_rather_than_reading_every_word_as_unknown(broken: Path) -> None:
    (broken / "vocab.txt").unlink()
    with pytest.raises(EncoderError, match="vocabulary is missing"):
        load_encoder(str(broken))


def test_missing_weights_are_refused_rather_than_made_up(broken: Path) -> None:
    (broken / "open_clip_model.safetensors").unlink()
    with pytest.raises(EncoderError, match="no weights there"):
        load_encoder(str(broken))


def test_truncated_weights_are_refused(broken: Path) -> None:
    weights = broken / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(EncoderError, match=r"open_clip_model\.safetensors: damaged, incomplete"):
        load_encoder(str(broken))


def test_weights_of_another_architecture_are_refused(broken: Path) -> None:
    config = json.loads((broken / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 20
    (broken / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="do not load"):
        load_encoder(str(broken))


def test_a_pickle_that_runs_code_is_refused(broken: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path, ("never",))

    (broken / "open_clip_model.safetensors").unlink()
    torch.save({"weights": Evil()}, broken / "open_clip_pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"would run code of its author \(it asks for pathlib\.Path\)"):
        load_encoder(str(broken))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_cfg": {}}', "\x00"])
def test_a_damaged_configuration_is_refused(broken: Path, content: str) -> None:
    (broken / "open_clip_config.json").write_text(content)
    with pytest.raises(EncoderError, match=r"open_clip_config\.json: (not an? |cannot be read)"):
        load_encoder(str(broken))


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="starter, biomedclip"):
        load_encoder("biomedclop")
    with pytest.raises(EncoderError, match="not an encoder bundle"):
        load_encoder(str(tmp_path))
    with pytest.raises(EncoderError, match="crop, pad, squash"):
        load_encoder("starter", resize="stretch")


def test_a_hub_encoder_that_is_not_cached_says_what_to_do_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match="HF_HUB_OFFLINE forbids downloading; use --encoder starter"):
        load_encoder("biomedclip")


def test_a_hub_encoder_in_the_cache_needs_no_network(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--some--bundle"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(bert_folder, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert load_encoder("hf-hub:some/bundle").fingerprint == load_encoder(str(bert_folder)).fingerprint
