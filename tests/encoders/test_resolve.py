"""A name means one encoder, found by looking; whatever means none says what would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from retrieval.encoders import load_encoder, precision
from retrieval.encoders.resolve import STARTER, EncoderSource, imported, imported_names, resolve
from retrieval.errors import EncoderError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RETRIEVAL_CONFIGS", raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize("kind", ["bundle", "clip-model", "text-only", "state-dict"])
def test_a_path_is_recognised_by_looking(kind: str, published: dict[str, Path]) -> None:
    assert resolve(str(published[kind])) == EncoderSource(kind, published[kind])  # type: ignore[arg-type]


def test_the_starter_is_a_bundle_of_the_package() -> None:
    assert resolve("starter") == EncoderSource("bundle", STARTER)


def test_open_clips_layout_wins_where_both_are_there(published: dict[str, Path], tmp_path: Path) -> None:
    both = Path(shutil.copytree(published["bundle"], tmp_path / "both"))
    shutil.copy(published["clip-model"] / "config.json", both)
    assert resolve(str(both)).kind == "bundle"


def test_a_folder_with_one_state_dict_is_that_and_with_several_lists_them(
    published: dict[str, Path], tmp_path: Path
) -> None:
    folder = published["state-dict"].parent
    assert resolve(str(folder)) == EncoderSource("state-dict", published["state-dict"])
    for name in ("PubMedCLIP_RN50.pth", "PubMedCLIP_RN50x4.pth", "PubMedCLIP_ViT32.pth"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(EncoderError, match=rf"several state dicts .* name one of {tmp_path}/PubMedCLIP_RN50\.pth, "):
        resolve(str(tmp_path))


@pytest.mark.parametrize(
    "config",
    [
        None,
        "{}",
        "not JSON",
        '{"architecture": "vit_base_patch16_224", "num_classes": 0}',
        '{"model_type": "vit", "image_size": 224}',
    ],
)
def test_a_folder_that_holds_no_encoder_says_what_was_looked_for(config: str | None, tmp_path: Path) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(EncoderError, match=r"neither open_clip_config\.json, nor the config\.json of a CLIPModel or"):
        resolve(str(tmp_path))


def test_a_word_that_is_a_name_and_a_folder_is_the_name(
    published: dict[str, Path], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub_cache: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("starter", "biomedclip", "mine"):
        shutil.copytree(published["bundle"], tmp_path / name)
    assert resolve("starter").path == STARTER
    with pytest.raises(EncoderError, match="not in the hub's cache"):
        resolve("biomedclip")
    assert resolve("./biomedclip") == EncoderSource("bundle", Path("biomedclip"))
    assert resolve("mine") == EncoderSource("bundle", Path("mine"))
    shutil.copytree(published["text-only"], home / "encoders" / "mine")
    assert resolve("mine") == EncoderSource("text-only", home / "encoders" / "mine")
    assert resolve("./mine").kind == "bundle"


def test_imports_lie_where_data_of_programs_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETRIEVAL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert imported("mine") == Path("/data/retrieval/encoders/mine")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert imported("mine") == Path("~/.local/share/retrieval/encoders/mine").expanduser()


def test_imports_of_earlier_versions_are_found_where_data_lies_elsewhere(
    published: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RETRIEVAL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "earlier"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "Application Support"))
    assert imported("mine") == tmp_path / "Application Support" / "encoders" / "mine"
    earlier = tmp_path / "earlier" / "retrieval" / "encoders" / "mine"
    shutil.copytree(published["text-only"], earlier)
    assert imported("mine") == earlier
    assert imported_names() == ["mine"]
    assert resolve("mine") == EncoderSource("text-only", earlier)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("biomedclop", "did you mean biomedclip"),
        ("pubmedclip-rn5", "did you mean pubmedclip-rn50"),
        ("xyzzy", r"no such encoder; try starter, biomedclip, hf-hub:<owner>/<repository>, open_clip:<model>/<tag>"),
        ("", "no such encoder"),
        ("./nowhere", r"there is no such file or folder; give hf-hub:<owner>/<repository>"),
        ("models/nowhere.pth", "there is no such file or folder"),
        ("open_clip:ViT-B-32", "names no tag; write open_clip:<model>/<tag>"),
        ("open_clip:ViT-B-32//nowhere.pt", "there is no file /nowhere.pt; give the weights of a ViT-B-32"),
    ],
)
def test_a_name_that_means_nothing_says_what_would(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=said):
        resolve(name)


def test_a_tag_has_a_model_and_a_word_or_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "epoch_3.pt"
    weights.write_bytes(b"")
    assert resolve("open_clip:ViT-B-32/openai") == EncoderSource("tag", model="ViT-B-32", tag="openai")
    assert resolve(f"open_clip:RN50/{weights}") == EncoderSource("tag", weights, model="RN50")
    monkeypatch.chdir(tmp_path)
    assert resolve("open_clip:RN50/epoch_3.pt") == EncoderSource("tag", Path("epoch_3.pt"), model="RN50")


def test_a_tag_that_is_not_cached_says_so_offline(hub_cache: Path) -> None:
    with pytest.raises(EncoderError, match="HF_HUB_OFFLINE forbids downloading"):
        load_encoder("clip-vit-b-32")
    with pytest.raises(EncoderError, match="no such tag; nearest are openai"):
        load_encoder("open_clip:RN50/opnai")


@pytest.mark.slow
def test_a_file_of_ones_own_names_an_encoder(
    published: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    shutil.copytree(published["clip-model"], configs / "models" / "ours")
    (configs / "ours.toml").write_text('source = "models/ours"\nactivation = "gelu"\n')
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(configs))
    assert resolve("ours") == EncoderSource("clip-model", configs / "models" / "ours", activation="gelu")
    with_gelu, as_published = load_encoder("ours"), load_encoder(str(published["clip-model"]))
    assert with_gelu.name == "ours"
    assert with_gelu.fingerprint != as_published.fingerprint


@pytest.mark.parametrize("trusted", [False, True])
def test_trust_in_torchscript_reaches_the_file(
    trusted: bool, published: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_openai(path: Path, **options: Any) -> None:
        raise EncoderError(json.dumps(options))

    monkeypatch.setattr("retrieval.encoders.layouts.openai.read_openai", read_openai)
    with pytest.raises(EncoderError) as caught:
        load_encoder(str(published["state-dict"]), trust_torchscript=trusted)
    assert json.loads(str(caught.value)) == {"trust_torchscript": trusted, "activation": None}


@pytest.mark.parametrize("trusted", [False, True])
def test_trust_in_torchscript_reaches_a_file_named_beside_a_model_of_open_clips(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_weights(path: Path, *, trust_torchscript: bool) -> None:
        raise EncoderError(f"{path.name} {trust_torchscript}")

    monkeypatch.setattr("retrieval.encoders.layouts.open_clip_folder.read_weights", read_weights)
    (tmp_path / "mine.pt").write_bytes(b"")
    with pytest.raises(EncoderError, match=f"mine.pt {trusted}"):
        load_encoder(f"open_clip:ViT-S-32/{tmp_path / 'mine.pt'}", trust_torchscript=trusted)


def test_a_text_encoder_has_no_resize_mode(published: dict[str, Path]) -> None:
    encoder = load_encoder(str(published["text-only"]))
    assert not encoder.reads_images
    with pytest.raises(EncoderError, match="reads captions only; leave the resize mode out"):
        load_encoder(str(published["text-only"]), resize="pad")


@pytest.mark.slow
def test_auto_is_half_precision_only_where_that_is_faithful(
    published: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(published["clip-model"])
    monkeypatch.setattr(precision, "worth_trying", lambda _: ())
    assert load_encoder(folder, precision="auto").precision == "fp32"  # type: ignore[attr-defined]
    monkeypatch.setattr(precision, "worth_trying", lambda _: ("bf16",))
    monkeypatch.setattr(precision, "FAITHFUL", 0.0)
    assert load_encoder(folder, precision="auto").precision == "bf16"  # type: ignore[attr-defined]
    monkeypatch.setattr(precision, "FAITHFUL", 1.01)
    assert load_encoder(folder, precision="auto").precision == "fp32"  # type: ignore[attr-defined]


def test_a_precision_that_is_asked_for_is_used(published: dict[str, Path]) -> None:
    exact, half = (load_encoder(str(published["bundle"]), precision=name) for name in ("fp32", "bf16"))
    tokens = exact.tokenize(["axial CT of the lung"])
    difference = abs(exact.encode_texts(tokens) - half.encode_texts(tokens)).max()
    assert 0 < difference < 0.05
    assert exact.fingerprint == half.fingerprint
    with pytest.raises(EncoderError, match="int8: no such precision; use one of auto, fp32, bf16, fp16"):
        load_encoder(str(published["bundle"]), precision="int8")
