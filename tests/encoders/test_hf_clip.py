"""CLIPModel folders give transformers' vectors, whatever year they were saved in, or one sentence that says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer, PreTrainedTokenizerFast

from retrieval.encoders.assemble import write_bundle
from retrieval.encoders.clip_encoder import ClipEncoder
from retrieval.encoders.layouts.hf_clip import DEFAULTS, read_clip_model
from retrieval.encoders.layouts.open_clip_folder import read_openclip
from retrieval.errors import EncoderError
from retrieval.types import Vectors
from tests.bundles import WORDS
from tests.layouts import CLIP_TEXT, CLIP_VISION, clip_model, edit_json, randomised

TEXTS = ["axial CT of the lung", "Stained liver tissue 5 um, red cells!!", "it's   MRI\n(T2)", "scan " * 50]
PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "saved"
    clip_model(path)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder to spoil: configuration, weights and no tokenizer files, which for CLIP's own words is enough."""
    clip_model(tmp_path / "small")
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / "small" / name).unlink()
    return tmp_path / "small"


def ours(folder: Path, **options: Any) -> ClipEncoder:
    return ClipEncoder(read_clip_model(folder, **options), name="ours")


def theirs(model: CLIPModel, tokenizer: Any, texts: list[str] = TEXTS) -> tuple[Vectors, Vectors]:
    """transformers' own path: images and texts to normalised vectors."""
    tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=24, return_tensors="pt")
    with torch.inference_mode():
        images = _projected(model.get_image_features(pixel_values=PIXELS))
        words = _projected(model.get_text_features(**tokens))
    return tuple(torch.nn.functional.normalize(v, dim=-1).numpy() for v in (images, words))  # type: ignore[return-value]


def _projected(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output.pooler_output  # transformers before 5, and from 5 on


def are_the_same(encoder: ClipEncoder, expected: tuple[Vectors, Vectors], texts: list[str] = TEXTS) -> None:
    np.testing.assert_allclose(encoder.encode_images(PIXELS.numpy()), expected[0], atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(encoder.tokenize(texts)), expected[1], atol=1e-5)


@pytest.mark.parametrize(
    "variant",
    [
        {"hidden_act": "quick_gelu"},
        {"hidden_act": "gelu"},
        {"bare": True},
        {"binary": True},
        {"shards": True},
        {"layer_norm_eps": 0.1},
        {"intermediate_size": 100},
        {"eos_token_id": 2},
    ],
    ids=str,
)
def test_vectors_are_those_of_transformers(variant: dict[str, Any], tmp_path: Path) -> None:
    clip_model(tmp_path / "saved", **variant)
    model = CLIPModel.from_pretrained(tmp_path / "saved").eval()
    assert (tmp_path / "saved" / "model.safetensors.index.json").is_file() == ("shards" in variant)
    are_the_same(ours(tmp_path / "saved"), theirs(model, CLIPTokenizer.from_pretrained(tmp_path / "saved")))


@pytest.mark.slow
def test_the_two_activations_differ_and_config_json_chooses(tmp_path: Path) -> None:
    vectors = {}
    for name, options in (("quick_gelu", {}), ("gelu", {"hidden_act": "gelu"}), ("left out", {"bare": True})):
        clip_model(tmp_path / name, **options)
        vectors[name] = ours(tmp_path / name).encode_images(PIXELS.numpy())
    assert np.abs(vectors["gelu"] - vectors["quick_gelu"]).max() > 1e-3
    np.testing.assert_array_equal(vectors["left out"], vectors["quick_gelu"])
    assert any("activation quick_gelu" in note for note in read_clip_model(tmp_path / "left out").notes)
    assert not read_clip_model(tmp_path / "gelu").notes
    told = ours(tmp_path / "quick_gelu", activation="gelu").encode_images(PIXELS.numpy())
    np.testing.assert_array_equal(told, vectors["gelu"])


def test_what_config_json_may_leave_out_is_what_transformers_assumes() -> None:
    from transformers import CLIPTextConfig, CLIPVisionConfig

    for side, theirs in (("text", CLIPTextConfig()), ("vision", CLIPVisionConfig())):
        assert DEFAULTS[side] == {key: getattr(theirs, key) for key in DEFAULTS[side]}


def test_configurations_of_2022_with_their_doubled_sections_load_the_same(folder: Path, small: Path) -> None:
    """Then `text_config_dict` stood beside a `text_config` full of defaults, and decided."""
    expected = ours(folder).encode_images(PIXELS.numpy())
    nonsense = {"hidden_size": 640, "num_attention_heads": 3, "hidden_act": "gelu"}
    config = {
        "projection_dim": 16,
        "text_config": nonsense,
        "text_config_dict": CLIP_TEXT,
        "vision_config": nonsense,
        "vision_config_dict": CLIP_VISION,
    }
    (small / "config.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(ours(small).encode_images(PIXELS.numpy()), expected)


def test_positions_saved_by_old_transformers_are_left_out(small: Path) -> None:
    model = CLIPModel.from_pretrained(small)
    positions = {f"{side}_model.embeddings.position_ids": torch.arange(24)[None] for side in ("text", "vision")}
    (small / "model.safetensors").unlink()
    torch.save(model.state_dict() | positions, small / "pytorch_model.bin")
    assert ours(small).dim == 16


def test_clips_own_words_have_the_ids_that_transformers_gives_them(folder: Path) -> None:
    """Except where OpenAI's tokenizer mends text first (quotes, ligatures, entities): there OpenAI is right."""
    tokenizer, encoder = CLIPTokenizer.from_pretrained(folder), ours(folder)
    assert read_clip_model(folder).tokenizer == ()
    plain = [*TEXTS, "", "!!", "T2-weighted; 5 µm (α-actin) naïve <p> 図 1/2 100%", "DON'T we'll"]
    theirs = tokenizer(plain, truncation=True, max_length=24).input_ids
    tokens = encoder.tokenize(plain)
    assert [row[:length].tolist() for row, length in zip(tokens.ids, tokens.lengths, strict=True)] == theirs
    mended, straight = encoder.tokenize(["the “ﬁne” cell’s A&amp;B"]), encoder.tokenize(['the "fine" cell\'s a&b'])
    np.testing.assert_array_equal(mended.ids, straight.ids)


def test_words_saved_by_transformers_5_in_one_file_are_recognised_too(folder: Path, tmp_path: Path) -> None:
    clip_model(tmp_path / "new")
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / "new" / name).unlink()
    CLIPTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "new")
    parts = read_clip_model(tmp_path / "new")
    assert (parts.tokenizer, parts.notes) == ((), ())
    assert ClipEncoder(parts, name="new").fingerprint == ours(folder).fingerprint


def word_tokenizer(folder: Path, *, ends: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer of 25 words of its own, saved in `folder`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[BEGIN]", "[END]", *WORDS])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        backend.post_processor = processors.TemplateProcessing(
            single="[BEGIN] $A [END]", special_tokens=[("[BEGIN]", 2), ("[END]", 3)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", bos_token="[BEGIN]", eos_token="[END]"
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A CLIPModel with a vocabulary of its own, whose captions end with the id 3."""
    from transformers import CLIPConfig

    words = {"vocab_size": 4 + len(WORDS), "eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
    config = CLIPConfig(text_config=CLIP_TEXT | words, vision_config=CLIP_VISION, projection_dim=16)
    randomised(CLIPModel(config)).save_pretrained(tmp_path / "foreign")
    return tmp_path / "foreign"


def test_another_vocabulary_is_read_by_its_own_tokenizer_up_to_its_own_end_mark(foreign: Path, tmp_path: Path) -> None:
    tokenizer = word_tokenizer(foreign)
    model = CLIPModel.from_pretrained(foreign).eval()
    encoder = ours(foreign)
    texts = ["the lung", "a stained liver with cell", "ct " * 40]
    are_the_same(encoder, theirs(model, tokenizer, texts), texts)
    assert encoder.tokenize(texts).truncated.tolist() == [False, False, True]
    write_bundle(read_clip_model(foreign), tmp_path / "bundle")
    again = ClipEncoder(read_openclip(tmp_path / "bundle"), name="bundle")
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(
        again.encode_texts(again.tokenize(texts)), encoder.encode_texts(encoder.tokenize(texts))
    )


def test_another_vocabulary_that_cannot_be_read_exactly_is_refused(foreign: Path) -> None:
    with pytest.raises(EncoderError, match="vocabulary is missing"):
        read_clip_model(foreign)
    word_tokenizer(foreign, ends=False)
    with pytest.raises(EncoderError, match="does not end captions with the id 3"):
        read_clip_model(foreign)
    word_tokenizer(foreign)
    text = json.loads((foreign / "config.json").read_text())["text_config"]
    edit_json(foreign / "config.json", text_config=text | {"eos_token_id": 2})
    with pytest.raises(EncoderError, match="eos_token_id 2 means the highest id, which is not the end mark 3"):
        read_clip_model(foreign)
    edit_json(foreign / "config.json", text_config=text | {"vocab_size": 10})
    with pytest.raises(EncoderError, match=f"knows {4 + len(WORDS)} words, the model 10"):
        read_clip_model(foreign)


def test_images_are_prepared_as_transformers_does(folder: Path) -> None:
    picture = Image.linear_gradient("L").resize((301, 200)).convert("RGB")
    expected = CLIPImageProcessor.from_pretrained(folder)(picture, return_tensors="np").pixel_values[0]
    assert np.abs(ours(folder).prepare(picture) - expected).mean() < 0.02  # they round in between, to 1/255


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"size": 32, "crop_size": 32}, {"resize_mode": "shortest", "interpolation": "bicubic"}),
        ({"size": {"height": 32, "width": 32}}, {"resize_mode": "squash"}),
        ({"resample": 2}, {"interpolation": "bilinear"}),
        ({"do_center_crop": False}, {"resize_mode": "shortest"}),
        ({"do_center_crop": False, "size": {"height": 32, "width": 32}}, {"resize_mode": "squash"}),
        ({"do_normalize": False}, {"mean": [0.0] * 3, "std": [1.0] * 3}),
        ({"image_mean": [0.5] * 3, "image_std": [0.2] * 3}, {"mean": [0.5] * 3, "std": [0.2] * 3}),
        ({"image_mean": None, "crop_size": None, "resample": None}, {"mean": [0.48145466, 0.4578275, 0.40821073]}),
    ],
    ids=str,
)
def test_each_way_of_writing_the_preprocessing_is_understood(
    changes: dict[str, Any], expected: dict[str, Any], small: Path
) -> None:
    edit_json(small / "preprocessor_config.json", **changes)
    parts = read_clip_model(small)
    assert {key: parts.preprocess_cfg[key] for key in expected} == expected
    assert any("the middle is cropped" in note for note in parts.notes) == (changes == {"do_center_crop": False})


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 40, "crop_size": 32},
        {"size": {"height": 32, "width": 64}},
        {"crop_size": {"height": 32, "width": 16}},
        {"resample": 1},
        {"do_resize": False},
        {"do_rescale": False},
        {"rescale_factor": 1.0},
    ],
    ids=str,
)
def test_preprocessing_that_would_come_out_otherwise_is_refused(changes: dict[str, Any], small: Path) -> None:
    edit_json(small / "preprocessor_config.json", **changes)
    with pytest.raises(EncoderError, match=r"preprocessor_config\.json: .* is not supported"):
        read_clip_model(small)


def test_without_preprocessor_config_images_are_prepared_as_for_clip_and_it_is_said(folder: Path, small: Path) -> None:
    settings = json.loads((small / "preprocessor_config.json").read_text())
    (small / "preprocessor_config.json").unlink()
    parts = read_clip_model(small)
    assert any("preprocessor_config.json is not there" in note for note in parts.notes)
    assert parts.preprocess_cfg == read_clip_model(folder).preprocess_cfg
    newer = {"image_processor": settings | {"image_mean": [0.1] * 3}}
    (small / "processor_config.json").write_text(json.dumps(newer))
    assert read_clip_model(small).preprocess_cfg["mean"] == [0.1] * 3


def tower(folder: Path, side: str, **changes: Any) -> None:
    section = json.loads((folder / "config.json").read_text())[f"{side}_config"]
    edit_json(folder / "config.json", **{f"{side}_config": section | changes})


@pytest.mark.parametrize(
    ("side", "changes", "sentence"),
    [
        ("text", {"hidden_act": "gelu"}, "gelu in one tower and quick_gelu in the other"),
        ("vision", {"hidden_act": "gelu"}, "quick_gelu in one tower and gelu in the other"),
        ("vision", {"image_size": [32, 64]}, r"image_size \[32, 64\] is not supported, only squares"),
        ("vision", {"patch_size": [8, 4]}, "only squares"),
        ("vision", {"num_channels": 1}, "images of 1 channels"),
    ],
)
def test_what_open_clip_cannot_express_is_refused(
    side: str, changes: dict[str, Any], sentence: str, small: Path
) -> None:
    tower(small, side, **changes)
    with pytest.raises(EncoderError, match=sentence):
        read_clip_model(small)


def test_an_activation_that_open_clip_has_not_got_is_refused_unless_another_is_asked_for(small: Path) -> None:
    for side in ("text", "vision"):
        tower(small, side, hidden_act="gelu_new")
    with pytest.raises(EncoderError, match="activation gelu_new is not supported, only quick_gelu or gelu"):
        read_clip_model(small)
    assert read_clip_model(small, activation="gelu").model_cfg["quick_gelu"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("siglip", "a siglip model, not a CLIPModel; use open_clip:ViT-B-16-SigLIP/webli"),
        ("chinese_clip", "a chinese_clip model, not a CLIPModel; use a CLIPModel folder"),
        ("altclip", "use a CLIPModel folder, an open_clip bundle or"),
        ("blip", "use a CLIPModel folder"),
        ("clip_vision_model", "the other tower is missing"),
    ],
)
def test_models_of_another_kind_are_named_with_what_works_instead(kind: str, instead: str, small: Path) -> None:
    edit_json(small / "config.json", model_type=kind)
    with pytest.raises(EncoderError, match=instead):
        read_clip_model(small)


def test_files_that_are_missing_or_damaged_are_named(small: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"config\.json: cannot be read as JSON"):
        read_clip_model(tmp_path / "empty")
    weights = small / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(EncoderError, match=r"model\.safetensors: damaged, incomplete or not a file of weights"):
        ours(small)
    weights.unlink()
    with pytest.raises(EncoderError, match=r"no weights there \(model\.safetensors or pytorch_model\.bin\)"):
        read_clip_model(small)


@pytest.mark.slow
def test_weights_that_do_not_fit_config_json_are_refused_by_name(small: Path) -> None:
    tower(small, "text", num_hidden_layers=1)
    with pytest.raises(EncoderError, match=r"12 unknown, first transformer\.resblocks\.1\."):
        ours(small)
    tower(small, "text", num_hidden_layers=3)
    with pytest.raises(EncoderError, match=r"12 missing, first transformer\.resblocks\.2\."):
        ours(small)


@pytest.mark.slow
def test_the_bundle_of_it_is_the_same_encoder_and_names_no_folder_of_ours(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ours(folder)
    write_bundle(read_clip_model(folder), tmp_path / "bundle").rename(tmp_path / "moved")
    for file in (tmp_path / "moved").glob("*.json"):
        assert "/" not in file.read_text()
    monkeypatch.chdir(tmp_path)
    after = ClipEncoder(read_openclip(Path("moved")), name="bundle")
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.encode_images(PIXELS.numpy()), before.encode_images(PIXELS.numpy()))
    np.testing.assert_array_equal(
        after.encode_texts(after.tokenize(TEXTS)), before.encode_texts(before.tokenize(TEXTS))
    )
